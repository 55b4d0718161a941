# SPDX-License-Identifier: Apache-2.0
"""Holds a model against simple ones: its metrics must be better than theirs on the same rows."""

from __future__ import annotations

import dataclasses
import functools
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pyarrow as pa

from benison.data.batch import Array, Index, Mask
from benison.data.values import is_measured, undictionary
from benison.errors import MissingExtraError, ModelError
from benison.probes import changes
from benison.probes.base import Probe
from benison.probes.counted_labels import FOLDS, CountedLabels
from benison.probes.metamorphic import frequent_values
from benison.probes.probe_findings import ProbeFinding, listed, unmeasured
from benison.probes.subject import Gain, Subject, WholeRows

_BINS, _ROUNDING = 10, 1e-9
_TEXTS = 20
VALUES = 25
"""So many values of numbers are bins of their own, as the hours of a day are."""


@dataclasses.dataclass(frozen=True)
class Labelled:
    """What a benchmark learns from.

    Attributes:
        targets: What the score of each row would best be: float64[N, C], NaN where unknown.
        weights: float64[N].
        folds: Of which each learns from the others: int64[N].
    """

    targets: Array
    weights: Array
    folds: Index

    @classmethod
    def of(cls, subject: Subject, weights: Array) -> Labelled:
        """The labels of a subject; raises ModelError where no row has one and a weight."""
        learned = cls(_targets(subject), weights, subject.folds)
        if not learned.is_known.any():
            raise ModelError("no row has a label and a weight above 0")
        return learned

    @functools.cached_property
    def is_known(self) -> Mask:
        """The rows with a label and a weight: bool[N]."""
        return np.asarray(np.isfinite(self.targets).all(axis=1) & (self.weights > 0))

    @property
    def mean(self) -> Array:
        """Of the known rows: float64[C]."""
        known = self.is_known
        return np.asarray(np.average(self.targets[known], axis=0, weights=self.weights[known]))

    @property
    def median(self) -> Array:
        """Of the known rows, the middle of two where both part them alike: float64[C]."""
        known, weights = self.targets[self.is_known], self.weights[self.is_known]
        return np.array([_median(column, weights) for column in known.T])

    def out_of_fold(self, fit: Callable[[Index, Index], Array]) -> Array:
        """The scores of each fold by what `fit` learns from the known rows of the others: float64[N, C]."""
        scores = np.empty_like(self.targets)
        for number in range(FOLDS):
            known = np.flatnonzero((self.folds != number) & self.is_known)
            fold = np.flatnonzero(self.folds == number)
            if not len(known):
                raise ModelError("there are too few rows with a label")
            scores[fold] = fit(known, fold)
        return scores


