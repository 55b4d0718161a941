# SPDX-License-Identifier: Apache-2.0
"""A result in a notebook: charts to restyle, and the piece of HTML by which it shows itself.

A result must not import what shows it: `EvalResult.view` leads here through `results.viewing`. Altair is
imported when a chart is asked for.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from benison.data.batch import Array
from benison.errors import DataError, suggestion
from benison.report.notebook import cell, charts
from benison.report.notebook.plot_data import ASKED_BY, PLOTS, Kind, thinned
from benison.report.notebook.probe_data import curve_points, probe_rows
from benison.results.result import UNDIRECTED, EvalResult, load_result
from benison.results.row_filters import filter_rows
from benison.slicing.keys import OVERALL
from benison.table.key import SLICE_DIFFERENCE, VALUE, VIEW_COLUMNS
from benison.table.slices import slice_id, slice_ids
from benison.table.words import metric_kind, path_names
from benison.validation.terms import FAIL

if TYPE_CHECKING:
    import altair as alt

_KEYS = VIEW_COLUMNS
_MAX_LINES = 24


@dataclasses.dataclass(frozen=True)
class ResultView:
    """A result as charts of Altair, which any of Altair's methods restyle, and as HTML.

    `keys` in each are `model`, `output`, `sub_key` or `weighted`, where the name alone leaves several
    values; without `model`, the candidate's. All raise MissingExtraError without Altair.
    """

    result: EvalResult

    def html(self) -> str:
        """Verdict, reasons and worst slices as a piece of HTML, with the report folded up behind."""
        return cell.piece(self.result)

    def slices(self, metric: str, worst: int = 30, least: int = 0, **keys: Any) -> alt.LayerChart:
        """A metric over slices, the worst first, with intervals, the baseline and failed checks.

        Args:
            metric: Its name, such as "auc".
            worst: How many of the worst slices to draw; Overall always is.
            least: Leave out slices of fewer examples.
            keys: See above.

        Raises:
            DataError: There is no such metric, or several.
        """
        rows = self._slice_rows(metric, worst, least, keys)
        directed = self.result.is_bad_when_high(metric) is not None
        which = "the worst slices" if directed else f"the lowest slices, {UNDIRECTED}"
        return charts.slices(f"{metric}: {which}", metric, rows)

    def _slice_rows(
        self, metric: str, worst: int, least: int, keys: dict[str, Any]
    ) -> list[dict[str, Any]]:
        rows, before = rows_of_view(self.result, metric, keys)
        large = rows.filter(pc.greater_equal(rows["examples"], least))
        if not large.num_rows:
            most = pc.max(rows["examples"]).as_py()
            raise DataError(f"No slice has {least:,} examples; the largest has {most:,}.")
        plain = large.filter(pc.is_null(large["other_slice_key"]))
        down = "descending" if self.result.is_bad_when_high(metric) else "ascending"
        ordered = plain.filter(pc.is_finite(plain["value"])).sort_by([("value", down)])
        is_overall = pc.equal(slice_ids(ordered), slice_id(OVERALL))
        shown = pa.concat_tables(
            [ordered.filter(is_overall), ordered.filter(pc.invert(is_overall)).slice(0, worst)]
        )
        base = _by_id(before, "value")
        checks = self._outcomes(metric)
        columns = ["slice", "value", "lower", "upper", "examples"]
        return [
            {
                **{name: _plain(value) for name, value in row.items()},
                "baseline": _plain(base.get(identity)),
                "check": _CHECKED.get(checks.get(identity, ""), "none"),
            }
            for row, identity in zip(
                shown.select(columns).to_pylist(), slice_ids(shown).to_pylist(), strict=True
            )
        ]

    def _outcomes(self, metric: str) -> dict[str, str]:
        """The outcome of the checks of a metric on each slice; one failure outweighs the others."""
        checks = self.result.verdict.table
        name = metric if metric in self.result.metric_names() else metric_kind(metric)[0]
        table = checks.filter(pc.equal(checks["metric"], name))
        failed = table.filter(pc.equal(table["outcome"], FAIL))
        return _by_id(table, "outcome") | _by_id(failed, "outcome")

    def plot(
        self, name: str, slices: str | Sequence[str] = "Overall", **keys: Any
    ) -> alt.Chart | alt.LayerChart | alt.FacetChart:
        """A plot of some slices, one over the other, the baseline dashed.

        Args:
            name: roc, precision_recall, thresholds, score_distribution, gain, lift, calibration or
                residuals; the config must ask for the plot that has its points.
            slices: The names of at most 24 slices.
            keys: See above.

        Raises:
            DataError: There is no such plot or slice, or the points were not computed.
        """
        if name not in PLOTS:
            raise DataError(f"There is no plot {name!r}. {suggestion(name, PLOTS)}")
        kind = PLOTS[name]
        wanted = [slices] if isinstance(slices, str) else list(slices)
        if not 0 < len(wanted) <= _MAX_LINES:
            raise DataError(f"A plot is of 1 to {_MAX_LINES} slices, not of {len(wanted)}.")
        rows = list(self._plot_rows(name, kind, wanted, keys))
        return charts.plot(name, kind, rows)

    def _plot_rows(
        self, name: str, kind: Kind, wanted: list[str], keys: dict[str, Any]
    ) -> Iterator[dict[str, Any]]:
        points = self.result.plots
        if kind.source not in points["plot"].to_pylist():
            raise DataError(
                f"The plot {name!r} needs the points of {ASKED_BY[kind.source]}; name that among the "
                "metrics of the config, and evaluate again."
            )
        tables = rows_of_view(self.result, kind.source, keys, points, "plot")
        for model, table in zip(("candidate", "baseline"), tables, strict=True):
            for slice_ in wanted:
                row = table if not table.num_rows else filter_rows(table, slice=slice_)
                for columns in row["columns"].to_pylist():
                    yield from _points(kind, model, slice_, dict(columns))

    def probe(self, name: str, feature: str = "", **keys: Any) -> alt.LayerChart:
        """What a probe of debugging says: the curve of a feature, else values with their intervals.

        Single rows, such as those of a partial dependence, are thin lines behind the curve.

        Args:
            name: Of the probe, such as "partial_dependence".
            feature: The one whose curve to draw; "" draws the values of all.
            keys: `model` and `output`, where several were probed, or the `detail` of a finding.

        Raises:
            DataError: The probe says nothing of it, or of several models.
        """
        rows = probe_rows(self.result, name, feature, keys)
        curves = [row for row in rows if row["curve"]]
        if len(curves) == 1 and (feature or len(rows) == 1):
            return charts.curve(name.replace("_", " "), feature, curve_points(curves[0]))
        return charts.findings(name.replace("_", " "), [*map(_finding, rows)])

    def time_series(
        self,
        results: Sequence[EvalResult | str | os.PathLike[str]],
        metric: str,
        slice: str = "Overall",  # noqa: A002 - the column's word
        **keys: Any,
    ) -> alt.LayerChart:
        """A metric of a slice over this result and others, oldest first, with verdicts and baselines.

        Args:
            results: The others, as results or their directories; this one may be among them.
            metric: Its name.
            slice: The name of a slice that at least one of them has.
            keys: See above.

        Raises:
            DataError: No result has such a metric or slice.
            OutputError: A directory is not a whole result.
        """
        rows = _over_time([*map(_loaded, results), self.result], metric, slice, keys)
        return charts.time_series(metric, slice, rows)


def _finding(row: dict[str, Any]) -> dict[str, Any]:
    """A row of probes as a dot with its interval."""
    title = " ".join(filter(None, (row["feature"], row["detail"]))) or row["probe"]
    outcome = _CHECKED.get(row["outcome"], "none")
    numbers = {key: _plain(row[key]) for key in ("value", "lower", "upper", "rows")}
    return {"of": title, **numbers, "check": outcome, "sentence": row["sentence"]}


def _by_id(table: pa.Table, column: str) -> dict[str, Any]:
    """A column by the identity of the slice."""
    return dict(zip(slice_ids(table).to_pylist(), table[column].to_pylist(), strict=True))


_CHECKED = {"pass": "passed", "fail": "failed", "not_evaluated": "not evaluated"}


def rows_of_view(
    result: EvalResult,
    name: str,
    keys: dict[str, Any],
    table: pa.Table | None = None,
    column: str = "metric",
) -> tuple[pa.Table, pa.Table]:
    """The rows of one metric or plot of one candidate over all slices, and those of the baseline.

    Raises:
        DataError: There is no such name, or several models, outputs or classes have it.
    """
    for key in keys:
        if key not in _KEYS:
            raise DataError(
                f"{key!r} does not tell one value from another. {suggestion(key, _KEYS)}"
            )
    rows = _of_name(result, name) if table is None else filter_rows(table, **{column: name})
    candidates = [spec.name for spec in result.config.candidate_specs]
    model = keys.get("model", candidates[0] if len(candidates) == 1 else None)
    others = {key: value for key, value in keys.items() if key != "model"}
    rows = filter_rows(rows, **others)
    ours = rows if model is None else filter_rows(rows, model=model)
    several = [key for key in _KEYS if len(pc.unique(ours[key])) > 1]
    if several:
        choices = "; ".join(
            f"{k}: {', '.join(map(str, pc.unique(ours[k]).to_pylist()))}" for k in several
        )
        raise DataError(f"{name} has several values for a slice; say which ({choices}).")
    spec = result.config.baseline_spec
    if spec is None or spec.name == model:
        return ours, rows.slice(0, 0)
    return ours, rows.filter(pc.equal(rows["model"], spec.name))


def _of_name(result: EvalResult, name: str) -> pa.Table:
    """The rows of a metric, without its changes unless the name asks for them."""
    kinds = [VALUE, SLICE_DIFFERENCE]
    if name not in result.metric_names():
        name, kind = metric_kind(name)
        kinds = [kind]
    rows = filter_rows(result.metrics, metric=name)
    return rows.filter(pc.is_in(rows["kind"], value_set=pa.array(kinds)))


def _points(
    kind: Kind, model: str, slice_: str, columns: dict[str, list[float]]
) -> Iterator[dict[str, Any]]:
    arrays: dict[str, Array] = {name: pa.array(x).to_numpy() for name, x in columns.items()}
    for name, x, y in kind.lines(arrays):
        for i, (a, b) in enumerate(thinned(x, y)):
            line = {"slice": slice_, "model": model, "line": name, "place": i}
            yield {**line, "x": a, "y": b}


def _over_time(
    results: list[EvalResult], metric: str, slice_: str, keys: dict[str, Any]
) -> list[dict[str, Any]]:
    rows, fault = [], None
    for result, name in zip(in_order(results), run_names(in_order(results)), strict=True):
        try:
            current, before = rows_of_view(result, metric, keys)
            row = filter_rows(current, slice=slice_).to_pylist()[0]
        except DataError as error:  # a slice may be new; one that nobody has is a mistake
            fault = error
            continue
        base = before.filter(pc.equal(before["slice"], slice_))["value"].to_pylist()
        numbers = {key: _plain(row[key]) for key in ("value", "lower", "upper", "examples")}
        verdict = result.verdict.status.replace("_", " ")
        when = result.manifest.get("created", "")
        base_value = _plain(base[0]) if base else None
        rows.append(
            {"run": name, "verdict": verdict, "evaluated": when, **numbers, "baseline": base_value}
        )
    if not rows and fault is not None:
        raise fault
    return rows


def in_order(results: Sequence[EvalResult]) -> list[EvalResult]:
    """The distinct results, ordered by time of evaluation."""
    distinct = {r.path.resolve() if r.path else id(r): r for r in results}
    return sorted(distinct.values(), key=lambda result: str(result.manifest.get("created", "")))


def run_names(results: Sequence[EvalResult]) -> list[str]:
    """A name for each result: its directory, with as many parents as make the names distinct."""
    paths = [result.path.resolve().parts if result.path else ("in memory",) for result in results]
    return path_names(paths)


def _loaded(result: EvalResult | str | os.PathLike[str]) -> EvalResult:
    return result if isinstance(result, EvalResult) else load_result(os.fspath(result))


def _plain(value: Any) -> Any:
    """The value for strict JSON: undefined and infinite numbers are null."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
