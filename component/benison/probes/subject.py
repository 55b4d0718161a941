# SPDX-License-Identifier: Apache-2.0
"""A model with the rows on which it is probed."""

from __future__ import annotations

import dataclasses
import functools
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from benison import signals
from benison.data.batch import Array, Index, Mask
from benison.data.values import single_values
from benison.errors import ModelError
from benison.probes.counted_labels import FOLDS, CountedLabels
from benison.probes.deviations import spread_of
from benison.probes.residual_bins import ResidualMoments
from benison.probes.residual_order import Stretch

_YES = 0.5
_ALIKE = 1e-6
_SIGNALS = 128
"""The exit code of a program that a signal has ended is above this, by custom of shells."""
NO_SPREAD = "the predictions are too large to have a standard deviation"


@dataclasses.dataclass(frozen=True)
class Decisions:
    """What counts as another prediction.

    Attributes:
        threshold: The score above which a decision is yes; None where predictions are numbers. Of scores of
            several classes the decision is the class with the highest.
        step: By how much a number must move, in its unit; not finite where the scores have no spread.
    """

    threshold: float | None
    step: float = 0.0

    @classmethod
    def of(cls, scores: Array, labels: Any, threshold: float | None, tolerance: float) -> Decisions:
        """By what the labels are, or without labels the scores; `tolerance` is in standard deviations."""
        known = np.asarray(scores if labels is None else labels)
        known = known[np.isfinite(known)] if known.dtype.kind == "f" else known
        are_shares = bool(np.all((known >= 0) & (known <= 1))) if labels is None else _binary(known)
        if threshold is None and (scores.ndim > 1 or are_shares):
            threshold = _YES
        return cls(threshold, tolerance * spread_of(scores))

    @property
    def are_classes(self) -> bool:
        """Whether there are decisions, and so a boundary between them."""
        return self.threshold is not None

    @property
    def flip(self) -> str:
        """What is counted, as the words of a sentence."""
        return "decisions flip" if self.are_classes else f"predictions move by {self.step:.3g}"

    def classes(self, scores: Array) -> Index:
        """The decision on each row: int64[N]."""
        if scores.ndim > 1:
            return np.asarray(np.argmax(scores, axis=1), np.int64)
        return np.asarray(scores > (self.threshold or 0.0), np.int64)

    def moved(self, before: Array, after: Array) -> Mask:
        """Where the prediction is another one: bool[N].

        Raises:
            ModelError: The predictions are numbers so far apart that they have no spread.
        """
        if self.are_classes:
            return np.asarray(self.classes(before) != self.classes(after))
        if not np.isfinite(self.step):
            raise ModelError(NO_SPREAD)
        return np.asarray(np.abs(after - before) > self.step)


def _binary(labels: Any) -> bool:
    return bool(np.isin(labels, (0, 1)).all())


class ScoredMetric(NamedTuple):
    """A metric of some scores."""

    value: float
    higher_is_better: bool | None
    """None where neither end is good."""


@dataclasses.dataclass(frozen=True)
class Gain:
    """A metric of the model and of a benchmark; `gain` is by how much the model's is better.

    It rests on `rows`, of a sample of all `of` rows where it is one.
    """

    metric: str
    value: float
    benchmark: float
    gain: float
    lower: float
    upper: float
    is_weighted: bool = False
    rows: int | None = None
    higher_is_better: bool = True
    of: int | None = None


@dataclasses.dataclass(frozen=True)
class WholeRows:
    """What is known of all rows of the data, of which those of a subject are a sample.

    Attributes:
        rows: How many there are.
        cells: The counts of their labels, by the features that part them.
        values: The metrics of the model, with the rows that they rest on, by name.
        measure: The metrics, by name, of labels and scores that each stand for so many rows, or for rows of
            such a weight: of labels, weights, scores, and whether the weights are those of the data.
    """

    rows: int
    cells: Mapping[tuple[str, ...], CountedLabels]
    values: Mapping[str, tuple[float, int | None]]
    measure: Callable[[Array, Array, Array, bool], Mapping[str, float]]

    def gain(self, each: Gain, on_kept: Mapping[str, float], on_all: Mapping[str, float]) -> Gain:
        """A gain over all rows, by the metrics of the benchmark from counts of the sample and of all rows.

        Where the counts do not give what the rows of the sample gave, as of a metric that does not look at
        weights, it is left as it is. How far the interval reaches is what the sample shows of it, and falls
        with the root of the rows.
        """
        known = on_kept.get(each.metric, math.nan)
        is_counted = math.isclose(known, each.benchmark, rel_tol=_ALIKE, abs_tol=_ALIKE)
        if not is_counted or not {each.metric} <= self.values.keys() & on_all.keys():
            return dataclasses.replace(each, of=self.rows)
        (value, rows), benchmark = self.values[each.metric], on_all[each.metric]
        gain = (value - benchmark) * (1 if each.higher_is_better else -1)
        part = math.sqrt(each.rows / rows) if each.rows and rows else 1.0
        lower, upper = (gain + (end - each.gain) * part for end in (each.lower, each.upper))
        return dataclasses.replace(
            each, value=value, benchmark=benchmark, gain=gain, lower=lower, upper=upper, rows=rows
        )