@dataclasses.dataclass(frozen=True)
class Benchmark(Probe):
    """By how much each metric is better than that of a simple model, with the interval of paired rows."""

    def calls(self, subject: Subject) -> int:
        return 0

    def run(self, subject: Subject) -> Iterator[ProbeFinding]:
        if subject.compare is None or subject.labels is None:
            yield unmeasured(self.name, "there are no labels that are numbers or classes")
            return
        yield from self._findings(subject, self._compared(subject))

    def _findings(self, subject: Subject, compared: Sequence[Gain]) -> Iterator[ProbeFinding]:
        if self.spec.metric and self.spec.metric not in {each.metric for each in compared}:
            why = (
                f"{self.spec.metric} is undefined of the model or of {self.title(subject)}, as where a "
                "prediction is missing or all labels are of one class"
            )
            yield unmeasured(self.name, why)
        for each in compared:
            if self.spec.metric in ("", each.metric):
                yield self._finding(each, self.title(subject))

    def _compared(self, subject: Subject) -> list[Gain]:
        """Metrics with weights against a benchmark that learned with them, others without."""
        assert subject.compare is not None
        alike = subject.counts
        gains = [*subject.compare(subject.before, self._fitted(subject, alike))]
        if subject.weights is not None and any(each.is_weighted for each in gains):
            weights = np.where(np.isfinite(subject.weights), subject.weights, 0.0)
            weighted = subject.compare(subject.before, self._fitted(subject, weights))
            gains = [
                of if each.is_weighted else each for each, of in zip(gains, weighted, strict=True)
            ]
        return self._of_all_rows(subject, gains)

    def _of_all_rows(self, subject: Subject, gains: list[Gain]) -> list[Gain]:
        """The gains over all rows, where the counts of labels say what the benchmark's metrics are there."""
        whole, by = subject.whole, self.by
        labels = np.asarray(subject.labels, np.float64)
        if whole is None or whole.rows <= len(labels):
            return gains
        known = None if by is None or labels.ndim > 1 else whole.cells.get(by)
        if known is None:
            return [dataclasses.replace(each, of=whole.rows) for each in gains]
        features = {name: subject.single(name) for name in by or ()}
        folds = subject.folds * bool(by)
        weights = np.ones(len(labels)) if subject.weights is None else subject.weights
        kept = CountedLabels.of(features, folds, labels, weights)
        on_kept, on_all = (self._values(subject, cells, whole) for cells in (kept, known))
        return [whole.gain(each, on_kept, on_all) for each in gains]

    def _values(self, subject: Subject, cells: CountedLabels, whole: WholeRows) -> dict[str, float]:
        """The metrics of the benchmark on rows of which the labels are counted, by name."""
        stand_in = subject.of_cells(cells)
        values: dict[str, float] = {}
        for weights, are_weights in ((cells.rows, False), (cells.weights, True)):
            if are_weights and (subject.weights is None or not weights.any()):
                continue
            scores = self._fitted(stand_in, weights)
            values |= whole.measure(cells.labels, weights, scores, are_weights)
        return values

    def _fitted(self, subject: Subject, weights: Array) -> Array:
        """The scores of the benchmark, as the model has them: float64[N] or float64[N, C]."""
        learned = Labelled.of(subject, weights)
        scores = self.scores(subject, learned)
        return scores if subject.before.ndim > 1 else scores[:, 0]

    def _finding(self, each: Gain, title: str) -> ProbeFinding:
        verb = "better" if each.gain >= 0 else "worse"
        is_shown = each.gain > 0 if np.isnan(each.lower) else each.lower > 0
        of = "" if each.of is None else f" of {each.of:,}"
        rows = "" if each.rows is None else f", {each.rows:,}{of} rows"
        words = (
            f"{each.metric} is {each.value:.4g}, {verb} by {abs(each.gain):.3g} than that of {title} "
            f"({each.benchmark:.4g}{rows})"
        )
        if not is_shown and each.gain > 0:
            words += ", which so few rows do not show"
        return ProbeFinding(
            self.name, words, detail=each.metric, value=each.gain, rows=each.rows, lower=each.lower,
            upper=each.upper, is_notable=not is_shown, scale=max(abs(each.value), abs(each.benchmark)),
        )  # fmt: skip

    @property
    def by(self) -> tuple[str, ...] | None:
        """The features by which counts of labels are all that it learns from; None where they are not."""
        return None

    @abstractmethod
    def title(self, subject: Subject) -> str:
        """What the benchmark is, as the words of a sentence."""

    @abstractmethod
    def scores(self, subject: Subject, learned: Labelled) -> Array:
        """The scores of each row by the targets of rows: float64[N, C].

        Raises:
            BenisonError: They cannot be made.
        """


@dataclasses.dataclass(frozen=True)
class Prior(Benchmark):
    """A model that gives each row the mean of all labels, or the share of each class."""

    by = ()

    def title(self, subject: Subject) -> str:
        return "the mean of all labels"

    def scores(self, subject: Subject, learned: Labelled) -> Array:
        return np.tile(learned.mean, (subject.rows.num_rows, 1))


