# SPDX-License-Identifier: Apache-2.0
"""The report of results that are unlike most: perfect, tiny, of several outputs, out of range."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from playwright.sync_api import expect

import benison
from benison.report.page import build
from tests.browser.conftest import MODELS, SLICES, Shown, evaluated
from tests.browser.test_report import number
from tests.component.test_report import HOSTILE, TOO_HIGH
from tests.conftest import config, taxi_like

Show = Callable[..., Shown]
INTERVALS = {"options": {"compute_confidence_intervals": True}}
BY_REGION: Any = ({}, {"feature_keys": ["region"]})


def two_outputs() -> tuple[pa.Table, dict[str, Any]]:
    """Clicks are predicted perfectly, and sales badly: only these fail."""
    rng = np.random.default_rng(0)
    click, sale = rng.integers(0, 2, (2, 2_000)).astype(float)
    table = pa.table(
        {
            "click": click,
            "sale": sale,
            "click_score": click * 0.5 + rng.random(2_000) * 0.5,
            "sale_score": sale * 0.2 + rng.random(2_000) * 0.8,
            "region": [f"r{i}" for i in rng.integers(0, 5, 2_000)],
        }
    )
    bound = {"threshold": {"value_threshold": {"lower_bound": 0.8}}}
    made = {
        "model_specs": [
            {
                "label_keys": {"click": "click", "sale": "sale"},
                "prediction_keys": {"click": "click_score", "sale": "sale_score"},
            }
        ],
        "slicing_specs": [*BY_REGION],
        "metrics_specs": [
            {
                "output_names": ["click", "sale"],
                "metrics": [{"class_name": "AUC", **bound}, {"class_name": "ConfusionMatrixPlot"}],
            }
        ],
        **INTERVALS,
    }
    return table, made


def test_begins_with_the_output_that_failed(show: Show, tmp_path: Path) -> None:
    page = show(result := evaluated(*two_outputs(), tmp_path)).page
    assert page.input_value("#view") == "1"
    page.select_option("#view", label="click")
    page.get_by_role("button", name="Look at the plots of Overall").click()
    assert page.input_value("#view") == "1"
    assert page.locator("#table td.failed").count() == len(result.verdict.failures)


def test_draws_values_that_differ_by_rounding_alone(show: Show, tmp_path: Path) -> None:
    tenth = pa.array(np.full(2_000, 0.1))
    table = taxi_like(2_000)
    table = table.set_column(table.schema.get_field_index("prediction"), "prediction", tenth)
    slices = ({}, {"feature_keys": ["hour"]})
    result = evaluated(table, config("MeanPrediction", slices=slices, **INTERVALS), tmp_path)
    values = {result.value("mean_prediction", name) for name in result.slices()}
    assert len(values) > 1
    shown = show(result)
    assert shown.page.locator("#histogram rect.bar").count() == 30
    assert {row[2] for row in shown.rows()} == {"0.1000"}


def test_small_values_keep_their_digits(show: Show, tmp_path: Path) -> None:
    table = taxi_like(500)
    for name in ("label", "prediction"):
        tiny = pa.array(np.asarray(table[name].to_numpy(), float) * 1e-3)
        table = table.set_column(table.schema.get_field_index(name), name, tiny)
    result = evaluated(table, config("MeanSquaredError"), tmp_path)
    ((_, _, value),) = show(result).rows()
    assert number(value) == pytest.approx(result.value("mean_squared_error"), rel=1e-3)


def regression() -> pa.Table:
    rng = np.random.default_rng(1)
    fare = rng.normal(50_000, 9_000, 1_000)
    scores = {
        name: fare * share + rng.normal(0, 4_000, 1_000)
        for name, share in (("prediction", 0.9), ("old_prediction", 1.0))
    }
    return pa.table({"label": fare, **scores})


def test_says_where_buckets_miss_the_predictions(show: Show, tmp_path: Path) -> None:
    plot = {"class_name": "CalibrationPlot", "config": {"left": 0, "right": 10}}
    made = config("MeanSquaredError", plot, model_specs=MODELS)
    page = show(evaluated(regression(), made, tmp_path)).page
    for kind in ("calibration", "residuals"):
        figure = page.locator(f'[data-kind="{kind}"] figure')
        expect(figure.locator(".note")).to_contain_text(
            "100.0% of the predictions are outside 0 to 10"
        )
        for css in ("ours", "theirs"):
            assert re.match(r"M[\d.]+ ", figure.locator(f"path.dot.{css}").get_attribute("d") or "")


def test_calibration_of_amounts_is_on_the_range_of_each_model(show: Show, tmp_path: Path) -> None:
    made = config("MeanSquaredError", "CalibrationPlot", model_specs=MODELS)
    page = show(evaluated(regression(), made, tmp_path)).page
    assert page.locator("#charts .note").count() == 0
    for css in ("ours", "theirs"):
        dots = page.locator(f'[data-kind="calibration"] path.dot.{css}').get_attribute("d") or ""
        places = [float(x) for x in re.findall(r"M([\d.]+) ", dots)]
        assert len(places) >= 9
        assert places[-1] - places[0] > 150  # of 236 pixels


def test_a_whisker_says_what_it_shows(show: Show, tmp_path: Path) -> None:
    made = config("AUC", "Recall", slices=SLICES, model_specs=MODELS, **INTERVALS)
    result = evaluated(taxi_like(2_000), made, tmp_path)
    shown = show(result, "#kind=company&sort=examples&mark=interval")
    row = shown.page.locator("#table tbody tr").first
    lower, upper = row.get_by_role("img", name="interval", exact=False).first.evaluate(
        "node => node.getAttribute('aria-label').match(/interval (.*) to (.*)/).slice(1).map(Number)"
    )
    value = result.value("auc", shown.rows()[0][0], model="new")
    assert lower < value < upper
    assert row.get_by_role("img").count() == 2  # one in a cell
    lefts = shown.page.locator("#table tbody tr").evaluate_all(
        "rows => rows.map(row => row.querySelector('.whisker').getBoundingClientRect().left)"
    )
    assert len(set(lefts)) == 1
    shown.page.select_option("#mark", "change")
    assert row.get_by_role("img", name=re.compile("^interval of the change")).count() == 2
    assert row.locator(".whisker").count() == 0


def test_a_page_of_few_digits_has_the_same_intervals(
    show: Show, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "_EXACT", 0)
    made = config("AUC", slices=SLICES, model_specs=MODELS, **INTERVALS)
    result = evaluated(taxi_like(2_000), made, tmp_path)
    page = show(result, "#slice=Overall").page
    page.locator("#table tbody tr:not(.legend) td").nth(1).hover()
    text = page.locator("#tip").inner_text()
    bounds = [float(x) for pair in re.findall(r"interval (\S+) to ([^\s;]+)", text) for x in pair]
    rows = result.metrics.filter(pc.equal(result.metrics["slice"], "Overall")).to_pylist()
    ends = {row["kind"]: (row["lower"], row["upper"]) for row in rows if row["model"] == "new"}
    assert bounds == pytest.approx([*ends["value"], *ends["change"]], rel=2e-3)
    with page.expect_download() as download:
        page.click("#csv")
    first = Path(download.value.path()).read_text("utf-8").splitlines()[1]
    assert [float(cell) for cell in first.split(",")[3:5]] == pytest.approx(bounds[:2])
    assert len(first.split(",")[3]) <= 8


def test_one_odd_interval_hides_no_other(show: Show, tmp_path: Path) -> None:
    made = config("AUC", slices=SLICES, **INTERVALS)
    shown = show(evaluated(taxi_like(2_000), made, tmp_path), "#kind=company")
    widths = shown.page.locator("#table .whisker").evaluate_all(
        "all => all.map(one => one.firstChild.offsetWidth / one.offsetWidth)"
    )
    assert all(0.06 < width <= 1 for width in widths), widths


@pytest.mark.parametrize("fragment", ["rate=constructor", "rate=x&theme=x&threshold=7&view=9"])
def test_an_address_that_makes_no_sense(
    show: Show, judged: benison.EvalResult, fragment: str
) -> None:
    shown = show(judged, f"#{fragment}")
    assert shown.page.locator("#broken").is_hidden()
    assert shown.page.locator("#fairness tbody tr").count() > 1
    assert shown.page.input_value("#theme") == "auto"


def test_that_no_slice_is_chosen_can_be_sent(show: Show, judged: benison.EvalResult) -> None:
    page = show(judged).page
    while page.locator("#chosen li").count():
        page.locator("#chosen li button").first.click()
    expect(page).to_have_url(re.compile("slice=(&|$)"))
    again = show(judged, "#" + page.url.partition("#")[2]).page
    assert again.locator("#chosen li").count() == 0


@pytest.mark.parametrize("control", ["#rate-rate", "#rate-at", "#plot-gain", "#chosen-0"])
def test_what_has_the_focus_keeps_it(show: Show, judged: benison.EvalResult, control: str) -> None:
    page = show(judged).page
    page.focus(control)
    if control == "#rate-rate":
        page.keyboard.press("ArrowDown")
    elif control == "#rate-at":
        page.fill(control, "0.1, 0.9")
    page.keyboard.press("Enter")
    expect(page.locator(control)).to_be_focused()


def test_a_name_from_right_to_left_turns_nothing_else_around(show: Show, tmp_path: Path) -> None:
    table = taxi_like(600).append_column("f", pa.array((HOSTILE * 100)[:600]))
    made = config(TOO_HIGH, slices=({"feature_keys": ["f"]},))
    page = show(evaluated(table, made, tmp_path), "#sort=slice").page
    assert page.locator("#checks tr th p bdi").count() == len(HOSTILE)
    name = next(name for name in HOSTILE if "\u202e" in name)
    cell = page.locator("#table tbody tr", has_text=name[1:]).locator("td").nth(1)
    cell.hover()
    expect(page.locator("#tip")).to_contain_text(f"auc of \u2068f={name}\u2069: ")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_paper_has_every_column_and_reason(show: Show, tmp_path: Path, scheme: str) -> None:
    names = ("AUC", "BinaryAccuracy", "Precision", "Recall", "F1Score", "Specificity", "MissRate")
    low = {"class_name": "MeanLabel", "threshold": {"value_threshold": {"lower_bound": 2}}}
    made = config(*names, low, slices=SLICES[:3], model_specs=MODELS, **INTERVALS)
    page = show(evaluated(taxi_like(1_000), made, tmp_path), color_scheme=scheme).page
    landscape = {"width": 1030, "height": 700}  # A4 in CSS pixels, less the margins
    page.set_viewport_size(landscape)
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    widest = page.locator("#table table").evaluate("table => table.getBoundingClientRect().right")
    assert widest < 1.5 * landscape["width"]  # a browser makes a page that much smaller
    clips = "getComputedStyle(document.getElementById('table')).contain"
    assert page.evaluate(clips) == "none"
    assert page.locator("#checks tr.is-fail").last.is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_paper_says_how_many_rows_it_has_not(show: Show, judged: benison.EvalResult) -> None:
    page = show(judged).page
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    left = len(judged.slices()) - 60
    expect(page.locator("#table tfoot")).to_contain_text(f"and {left} slices more")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("#table tfoot").count() == 0
