# SPDX-License-Identifier: Apache-2.0
"""The states of a plan's statistics, over the slices seen so far."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from benison.data.batch import Extracts, Index, Inputs, Seen, Target, joined_name, missing_rows
from benison.engine.accepted import check_accepted
from benison.engine.class_numbers import agreed
from benison.engine.memory import COPIES, Budget, Used, bytes_of
from benison.engine.metric_failures import naming
from benison.engine.plan import Computation, Plan, ViewPair
from benison.engine.samplings import PART, PlotSampling, Sampling
from benison.engine.views import View
from benison.errors import ConfigError, DataError, suggestion
from benison.evidence.estimators import Evidenced
from benison.metrics.base import Value
from benison.models.classes import Classes
from benison.slicing.codes import SliceCodes
from benison.slicing.table import SliceTable
from benison.table.key import Key

Part: TypeAlias = "tuple[Inputs, SliceCodes]"
User: TypeAlias = Computation | Sampling | PlotSampling
"""What reads states."""

# Below that many slices, states are merged at once; above, ranges of slices are merged apart.
_SLICES_APART, _RANGES = 4096, 16


@dataclasses.dataclass(frozen=True)
class States:
    """A state for each slot of a plan, over S slices."""

    plan: Plan
    states: tuple[Any, ...]

    @classmethod
    def zero(cls, plan: Plan, size: int = 0) -> States:
        """Of no rows."""
        return cls(plan, tuple(statistic.zero(size) for _, statistic in plan.slots))

    def of(self, computation: Computation, index: Index | None = None) -> list[Any]:
        """The states behind a metric, for every slice or for the slices `index`."""
        if index is None:
            return [self.states[slot] for slot in computation.slots]
        return self.of_slots(computation.slots, index)

    def of_slots(self, slots: Iterable[int], index: Index) -> list[Any]:
        """The states of some slots, for the slices `index`."""
        return [self.plan.slots[slot][1].gather(self.states[slot], index) for slot in slots]

    def value(self, computation: Computation, index: Index | None = None) -> Value:
        """The metric's value for every slice, or for the slices `index`."""
        with np.errstate(all="ignore"):
            states = self.of(computation, index)
            with naming([computation.metric]):
                return computation.metric.result(*states)

    def with_batch(self, parts: Mapping[View, Part]) -> States:
        """With the rows of one batch, as each view sees them."""
        with np.errstate(all="ignore"):  # what overflows is infinite or NaN, and fails
            batch = tuple(self._added(slot, parts) for slot in range(len(self.plan.slots)))
        return self.merge(States(self.plan, batch))

    def _added(self, slot: int, parts: Mapping[View, Part]) -> Any:
        view, statistic = self.plan.slots[slot]
        users = (each.metric for each in self.plan.computations if slot in each.slots)
        with naming(users, parts[view][0], statistic.columns()):
            return statistic.add(*parts[view])

    def merge(self, other: States) -> States:
        """Of the rows of both."""
        return self._each(lambda s, a, b: s.merge(a, b), self.states, other.states)

    def scatter(self, index: Index, size: int) -> States:
        """Of `size` slices, in which slice `index[i]` is slice i."""
        return self._each(lambda s, state: s.scatter(state, index, size), self.states)

    def gather(self, index: Index) -> States:
        """Of the slices `index`."""
        return self._each(lambda s, state: s.gather(state, index), self.states)

    def gather_for(self, users: Sequence[User], index: Index) -> States:
        """Of the slices `index`, with the states behind some metrics alone."""
        slots = {slot for user in users for slot in user.slots}
        each = enumerate(zip(self.plan.slots, self.states, strict=True))
        states = (s.gather(state, index) if i in slots else None for i, ((_, s), state) in each)
        return States(self.plan, tuple(states))

    def evidenced(self, sampling: Sampling) -> dict[Key, Evidenced]:
        """Of all slices, as what states have made of themselves for the values serves here too."""
        states = [self.states[slot] for slot in sampling.slots]
        with np.errstate(all="ignore"):
            return sampling.evidenced(states, self.plan.comparison)

    def used(self) -> Used:
        """The bytes that they take, by the names of the metrics that they are of."""
        counted: set[int] = set()
        held: dict[str, int] = {}
        for slot, state in enumerate(self.states):
            plan = self.plan
            users: list[User] = [*plan.computations, *plan.samplings, *plan.pair_samplings]
            users += plan.plot_samplings
            of = [user.key.metric for user in users if slot in user.slots]
            names = {name.partition(PART)[0] for name in of}
            name = ", ".join(sorted(names))
            held[name] = held.get(name, 0) + bytes_of(state, counted)
        return Used(held)

    def _each(self, change: Callable[..., Any], *states: tuple[Any, ...]) -> States:
        slots = zip(self.plan.slots, *states, strict=True)
        with np.errstate(all="ignore"):
            return States(self.plan, tuple(change(statistic, *of) for (_, statistic), *of in slots))


