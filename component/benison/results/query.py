# SPDX-License-Identifier: Apache-2.0
"""Queries a result for the rows that `benison show` prints, as a table or as JSON.

Undefined numbers are None, so that the rows are strict JSON.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from benison.errors import DataError, suggestion
from benison.results.result import EvalResult, filter_rows

Rows: TypeAlias = "list[dict[str, Any]]"

_VIEW = ("model", "output", "sub_key", "aggregation", "weighted", "slice", "metric")


def judged(result: EvalResult) -> list[str]:
    """The metrics that have thresholds; if none has, all metrics without their changes."""
    known = result.metric_names()
    checked = dict.fromkeys(check.metric for check in result.verdict.checks)
    names = [name for name in checked if name in known]
    return names or plain_metrics(result)


def plain_metrics(result: EvalResult) -> list[str]:
    """All metrics, without their changes against the baseline."""
    return [name for name in result.metric_names() if not name.endswith("_diff")]


def worst(result: EvalResult, metric: str, count: int) -> Rows:
    """The slices where a metric is worst; raises DataError without such a metric."""
    return list(_with_baseline(result, result.worst(metric, count)))


def distribution(result: EvalResult, metric: str) -> list[float]:
    """The values of a metric over slices, without Overall."""
    rows = result.worst(metric, result.metrics.num_rows)
    values: list[float] = rows.filter(pc.not_equal(rows["slice"], "Overall"))["value"].to_pylist()
    return values


def of_slice(result: EvalResult, slice_: str, metrics: Sequence[str]) -> Rows:
    """All metrics of a slice, or some; raises DataError if there is no such slice or metric."""
    rows = filter_rows(_of_candidates(result), slice=slice_)
    if metrics:
        rows = pa.concat_tables([filter_rows(rows, metric=name) for name in metrics])
    else:
        rows = rows.filter(pc.invert(pc.ends_with(rows["metric"], "_diff")))
    return list(_with_baseline(result, rows.filter(pc.is_null(rows["structured"]))))


def changes(
    result: EvalResult, others: Sequence[EvalResult], metrics: Sequence[str], slice_: str | None
) -> Rows:
    """The changes since the first of `others`, the largest first.

    If there are several others, `runs` has the values of all runs, ordered by time of evaluation. A value
    that is not in both results has no change.
    """
    before, ordered = others[0], sorted((*others, result), key=_created)
    compared = before.compare(result)
    of_candidate = pa.array([spec.name for spec in before.config.candidate_specs])
    compared = compared.filter(pc.is_in(compared["model"], of_candidate))
    known = judged(result) if slice_ is None else plain_metrics(result)
    wanted = metrics or [name for name in known if name in before.metric_names()]
    if not wanted:
        there = suggestion("", before.metric_names())
        raise DataError(f"{before.path} has none of the metrics {', '.join(known)}. {there}")
    kept = pa.concat_tables([filter_rows(compared, metric=name) for name in wanted])
    if slice_ is not None:
        kept = filter_rows(kept, slice=slice_)
    series = [_values(before.compare(run)) for run in ordered] if len(others) > 1 else []
    bad = {name: result.is_bad_when_high(name) for name in wanted}
    rows = []
    for row in kept.to_pylist():
        difference: Any = _plain(row["difference"])
        rows.append(
            {
                **{name: row[name] for name in _VIEW},
                "examples": row["examples_other"] or row["examples"],
                "was": _plain(row["value"]),
                "was_lower": _plain(row["lower"]),
                "was_upper": _plain(row["upper"]),
                "is": _plain(row["value_other"]),
                "is_lower": _plain(row["lower_other"]),
                "is_upper": _plain(row["upper_other"]),
                "change": difference,
                "worse": difference not in (None, 0.0) and (difference > 0) == bad[row["metric"]],
                "runs": [_plain(values.get(_key(row))) for values in series],
            }
        )
    return sorted(rows, key=lambda row: -abs(row["change"] or 0))


def _created(result: EvalResult) -> str:
    return str(result.manifest.get("created", ""))


def _values(compared: pa.Table) -> dict[tuple[Any, ...], float]:
    rows = compared.select([*_VIEW, "value_other"]).to_pylist()
    return {_key(row): row["value_other"] for row in rows}


def _key(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in _VIEW)


def _of_candidates(result: EvalResult) -> pa.Table:
    names = pa.array([spec.name for spec in result.config.candidate_specs])
    return result.metrics.filter(pc.is_in(result.metrics["model"], names))


def _with_baseline(result: EvalResult, rows: pa.Table) -> Iterator[dict[str, Any]]:
    """Rows of candidates, each with the baseline's value and the outcome of its checks."""
    names = pc.unique(rows["metric"])
    base, ends = _baseline_values(result, names), _ends_of_changes(result, names)
    outcomes: dict[tuple[Any, ...], str] = {}
    for check in result.verdict.checks:
        key = tuple(getattr(check, name) for name in _VIEW)
        if outcomes.get(key) != "fail":
            outcomes[key] = check.outcome
    for row in rows.to_pylist():
        value, before = row["value"], base.get(_key(row)[1:])
        lower, upper = ends.get(_key(row), (None, None))
        yield {
            **{name: row[name] for name in _VIEW},
            "examples": row["examples"],
            **{name: _plain(row[name]) for name in ("value", "lower", "upper")},
            "baseline": _plain(before),
            "change": _plain(None if before is None else value - before),
            "change_lower": _plain(lower),
            "change_upper": _plain(upper),
            "outcome": outcomes.get(_key(row)),
        }


def _baseline_values(result: EvalResult, metrics: pa.Array) -> dict[tuple[Any, ...], float]:
    spec = result.config.baseline_spec
    if spec is None:
        return {}
    table = result.metrics.filter(pc.is_in(result.metrics["metric"], metrics))
    rows = table.filter(pc.equal(table["model"], spec.name)).select([*_VIEW, "value"]).to_pylist()
    return {_key(row)[1:]: row["value"] for row in rows}


def _ends_of_changes(
    result: EvalResult, metrics: pa.Array
) -> dict[tuple[Any, ...], tuple[float, float]]:
    """The intervals of the changes of some metrics from the baseline, where there are any."""
    changes = {f"{name}_diff": name for name in metrics.to_pylist()}
    table = result.metrics.filter(pc.is_finite(result.metrics["lower"]))
    table = table.filter(pc.is_in(table["metric"], pa.array(changes, pa.string())))
    return {
        _key({**row, "metric": changes[row["metric"]]}): (row["lower"], row["upper"])
        for row in table.select([*_VIEW, "lower", "upper"]).to_pylist()
    }


def _plain(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else value