@dataclasses.dataclass(frozen=True)
class Majority(Benchmark):
    """A model that always decides for the most frequent class; of numbers it gives the median."""

    by = ()

    def title(self, subject: Subject) -> str:
        return "always the most frequent label" if subject.has_classes else "the median label"

    def scores(self, subject: Subject, learned: Labelled) -> Array:
        means = learned.mean
        if not subject.has_classes:
            means = learned.median
        elif len(means) > 1:
            means = (np.arange(len(means)) == means.argmax()).astype(np.float64)
        else:
            means = (means > 0.5).astype(np.float64)  # noqa: PLR2004 - most of the rows
        return np.tile(means, (subject.rows.num_rows, 1))


@dataclasses.dataclass(frozen=True)
class BaselineModel(Benchmark):
    """The baseline, such as the last model that was blessed, on all rows of the data."""

    def run(self, subject: Subject) -> Iterator[ProbeFinding]:
        if subject.gains is None:
            why = "there is no baseline, so that a first model passes; name one, such as latest-blessed"
            yield dataclasses.replace(unmeasured(self.name, why), is_first=True)
        else:
            yield from self._findings(subject, subject.gains)

    def title(self, subject: Subject) -> str:
        return "the baseline"

    def scores(self, subject: Subject, learned: Labelled) -> Array:
        raise NotImplementedError("its metrics are those of the pass over all rows")


@dataclasses.dataclass(frozen=True)
class SliceMean(Benchmark):
    """A model that gives each row the mean label of its value of the features, learned on other rows."""

    @property
    def by(self) -> tuple[str, ...]:
        return self.spec.features

    def title(self, subject: Subject) -> str:
        return f"the mean label by {listed(self.spec.features)}"

    def scores(self, subject: Subject, learned: Labelled) -> Array:
        codes = np.zeros(subject.rows.num_rows, np.int64)
        for name in self.features(subject):
            own, _ = bins_of(subject.single(name), subject.counts)
            _, codes = np.unique(codes * (own.max(initial=0) + 1) + own, return_inverse=True)
        return learned.out_of_fold(lambda known, fold: _means(codes, learned, known, fold))


@dataclasses.dataclass(frozen=True)
class Linear(Benchmark):
    """A logistic regression, of numbers a linear one, on the features, learned on other rows."""

    def title(self, subject: Subject) -> str:
        return "a linear model of the features"

    def scores(self, subject: Subject, learned: Labelled) -> Array:
        matrix = np.hstack([_design(subject.single(name)) for name in self.features(subject)])
        fit = _logistic if subject.has_classes else _least_squares
        targets, weights = learned.targets, learned.weights
        return learned.out_of_fold(
            lambda known, fold: fit(matrix[known], targets[known], weights[known], matrix[fold])
        )


def _targets(subject: Subject) -> Array:
    """The labels as what a score would best be: float64[N, 1], of C classes 0 and 1, float64[N, C]."""
    labels = np.asarray(subject.labels, np.float64)
    if not np.isfinite(labels).any():
        raise ModelError("no row has a label")
    if subject.before.ndim > labels.ndim and not subject.has_classes:
        raise ModelError("a label is no number of the classes that have scores")
    if subject.before.ndim == 1 or labels.ndim > 1:
        return labels.reshape(len(labels), -1)
    classes = np.arange(subject.before.shape[1])
    return np.where(np.isnan(labels)[:, None], np.nan, labels[:, None] == classes)


def _median(values: Array, weights: Array) -> float:
    order = np.argsort(values)
    upto = np.cumsum(weights[order])
    half = upto[-1] / 2
    middle = [min(np.searchsorted(upto, half, side), len(order) - 1) for side in ("left", "right")]
    return float(values[order[middle]].mean())


def _means(codes: Index, learned: Labelled, known: Index, fold: Index) -> Array:
    """The mean of the known rows with the code of each row of the fold, of all where there is none."""
    targets, weights = learned.targets, learned.weights
    sums = np.zeros((codes.max(initial=0) + 1, targets.shape[1]))
    np.add.at(sums, codes[known], targets[known] * weights[known, None])
    counts = np.bincount(codes[known], weights[known], minlength=len(sums))[:, None]
    overall = np.average(targets[known], axis=0, weights=weights[known])
    means = np.where(counts > 0, sums / np.where(counts > 0, counts, 1), overall)
    return np.asarray(means[codes[fold]], np.float64)


