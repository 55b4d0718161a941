# SPDX-License-Identifier: Apache-2.0
"""The report without a browser: what it holds, how large it is, and that no name does harm."""

from __future__ import annotations

import math
import resource
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import benison
from benison.errors import OutputError
from benison.report import page as report_page
from benison.report.page import build
from benison.report.page.payload import Payload
from benison.table.alike import rows_by
from tests.component.pages import Carried, Tags, report_of
from tests.conftest import config, taxi_like

TOO_HIGH = {"class_name": "AUC", "threshold": {"value_threshold": {"lower_bound": 0.99}}}
BY_HOUR = ({}, {"feature_keys": ["hour"]})
AGAINST = {
    "model_specs": [
        {"name": "new", "label_key": "label", "prediction_key": "prediction"},
        {
            "name": "old",
            "label_key": "label",
            "prediction_key": "old_prediction",
            "is_baseline": True,
        },
    ]
}
HOSTILE = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\u202eright to left",
    "x" * 10_000,
    "\"'`${alert(1)}$style",
    "😀 -->",
]
TWENTY = [
    *("ExampleCount", "AUC", "AUCPrecisionRecall", "BinaryAccuracy", "Precision", "Recall"),
    *("Specificity", "FallOut", "MissRate", "F1Score", "BalancedAccuracy", "Prevalence"),
    *("MatthewsCorrelationCoefficient", "BinaryCrossEntropy", "MeanLabel", "MeanPrediction"),
    *("Calibration", "MeanSquaredError", "MeanAbsoluteError", "NegativePredictiveValue"),
]


def many(slices: int, rows: int) -> pa.Table:
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, rows).astype(float)
    scores = {
        name: np.clip(0.2 * label + rng.random(rows) * 0.8, 0, 1)
        for name in ("prediction", "old_prediction")
    }
    return pa.table({"label": label, **scores, "f": np.arange(rows) % slices})


def against(*metrics: Any, slices: Any = BY_HOUR) -> dict[str, Any]:
    return config(*metrics, slices=slices) | AGAINST


def test_holds_the_verdict_and_the_reasons_before_any_script(
    trips: pa.Table, tmp_path: Path
) -> None:
    made = config(TOO_HIGH, "ExampleCount", slices=BY_HOUR)
    text = Tags(report_of(trips, made, tmp_path)).text
    result = benison.load_result(tmp_path / "out")
    assert "NOT BLESSED" in text
    assert all(reason in text for reason in result.verdict.reasons)
    assert "2,000, all of them read" in text
    assert result.config.digest()[:12] in text


def test_the_headline_names_the_slice_that_misses_the_bound_by_most(
    trips: pa.Table, tmp_path: Path
) -> None:
    text = Tags(report_of(trips, config(TOO_HIGH, slices=BY_HOUR), tmp_path)).text
    verdict = benison.load_result(tmp_path / "out").verdict
    lowest = min(verdict.failures, key=lambda check: check.value)
    assert lowest.slice != "Overall"
    assert f"slices, worst in {lowest.slice}." in text
    assert verdict.first_reasons(1) == (lowest.reason,)
    assert verdict.to_dict()["reasons"][0] == lowest.reason


def test_holds_what_could_not_be_evaluated(trips: pa.Table, tmp_path: Path) -> None:
    bound = {"change_threshold": {"direction": "HIGHER_IS_BETTER", "absolute": 0}}
    made = config({"class_name": "AUC", "threshold": bound})
    assert "rubber-stamped" in Tags(report_of(trips, made, tmp_path)).text


def test_says_which_execution_recorded_it(trips: pa.Table, tmp_path: Path) -> None:
    benison.evaluate(trips, config("AUC"), output=tmp_path / "out")
    result = benison.load_result(tmp_path / "out")
    result.manifest["lineage"] = {"execution": 17, "pipeline": "taxi"}
    text = Tags(report_page.render(result)).text
    assert "execution 17" in text
    assert "pipeline taxi" in text


