# SPDX-License-Identifier: Apache-2.0
"""The report as one HTML file: no server, no network, whatever the number of rows.

The first screen is HTML with every name escaped. The rest is drawn by the page's own script from an inert
script element, with text nodes only, so that no name of a slice or model can become markup. The script
draws its charts as SVG itself: Vega-Lite would add 0.9 MB to each page, and would have to be allowed to
evaluate text as a program.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from string import Template
from typing import Any, ClassVar

import pyarrow as pa

from benison.evidence.tails import normal_quantile
from benison.output.writers import Evaluation
from benison.paths import Location
from benison.report.kit.document import MAX_BYTES, Document
from benison.report.page.front import front
from benison.report.page.page_columns import MOST_SLICES, PageColumns
from benison.report.page.payload import Payload
from benison.report.page.points import MAX_SLICES, Curves, key_columns
from benison.results.result import EvalResult

_EXACT = 100_000  # the most numbers that are stored as float64: about a megabyte
_LEAST_CURVES = 60  # slices that keep their plots while slices are dropped
_PAGE = Document(
    "page",
    scripts=(
        *(
            "state",
            "verdict",
            "names",
            "rows",
            "cells",
            "table",
            "whiskers",
            "histogram",
            "scatter",
            "controls",
        ),
        *("series", "curves", "buckets", "scores", "matrix", "classes", "plots", "rates", "main"),
    ),
    styles=("front", "slices", "plots"),
)


@dataclasses.dataclass(frozen=True)
class ReportWriter:
    """Writes report.html, after plots.parquet."""

    stage_name: str = "WriteReport"
    reads_files: ClassVar[bool] = False  # but plots.parquet, which is not written beside it

    def write(self, evaluation: Evaluation, directory: Path) -> None:
        """One file, from the result under the key `result` and the plots in the directory."""
        plots = directory / "plots.parquet"
        page = render(evaluation["result"], plots if plots.is_file() else None)
        (directory / "report.html").write_text(page, encoding="utf-8")


def render(result: EvalResult, plots: Location | pa.Table | None = None) -> str:
    """The page of a result; its plots are in `plots`, by default those that were written with the result."""
    if plots is None:
        written = result.path is not None and (result.path / "plots.parquet").is_file()
        plots = result.path / "plots.parquet" if written and result.path else result.plots
    columns = PageColumns(result, key_columns(plots))
    template, pieces = _PAGE.template(), {**_PAGE.pieces(), **front(columns)}
    taken = sum(len(text.encode()) for text in (template, *pieces.values()))
    data = page_data(columns, plots, MAX_BYTES - taken)
    return Template(template).substitute(pieces, data=data)


def page_data(columns: PageColumns, plots: Location | pa.Table, byte_budget: int) -> str:
    """The data for the page's script in at most `byte_budget` characters, with as many slices as fit."""
    size = min(columns.count, MOST_SLICES)
    curves = Curves.read(plots, columns.ids[:MAX_SLICES].to_pylist())
    text = _page_text(columns, curves, size)
    while len(text) > byte_budget and size > 1:
        # Plots are dropped first, but a page of many slices still has some.
        if len(curves.slices) > _LEAST_CURVES:
            curves = curves.first(len(curves.slices) // 2)
        else:
            size = max(1, int(0.97 * size * max(0.3, byte_budget / len(text))))
        text = _page_text(columns, curves, size)
    return text


def _page_text(columns: PageColumns, curves: Curves, size: int) -> str:
    payload = Payload(exact=size * columns.width <= _EXACT)
    spec = columns.result.config.baseline_spec
    baseline = None if spec is None else spec.name
    level = columns.result.config.options.interval_level
    header: dict[str, Any] = {
        **columns.page(payload, size),
        "exact": payload.exact,
        "sliceCount": columns.count,
        "failed": columns.failed(size),
        "baseline": baseline,
        "level": level,
        "reach": float(normal_quantile((1 - level) / 2)),
        "plots": curves.first(size).page(payload, columns.views, baseline),
        "plotSlices": min(size, len(curves.slices)),
        "plotsAsked": columns.plots.num_rows > 0,
    }
    return payload.text(header)
