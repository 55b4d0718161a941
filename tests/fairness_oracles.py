# SPDX-License-Identifier: Apache-2.0
"""The oracles of the metrics of fairness: Fairlearn itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import fairlearn.metrics as fairlearn
import numpy as np

from benison.metrics.confusion import snake_case

NAMES = (
    "DemographicParityDifference",
    "DemographicParityRatio",
    "EqualOpportunityDifference",
    "EqualOpportunityRatio",
    "EqualizedOddsDifference",
    "EqualizedOddsRatio",
)


def groups(p: np.ndarray) -> np.ndarray:
    """The group of each row, by the last digit of its score."""
    return np.round(100 * p).astype(int) % 3


def of_fairlearn(name: str, **more: Any) -> Callable[..., float]:
    function = getattr(fairlearn, snake_case(name))
    return lambda y, p, w: function(
        y, (p > 0.5).astype(int), sensitive_features=groups(p), sample_weight=w, **more
    )


FAIRNESS = {name: of_fairlearn(name) for name in NAMES}