def test_values_are_those_of_the_results_to_the_bit(trips: pa.Table, tmp_path: Path) -> None:
    page = report_of(trips, against("AUC", "Precision", "ExampleCount"), tmp_path)
    carried, result = Carried.of(page), benison.load_result(tmp_path / "out")
    for name in ("auc", "precision", "example_count"):
        for field, model in (("value", "new"), ("baseline", "old")):
            values = carried.metric(name, field)
            assert set(values) == set(result.slices())
            for slice_, value in values.items():
                expected = result.value(name, slice_, model=model)
                assert value == expected or (math.isnan(value) and math.isnan(expected))


@pytest.mark.parametrize("weight", [None, "weight"])
def test_curves_pass_through_points_of_the_plots(
    trips: pa.Table, tmp_path: Path, weight: str | None
) -> None:
    model = {} if weight is None else {"example_weight_key": weight}
    made = config("ConfusionMatrixPlot", "CalibrationPlot", slices=BY_HOUR, model=model)
    carried = Carried.of(report_of(trips, made, tmp_path))
    rows = pq.read_table(tmp_path / "out" / "plots.parquet").to_pylist()
    confusion = next(p for p in carried.header["plots"] if "confusion" in p["name"])
    thresholds = carried.column(confusion["axis"])
    for which, location in enumerate(confusion["slices"]):
        name = carried.header["names"][location]
        row = next(r for r in rows if r["slice"] == name and r["plot"] == confusion["name"])
        points = {key: np.array(values) for key, values in row["columns"]}
        kept = np.searchsorted(points["threshold"], thresholds)
        for side, whole in (("positives", "true_positives"), ("negatives", "false_positives")):
            between = carried.column(confusion["candidate"][side]).reshape(-1, len(thresholds) + 1)
            above = np.cumsum(between[which][:0:-1])[::-1]
            np.testing.assert_allclose(above, points[whole][kept], atol=1e-9)


def test_merged_buckets_have_the_sums_of_the_plot(trips: pa.Table, tmp_path: Path) -> None:
    carried = Carried.of(report_of(trips, config("CalibrationPlot"), tmp_path))
    (plot,) = carried.header["plots"]
    assert len(carried.column(plot["candidate"]["edge"])) == 52
    sums = {name: carried.column(location).sum() for name, location in plot["candidate"].items()}
    assert sums["weight"] == 2_000
    assert sums["label"] == pytest.approx(np.sum(trips["label"].to_numpy()))
    assert sums["prediction"] == pytest.approx(np.sum(trips["prediction"].to_numpy()))


def test_hostile_names_become_text_and_nothing_else(tmp_path: Path) -> None:
    table = pa.table({"label": [1.0, 0] * 3, "prediction": [0.9, 0.2] * 3, "f": HOSTILE})
    page = report_of(table, config(TOO_HIGH, slices=({"feature_keys": ["f"]},)), tmp_path)
    names = Carried.of(page).header["names"]
    assert {name for name in names if len(name) < 200} == {
        f"f={name}" for name in HOSTILE if len(name) < 200
    }
    tags = Tags(page).found
    assert tags.count("script") == 2
    assert "img" not in tags
    assert len(page) < 150_000


def test_a_long_name_hides_no_number_of_a_sentence(tmp_path: Path) -> None:
    table = pa.table({"label": [1.0, 0] * 2, "prediction": [0.9, 0.2] * 2, "f": ["x" * 10_000] * 4})
    bound = {"class_name": "MeanLabel", "threshold": {"value_threshold": {"lower_bound": 0.75}}}
    text = Tags(report_of(table, config(bound, slices=({"feature_keys": ["f"]},)), tmp_path)).text
    assert "x… (9,802 more characters) is 0.5 (4 examples), below the lower bound 0.75." in text


