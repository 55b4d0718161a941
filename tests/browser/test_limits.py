# SPDX-License-Identifier: Apache-2.0
"""Pages at their limits: several models, values that are undefined everywhere, many classes, narrow screens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from playwright.sync_api import expect

import benison
from tests.browser.conftest import MODELS, Shown, evaluated
from tests.conftest import config, taxi_like

Show = Callable[..., Shown]
BY_COMPANY = ({}, {"feature_keys": ["company"]})
PHONE = {"width": 400, "height": 844}


def at_least(bound: float) -> dict[str, Any]:
    return {"threshold": {"value_threshold": {"lower_bound": bound}}}


def test_of_several_models_the_header_says_which_failed(show: Show, tmp_path: Path) -> None:
    models = [MODELS[0], {**MODELS[1], "name": "other", "is_baseline": False}]
    made = config({"class_name": "AUC", **at_least(0.99)}, model_specs=models)
    text = show(evaluated(taxi_like(300), made, tmp_path)).text("#summary")
    assert "auc (model new) of Overall; auc (model other) of Overall" in text


@pytest.fixture(scope="module")
def undefined(tmp_path_factory: pytest.TempPathFactory) -> benison.EvalResult:
    """Predictions are missing in every slice, and a slice that a threshold is for is not there."""
    table = taxi_like(600)
    scores = np.where(np.arange(600) % 3 == 0, np.nan, table["prediction"].to_numpy())
    table = table.set_column(table.column_names.index("prediction"), "prediction", pa.array(scores))
    nobody = {"slicing_specs": [{"feature_values": {"company": "nobody"}}], **at_least(0.5)}
    made = config(
        {"class_name": "AUC", **at_least(0.5)},
        {"class_name": "Recall", "per_slice_thresholds": [nobody]},
        "ConfusionMatrixPlot",
        slices=BY_COMPANY,
    )
    return evaluated(table, made, tmp_path_factory.mktemp("undefined"))


def test_what_is_undefined_everywhere_is_a_column_of_dashes(
    show: Show, undefined: benison.EvalResult
) -> None:
    shown = show(undefined)
    assert shown.page.locator("#metric option").all_inner_texts() == ["auc", "recall"]
    assert [row[2:] for row in shown.rows()] == [["✗ –", "–"]] * 5  # no check is of recall here
    assert "The plots are undefined in every slice" in shown.text("#charts")
    assert shown.page.locator("#histogram svg").count() == 0


def test_rates_are_told_apart_on_a_phone(show: Show, judged: benison.EvalResult) -> None:
    page = show(judged, viewport=PHONE).page
    names = page.locator("#fairness tbody th .called")
    assert len({*names.all_inner_texts()}) == names.count() > 4
    cut = "all => all.filter(one => one.scrollWidth > one.clientWidth + 1).length"
    assert names.evaluate_all(cut) == 0
    assert page.locator("#fairness tbody th").evaluate_all(cut) == 0


def test_numbers_of_a_matrix_lie_in_their_cells(show: Show, tmp_path: Path) -> None:
    table = pa.concat_tables([taxi_like(1_000)] * 60)
    made = config("ConfusionMatrixPlot", model_specs=MODELS)
    page = show(evaluated(table, made, tmp_path)).page
    picture = page.locator("[data-kind=confusion] svg, [data-kind=matrix] svg").first
    expect(picture).to_contain_text("true positives")
    outside = """picture => {
      const cells = [...picture.querySelectorAll(".cell")].map((one) => one.getBoundingClientRect());
      const texts = [...picture.querySelectorAll(".tick.on")].map((one) => one.getBoundingClientRect());
      return texts.filter((text) => !cells.some((cell) =>
        text.left >= cell.left && text.right <= cell.right && text.bottom <= cell.bottom)).length;
    }"""
    assert picture.locator(".tick.on").count() == 12
    assert picture.evaluate(outside) == 0


@pytest.mark.parametrize("classes", [3, 5])
def test_shares_of_classes_lie_in_their_cells(show: Show, tmp_path: Path, classes: int) -> None:
    rng = np.random.default_rng(0)
    label = rng.integers(0, classes, 900)
    scores = rng.random((900, classes)) + 3 * np.eye(classes)[label]
    shares = (scores / scores.sum(axis=1, keepdims=True)).tolist()
    table = pa.table({"label": label, "prediction": shares})
    page = show(evaluated(table, config("MultiClassConfusionMatrixPlot"), tmp_path)).page
    picture = page.locator("#charts svg").first
    widths = "all => all.map((one) => one.getBoundingClientRect().width)"
    widest = max(picture.locator(".tick.on").evaluate_all(widths))
    assert widest < 1 + min(picture.locator(".cell").evaluate_all(widths))  # with the gap between


def test_counts_in_tiles_are_whole(show: Show, tmp_path: Path) -> None:
    data = {"query": [f"q{i // 4}" for i in range(2_400)], "label": [0.0, 1, 0, 1] * 600}
    table = pa.table({**data, "prediction": np.random.default_rng(0).random(2_400)})
    made = config("QueryStatistics", spec={"query_key": "query"})
    text = show(evaluated(table, made, tmp_path)).text("#tiles")
    assert "600" in text.split()
    assert "600.0" not in text
