# SPDX-License-Identifier: Apache-2.0
"""Says which gates the slices of some data are too small for, whatever the models do.

Of a share of right rows the most that so many rows can show is known: that all are right. Of a change it is
that no row tells the models apart, or, where an improvement is asked for, that one model alone is right in
every row. A gate that not even these would pass, or fail, says nothing.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from benison.config import SlicingSpec
from benison.config.fields import HOLM, NOT_WORSE, POINT
from benison.config.plain import Loc, part_at, path_of
from benison.data.batch import Array
from benison.engine.crossings import thresholds_on
from benison.engine.plan import Plan
from benison.engine.samplings import Sampling
from benison.evaluation.slice_sizes import slice_sizes
from benison.evidence.cell_errors import CellsEstimator, share_of
from benison.evidence.moment_errors import MomentsEstimator
from benison.evidence.spread import PairedShares, Share, Spread
from benison.table.words import counted
from benison.validation.rules import Rule, rules_of
from benison.validation.terms import CHANGE_ABSOLUTE, CHANGE_RELATIVE, LOWER

_MOST_ROWS = 10**9


@dataclasses.dataclass(frozen=True)
class _Gate:
    """A bound on a share of rows, with evidence, and the rows of the slices that it is on."""

    name: str
    path: str
    rule: Rule
    evidence: str
    weight: float
    sizes: Array

    @property
    def upwards(self) -> bool:
        """Whether it takes high values to show it."""
        return (self.rule.side == LOWER) == (self.evidence == NOT_WORSE)

    @property
    def rests_on_equals(self) -> bool:
        """Whether models of which no row tells one from the other are within its bound, as it asks."""
        inside = self.rule.bound < 0 if self.upwards else self.rule.bound > 0
        return self.rule.is_change and self.evidence == NOT_WORSE and inside

    def p(self, rows: Array) -> Array:
        """The p-values of the most that so many rows can show."""
        spread, bound = self._extreme(rows), self.rule.bound
        return spread.p_above(bound) if self.upwards else spread.p_below(bound)

    def _extreme(self, rows: Array) -> Spread:
        none = np.zeros_like(rows)
        if self.rests_on_equals:
            return PairedShares(none, none, rows)
        ones, zeros = (rows, none) if self.upwards else (none, rows)
        return PairedShares(ones, zeros, rows) if self.rule.is_change else Share(ones, rows)

    def needed(self, alpha: float) -> int:
        """The fewest rows that can show it; `_MOST_ROWS` for none."""
        low, high = 0, 1
        while high < _MOST_ROWS and not self.p(np.array([float(high)]))[0] <= alpha:
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            shown = self.p(np.array([float(middle)]))[0] <= alpha
            low, high = (low, middle) if shown else (middle, high)
        return high

    def sentence(self, needed: int, small: int, alone: bool) -> str:
        """What is wrong with it.

        Args:
            needed: The fewest rows that can show it.
            small: How many of its slices have fewer.
            alone: Whether no other check has a part in what it takes.
        """
        rows = f"the {needed:,} rows" if needed < _MOST_ROWS else "enough rows"
        show = f"{self.path}: {self._which(small)} {rows} that could show {self.name} to be"
        return f"{show} {self._within() if self.evidence == NOT_WORSE else self._beyond(alone)}"

    def _which(self, small: int) -> str:
        size = len(self.sizes)
        if small == size:
            return f"no slice of {size:,} has"
        return f"{small:,} of {counted(size, 'slice')} {'have' if small > 1 else 'has'} not"

    def _within(self) -> str:
        models = "where both models are right on the same rows"
        best = models if self.rests_on_equals else "however good the model is"
        return (
            f"within its bound {self.rule.bound:g}, {best}, and not_worse blesses a model where all do. Ask "
            f"it of larger slices alone (per_slice_thresholds), and evidence: worse of the others."
        )

    def _beyond(self, alone: bool) -> str:
        unless = "" if alone else " unless other checks fail too"
        return (
            f"beyond its bound {self.rule.bound:g}, however bad the model is. There it refuses nothing"
            f"{unless}."
        )


def gate_notes(plan: Plan, examples: Any, format_: str | None = None) -> list[str]:
    """A sentence for each bound with evidence that some slices of the data have too few rows for.

    Args:
        plan: What is evaluated.
        examples: As `evaluate` takes them; the columns of slices are read, to count rows.
        format_: As `evaluate` takes it.
    """

    @functools.cache
    def sizes(specs: tuple[SlicingSpec, ...]) -> Array:
        table = slice_sizes(examples, plan.config, specs, format_)
        return np.asarray(table["examples"].to_numpy(), np.float64)

    gates = list(_gates(plan, sizes))
    notes = []
    for gate in gates:
        share = _share_of_alpha(gate, gates, plan.config.options.certainty.correction)
        alpha = plan.config.alpha * share
        small = int((~(gate.p(gate.sizes) <= alpha)).sum())
        if small:
            notes.append(gate.sentence(gate.needed(alpha), small, alone=share == 1))
    return notes


def _share_of_alpha(gate: _Gate, gates: Sequence[_Gate], correction: str) -> float:
    """What a check has of alpha as long as no other fails; by Benjamini and Hochberg's all may have all."""
    if gate.evidence == NOT_WORSE or correction != HOLM:
        return 1.0
    return gate.weight / sum(g.weight * len(g.sizes) for g in gates if g.evidence != NOT_WORSE)


def _gates(plan: Plan, sizes: Callable[[tuple[SlicingSpec, ...]], Array]) -> Iterator[_Gate]:
    for each in plan.judged:
        shares = [s for s in plan.samplings if s.key in each.keys and not each.compares]
        for loc, threshold in thresholds_on(plan.config, each):
            if threshold.evidence == POINT or "cross_slice_thresholds" in loc:
                continue
            for rule in rules_of(threshold):
                if shares and all(_is_share(sampling, rule) for sampling in shares):
                    specs = _specs(plan, loc)
                    asked = rule, threshold.evidence, threshold.weight
                    yield _Gate(each.name, path_of(loc), *asked, sizes(specs))


def _is_share(sampling: Sampling, rule: Rule) -> bool:
    """Whether what is judged is a share of rows, or a change of one."""
    known = sampling.estimator
    if rule.check == CHANGE_RELATIVE or not isinstance(known, CellsEstimator | MomentsEstimator):
        return False
    if known.weighted:
        return False
    if isinstance(known, MomentsEstimator):
        return known.metric.is_share
    share = share_of(known.metric)
    return share is not None and (share.is_of_equal_rows or rule.check != CHANGE_ABSOLUTE)


def _specs(plan: Plan, loc: Loc) -> tuple[SlicingSpec, ...]:
    """The slices that a threshold is on."""
    part: Any = part_at(plan.config, loc[:-1]) if "per_slice_thresholds" in loc else plan.config
    return tuple(part.slicing_specs)
