# SPDX-License-Identifier: Apache-2.0
"""What a probe says of a model: a share or another value, its interval, and a sentence."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from benison.evidence.spread import Share


@dataclasses.dataclass(frozen=True)
class ProbeFinding:
    """What a probe says of one feature, or of the model.

    Attributes:
        words: The sentence without its full stop, to which what is allowed is added.
        value: NaN where it could not be measured.
        count: Of `rows` rows, where the value is a share; None where it is none.
        rows: On which the value rests.
        is_notable: Whether a person should look at it, though nobody gave a bound.
        scale: The size of the numbers of which the value is a difference; None where it is none.
        curve: Points of a drawing: what was set, and what came of it.
        is_first: Whether there is no model to compare with yet, which lets the first one pass.
        lines: What came of it on some single rows, at the same points.
    """

    probe: str
    words: str
    feature: str = ""
    detail: str = ""
    value: float = math.nan
    count: int | None = None
    rows: int | None = None
    lower: float = math.nan
    upper: float = math.nan
    is_notable: bool = False
    curve: tuple[tuple[str, float], ...] = ()
    scale: float | None = None
    lines: tuple[tuple[float, ...], ...] = ()
    is_first: bool = False

    def row(self) -> dict[str, Any]:
        """The fields that `PROBES_SCHEMA` has of it."""
        own = ("probe", "feature", "detail", "value", "count", "rows", "lower", "upper")
        curve = [{"at": at, "value": value} for at, value in self.curve]
        return {
            **{name: getattr(self, name) for name in own},
            "notable": self.is_notable,
            "curve": curve,
            "lines": [*map(list, self.lines)] or None,
        }


def share_interval_of(count: int, rows: int, alpha: float) -> tuple[float, float]:
    """The interval of a share, exact or Wilson's, which misses the true one with probability `alpha`.

    >>> [round(end, 4) for end in share_interval_of(10, 100, 0.05)]
    [0.049, 0.1762]
    """
    if not rows:
        return math.nan, math.nan
    limits = Share(np.array([float(count)]), np.array([float(rows)])).limits(alpha / 2)
    lower, upper = (float(end[0]) for end in limits)
    return lower, upper


def of_share(  # noqa: PLR0913 - the parts of a finding
    probe: str,
    count: int,
    rows: int,
    words: str,
    *,
    alpha: float,
    usual: float,
    feature: str = "",
    detail: str = "",
    curve: tuple[tuple[str, float], ...] = (),
) -> ProbeFinding:
    """A share of rows, notable if the true one is above the usual one with confidence; unmeasured of none."""
    if not rows:
        return unmeasured(probe, "no row has a score before and after a change", feature)
    lower, upper = share_interval_of(count, rows, alpha)
    return ProbeFinding(
        probe, words, feature, detail, count / rows, count, rows, lower, upper,
        bool(lower > usual), curve,
    )  # fmt: skip


def unmeasured(probe: str, why: str, feature: str = "") -> ProbeFinding:
    """A probe that could not be run, and why."""
    of = f" of {feature}" if feature else ""
    return ProbeFinding(probe, f"{probe}{of} was not measured: {why.rstrip('.')}", feature)


def percent(count: int, rows: int) -> str:
    """A share with what it is of.

    >>> percent(42, 2000), percent(0, 25)
    ('2.1 % of 2,000', '0 % of 25')
    """
    return f"{100 * count / max(rows, 1):.3g} % of {rows:,}"


def listed(names: Sequence[str], most: int = 5) -> str:
    """Names for a sentence, the first of many.

    >>> listed(["fare", "miles"]), listed("abcdefg")
    ('fare, miles', 'a, b, c, d, e and 2 more')
    """
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
