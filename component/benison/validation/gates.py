# SPDX-License-Identifier: Apache-2.0
"""Judges checks by evidence: what a sample shows to be beyond a bound, and what it shows not to be.

Each check is in one of three zones. *Worse*: the value is shown to be beyond its bound, after a correction
for all checks of the run that may be found worse: equal models are refused at most `1 - level` of the time.
*Not worse*: it is shown to be within; a blessing needs that of every check with evidence `not_worse`, so
there is nothing to correct for. *Undecided*: the sample can tell neither.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from benison.config.fields import BENJAMINI_HOCHBERG, HOLM, WORSE
from benison.data.batch import Array, Index, Mask
from benison.evidence.correction import benjamini_hochberg, holm
from benison.evidence.power import detectable, needed_examples
from benison.evidence.spread import Spread
from benison.table.key import SLICE_RATIO
from benison.validation.rows import Values
from benison.validation.rules import Judged, Rule, Words
from benison.validation.terms import (
    CHANGE_RELATIVE,
    FAIL,
    LOWER,
    PASS,
    SHOWN_NOT_WORSE,
    SHOWN_WORSE,
    UNDECIDED,
)

_HALVINGS = 50
_ALIKE = 30
"""Of so many rows that are all alike a value beyond its bound is no chance."""


@dataclasses.dataclass(frozen=True)
class Gated:
    """The checks of a rule on N values whose errors are known."""

    values: Values
    rule: Rule
    judged: Judged
    """By the numbers themselves."""
    notes: Sequence[str | None]
    evidence: str
    weight: float

    @cached_property
    def is_open(self) -> Mask:
        """Which checks evidence decides: bool[N]."""
        return np.asarray((self.judged.outcome == PASS) | (self.judged.outcome == FAIL))

    @cached_property
    def p_worse(self) -> Array:
        """Small where the value is shown to be beyond its bound, NaN where the sample cannot tell."""
        return self._p(self.rule.bound, worse=True)

    @cached_property
    def p_not_worse(self) -> Array:
        """Small where the value is shown to be within its bound, NaN where the sample cannot tell."""
        return np.where(self.is_met, np.nan, self._p(self.rule.bound, worse=False))

    @cached_property
    def std_error(self) -> Array:
        """In the unit of the bound."""
        spread, _ = self._spread(self.rule.bound)
        return spread.std_error / self._unit

    @cached_property
    def distance(self) -> Array:
        """How far the value is within its bound, below 0 beyond it."""
        measured = self.judged.change if self.rule.is_change else self.values.value
        sign = 1 if self.rule.side == LOWER else -1
        return sign * (measured - self.rule.bound)

    @property
    def is_undefined(self) -> Mask:
        """Where the candidate has no value although one could be expected: bool[N]."""
        rests_on_nothing = self.values.rests_on(self.rule.is_change) == 0
        if not self.rule.is_change:
            return np.asarray(np.isnan(self.values.value) | rests_on_nothing)
        both = np.isnan(self.values.value) & np.isnan(self.values.baseline)
        if (
            self.values.lacks_predictions
        ):  # a value that one has taken away is no value that there cannot be
            both &= self.values.rests_on(is_change=True) == self.values.examples
        return np.asarray((np.isnan(self.judged.change) & ~both) | rests_on_nothing)

    @cached_property
    def is_met(self) -> Mask:
        """Where the bound is met without a test: bool[N].

        No value could be beyond it, or the change is 0 in each of many rows.
        """
        low, high = self._range
        is_edge = self.rule.bound <= low if self.rule.side == LOWER else self.rule.bound >= high
        met = is_edge & np.isfinite(self.distance)
        if self.rule.is_change:
            assert self.values.paired is not None
            unchanged = self.values.paired.is_unchanged & (self.judged.change == 0)
            met = met | (unchanged & (self.values.rests_on(is_change=True) >= _ALIKE))
        return np.asarray(met & (self.judged.outcome == PASS) & ~self.is_undefined)

    @property
    def _range(self) -> tuple[Array, Array]:
        """The ends of the range of what is judged, float64[N] each."""
        low, high = self.values.low, self.values.high
        plain, is_change = self.values.slices.plain, self.rule.is_change
        if self.values.key.kind == SLICE_RATIO or self.rule.check == CHANGE_RELATIVE:
            # Nothing is less than nothing; of what can be below 0 there is no least share.
            known = (low >= 0) & (plain | (not is_change))
            return np.where(known, -float(is_change), -np.inf), np.full(len(plain), np.inf)
        reach = (high - low) * np.where(plain | (not is_change), 1.0, 2.0)
        is_difference = is_change | ~plain
        return np.where(is_difference, -reach, low), np.where(is_difference, reach, high)

    @cached_property
    def is_certain(self) -> Mask:
        """Where a number is what it is without a test: infinite, or of many rows that are all alike."""
        spread, _ = self._spread(self.rule.bound)
        enough = self.values.rests_on(self.rule.is_change) >= _ALIKE
        return np.asarray(np.isinf(self.distance) | (spread.is_constant & enough))

    @property
    def is_unknown(self) -> Mask:
        """Where no rows could tell, as how far the value may be from the true one is not known: bool[N]."""
        spread, _ = self._spread(self.rule.bound)
        untold = spread.is_unknown & np.isfinite(self.distance)
        return np.asarray(self.is_open & untold & ~self.is_met & ~self.is_undefined)

    @property
    def is_tested(self) -> bool:
        """Whether the sample says anything of any of them."""
        can_tell = np.isfinite(self.p_worse) | np.isfinite(self.p_not_worse) | self.is_certain
        can_tell = can_tell | self.is_met
        alike = self._spread(self.rule.bound)[0].is_constant & (self.judged.outcome == PASS)
        return bool((can_tell | self.is_undefined | alike)[self.is_open].any())

    @property
    def discordant(self) -> tuple[Array, Array] | None:
        """The rows that only the baseline has right, and that only the candidate has, where that is known."""
        paired = self.values.paired if self.rule.is_change else None
        if paired is None or paired.lost is None or paired.won is None:
            return None
        return paired.lost, paired.won

    def passing(self, alpha: float, worse: bool, index: Index) -> Array:
        """The strictest bound with which some checks would pass at alpha; NaN where none is laxer.

        Args:
            alpha: What the p-value is held against.
            worse: Whether they pass where they are not shown worse, or where they are shown not to be.
            index: Which checks.
        """
        some = dataclasses.replace(
            self, values=self.values.take(index), judged=self.judged.take(index)
        )
        sign = 1 if self.rule.side == LOWER else -1
        limit = some._limit(some._lax(alpha, worse), alpha, worse)
        return np.where(sign * (limit - self.rule.bound) < 0, limit, np.nan)

    def _lax(self, alpha: float, worse: bool) -> Array:
        """Bounds with which checks pass."""
        sign = 1 if self.rule.side == LOWER else -1
        measured = self.rule.bound + sign * self.distance
        if worse:
            return measured
        if self.rule.check == CHANGE_RELATIVE:
            return measured - sign * 50 * self.std_error
        spread, _ = self._spread(self.rule.bound)
        lower, upper = spread.limits(alpha / 100)
        return lower - self._resolution if sign > 0 else upper + self._resolution

    def _limit(self, lax: Array, alpha: float, worse: bool) -> Array:
        """The strictest bounds with which checks pass, by halving; tests may be finer than limits."""
        near = np.full(len(lax), float(self.rule.bound))
        for _ in range(_HALVINGS):
            middle = (near + lax) / 2
            p = self._p(middle, worse)
            passes = p > alpha if worse else p <= alpha
            near, lax = np.where(passes, near, middle), np.where(passes, middle, lax)
        return lax

    def _p(self, bound: Array | float, worse: bool) -> Array:
        spread, at = self._spread(bound)
        above = worse != (self.rule.side == LOWER)
        exact = self._resolution
        with np.errstate(all="ignore"):
            p = spread.p_above(at + exact) if above else spread.p_below(at - exact)
        return np.where(self.is_open & np.isfinite(self.distance), p, np.nan)

    def _spread(self, bound: Array | float) -> tuple[Spread, Array | float]:
        """What is tested, and against what; a relative change is not tested as a quotient."""
        values = self.values
        assert values.spread is not None
        if not self.rule.is_change:
            return values.spread, bound
        assert values.paired is not None
        if self.rule.check == CHANGE_RELATIVE:
            return values.paired.combined(1 + bound * np.sign(values.baseline)), 0.0
        return values.paired.change, bound

    @cached_property
    def _unit(self) -> Array | float:
        """NaN for a share of a baseline of 0."""
        if self.rule.check != CHANGE_RELATIVE:
            return 1.0
        size = np.abs(self.values.baseline)
        return np.where(size == 0, np.nan, size)

    @cached_property
    def _resolution(self) -> Array:
        exact = self.values.change_resolution if self.rule.is_change else self.values.resolution
        return np.nan_to_num(exact)


@dataclasses.dataclass(frozen=True)
class Settled:
    """What evidence makes of N checks: outcomes and zones as text, and the columns of checks.parquet."""

    outcome: Words
    zone: Words
    numbers: dict[str, Array]
    """float64[N], NaN where unknown."""
    counts: dict[str, Array]
    """float64[N] of whole numbers, NaN where unknown."""


class Family:
    """All checks of a run that may be found worse, over which false alarms are held."""

    def __init__(self, gated: Sequence[Gated], correction: str, alpha: float) -> None:
        self._correction, self._alpha = correction, alpha
        members = [each for each in gated if each.evidence == WORSE]
        sizes = [int(each.is_open.sum()) for each in members]
        self.size = sum(sizes)
        p = np.concatenate([np.zeros(0), *(each.p_worse[each.is_open] for each in members)])
        self._weights = np.repeat([each.weight for each in members], sizes)
        adjusted = self._corrected(p)
        self._rejected = adjusted <= self._alpha
        parts = np.split(adjusted, np.cumsum(sizes)[:-1]) if members else []
        self._adjusted = {id(each): part for each, part in zip(members, parts, strict=True)}

    def _corrected(self, p: Array) -> Array:
        if self._correction == HOLM:
            return holm(p, self._weights)
        return benjamini_hochberg(p) if self._correction == BENJAMINI_HOCHBERG else p

    def settle(self, gated: Gated) -> Settled:
        """The outcomes of some checks."""
        is_worse = gated.evidence == WORSE
        p = gated.p_worse if is_worse else gated.p_not_worse
        adjusted = p.copy()
        if is_worse:
            adjusted[gated.is_open] = self._adjusted[id(gated)]
        zone = self._zones(gated, adjusted if is_worse else gated.p_worse)
        outcome = _outcomes(gated, zone)
        family = np.full(len(p), float(self.size) if is_worse else np.nan)
        counts = {"family_size": family, "needed_examples": self._needed(gated, zone)}
        if gated.discordant is not None:
            counts |= dict(zip(("lost", "won"), gated.discordant, strict=True))
        numbers = {
            "p_value": p,
            "p_adjusted": adjusted,
            "p_asked": self._asked(gated, zone),
            "detectable": self._detectable(gated),
            "passing": self._passing(gated, outcome, zone),
        }
        return Settled(outcome, zone, numbers, counts)

    def _zones(self, gated: Gated, p_worse: Array) -> Words:
        zone = np.full(len(p_worse), UNDECIDED, object)
        # No sample shows its value to be on the other side of the bound, whatever a test makes of it.
        is_within = gated.judged.outcome == PASS
        zone[(gated.p_not_worse <= self._alpha) & is_within] = SHOWN_NOT_WORSE
        zone[(p_worse <= self._alpha) & ~is_within] = SHOWN_WORSE
        zone[gated.is_met] = SHOWN_NOT_WORSE
        certain = gated.is_certain & (gated.judged.outcome == FAIL)
        zone[~gated.is_open | gated.is_undefined | certain] = ""
        return zone

    def _first_alpha(self, gated: Gated) -> float:
        """What the p-value of the first check to be found is held against."""
        alpha = self._alpha
        if gated.evidence != WORSE or self._correction not in (HOLM, BENJAMINI_HOCHBERG):
            return alpha
        return alpha * gated.weight / max(float(self._weights.sum()), gated.weight)

    def _last_alpha(self, gated: Gated) -> float:
        """What it is held against when all others are found that were."""
        alpha = self._alpha
        if self._correction == HOLM:
            left = float(self._weights[~self._rejected].sum())
            return alpha * gated.weight / (left + gated.weight)
        if self._correction == BENJAMINI_HOCHBERG:
            return alpha * max(int(self._rejected.sum()), 1) / max(self.size, 1)
        return alpha

    def _asked(self, gated: Gated, zone: Words) -> Array:
        """The p-values by which what is undecided beyond its bound would be shown, all others as they are."""
        alpha = self._alpha
        if self._correction == HOLM:
            alpha *= gated.weight / max(float(self._weights[~self._rejected].sum()), gated.weight)
        elif self._correction == BENJAMINI_HOCHBERG:
            alpha *= (int(self._rejected.sum()) + 1) / max(self.size, 1)
        is_beyond = (zone == UNDECIDED) & (gated.judged.outcome == FAIL)
        return np.where(is_beyond & (gated.evidence == WORSE), alpha, np.nan)

    def _detectable(self, gated: Gated) -> Array:
        reached = detectable(gated.std_error, self._first_alpha(gated))
        if not gated.rule.is_change:
            return reached
        return reached - (1 if gated.rule.side == LOWER else -1) * gated.rule.bound

    def _needed(self, gated: Gated, zone: Words) -> Array:
        """The rows by which what is undecided could be told from its bound, on whichever side it is."""
        rows = gated.values.rests_on(gated.rule.is_change).astype(float)
        needed = needed_examples(
            rows, gated.std_error, gated.distance, self._alpha, self._first_alpha(gated)
        )
        return np.where(zone == UNDECIDED, needed, np.nan)

    def _passing(self, gated: Gated, outcome: Words, zone: Words) -> Array:
        passing = np.full(len(outcome), np.nan)
        failed = np.flatnonzero((outcome == FAIL) & (zone != ""))
        if len(failed):
            is_worse = gated.evidence == WORSE
            alpha = self._last_alpha(gated) if is_worse else self._alpha
            passing[failed] = gated.passing(alpha, is_worse, failed)
        return passing


def _outcomes(gated: Gated, zone: Words) -> Words:
    """`worse` lets pass what is undecided, `not_worse` does not; what has no value fails."""
    outcome = gated.judged.outcome.copy()
    undecided = UNDECIDED if gated.evidence == WORSE else FAIL
    for name, becomes in ((SHOWN_WORSE, FAIL), (SHOWN_NOT_WORSE, PASS), (UNDECIDED, undecided)):
        outcome[zone == name] = becomes
    certain = gated.is_certain & (gated.judged.outcome == FAIL)
    outcome[gated.is_open & (gated.is_undefined | certain)] = FAIL
    return outcome
