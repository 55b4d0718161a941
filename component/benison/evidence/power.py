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


def needed_examples(examples: Array, std_error: Array, distance: Array, alpha: float) -> Array:
    """The rows from which a distance from a bound could be told; infinite where there is none.

    >>> needed_examples(np.array([212.0]), np.array([0.02]), np.array([-0.01]), 0.05).round()
    array([5243.])
    """
    return rows_needed(examples, detectable(std_error, alpha), distance)


def rows_needed(examples: Array, reached: Array, distance: Array) -> Array:
    """The same where it is known which distance so many rows can tell.

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
