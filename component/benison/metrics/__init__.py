# SPDX-License-Identifier: Apache-2.0
"""The catalogue of metrics. A family is imported when the first of its names is asked for.

>>> describe("AUC").higher_is_better, describe("AUC").low, describe("AUC").high
(True, 0, 1)
>>> from_config("RecallAtPrecision", {"precision": 0.9}).name
'recall_at_precision'
"""

from __future__ import annotations

from benison.metrics.base import Metric, Statistic, ratio
from benison.metrics.registry import About, describe, from_config, register, registered

__all__ = [
    "About",
    "Metric",
    "Statistic",
    "describe",
    "from_config",
    "ratio",
    "register",
    "registered",
]
