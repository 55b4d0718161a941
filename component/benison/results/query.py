# SPDX-License-Identifier: Apache-2.0
"""Queries a result for the rows that `benison show` prints, as a table or as JSON.

Undefined numbers are None, so that the rows are strict JSON.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from benison.errors import DataError, suggestion
from benison.results.result import IDENTITY, EvalResult
from benison.results.row_filters import filter_rows
from benison.slicing.keys import OVERALL
from benison.table.key import CHANGE, KEY_COLUMNS, Key
from benison.table.slices import slice_id, slice_ids
from benison.validation.terms import FAIL

Rows: TypeAlias = "list[dict[str, Any]]"

_SHOWN = (*KEY_COLUMNS, "slice")
_STRUCTURED = ("structured", "structured_lower", "structured_upper")


def judged(result: EvalResult) -> list[str]:
    """The metrics that have thresholds, else all."""
    known = result.metric_names()
    checked = pc.unique(result.verdict.table["metric"]).to_pylist()
    names = [name for name in checked if name in known]
    return names or known


def worst(result: EvalResult, metric: str, count: int) -> Rows:
    """The slices where a metric is worst, else lowest; raises DataError without such a metric.

    Of a metric whose values are no numbers, such as a matrix or a sample, they are the largest slices.
    """
    ranked = result.ranked(metric)
    if not ranked.num_rows:
        rows = _without_changes(_of_candidates(result))
        rows = rows.filter(pc.equal(rows["metric"], metric))
        kept = pc.and_(pc.is_valid(rows["structured"]), pc.is_null(rows["other_slice_key"]))
        ranked = rows.filter(kept).sort_by([("examples", "descending")])
    return list(_shown_rows(result, ranked.slice(0, count)))


def weak_slices(result: EvalResult) -> Rows:
    """The slices that a search has confirmed, as weak_slices.parquet has them, the strongest first."""
    return [
        {name: _plain(value) if isinstance(value, float) else value for name, value in row.items()}
        for row in result.weak_slices.to_pylist()
    ]


def distribution(result: EvalResult, metric: str) -> list[float]:
    """The values of a metric over slices, those of Overall left out."""
    rows = result.ranked(metric)
    plain = pc.not_equal(slice_ids(rows), slice_id(OVERALL))
    values: list[float] = rows.filter(plain)["value"].to_pylist()
    return values


def of_slice(result: EvalResult, slice_: str, metrics: Sequence[str]) -> Rows:
    """All metrics of a slice, or some; raises DataError if there is no such slice or metric."""
    rows = _without_changes(filter_rows(_of_candidates(result), slice=slice_))
    if metrics:
        rows = pa.concat_tables([filter_rows(rows, metric=name) for name in metrics])
    return list(_shown_rows(result, rows))


def metrics_of_slice(result: EvalResult, slice_: str) -> list[str]:
    """The metrics that have values of a slice; none for a slice that only checks have."""
    rows = _without_changes(_of_candidates(result))
    names: list[str] = pc.unique(rows.filter(pc.equal(rows["slice"], slice_))["metric"]).to_pylist()
    return names


def _without_changes(table: pa.Table) -> pa.Table:
    return table.filter(pc.not_equal(table["kind"], CHANGE))


def changes(
    result: EvalResult, others: Sequence[EvalResult], metrics: Sequence[str], slice_: str | None
) -> Rows:
    """The changes since the first of `others`, the largest first.

    If there are several others, `runs` has the values of all runs, ordered by time of evaluation. A value
    that is not in both results has no change. `bad_way` is "lower" or "higher" where a value went to its bad
    end, and `worse` is true where also the intervals of both runs lie apart.
    """
    before, ordered = others[0], sorted((*others, result), key=_created)
    compared = before.compare(result)
    of_candidate = pa.array([spec.name for spec in before.config.candidate_specs], pa.string())
    compared = _without_changes(compared.filter(pc.is_in(compared["model"], of_candidate)))
    known = judged(result) if slice_ is None else result.metric_names()
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
                **{name: row[name] for name in _SHOWN},
                "examples": row["examples_other"] or row["examples"],
                "was": _plain(row["value"]),
                "was_lower": _plain(row["lower"]),
                "was_upper": _plain(row["upper"]),
                "is": _plain(row["value_other"]),
                "is_lower": _plain(row["lower_other"]),
                "is_upper": _plain(row["upper_other"]),
                "change": difference,
                **_for_the_worse(row, difference, bad[row["metric"]]),
                "runs": [_plain(values.get(_row_identity(row))) for values in series],
            }
        )
    return sorted(rows, key=lambda row: -abs(row["change"] or 0))


def _for_the_worse(
    row: dict[str, Any], difference: float | None, is_bad_when_high: bool | None
) -> dict[str, Any]:
    """Where a change is for the worse which way it went, and whether the intervals show that.

    Intervals that lie apart show it whatever the two runs have in common. Both are None where nothing says
    which end is good.
    """
    if is_bad_when_high is None:
        return {"bad_way": None, "worse": None}
    if not difference or (difference > 0) != is_bad_when_high:
        return {"bad_way": "", "worse": False}
    if is_bad_when_high:
        return {"bad_way": "higher", "worse": bool(row["lower_other"] > row["upper"])}
    return {"bad_way": "lower", "worse": bool(row["upper_other"] < row["lower"])}


def _created(result: EvalResult) -> str:
    return str(result.manifest.get("created", ""))


def _values(compared: pa.Table) -> dict[tuple[Any, ...], float]:
    rows = compared.select([*KEY_COLUMNS, IDENTITY, "value_other"]).to_pylist()
    return {_row_identity(row): row["value_other"] for row in rows}


def _row_identity(row: dict[str, Any]) -> tuple[Any, ...]:
    """The key of a row that `compare` gave, and the identity of its slice."""
    return Key.of(row), row[IDENTITY]


def _of_candidates(result: EvalResult) -> pa.Table:
    names = pa.array([spec.name for spec in result.config.candidate_specs], pa.string())
    return result.metrics.filter(pc.is_in(result.metrics["model"], names))


def _shown_rows(result: EvalResult, table: pa.Table) -> Iterator[dict[str, Any]]:
    """Rows of candidates, each with the baseline's value and the outcome of its checks."""
    beside = _Beside(result, pc.unique(table["metric"]))
    for row, identity in zip(table.to_pylist(), slice_ids(table).to_pylist(), strict=True):
        key = Key.of(row)
        value, before = row["value"], beside.baseline_value(key, identity)
        lower, upper = beside.change_interval(key, identity)
        yield {
            **{name: row[name] for name in _SHOWN},
            "examples": row["examples"],
            "evaluated": row["evaluated"],
            **{name: _plain(row[name]) for name in ("value", "lower", "upper")},
            **{name: _structured(row[name]) for name in _STRUCTURED},
            "baseline": _plain(before),
            "change": _plain(None if before is None else value - before),
            "change_lower": _plain(lower),
            "change_upper": _plain(upper),
            "outcome": beside.outcomes.get((key, identity)),
        }


