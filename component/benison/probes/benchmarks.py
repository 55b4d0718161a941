# SPDX-License-Identifier: Apache-2.0
"""Holds a model against simple ones: its metrics must be better than theirs on the same rows."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from benison.data.batch import Array, Index
from benison.data.values import is_measured, undictionary
from benison.errors import BenisonError, MissingExtraError, ModelError, suggestion
from benison.probes import changes
from benison.probes.base import Probe
from benison.probes.metamorphic import frequent_values
from benison.probes.probe_findings import ProbeFinding, unmeasured
from benison.probes.subject import Gain, Subject

_FOLDS = 5
_BINS = 10
_TEXTS = 20


@dataclasses.dataclass(frozen=True)
class Benchmark(Probe):
    """By how much each metric is better than that of a simple model, with the interval of paired rows."""

    def calls(self, subject: Subject) -> int:
        return 0

    def run(self, subject: Subject) -> Iterator[ProbeFinding]:
        if subject.compare is None or subject.labels is None:
            yield unmeasured(self.name, "there are no labels that are numbers or classes")
            return
        try:
            compared = subject.compare(self._fitted(subject))
        except BenisonError as error:
            yield unmeasured(self.name, str(error))
            return
        if self.spec.metric and self.spec.metric not in {each.metric for each in compared}:
            hint = suggestion(self.spec.metric, [each.metric for each in compared])
            yield unmeasured(
                self.name, f"there is no metric {self.spec.metric!r} to compare. {hint}"
            )
        for each in compared:
            if self.spec.metric in ("", each.metric):
                yield self._finding(each)

    def _fitted(self, subject: Subject) -> Array:
        """The scores of the benchmark, as the model has them: float64[N] or float64[N, C]."""
        targets = _targets(subject)
        scores = self.scores(subject, targets)
        return scores if subject.before.ndim > 1 else scores[:, 0]

    def _finding(self, each: Gain) -> ProbeFinding:
        verb = "better" if each.gain >= 0 else "worse"
        words = (
            f"{each.metric} is {each.value:.4g}, {verb} by {abs(each.gain):.3g} than that of {self.title} "
            f"({each.benchmark:.4g})"
        )
        if not each.lower > 0 and each.gain > 0:
            words += ", which so few rows do not show"
        return ProbeFinding(
            self.name, words, detail=each.metric, value=each.gain, lower=each.lower, upper=each.upper,
            is_notable=not each.lower > 0,
        )  # fmt: skip

    @property
    @abstractmethod
    def title(self) -> str:
        """What the benchmark is, as the words of a sentence."""

    @abstractmethod
    def scores(self, subject: Subject, targets: Array) -> Array:
        """The scores of each row by the targets of rows: float64[N, C] of float64[N, C], NaN where unknown.

        Raises:
            BenisonError: They cannot be made.
        """


@dataclasses.dataclass(frozen=True)
class Prior(Benchmark):
    """A model that gives each row the mean of all labels, or the share of each class."""

    title = "the mean of all labels"

    def scores(self, subject: Subject, targets: Array) -> Array:
        return np.tile(np.nanmean(targets, axis=0), (len(targets), 1))


@dataclasses.dataclass(frozen=True)
class Majority(Benchmark):
    """A model that always decides for the most frequent class; of numbers it gives the median."""

    title = "always the most frequent label"

    def scores(self, subject: Subject, targets: Array) -> Array:
        means = np.nanmean(targets, axis=0)
        if not subject.decisions.are_classes:
            means = np.nanmedian(targets, axis=0)
        elif len(means) > 1:
            means = (np.arange(len(means)) == means.argmax()).astype(np.float64)
        else:
            means = (means > 0.5).astype(np.float64)  # noqa: PLR2004 - most of the rows
        return np.tile(means, (len(targets), 1))


@dataclasses.dataclass(frozen=True)
class SliceMean(Benchmark):
    """A model that gives each row the mean label of its value of the features, learned on other rows."""

    @property
    def title(self) -> str:
        return f"the mean label by {', '.join(self.spec.features)}"

    def scores(self, subject: Subject, targets: Array) -> Array:
        codes = np.zeros(len(targets), np.int64)
        for name in self.features(subject):
            own, _ = bins_of(subject.single(name))
            _, codes = np.unique(codes * (own.max(initial=0) + 1) + own, return_inverse=True)
        return _out_of_fold(targets, lambda known, fold: _means(codes, targets, known, fold))


@dataclasses.dataclass(frozen=True)
class Linear(Benchmark):
    """A logistic regression, of numbers a linear one, on the features, learned on other rows."""

    title = "a linear model of the features"

    def scores(self, subject: Subject, targets: Array) -> Array:
        matrix = np.hstack([_design(subject.single(name)) for name in self.features(subject)])
        fit = _logistic if subject.decisions.are_classes else _least_squares
        return _out_of_fold(
            targets, lambda known, fold: fit(matrix[known], targets[known], matrix[fold])
        )


def _targets(subject: Subject) -> Array:
    """The labels as what a score would best be: float64[N, 1], of C classes 0 and 1, float64[N, C]."""
    labels = np.asarray(subject.labels, np.float64)
    if not np.isfinite(labels).any():
        raise ModelError("no row has a label")
    if subject.before.ndim == 1 or labels.ndim > 1:
        return labels.reshape(len(labels), -1)
    classes = np.arange(subject.before.shape[1])
    return np.where(np.isnan(labels)[:, None], np.nan, labels[:, None] == classes)


def _out_of_fold(targets: Array, fit: Any) -> Array:
    """The scores of each fold by a model of the rows of the others that have a label."""
    folds = np.arange(len(targets)) % _FOLDS
    labelled = np.isfinite(targets).all(axis=1)
    scores = np.empty_like(targets)
    for number in range(_FOLDS):
        known, fold = np.flatnonzero((folds != number) & labelled), np.flatnonzero(folds == number)
        if not len(known):
            raise ModelError("there are too few rows with a label")
        scores[fold] = fit(known, fold)
    return scores


def _means(codes: Index, targets: Array, known: Index, fold: Index) -> Array:
    """The mean of the known rows with the code of each row of the fold, of all where there is none."""
    sums = np.zeros((codes.max(initial=0) + 1, targets.shape[1]))
    np.add.at(sums, codes[known], targets[known])
    counts = np.bincount(codes[known], minlength=len(sums))[:, None]
    means = np.where(counts > 0, sums / np.maximum(counts, 1), targets[known].mean(axis=0))
    return np.asarray(means[codes[fold]], np.float64)


def bins_of(column: pa.Array) -> tuple[Index, list[str]]:
    """The bin of each row, and what bins are called: values, of many numbers ten quantiles; int64[N].

    The column has single values.
    """
    if is_measured(column.type):
        known = changes.numbers(column)
        finite = known[np.isfinite(known)]
        if len(np.unique(finite)) > _TEXTS:
            edges = np.unique(np.quantile(finite, np.linspace(0, 1, _BINS + 1)[1:-1]))
            codes = np.where(np.isfinite(known), 1 + np.searchsorted(edges, known, "right"), 0)
            ends = [f"{edge:.6g}" for edge in edges]
            between = [f"from {low} to {high}" for low, high in zip(ends, ends[1:], strict=False)]
            return codes, ["missing", f"below {ends[0]}", *between, f"{ends[-1]} or more"]
    encoded = undictionary(column).dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False) + 1
    return np.asarray(codes, np.int64), ["missing", *map(str, encoded.dictionary.to_pylist())]


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


def _logistic(matrix: Array, targets: Array, asked: Array) -> Array:
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise MissingExtraError("scikit-learn", "sklearn") from error
    classes = targets.argmax(axis=1) if targets.shape[1] > 1 else (targets[:, 0] > 0).astype(int)
    scores = np.zeros((len(asked), max(targets.shape[1], 2)))
    if len(np.unique(classes)) == 1:
        scores[:, classes[0]] = 1.0
    else:
        fitted = LogisticRegression(max_iter=1000).fit(matrix, classes)
        scores[:, fitted.classes_] = fitted.predict_proba(asked)
    return scores if targets.shape[1] > 1 else scores[:, 1:]


def _least_squares(matrix: Array, targets: Array, asked: Array) -> Array:
    def extended(rows: Array) -> Array:
        return np.hstack([rows, np.ones((len(rows), 1))])

    return np.asarray(extended(asked) @ np.linalg.lstsq(extended(matrix), targets, rcond=None)[0])