def test_names_that_are_cut_tell_slices_apart(tmp_path: Path) -> None:
    names = ["x" * 300 + end for end in "ab"] * 2
    table = pa.table({"label": [1.0, 0] * 2, "prediction": [0.9, 0.2] * 2, "f": names})
    page = report_of(table, config("AUC", slices=({"feature_keys": ["f"]},)), tmp_path)
    shown = Carried.of(page).header["names"]
    assert len(set(shown)) == len(shown) == 2


def test_needs_nothing_from_outside(trips: pa.Table, tmp_path: Path) -> None:
    page = report_of(trips, config("AUC"), tmp_path)
    policy = page[page.index("Content-Security-Policy") :].partition(">")[0]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http:" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "https:" not in page


def test_ten_thousand_slices_of_twenty_metrics_fit_all(tmp_path: Path) -> None:
    made = against(*TWENTY, slices=({}, {"feature_keys": ["f"]}))
    made["options"] = {"compute_confidence_intervals": True}
    page = report_of(many(10_000, 40_000), made, tmp_path)
    carried, result = Carried.of(page), benison.load_result(tmp_path / "out")
    assert len(page.encode()) < 4_000_000
    assert len(carried.header["names"]) == carried.header["sliceCount"] == 10_001
    metrics = result.metrics.filter(pa.compute.equal(result.metrics["model"], "new"))
    metrics = metrics.filter(pa.compute.equal(metrics["kind"], "value"))
    for name in ("auc", "calibration", "binary_crossentropy"):
        rows = metrics.filter(pa.compute.equal(metrics["metric"], name))
        shown = carried.metric(name)
        expected = dict(zip(rows["slice"].to_pylist(), rows["value"].to_pylist(), strict=True))
        digits = {key: float(f"{value:.6g}") for key, value in expected.items()}
        np.testing.assert_allclose([shown[key] for key in digits], [*digits.values()], rtol=1.1e-6)
        assert (
            np.mean([shown[key] == digits[key] for key in digits if digits[key] == digits[key]])
            > 0.999
        )
        reach = carried.metric(name, "upper")
        upper = dict(zip(rows["slice"].to_pylist(), rows["upper"].to_pylist(), strict=True))
        for key, value in expected.items():
            assert reach[key] == pytest.approx(upper[key] - value, rel=5.1e-3, nan_ok=True)


def test_says_how_many_slices_do_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "MAX_BYTES", 135_000)
    made = against(*TWENTY, "ConfusionMatrixPlot", slices=({}, {"feature_keys": ["f"]}))
    page = report_of(many(1_000, 4_001), made, tmp_path)
    header = Carried.of(page).header
    assert 105_000 < len(page) < 135_000
    assert header["sliceCount"] == 1_001
    assert header["names"][:2] == ["Overall", "f=0"]
    assert 20 < header["plotSlices"] < len(header["names"]) < 1_001
    assert header["left"] == [["f", 1_001 - len(header["names"]), 4, 4]]


def test_a_slice_that_failed_is_in_the_page_however_small(tmp_path: Path) -> None:
    table = taxi_like(4_000).append_column(
        "rare", pa.array([str(min(i, 3000)) for i in range(4_000)])
    )
    threshold = {
        "slicing_specs": [{"feature_values": {"rare": "2999"}}],
        "threshold": {"value_threshold": {"lower_bound": 2}},
    }
    metric = {"class_name": "BinaryAccuracy", "per_slice_thresholds": [threshold]}
    made = config(metric, slices=({}, {"feature_keys": ["rare"]}))
    header = Carried.of(report_of(table, made, tmp_path)).header
    assert header["names"][:3] == ["Overall", "rare=2999", "rare=3000"]
    assert header["failed"] == [[1, 0, "binary_accuracy"]]