def bins_of(column: pa.Array, counts: Array | None = None) -> tuple[Index, list[str]]:
    """The bin of each value, and what bins are called: values, of many numbers ten quantiles; int64[N].

    The column has single values, of one row or so many each; of those that are missing the bin is 0.
    """
    values = changes.settled(undictionary(column))
    if is_measured(values.type):
        known = changes.numbers(values)
        if len(np.unique(known[np.isfinite(known)])) > VALUES:
            of_each = np.ones(len(known)) if counts is None else counts
            return binned(known, quantiles(known, of_each, _BINS))
    encoded = values.dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False) + 1
    return np.asarray(codes, np.int64), [changes.MISSING, *changes.names_of(encoded.dictionary)]


def quantiles(known: Array, counts: Array, most: int) -> Array:
    """The edges of so many bins of as many rows each, where each finite number has so many: ascending."""
    order = np.argsort(np.where(np.isfinite(known), known, np.inf), kind="stable")
    order = order[: int(np.isfinite(known).sum())]
    upto = np.cumsum(counts[order])
    ranks = np.ceil(np.linspace(0, 1, most + 1)[1:-1] * (upto[-1] - 1) - _ROUNDING)
    return np.unique(known[order][np.searchsorted(upto, ranks, "right")])


def binned(known: Array, edges: Array) -> tuple[Index, list[str]]:
    """The bin of each number by its edges, ascending, 0 where it is not finite; and what bins are called."""
    codes = np.where(np.isfinite(known), 1 + np.searchsorted(edges, known, "right"), 0)
    written = ([f"{edge:.{digits}g}" for edge in edges] for digits in range(6, 18))
    ends = next(texts for texts in written if len({*texts}) == len(edges))
    between = [f"from {low} to {high}" for low, high in zip(ends, ends[1:], strict=False)]
    return codes, [changes.MISSING, f"below {ends[0]}", *between, f"{ends[-1]} or more"]


def _design(column: pa.Array) -> Array:
    """A column as columns of numbers: standardized, or one for each frequent value; float64[N, k]."""
    if is_measured(column.type):
        known = changes.numbers(column)
        finite = np.isfinite(known)
        mean = float(known[finite].mean()) if finite.any() else 0.0
        scaled = np.where(finite, known - mean, 0.0) / (changes.spread_of(column) or 1.0)
        return np.stack([scaled, 1.0 - finite], axis=1)
    values = undictionary(column).to_pylist()
    frequent = frequent_values(column, _TEXTS)
    return np.array([[float(value == each) for each in frequent] for value in values]).reshape(
        len(values), -1
    )


def _logistic(matrix: Array, targets: Array, weights: Array, asked: Array) -> Array:
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise MissingExtraError("scikit-learn", "sklearn") from error
    classes = targets.argmax(axis=1) if targets.shape[1] > 1 else (targets[:, 0] > 0).astype(int)
    scores = np.zeros((len(asked), max(targets.shape[1], 2)))
    if len(np.unique(classes)) == 1:
        scores[:, classes[0]] = 1.0
    else:
        fitted = LogisticRegression(max_iter=1000).fit(matrix, classes, weights)
        scores[:, fitted.classes_] = fitted.predict_proba(asked)
    return scores if targets.shape[1] > 1 else scores[:, 1:]


def _least_squares(matrix: Array, targets: Array, weights: Array, asked: Array) -> Array:
    def extended(rows: Array) -> Array:
        return np.hstack([rows, np.ones((len(rows), 1))])

    roots = np.sqrt(weights)[:, None]
    solved = np.linalg.lstsq(roots * extended(matrix), roots * targets, rcond=None)[0]
    return np.asarray(extended(asked) @ solved)
