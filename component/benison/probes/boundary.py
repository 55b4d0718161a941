# SPDX-License-Identifier: Apache-2.0
"""Probes of how near rows are to another decision: by bisection, and by random changes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from benison.data.batch import Array, Index, Mask
from benison.data.values import is_list, unlisted
from benison.errors import ModelError
from benison.probes import changes
from benison.probes.base import Probe
from benison.probes.probe_findings import ProbeFinding, of_share, percent, unmeasured
from benison.probes.sensitivity import noisy
from benison.probes.subject import Subject, finite

_NEAR = 0.1
_WAYS, _HALVINGS = 10, 12
_TRIES, _REACH = 20, 0.25
_SEED = 20_241_126
_HALF = 0.5


@dataclasses.dataclass(frozen=True)
class BoundaryDistance(Probe):
    """Rows nearer than `by` standard deviations to the boundary, on the way to rows of another decision.

    The way to each of ten rows is halved until the boundary is enclosed to 1/4096 of it; of the ten distances
    the least is that of the row: no less than that of the nearest point of the boundary.
    """

    rows = 200

    def calls(self, subject: Subject) -> int:
        return _WAYS * (1 + _HALVINGS)

    def run(self, subject: Subject) -> Iterator[ProbeFinding]:
        if not subject.decisions.are_classes:
            yield unmeasured(self.name, "predictions are numbers, between which is no boundary")
            return
        distances = self.distances(subject)
        near = _NEAR if self.spec.by is None else self.spec.by
        count, total = int((distances < near).sum()), len(distances)
        words = (
            f"{percent(count, total)} rows are within {near:g} standard deviations of another decision, "
            f"half within {np.median(distances):.3g}"
        )
        shares = (0.1, 0.25, 0.5, 0.75, 0.9)
        ends = np.quantile(distances, shares, method="inverted_cdf")
        curve = tuple((f"{share:.0%}", float(end)) for share, end in zip(shares, ends, strict=True))
        yield of_share(
            self.name, count, total, words, alpha=self.alpha, usual=_HALF, curve=curve
        )  # fmt: skip

    def distances(self, subject: Subject) -> Array:
        """To another decision, in standard deviations, infinite if there is none: float64[M].

        Of the first rows that have a score, and all along one of the ways.
        """
        numbers = _Numbers(subject, self.measured(subject), self.sample(subject).num_rows)
        generator = np.random.default_rng(_SEED)
        least = np.full(numbers.count, np.nan)
        for _ in range(_WAYS):
            ends = numbers.partners(generator)
            least = np.fmin(least, numbers.distance(ends))
        measured: Array = least[~np.isnan(least)]
        if not len(measured):
            raise ModelError("no row has a score all along a way to another one")
        return measured


class _Numbers:
    """The numbers of rows in standard deviations, along which the model is called."""

    def __init__(self, subject: Subject, features: tuple[str, ...], count: int) -> None:
        self._subject, self._features, self.count = subject, features, count
        columns = [subject.rows.column(name) for name in features]
        spreads = [changes.spread_of(column) for column in columns]
        if not any(spreads):
            raise ModelError("no feature is a number that differs between rows")
        if any(is_list(c.type) and (unlisted(c)[1] != 1).any() for c in columns):
            raise ModelError("a feature has no value or several in a row, between which is no way")
        self._scales = np.array([spread or 1.0 for spread in spreads]).reshape(-1, 1)
        self._points = np.stack([changes.numbers(column) for column in columns]) / self._scales
        self._classes = subject.decisions.classes(subject.before)
        self._known = finite(subject.before)
        if len(np.unique(self._classes[self._known])) <= 1:
            raise ModelError("all rows have the same decision, so that there is no way to another")

    def partners(self, generator: np.random.Generator) -> Index:
        """A row of another decision for each; itself where there is none."""
        own = self._classes[: self.count]
        chosen = np.arange(self.count)
        for decision in np.unique(own):
            others = np.flatnonzero((self._classes != decision) & self._known)
            rows = np.flatnonzero(own == decision)
            if len(others):
                chosen[rows] = generator.choice(others, len(rows))
        return chosen

    def distance(self, ends: Index) -> Array:
        """How far from each row the decision changes on the way to its end: float64[N], NaN where unknown."""
        start, way = self._points[:, : self.count], self._points[:, ends]
        way = np.where(np.isfinite(way - start), way - start, 0.0)
        low, high = np.zeros(self.count), np.ones(self.count)
        is_there, known = self._flips(start + way)
        known = known & self._known[: self.count]
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            flips, scored = self._flips(start + middle * way)
            known &= scored
            low, high = np.where(flips, low, middle), np.where(flips, middle, high)
        distances = np.where(is_there, high * np.sqrt((way**2).sum(axis=0)), np.inf)
        return np.where(known, distances, np.nan)

    def _flips(self, points: Array) -> tuple[Mask, Mask]:
        """Where the decision is another one, and where there is a score: bool[N] each."""
        rows = self._subject.first(self.count)
        values = points * self._scales
        columns = {
            name: changes.with_numbers(rows.column(name), lambda known, i=i: values[i])  # type: ignore[misc]
            for i, name in enumerate(self._features)
        }
        after = self._subject.changed(rows, columns)
        own = self._classes[: self.count]
        return np.asarray(self._subject.decisions.classes(after) != own), finite(after)


@dataclasses.dataclass(frozen=True)
class RandomAttack(Probe):
    """Rows of which one of twenty random changes, each number by up to `by` standard deviations, flips."""

    rows = 200

    def calls(self, subject: Subject) -> int:
        return _TRIES

    def run(self, subject: Subject) -> Iterator[ProbeFinding]:
        rows, generator = self.sample(subject), np.random.default_rng(_SEED)
        reach = _REACH if self.spec.by is None else self.spec.by
        before = subject.before[: rows.num_rows]
        flipped, known = np.zeros((2, len(before)), np.bool_)

        def draw(count: int) -> Array:
            return generator.uniform(-1, 1, count)

        for _ in range(_TRIES):
            changed = noisy(rows, self.measured(subject), reach, draw)
            after = subject.changed(rows, changed)
            flips = subject.decisions.moved(before, after)
            scored = finite(before) & finite(after)
            flipped, known = flipped | (flips & scored), known | scored
        count, total = int((flipped & known).sum()), int(known.sum())
        words = (
            f"{percent(count, total)} {subject.decisions.flip} under one of {_TRIES} random changes of up to "
            f"{reach:g} standard deviations"
        )
        yield of_share(self.name, count, total, words, alpha=self.alpha, usual=_HALF)
