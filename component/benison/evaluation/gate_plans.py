# SPDX-License-Identifier: Apache-2.0
"""Says which gates the slices of some data are too small for, whatever the models do.

Of a share of right rows the most that so many rows can show is known: that all are right, or for a change
that no row tells the models apart. A gate that not even these would pass, or fail, says nothing.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benison.config import SlicingSpec
from benison.config.fields import NO_CORRECTION, NOT_WORSE, POINT
from benison.config.plain import Loc, path_of
from benison.data.batch import Array
from benison.engine.plan import Plan
from benison.engine.samplings import Sampling
from benison.evaluation.check_evidence import part_at, thresholds_on
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
    sizes: Array

    def p(self, rows: Array) -> Array:
        """The p-values of the most that so many rows can show."""
        spread = self._extreme(rows)
        upwards = (self.rule.side == LOWER) == (self.evidence == NOT_WORSE)
        return spread.p_above(self.rule.bound) if upwards else spread.p_below(self.rule.bound)

    def _extreme(self, rows: Array) -> Spread:
        none, upwards = (
            np.zeros_like(rows),
            (self.rule.side == LOWER) == (self.evidence == NOT_WORSE),
        )
        if not self.rule.is_change:
            return Share(rows if upwards else none, rows)
        if self.evidence == NOT_WORSE:
            return PairedShares(none, none, rows)
        return PairedShares(rows if upwards else none, none if upwards else rows, rows)

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

    def sentence(self, needed: int, small: int) -> str:
        """What is wrong with it."""
        slices = counted(len(self.sizes), "slice")
        which = (
            f"no slice of {len(self.sizes):,} has"
            if small == len(self.sizes)
            else (f"{small:,} of {slices} {'have' if small > 1 else 'has'} not")
        )
        rows = f"the {needed:,} rows" if needed < _MOST_ROWS else "enough rows"
        if self.evidence != NOT_WORSE:
            return (
                f"{self.path}: {which} {rows} that could show {self.name} to be beyond its bound "
                f"{self.rule.bound:g}, however bad the model is. There it refuses nothing."
            )
        best = (
            "where both models are right on the same rows"
            if self.rule.is_change
            else "however good it is"
        )
        return (
            f"{self.path}: {which} {rows} that could show {self.name} to be within its bound "
            f"{self.rule.bound:g}, {best}, and not_worse blesses a model where all do. Ask it of larger "
            "slices alone (per_slice_thresholds), and evidence: worse of the others."
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
    family = sum(len(gate.sizes) for gate in gates if gate.evidence != NOT_WORSE)
    is_corrected = plan.config.options.certainty.correction != NO_CORRECTION
    notes = []
    for gate in gates:
        shared = gate.evidence != NOT_WORSE and is_corrected
        alpha = plan.config.alpha / (family if shared else 1)
        small = int((~(gate.p(gate.sizes) <= alpha)).sum())
        if small:
            notes.append(gate.sentence(gate.needed(alpha), small))
    return notes


def _gates(plan: Plan, sizes: Callable[[tuple[SlicingSpec, ...]], Array]) -> Iterator[_Gate]:
    for each in plan.judged:
        shares = [s for s in plan.samplings if s.key in each.keys and not each.compares]
        for loc, threshold in thresholds_on(plan, each):
            if threshold.evidence == POINT or "cross_slice_thresholds" in loc:
                continue
            for rule in rules_of(threshold):
                if shares and all(_is_share(sampling, rule) for sampling in shares):
                    specs = _specs(plan, loc)
                    yield _Gate(each.name, path_of(loc), rule, threshold.evidence, sizes(specs))


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
