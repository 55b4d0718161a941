# SPDX-License-Identifier: Apache-2.0
"""Probes of what predictions and metrics owe to each feature: partial dependence, permutation importance."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from benison.data.batch import Array
from benison.data.values import innermost, is_measured
from benison.errors import ModelError, suggestion
from benison.evidence.tails import student_quantile
from benison.probes import changes
from benison.probes.base import Probe
from benison.probes.metamorphic import frequent_values
from benison.probes.probe_findings import ProbeFinding, unmeasured
from benison.probes.subject import ScoredMetric, Subject, finite

_POINTS = 20
_ROUNDS = 5
_LINES = 20


@dataclasses.dataclass(frozen=True)
class PartialDependence(Probe):
    """By how much the mean prediction changes over the values of a feature, all else as it is.

    Friedman, "Greedy function approximation: a gradient boosting machine", The Annals of Statistics 29, 2001.
    Of several classes the one whose mean score changes most. How rows differ in it (Goldstein and others,
    "Peeking inside the black box", 2015) is the standard deviation of their own changes; the curves of the
    first twenty are drawn beside the mean.
    """

    rows = 500

    def calls(self, subject: Subject) -> int:
        return sum(len(self.grid(subject, name)) for name in self.features(subject))

    def grid(self, subject: Subject, feature: str) -> list[Any]:
        """The values that are set: quantiles of numbers, the most frequent of others."""
        column = subject.rows.column(feature)
        if not is_measured(column.type):
            return frequent_values(column, _POINTS)
        if not changes.is_changeable(column.type):
            raise ModelError(f"{feature!r} holds {column.type}, in which no value is set")
        known = changes.numbers(column)
        known = known[np.isfinite(known)]
        if not len(known):
            return []
        points = np.quantile(known, np.linspace(0, 1, _POINTS), method="inverted_cdf")
        return [float(point) for point in np.unique(points)]

    def run(self, subject: Subject) -> Iterator[ProbeFinding]:
        yield from self.of_each(self.features(subject), lambda each: self._of(subject, each))

    def _of(self, subject: Subject, feature: str) -> Iterator[ProbeFinding]:
        grid = self.grid(subject, feature)
        if len(grid) > 1:
            scores = np.stack([self._at(subject, feature, value) for value in grid])
            yield self._finding(feature, grid, scores)
        elif self.spec.features:
            raise ModelError("the feature has one value in all rows, or none")

    def _at(self, subject: Subject, feature: str, value: Any) -> Array:
        rows = self.sample(subject)
        column = rows.column(feature)
        if isinstance(value, float):
            whole = pa.types.is_integer(innermost(column.type))
            value = int(value) if whole else value
        scores = subject.changed(rows, {feature: changes.filled(column, value)})
        if not finite(scores).any():
            raise ModelError(f"the model gives no finite score where {feature} is {value}")
        return np.where(finite(scores).reshape(-1, *[1] * (scores.ndim - 1)), scores, np.nan)

    def _finding(self, feature: str, grid: list[Any], scores: Array) -> ProbeFinding:
        """Of scores [points, N] or [points, N, C]."""
        with np.errstate(all="ignore"):
            means = np.nanmean(scores, axis=1).reshape(len(grid), -1)
        ranges = means.max(axis=0) - means.min(axis=0)
        best = int(np.nanargmax(np.where(np.isnan(ranges), -1, ranges)))
        mean = means[:, best]
        own = scores.reshape(len(grid), scores.shape[1], -1)[:, :, best]
        apart = own[mean.argmax()] - own[mean.argmin()]
        apart = apart[np.isfinite(apart)]
        names = _names(grid)
        of_class = f" of class {best}" if scores.ndim > 2 else ""  # noqa: PLR2004 - points, rows, classes
        words = (
            f"the mean prediction{of_class} goes from {mean.min():.4g} ({feature} = {names[mean.argmin()]}) "
            f"to {mean.max():.4g} ({names[mean.argmax()]})"
        )
        if len(apart):
            words += f"; that of single rows by {apart.std():.3g} more or less"
        curve = tuple(zip(names, map(float, mean), strict=True))
        return ProbeFinding(
            self.name,
            words,
            feature,
            of_class.removeprefix(" of "),
            float(ranges[best]),
            rows=scores.shape[1],
            curve=curve,
            lines=tuple(map(tuple, own.T[:_LINES].tolist())),
            scale=float(np.abs(mean).max()),
        )


def _names(grid: list[Any]) -> list[str]:
    """What the points are called."""
    if isinstance(grid[0], float):
        return [f"{point:.6g}" for point in grid]
    return changes.names_of(pa.array(grid))


@dataclasses.dataclass(frozen=True)
class PermutationImportance(Probe):
    """By how much worse each metric of the config is where a feature is permuted, the mean of five rounds.

    Above 0 the model needs the feature: a metric of which lower values are better rises, any other falls.

    Breiman, "Random Forests", Machine Learning 45, 2001.
    """

    def calls(self, subject: Subject) -> int:
        return _ROUNDS * len(self.features(subject))

    def run(self, subject: Subject) -> Iterator[ProbeFinding]:
        before = self._before(subject)
        yield from self.of_each(
            self.changing(subject), lambda each: self._of_all(subject, each, before)
        )

    def _of_all(
        self, subject: Subject, feature: str, before: Mapping[str, ScoredMetric]
    ) -> Iterator[ProbeFinding]:
        rounds = self._rounds(subject, feature)
        for metric, measured in before.items():
            yield self._of(feature, metric, measured, rounds, subject.rows.num_rows)

    def _before(self, subject: Subject) -> dict[str, ScoredMetric]:
        """The metrics that are asked for, on the rows as they are.

        Raises:
            ModelError: There are none.
            DataError: They cannot be computed.
        """
        if subject.measure is None:
            raise ModelError("no metric could be computed from the rows")
        defined = subject.measure(subject.before)
        asked = {k: value for k, value in defined.items() if self.spec.metric in ("", k)}
        if not asked and not self.spec.metric:
            raise ModelError("no metric that looks at predictions is defined on the rows")
        if not asked:
            hint = suggestion(self.spec.metric, defined)
            raise ModelError(
                f"no metric {self.spec.metric!r} that looks at predictions is defined on the rows. {hint}"
            )
        return asked

    def _rounds(self, subject: Subject, feature: str) -> list[Mapping[str, ScoredMetric]]:
        """The metrics after each permutation."""
        assert subject.measure is not None
        column = subject.rows.column(feature)
        permuted = [changes.rolled(column, by) for by in range(1, 1 + _ROUNDS)]
        changes.check_changes((column, each) for each in permuted)
        return [
            subject.measure(subject.changed(subject.rows, {feature: each})) for each in permuted
        ]

    def _of(
        self,
        feature: str,
        metric: str,
        before: ScoredMetric,
        rounds: list[Mapping[str, ScoredMetric]],
        rows: int,
    ) -> ProbeFinding:
        if not all(metric in each for each in rounds):
            why = f"{metric} is not defined on the permuted rows"
            return unmeasured(self.name, why, feature)
        after = np.array([each[metric].value for each in rounds])
        return self._finding(feature, metric, before, after, rows)

    def _finding(
        self, feature: str, metric: str, before: ScoredMetric, after: Array, rows: int
    ) -> ProbeFinding:
        sign = -1 if before.higher_is_better is False else 1
        changed = sign * (before.value - after)
        mean = float(changed.mean())
        t = float(student_quantile(self.alpha / 2, np.array([len(changed) - 1.0]))[0])
        reach = t * float(changed.std(ddof=1)) / math.sqrt(len(changed))
        moved = f"{'falls' if sign * mean > 0 else 'rises'} by {abs(mean):.3g}" if mean else "stays"
        words = f"{metric}, {before.value:.4g}, {moved} where {feature} is permuted"
        return ProbeFinding(
            self.name, words, feature, metric, mean, rows=rows, lower=mean - reach, upper=mean + reach,
            scale=float(np.abs([before.value, *after]).max()),
        )  # fmt: skip
