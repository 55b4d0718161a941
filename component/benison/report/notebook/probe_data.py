# SPDX-License-Identifier: Apache-2.0
"""Picks what a chart of a probe draws from the rows of probes.parquet."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from benison.errors import DataError, suggestion
from benison.results.result import EvalResult

_KEYS = ("model", "output", "detail")


def probe_rows(
    result: EvalResult, name: str, feature: str, keys: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The findings of one probe of one model and output, of one feature or of all.

    Raises:
        DataError: There are none, or they are of several models or outputs.
    """
    for key in keys:
        if key not in _KEYS:
            raise DataError(f"{key!r} does not tell findings apart. {suggestion(key, _KEYS)}")
    every = result.probes.to_pylist()
    named = [row for row in every if row["probe"] == name]
    if not named:
        hint = suggestion(name, {row["probe"] for row in every})
        raise DataError(f"There is nothing of a probe {name!r}. {hint}")
    rows = named
    for key, value in {**({"feature": feature} if feature else {}), **keys}.items():
        rows = _rows_of(name, rows, key, value)
    for key in ("model", "output"):
        choices = sorted({row[key] for row in rows})
        if len(choices) > 1:
            raise DataError(f"{name} is of several; say which ({key}: {', '.join(choices)}).")
    return rows


def _rows_of(name: str, rows: list[dict[str, Any]], key: str, value: Any) -> list[dict[str, Any]]:
    """The findings of a probe that have a value."""
    of_it = [row for row in rows if row[key] == value]
    if not of_it:
        hint = suggestion(str(value), {row[key] for row in rows} - {""})
        raise DataError(f"{name} says nothing of the {key} {value!r}. {hint}")
    return of_it


def curve_points(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The points of the curve, whose line is "mean", and of the lines of single rows."""
    names = [point["at"] for point in row["curve"]]
    at = _numbers(names)
    means = [point["value"] for point in row["curve"]]
    return [
        {"line": line, "place": i, "at": at[i], "value": value if math.isfinite(value) else None}
        for line, values in _lines(means, row["lines"] or ())
        for i, value in enumerate(values)
    ]


def _lines(means: Any, lines: Any) -> Iterator[tuple[str, Any]]:
    yield "mean", means
    yield from ((f"row {i}", line) for i, line in enumerate(lines, start=1))


def _numbers(names: list[str]) -> list[Any]:
    """Numbers if all are, to be drawn on a scale; else the names."""
    try:
        numbers = [float(name) for name in names]
    except ValueError:
        return [*names]
    return numbers if all(map(math.isfinite, numbers)) else [*names]
