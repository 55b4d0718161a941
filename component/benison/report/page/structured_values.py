# SPDX-License-Identifier: Apache-2.0
"""Renders the values that are no numbers, such as matrices, lists and samples, as plain HTML."""

from __future__ import annotations

import json
from html import escape
from typing import Any

import pyarrow.compute as pc

from benison.metrics.base import AXES
from benison.results.result import EvalResult
from benison.table.key import Key
from benison.table.words import counted, cut, metric_text, qualifier

MOST_ROWS = 30
_MOST_TEXT = 1000  # characters of a value; metrics.parquet has all
_HEADINGS = ("Slice", "Metric", "Value", "Examples")


def structured_section(result: EvalResult) -> str:
    """A section with a table, the largest slices first; "" where all values are numbers."""
    table = result.metrics.filter(pc.is_valid(result.metrics["structured"]))
    if not table.num_rows:
        return ""
    rows = table.sort_by([("examples", "descending")]).slice(0, MOST_ROWS).to_pylist()
    several = len(set(table["model"].to_pylist())) > 1
    heads = "".join(f'<th scope="col">{heading}</th>' for heading in _HEADINGS)
    body = "".join(_row(row, several) for row in rows)
    left = table.num_rows - len(rows)
    more = f"{counted(left, 'value')} of smaller slices: in metrics.parquet."
    note = f'<p class="note">{more}</p>' if left else ""
    return (
        '<section id="structured" aria-labelledby="structured-title"><h2 id="structured-title">Tables and '
        'lists</h2><div class="scroll" tabindex="0" role="region" aria-label="Tables and lists">'
        f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
        f"</div>{note}</section>"
    )


def _row(row: dict[str, Any], several_models: bool) -> str:
    of = metric_text(row["metric"], row["kind"]) + qualifier(Key.of(row), several_models)
    ends = (row["structured_lower"], row["structured_upper"])
    value = json.loads(row["structured"])
    if None not in ends:
        value = with_intervals(value, *map(json.loads, ends))
    text = "; ".join(_lines(value))
    name = f'<th scope="row" dir="auto">{escape(cut(row["slice"]))}</th>'
    cells = (escape(of), escape(cut(text, _MOST_TEXT)), f"{row['examples']:,}")
    return f"<tr>{name}{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def with_intervals(value: Any, lower: Any, upper: Any) -> Any:
    """A list, or the columns of a table, with the interval behind each number.

    >>> with_intervals({"threshold": [0.5], "true_positives": [3.0]}, *(
    ...     {"threshold": [0.5], "true_positives": [end]} for end in (1.5, 4.5)))
    {'threshold': [0.5], 'true_positives': ['3 (1.5 to 4.5)']}
    """
    if isinstance(value, dict):
        return {
            name: of if name in AXES else with_intervals(of, lower[name], upper[name])
            for name, of in value.items()
        }
    ends = zip(value, lower, upper, strict=True)
    return [f"{_text(x)} ({_text(a)} to {_text(b)})" for x, a, b in ends]


def _lines(value: Any) -> list[str]:
    """A table as a line for each of its columns, a list as a line, numbers with six digits."""
    if isinstance(value, dict):
        return [f"{name}: {_text(of)}" for name, of in value.items()]
    return [_text(value)]


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return f"{value:.6g}" if isinstance(value, float) else cut(str(value))
