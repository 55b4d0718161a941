# SPDX-License-Identifier: Apache-2.0
"""The tests of results in a notebook: charts of their values, and HTML that harms nothing."""

from __future__ import annotations

import html.parser
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score

import benison
from benison import DataError, EvalResult, MissingExtraError
from benison.report.notebook import cell
from benison.report.notebook.plot_data import PLOTS
from benison.report.page.build import render
from tests.conftest import config, taxi_like

HOSTILE = [
    "</iframe></script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "\u202eright to left \U0001f695",
    "x" * 10_000,
]


def two_models(*metrics: Any, **more: Any) -> dict[str, Any]:
    """A config of a candidate and a baseline, whose predictions are in the data."""
    specs = [
        {"name": "new", "label_key": "label", "prediction_key": "prediction"},
        {
            "name": "old",
            "label_key": "label",
            "prediction_key": "old_prediction",
            "is_baseline": True,
        },
    ]
    slices = ({}, {"feature_keys": ["hour"]}, {"feature_keys": ["company"]})
    return {**config(*metrics, slices=slices, **more), "model_specs": specs}


AUC = {"class_name": "AUC", "threshold": {"value_threshold": {"lower_bound": 0.85}}}
PLOTTED = ("ConfusionMatrixPlot", "CalibrationPlot")


@pytest.fixture(scope="module")
def trips() -> pa.Table:
    return taxi_like(3_000)


@pytest.fixture(scope="module")
def result(trips: pa.Table) -> EvalResult:
    return benison.evaluate(trips, two_models(AUC, "ExampleCount", *PLOTTED))


def rows_of(chart: Any) -> list[dict[str, Any]]:
    """The rows that a chart draws; a layer with rows of its own, such as a diagonal, has fewer."""

    def sets(spec: Any) -> Iterator[list[dict[str, Any]]]:
        if isinstance(spec, dict):
            if "values" in spec.get("data", {}):
                yield spec["data"]["values"]
            for part in spec.values():
                yield from sets(part)
        elif isinstance(spec, list):
            for part in spec:
                yield from sets(part)

    return max(sets(chart.to_dict(validate=True)), key=len)


def test_slices_are_drawn_worst_first_with_the_baseline(result: EvalResult) -> None:
    rows = rows_of(result.view.slices("auc", worst=5))
    assert [row["slice"] for row in rows][0] == "Overall"
    worst = [name for name in result.worst("auc", 7)["slice"].to_pylist() if name != "Overall"]
    assert [row["slice"] for row in rows][1:] == worst[:5]
    for row in rows:
        assert row["value"] == result.value("auc", row["slice"])
        assert row["baseline"] == result.value("auc", row["slice"], model="old")
        assert row["check"] == ("failed" if row["value"] < 0.85 else "passed")
    assert all(row["check"] == "none" for row in rows_of(result.view.slices("example_count")))


def test_small_slices_are_left_out_when_asked(result: EvalResult) -> None:
    rows = rows_of(result.view.slices("auc", least=500))
    assert {row["slice"].partition("=")[0] for row in rows} == {"Overall", "company"}
    with pytest.raises(DataError, match="No slice has 5,000 examples; the largest has 3,000."):
        result.view.slices("auc", least=5_000)


@pytest.mark.parametrize("name", PLOTS)
def test_every_plot_draws_both_models(result: EvalResult, name: str) -> None:
    chart = result.view.plot(name, slices=["Overall", "hour=5"])
    rows = rows_of(chart)
    assert {(row["slice"], row["model"]) for row in rows} == {
        (slice_, model) for slice_ in ("Overall", "hour=5") for model in ("candidate", "baseline")
    }
    assert all(np.isfinite([row["x"], row["y"]]).all() for row in rows)
    assert PLOTS[name].y in str(chart.to_dict())


def test_the_area_under_what_is_drawn_is_the_metric(result: EvalResult, trips: pa.Table) -> None:
    def area(name: str, model: str) -> float:
        rows = [row for row in rows_of(result.view.plot(name)) if row["model"] == model]
        x, y = np.array([[row["x"], row["y"]] for row in rows]).T
        return float(abs(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2)))

    for model, column in (("candidate", "prediction"), ("baseline", "old_prediction")):
        exact = roc_auc_score(trips["label"], trips[column])
        assert area("roc", model) == pytest.approx(exact, abs=0.01)
        shares = np.mean(trips["label"].to_numpy())
        # A gain curve is above the diagonal by what ROC is, of the negatives alone.
        assert area("gain", model) == pytest.approx(shares / 2 + (1 - shares) * exact, abs=0.01)


def test_what_the_distributions_add_up_to(result: EvalResult) -> None:
    for line in ("positives", "negatives"):
        drawn = [r for r in rows_of(result.view.plot("score_distribution")) if r["line"] == line]
        for model in ("candidate", "baseline"):
            assert sum(r["y"] for r in drawn if r["model"] == model) == pytest.approx(1.0)


