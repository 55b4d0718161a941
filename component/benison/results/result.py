# SPDX-License-Identifier: Apache-2.0
"""Loads the results of an evaluation, looks values up and compares results."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benison import tfma
from benison.config import EvalConfig, SlicingSpec
from benison.errors import ConfigError, DataError, MissingExtraError, OutputError, suggestion
from benison.metrics import About, describe, from_config
from benison.output import blessing
from benison.paths import Location, RemotePath, fetched, in_arrow, locate
from benison.slicing.keys import SliceKey, slice_name
from benison.table.schema import METRICS_SCHEMA, PLOTS_SCHEMA
from benison.table.slices import Slices
from benison.validation.verdict import Verdict

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

_CHOICES = ("model", "output", "sub_key", "aggregation", "weighted")
_KEYS = (*_CHOICES, "slice", "metric")


class Viewer(Protocol):
    """Shows a result in a notebook; `report.notebook.view.ResultView` is the implementation."""

    def __init__(self, result: EvalResult) -> None: ...

    def html(self) -> str:
        """Verdict, reasons and worst slices as a piece of HTML, with the report folded up behind."""

    def slices(self, metric: str, worst: int = 30, least: int = 0, **keys: Any) -> alt.LayerChart:
        """A metric over slices."""

    def plot(
        self, name: str, slices: str | Sequence[str] = "Overall", **keys: Any
    ) -> alt.Chart | alt.LayerChart | alt.FacetChart:
        """A plot of some slices, one over the other."""

    def time_series(
        self,
        results: Sequence[Any],
        metric: str,
        slice: str = "Overall",  # noqa: A002 - the column's word
        **keys: Any,
    ) -> alt.LayerChart:
        """A metric of a slice over this result and others."""


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

    # Set by benison/__init__.py, because the report imports this module.
    view_class: ClassVar[type[Viewer]]

    @property
    def view(self) -> Viewer:
        """Charts for notebooks: `view.slices("auc")`, `view.plot("roc")`, `view.time_series(...)`."""
        return self.view_class(self)

    def _repr_html_(self) -> str:
        return self.view.html()

    def __repr__(self) -> str:
        slices, values = len(pc.unique(self.metrics["slice"])), self.metrics.num_rows
        return (
            f"<EvalResult {self.verdict.status}, {slices:,} slices, {values:,} values, {self.path}>"
        )

    @cached_property
    def plots(self) -> pa.Table:
        """The rows of plots.parquet, read when they are first asked for."""
        if self._plots is not None:
            return self._plots
        if self.path is None:
            return PLOTS_SCHEMA.empty_table()
        blessing.check_whole(self.path, "plots.parquet")
        return _table(self.path / "plots.parquet")

    @property
    def provenance(self) -> str:
        """When and by which version it was made, such as `2026-01-31T12:00:00+00:00 by Benison 0.1.0`."""
        ours = f"Benison {self.manifest.get('benison')}"
        return f"{self.manifest['created']} by {self.manifest.get('written_by', ours)}"

    def to_pandas(self) -> pd.DataFrame:
        """The metrics as a data frame; raises MissingExtraError without pandas."""
        try:
            import pandas  # noqa: F401
        except ImportError as error:
            raise MissingExtraError("pandas", "pandas") from error
        frame: pd.DataFrame = self.metrics.to_pandas()
        return frame

    def metric_names(self) -> list[str]:
        """The names of the metrics, in their order."""
        names: list[str] = pc.unique(self.metrics["metric"]).to_pylist()
        return names

    def slices(self) -> list[str]:
        """The names of the slices, in their order."""
        names: list[str] = pc.unique(self.metrics["slice"]).to_pylist()
        return names

    def value(
        self,
        metric: str,
        slice: str | Mapping[str, Any] | SliceKey = "Overall",  # noqa: A002 - the column's word
        **keys: Any,
    ) -> float:
        """One number.

        Args:
            metric: Its name, such as "auc" or "auc_diff".
            slice: The name of the slice, or its features and values.
            keys: `model`, `output`, `sub_key`, `aggregation` or `weighted`, where the metric and slice
                alone leave several; without `model`, the candidate's.

        Raises:
            DataError: There is no such value, or several.
        """
        for key in keys:
            if key not in _CHOICES:
                hint = suggestion(key, _CHOICES)
                raise DataError(f"{key!r} does not tell one value from another. {hint}")
        candidates = self.config.candidate_specs
        if "model" not in keys and self.config.baseline_spec is not None and len(candidates) == 1:
            keys["model"] = candidates[0].name
        rows = filter_rows(self.metrics, metric=metric)
        name = slice if isinstance(slice, str) else _name_of(dict(slice), rows)
        rows = filter_rows(rows, slice=name, **keys)
        if rows.num_rows > 1:
            varied = [key for key in _CHOICES if len(pc.unique(rows[key])) > 1]
            raise DataError(
                f"{metric} of {name} has {rows.num_rows} values; say which {', '.join(varied)}."
            )
        number: float = rows["value"][0].as_py()
        return number

    def worst(self, metric: str, n: int = 10) -> pa.Table:
        """The candidates' rows of the `n` slices where a metric is worst, the worst first.

        `is_bad_when_high` says which values are bad. Undefined values and comparisons of slices are left
        out.

        Raises:
            DataError: There is no such metric.
        """
        rows = filter_rows(self.metrics, metric=metric)
        candidates = pa.array([spec.name for spec in self.config.candidate_specs])
        rows = rows.filter(pc.is_in(rows["model"], candidates))
        plain = Slices.of_table(rows).plain
        rows = rows.filter(pc.and_(pa.array(plain), pc.invert(pc.is_nan(rows["value"]))))
        order = "descending" if self.is_bad_when_high(metric) else "ascending"
        return rows.sort_by([("value", order)]).slice(0, n)

    def is_bad_when_high(self, metric: str) -> bool:
        """Whether high values of a metric are bad; for a change it is the same as for its metric.

        They are if all thresholds on the metric are upper bounds, or if it has no threshold and its
        description says that lower is better.
        """
        names = (metric, metric.removesuffix("_diff"))
        judged = [check for check in self.verdict.checks if check.metric in names]
        from_below = any(not math.isnan(check.lower) for check in judged)
        from_above = any(not math.isnan(check.upper) for check in judged)
        if from_below or from_above:
            return not from_below
        known = metric_info([self])
        return any(known[name].higher_is_better is False for name in names if name in known)

    def compare(self, other: EvalResult) -> pa.Table:
        """The values of two results side by side with their intervals, and `difference`: other - this.

        A value that only one of them has is null on the other side. If each has one candidate, these are
        compared even if their names differ.
        """
        columns = [*_KEYS, "value", "lower", "upper", "examples"]
        joined = self.metrics.select(columns).join(
            _as_candidate_of(self.config, other).select(columns),
            list(_KEYS),
            right_suffix="_other",
            join_type="full outer",
        )
        difference = pc.subtract(joined["value_other"], joined["value"])
        return joined.append_column("difference", difference).sort_by(
            [(key, "ascending") for key in _KEYS]
        )


def filter_rows(rows: pa.Table, **wanted: Any) -> pa.Table:
    """The rows of a table of metrics or plots that have the given values in the given columns.

    Raises:
        DataError: No row has one of the values; the message lists those that exist.
    """
    for column, value in wanted.items():
        matching = rows.filter(pc.equal(rows[column], pa.scalar(value)))
        if not matching.num_rows:
            hint = suggestion(str(value), map(str, pc.unique(rows[column]).to_pylist()))
            raise DataError(f"The results have no {column} {value!r}. {hint}")
        rows = matching
    return rows


def metric_info(results: Iterable[EvalResult]) -> dict[str, About]:
    """The description of each metric by its name in the results.

    A metric that is not registered in this process is left out: the program that evaluates registers a
    user's metric, the program that shows results usually does not.
    """
    configs = {
        (config.class_name, json.dumps(dict(config.config), default=str, sort_keys=True)): config
        for result in results
        for spec in result.config.metrics_specs
        for config in spec.metrics
    }
    infos = {}
    for config in configs.values():
        with suppress(ConfigError):
            infos[from_config(config.class_name, dict(config.config)).name] = describe(
                config.class_name
            )
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


def _name_of(wanted: Mapping[str, Any], rows: pa.Table) -> str:
    """The name of the slice with these values, where 5, 5.0 and "5" are equal."""
    texts = {feature: _text(value) for feature, value in wanted.items()}
    name = slice_name(tuple(sorted(texts.items())))
    if not pc.any(pc.equal(rows["slice"], name)).as_py():
        slices = Slices.of_table(rows)
        for index in slices.of_spec(SlicingSpec(feature_values=texts)):
            return slices.names[int(index)]
    return name


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def load_result(path: str | os.PathLike[str] | RemotePath) -> EvalResult:
    """Load the result of an evaluation by Benison or by TFMA, from this machine or an object store.

    The manifest of a TFMA result says so, and its verdict has the checks that TFMA recorded.

    Raises:
        OutputError: The directory is not a whole result, or a newer Benison wrote it.
        MissingExtraError: It is TFMA's, and protobuf or google-crc32c is not installed.
    """
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
    try:
        metrics = _metrics(directory / "metrics.parquet")
        verdict = Verdict.from_dict(_json(directory / "verdict.json"))
        config = EvalConfig.load(_json(directory / "config.json"))
    except OutputError:
        raise
    except (OSError, pa.ArrowException, ValueError, KeyError, TypeError) as error:
        raise OutputError(f"The result in {directory} cannot be read: {error}.") from error
    return EvalResult(metrics, verdict, config, manifest, directory)


def _table(path: Location) -> pa.Table:
    file_system, name = in_arrow(path)
    return pq.read_table(name, filesystem=file_system)


def _metrics(path: Location) -> pa.Table:
    table = _table(path)
    lacking = [name for name in METRICS_SCHEMA.names if name not in table.column_names]
    if lacking:
        raise OutputError(f"{path} lacks the columns {', '.join(lacking)}; evaluate again.")
    return table


def _json(path: Location) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
