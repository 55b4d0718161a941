# SPDX-License-Identifier: Apache-2.0
"""The rates of every slice in buckets of time, from results in their order."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benison.config import EvalConfig
from benison.data.batch import Array
from benison.errors import ConfigError, DataError, NothingYetError, suggestion
from benison.metrics import Metric
from benison.metrics.groups import members
from benison.monitoring.periods_of_slices import in_periods, without_periods
from benison.monitoring.series import FALLS, NUMBERS, RISES, Labels, Series, SliceNumbers
from benison.report.notebook.view import in_order, run_names
from benison.results.checks_query import metrics_named
from benison.results.query import judged
from benison.results.result import EvalResult
from benison.table.alike import rows_by
from benison.table.key import KEY_COLUMNS, VALUE
from benison.table.slices import name_in_any_order, slice_ids
from benison.validation.verdict import BLESSED, NOT_BLESSED

LABEL_COUNT = "label_count"
"""The metric by which buckets of one result know how many of their rows have labels."""
_COLUMNS = (*KEY_COLUMNS, "slice", "slice_key", "other_slice_key", *NUMBERS, "interval_method")
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
        label_shares: Which share of the rows of each bucket has labels: float64[T], NaN where not known.
        untimed: How many rows of the data are in no bucket, as they have no time.
        reference: What stands before the periods.
    """

    buckets: list[str]
    rows: pa.Table
    latest: EvalResult
    level: float
    results: tuple[EvalResult, ...]
    label_shares: Array
    time_key: str | None = None
    untimed: int = 0
    reference: EvalResult | None = None

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
        shares = np.array([*map(_label_share, ordered)])
        return cls(run_names(ordered), rows, last, last.level, tuple(ordered), shares)

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
        shares = _label_shares(timed, len(names) + len(periods))
        shares[: len(names)] = [] if reference is None else [_label_share(reference)]
        untimed = _untimed(without_periods(rows, key), timed)
        buckets = [*names, *periods]
        return cls(buckets, table, result, result.level, (result,), shares, key, untimed, reference)

    @property
    def least_rows(self) -> int:
        """Slices of fewer rows are hidden in one of the results."""
        every = [*self.results, *([] if self.reference is None else [self.reference])]
        return max(result.config.options.min_slice_size or 1 for result in every)

    def unblessed(self, known: int) -> tuple[str, ...]:
        """Those of the first buckets whose result is not blessed."""
        named = zip(self.buckets[:known], self.results, strict=False)
        is_whole = self.time_key is None
        return tuple(name for name, of in named if is_whole and of.verdict.status == NOT_BLESSED)

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
        labels = Labels(self.label_shares, labelled, metric not in _unlabelled(self.latest.config))
        for text in pc.unique(texts).to_pylist():
            own = rows.filter(pc.equal(texts, text))
            of_rows, least = metric in shares, self.least_rows
            dense = SliceNumbers.of(own, len(self.buckets), self.level, of_rows, least)
            made += (dense.series(side, known, labels) for side in sides)
        return made

    def why_unwatched(self, metric: str, known: int) -> str:
        """Why a metric has no series, as the words of a sentence."""
        rows = self.rows.filter(pc.equal(self.rows["metric"], metric))
        if metric in {*_named(self.latest.config, _BIASED)}:
            return f"{metric} moves with the number of rows alone"
        if not self._is_rate(metric, rows):
            return f"{metric} is no rate from 0 to 1 by its definition"
        is_before = pc.less(rows["bucket"], known)
        sides = [rows.filter(is_before), rows.filter(pc.invert(is_before))]
        ids = [{*slice_ids(side).to_pylist()} for side in sides]
        if not ids[0] & ids[1]:
            return f"of {metric} the reference and the later buckets have no slice in common"
        for side, name in zip(sides, ("the reference", "the later buckets"), strict=True):
            if pc.all(pc.is_nan(side["value"])).as_py():
                return f"{metric} is undefined in {name}"
            if (
                pc.all(pc.is_nan(side["std_error"])).as_py()
                and pc.all(pc.is_nan(side["upper"])).as_py()
            ):
                return (
                    f"{metric} has no interval in {name}; evaluate it with options: "
                    "{confidence: {level: 0.95}}"
                )
        return f"{metric} has in no slice rows on which it rests both before and after"

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


def _label_share(result: EvalResult) -> float:
    """Which share of the rows of a result has labels; NaN where it does not say so."""
    missing = result.manifest.get("missing", {})
    counts = [count for what, count in missing.items() if what.split("/")[0] == "labels"]
    return 1 - max(counts) / result.manifest["rows"] if counts else np.nan


def _label_shares(rows: pa.Table, buckets: int) -> Array:
    """The same of the buckets of one result: float64[T]."""
    counts = rows.filter(pc.equal(rows["metric"], LABEL_COUNT))
    sums = [
        np.bincount(counts["bucket"].to_numpy(), counts[name].to_numpy(), buckets)
        for name in ("evaluated", "examples")
    ]
    return np.where(sums[1] > 0, sums[0] / np.maximum(sums[1], 1), np.nan)


def _untimed(whole: pa.Table, timed: pa.Table) -> int:
    """How many rows of all data are in none of their periods; 0 where either is no slice of the result."""
    counts = []
    for rows in (whole, timed):
        overall = rows.filter(pc.equal(pc.list_value_length(rows["slice_key"]), 0))
        names = [c for c in KEY_COLUMNS if c in overall.schema.names]
        examples = overall["examples"].to_numpy()
        sizes = [int(examples[at].sum()) for at in rows_by(overall, names).values()]
        if not sizes:
            return 0
        counts.append(max(sizes))
    return max(counts[0] - counts[1], 0)


def _texts(rows: pa.Table) -> list[Any]:
    return [rows[name].cast(pa.string()) for name in KEY_COLUMNS]


def _named(config: EvalConfig, classes: Sequence[str]) -> Iterator[str]:
    """The names of the metrics of a config that are of some classes."""
    return (each.name for name, each in _members(config) if name in classes)


def _unlabelled(config: EvalConfig) -> set[str]:
    """The names of those that look at no label."""
    return {each.name for _, each in _members(config) if not each.needs_label}


def _members(config: EvalConfig) -> Iterator[tuple[str, Metric]]:
    """The metrics of a config, each with its class."""
    for spec in config.metrics_specs:
        for metric in spec.metrics:
            with suppress(ConfigError):  # the class of a user, which is not registered here
                yield from members(metric.class_name, dict(metric.config))
