# SPDX-License-Identifier: Apache-2.0
"""Probes of rules that predictions must keep: monotone, invariant, directional, and the same for both groups.

Ribeiro, Wu, Guestrin and Singh, "Beyond Accuracy: Behavioral Testing of NLP Models with CheckList", 2020.
"""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benison.config.debugging_options import DOWN
from benison.data.batch import Array, Mask
from benison.data.values import innermost, is_list, undictionary, unlisted
from benison.errors import ModelError
from benison.probes import changes
from benison.probes.base import Probe
from benison.probes.deviations import spread_of
from benison.probes.probe_findings import ProbeFinding, of_share, percent
from benison.probes.subject import NO_SPREAD, Subject, finite

_STEPS = (0.25, 0.5, 1.0, 2.0)
_SWAPS = 4
_MOST_VALUES = 10
_ROUNDING = 1e-6
"""A score that moves by this share of the spread of all scores has not moved."""
_RARE = 0.01


class Broken(NamedTuple):
    """On which rows a rule does not hold.

    Attributes:
        rows: bool[N].
        known: Those of which that is known: bool[N].
        falls: By how much the prediction moves the wrong way: float64[N]; None of rules about other things.
    """

    rows: Mask
    known: Mask
    falls: Array | None = None

    @property
    def words(self) -> str:
        """The end of a sentence."""
        broken = self.rows & self.known
        text = f"on {percent(int(broken.sum()), int(self.known.sum()))} rows"
        if self.falls is None or not broken.any():
            return text
        falls = self.falls[broken]
        return f"{text}, by {falls.mean():.3g} on average and {falls.max():.3g} at most"


@dataclasses.dataclass(frozen=True)
class BrokenRule(Probe):
    """Rows on which a rule does not hold, of each feature that the rule is about."""

    rows = 500

    def run(self, subject: Subject) -> Iterator[ProbeFinding]:
        yield from self.of_each(self.features(subject), lambda each: self._of(subject, each))

    def _of(self, subject: Subject, feature: str) -> Iterator[ProbeFinding]:
        broken = self.broken(subject, feature)
        count, total = int((broken.rows & broken.known).sum()), int(broken.known.sum())
        words = f"the rule that {self.rule(feature)} is broken {broken.words}"
        yield of_share(
            self.name, count, total, words, alpha=self.alpha, usual=_RARE, feature=feature
        )

    @abstractmethod
    def rule(self, feature: str) -> str:
        """What must hold."""

    @abstractmethod
    def broken(self, subject: Subject, feature: str) -> Broken:
        """The rows on which it does not.

        Raises:
            ModelError: The model fails, or the rule cannot be about it.
        """

    def before(self, subject: Subject) -> Array:
        """The scores of the rows as they are."""
        return subject.before[: self.sample(subject).num_rows]

    def raised(
        self, subject: Subject, feature: str, steps: Sequence[float]
    ) -> tuple[list[Array], Mask]:
        """The signed scores where a number is higher by each step, and the rows where one is higher.

        A rule upwards is a rise. A number that cannot rise by a step has the score of the step before it.
        """
        rows = self.sample(subject)
        column = rows.column(feature)
        raised = [changes.raised(column, by) for by in steps]
        changes.check_changes((column, each) for each in raised)
        last = self.signed(self.before(subject))
        scores, moves = [], []
        for each in raised:
            moves.append(changes.changed_rows(column, each))
            last = np.where(moves[-1], self.signed(subject.changed(rows, {feature: each})), last)
            scores.append(last)
        return scores, np.any(moves, axis=0)

    def signed(self, scores: Array) -> Array:
        """Scores that must not fall."""
        return -scores if self.spec.direction == DOWN else scores

    def check_numbers(self, subject: Subject, feature: str) -> None:
        """Refuse what does not rise."""
        if feature not in self.measured(subject):
            raise ModelError(f"{feature} is no number, so that it does not rise")
        if subject.before.ndim > 1:
            raise ModelError("the model gives a score for each class, of which none is higher")


@dataclasses.dataclass(frozen=True)
class Monotone(BrokenRule):
    """Rows on which a higher value lowers the prediction (with `direction: down` raises it)."""

    @property
    def steps(self) -> tuple[float, ...]:
        """In standard deviations of the feature."""
        return _STEPS if self.spec.by is None else (self.spec.by,)

    def calls(self, subject: Subject) -> int:
        return len(self.steps) * len(self.spec.features)

    def rule(self, feature: str) -> str:
        verb = "raises" if self.spec.direction == DOWN else "lowers"
        return f"{feature} up never {verb} the prediction"

    def broken(self, subject: Subject, feature: str) -> Broken:
        self.check_numbers(subject, feature)
        spread = changes.spread_of(subject.rows.column(feature))
        raised, is_higher = self.raised(subject, feature, [step * spread for step in self.steps])
        scores = np.stack([self.signed(self.before(subject)), *raised])
        with np.errstate(invalid="ignore"):
            falls = -np.diff(scores, axis=0).min(axis=0)
        known = np.isfinite(scores).all(axis=0) & is_higher
        return Broken(np.asarray(falls > _step(subject)), np.asarray(known), np.asarray(falls))


