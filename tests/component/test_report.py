# SPDX-License-Identifier: Apache-2.0
"""This file is the report: what it holds, how large it is, and that no name can do harm."""

from __future__ import annotations

import html.parser
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import benison
from tests.conftest import config

TOO_HIGH = {"class_name": "AUC", "threshold": {"value_threshold": {"lower_bound": 0.99}}}
HOSTILE = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\u202eright to left",
    "x" * 10_000,
]


def report_of(table: pa.Table, made: dict[str, Any], folder: Path) -> str:
    benison.evaluate(table, made, output=folder / "out")
    return (folder / "out" / "report.html").read_text(encoding="utf-8")


def data_of(page: str) -> dict[str, Any]:
    start = page.index('id="data">') + len('id="data">')
    return json.loads(page[start : page.index("</script>", start)])


class Tags(html.parser.HTMLParser):
    """Counts the elements of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.found.append(tag)


def test_holds_the_verdict_the_reasons_and_the_values(trips: pa.Table, tmp_path: Path) -> None:
    made = config(TOO_HIGH, "ExampleCount", slices=({}, {"feature_keys": ["hour"]}))
    data = data_of(report_of(trips, made, tmp_path))
    result = benison.load_result(tmp_path / "out")
    assert data["verdict"] == "not_blessed"
    assert [check["reason"] for check in data["failures"]] == list(result.verdict.reasons)
    for name, value in zip(data["slices"], data["values"]["model"]["auc"], strict=True):
        assert value == pytest.approx(result.value("auc", slice=name), rel=1e-5)


def test_hostile_names_become_text_and_nothing_else(tmp_path: Path) -> None:
    table = pa.table({"label": [1.0, 0, 1, 0], "prediction": [0.9, 0.2, 0.7, 0.4], "f": HOSTILE})
    page = report_of(table, config(TOO_HIGH, slices=({"feature_keys": ["f"]},)), tmp_path)
    assert sorted(data_of(page)["slices"]) == sorted(f"f={name}" for name in HOSTILE)
    tags = Tags(page).found
    assert tags.count("script") == 2
    assert "img" not in tags


def test_needs_nothing_from_outside(trips: pa.Table, tmp_path: Path) -> None:
    page = report_of(trips, config("AUC"), tmp_path)
    assert "default-src 'none'" in page
    assert "src=" not in page
    assert "href=" not in page


def test_stays_small_with_many_slices(tmp_path: Path) -> None:
    rows = 40_000
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, rows).astype(float)
    table = pa.table({"label": label, "prediction": rng.random(rows), "f": np.arange(rows) // 2})
    names = [
        "ExampleCount",
        "AUC",
        "Precision",
        "Recall",
        "BinaryAccuracy",
        "MeanLabel",
        "MeanPrediction",
    ]
    page = report_of(table, config(*names, slices=({"feature_keys": ["f"]},)), tmp_path)
    assert len(page) < 4_000_000
    assert data_of(page)["sliceCount"] == 20_000
    assert len(data_of(page)["slices"]) == 10_000


@pytest.mark.slow
def test_a_browser_shows_it_without_a_complaint(trips: pa.Table, tmp_path: Path) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        assert "CI" not in os.environ, "the continuous integration must install Chromium"
        pytest.skip("Chromium is not installed")
    report_of(trips, config(TOO_HIGH, slices=({}, {"feature_keys": ["hour"]})), tmp_path)
    options = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    command = [
        chromium,
        *options.split(),
        f"--user-data-dir={tmp_path / 'profile'}",
        "--enable-logging=stderr",
    ]
    page = (tmp_path / "out" / "report.html").as_uri()
    done = subprocess.run(
        [*command, "--dump-dom", page], capture_output=True, text=True, check=True, timeout=120
    )
    assert "NOT BLESSED</p>" in done.stdout
    assert done.stdout.count("<tr>") == 25
    assert "CONSOLE" not in done.stderr