@dataclasses.dataclass
class Subject:
    """A model and the rows on which it is called; it counts how many it has predicted.

    Attributes:
        call: Gives the scores of rows, float64[N] or float64[N, C] for C classes.
        rows: Of smallest hash, in the order of their hashes, so that the first of them are a sample too.
        features: What is changed where a probe names nothing.
        labels: float64[N], or None where they are not numbers.
        threshold: As `DebuggingOptions.decision_threshold` has it.
        tolerance: As `DebuggingOptions.tolerance` has it.
        measure: The metrics of the config that look at predictions, from the scores of all rows, by name.
        compare: The same, of two arrays of scores: the model's and those of a benchmark.
        orders: How residuals follow each other, by the time column.
        residuals: Of all rows by the values of columns, as far as the pass knows them.
        gains: By how much each metric of all rows is better than the baseline's; None without a baseline.
        training: Gives rows that the model was trained on, with their labels; None of no rows.
        weights: The weight of each row, float64[N], or None where all have the same.
        counts: For how many rows each stands: float64[N], by default 1.
        folds: Of the rows, of which each is predicted by what is learned from the others: int64[N].
        whole: What is known of all rows, where these are more; None where nothing is.
    """

    call: Callable[[pa.RecordBatch], Any]
    rows: pa.RecordBatch
    features: tuple[str, ...]
    labels: Any = None
    threshold: float | None = None
    tolerance: float = 0.5
    measure: Callable[[Array], Mapping[str, ScoredMetric]] | None = None
    compare: Callable[[Array, Array], Sequence[Gain]] | None = None
    training: Callable[[], tuple[pa.RecordBatch, Any] | None] = lambda: None
    gains: Sequence[Gain] | None = None
    orders: Mapping[str, Stretch | None] = dataclasses.field(default_factory=dict)
    residuals: Mapping[str, ResidualMoments] = dataclasses.field(default_factory=dict)
    weights: Array | None = None
    counts: Array = dataclasses.field(default_factory=lambda: np.zeros(0))
    folds: Index = dataclasses.field(default_factory=lambda: np.zeros(0, np.int64))
    whole: WholeRows | None = None
    predicted: int = 0

    def __post_init__(self) -> None:
        if not len(self.counts):
            self.counts = np.ones(self.rows.num_rows)
            self.folds = np.arange(self.rows.num_rows) % FOLDS

    def of_cells(self, cells: CountedLabels) -> Subject:
        """Rows that stand for those of which the labels are counted, with scores of the same shape."""
        shape = (len(cells.labels), *self.before.shape[1:])
        return Subject(
            lambda rows: np.zeros(shape), cells.batch, tuple(cells.features), cells.labels,
            counts=cells.rows, folds=cells.folds,
        )  # fmt: skip

    def scores(self, rows: pa.RecordBatch) -> Array:
        """The scores of rows.

        Raises:
            ModelError: The model fails on them.
        """
        self.predicted += rows.num_rows
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                return np.asarray(self.call(rows), np.float64)
            except (Exception, SystemExit) as error:  # a probe is there to see models fail
                raise ModelError(reason_of(error)) from error

    @functools.cached_property
    def before(self) -> Array:
        """The scores of the rows as they are."""
        return self.scores(self.rows)

    @functools.cached_property
    def trained_on(self) -> tuple[pa.RecordBatch, Any] | None:
        """Rows that the model was trained on, with their labels."""
        return self.training()

    @functools.cached_property
    def decisions(self) -> Decisions:
        """What counts as another prediction."""
        return Decisions.of(self.before, self.labels, self.threshold, self.tolerance)

    @functools.cached_property
    def has_classes(self) -> bool:
        """Whether the labels are classes: 0 and 1, or the numbers of the classes that have scores."""
        known = np.asarray(self.labels, np.float64)
        known = known[np.isfinite(known)]
        if self.before.ndim > np.ndim(self.labels):
            return bool(np.isin(known, np.arange(self.before.shape[1])).all())
        return _binary(known)

    def first(self, most: int) -> pa.RecordBatch:
        """The first rows, up to so many."""
        return self.rows.slice(0, most)

    def single(self, feature: str) -> pa.Array:
        """A feature without lists, null where one is empty: [N].

        Raises:
            ModelError: A row has several values.
        """
        values = single_values(self.rows.column(feature))
        if values is None:
            raise ModelError(f"{feature} has several values in a row")
        return values

    def changed(self, rows: pa.RecordBatch, columns: Mapping[str, pa.Array]) -> Array:
        """The scores of rows with other columns; raises ModelError where the model fails on them."""
        own = dict(zip(rows.schema.names, rows.columns, strict=True))
        return self.scores(pa.RecordBatch.from_pydict({**own, **columns}))


def reason_of(error: BaseException) -> str:
    """The first line of what the code of a model or a metric has raised, with its end of the program.

    Raises:
        SystemExit: A signal ends the program: Benison was told to stop, or the program's own handler was.
    """
    if isinstance(error, SystemExit):
        is_of_handler = isinstance(error.code, int) and error.code > _SIGNALS
        if is_of_handler or signals.was_stopped() is not None:
            raise error
        return f"its code ended the program with sys.exit({error.code!r})"
    # Errors have line ends escaped; the first line says what is wrong.
    return str(error).replace("\\n", "\n").partition("\n")[0]


def finite(scores: Array) -> Mask:
    """The rows whose scores are all finite: bool[N]."""
    good = np.isfinite(scores)
    return np.asarray(good if good.ndim == 1 else good.all(axis=1))
