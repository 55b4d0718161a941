# SPDX-License-Identifier: Apache-2.0
"""Probes of how predictions hang on the values of features: hostile, missing, permuted and noisy ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from benison.data.batch import Array
from benison.errors import ModelError
from benison.probes import changes
from benison.probes.base import Probe
from benison.probes.probe_findings import ProbeFinding, of_share, percent, unmeasured
from benison.probes.subject import Subject, finite

_MOSTLY = 0.8
"""A feature with so many of all flips is one on which the model hangs alone."""
_HALF = 0.5
_NOISE = (0.01, 0.03, 0.1, 0.3)
_LONGEST = 150
_SEED = 20_241_126

Draw: TypeAlias = "Callable[[int], Array]"
"""Gives so many random numbers."""


@dataclasses.dataclass(frozen=True)
class HostileValues(Probe):
    """Rows on which the model fails, or gives no finite score, where a feature has a value nobody expects."""

    rows = 25

    def calls(self, subject: Subject) -> int:
        schema = subject.rows.schema
        return sum(
            len(changes.hostile_values(schema.field(n).type)) for n in self.features(subject)
        )

    def run(self, subject: Subject) -> Iterator[ProbeFinding]:
        for feature in self.features(subject):
            yield self._of(subject, feature)

    def _of(self, subject: Subject, feature: str) -> ProbeFinding:
        rows = self.sample(subject)
        column = rows.column(feature)
        count, total, bad, errors = 0, 0, [], []
        for name, value in changes.hostile_values(column.type).items():
            total += rows.num_rows
            try:
                scores = subject.changed(rows, {feature: changes.filled(column, value)})
                failed = int((~finite(scores)).sum())
            except ModelError as error:
                failed = rows.num_rows
                errors.append(str(error))
            count += failed
            bad += [name] if failed else []
        words = f"the model gives a score whatever {feature} is ({total:,} rows)"
        if bad:
            words = (
                f"the model {'fails' if errors else 'gives no finite score'} where {feature} is "
                f"{', '.join(bad)} ({percent(count, total)} rows)"
            )
            words += f": {errors[0][:_LONGEST]}" if errors else ""
        return of_share(
            self.name, count, total, words, alpha=self.alpha, usual=0.0, feature=feature,
            detail=", ".join(bad),
        )  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Flips(Probe):
    """Rows whose decision flips where one feature is changed; numbers that move by more than `tolerance`."""

    def calls(self, subject: Subject) -> int:
        return len(self.features(subject))

    def run(self, subject: Subject) -> Iterator[ProbeFinding]:
        features = self.changing(subject, self.change)
        yield from self.of_each(features, lambda each: self._of(subject, each))

    def _of(self, subject: Subject, feature: str) -> Iterator[ProbeFinding]:
        rows = self.sample(subject)
        column = rows.column(feature)
        changed = self.change(column)
        changes.check_changes([(column, changed)])
        after = subject.changed(rows, {feature: changed})
        count, total = flips(subject, after)
        words = f"{percent(count, total)} {subject.decisions.flip} when {feature} is {self.what}"
        yield of_share(
            self.name, count, total, words, alpha=self.alpha, usual=_HALF, feature=feature
        )

    @property
    def what(self) -> str:
        """What is done to a feature, as the end of a sentence."""
        return "missing"

    def change(self, column: pa.Array) -> pa.Array:
        """The changed column."""
        return changes.emptied(column)


@dataclasses.dataclass(frozen=True)
class MissingFlips(Flips):
    """Rows whose decision flips where a feature is missing."""

    rows = 500


@dataclasses.dataclass(frozen=True)
class PermutationFlips(Flips):
    """Rows whose decision flips where a feature has the value of another row."""

    @property
    def what(self) -> str:
        return "permuted"

    def change(self, column: pa.Array) -> pa.Array:
        return changes.rolled(column)

    def run(self, subject: Subject) -> Iterator[ProbeFinding]:
        """Notable is a feature that has most of the flips of all features, where none was named."""
        of_features = [*super().run(subject)]
        total = sum(each.count or 0 for each in of_features)
        for each in of_features:
            share = (each.count or 0) / max(total, 1)
            is_alone = not self.spec.features and len(of_features) > 1 and share >= _MOSTLY
            words = (
                f"{each.words}, {100 * share:.0f} % of the flips of all features"
                if is_alone
                else each.words
            )
            yield dataclasses.replace(each, words=words, is_notable=is_alone)


@dataclasses.dataclass(frozen=True)
class NoiseFlips(Probe):
    """Rows whose decision flips where all numbers get normal noise of some standard deviations."""

    @property
    def levels(self) -> tuple[float, ...]:
        """The standard deviations of the noise, in those of each feature."""
        return _NOISE if self.spec.by is None else (self.spec.by,)

    def calls(self, subject: Subject) -> int:
        return len(self.levels)

    def run(self, subject: Subject) -> Iterator[ProbeFinding]:
        rows, generator = self.sample(subject), np.random.default_rng(_SEED)
        for level in self.levels:
            try:
                changed = noisy(rows, self.measured(subject), level, generator.standard_normal)
                count, total = flips(subject, subject.changed(rows, changed))
            except ModelError as error:
                yield unmeasured(self.name, str(error)[:_LONGEST])
                continue
            words = (
                f"{percent(count, total)} {subject.decisions.flip} under noise of {level:g} standard "
                "deviations"
            )
            yield of_share(
                self.name,
                count,
                total,
                words,
                alpha=self.alpha,
                usual=level,
                detail=f"{level:g} sd",
            )


def flips(subject: Subject, after: Array) -> tuple[int, int]:
    """How many of the first rows have another prediction, of those that have finite scores.

    Raises:
        ModelError: None has.
    """
    before = subject.before[: len(after)]
    known = finite(before) & finite(after)
    if not known.any():
        raise ModelError("the model gives no finite score")
    return int((subject.decisions.moved(before, after) & known).sum()), int(known.sum())


def noisy(
    rows: pa.RecordBatch, features: tuple[str, ...], by: float, draw: Draw
) -> Mapping[str, pa.Array]:
    """Columns whose numbers have noise of `by` of their standard deviations.

    Raises:
        ModelError: Not one number is another one.
    """

    def changed(column: pa.Array) -> pa.Array:
        reach = by * changes.spread_of(column)
        return changes.with_numbers(column, lambda known: known + reach * draw(len(known)))

    columns = {name: changed(rows.column(name)) for name in features}
    changes.check_changes((rows.column(name), column) for name, column in columns.items())
    return columns
