# SPDX-License-Identifier: Apache-2.0
"""How many rows a difference needs to be seen, and what difference so many rows can show."""

from __future__ import annotations

import numpy as np

from benison.data.batch import Array
from benison.evidence.tails import normal_quantile

POWER = 0.8
"""The share of cases in which a difference of the size in question is to be found."""


MOST_NEEDED = 10**9
"""More rows than these are not told apart: nobody could bring them."""


def reach(alpha: float) -> float:
    """How many standard errors off a bound a value must be, so that 80 % of samples show it at alpha.

    >>> round(reach(0.05), 3)
    2.486
    """
    return normal_quantile(alpha) + normal_quantile(1 - POWER)


def detectable(std_error: Array, alpha: float) -> Array:
    """The smallest difference that is found in 80 % of samples, in the unit of the value."""
    return reach(alpha) * std_error


def needed_examples(
    examples: Array, std_error: Array, distance: Array, within: float, beyond: float
) -> Array:
    """The rows by which values that these leave undecided could be told from a bound, in whole rows.

    NaN where there are none, or where a value is within its own standard error of the bound: so near it the
    rows do not say on which side the value is, nor how far off, and the number would be one of chance.

    Args:
        examples: The rows that there are, float64[N].
        std_error: Of the values, float64[N].
        distance: How far values are within the bound, below 0 beyond it: float64[N].
        within: What the p-values of those within are held against.
        beyond: The same of those beyond.

    >>> needed_examples(np.full(2, 212.0), np.full(2, 0.02), np.array([-0.03, -0.01]), 0.05, 0.05)
    array([583.,  nan])
    """
    reached = np.where(distance < 0, reach(beyond), reach(within)) * std_error
    needed = np.ceil(rows_needed(examples, reached, distance))
    with np.errstate(invalid="ignore"):
        is_known = (examples > 0) & (needed > examples) & np.isfinite(needed)
        is_known &= np.abs(distance) > std_error
    return np.where(is_known, np.minimum(needed, MOST_NEEDED), np.nan)


def rows_needed(examples: Array, reached: Array, distance: Array) -> Array:
    """The rows by which a distance can be told, where so many tell `reached`; infinite where there is none.

    >>> rows_needed(np.array([100.0]), np.array([0.02]), np.array([0.01]))
    array([400.])
    """
    with np.errstate(all="ignore"):
        return np.asarray(examples * (reached / distance) ** 2)


def rows_text(count: int) -> str:
    """How many rows something needs, in two digits; beyond a billion only that.

    >>> rows_text(3719), rows_text(61), rows_text(10**9)
    ('about 3,800', 'about 61', 'more than 1,000,000,000')
    """
    if count >= MOST_NEEDED:
        return f"more than {MOST_NEEDED:,}"
    unit = 10 ** max(len(str(count)) - 2, 0)
    return f"about {-(-count // unit) * unit:,}"