@pytest.mark.parametrize(
    "number", [0.0, -0.25, 1 / 3, 123456.5, -9.999996, 1e-9, 6.02e23, 1e300, 5e-324]
)
def test_six_digits_are_those_that_are_printed(number: float) -> None:
    payload = Payload(exact=False)
    location = payload.values(np.array([number, np.nan, np.inf, -np.inf]))
    carried = Carried.of(f'id="data">{payload.text({})}</script>')
    value, undefined, *infinite = carried.column(location)
    assert value == pytest.approx(float(f"{number:.6g}"), rel=1e-15, abs=1e-299)
    assert math.isnan(undefined)
    assert infinite == [math.inf, -math.inf]


@pytest.mark.parametrize("rows", [0, 3])
def test_chunks_without_rows_ask_for_no_memory(rows: int) -> None:
    empty = pa.table({"name": pa.chunked_array([pa.array([], pa.string())])})
    table = pa.concat_tables(
        [empty, pa.table({"name": pa.array(["a"] * rows, pa.string())}), empty]
    )
    before = pa.total_allocated_bytes()
    limit = resource.getrlimit(resource.RLIMIT_AS)
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + 2**28, limit[1]))
    try:
        places = {key: rows.tolist() for key, rows in rows_by(table, ["name"]).items()}
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limit)
    assert places == ({("a",): [0, 1, 2]} if rows else {})
    assert pa.total_allocated_bytes() - before < 2**20


def test_rows_alike_in_some_columns_are_those_that_python_finds() -> None:
    rng = np.random.default_rng(0)
    columns = {
        "name": [None if i == 0 else f"n{i}" for i in rng.integers(0, 5, 200)],
        "weighted": rng.integers(0, 2, 200).astype(bool).tolist(),
        "same": ["x"] * 200,
        "bound": [None if i == 0 else i / 3 for i in rng.integers(0, 4, 200)],
    }
    expected: dict[tuple[Any, ...], list[int]] = {}
    for row, key in enumerate(zip(*columns.values(), strict=True)):
        expected.setdefault(key, []).append(row)
    table = pa.table(columns)
    table = pa.concat_tables([table.slice(0, 70), table.slice(70)])
    actual = {key: rows.tolist() for key, rows in rows_by(table, list(columns)).items()}
    assert list(actual.items()) == list(expected.items())


def test_a_page_of_plots_of_another_type(tmp_path: Path) -> None:
    output = tmp_path / "out"
    made = config("ConfusionMatrixPlot")
    result = benison.evaluate(taxi_like(50), made, output=str(output))
    plots = pq.read_table(output / "plots.parquet")
    nullable = plots.schema.field("examples").with_nullable(True)
    location = plots.schema.get_field_index("examples")
    pq.write_table(
        plots.set_column(location, nullable, plots["examples"]), output / "plots.parquet"
    )
    assert "<html" in report_page.render(result)
    pq.write_table(plots.drop_columns(["slice"]), output / "plots.parquet")
    with pytest.raises(OutputError, match=r"plots.parquet cannot be read"):
        report_page.render(result)
    (output / "plots.parquet").write_bytes(b"PAR1")
    with pytest.raises(OutputError, match=r"plots.parquet cannot be read"):
        report_page.render(result)


def test_the_page_has_values_that_are_no_numbers(tmp_path: Path) -> None:
    matrix = {
        "class_name": "ConfusionMatrixAtThresholds",
        "config": {"thresholds": [0.25, 0.5]},
    }
    sample = {"class_name": "FixedSizeSample", "config": {"sampled_key": "f", "size": 6}}
    made = config(matrix, sample, "ExampleCount", slices=({}, {"feature_keys": ["f"]}))
    table = pa.table({"label": [1.0, 0] * 3, "prediction": [0.9, 0.2] * 3, "f": HOSTILE})
    tags = Tags(report_of(table, made, tmp_path))
    assert "Tables and lists" in tags.text
    assert "threshold: 0.25, 0.5; " in tags.text
    assert "false_negatives: 0, 0" in tags.text
    assert HOSTILE[1] in tags.text.partition("fixed_size_sample")[2]
    assert "img" not in tags.found
    assert "Tables and lists" not in report_of(table, config("AUC"), tmp_path / "numbers")
