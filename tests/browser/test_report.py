# SPDX-License-Identifier: Apache-2.0
"""The report as its reader uses it, in a real browser: find what is wrong, and look at it."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
import re
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

import benison
from benison.report.page.build import render
from benison.table.schema import PLOTS_SCHEMA
from tests.browser.conftest import METRICS, MODELS, SLICES, Shown, evaluated
from tests.component.test_report import HOSTILE
from tests.conftest import config, taxi_like

Show = Callable[..., Shown]


def candidates(result: benison.EvalResult, metric: str) -> dict[str, tuple[float, int]]:
    """Value and examples of each slice."""
    wanted = {"metric": metric, "model": "new", "kind": "value"}
    rows = [row for row in result.metrics.to_pylist() if wanted.items() <= row.items()]
    return {row["slice"]: (row["value"], row["examples"]) for row in rows}


def number(text: str) -> float:
    return float(text.replace("−", "-").replace(",", "").replace("≈", "").replace("✗", ""))


def test_from_the_histogram_to_the_plots_of_the_worst_slice(
    show: Show, judged: benison.EvalResult
) -> None:
    shown, page = (first := show(judged)), first.page
    page.select_option("#metric", "auc")
    assert page.locator("#histogram rect.bar").count() == 30
    page.fill("#least", "100")
    large = {
        s: v for s, (v, n) in candidates(judged, "auc").items() if n >= 100 and not math.isnan(v)
    }
    assert f"{len(large)} of {len(judged.slices())} slices" in shown.text("#count")
    page.click('[data-sort="auc"]')
    expect(page.locator('th[aria-sort="ascending"]')).to_contain_text("auc")
    worst = min(large, key=lambda name: large[name])
    assert shown.rows()[0][0] == worst
    page.get_by_role("button", name="Take Overall out of the plots").click()
    page.locator("#table tbody input").first.check()
    for kind in ("roc", "pr", "calibration", "scores", "matrix"):
        figure = page.locator(f'[data-kind="{kind}"] figure', has_text=worst)
        expect(figure.locator("svg")).to_be_visible()
    roc = page.locator('[data-kind="roc"] figure', has_text=worst)
    assert roc.locator("path.line.ours").count() == roc.locator("path.line.theirs").count() == 1


def test_every_value_is_that_of_the_results(show: Show, judged: benison.EvalResult) -> None:
    shown = show(judged, "#kind=company&sort=slice&down=false")
    names = judged.metric_names()[:5]
    rows = shown.rows()
    assert len(rows) == 4
    for name, examples, *cells in rows:
        assert number(examples) == judged.value("example_count", name, model="new")
        for metric, cell in zip(names, cells, strict=True):
            value, _, change = cell.partition("\n")
            assert number(value) == pytest.approx(judged.value(metric, name), abs=0.5001e-4)
            assert number(change) == pytest.approx(
                judged.value(f"{metric}_diff", name), abs=0.5001e-4
            )
    cell = shown.page.locator("#table tbody tr").first.locator("td").nth(1)
    cell.hover()
    (digits,) = re.findall(r": (\S+) \(", shown.text("#tip"))
    assert float(digits) == pytest.approx(judged.value(names[0], rows[0][0]), rel=1e-14)


def test_the_csv_holds_what_is_seen_in_full(show: Show, judged: benison.EvalResult) -> None:
    shown = show(judged, "#kind=hour&sort=auc&down=true")
    with shown.page.expect_download() as download:
        shown.page.click("#csv")
    rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text("utf-8"))))
    assert len(rows) == 24
    for row in rows:
        assert float(row["auc"]) == judged.value("auc", row["slice"])
        assert float(row["auc baseline"]) == judged.value("auc", row["slice"], model="old")
    assert [float(row["auc"]) for row in rows] == sorted(
        (float(r["auc"]) for r in rows), reverse=True
    )


def test_a_drag_over_the_histogram_selects_rows(show: Show, judged: benison.EvalResult) -> None:
    shown, page = (first := show(judged)), first.page
    box = page.locator("#histogram svg").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 60, steps=4)
    page.mouse.up()
    low, high = (float(page.input_value(f"#{end}")) for end in ("from", "to"))
    inside = [s for s, (v, _) in candidates(judged, "auc").items() if low <= v <= high]
    assert 0 < len(inside) < len(judged.slices())
    assert f"{len(inside)} of " in shown.text("#count")
    page.click("#reset")
    assert f"{len(judged.slices())} slices" in shown.text("#count")


def test_the_histogram_counts_examples_when_asked(show: Show, judged: benison.EvalResult) -> None:
    page = show(judged).page
    expect(page.locator("#histogram .label").last).to_have_text("slices")
    page.check("#weigh")
    expect(page.locator("#histogram .label").last).to_have_text("examples")


def test_a_dot_of_the_scatter_chooses_its_slice(show: Show, judged: benison.EvalResult) -> None:
    page = show(judged, "#kind=hour&slice=Overall").page
    box = page.locator("#scatter svg").bounding_box()
    assert box is not None
    path = page.locator("#scatter path.dot:not(.out):not(.bad)").first.get_attribute("d")
    x, y = (float(n) for n in re.match(r"M(\S+) ([\d.]+)", path or "").groups())  # type: ignore[union-attr]
    zoom = box["width"] / float((page.get_attribute("#scatter svg", "viewBox") or "").split()[2])
    page.mouse.click(box["x"] + x * zoom, box["y"] + y * zoom)
    assert page.locator("#chosen li").count() == 2


def test_the_threshold_moves_the_matrix(show: Show, judged: benison.EvalResult) -> None:
    page = show(judged, "#slice=Overall").page
    matrix = page.locator('[data-kind="matrix"] svg')
    counts = matrix.locator(".count").all_text_contents()
    page.locator("#threshold").fill("0.8")
    expect(page.locator("output")).to_have_text("0.80")
    assert matrix.locator(".count").all_text_contents() != counts
    recall = pc.sum(
        pc.and_(pc.greater(TRIPS["prediction"], 0.8), pc.equal(TRIPS["label"], 1))
    ).as_py()
    assert number(matrix.locator(".count").first.text_content() or "") == recall
    expect(page).to_have_url(re.compile("threshold=0.8"))


TRIPS = taxi_like(6_000)


def test_rates_by_slice_are_those_of_the_data(show: Show, judged: benison.EvalResult) -> None:
    page = show(judged, "#rate=true+positive+rate&group=company&at=0.3,0.6").page
    table = page.locator("#fairness table")
    assert table.locator("thead th").all_inner_texts() == [
        "slice",
        "examples",
        "above 0.3",
        "above 0.6",
    ]
    rows = {row.locator("th").inner_text(): row for row in table.locator("tbody tr").all()}
    assert len(rows) == 5
    trips = TRIPS.filter(pc.equal(TRIPS["company"], "company 2"))
    positives = trips.filter(pc.equal(trips["label"], 1))["prediction"].to_numpy()
    share = (positives > 0.6).mean()
    cell = rows["company=company 2"].locator("td").nth(2).inner_text()
    assert number(cell.split("%")[0]) == pytest.approx(100 * share, abs=0.051)
    assert f"of {len(positives)}" in cell
    page.select_option("#rate-reference", "company=company 2")
    expect(table.locator("tbody th").first).to_have_text("company=company 2")


def test_a_view_can_be_sent(show: Show, judged: benison.EvalResult) -> None:
    shown, page = (first := show(judged)), first.page
    page.select_option("#metric", "recall")
    page.select_option("#kind", "hour")
    page.click('[data-sort="Δrecall"]')
    page.select_option("#theme", "dark")
    page.locator("#table tbody input").nth(2).check()
    expect(page).to_have_url(re.compile("slice=hour.*theme=dark"))
    again = show(judged, "#" + page.url.partition("#")[2])
    assert again.page.input_value("#metric") == "recall"
    assert again.rows()[:8] == shown.rows()[:8]
    assert again.page.locator("#chosen li").count() == page.locator("#chosen li").count()
    assert again.page.evaluate("document.documentElement.dataset.theme") == "dark"


@pytest.mark.parametrize("kind", ["SVG", "PNG", "CSV"])
def test_each_chart_can_be_kept(show: Show, judged: benison.EvalResult, kind: str) -> None:
    page = show(judged).page
    for name in ("Histogram of auc", "ROC of Overall", "Confusion matrix of Overall"):
        with page.expect_download() as download:
            page.get_by_role("button", name=f"Save {name} as {kind}").click(force=True)
        content = Path(download.value.path()).read_bytes()
        begins = {"SVG": b"<svg ", "PNG": b"\x89PNG", "CSV": b""}[kind]
        assert content.startswith(begins)
        assert len(content) > 30
        assert b"var(" not in content


def test_everything_explains_itself(show: Show, judged: benison.EvalResult) -> None:
    shown, page = (first := show(judged)), first.page
    page.hover('[data-sort="recall"]')
    assert (
        "Share of the positives that are predicted positive. Higher is better. From 0 to 1."
        in shown.text("#tip")
    )
    page.focus("#histogram .explained")
    assert "How many slices have which auc" in shown.text("#tip")


def test_the_keyboard_is_enough(show: Show, judged: benison.EvalResult) -> None:
    page = show(judged).page
    page.focus('[data-sort="examples"]')
    page.keyboard.press("Enter")
    expect(page.locator('[data-sort="examples"]')).to_be_focused()
    expect(page.locator('th[aria-sort="descending"]')).to_contain_text("examples")
    page.focus("#table tbody tr:nth-child(2) input")
    page.keyboard.press("Space")
    assert page.locator("#chosen li").count() >= 2
    assert page.evaluate("document.activeElement.type") == "checkbox"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_fault_of_accessibility(
    show: Show, judged: benison.EvalResult, scheme: str
) -> None:
    page = show(judged, color_scheme=scheme).page
    page.locator("#columns summary").click()
    actual = Axe().run(page).response["violations"]
    serious = [fault for fault in actual if fault["impact"] in ("serious", "critical")]
    assert not serious, json.dumps(
        [(f["id"], [n["html"][:200] for n in f["nodes"]]) for f in serious], indent=1
    )


def test_dark_is_dark(show: Show, judged: benison.EvalResult) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    dark, light = (show(judged, color_scheme=s).page for s in ("dark", "light"))
    assert sum(map(int, re.findall(r"\d+", dark.evaluate(paper)))) < 150
    assert sum(map(int, re.findall(r"\d+", light.evaluate(paper)))) > 700
    dark.select_option("#theme", "light")
    assert dark.evaluate(paper) == light.evaluate(paper)


def test_a_phone_needs_no_scrolling_to_the_side(show: Show, judged: benison.EvalResult) -> None:
    page = show(judged, viewport={"width": 360, "height": 740}).page
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert page.locator("#table tbody tr").first.is_visible()


def test_prints_the_first_rows_and_no_controls(show: Show, judged: benison.EvalResult) -> None:
    page = show(judged).page
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("#table tbody tr").count() == 60
    assert not page.locator("#controls").is_visible()
    assert len(page.pdf()) > 10_000


def test_says_which_line_asks_for_plots(show: Show, tmp_path: Path) -> None:
    shown = show(evaluated(taxi_like(300), config("AUC"), tmp_path))
    assert "- class_name: ConfusionMatrixPlot" in shown.text("#charts")
    assert "rates by slice" in shown.text("#charts")
    expect(shown.page.locator("#fairness")).to_be_hidden()


def test_hostile_names_run_nothing_and_break_nothing(show: Show, tmp_path: Path) -> None:
    table = taxi_like(600).append_column("</script><b>", pa.array((HOSTILE * 100)[:600]))
    called = ["</script><img src=x onerror=alert(1)>", "\u202e'\"</title>"]
    models = [{**spec, "name": name} for spec, name in zip(MODELS, called, strict=True)]
    metric = {
        "class_name": "AUC",
        "config": json.dumps({"name": "<b>auc</b>"}),
        "threshold": {"value_threshold": {"lower_bound": 1}},
    }
    made = config(
        metric,
        "ConfusionMatrixPlot",
        slices=({}, {"feature_keys": ["</script><b>"]}),
        model_specs=models,
    )
    shown = show(evaluated(table, made, tmp_path), "#slice=Overall&sort=slice")
    page = shown.page
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    assert page.locator("img").count() == page.locator("main b b").count() == 0
    assert len(shown.rows()) == 1 + len(HOSTILE)
    names = dict(
        page.locator("#table tbody input").evaluate_all(
            "boxes => boxes.map(box => [Number(box.dataset.slice), box.nextSibling.textContent])"
        )
    )
    assert set(HOSTILE) - {"x" * 10_000} <= {name.partition("=")[2] for name in names.values()}
    for i in range(1, 1 + len(HOSTILE)):
        page.locator(f'#table tbody input[data-slice="{i}"]').check()
        expect(page.locator('[data-kind="roc"] figure').last).to_contain_text(names[i][:40])
    expect(page).to_have_url(re.compile("(slice=.*){6}"))
    again = show(shown.result, "#" + page.url.partition("#")[2])
    assert again.page.locator("#chosen li").count() == page.locator("#chosen li").count()
    assert not dialogs


def test_small_slices_are_marked(show: Show, judged: benison.EvalResult) -> None:
    shown = show(judged, "#kind=company+×+hour&sort=examples")
    assert all(row[1].startswith("≈") == (number(row[1]) < 100) for row in shown.rows())
    assert shown.page.locator("#table tr.small").count() > 0


def test_the_view_of_each_model_and_weighting(show: Show, tmp_path: Path) -> None:
    specs = [{**spec, "example_weight_key": "weight"} for spec in MODELS]
    more = [{**specs[0], "name": "newer", "prediction_key": "old_prediction"}, *specs]
    made = config(*METRICS, slices=SLICES, model_specs=more)
    shown = show(evaluated(taxi_like(500), made, tmp_path))
    assert shown.page.locator("#view option").count() >= 2
    before = shown.rows()[0]
    shown.page.select_option("#view", index=1)
    assert shown.rows()[0] != before


def test_several_classes_are_a_heat_map(
    show: Show, judged: benison.EvalResult, tmp_path: Path
) -> None:
    ids = [(actual, predicted) for actual in range(3) for predicted in range(3)]
    columns = {
        "threshold": [0.0] * 9 + [0.5] * 9,
        "actual_class_id": [float(actual) for actual, _ in ids] * 2,
        "predicted_class_id": [float(predicted) for _, predicted in ids] * 2,
        "num_weighted_examples": [float(n) for n in range(18)],
    }
    texts = ("output", "dataset", "variant", "sub_key", "aggregation")
    row = {
        **dict.fromkeys(texts, ""),
        "model": "new",
        "weighted": False,
        "slice": "Overall",
        "slice_key": [],
        "plot": "classes",
        "columns": [*columns.items()],
        "examples": 45,
    }
    plots = pa.Table.from_pylist([row], PLOTS_SCHEMA)
    (tmp_path / "report.html").write_text(render(judged, plots), encoding="utf-8")
    page = show(dataclasses.replace(judged, path=tmp_path), "#slice=Overall&threshold=0.7").page
    figure = page.locator('[data-kind="classes"] figure')
    assert figure.locator("rect.cell").count() == 9
    figure.locator("rect.cell").nth(1).hover()
    expect(page.locator("#tip")).to_have_text(
        "10 of 30 examples of class 0 are predicted to be of class 1"
    )
    page.locator("#threshold").fill("0.2")
    expect(figure.locator("rect.cell").nth(1)).to_have_attribute("data-tip", re.compile("^1 of 3 "))


def test_scores_outside_of_0_and_1_are_drawn_and_reached(show: Show, tmp_path: Path) -> None:
    logits = pa.array(40 * TRIPS["prediction"].to_numpy() - 15)
    table = TRIPS.set_column(TRIPS.schema.get_field_index("prediction"), "prediction", logits)
    benison.evaluate(table, config("ConfusionMatrixPlot"), output=tmp_path / "out")
    page = show(benison.load_result(tmp_path / "out"), "#slice=Overall").page
    slider = page.locator("#threshold")
    low, high = (float(slider.get_attribute(end) or "") for end in ("min", "max"))
    assert -20 < low < -14
    assert 24 < high < 33
    assert page.locator('[data-kind="scores"] path').count() == 2
    slider.fill("12")
    expect(page).to_have_url(re.compile("threshold=12"))
    count = number(page.locator('[data-kind="matrix"] .count').first.text_content() or "")
    right = pc.and_(pc.greater(table["prediction"], 12), pc.equal(table["label"], 1))
    assert count == pytest.approx(pc.sum(right).as_py(), rel=0.15)  # at a threshold nearby
