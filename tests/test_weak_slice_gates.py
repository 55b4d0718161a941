# SPDX-License-Identifier: Apache-2.0
"""What a gate on weak slices says of data that it cannot judge, and what losses there are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import pytest

import benison
from benison.cli import app
from benison.config import Bins, SlicingSpec
from benison.report.ci import Reports
from benison.validation.checks import Check
from benison.weak_slices.code_books import CodeBook, code_books
from benison.weak_slices.layout import MOST_CELLS, Layout
from benison.weak_slices.losses import RowLoss
from benison.weak_slices.promotion import slicing_specs_of
from benison.weak_slices.sampled_rows import SampledRows

NAN = float("nan")


def config(
    measure: str = "auto", gate: str = "fail", baseline: bool = True, **more: Any
) -> dict[str, Any]:
    specs: list[dict[str, Any]] = [{"name": "new", "label_key": "y", "prediction_key": "after"}]
    if baseline:
        specs.append(
            {"name": "old", "is_baseline": True, "label_key": "y", "prediction_key": "before"}
        )
    loss = "change" if baseline else "error"
    return {
        "model_specs": specs,
        "metrics_specs": [{"metrics": ["ExampleCount"]}],
        "weak_slices": {"loss": loss, "gate": gate, "measure": measure, **more},
    }


def prices(rows: int = 1_000) -> dict[str, Any]:
    """Both models are as good as each other."""
    rng = np.random.default_rng(2)
    y = rng.normal(size=rows)
    return {
        "city": rng.choice(["a", "b"], rows),
        "y": y,
        "before": y + rng.normal(size=rows),
        "after": y + rng.normal(size=rows),
    }


def of_weak_slices(verdict: Any) -> list[Check]:
    return [check for check in verdict.checks if check.check == "weak_slice"]


@pytest.mark.parametrize(
    ("column", "value", "status", "sentence"),
    [
        ("after", NAN, "not_blessed", "new has no loss on 90 of 1,000 examples"),
        ("after", float("inf"), "not_blessed", "most of them, 90, are in {city=b}"),
        ("before", NAN, "not_evaluated", "old has no loss on 90 of 1,000 examples"),
        ("y", NAN, "blessed", "No slice was confirmed"),
    ],
)
def test_rows_without_a_loss_do_not_vanish(
    column: str, value: float, status: str, sentence: str
) -> None:
    data = prices()
    data[column][np.flatnonzero(data["city"] == "b")[:90]] = value
    verdict = benison.evaluate(pa.table(data), config()).verdict
    assert verdict.status == status
    assert any(sentence in check.reason for check in of_weak_slices(verdict))
    if status != "blessed":
        warned = benison.evaluate(pa.table(data), config(gate="warn")).verdict
        assert [check.outcome for check in of_weak_slices(warned)] == ["warn"]


def decisions(kind: str = "score") -> dict[str, Any]:
    """A baseline that is wrong on some rows, and a candidate that is the same."""
    data = prices()
    label = data["y"] > 0
    decided = np.where(np.abs(data["y"] - data["before"]) > 2, ~label, label)
    if kind == "text":
        names = np.array(["no", "yes"], object)
        data |= {"y": names[label.astype(int)], "before": names[decided.astype(int)]}
    elif kind == "classes":
        data |= {"y": label + 1.0, "before": decided + 1.0}
    else:
        data |= {"y": label.astype(float), "before": np.abs(decided - 0.2)}
    return data | {"after": data["before"].copy()}


@pytest.mark.parametrize(
    ("kind", "rows"),
    [
        ("score", "few"),
        ("score", "wrong"),
        ("score", "both"),
        ("classes", "wrong"),
        ("text", "few"),
    ],
)
def test_a_decision_that_is_missing_has_no_loss(kind: str, rows: str) -> None:
    data = decisions(kind)
    within = np.asarray(data["city"] == "b")
    if rows == "few":
        within &= np.cumsum(within) <= 30
    elif rows == "wrong":
        right = (
            data["before"] == data["y"] if kind != "score" else (data["before"] > 0.5) == data["y"]
        )
        within &= ~right
    data["after"][within] = None if kind == "text" else NAN
    if rows == "both":
        data["before"] = data["after"]
    verdict = benison.evaluate(pa.table(data), config("decision")).verdict
    assert verdict.status == "not_blessed"
    sentence = f"new has no loss on {within.sum():,} of 1,000 examples"
    assert any(sentence in check.reason for check in of_weak_slices(verdict))


@pytest.mark.parametrize(("column", "outcome"), [("after", "fail"), ("before", "not_evaluated")])
def test_a_row_that_only_the_candidate_has_a_label_of_is_counted(column: str, outcome: str) -> None:
    data = prices()
    within = data["city"] == "b"
    data["y2"] = np.where(within, NAN, data["y"])
    data[column] = np.where(within, NAN, data[column])
    made = config("squared_error", features=["city"])
    made["model_specs"][1]["label_key"] = "y2"
    checks = of_weak_slices(benison.evaluate(pa.table(data), made).verdict)
    assert [check.outcome for check in checks] == [outcome]
    assert f"no loss on {within.sum():,} of 1,000 examples" in checks[0].reason


@pytest.mark.parametrize("measure", ["decision", "squared_error", "log_loss"])
@pytest.mark.parametrize("is_constant", [True, False])
def test_a_model_that_is_worse_everywhere_is_worse_overall(measure: str, is_constant: bool) -> None:
    data = decisions()
    if is_constant:
        data |= {"y": np.ones(1_000), "before": np.full(1_000, 0.9)}
    data["after"] = 1 - data["before"]
    result = benison.evaluate(pa.table(data), config(measure))
    assert result.verdict.status == "not_blessed"
    (row,), (check,) = result.weak_slices.to_pylist(), of_weak_slices(result.verdict)
    assert slicing_specs_of(row) == (SlicingSpec(), SlicingSpec())
    assert (row["slice"], row["slice_key"], row["examples"]) == ("Overall", [], 1_000)
    assert (check.slice, check.outcome) == ("Overall", "fail")
    assert check.reason.startswith("Found: Overall became worse by")
    swapped = pa.table(data | {"after": data["before"], "before": data["after"]})
    assert benison.evaluate(swapped, config(measure)).verdict.status == "blessed"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"min_examples": 5_000}, "No feature parts the rows into slices of 5,000 examples"),
        ({"labelled": 40}, "No slice of city has 50 examples with a loss"),
    ],
)
@pytest.mark.parametrize(("gate", "outcome"), [("fail", "not_evaluated"), ("warn", "warn")])
def test_a_search_that_could_look_at_no_slice_blesses_nothing(
    change: dict[str, Any], sentence: str, gate: str, outcome: str
) -> None:
    data = prices()
    options = dict(change)
    made = config("squared_error", gate)
    if (labelled := options.pop("labelled", None)) is not None:
        data["y"][labelled:] = NAN
    made["weak_slices"] |= options
    verdict = benison.evaluate(pa.table(data), made).verdict
    (check,) = of_weak_slices(verdict)
    assert check.outcome == outcome
    assert sentence in check.reason
    assert verdict.status == "not_evaluated"


def test_the_value_of_a_check_is_what_its_bound_is_of() -> None:
    data = prices(4_000)
    weak = data["city"] == "b"
    data["after"] = np.where(weak, data["after"] + 2, data["after"])
    for gate, outcome in (("fail", "fail"), ("warn", "warn")):
        result = benison.evaluate(pa.table(data), config(gate=gate))
        (row, whole), (check, _) = result.weak_slices.to_pylist(), of_weak_slices(result.verdict)
        assert (row["slice"], whole["slice"], row["parent"]) == ("city=b", "Overall", "")
        assert check.outcome == outcome
        assert check.value == row["effect"]
        mean = ((data["before"] - data["y"]) ** 2).mean()
        assert check.bound == pytest.approx(0.01 * mean)
        assert check.lower < check.value < check.upper
        assert check.formula.startswith("weak_slice <= ")
    assert "warn" in result.verdict.summary()


def test_each_output_has_its_own_measure() -> None:
    data = prices(2_000)
    clicked = (data["y"] > 0).astype(float)
    wrong = np.random.default_rng(2).random(2_000) < 0.1
    table = pa.table(
        {
            "city": data["city"],
            "a_price": data["y"],
            "z_clicked": clicked,
            "price": data["before"],
            "click": np.abs(np.where(wrong, 1 - clicked, clicked) - 0.2),
        }
    )
    outputs = {
        "label_keys": {"price": "a_price", "click": "z_clicked"},
        "prediction_keys": {"price": "price", "click": "click"},
    }
    table = table.append_column("weak", pa.array(np.where(wrong, "yes", "no")))
    made = {
        "model_specs": [outputs],
        "metrics_specs": [{"metrics": ["ExampleCount"], "output_names": ["price", "click"]}],
        "weak_slices": {"features": ["weak"]},
    }
    rows = benison.evaluate(table, made).weak_slices.to_pylist()
    assert {row["output"]: row["measure"] for row in rows}["click"] == "decision"
    made["weak_slices"] = {"features": ["city"], "measure": "decision"}
    with pytest.raises(benison.DataError, match="output 'price'.*squared_error"):
        benison.evaluate(table, made)


def test_many_features_are_searched_coarsely_and_too_many_refused_before_memory_goes() -> None:
    rng = np.random.default_rng(4)
    columns = {f"x{i:03}": rng.random(60) for i in range(500)}
    rows = SampledRows(np.arange(60, dtype=np.uint64), pa.table(columns), 60)
    books = code_books(rows, sorted(columns)[:200], 5, 3)
    sizes = [len(book.values) + 1 for book in books]
    assert len(sizes) == 200
    assert 2 < max(sizes) < 11
    assert Layout.of(tuple(sizes), 3).num_cells <= MOST_CELLS
    with pytest.raises(benison.ConfigError, match="500 features.*Name up to 483"):
        code_books(rows, sorted(columns), 5, 3)


@pytest.mark.parametrize(("most", "edges"), [(10, list(range(1, 10))), (5, [2, 4, 6, 8]), (2, [5])])
def test_coarser_bins_are_several_of_the_finer_ones(most: int, edges: list[int]) -> None:
    bins = Bins(edges=tuple(range(1, 10)))
    coarser = CodeBook("x", "bin", bins.labels, bins).first(most)
    assert coarser.bins is not None
    assert list(coarser.bins.edges or ()) == edges
    assert coarser.values == coarser.bins.labels


ONE_HOT = [[0, 1, 0], [1, 0, 0]]
PROBABILITIES = [[0.2, 0.7, 0.1], [0.1, 0.3, 0.6]]


@pytest.mark.parametrize(
    ("measure", "labels", "predictions", "losses"),
    [
        ("decision", [[1], [0]], [[0.3], [0.2]], [1, 0]),
        ("decision", ONE_HOT, PROBABILITIES, [0, 1]),
        ("decision", [1, 0], [[-3.0, 2, 1], [4, 1, 0]], [0, 0]),
        ("decision", [1, NAN], [0.7, 0.7], [0, NAN]),
        ("decision", [1, 1], [np.inf, NAN], [NAN, NAN]),
        ("decision", [0, 1, 1], [[-np.inf, 2], [NAN, 1], [-np.inf, -np.inf]], [1, NAN, NAN]),
        ("log_loss", [1, 0], [0.8, 0.8], [-np.log(0.8), -np.log(0.2)]),
        ("log_loss", ONE_HOT, PROBABILITIES, [-np.log(0.7), -np.log(0.1)]),
        ("log_loss", [[0.5, 0.5, 0], ONE_HOT[1]], PROBABILITIES,
         [-np.log(0.2 * 0.7) / 2, -np.log(0.1)]),
        ("log_loss", [1, 1], [[0.5, 0.5], [NAN, 1]], [-np.log(0.5), NAN]),
        ("squared_error", [[1, 0], [1, 1]], [[1, 1], [NAN, 1]], [1, NAN]),
    ],
)  # fmt: skip
def test_losses(measure: str, labels: Any, predictions: Any, losses: list[float]) -> None:
    own = RowLoss(measure).of(np.array(labels, float), np.array(predictions, float))
    assert own.tolist() == pytest.approx(losses, nan_ok=True)


@pytest.mark.parametrize(
    ("loss", "labels", "predictions", "sentence"),
    [
        (RowLoss("decision"), [[1, 1, 0]], PROBABILITIES[:1], "squared_error is possible"),
        (RowLoss("decision"), [[0, 0, 0]], PROBABILITIES[:1], "squared_error is possible"),
        (RowLoss("log_loss"), [[1, 1, 0]], PROBABILITIES[:1], "squared_error is possible"),
        (RowLoss("decision"), [1], [-2.5], "-2.5.*squared_error is possible"),
        (RowLoss("log_loss"), [1], [1.5], "1.5.*squared_error is possible"),
        (RowLoss("log_loss"), [3], [0.5], "label.*3"),
        (RowLoss("log_loss"), [1], [[2.0, -1]], "decision is possible"),
        (RowLoss("log_loss"), [1], [[0.9, 0.9]], "decision is possible"),
        (RowLoss("decision"), [2], [0.5], "label.*2"),
        (RowLoss("decision", by_threshold=False), [2], [0.5], "0.5.*squared_error is possible"),
        (RowLoss("decision"), [3], [[0.5, 0.5]], "2 classes"),
    ],
)
def test_a_loss_that_is_none_of_these_values_is_refused(
    loss: RowLoss, labels: Any, predictions: Any, sentence: str
) -> None:
    with pytest.raises(benison.DataError, match=sentence):
        loss.of(np.array(labels, float), np.array(predictions, float))


def of_fares(edges: tuple[float, float], rows: int = 8_000) -> pa.Table:
    """The candidate is worse where the fare is between two of its deciles."""
    rng = np.random.default_rng(6)
    fare, y = np.arange(rows) / rows * 100, rng.integers(0, 2, rows).astype(float)
    within = (edges[0] <= fare) & (fare < edges[1])
    wrong = [rng.random(rows) < share for share in (0.1, np.where(within, 0.5, 0.1))]
    before, after = (np.abs(np.where(each, 1 - y, y) - 0.2) for each in wrong)
    shuffled = rng.permutation(rows)
    table = pa.table({"fare": fare, "y": y, "before": before, "after": after})
    return table.take(pa.array(shuffled))


def test_bins_beside_each_other_are_a_range_and_their_edges_are_kept_for_a_rerun(
    tmp_path: Path,
) -> None:
    table = of_fares((40, 60))
    result = benison.evaluate(table, config(gate="warn"), output=tmp_path / "out")
    names = result.weak_slices["slice"].to_pylist()
    assert sorted(names) == ["Overall", "fare=[40, 50)", "fare=[50, 60)"]
    notes = [check.reason for check in of_weak_slices(result.verdict)]
    assert [note.endswith("that is {fare=[40, 60)}.") for note in notes] == [True, True, False]
    kept = benison.EvalConfig.load(tmp_path / "out" / "config.json")
    assert kept.weak_slices is not None
    assert kept.weak_slices.bins["fare"].edges == tuple(range(10, 100, 10))
    half = table.slice(0, 4_000)
    again = benison.evaluate(half, kept).config.weak_slices
    assert again == kept.weak_slices


def test_hours_and_months_are_each_searched_by_themselves() -> None:
    rng = np.random.default_rng(1)
    month, hour = rng.integers(1, 13, 20_000), rng.integers(0, 24, 20_000)
    label = rng.integers(0, 2, 20_000)
    is_wrong = rng.random(20_000) < np.where((month == 7) | (hour == 5), 0.5, 0.1)
    score = np.where(is_wrong, 1 - label, label).astype(float)
    data = pa.table({"month": month, "hour": hour, "label": label, "score": score})
    config = {
        "model_specs": [{"label_key": "label", "prediction_key": "score"}],
        "metrics_specs": [{"metrics": ["BinaryAccuracy"]}],
        "weak_slices": {},
    }
    found = benison.evaluate(data, config).weak_slices["slice"].to_pylist()
    assert sorted(found) == ["hour=5", "month=7"]


def test_bins_can_be_given() -> None:
    asked = config(gate="warn", bins={"fare": [40, 60]})
    result = benison.evaluate(of_fares((40, 60)), asked)
    assert result.weak_slices["slice"].to_pylist() == ["fare=[40, 60)", "Overall"]
    with pytest.raises(benison.DataError, match="'fares', which is not a column"):
        benison.evaluate(of_fares((40, 60)), config(bins={"fares": [1]}))
    with pytest.raises(benison.ConfigError, match="none of the features"):
        benison.EvalConfig.load(config(bins={"fare": [1]}, features=["city"]))


def test_every_surface_shows_weak_slices(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, summary, junit = (tmp_path / name for name in ("out", "summary.md", "junit.xml"))
    result = benison.evaluate(of_fares((40, 60)), config(gate="warn"), output=out)
    with pytest.raises(SystemExit):
        app(("show", str(out), "--json"))
    shown = json.loads(capsys.readouterr().out)["weak_slices"]
    assert [row["slice"] for row in shown] == result.weak_slices["slice"].to_pylist()
    with pytest.raises(SystemExit):
        app(("explain", str(out), "--slice", result.weak_slices["slice"][0].as_py()))
    explained = capsys.readouterr().out
    (check,) = [
        c for c in result.verdict.checks if c.slice == result.weak_slices["slice"][0].as_py()
    ]
    assert f"numbers   {check.value:.6g} <= {check.bound:.15g} does not hold" in explained
    assert "metric    By how much the mean loss of a slice" in explained
    Reports(junit, summary).write(result, gate=False)
    for text in (summary.read_text(), result._repr_html_().partition("<details>")[0]):
        assert "Slices that became worse" in text
        assert "onfirmed on" in text
        assert "f all new errors" in text
        assert "40, 50" in text
    assert "### Warned" in summary.read_text()
    cases = ElementTree.parse(junit).iter("testcase")
    skipped = [
        case.find("skipped") for case in cases if "weak_slice of fare" in case.attrib["name"]
    ]
    assert len(skipped) == 2
    assert all("Found: " in each.attrib["message"] for each in skipped if each is not None)
