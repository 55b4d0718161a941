# SPDX-License-Identifier: Apache-2.0
"""This file is the accumulator: the states of a plan's statistics, over the slices found so far."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from benison.engine.plan import Computation, Plan, View
from benison.errors import DataError
from benison.extracts import Extracts
from benison.metrics.base import Value
from benison.slicing import SliceTable


class Accumulator:
    """The states of a plan's statistics over the slices found so far.

    One process owns an accumulator and adds batches to it; accumulators of several processes are
    merged in the end. They can be pickled.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.rows = 0
        self.table = SliceTable()
        self.examples: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self.missing: dict[str, int] = {}
        self._states: list[Any] = [statistic.zero(0) for _, statistic in plan.slots]

    def add(self, extracts: Extracts) -> None:
        """Take in one batch."""
        codes = self.table.number(extracts["slice_codes"])
        self._grow(codes.size)
        self.rows += extracts["features"].num_rows
        self.examples = self.examples + codes.count()
        self._count_missing(extracts)
        inputs = {view: view.inputs(extracts) for view in self.plan.views()}
        for i, (view, statistic) in enumerate(self.plan.slots):
            batch = statistic.add(inputs[view], codes)
            self._states[i] = statistic.merge(self._states[i], batch)

    def merge(self, other: Accumulator) -> None:
        """Take in all that another accumulator of the same plan has taken in."""
        self.table, index = self.table.union(other.table)
        size = len(self.table)
        self._grow(size)
        self.rows += other.rows
        np.add.at(self.examples, index, other.examples)
        for key, count in other.missing.items():
            self.missing[key] = self.missing.get(key, 0) + count
        for i, (_, statistic) in enumerate(self.plan.slots):
            placed = statistic.place(other._states[i], index, size)
            self._states[i] = statistic.merge(self._states[i], placed)

    def state(self, view: View, statistic: Any) -> Any:
        """The state of one statistic over all slices."""
        return self._states[self.plan.slots.index((view, statistic))]

    def value(self, computation: Computation, index: npt.NDArray[np.int64] | None = None) -> Value:
        """The metric's value for every slice, or for the slices `index`."""
        statistics = computation.metric.statistics()
        states = [self.state(computation.view, statistic) for statistic in statistics]
        if index is not None:
            states = [s.take(state, index) for s, state in zip(statistics, states, strict=True)]
        with np.errstate(all="ignore"):
            return computation.metric.result(*states)

    def _grow(self, size: int) -> None:
        known = len(self.examples)
        if size == known:
            return
        index = np.arange(known)
        self.examples = np.pad(self.examples, (0, size - known))
        statistics = (statistic for _, statistic in self.plan.slots)
        self._states = [
            s.place(state, index, size) for s, state in zip(statistics, self._states, strict=True)
        ]

    def _count_missing(self, extracts: Extracts) -> None:
        for role in ("labels", "predictions"):
            for (model, output), values in extracts.get(role, {}).items():  # type: ignore[attr-defined]
                key = "/".join(filter(None, (role, model, output)))
                self.missing[key] = self.missing.get(key, 0) + int(_missing_rows(values).sum())


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
