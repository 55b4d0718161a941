# SPDX-License-Identifier: Apache-2.0
"""Comparisons of slices in the report: counted, drawn and named apart from slices."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pyarrow.compute as pc
import pytest
from playwright.sync_api import expect

import benison
from tests.browser.conftest import MODELS, Shown, evaluated
from tests.conftest import config, taxi_like

Show = Callable[..., Shown]
SLICES = ({}, {"feature_keys": ["company"]}, {"feature_keys": ["hour"]})
COMPARISONS = "comparisons of slices"


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> benison.EvalResult:
    """28 comparisons of slices with Overall beside 29 slices, of which none is known to be too far off."""
    with_overall = {"baseline_spec": {}, "slicing_specs": [*SLICES[1:]]}
    bound = {"value_threshold": {"lower_bound": -0.01}, "evidence": "worse"}
    judged = {"cross_slicing_specs": [with_overall], "threshold": bound}
    accuracy = {"class_name": "BinaryAccuracy", "cross_slice_thresholds": [judged]}
    options = {"confidence": {"level": 0.95}}
    made = config(accuracy, "AUC", slices=SLICES, model_specs=MODELS, options=options)
    made["cross_slicing_specs"] = [with_overall]
    return evaluated(taxi_like(1_000), made, tmp_path_factory.mktemp("compared"))


def number(text: str) -> float:
    return float(text.split()[0].replace("−", "-"))


def test_slices_are_counted_and_shown_without_comparisons(
    show: Show, compared: benison.EvalResult
) -> None:
    shown = show(compared)
    count = shown.text("#count")
    assert count.startswith("29 slices, ")
    assert "28 comparisons of slices: choose them under Features" in count
    assert not [row[0] for row in shown.rows() if " vs " in row[0]]
    heads = shown.page.locator("#table thead th").all_inner_texts()
    assert [head.strip("Δ\n ↑↓") for head in heads] == [
        "slice",
        "examples",
        "binary_accuracy",
        "auc",
    ]
    assert "Histogram of binary_accuracy: 29 slices from" in str(
        shown.page.locator("#histogram svg").get_attribute("aria-label")
    )


def test_comparisons_have_their_own_metrics_and_numbers(
    show: Show, compared: benison.EvalResult
) -> None:
    shown = show(compared)
    page = shown.page
    page.select_option("#kind", COMPARISONS)
    expect(page.locator("#count")).to_contain_text("28 comparisons")
    assert page.locator("#metric").input_value() == "difference of binary_accuracy"
    rows = compared.rows("binary_accuracy")
    own = pc.and_(pc.equal(rows["model"], "new"), pc.equal(rows["kind"], "slice_difference"))
    known = {row["slice"]: row["value"] for row in rows.filter(own).to_pylist()}
    assert len(known) == 28
    for row in shown.rows():
        assert number(row[2]) == pytest.approx(known[row[0]], abs=6e-5)
    assert page.locator("#table input").count() == 0  # there are no plots of a comparison
    page.select_option("#kind", "")
    expect(page.locator("#metric")).to_have_value("binary_accuracy")


def test_a_check_of_a_comparison_leads_to_it(show: Show, compared: benison.EvalResult) -> None:
    page = show(compared, viewport={"width": 400, "height": 844}).page
    line = page.locator("#checks tr[data-slice]").first
    assert "difference of binary_accuracy of Overall vs" in line.inner_text()
    line.locator("button").click()
    expect(page.locator("#kind")).to_have_value(COMPARISONS)
    expect(page.locator("#metric")).to_have_value("difference of binary_accuracy")
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") == 0


def test_intervals_of_checks_are_drawn_to_their_ends(
    show: Show, compared: benison.EvalResult
) -> None:
    """Every end is where the one scale of the axis has its number: none is cut."""
    page = show(compared).page
    known = {check.slice: check for check in compared.verdict.checks}
    ends = []
    for line in page.locator("#checks .panel").first.locator("tr[data-slice]").all():
        check = known[line.get_attribute("data-slice") or ""]
        left, _, right = re.findall(r"[\d.]+", line.locator(".reach").get_attribute("d") or "")
        ends += [(check.lower, float(left)), (check.upper, float(right))]
    numbers, places = np.array(ends).T
    slope, offset = np.polyfit(numbers, places, 1)
    assert len(ends) > 20
    assert np.abs(slope * numbers + offset - places).max() < 0.2  # pixels