@dataclasses.dataclass(frozen=True)
class Directional(BrokenRule):
    """Rows on which a value that is higher by `by` does not raise the prediction (or does not lower it)."""

    def calls(self, subject: Subject) -> int:
        return len(self.spec.features)

    def rule(self, feature: str) -> str:
        verb = "lowers" if self.spec.direction == DOWN else "raises"
        return f"{feature} up by {self.spec.by:g} {verb} the prediction"

    def broken(self, subject: Subject, feature: str) -> Broken:
        self.check_numbers(subject, feature)
        by, kind = self.spec.by or 0.0, innermost(subject.rows.schema.field(feature).type)
        if pa.types.is_integer(kind) and by != np.rint(by):
            raise ModelError(f"{feature} holds whole numbers, which do not rise by {by:g}")
        before = self.signed(self.before(subject))
        (after,), is_higher = self.raised(subject, feature, [by])
        stays = np.asarray(after - before <= _step(subject))
        return Broken(stays, np.asarray(np.isfinite(before) & np.isfinite(after) & is_higher))


@dataclasses.dataclass(frozen=True)
class Invariant(BrokenRule):
    """Rows on which another value of the feature moves the prediction at all."""

    def calls(self, subject: Subject) -> int:
        return _SWAPS * len(self.spec.features)

    def rule(self, feature: str) -> str:
        return f"{feature} never moves the prediction"

    def broken(self, subject: Subject, feature: str) -> Broken:
        rows, before = self.sample(subject), self.before(subject)
        moved, known = np.zeros(len(before), np.bool_), finite(before)
        column = rows.column(feature)
        swapped = [changes.rolled(column, by) for by in range(1, 1 + _SWAPS)]
        changes.check_changes((column, each) for each in swapped)
        for each in swapped:
            after = subject.changed(rows, {feature: each})
            apart = np.abs(after - before).reshape(len(before), -1).max(axis=1, initial=0.0)
            moved |= apart > _step(subject)
            known &= finite(after)
        return Broken(moved, known)


def _step(subject: Subject) -> float:
    """How far rounding alone may move a score."""
    spread = spread_of(subject.before)
    if not np.isfinite(spread):
        raise ModelError(NO_SPREAD)
    return _ROUNDING * spread


@dataclasses.dataclass(frozen=True)
class FeatureSwaps(Probe):
    """Rows whose decision is another one if they had another value of a feature, such as a gender."""

    def calls(self, subject: Subject) -> int:
        return sum(
            len(frequent_values(subject.rows.column(name))) for name in self.features(subject)
        )

    def run(self, subject: Subject) -> Iterator[ProbeFinding]:
        yield from self.of_each(self.features(subject), lambda each: self._of(subject, each))

    def _of(self, subject: Subject, feature: str) -> Iterator[ProbeFinding]:
        rows, before = self.sample(subject), subject.before
        flipped, known = np.zeros(len(before), np.bool_), finite(before)
        curve = []
        values = frequent_values(rows.column(feature))
        if len(values) < 2:  # noqa: PLR2004 - another one
            raise ModelError("the feature has no other value, or none")
        for value, title in zip(values, changes.names_of(pa.array(values)), strict=True):
            after = subject.changed(rows, {feature: changes.filled(rows.column(feature), value)})
            moved = subject.decisions.moved(before, after)
            flipped |= moved
            known &= finite(after)
            scored = finite(before) & finite(after)
            if scored.any():
                curve.append((title, float(moved[scored].mean())))
        if not curve:
            raise ModelError("the model gives no finite score")
        count, total = int((flipped & known).sum()), int(known.sum())
        words = f"{percent(count, total)} {subject.decisions.flip} with another {feature}"
        title, share = max(curve, key=lambda point: point[1])
        words += f", most if it is {title} ({100 * share:.3g} %)"
        yield of_share(
            self.name, count, total, words, alpha=self.alpha, usual=_RARE, feature=feature,
            curve=tuple(curve),
        )  # fmt: skip


def frequent_values(column: pa.Array, most: int = _MOST_VALUES) -> list[Any]:
    """The most frequent values of a column, in their order."""
    flat = undictionary(column)
    while is_list(flat.type):
        flat = undictionary(unlisted(flat)[0])
    counts = pc.value_counts(changes.settled(flat).drop_null()).to_pylist()
    frequent = sorted(counts, key=lambda each: (-each["counts"], str(each["values"])))
    return [each["values"] for each in frequent[:most]]
