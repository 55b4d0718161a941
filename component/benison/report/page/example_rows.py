# SPDX-License-Identifier: Apache-2.0
"""Renders the rows of failed slices on which a model is worst, where an evaluation has kept some."""

from __future__ import annotations

import itertools
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

from benison.data.batch import joined_name
from benison.errors import DataError
from benison.results.result import EvalResult
from benison.table.row_files import FAILED_SLICES
from benison.table.words import counted, cut

MOST_SLICES, _MOST_ROWS, _MOST_COLUMNS, _MOST_TEXT = 20, 20, 15, 60
_ERROR = (
    "How far the prediction is from the label; of several classes, the best score of the others less that of "
    "the label"
)


def example_section(result: EvalResult) -> str:
    """A section with a table for each slice, the farthest off first; "" where no rows were kept."""
    if not result.manifest.get("slice_examples", {}).get("rows"):
        return ""
    try:
        rows = result.analysis(FAILED_SLICES).to_pylist()
    except DataError:  # disabled_outputs has left them out
        return ""
    specs = result.config.model_specs
    used = {key for spec in specs for key in spec.columns(with_predictions=True)}
    groups = itertools.groupby(rows, lambda row: (row["model"], row["output"], row["slice"]))
    tables = [_table(name, [*of], used, i == 0) for i, (name, of) in enumerate(groups)]
    left = len(tables) - MOST_SLICES + result.manifest["slice_examples"]["left"]
    more = f"{counted(left, 'slice')} more failed. " if left > 0 else ""
    note = f'<p class="note">{more}All that were kept, with all columns, are in analysis/.</p>'
    return (
        '<section id="examples" aria-labelledby="examples-title"><h2 id="examples-title">Rows behind failed '
        f"slices</h2><p>{_ERROR}.</p>{''.join(tables[:MOST_SLICES])}{note}</section>"
    )


def _table(
    name: tuple[str, str, str],
    rows: Sequence[Mapping[str, Any]],
    used: Container[str],
    is_open: bool,
) -> str:
    *target, of = name
    whose = ", ".join(filter(None, target))
    apart = f" <small>{escape(cut(whose))}</small>" if whose else ""
    shown = [[*_cells(row, target, used)] for row in rows[:_MOST_ROWS]]
    heads = "".join(f'<th scope="col">{escape(cut(head, _MOST_TEXT))}</th>' for head, _ in shown[0])
    body = "".join(_row(text for _, text in cells) for cells in shown)
    title = f"<summary><bdi>{escape(cut(of))}</bdi>{apart} <span>{len(rows)}</span></summary>"
    region = f'class="scroll" tabindex="0" role="region" aria-label="Rows of {escape(cut(of))}"'
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
    return f"<details{' open' if is_open else ''}>{title}<div {region}>{table}</div></details>"


def _cells(
    row: Mapping[str, Any], target: Sequence[str], used: Container[str]
) -> Iterator[tuple[str, str]]:
    """What is shown of a row: its error, label and predictions, then the other columns of the data."""
    label, prediction = (joined_name(r, *target) for r in ("labels", "predictions"))
    yield "error", _text(row["error"])
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
