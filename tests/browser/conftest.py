# SPDX-License-Identifier: Apache-2.0
"""A real Chromium that shows reports from disk, and hears every complaint and request."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

import benison
from tests.conftest import config, taxi_like

FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
MODELS = [
    {"name": "new", "label_key": "label", "prediction_key": "prediction"},
    {"name": "old", "label_key": "label", "prediction_key": "old_prediction", "is_baseline": True},
]
TOO_HIGH = {
    "class_name": "AUC",
    "per_slice_thresholds": [
        {
            "slicing_specs": [{"feature_keys": ["company"]}],
            "threshold": {"value_threshold": {"lower_bound": 0.85}},
        }
    ],
}
METRICS = (
    TOO_HIGH,
    "BinaryAccuracy",
    "Recall",
    "BinaryCrossEntropy",
    "MeanPrediction",
    "ExampleCount",
)
PLOTS = ("ConfusionMatrixPlot", "CalibrationPlot")
SLICES = ({}, *({"feature_keys": keys} for keys in (["company"], ["hour"], ["company", "hour"])))


@dataclasses.dataclass
class Shown:
    """A report in a browser, with all that it complained of and asked the network for."""

    page: Page
    result: benison.EvalResult
    complaints: list[str]
    requests: list[str]

    def text(self, selector: str) -> str:
        return self.page.locator(selector).inner_text()

    def rows(self) -> list[list[str]]:
        """The rows of the table that are in sight."""
        cell = "cell.innerText.trim().replace(/^✗\\s+/, '✗ ')"
        read = f"rows => rows.map(row => [...row.cells].map(cell => {cell}))"
        return self.page.locator("#table tbody tr:not(.room)").evaluate_all(read)  # type: ignore[no-any-return]


@pytest.fixture(scope="module")  # a process can drive one at a time, and other modules do too
def chromium() -> Iterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        assert "CI" not in os.environ, "the continuous integration must install Chromium"
        pytest.skip("Chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def show(chromium: Browser) -> Iterator[Callable[..., Shown]]:
    """Opens the report of a result; whatever it does must make no complaint and no request."""
    opened: list[Shown] = []

    def show_(result: benison.EvalResult, fragment: str = "", **context: Any) -> Shown:
        page = chromium.new_context(
            **{"viewport": {"width": 1280, "height": 900}, **context}
        ).new_page()
        shown = Shown(page, result, [], [])
        page.on("console", lambda message: shown.complaints.append(message.text))
        page.on("pageerror", lambda error: shown.complaints.append(str(error)))
        page.on("request", lambda request: shown.requests.append(request.url))
        assert result.path is not None
        page.goto((result.path / "report.html").as_uri() + fragment)
        page.locator("#rooms").wait_for()
        opened.append(shown)
        return shown

    yield show_
    for shown in opened:
        shown.page.context.close()
        assert not shown.complaints
        outside = [url for url in shown.requests if not url.startswith(("file:", "blob:", "data:"))]
        assert not outside


@pytest.fixture(scope="session")
def judged(tmp_path_factory: pytest.TempPathFactory) -> benison.EvalResult:
    """Trips by company and hour, the candidate against a baseline, refused for some companies."""
    made = config(*METRICS, *PLOTS, slices=SLICES, model_specs=MODELS)
    return evaluated(taxi_like(6_000), made, tmp_path_factory.mktemp("judged"))


def evaluated(table: pa.Table, made: dict[str, Any], folder: Path) -> benison.EvalResult:
    """The result of an evaluation with a report on disk."""
    benison.evaluate(table, made, output=folder / "out")
    return benison.load_result(folder / "out")