class _Beside:
    """What stands beside a candidate's values: the baseline's, intervals of changes, and outcomes."""

    def __init__(self, result: EvalResult, metrics: pa.Array) -> None:
        self._baseline = result.config.baseline_spec
        table = result.metrics.filter(pc.is_in(result.metrics["metric"], metrics))
        columns = [*KEY_COLUMNS, "value", "lower", "upper"]
        rows = zip(table.select(columns).to_pylist(), slice_ids(table).to_pylist(), strict=True)
        self._rows = {(Key.of(row), identity): row for row, identity in rows}
        self.outcomes: dict[tuple[Key, str], str] = {}
        checks = result.verdict.table
        outcomes = zip(
            checks.select([*KEY_COLUMNS, "outcome"]).to_pylist(),
            slice_ids(checks).to_pylist(),
            strict=True,
        )
        for row, identity in outcomes:
            key = (Key.of(row), identity)
            if self.outcomes.get(key) != FAIL:
                self.outcomes[key] = row["outcome"]

    def baseline_value(self, key: Key, identity: str) -> float | None:
        """The baseline's value of the same key and slice."""
        if self._baseline is None:
            return None
        row = self._rows.get((key.of_model(self._baseline.name), identity))
        return None if row is None else row["value"]

    def change_interval(self, key: Key, identity: str) -> tuple[float | None, float | None]:
        """The interval of the change of a value from the baseline, where there is one."""
        row = self._rows.get((key.as_kind(CHANGE), identity))
        return (None, None) if row is None else (row["lower"], row["upper"])


def _structured(text: str | None) -> Any:
    return None if text is None else json.loads(text, parse_constant=lambda _: None)


def _plain(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else value
