# SPDX-License-Identifier: Apache-2.0
"""The report on screens of all widths: what is seen at first, how large it is, what stands for nothing."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from typer.testing import CliRunner

import benison
from benison.cli import app
from tests.browser.conftest import MODELS, Shown, evaluated
from tests.component.browsing import too_small
from tests.conftest import config, taxi_like

Show = Callable[..., Shown]
INTERVALS = {"options": {"compute_confidence_intervals": True}}
PHONE = {"width": 390, "height": 844}


def bound(slices: list[dict[str, Any]], **threshold: Any) -> dict[str, Any]:
    """A threshold on some slices."""
    return {"per_slice_thresholds": [{"slicing_specs": slices, "threshold": threshold}]}


@pytest.fixture(scope="session")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> benison.EvalResult:
    """Checks of which some failed, some passed and some could not be evaluated; intervals of all."""
    by_hour = [{}, {"feature_keys": ["hour"]}]
    auc = bound(by_hour, value_threshold={"lower_bound": 0.83})
    rise = {"direction": "LOWER_IS_BETTER", "absolute": 0}
    loss = bound([{}], change_threshold=rise)
    made = config(
        *({"class_name": "AUC", **auc}, {"class_name": "BinaryCrossEntropy", **loss}),
        *("MeanPrediction", "BinaryAccuracy", "ExampleCount"),
        slices=by_hour,
        model_specs=MODELS,
        options={"compute_confidence_intervals": True, "min_slice_size": 60},
    )
    return evaluated(taxi_like(1_800), made, tmp_path_factory.mktemp("mixed"))


def test_the_header_says_what_was_judged_and_why(show: Show, mixed: benison.EvalResult) -> None:
    shown = show(mixed)
    assert shown.text("#badge") == "NOT BLESSED"
    assert shown.text("h1") == "new"
    failed = mixed.verdict.failures
    values = {check.slice: check.value for check in failed}
    worst = min(values, key=lambda name: values[name])
    summary = shown.text("#summary")
    assert summary.startswith(f"{len(failed)} of {len(mixed.verdict.checks)} checks failed")
    assert f"auc of {len(failed)} slices, worst in {worst}" in summary
    assert re.search(r"1,800 examples of .*, all of them read · against old", shown.text("#basis"))


def test_a_tile_is_coloured_where_chance_does_not_explain_its_change(
    show: Show, mixed: benison.EvalResult
) -> None:
    page = show(mixed).page
    tiles = {
        tile.locator("h2").inner_text(): tile.locator(".moved").get_attribute("class")
        for tile in page.locator("#tiles li").all()
    }
    assert [*tiles][:2] == ["auc", "binary_crossentropy"]
    assert tiles["auc"] == "moved better"
    assert tiles["binary_crossentropy"] == "moved better"
    assert tiles["mean_prediction"] == "moved "
    auc = page.locator("#tiles li").first.inner_text()
    assert f"{mixed.value('auc', model='new'):.4f}" in auc
    assert f"{mixed.value('auc_diff', model='new'):+.4f}" in auc
    assert f"{len(mixed.verdict.failures)} of " in auc


@pytest.mark.parametrize(("shift", "css"), [(0.0, "moved "), (0.2, "moved worse")])
def test_a_fall_is_coloured_only_where_it_is_clear(
    show: Show, tmp_path: Path, shift: float, css: str
) -> None:
    table = taxi_like(4_000)
    new = pa.compute.add(table["old_prediction"], shift)
    table = table.set_column(table.schema.get_field_index("prediction"), "prediction", new)
    made = config("MeanSquaredError", model_specs=MODELS, **INTERVALS)
    page = show(evaluated(table, made, tmp_path)).page
    assert page.locator("#tiles .moved").get_attribute("class") == css


def test_checks_are_in_tabs_by_outcome(show: Show, mixed: benison.EvalResult) -> None:
    page = show(mixed).page
    outcomes = [check.outcome for check in mixed.verdict.checks]
    wanted = {"Failed": "fail", "Not evaluated": "not_evaluated", "Passed": "pass"}
    texts = page.locator("[role=tab]").all_inner_texts()
    assert texts == [f"{name} {outcomes.count(outcome)}" for name, outcome in wanted.items()]
    rows = page.locator("#checks tr[data-slice]:visible")
    assert rows.count() == outcomes.count("fail")
    page.get_by_role("tab", name="Passed").click()
    expect(page).to_have_url(re.compile("outcome=pass"))
    assert rows.count() == outcomes.count("pass")
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("tab", name="Not evaluated")).to_be_focused()
    assert rows.count() == outcomes.count("not_evaluated")


def test_a_check_has_rule_value_rows_and_a_picture(show: Show, mixed: benison.EvalResult) -> None:
    page = show(mixed).page
    checks = {check.slice: check for check in mixed.verdict.failures}
    for row in page.locator("#checks tr.is-fail").all():
        check = checks[row.get_attribute("data-slice") or ""]
        value, rule, examples = row.locator("td").all_inner_texts()[:3]
        assert float(value) == pytest.approx(check.value, rel=1e-5)
        assert rule == "at least 0.83"
        assert examples == f"{check.examples:,}"
        assert check.reason in row.inner_text()


def test_checks_of_a_metric_share_an_axis(show: Show, mixed: benison.EvalResult) -> None:
    page = show(mixed).page
    checks = {check.slice: check for check in mixed.verdict.checks if check.metric == "auc"}
    drawn = page.locator("#checks tr[data-metric=auc] circle").evaluate_all(
        "all => all.map(dot => [dot.closest('tr').dataset.slice, Number(dot.getAttribute('cx'))])"
    )
    (low, x_low), (high, x_high) = ((checks[name].value, x) for name, x in (drawn[0], drawn[-1]))
    assert len({x for _, x in drawn}) > 5
    for name, x in drawn:
        share = (checks[name].value - low) / (high - low)
        assert x == pytest.approx(x_low + share * (x_high - x_low), abs=0.2)


def test_what_is_of_no_slice_leads_to_none(show: Show, mixed: benison.EvalResult) -> None:
    page = show(mixed, "#outcome=not_evaluated").page
    rows = page.locator("#checks tr.is-not_evaluated")
    assert rows.count() == mixed.verdict.counts["not_evaluated"] > 0
    assert rows.get_by_role("button").count() == 0
    names = {check.slice for check in mixed.verdict.of_outcome("not_evaluated")}
    assert {*rows.locator("th > bdi").all_inner_texts()} == names


def test_a_check_leads_to_its_slice(show: Show, mixed: benison.EvalResult) -> None:
    page = show(mixed).page
    row = page.locator("#checks tr.is-fail").last
    row.get_by_role("button").click()
    expect(page.locator("#chosen")).to_contain_text(row.get_attribute("data-slice") or "")


def test_a_phone_has_verdict_and_tiles_on_its_first_screen(
    show: Show, mixed: benison.EvalResult
) -> None:
    page = show(mixed, viewport=PHONE).page
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    for selector in ("#badge", "h1", "#summary", "#tiles"):
        box = page.locator(selector).bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= PHONE["height"]


def test_the_evidence_is_folded_and_whole(show: Show, mixed: benison.EvalResult) -> None:
    shown = show(mixed)
    assert not shown.page.locator("#evidence dl").is_visible()
    shown.page.locator("#evidence > summary").click()
    text = shown.text("#evidence")
    assert f"SHA-256 {mixed.config.digest()}" in text
    assert f"SHA-256 {mixed.manifest['data']['digest']}" in text
    assert f"benison verify {mixed.path}" in text
    shown.page.locator("#evidence details summary").click()
    assert "BinaryCrossEntropy" in shown.text("#evidence pre")


def test_says_how_a_metric_becomes_a_check(show: Show, tmp_path: Path) -> None:
    shown = show(evaluated(taxi_like(300), config("AUC"), tmp_path))
    assert shown.text("#badge") == "NOT EVALUATED"
    assert "lower_bound" in shown.text("#checks pre")
    assert shown.page.locator("[role=tab]").count() == 0


@pytest.mark.parametrize("width", [1400, 768, 390])
def test_text_can_be_read_and_targets_can_be_hit(
    show: Show, judged: benison.EvalResult, width: int
) -> None:
    page = show(judged, viewport={"width": width, "height": 900}).page
    page.locator("#columns summary").click()
    assert too_small(page) == []


def test_says_what_to_do_where_no_slice_matches(show: Show, judged: benison.EvalResult) -> None:
    shown = show(judged, "#find=nonsense")
    assert "No slice has all that is asked for above." in shown.text("#table")
    assert shown.page.locator(".pair svg").count() == 0
    shown.page.get_by_role("button", name="Show all slices").click()
    assert f"{len(judged.slices())} slices" in shown.text("#count")
    assert shown.page.locator(".pair svg").count() == 2


def test_slices_come_in_the_order_in_which_they_concern_a_reader(
    show: Show, judged: benison.EvalResult
) -> None:
    shown = show(judged)
    names = [row[0] for row in shown.rows()]
    failed = [check.slice for check in judged.verdict.failures]
    changes = {name: judged.value("auc_diff", name) for name in names}
    by_change = sorted(failed, key=lambda name: changes[name])
    assert names[: len(failed) + 1] == ["Overall", *by_change]
    rest = [changes[name] for name in names[len(failed) + 1 :]]
    assert rest == sorted(rest)
    assert "those that failed come first, then the worst change of auc" in shown.text("#count")
    shown.page.click('[data-sort="examples"]')
    assert "come first" not in shown.text("#count")


def test_few_slices_have_a_line_each(show: Show, mixed: benison.EvalResult) -> None:
    shown = show(mixed, "#find=hour%3D1&least=80&metric=auc")
    names = [row[0] for row in shown.rows()]
    assert 1 < len(names) <= 8
    page = shown.page
    assert page.locator("#histogram rect.bar").count() == 0
    assert page.locator("#weigh-label").is_hidden()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save Values of auc as CSV").click(force=True)
    _, *lines = csv.reader(Path(download.value.path()).read_text("utf-8").splitlines())
    values = {name: [float(x) for x in numbers] for name, *numbers in lines}
    assert list(values) == sorted(names, key=lambda name: mixed.value("auc", name, model="new"))
    for name, (value, lower, upper, baseline) in values.items():
        assert value == mixed.value("auc", name, model="new")
        assert baseline == mixed.value("auc", name, model="old")
        assert lower < value < upper
    for mark in ("line.reach", "line.before", "path.dot"):
        assert page.locator(f"#histogram {mark}").count() == len(names)
    page.check("#change")
    expect(page.locator("#histogram .name, #histogram .explained")).to_have_text(
        "change of auc of each slice"
    )


def test_a_view_leads_to_the_plots_of_others(show: Show, tmp_path: Path) -> None:
    classes = 40 * [0, 1, 2]
    scores = [[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.5, 0.1, 0.4]] * 40
    plots = [{"class_name": name} for name in ("AUC", "ConfusionMatrixPlot")]
    made = config("SparseCategoricalAccuracy", "MultiClassConfusionMatrixPlot")
    made["metrics_specs"] += [{"binarize": {"class_ids": {"values": [1, 2]}}, "metrics": plots}]
    table = pa.table({"label": classes, "prediction": scores})
    page = show(evaluated(table, made, tmp_path)).page
    assert page.locator("#charts section.row").count() == 1
    expect(page.locator("#charts .elsewhere")).to_contain_text("ROC, Precision and recall")
    page.locator("#fairness .elsewhere button", has_text="classId:2").click()
    expect(page.locator('#charts [data-kind="roc"] svg')).to_be_visible()
    expect(page.locator("#fairness table")).to_be_visible()
    expect(page.locator("#view option:checked")).to_contain_text("classId:2")


LONG = "Association of the Independent Drivers of the Northern and Western Suburbs, Garage "


@pytest.fixture(scope="session")
def behind(tmp_path_factory: pytest.TempPathFactory) -> benison.EvalResult:
    """Long names that differ in their ends, rows behind failed slices, and slices that are hidden."""
    table = taxi_like(1_500)
    names = pa.array([f"{LONG}{i % 3}" for i in range(1_500)])
    table = table.append_column("garage", names)
    by_garage = [{}, {"feature_keys": ["garage"]}]
    auc = bound(by_garage, value_threshold={"lower_bound": 0.99})
    options = {"examples_per_slice": 4, "compute_confidence_intervals": True}
    made = config(
        *({"class_name": "AUC", **auc}, "BinaryAccuracy", "ConfusionMatrixPlot"),
        **{"slices": by_garage, "model_specs": MODELS, "options": options},
    )
    return evaluated(table, made, tmp_path_factory.mktemp("behind"))


@pytest.mark.parametrize("width", [1400, 768, 390])
def test_names_show_what_tells_them_apart(
    show: Show, behind: benison.EvalResult, width: int
) -> None:
    page = show(behind, viewport={"width": width, "height": 900}).page
    labels = page.locator("#table tbody th label span")
    texts = labels.all_inner_texts()
    assert len({*texts}) == 4
    assert {text[-1] for text in texts[1:]} == {"0", "1", "2"}
    overflow = "all => all.filter(one => one.scrollHeight > one.clientHeight + 1).length"
    assert labels.evaluate_all(overflow) == 0
    first = page.locator("#table tbody td b").first.bounding_box()
    assert first is not None
    assert first["x"] + first["width"] <= width
    title = page.locator("#table tbody th").nth(1).get_attribute("title") or ""
    assert title.startswith(f"garage={LONG}")


def test_the_header_of_slices_says_what_marks_mean(show: Show, behind: benison.EvalResult) -> None:
    page = show(behind).page
    legend = page.locator("#table thead .marks")
    assert legend.inner_text().split() == [
        "worse",
        "better",
        "interval",
        "≈",
        "under",
        "100",
        "examples",
    ]
    assert page.locator("#table .whisker").count() == 0
    page.select_option("#mark", "interval")
    expect(page).to_have_url(re.compile("mark=interval"))
    expect(legend).not_to_contain_text("worse")
    assert legend.inner_text().split() == ["interval", "≈", "under", "100", "examples"]
    assert page.locator("#table .track").count() == 0


def test_rows_behind_a_failed_slice_are_shown(show: Show, behind: benison.EvalResult) -> None:
    page = show(behind).page
    tables = page.locator("#examples details")
    assert tables.count() == len(behind.verdict.failures) == 4
    first = tables.first
    assert first.locator("thead th").all_inner_texts()[:4] == [
        *("error", "label", "prediction", "prediction of old"),
    ]
    rows = behind.analysis("failed_slices").to_pylist()
    shown = first.locator("tbody tr").all()
    assert len(shown) == 4
    for line, row in zip(shown, rows, strict=False):
        error, label, prediction, *_ = line.locator("td").all_inner_texts()
        assert float(error) == pytest.approx(row["error"], rel=1e-3)
        assert float(error) == pytest.approx(abs(float(label) - float(prediction)), abs=2e-4)
    assert first.locator("summary bdi").inner_text() == rows[0]["slice"]


def test_lost_rows_are_told_from_hard_ones(show: Show, tmp_path: Path) -> None:
    change = {"direction": "HIGHER_IS_BETTER", "absolute": 0.5}
    auc = {"class_name": "AUC", "threshold": {"change_threshold": change}}
    made = config(auc, model_specs=MODELS, options={"examples_per_slice": 4})
    result = evaluated(taxi_like(300), made, tmp_path)
    section = show(result, viewport=PHONE).page.locator("#examples")
    expect(section).to_contain_text("their error grew most from the baseline to the candidate")
    summary = section.locator("summary")
    assert "lost: largest increase of error from old" in summary.inner_text()
    assert section.locator("thead th").all_inner_texts()[:5] == [
        *("increase of error", "error", "label", "prediction", "prediction of old"),
    ]
    for line in section.locator("tbody tr").all():
        increase, error, label, _, old = map(float, line.locator("td").all_inner_texts()[:5])
        assert increase == pytest.approx(error - abs(label - old), abs=3e-4)


def test_no_rows_are_shown_where_none_were_kept(show: Show, mixed: benison.EvalResult) -> None:
    assert show(mixed).page.locator("#examples").count() == 0


def test_hidden_slices_are_said(show: Show, mixed: benison.EvalResult) -> None:
    page = show(mixed).page
    known = pa.compute.value_counts(taxi_like(1_800)["hour"]).to_pylist()
    small = sum(each["counts"] < 60 for each in known)
    assert small > 1
    text = f"{small} slices have fewer than 60 examples and are in no output"
    assert text in page.locator("#advice").inner_text()
    assert mixed.path is not None
    done = CliRunner(env={"COLUMNS": "120"}).invoke(app, ["show", str(mixed.path)])
    assert text in " ".join(done.output.split())


@pytest.mark.parametrize(
    ("name", "scheme"), [("behind", "light"), ("behind", "dark"), ("mixed", "dark")]
)
def test_every_screen_is_in_order(
    show: Show, request: pytest.FixtureRequest, name: str, scheme: str
) -> None:
    page = show(request.getfixturevalue(name), color_scheme=scheme).page
    page.locator("#evidence > summary").click()
    for width in (1400, 768, 390):
        page.set_viewport_size({"width": width, "height": 900})
        assert too_small(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") == width
        faults = Axe().run(page).response["violations"]
        serious = [fault for fault in faults if fault["impact"] in ("serious", "critical")]
        assert [(f["id"], f["nodes"][0]["html"][:200]) for f in serious] == []