class Accumulator:
    """The states of a plan's statistics over the slices seen so far, in each group of rows.

    One process owns an accumulator and adds batches to it; accumulators of several processes are
    merged in the end. They can be pickled.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.rows = 0
        self.table = SliceTable()
        self.examples: Index = np.zeros(0, np.int64)
        self.missing: dict[str, int] = {}
        self.multivalent: frozenset[str] = frozenset()
        """The features of which a row has several values, so that it may be in several slices of them."""
        self.label_classes: dict[Target, Classes] = {}
        """The classes in which labels that were text are positions."""
        self._dropped: dict[ViewPair, Index] = {}
        self._groups = [States.zero(plan)] * plan.resampling.groups
        self._budget = Budget(plan.config.options)

    def share(self, accumulators: int) -> None:
        """Take no more than this part of the memory that there is."""
        self._budget.share(accumulators)

    def add(self, extracts: Extracts) -> None:
        """Take in one batch."""
        if not self.rows:
            _check_targets(self.plan, extracts)
        codes = self.table.number(extracts["slice_codes"])
        self._grow(codes.size)
        self.rows += extracts["features"].num_rows
        self.examples = self.examples + codes.count()
        self.multivalent = self.multivalent.union(*(s.multivalent for s in extracts["slice_codes"]))
        self.label_classes = agreed(self.label_classes, extracts.get("label_classes", {}))
        self._count_missing(extracts)
        seen = {view: view.seen(extracts) for view in self.plan.views()}
        for view, metrics in self.plan.consumers.items():
            if not self.rows - extracts["features"].num_rows:
                check_accepted(self.plan.config, view, seen[view].inputs, metrics)
        self._count_dropped(seen, codes, extracts["features"].num_rows)
        groups = self._parts(seen, codes, _row_numbers(extracts))
        for i, parts in enumerate(groups):
            self._groups[i] = self._groups[i].with_batch(parts)
        taken = int(codes.count().sum()) * len(self.plan.slots) * self.plan.resampling.draws
        if self._budget.is_due(taken):
            self._keep_within_budget()

    def _keep_within_budget(self) -> None:
        """Add up what waits if memory is short, and refuse what is too much all the same."""
        if not self._budget.allows(self._used()):
            self.compact()
            self._budget.check(self._used(), self.rows, len(self.examples))

    def check_budget(self, total: States) -> None:
        """Refuse values that need more memory than there is: `total` is the state of all rows.

        Raises:
            DataError: With the bytes, and the metrics that take most of them.
        """
        replicates = self.plan.resampling.copies * total.used().total
        used = self._used()
        used = dataclasses.replace(used, spare=max(used.spare, replicates))
        self._budget.check(used, self.rows, len(self.examples))

    def _used(self) -> Used:
        """What the states take, of which those of one group are merged at a time."""
        each = [states.used() for states in self._groups]
        return Used.joined(each, COPIES * max(used.total for used in each))

    def _parts(
        self, seen: Mapping[View, Seen], codes: SliceCodes, numbers: npt.NDArray[np.uint64] | None
    ) -> Iterator[dict[View, Part]]:
        """What each view sees of the rows of each group, with their slices."""
        origins: dict[bytes, tuple[SliceCodes, list[Index | None]]] = {}
        parts: dict[View, tuple[Inputs, SliceCodes, list[Index | None]]] = {}
        for view, each in seen.items():
            name = b"" if each.origin is None else each.origin.tobytes() or b"none"
            if name not in origins:
                own = codes if each.origin is None else codes.take(each.origin)
                of = numbers if numbers is None or each.origin is None else numbers[each.origin]
                origins[name] = own, list(self.plan.resampling.rows(of))
            parts[view] = each.inputs, *origins[name]
        for group in range(self.plan.resampling.groups):
            yield {view: _picked(*part, group) for view, part in parts.items()}

    def _count_dropped(self, seen: Mapping[View, Seen], codes: SliceCodes, rows: int) -> None:
        """Count the rows of each slice that enter no value of a view, or no change of it."""
        for pair in self.plan.view_pairs:
            parts = [seen[view].evaluated for view in pair if view is not None]
            kept = [part for part in parts if part is not None]
            if not kept:
                continue
            dropped = np.ones(rows, np.bool_)
            dropped[_common(kept)] = False
            counts = codes.take(np.flatnonzero(dropped)).count()
            known = self._dropped.get(pair)
            if known is not None:
                counts = counts + np.pad(known, (0, len(counts) - len(known)))
            self._dropped[pair] = counts

    def merge(self, other: Accumulator) -> None:
        """Take in all that another accumulator of the same plan has taken in."""
        self.table, index = self.table.union(other.table)
        size = len(self.table)
        self._grow(size)
        self.rows += other.rows
        self.multivalent = self.multivalent | other.multivalent
        self.label_classes = agreed(self.label_classes, other.label_classes)
        np.add.at(self.examples, index, other.examples)
        self._add_missing(other.missing)
        for pair, counts in other._dropped.items():
            known = self._dropped.get(pair, np.zeros(0, np.int64))
            total = np.pad(known, (0, size - len(known)))
            np.add.at(total, index[: len(counts)], counts)
            self._dropped[pair] = total
        pairs = zip(self._groups, other._groups, strict=True)
        self._groups = [mine.merge(others.scatter(index, size)) for mine, others in pairs]
        self._keep_within_budget()

    def split(self) -> list[Accumulator]:
        """In ranges of slices, by a hash of their keys; alone while there are few. Merged they are equal."""
        if len(self.table) < _SLICES_APART:
            return [self]
        ranges = self.table.hashes() % np.uint64(_RANGES)
        return [self._of(np.flatnonzero(ranges == i), is_first=i == 0) for i in range(_RANGES)]

    def _of(self, index: Index, is_first: bool) -> Accumulator:
        """Of the slices `index`; what is not of slices is with the first."""
        part = Accumulator(self.plan)
        part.table, part.examples = self.table.take(index), self.examples[index]
        part.multivalent, part.label_classes = self.multivalent, self.label_classes
        part.rows, part.missing = (self.rows, dict(self.missing)) if is_first else (0, {})
        size = len(self.table)
        for pair, counts in self._dropped.items():
            part._dropped[pair] = np.pad(counts, (0, size - len(counts)))[index]
        part._groups = [states.gather(index) for states in self._groups]
        return part

    def evaluated(self, view: View, base: View | None = None) -> Index:
        """The rows of each slice that enter the values of a view, or their change: int64[S]."""
        dropped = self._dropped.get((view, base), np.zeros(0, np.int64))
        return self.examples - np.pad(dropped, (0, len(self.examples) - len(dropped)))

    def total(self) -> States:
        """The states of all rows."""
        self.compact()
        return self.plan.resampling.total(self._groups)

    def replicates(self) -> Iterator[States]:
        """The states of resampled data, one for each resampled data set."""
        self.compact()
        return self.plan.resampling.replicates(self._groups)

    def compact(self) -> None:
        """Add up what waits in each group's states, so that later merges do not repeat it."""
        everything = np.arange(len(self.table))
        for i, states in enumerate(self._groups):  # so that there are never two of all groups
            self._groups[i] = states.gather(everything)

    def _grow(self, size: int) -> None:
        known = len(self.examples)
        if size == known:
            return
        index = np.arange(known)
        self.examples = np.pad(self.examples, (0, size - known))
        self._groups = [states.scatter(index, size) for states in self._groups]

    def _count_missing(self, extracts: Extracts) -> None:
        counts = {
            joined_name(role, *target): int(missing_rows(values).sum())
            for role in ("labels", "predictions")
            for target, values in extracts.get(role, {}).items()  # type: ignore[attr-defined]
        }
        for view in self.plan.views():
            counts |= view.missing_by_name(extracts)
        self._add_missing(counts)

    def _add_missing(self, counts: Mapping[str, int]) -> None:
        for key, count in counts.items():
            self.missing[key] = self.missing.get(key, 0) + count


