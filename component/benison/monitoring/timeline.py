# SPDX-License-Identifier: Apache-2.0
"""The rates of every slice in buckets of time, from results in their order."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benison.config import EvalConfig
from benison.data.batch import Array
from benison.errors import ConfigError, DataError, NothingYetError, suggestion
from benison.metrics.groups import members
from benison.monitoring.detectors import BucketCounts, Mask
from benison.monitoring.periods_of_slices import in_periods, without_periods
from benison.report.notebook.view import in_order, run_names
from benison.results.checks_query import metrics_named
from benison.results.query import judged
from benison.results.result import EvalResult
from benison.slicing.keys import SliceKey
from benison.table.key import KEY_COLUMNS, VALUE, Key
from benison.table.slices import as_key, name_in_any_order, slice_ids
from benison.validation.verdict import BLESSED

FALLS, RISES = "fell", "rose"
_NUMBERS = ("value", "std_error", "lower", "upper", "examples", "evaluated")
_COLUMNS = (*KEY_COLUMNS, "slice", "slice_key", "other_slice_key", *_NUMBERS)
_SEPARATOR = "\x1f"
_OF_ALL_ROWS = (
    "Accuracy",
    "BinaryAccuracy",
    "CategoricalAccuracy",
    "ExactMatch",
    "MarginDensity",
    "PredictedPositiveRate",
    "Prevalence",
    "SparseCategoricalAccuracy",
    "SparseTopKCategoricalAccuracy",
    "TopKCategoricalAccuracy",
)
"""The metrics that are shares of all rows that they are evaluated on, whatever their intervals."""
_MEANS = ("MeanLabel", "MeanPrediction")
"""The metrics that are rates where labels are 0 and 1, or predictions probabilities."""
_BIASED = (
    "BrierReliability",
    "BrierResolution",
    "DemographicParityDifference",
    "DemographicParityRatio",
    "EqualOpportunityDifference",
    "EqualOpportunityRatio",
    "EqualizedOddsDifference",
    "EqualizedOddsRatio",
    "ExpectedCalibrationError",
)
"""The metrics from 0 to 1 that move with the number of rows alone."""
_NEARLY = 1.5  # rows: an error that is divided by n - 1 makes one row less


@dataclasses.dataclass(frozen=True)
class Timeline:
    """The numbers of every slice in each bucket.

    Attributes:
        buckets: The names of the buckets, in their order.
        rows: Rows of metrics of the candidates, with `bucket`, the position in `buckets`: int64.
        latest: A result, which says which end of a metric is good.
        level: The confidence of the intervals.
        results: Of each bucket; or of all periods one, before which there may be a reference.
        time_key: The column whose periods the buckets are.
    """

    buckets: list[str]
    rows: pa.Table
    latest: EvalResult
    level: float
    results: tuple[EvalResult, ...]
    time_key: str | None = None

    @classmethod
    def of(
        cls,
        results: Iterable[EvalResult],
        as_given: bool = False,
        reference: EvalResult | None = None,
    ) -> Timeline:
        """Of results by the time of their evaluation, or as given; the first is what was blessed.

        Without a reference, results before the first blessed one are left out, if any is blessed.

        Raises:
            NothingYetError: There are fewer than two.
        """
        given = list(results)
        ordered = given if as_given else in_order(given)
        if reference is None:
            ordered = _from_blessed(ordered)
        else:
            ordered = [reference, *_after(reference, ordered, as_given)]
        if len(ordered) < 2:
            raise NothingYetError(
                f"To monitor takes a reference and a later result; there is {len(ordered)}. Name more "
                "folders of results."
            )
        parts = [_rows(result, i) for i, result in enumerate(ordered)]
        last = ordered[-1]
        rows = pa.concat_tables(parts)
        return cls(run_names(ordered), rows, last, last.level, tuple(ordered))

    @classmethod
    def of_periods(
        cls,
        result: EvalResult,
        time_key: str | None = None,
        reference: EvalResult | None = None,
        every: str | None = None,
    ) -> Timeline:
        """Of one result, whose slices are of periods of a time, as `bins: {pickup: {every: day}}` makes them.

        Args:
            result: Whose periods are the buckets.
            time_key: The column whose periods they are; by default the only one.
            reference: What was blessed, before the first of them.
            every: Which periods, such as "day"; by default the only ones.

        Raises:
            DataError: There are none, or of several columns or sizes.
        """
        rows = _rows(result, 0).drop_columns("bucket")
        names = [] if reference is None else run_names([reference])
        key, periods, timed = in_periods(rows, time_key, every, len(names))
        before = [] if reference is None else [without_periods(_rows(reference, 0), key)]
        table = pa.concat_tables([*before, timed])
        return cls([*names, *periods], table, result, result.level, (result,), key)

    def metrics(self, asked: Sequence[str] | None) -> list[str]:
        """Those that are watched: what was asked for, else what has thresholds, else what has a direction."""
        known: list[str] = pc.unique(self.rows["metric"]).to_pylist()
        asked = [*dict.fromkeys(metrics_named(self.latest, asked))]
        for name in asked:
            if name not in known:
                raise DataError(f"The results have no metric {name!r}. {suggestion(name, known)}")
        if asked:
            return asked
        chosen = [name for name in judged(self.latest) if name in known]
        if self.latest.verdict.total:
            return chosen
        return [name for name in chosen if self.latest.is_bad_when_high(name) is not None]

    def slices(self, asked: Sequence[str] | None) -> list[str] | None:
        """The names of slices that were asked for, whatever the order of their features; None is all.

        Raises:
            DataError: There is no such slice.
        """
        if not asked:
            return None
        named = {name: name_in_any_order(self.rows, name) for name in asked}
        for name, known in named.items():
            if known is None:
                hint = suggestion(name, pc.unique(self.rows["slice"]).to_pylist())
                raise DataError(f"The results have no slice {name!r}. {hint}")
        return [known for known in named.values() if known is not None]

    def series(self, metric: str, known: int, labelled: float) -> list[Series]:
        """The rates of a metric by slice and bucket, each key and each bad end by itself; slices may be none.

        Args:
            metric: Its name.
            known: How many of the first buckets are what was blessed.
            labelled: A bucket in which a smaller share of the rows has labels, relative to what was blessed,
                still waits for them.
        """
        rows = self.rows.filter(pc.equal(self.rows["metric"], metric))
        if metric in {*_named(self.latest.config, _BIASED)} or not self._is_rate(metric, rows):
            return []
        texts = pc.binary_join_element_wise(*_texts(rows), _SEPARATOR)
        bad = self.latest.is_bad_when_high(metric)
        sides = (FALLS, RISES) if bad is None else (RISES if bad else FALLS,)
        shares, made = {*_named(self.latest.config, _OF_ALL_ROWS)}, list[Series]()
        for text in pc.unique(texts).to_pylist():
            own = rows.filter(pc.equal(texts, text))
            dense = _Dense.of(own, len(self.buckets), self.level, metric in shares)
            made += (dense.series(side, known, labelled) for side in sides)
        return made

    def _is_rate(self, metric: str, rows: pa.Table) -> bool:
        """Whether a metric is from 0 to 1 by its definition; or the mean of numbers that all are so far."""
        about = self.latest.about.get(metric)
        if about is not None and about.low >= 0 and about.high <= 1:
            return True
        ends = pc.min_max(pc.if_else(pc.is_nan(rows["value"]), None, rows["value"])).as_py()
        is_within = ends["min"] is not None and ends["min"] >= 0 and ends["max"] <= 1
        return is_within and metric in {*_named(self.latest.config, _MEANS)}


def _from_blessed(ordered: list[EvalResult]) -> list[EvalResult]:
    """From the first blessed one on; raises NothingYetError where only the last is."""
    first = next((i for i, each in enumerate(ordered) if each.verdict.status == BLESSED), 0)
    if 0 < first == len(ordered) - 1:
        raise NothingYetError(
            f"Only the last result, {ordered[-1].path}, is blessed, so there is nothing after it to be "
            "watched. Name what was blessed before as the reference (--reference)."
        )
    return ordered[first:]


def _after(reference: EvalResult, ordered: list[EvalResult], as_given: bool) -> list[EvalResult]:
    """The results without the reference, and without those that were evaluated before it."""

    def is_reference(result: EvalResult) -> bool:
        return result is reference or (result.path is not None and result.path == reference.path)

    others = [result for result in ordered if not is_reference(result)]
    if as_given:
        return others
    if len(others) < len(ordered):  # in whose order those of one second are as they were given
        return ordered[[*map(is_reference, ordered)].index(True) + 1 :]
    since = str(reference.manifest["created"])
    return [result for result in others if str(result.manifest["created"]) >= since]


def _rows(result: EvalResult, bucket: int) -> pa.Table:
    """The values of the candidates; a single one has no name, as versions have several."""
    names = [spec.name for spec in result.config.candidate_specs]
    table = result.metrics
    wanted = pc.and_(pc.equal(table["kind"], VALUE), pc.is_null(table["other_slice_key"]))
    wanted = pc.and_(wanted, pc.is_null(table["structured"]))
    wanted = pc.and_(wanted, pc.is_in(table["model"], pa.array(names, pa.string())))
    rows = table.filter(wanted).select(_COLUMNS)
    if len(names) == 1:
        unnamed = pa.array([""] * rows.num_rows, pa.string())
        rows = rows.set_column(rows.schema.get_field_index("model"), "model", unnamed)
    return rows.append_column("bucket", pa.array(np.full(rows.num_rows, bucket)))


def _texts(rows: pa.Table) -> list[Any]:
    return [rows[name].cast(pa.string()) for name in KEY_COLUMNS]


@dataclasses.dataclass(frozen=True)
class Series:
    """One metric of S slices in T buckets after what was blessed.

    Attributes:
        key: The metric, its model, output and class.
        side: `fell` or `rose`: the end that is watched.
        slices: Names of slices, and
        keys: their identities.
        values: float64[S, T], NaN where there is none.
        known: The value of what was blessed: float64[S].
        counts: The same as failures among rows. A bucket that waits for labels has no rows.
        is_pending: Which buckets wait: bool[T].
        is_undefined: In which buckets a slice has rows that are evaluated and others that are not, and no
            value, as where predictions are missing: bool[T].
        unknown: The names of slices that the reference does not have; they are not watched.
    """

    key: Key
    side: str
    slices: list[str]
    keys: list[SliceKey]
    values: Array
    known: Array
    counts: BucketCounts
    is_pending: Mask
    is_undefined: Mask
    unknown: tuple[str, ...] = ()

    def value_of(self, rate: float) -> float:
        """The metric of a rate of failures."""
        return 1 - rate if self.side == FALLS else rate


@dataclasses.dataclass(frozen=True)
class _Dense:
    """The numbers of one key by slice and bucket: float64[S, T], NaN where there is no row."""

    key: Key
    slices: list[str]
    keys: list[SliceKey]
    numbers: dict[str, Array]
    level: float
    is_of_rows: bool

    @classmethod
    def of(cls, rows: pa.Table, buckets: int, level: float, is_of_rows: bool) -> _Dense:
        encoded = slice_ids(rows).dictionary_encode()
        codes = encoded.indices.to_numpy().astype(np.int64)
        size, (_, firsts) = len(encoded.dictionary), np.unique(codes, return_index=True)
        heads = rows.take(pa.array(firsts))
        numbers = {name: np.full((size, buckets), np.nan) for name in _NUMBERS}
        for name, dense in numbers.items():
            column = rows[name].cast(pa.float64()).to_numpy()
            dense[codes, rows["bucket"].to_numpy()] = column
        keys = [as_key(pairs) for pairs in heads["slice_key"].to_pylist()]
        key = Key.of(rows.slice(0, 1).to_pylist()[0])
        return cls(key, heads["slice"].to_pylist(), keys, numbers, level, is_of_rows)

    def series(self, side: str, known: int, labelled: float) -> Series:
        """What is watched of it: the slices that the reference and a later bucket have."""
        rows = rows_of_rates(self.numbers, self.level, self.is_of_rows and not self.key.weighted)
        rates = 1 - self.numbers["value"] if side == FALLS else self.numbers["value"]
        failures = np.where(rows > 0, rates * rows, 0.0)
        undefined = self._undefined(known)
        pending = self._pending(known, labelled) & ~undefined
        rows = np.where(pending, 0.0, rows)
        failures = np.where(rows > 0, failures, 0.0)
        before = [of[:, :known].sum(1) for of in (failures, rows)]
        with np.errstate(invalid="ignore", divide="ignore"):
            rate = before[0] / before[1]
        counts = BucketCounts(failures[:, known:], rows[:, known:], before[0], before[1])
        index = np.flatnonzero((before[1] > 0) & (counts.rows.any(1) | undefined.any()))
        is_new = (before[1] <= 0) & counts.rows.any(1)
        return Series(
            self.key,
            side,
            [self.slices[i] for i in index],
            [self.keys[i] for i in index],
            self.numbers["value"][index, known:],
            (1 - rate if side == FALLS else rate)[index],
            counts.take(index),
            pending[known:],
            undefined[known:],
            tuple(self.slices[i] for i in np.flatnonzero(is_new)),
        )

    def _undefined(self, known: int) -> Mask:
        """The buckets in which a slice of the reference has rows but no value: bool[T]."""
        value, evaluated, examples = (self.numbers[n] for n in ("value", "evaluated", "examples"))
        is_known = np.isfinite(value[:, :known]).any(1, keepdims=True)
        undefined = np.isnan(value) & (evaluated > 0) & (evaluated < examples) & is_known
        undefined[:, :known] = False
        return np.asarray(undefined.any(0))

    def _pending(self, known: int, labelled: float) -> Mask:
        """The buckets that wait for labels, by the share of all rows on which values rest: bool[T]."""
        sums = (np.nansum(self.numbers[name], 0) for name in ("evaluated", "examples"))
        evaluated, examples = sums
        share = evaluated / np.maximum(examples, 1)
        usual = evaluated[:known].sum() / max(examples[:known].sum(), 1)
        pending = (examples > 0) & (share < labelled * usual)
        pending[:known] = False
        return np.asarray(pending)


def _named(config: EvalConfig, classes: Sequence[str]) -> Iterator[str]:
    """The names of the metrics of a config that are of some classes."""
    for spec in config.metrics_specs:
        for metric in spec.metrics:
            with suppress(ConfigError):  # the class of a user, which is not registered here
                named = members(metric.class_name, dict(metric.config))
                yield from (each.name for name, each in named if name in classes)


def rows_of_rates(numbers: dict[str, Array], level: float, is_of_rows: bool = False) -> Array:
    """On how many rows each rate rests, 0 for what is no rate: float64 of the shape of the numbers.

    It is what its standard error says, v (1 - v) / n, so that it holds for what rests on a part of the rows,
    as precision, and for weighted rows. A rate of 0 or 1 has no such error, but an interval: one of n rows
    without a failure ends at 1 - (alpha / 2)^(1 / n), after Clopper and Pearson. Without an interval it is
    known of a share of all rows alone.

    >>> numbers = {"value": np.array([0.9]), "std_error": np.array([0.03]), "evaluated": np.array([100.0])}
    >>> rows_of_rates({**numbers, "lower": np.array([0.8]), "upper": np.array([0.95])}, 0.95)
    array([100.])
    """
    value, error, evaluated = (numbers[name] for name in ("value", "std_error", "evaluated"))
    with np.errstate(all="ignore"):
        by_error = value * (1 - value) / error**2
        width = np.clip(numbers["upper"] - numbers["lower"], 0.0, 1.0)
        by_width = math.log((1 - level) / 2) / np.log1p(-width)
    is_end = (value == 0) | (value == 1)
    rows = np.where(is_end, by_width, by_error)
    rows = np.where(np.isnan(rows) & is_of_rows, evaluated, rows)
    rows = np.where(np.abs(rows - evaluated) <= _NEARLY, evaluated, rows)
    is_rate = (value >= 0) & (value <= 1) & np.isfinite(rows) & (rows > 0)
    return np.where(is_rate, np.where(np.isnan(evaluated), rows, np.minimum(rows, evaluated)), 0.0)
