# SPDX-License-Identifier: Apache-2.0
"""Loads the results of an evaluation, looks values up and compares results."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benison.config import EvalConfig
from benison.errors import ConfigError, DataError, MissingExtraError, OutputError, suggestion
from benison.metrics import About, describe
from benison.metrics.groups import members
from benison.output import blessing
from benison.paths import Location, RemotePath, fetched, locate
from benison.results import viewing
from benison.results.row_filters import filter_rows, filter_slice, shown_slice
from benison.results.viewing import Viewer
from benison.results.written_rows import no_rows, written_rows
from benison.results.written_tables import (
    CHECKS,
    readable,
    written_probes,
    written_table,
    written_verdict,
    written_weak_slices,
)
from benison.slicing.keys import SliceKey
from benison.table import documents
from benison.table.alike import rows_by
from benison.table.key import CHANGE, KEY_COLUMNS, SLICE_RATIO, VALUE, VIEW_COLUMNS
from benison.table.row_files import ANALYSIS
from benison.table.schema import METRICS_SCHEMA, PLOTS_SCHEMA
from benison.table.slices import slice_codes, slice_ids
from benison.table.words import counted, metric_kind
from benison.validation.terms import LOWER
from benison.validation.verdict import Verdict

_LOGGER = logging.getLogger("benison")

UNDIRECTED = (
    "direction unknown: a bound on one side, or higher_is_better in a class of yours, says it"
)
"""What is said where values would be called worse or better, and nothing says which are."""

if TYPE_CHECKING:
    import pandas as pd

_CHOICES = (*VIEW_COLUMNS, "kind")
IDENTITY = "slice_id"
"""The column of `compare` that tells slices apart, whose names may be equal."""


@dataclasses.dataclass(frozen=True)
class EvalResult:
    """The results of one evaluation.

    `metrics` has the columns of metrics.parquet; `manifest` says what was evaluated, with digests;
    `path` is the output directory, or None if nothing was written.
    """

    metrics: pa.Table
    verdict: Verdict
    config: EvalConfig
    manifest: dict[str, Any]
    path: Location | None = None
    _plots: pa.Table | None = None
    _rows: Mapping[str, pa.Table] = dataclasses.field(default_factory=dict)
    _weak_slices: pa.Table | None = None
    unannounced: str = ""
    """Why a registry of models does not say the verdict; "" if it does, or was not asked to."""
    _probes: pa.Table | None = None

    @property
    def view(self) -> Viewer:
        """Charts for notebooks: `view.slices("auc")`, `view.plot("roc")`, `view.time_series(...)`."""
        return viewing.view_of(self)

    def _repr_html_(self) -> str:
        return self.view.html()

    def __repr__(self) -> str:
        rows = self.metrics
        compared = len(slice_codes(rows.filter(pc.is_valid(rows["other_slice_key"])))[0])
        parts = [counted(len(slice_codes(rows)[0]) - compared, "slice")]
        parts += [counted(compared, "comparison")] if compared else []
        numbers = f"{', '.join(parts)}, {counted(rows.num_rows, 'value')}"
        return f"<EvalResult {self.verdict.status}, {numbers}, {self.path}>"

    @cached_property
    def plots(self) -> pa.Table:
        """The rows of plots.parquet, read when they are first asked for."""
        if self._plots is not None:
            return self._plots
        if self.path is None:
            return PLOTS_SCHEMA.empty_table()
        blessing.check_whole(self.path, "plots.parquet")
        with readable(self.path):
            return written_table(self.path / "plots.parquet", PLOTS_SCHEMA)

    @cached_property
    def weak_slices(self) -> pa.Table:
        """The rows of weak_slices.parquet, the strongest first; none where the config asks for no search."""
        return written_weak_slices(self.path) if self._weak_slices is None else self._weak_slices

    @cached_property
    def probes(self) -> pa.Table:
        """The rows of probes.parquet, a finding each; none where the config asks for no debugging."""
        return written_probes(self.path) if self._probes is None else self._probes

    def analysis(self, name: str = ANALYSIS) -> pa.Table:
        """The rows that an evaluator of rows has written: by default those of `options.analysis_columns`.

        Where they do not fit into memory, read `path / "analysis"` with a tool for such files.

        Raises:
            DataError: There are none of that name.
            OutputError: They are not as they were written.
        """
        if name in self._rows:
            return self._rows[name]
        if self.path is None:
            raise no_rows(name, list(self._rows))
        return written_rows(self.path, name)

    @property
    def provenance(self) -> str:
        """When and by what, such as `2026-01-31T12:00:00+00:00 by Benison 0.1.0`."""
        ours = f"Benison {self.manifest.get('benison')}"
        return f"{self.manifest['created']} by {self.manifest.get('written_by', ours)}"

    def to_pandas(self) -> pd.DataFrame:
        """The metrics as a data frame; raises MissingExtraError without pandas."""
        try:
            frame: pd.DataFrame = self.metrics.to_pandas()
        except ImportError as error:
            raise MissingExtraError("pandas", "pandas") from error
        return frame

    def metric_names(self) -> list[str]:
        """The names of the metrics, in their order."""
        names: list[str] = pc.unique(self.metrics["metric"]).to_pylist()
        return names

    def slices(self) -> list[str]:
        """The name of each slice, in their order; two slices may have one name."""
        _, codes = slice_codes(self.metrics)
        firsts = np.unique(codes, return_index=True)[1]
        names: list[str] = self.metrics["slice"].take(pa.array(firsts)).to_pylist()
        return names

    def value(
        self,
        metric: str,
        slice: str | Mapping[str, Any] | SliceKey = "Overall",  # noqa: A002 - the column's word
        **keys: Any,
    ) -> float:
        """One number.

        Args:
            metric: Its name, such as "auc"; "auc_diff" is short for the kind "change".
            slice: The name of the slice, or its features and values.
            keys: `model`, `output`, `sub_key`, `aggregation`, `weighted` or another column of the key, where
                the metric and slice alone leave several; without `model`, the candidate's, and without
                `kind` the value, or for the name of a comparison of slices the difference.

        Raises:
            DataError: There is no such value, or several.
        """
        rows = self.rows(metric, **keys)
        rows = filter_slice(rows, slice)
        if rows.num_rows > 1:
            varied = [key for key in _CHOICES if len(pc.unique(rows[key])) > 1]
            ambiguous = "the features and values of the slice, because two slices have that name"
            what = f"which {', '.join(varied)}" if varied else ambiguous
            raise DataError(
                f"{metric} of {shown_slice(slice)} has {rows.num_rows} values; say {what}."
            )
        number: float = rows["value"][0].as_py()
        return number

    def rows(self, metric: str, **keys: Any) -> pa.Table:
        """The rows of a metric over slices, as `value` chooses them.

        Raises:
            DataError: No row has the metric, or one of the keys.
        """
        for key in keys:
            if key not in _CHOICES:
                hint = suggestion(key, _CHOICES)
                raise DataError(f"{key!r} does not tell one value from another. {hint}")
        candidates = self.config.candidate_specs
        if "model" not in keys and self.config.baseline_spec is not None and len(candidates) == 1:
            keys["model"] = candidates[0].name
        if "kind" not in keys and metric not in self.metric_names():
            metric, keys["kind"] = metric_kind(metric)
        rows = filter_rows(self.metrics, metric=metric)
        if "kind" not in keys:
            plain = pc.or_(pc.equal(rows["kind"], VALUE), pc.is_valid(rows["other_slice_key"]))
            ratio = pc.or_(pc.equal(rows["kind"], SLICE_RATIO), pc.equal(rows["kind"], CHANGE))
            rows = rows.filter(pc.and_(plain, pc.invert(ratio)))
        return filter_rows(rows, **keys)

    def worst(self, metric: str, n: int = 10) -> pa.Table:
        """The candidates' rows of the `n` slices where a metric is worst, the worst first.

        `is_bad_when_high` says which values are bad; where nothing says it, a warning does, and the lowest
        come first. Undefined values and comparisons of slices are left out.

        Raises:
            DataError: There is no such metric.
        """
        rows = self.ranked(metric)
        if self.is_bad_when_high(metric) is None:
            _LOGGER.warning(
                "The lowest slices of %s are given as its worst: %s.", metric, UNDIRECTED
            )
        return rows.slice(0, n)

    def ranked(self, metric: str) -> pa.Table:
        """As `worst`, of all slices, without a word where nothing says which values are bad.

        Raises:
            DataError: There is no such metric.
        """
        names = pa.array([spec.name for spec in self.config.candidate_specs], pa.string())
        name, kind = (metric, VALUE) if metric in self.metric_names() else metric_kind(metric)
        rows = filter_rows(self.metrics, metric=name)
        wanted = pc.and_(pc.is_in(rows["model"], names), pc.equal(rows["kind"], kind))
        rows = rows.filter(pc.and_(wanted, pc.is_null(rows["other_slice_key"])))
        rows = rows.filter(pc.invert(pc.is_nan(rows["value"])))
        order = "descending" if self.is_bad_when_high(metric) else "ascending"
        return rows.sort_by([("value", order)])

    @property
    def level(self) -> float:
        """The confidence of the intervals, between 0.5 and 1."""
        return self.config.options.interval_level

    def is_bad_when_high(self, metric: str) -> bool | None:
        """Whether high values are the bad ones; None where nothing says it. A change is as its metric is.

        Thresholds on one side say it, else the metric (`Metric.higher_is_better`).
        """
        name = metric if metric in self._sides else metric_kind(metric)[0]
        sides = self._sides.get(name, set())
        if len(sides) == 1:
            return LOWER not in sides
        about = self.about.get(name)
        better = None if about is None else about.higher_is_better
        return None if better is None else not better

    @cached_property
    def _sides(self) -> dict[str, set[str]]:
        """On which sides each metric has thresholds on slices, by its name in the results."""
        sides: dict[str, set[str]] = {name: set() for name in self.metric_names()}
        of_slices = pc.is_in(self.verdict.table["kind"], pa.array([VALUE, CHANGE]))
        for name, side in rows_by(self.verdict.table.filter(of_slices), ["metric", "side"]):
            sides.setdefault(name, set()).update({side} - {""})
        return sides

    @cached_property
    def about(self) -> dict[str, About]:
        """What is known of each metric, by its name in the results."""
        return metric_info([self])

    def compare(self, other: EvalResult) -> pa.Table:
        """The values of two results side by side with their intervals, and `difference`: other - this.

        A value that only one of them has is null on the other side. If each has one candidate, these are
        compared even if their names differ.
        """
        sides = [_with_ids(self.metrics), _with_ids(_as_candidate_of(self.config, other))]
        keys = [*KEY_COLUMNS, IDENTITY]
        joined = sides[0].join(sides[1], keys, right_suffix="_other", join_type="full outer")
        difference = pc.subtract(joined["value_other"], joined["value"])
        names = pc.coalesce(joined["slice"], joined["slice_other"])
        order = [*VIEW_COLUMNS, "slice", "metric", "kind"]
        joined = joined.append_column("difference", difference)
        joined = joined.set_column(joined.schema.get_field_index("slice"), "slice", names)
        return joined.sort_by([(key, "ascending") for key in order])


def _with_ids(metrics: pa.Table) -> pa.Table:
    """What is compared, with a column that is the identity of the slice."""
    columns = [*KEY_COLUMNS, "slice", "value", "lower", "upper", "examples"]
    return metrics.select(columns).append_column(IDENTITY, slice_ids(metrics))


def metric_info(results: Iterable[EvalResult]) -> dict[str, About]:
    """What is known of each metric by its name in results.

    Of a metric that is not registered in this process it is only which end is good, as the manifest has it:
    the program that evaluates registers a user's metric, the program that shows results usually does not.
    """
    given = list(results)
    recorded = {
        name: About("", better)
        for result in given
        for name, better in result.manifest.get("directions", {}).items()
    }
    return recorded | described_metrics(result.config for result in given)


def described_metrics(given: Iterable[EvalConfig]) -> dict[str, About]:
    """What is known of each metric of configs that is registered here, by its name in results."""
    configs = {
        (config.class_name, json.dumps(dict(config.config), default=str, sort_keys=True)): config
        for each in given
        for spec in each.metrics_specs
        for config in spec.metrics
    }
    infos = {}
    for config in configs.values():
        with suppress(ConfigError):
            for class_name, metric in members(config.class_name, dict(config.config)):
                infos[metric.name] = describe(class_name)
    return infos


def _as_candidate_of(config: EvalConfig, other: EvalResult) -> pa.Table:
    """The metrics of `other`, its candidate renamed to that of `config` if each has one candidate."""
    ours, theirs = config.candidate_specs, other.config.candidate_specs
    if len(ours) != 1 or len(theirs) != 1 or ours[0].name == theirs[0].name:
        return other.metrics
    model = other.metrics["model"]
    renamed = pc.if_else(pc.equal(model, theirs[0].name), ours[0].name, model)
    index = other.metrics.schema.get_field_index("model")
    return other.metrics.set_column(index, other.metrics.schema.field(index), renamed)


def load_result(path: str | os.PathLike[str] | RemotePath) -> EvalResult:
    """Load the result of an evaluation by Benison or by TFMA, from this machine or an object store.

    The manifest of a TFMA result says so, and its verdict has the checks that TFMA recorded.

    Raises:
        OutputError: The directory is not a whole result, or a newer Benison wrote it.
        MissingExtraError: It is TFMA's, and protobuf or google-crc32c is not installed.
    """
    from benison import tfma

    directory = locate(path, OutputError)
    try:
        if not directory.is_dir():
            raise OutputError(f"There is no result at {directory}.")
        of_tfma = tfma.is_output(directory)
    except OSError as error:
        raise OutputError(f"The result at {directory} cannot be read: {error}.") from error
    if of_tfma:
        with fetched(directory) as folder:
            parts = tfma.read(folder)
        return EvalResult(
            parts.metrics, parts.verdict, parts.config, parts.manifest, directory, parts.plots
        )
    manifest = blessing.check_whole(directory, "metrics.parquet", "verdict.json", "config.json")
    if (directory / CHECKS).is_file():
        blessing.check_whole(directory, CHECKS)
    with readable(directory):
        metrics = written_table(directory / "metrics.parquet", METRICS_SCHEMA)
        verdict = written_verdict(directory)
        config = EvalConfig.load(documents.read_json((directory / "config.json").read_bytes()))
    return EvalResult(metrics, verdict, config, manifest, directory)