def _picked(
    inputs: Inputs, codes: SliceCodes, groups: list[Index | None], group: int
) -> tuple[Inputs, SliceCodes]:
    rows = groups[group]
    return (inputs, codes) if rows is None else (inputs.take(rows), codes.take(rows))


def _common(rows: list[Index]) -> Index:
    """The rows that are in all of the lists."""
    return rows[0] if len(rows) == 1 else np.intersect1d(rows[0], rows[1], assume_unique=True)


def _check_targets(plan: Plan, extracts: Extracts) -> None:
    """Refuse predictions that nothing looks at: an extractor that wrote them expects them evaluated."""
    known = {(model, output) for model, outputs in plan.outputs.items() for output in outputs}
    names = [spec.name for spec in plan.config.model_specs]
    for model, output in extracts.get("predictions", {}):
        if (model, output) not in known:
            what = f"the output {output!r} of model {model!r}" if output else f"the model {model!r}"
            raise ConfigError(
                f"An extractor wrote predictions of {what}, which the config does not have. Add it to "
                f"model_specs. {suggestion(model, names)}"
            )


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


def check_rows(accumulator: Accumulator) -> None:
    """Refuse an evaluation that would rest on nothing."""
    if not accumulator.rows:
        raise DataError("The evaluation data hold no rows, so nothing can be evaluated.")
    for what, count in accumulator.missing.items():
        if count == accumulator.rows:
            role, _, of = what.partition("/")
            raise DataError(
                f"All {count:,} {role}{f' of {of}' if of else ''} are missing (null or NaN). In CSV "
                "files words such as NA are missing too. Check that the column or the model output named in "
                "model_specs is the right one."
            )
