# SPDX-License-Identifier: Apache-2.0
"""The report's intervals: of values, and as bands of curves."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from playwright.sync_api import expect

import benison
from benison.report.page.build import render
from tests.browser.test_report import Show


def test_shows_intervals_where_there_are_some(
    show: Show, judged: benison.EvalResult, tmp_path: Path
) -> None:
    metrics, width = judged.metrics, 0.05
    for location, sign in (("lower", -1), ("upper", 1)):
        column = pc.add(metrics["value"], sign * width)
        metrics = metrics.set_column(
            metrics.schema.get_field_index(location), metrics.schema.field(location), column
        )
    assert judged.path is not None
    page = render(dataclasses.replace(judged, metrics=metrics), judged.path / "plots.parquet")
    (tmp_path / "report.html").write_text(page, encoding="utf-8")
    shown = show(dataclasses.replace(judged, path=tmp_path))
    expect(shown.page.locator("#table .whisker i")).to_have_count(0)
    expect(shown.page.locator("#table .track i.span").first).to_be_attached()
    shown.page.select_option("#mark", "interval")
    expect(shown.page.locator("#table .whisker i").first).to_be_visible()
    shown.page.locator("#table tbody td").nth(1).hover()
    assert shown.text("#tip").count("interval") == 2


def test_curves_have_bands_and_tips_the_intervals_of_their_points(
    show: Show, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 500)
    score = np.clip(rng.normal(0.4 + 0.2 * label, 0.2), 0.01, 0.99)
    config = {
        "model_specs": [{"label_key": "label", "prediction_key": "score"}],
        "metrics_specs": [
            {"metrics": [{"class_name": n} for n in ("ConfusionMatrixPlot", "CalibrationPlot")]}
        ],
        "options": {"confidence": {"level": 0.9}},
    }
    rows = pa.table({"label": label, "score": score})
    shown = show(benison.evaluate(rows, config, output=tmp_path / "out"))
    for kind, marks in (("roc", "path.band"), ("pr", "path.band"), ("calibration", "line.error")):
        picture = shown.page.locator(f'[data-kind="{kind}"] figure svg')
        assert picture.locator(marks).count() > 0
        picture.scroll_into_view_if_needed()
        dot = picture.locator("path.line.ours").bounding_box()
        assert dot is not None
        shown.page.mouse.move(dot["x"] + dot["width"] / 2, dot["y"] + dot["height"] / 3)
        expect(shown.page.locator("#tip")).to_contain_text("90% interval")
