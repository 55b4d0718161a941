# SPDX-License-Identifier: Apache-2.0
"""The page of results over time in a browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benison import EvalResult
from benison.report import history
from benison.table.key import Key
from tests.component.browsing import opened, too_small
from tests.component.test_history import HOSTILE, RUNS, hostile_runs, run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("history")


@pytest.fixture(scope="module")
def runs(folder: Path) -> list[EvalResult]:
    return [run(i, folder) for i in range(RUNS)]


@pytest.fixture(scope="module")
def shown(folder: Path, runs: list[EvalResult]) -> Iterator[tuple[Any, list[str], str]]:
    (folder / "history.html").write_text(history.render(runs, as_given=True), encoding="utf-8")
    with opened(viewport={"width": 1200, "height": 900}) as (page, heard):
        yield page, heard, (folder / "history.html").as_uri()


def open_at(shown: tuple[Any, list[str], str], fragment: str = "") -> Any:
    page, _, address = shown
    page.goto("about:blank")
    page.goto(address + fragment)
    page.wait_for_selector("#chart .point")
    return page


def drawn(page: Any) -> list[str]:
    actual: list[str] = page.eval_on_selector_all(
        "#chart .point", "points => points.map((p) => p.getAttribute('aria-label'))"
    )
    return actual


@pytest.mark.slow
def test_metric_and_slice_are_switched(
    shown: tuple[Any, list[str], str], runs: list[EvalResult]
) -> None:
    page = open_at(shown)
    assert "5 evaluations" in page.inner_text("#summary")
    page.select_option("#metric", "example_count")
    page.fill("#find", "hour=17")
    page.wait_for_function("document.getElementById('slice').value === 'hour=17'")
    assert page.inner_text("#chart-title") == "example_count of hour=17"
    for result, text in zip(runs, drawn(page), strict=True):
        assert f"is {result.value('example_count', 'hour=17'):.0f};" in text
    page.wait_for_url(re.compile("metric=example_count.*slice=hour%3D17"))
    assert shown[1] == []


@pytest.mark.slow
def test_an_address_opens_the_same_view(
    shown: tuple[Any, list[str], str], runs: list[EvalResult]
) -> None:
    page = open_at(shown, "#metric=auc&slice=hour%3D5&theme=dark&over=data")
    assert page.input_value("#slice") == "hour=5"
    assert page.input_value("#over") == "data"
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper != "rgb(255, 255, 255)"
    for result, text in zip(runs, drawn(page), strict=True):
        verdict = result.verdict.status.replace("_", " ")
        assert f"; {verdict}" in text
        shown_value = float(text.partition(" is ")[2].partition(";")[0])
        assert shown_value == pytest.approx(result.value("auc", "hour=5"), abs=5e-6)
        assert ("failed a check" in text) == (
            ("auc", "hour=5") in {(c.metric, c.slice) for c in result.verdict.failures}
        )
    open_at(shown, "#metric=nonsense&slice=nonsense&over=x&from=99&to=-1")
    assert page.input_value("#slice") == "Overall"
    assert shown[1] == []


@pytest.mark.slow
def test_verdicts_are_marked_and_baselines_drawn(
    shown: tuple[Any, list[str], str], runs: list[EvalResult]
) -> None:
    page = open_at(shown)
    for status in ("blessed", "not_blessed"):
        wanted = sum(result.verdict.status == status for result in runs)
        assert page.locator(f"#chart .point.{status}").count() == wanted
    assert page.locator("#chart .theirs").count() == 1
    heights = page.eval_on_selector_all(
        "#chart .bound", "lines => lines.map((line) => line.getAttribute('y1'))"
    )
    assert len(heights) == RUNS
    assert len(set(heights)) == 2  # odd days ask for more
    assert page.locator("#runs tbody tr").count() == RUNS


@pytest.mark.slow
def test_alerts_are_listed_and_marked(
    shown: tuple[Any, list[str], str], runs: list[EvalResult], folder: Path
) -> None:
    key = (("hour", "5"),)
    marks = tuple(
        history.Mark(Key("auc"), key, since, since + 1, f"It fell in {since}.") for since in (2, 3)
    )
    watched = history.Watched("2 alerts.", "Seldom wrong.", marks)
    text = history.render(runs, as_given=True, watched=watched)
    (folder / "watched.html").write_text(text, encoding="utf-8")
    page, heard, _ = shown
    page.goto((folder / "watched.html").as_uri())
    page.wait_for_selector("#chart .point")
    assert page.input_value("#slice") == "hour=5"  # that of the first alert
    assert page.locator("#chart .began").count() == 2
    assert page.get_attribute("#chart .began", "aria-label") == "It fell in 2."
    page.select_option("#slice", "Overall")
    assert page.locator("#chart .began").count() == 0
    page.click("#alerts button >> nth=1")
    assert page.input_value("#slice") == "hour=5"
    rows = page.locator("#runs tbody tr")
    assert ["▼" in rows.nth(i).inner_text() for i in range(RUNS)] == [
        i in {2, 3} for i in range(RUNS)
    ]
    assert heard == []


@pytest.mark.slow
def test_what_moved_leads_to_its_slice(
    shown: tuple[Any, list[str], str], runs: list[EvalResult]
) -> None:
    page = open_at(shown, "#metric=auc&from=0&to=4&least=20")
    change = {s: runs[4].value("auc", s) - runs[0].value("auc", s) for s in runs[0].slices()}
    first = page.locator("#moved tbody tr button").first
    assert first.inner_text() == min(change, key=lambda name: change[name])
    first.click()
    assert page.input_value("#slice") == min(change, key=lambda name: change[name])


@pytest.mark.slow
def test_the_keyboard_goes_from_point_to_point(
    shown: tuple[Any, list[str], str], runs: list[EvalResult]
) -> None:
    page = open_at(shown)
    page.focus("#chart .point >> nth=0")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.dataset.point") == "1"
    message = page.inner_text("#details")
    assert message.startswith("run-1: auc of \u2068Overall\u2069")
    for reason in runs[1].verdict.reasons[:5]:
        assert reason in message


@pytest.mark.slow
def test_what_is_seen_is_downloaded(shown: tuple[Any, list[str], str]) -> None:
    page = open_at(shown, "#slice=hour%3D5")
    with page.expect_download() as started:
        page.click("#csv")
    lines = Path(started.value.path()).read_text(encoding="utf-8").splitlines()
    assert len(lines) == RUNS + 1
    assert lines[1].startswith('"auc","hour=5","run-0","blessed",')
    assert shown[1] == []


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(
    folder: Path, shown: tuple[Any, list[str], str], scheme: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = open_at(shown, f"#theme={scheme}")
    actual = axe.Axe().run(page).response["violations"]
    assert [
        (f["id"], f["nodes"][0]["html"]) for f in actual if f["impact"] in ("serious", "critical")
    ] == []


@pytest.mark.slow
def test_a_phone_has_no_sideways_scroll(shown: tuple[Any, list[str], str]) -> None:
    page = open_at(shown)
    page.set_viewport_size({"width": 360, "height": 700})
    page.wait_for_selector('#chart svg[viewBox^="0 0 3"]')
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.set_viewport_size({"width": 1200, "height": 900})


@pytest.mark.slow
@pytest.mark.parametrize("width", [1400, 768, 390])
def test_text_can_be_read_and_targets_can_be_hit(
    shown: tuple[Any, list[str], str], width: int
) -> None:
    page = open_at(shown)
    page.set_viewport_size({"width": width, "height": 900})
    assert too_small(page) == []
    page.set_viewport_size({"width": 1200, "height": 900})


@pytest.mark.slow
def test_few_examples_are_marked(shown: tuple[Any, list[str], str]) -> None:
    page = open_at(shown)
    sizes = page.locator("#moved tbody td:last-child").all_inner_texts()
    assert sizes
    assert all(size.startswith("≈ ") == (int(size.strip("≈ ")) < 100) for size in sizes)
    assert all("uncertain" in text for text in drawn(open_at(shown, "#slice=hour%3D3")))


@pytest.mark.slow
def test_hostile_names_run_nothing(folder: Path, shown: tuple[Any, list[str], str]) -> None:
    page, heard, _ = shown
    path = folder / "hostile.html"
    path.write_text(history.render(hostile_runs()), encoding="utf-8")
    page.goto(path.as_uri())
    page.wait_for_selector("#chart .point")
    for value in page.eval_on_selector_all("#slice option", "all => all.map((o) => o.value)"):
        page.select_option("#slice", value)
        assert value in page.inner_text("#chart-title")
    assert page.locator("#slice option").count() == len(HOSTILE) + 1
    assert page.locator("img").count() == 0
    page.set_viewport_size({"width": 360, "height": 700})
    page.wait_for_selector('#chart svg[viewBox^="0 0 3"]')
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.set_viewport_size({"width": 1200, "height": 900})
    assert heard == []