def test_a_chart_can_be_restyled(result: EvalResult) -> None:
    chart = result.view.plot("roc").properties(title="mine", width=100)
    assert chart.to_dict()["title"] == "mine"


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda view: view.plot("rok"), "There is no plot 'rok'. Did you mean 'roc'?"),
        (lambda view: view.plot("roc", "hour=55"), "no slice 'hour=55'. Did you mean 'hour=5'?"),
        (lambda view: view.plot("roc", []), "A plot is of 1 to 24 slices, not of 0."),
        (lambda view: view.slices("acu"), "no metric 'acu'. Did you mean 'auc'?"),
        (lambda view: view.slices("auc", model="nwe"), "no model 'nwe'. Did you mean 'new'?"),
        (lambda view: view.slices("auc", modle="new"), "'modle' does not tell one value from"),
        (lambda view: view.time_series([], "acu"), "no metric 'acu'. Did you mean 'auc'?"),
        (lambda view: view.time_series([], "auc", "hour=55"), "no slice 'hour=55'. Did you mean"),
        (lambda view: view.time_series(["nowhere"], "auc"), "There is no result at nowhere."),
    ],
)
def test_what_is_not_there(result: EvalResult, call: Any, sentence: str) -> None:
    with pytest.raises(benison.BenisonError) as error:
        call(result.view)
    assert sentence in str(error.value)


def test_the_sentence_says_which_plot_to_ask_for(trips: pa.Table) -> None:
    evaluated = benison.evaluate(trips, config("AUC"))
    with pytest.raises(DataError, match="'calibration' needs the points of CalibrationPlot; name"):
        evaluated.view.plot("calibration")


def test_several_views_of_a_metric_have_to_be_told_apart(trips: pa.Table) -> None:
    made = config("AUC", model={"example_weight_key": "weight"})
    made["metrics_specs"] = [
        {
            "metrics": [{"class_name": "AUC"}],
            "example_weights": {"weighted": True, "unweighted": True},
        }
    ]
    evaluated = benison.evaluate(trips, made)
    with pytest.raises(DataError, match=r"auc has several .* say which \(weighted: True, False"):
        evaluated.view.slices("auc")
    (row,) = rows_of(evaluated.view.slices("auc", weighted=False))
    assert row["value"] == evaluated.value("auc", weighted=False)


def test_without_altair(result: EvalResult, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "altair", None)
    for call in (
        lambda: result.view.slices("auc"),
        lambda: result.view.plot("roc"),
        lambda: result.view.time_series([], "auc"),
    ):
        with pytest.raises(MissingExtraError, match=r"pip install 'benison\[report\]'"):
            call()
    assert "NOT BLESSED" in result._repr_html_()


def test_a_time_series_is_in_order_each_run_once(tmp_path: Path) -> None:
    runs = []
    for i, day in enumerate(("b", "a", "c")):
        made = two_models(AUC) if i else config(AUC)
        runs.append(benison.evaluate(taxi_like(500, i), made, output=tmp_path / day / "out"))
        runs[-1].manifest["created"] = f"2026-01-0{i + 1}T00:00:00+00:00"
    rows = rows_of(runs[1].view.time_series([runs[2], runs[0], runs[1]], "auc"))
    assert [row["run"] for row in rows] == ["b/out", "a/out", "c/out"]
    assert [row["value"] for row in rows] == [run.value("auc") for run in runs]
    assert [row["baseline"] for row in rows] == [
        None,
        *(run.value("auc", model="old") for run in runs[1:]),
    ]
    assert {row["verdict"] for row in rows} <= {"blessed", "not blessed"}
    by_path = rows_of(runs[0].view.time_series([str(tmp_path / "c" / "out")], "auc", "Overall"))
    assert {row["run"] for row in by_path} == {"b/out", "c/out"}


def test_a_slice_that_only_some_runs_have(tmp_path: Path) -> None:
    plain = benison.evaluate(taxi_like(500), config("AUC"), output=tmp_path / "plain")
    sliced = benison.evaluate(
        taxi_like(500),
        config("AUC", slices=({}, {"feature_keys": ["hour"]})),
        output=tmp_path / "s",
    )
    assert [row["run"] for row in rows_of(plain.view.time_series([sliced], "auc", "hour=5"))] == [
        "s"
    ]


# As HTML.


