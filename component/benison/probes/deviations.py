# SPDX-License-Identifier: Apache-2.0
"""The scale of numbers, of which outliers are no measure."""

from __future__ import annotations

import numpy as np

from benison.data.batch import Array

_FENCE = 3.0


def spread_of(numbers: Array) -> float:
    """The standard deviation of the finite numbers, those beyond Tukey's outer fences brought back to them.

    One outlier, such as a sentinel of -999999, is not the scale of all others.

    >>> round(spread_of(np.array([1.0, 2.0, 3.0, np.nan])), 4)
    0.8165
    >>> spread_of(np.array([*range(20), 1e200])) < 20
    True
    """
    known = numbers[np.isfinite(numbers)]
    if not len(known):
        return 0.0
    low, high = np.quantile(known, (0.25, 0.75), method="inverted_cdf")
    with np.errstate(over="ignore", invalid="ignore"):
        reach = _FENCE * (high - low)
        return float(np.std(np.clip(known, low - reach, high + reach) if reach else known))
