# SPDX-License-Identifier: Apache-2.0
"""The accumulator: the states of a plan's statistics, over the slices found so far."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from benison.data.batch import Extracts, Inputs
from benison.engine.plan import Computation, Plan
from benison.engine.views import View
from benison.errors import DataError
from benison.metrics.base import Index, Value
from benison.slicing.codes import SliceCodes
from benison.slicing.table import SliceTable


@dataclasses.dataclass(frozen=True)
class States:
    """A state for each slot of a plan, over S slices."""

    plan: Plan
    states: tuple[Any, ...]

    @classmethod
    def zero(cls, plan: Plan, size: int = 0) -> States:
        """Of no rows."""
        return cls(plan, tuple(statistic.zero(size) for _, statistic in plan.slots))

    def value(self, computation: Computation, index: Index | None = None) -> Value:
        """The metric's value for every slice, or for the slices `index`."""
        statistics = computation.metric.statistics()
        slots = [self.plan.slots.index((computation.view, one)) for one in statistics]
        states = [self.states[slot] for slot in slots]
        if index is not None:
            states = [s.take(state, index) for s, state in zip(statistics, states, strict=True)]
        with np.errstate(all="ignore"):
            return computation.metric.result(*states)

    def with_batch(self, inputs: Mapping[View, Inputs], codes: SliceCodes) -> States:
        """With the rows of one batch."""
        batch = (statistic.add(inputs[view], codes) for view, statistic in self.plan.slots)
        return self.merge(States(self.plan, tuple(batch)))

    def merge(self, other: States) -> States:
        """Of the rows of both."""
        return self._each(lambda s, a, b: s.merge(a, b), self.states, other.states)

    def place(self, index: Index, size: int) -> States:
        """Of `size` slices, in which slice `index[i]` is slice i."""
        return self._each(lambda s, state: s.place(state, index, size), self.states)

    def take(self, index: Index) -> States:
        """Of the slices `index`."""
        return self._each(lambda s, state: s.take(state, index), self.states)

    def _each(self, change: Callable[..., Any], *states: tuple[Any, ...]) -> States:
        slots = zip(self.plan.slots, *states, strict=True)
        return States(self.plan, tuple(change(statistic, *of) for (_, statistic), *of in slots))


class Accumulator:
    """The states of a plan's statistics over the slices found so far, in each group of rows.

    One process owns an accumulator and adds batches to it; accumulators of several processes are
    merged in the end. They can be pickled.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.rows = 0
        self.table = SliceTable()
        self.examples: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self.missing: dict[str, int] = {}
        self._groups = [States.zero(plan)] * plan.resampling.groups

    def add(self, extracts: Extracts) -> None:
        """Take in one batch."""
        codes = self.table.number(extracts["slice_codes"])
        self._grow(codes.size)
        self.rows += extracts["features"].num_rows
        self.examples = self.examples + codes.count()
        self._count_missing(extracts)
        inputs = {view: view.inputs(extracts) for view in self.plan.views()}
        for i, rows in enumerate(self.plan.resampling.rows(_row_numbers(extracts))):
            if rows is None:
                self._groups[i] = self._groups[i].with_batch(inputs, codes)
            else:
                of_group = {view: of.take(rows) for view, of in inputs.items()}
                self._groups[i] = self._groups[i].with_batch(of_group, codes.take(rows))

    def merge(self, other: Accumulator) -> None:
        """Take in all that another accumulator of the same plan has taken in."""
        self.table, index = self.table.union(other.table)
        size = len(self.table)
        self._grow(size)
        self.rows += other.rows
        np.add.at(self.examples, index, other.examples)
        for key, count in other.missing.items():
            self.missing[key] = self.missing.get(key, 0) + count
        pairs = zip(self._groups, other._groups, strict=True)
        self._groups = [mine.merge(others.place(index, size)) for mine, others in pairs]

    def total(self) -> States:
        """The states of all rows."""
        return self.plan.resampling.total(self._settled())

    def replicates(self) -> Iterator[States]:
        """The states that another sample of rows might have had."""
        return self.plan.resampling.replicates(self._settled())

    def _settled(self) -> list[States]:
        """The groups' states, added up, which merging would do again and again."""
        everything = np.arange(len(self.table))
        self._groups = [states.take(everything) for states in self._groups]
        return self._groups

    def _grow(self, size: int) -> None:
        known = len(self.examples)
        if size == known:
            return
        index = np.arange(known)
        self.examples = np.pad(self.examples, (0, size - known))
        self._groups = [states.place(index, size) for states in self._groups]

    def _count_missing(self, extracts: Extracts) -> None:
        for role in ("labels", "predictions"):
            for (model, output), values in extracts.get(role, {}).items():  # type: ignore[attr-defined]
                key = "/".join(filter(None, (role, model, output)))
                self.missing[key] = self.missing.get(key, 0) + int(_missing_rows(values).sum())


def _row_numbers(extracts: Extracts) -> npt.NDArray[np.uint64] | None:
    if "row_numbers" not in extracts:
        return None
    numbers = np.asarray(extracts["row_numbers"].to_numpy(), np.uint64)
    rows = extracts["features"].num_rows
    if len(numbers) != rows:
        raise DataError(
            f"A batch has {rows:,} rows and {len(numbers):,} numbers of rows, which confidence intervals "
            f"need. An extractor that drops rows must drop theirs in `row_numbers` too."
        )
    return numbers


def _missing_rows(values: Any) -> npt.NDArray[np.bool_]:
    missing: npt.NDArray[np.bool_] = np.isnan(values)
    return missing if missing.ndim == 1 else np.asarray(missing.any(axis=1))


def check_rows(accumulator: Accumulator) -> None:
    """Refuse an evaluation that would rest on nothing."""
    if not accumulator.rows:
        raise DataError("The evaluation data hold no rows, so nothing can be evaluated.")
    for what, count in accumulator.missing.items():
        if count == accumulator.rows:
            role, _, of = what.partition("/")
            raise DataError(
                f"All {count:,} {role}{f' of {of}' if of else ''} are missing (null or NaN). Check "
                f"that the column or the model output named in model_specs is the right one."
            )