class Page(html.parser.HTMLParser):
    """The elements of a piece of HTML, its text, and what its frame holds."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.frame: dict[str, str] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        if tag == "iframe":
            self.frame = dict(attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_html_says_verdict_reasons_and_worst_slices(result: EvalResult) -> None:
    page = Page(result._repr_html_())
    assert "NOT BLESSED" in page.text
    for reason in result.verdict.reasons[:8]:
        assert reason in page.text
    (worst,) = result.worst("auc", 1).to_pylist()
    few = "≈ " if worst["examples"] < 100 else ""
    assert f"{worst['slice']}{few}{worst['examples']:,}{worst['value']:.5g} ✗" in page.text
    assert page.frame["srcdoc"].startswith("<!doctype html>")
    assert page.frame["sandbox"] == "allow-scripts allow-downloads"


def test_html_says_how_sure_a_value_is() -> None:
    made = config("AUC", slices=({}, {"feature_keys": ["hour"]}))
    made["options"] = {"compute_confidence_intervals": True}
    result = benison.evaluate(taxi_like(500), made)
    (worst,) = result.worst("auc", 1).to_pylist()
    message = f"{worst['value']:.5g} ({worst['lower']:.3g} to {worst['upper']:.3g})"
    assert f"≈ {worst['examples']}{message}" in Page(result._repr_html_()).text


def test_html_needs_nothing_from_outside_the_cell(result: EvalResult) -> None:
    page = Page(result._repr_html_())
    assert not {"script", "style", "link", "img", "object"}.intersection(page.tags)
    assert "src" not in page.frame


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    table = pa.table({"label": [1.0, 0, 1, 0], "prediction": [0.9, 0.2, 0.7, 0.4], "f": HOSTILE})
    made = config("ExampleCount", AUC, "BinaryAccuracy", slices=({}, {"feature_keys": ["f"]}))
    result = benison.evaluate(table, made)
    page = Page(result._repr_html_())
    assert not {"script", "img"}.intersection(page.tags)
    assert page.tags.count("iframe") == 1
    assert "x" * 500 not in page.text
    for name in HOSTILE:
        (row,) = rows_of(result.view.time_series([], "example_count", f"f={name}"))
        assert row["value"] == 1


def test_a_report_that_is_too_large_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cell, "MAX_REPORT", 100)
    result = benison.evaluate(taxi_like(100), config("AUC"), output=tmp_path / "out")
    page = Page(result._repr_html_())
    assert "iframe" not in page.tags
    assert str(tmp_path / "out" / "report.html") in page.text


def test_scores_of_any_size_are_drawn_where_they_are(trips: pa.Table) -> None:
    logits = 40 * trips["prediction"].to_numpy() - 15
    table = trips.set_column(trips.schema.get_field_index("prediction"), "prediction", [logits])
    view = benison.evaluate(table, config("ConfusionMatrixPlot")).view
    rows = rows_of(view.plot("score_distribution"))
    x = np.array([row["x"] for row in rows])
    assert -20 < x.min() < -14
    assert 20 < x.max() < 33
    labels = trips["label"].to_numpy()
    for line, label in (("positives", 1), ("negatives", 0)):
        drawn = sorted((r["x"], r["y"]) for r in rows if r["line"] == line)
        below = sum(share for start, share in drawn if start < 0)
        assert below == pytest.approx(np.mean(logits[labels == label] < 0), abs=0.08)
    thresholds = np.array([row["x"] for row in rows_of(view.plot("thresholds"))])
    assert -20 < thresholds.min() < thresholds.max() < 33


@pytest.fixture(scope="module")
def probed(trips: pa.Table) -> EvalResult:
    debugging = {"rows": 40, "probes": ["partial_dependence", "permutation_flips"]}
    asked = {
        "model_specs": [{"label_key": "label"}],
        "metrics_specs": [{"metrics": ["AUC"]}],
        "debugging": debugging,
    }
    table = trips.slice(0, 60).select(["hour", "company", "label"])
    return benison.evaluate(table, asked, model=lambda frame: frame["hour"].astype(float) / 24)


def test_probes_are_drawn_as_curves_and_as_values(probed: EvalResult) -> None:
    rows = rows_of(probed.view.probe("partial_dependence", "hour"))
    (curve,) = [r for r in probed.probes.to_pylist() if r["curve"] and r["feature"] == "hour"]
    means = [row for row in rows if row["line"] == "mean"]
    assert [row["value"] for row in means] == [point["value"] for point in curve["curve"]]
    assert [row["at"] for row in means] == sorted(float(point["at"]) for point in curve["curve"])
    lines = np.array(curve["lines"])
    assert lines.shape == (20, len(means))
    assert lines[:, 0] == pytest.approx([row["value"] for row in means][0])
    assert len(rows) == 21 * len(means)
    texts = rows_of(probed.view.probe("partial_dependence", "company"))
    assert {row["at"] for row in texts} <= {*probed_companies(probed)}
    values = rows_of(probed.view.probe("permutation_flips"))
    assert [row["of"] for row in values] == ["hour", "company"]
    for name, feature in (("partial_dependenc", ""), ("partial_dependence", "hours")):
        with pytest.raises(DataError, match="Did you mean"):
            probed.view.probe(name, feature)
    with pytest.raises(DataError, match="says nothing of the output 'zz'"):
        probed.view.probe("partial_dependence", "hour", output="zz")


def probed_companies(result: EvalResult) -> list[str]:
    rows = result.probes.to_pylist()
    return [p["at"] for row in rows if row["feature"] == "company" for p in row["curve"]]


def test_the_report_draws_single_rows_behind_the_curve(probed: EvalResult) -> None:
    page = render(probed)
    drawing = page[page.index(">partial_dependence") :].partition("</svg>")[0]
    assert drawing.count("<polyline") == 21
    assert "and 20 single rows" in drawing
