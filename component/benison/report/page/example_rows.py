# SPDX-License-Identifier: Apache-2.0
"""Renders the rows of failed slices on which a model is worst or became worse, where some were kept."""

from __future__ import annotations

import itertools
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

from benison.data.batch import joined_name
from benison.errors import DataError
from benison.results.result import EvalResult
from benison.table.row_files import BY_ERROR, BY_INCREASE, FAILED_SLICES
from benison.table.words import counted, cut

MOST_SLICES, _MOST_ROWS, _MOST_COLUMNS, _MOST_TEXT = 20, 20, 15, 60
_GROUP = ("model", "output", "slice", "ranked_by")
_ERROR = (
    "The error is how far the prediction is from the label; of several classes, the best score of the others "
    "less that of the label."
)
_INCREASE = (
    "Where a change from the baseline failed, the rows are those that were lost: their error grew most from "
    "the baseline to the candidate, and rows whose error did not grow are left out."
)


def example_section(result: EvalResult) -> str:
    """A section with a table for each slice, the farthest off first; "" where no rows were looked for."""
    facts = result.manifest.get("slice_examples", {})
    if not facts.get("slices"):
        return ""
    try:
        rows = result.analysis(FAILED_SLICES).to_pylist() if facts["rows"] else []
    except DataError:  # disabled_outputs has left them out
        return ""
    kinds = {row["ranked_by"] for row in rows} or {BY_INCREASE}
    about = " ".join([_ERROR, *([_INCREASE] if BY_INCREASE in kinds else [])])
    tables = [*_tables(result, rows)]
    note = f'<p class="note">{_left_out(facts, rows, len(tables))}</p>'
    return (
        '<section id="examples" aria-labelledby="examples-title"><h2 id="examples-title">Rows behind failed '
        f"slices</h2><p>{about}</p>{''.join(tables[:MOST_SLICES])}{note}</section>"
    )


def _tables(result: EvalResult, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A table for each slice, of which the first is open."""
    specs = result.config.model_specs
    used = {key for spec in specs for key in spec.columns(with_predictions=True)}
    baseline = result.config.baseline_spec
    old = "" if baseline is None else baseline.name
    for i, (_, of) in enumerate(itertools.groupby(rows, lambda row: [row[n] for n in _GROUP])):
        yield _table([*of], used, old, i == 0)


def _left_out(facts: Mapping[str, int], rows: Sequence[Mapping[str, Any]], tables: int) -> str:
    """What is not to be seen, and where the rest is."""
    left = max(tables - MOST_SLICES, 0) + facts["left"]
    none = facts["slices"] - len({tuple(row[n] for n in _GROUP[:3]) for row in rows})
    sentences = [f"{counted(left, 'slice')} more failed."] if left else []
    if none:
        sentences.append(f"In {counted(none, 'failed slice')} the error of no row grew.")
    return " ".join(
        [*sentences, *(["All that were kept, with all columns, are in analysis/."] if rows else [])]
    )


def _table(
    rows: Sequence[Mapping[str, Any]], used: Container[str], baseline: str, is_open: bool
) -> str:
    target, of = [rows[0]["model"], rows[0]["output"]], rows[0]["slice"]
    by = f"lost: largest increase of error from {baseline}"
    order = by if rows[0]["ranked_by"] == BY_INCREASE else "largest error"
    apart = " · ".join(filter(None, (", ".join(filter(None, target)), order)))
    shown = [[*_cells(row, target, used)] for row in rows[:_MOST_ROWS]]
    heads = "".join(f'<th scope="col">{escape(cut(head, _MOST_TEXT))}</th>' for head, _ in shown[0])
    body = "".join(_row(text for _, text in cells) for cells in shown)
    name = f"<bdi>{escape(cut(of))}</bdi> <small>{escape(cut(apart))}</small>"
    title = f"<summary>{name} <span>{len(rows)}</span></summary>"
    label = escape(cut(f"Rows of {of}, {order}"))
    region = f'class="scroll" tabindex="0" role="region" aria-label="{label}"'
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
    return f"<details{' open' if is_open else ''}>{title}<div {region}>{table}</div></details>"


def _cells(
    row: Mapping[str, Any], target: Sequence[str], used: Container[str]
) -> Iterator[tuple[str, str]]:
    """What is shown of a row: its error, label and predictions, then the other columns of the data."""
    label, prediction = (joined_name(r, *target) for r in ("labels", "predictions"))
    if row["ranked_by"] == BY_INCREASE:
        yield "increase of error", _text(row[BY_INCREASE])
    yield "error", _text(row[BY_ERROR])
    yield "label", _text(row.get(label))
    yield "prediction", _text(row.get(prediction))
    for key, value in row.items():
        if key.startswith("predictions/") and key != prediction and value is not None:
            yield f"prediction of {key.removeprefix('predictions/')}", _text(value)
    others = ((key, value) for key, value in row["example"].items() if key not in used)
    for key, value in itertools.islice(others, _MOST_COLUMNS):
        yield key, _text(value)


def _row(cells: Iterable[str]) -> str:
    return f"<tr>{''.join(f'<td><bdi>{escape(cell)}</bdi></td>' for cell in cells)}</tr>"


def _text(value: Any) -> str:
    """A value in one cell: numbers with four digits, lists and texts cut."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return cut(", ".join(map(_text, value[:_MOST_ROWS])), _MOST_TEXT)
    return cut(str(value), _MOST_TEXT)
