# SPDX-License-Identifier: Apache-2.0
"""Weak slices from data to verdict: on both engines, of all kinds of features and losses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML

import benison
from benison.cli import app
from benison.errors import ConfigError
from benison.table.weak_slice_words import weak_slice_table
from benison.weak_slices import promotion

YAML_READER = YAML(typ="safe")
BASE = {"name": "old", "is_baseline": True, "label_key": "label", "prediction_key": "before"}
CANDIDATE = {"name": "new", "label_key": "label", "prediction_key": "after"}
METRICS = [{"metrics": [{"class_name": "ExampleCount"}]}]


def examples(rows: int = 20_000) -> pa.Table:
    """The candidate errs more in {zip=01002, fare in the upper half}; both err equally elsewhere."""
    rng = np.random.default_rng(11)
    zips = rng.choice(["01001", "01002", "01003", "01004"], rows)
    fare = rng.gamma(2.0, 10.0, rows).round(2)
    label = rng.integers(0, 2, rows)
    weak = (zips == "01002") & (fare > 20)

    def scores(error: Any) -> Any:
        wrong = rng.random(rows) < error
        return np.where(wrong, 1 - label, label) * 0.8 + 0.1

    columns = {
        "id": np.arange(rows).astype(str),
        "zip": zips,
        "fare": fare,
        "paid": rng.integers(0, 2, rows).astype(bool),
        "tags": [["a", "b"]] * rows,
        "label": label,
        "before": scores(0.1),
        "after": scores(np.where(weak, 0.35, 0.1)),
    }
    return pa.table(columns)


def config(loss: str = "change", gate: str = "warn", **more: Any) -> dict[str, Any]:
    return {
        "model_specs": [CANDIDATE, BASE],
        "metrics_specs": METRICS,
        "weak_slices": {"loss": loss, "gate": gate, **more},
    }


@pytest.fixture(scope="module")
def parquet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weak")
    table = examples()
    for i in range(2):
        part = table.slice(i * 10_000, 10_000)
        pq.write_table(part, folder / f"part-{i}.parquet", row_group_size=3_000)
    return folder


def weak(rows: pa.Table) -> list[dict[str, Any]]:
    return rows.to_pylist()


@pytest.mark.parametrize("loss", ["error", "change"])
def test_the_slice_is_found_without_being_named(parquet: Path, tmp_path: Path, loss: str) -> None:
    result = benison.evaluate(parquet, config(loss), output=tmp_path / "out")
    first = weak(result.weak_slices)[0]
    keys = {(p["feature"], p["type"]): p["value"] for p in first["slice_key"]}
    assert keys["zip", "string"] == "01002"
    assert keys["fare", "bin"].startswith("[")
    assert first["lower"] <= 0.25 <= first["upper"] + 0.02
    loaded = benison.load_result(tmp_path / "out")
    assert loaded.weak_slices.equals(result.weak_slices)
    (check, *_) = [c for c in loaded.verdict.checks if c.check == "weak_slice"]
    assert check.outcome == "warn"
    assert check.reason.startswith("Found: ")


def test_beam_and_other_row_groups_find_the_same(parquet: Path, tmp_path: Path) -> None:
    for i in range(2):
        name = f"part-{i}.parquet"
        pq.write_table(pq.read_table(parquet / name), tmp_path / name, row_group_size=1_700)
    here = benison.evaluate(parquet, config()).weak_slices
    assert here.num_rows
    assert benison.evaluate(tmp_path, config()).weak_slices.equals(here)
    assert benison.evaluate(parquet, config(), engine="beam").weak_slices.equals(here)


def test_a_gate_refuses_what_became_worse_and_blesses_what_did_not(parquet: Path) -> None:
    worse = benison.evaluate(parquet, config(gate="fail"))
    assert worse.verdict.status == "not_blessed"
    assert "became worse by" in worse.verdict.reasons[0]
    same = config(gate="fail")
    same["model_specs"] = [{**CANDIDATE, "prediction_key": "before"}, BASE]
    assert benison.evaluate(parquet, same).verdict.status == "blessed"
    alone = {**config(gate="fail"), "model_specs": [CANDIDATE]}
    assert benison.evaluate(parquet, alone).verdict.rubber_stamped


@pytest.mark.parametrize("library", ["pandas", "pandas of categories", "polars", "dictionaries"])
def test_a_table_in_memory_has_the_slices_of_a_file(parquet: Path, library: str) -> None:
    """A data frame does not say what its columns of objects hold."""
    table = pq.read_table(parquet).drop_columns(["tags"])
    expected = benison.evaluate(table, config(gate="fail"))
    zips = table.column("zip").dictionary_encode()
    given: Any = table.set_column(table.schema.get_field_index("zip"), "zip", zips)
    if library == "polars":
        given = pytest.importorskip("polars").from_arrow(table)
    elif library != "dictionaries":
        given = (table if library == "pandas" else given).to_pandas()
    found = benison.evaluate(given, config(gate="fail"))
    assert found.verdict.status == expected.verdict.status == "not_blessed"
    assert found.weak_slices.equals(expected.weak_slices)
    assert benison.evaluate(given, config(features=["zip"])).weak_slices.num_rows


def test_values_of_a_csv_are_those_of_slices(parquet: Path, tmp_path: Path) -> None:
    table = pq.read_table(parquet).drop_columns(["tags"])
    pyarrow.csv.write_csv(table, tmp_path / "data.csv")
    rows = weak(benison.evaluate(tmp_path / "data.csv", config()).weak_slices)
    assert ("zip", "01002") in {(p["feature"], p["value"]) for p in rows[0]["slice_key"]}


def test_squared_errors_are_measured_by_their_mean() -> None:
    rng = np.random.default_rng(3)
    group = rng.choice(["a", "b", "c"], 6_000)
    label = 1_000 * rng.normal(size=6_000)
    noise = np.where(group == "b", 300, 100) * rng.normal(size=6_000)
    table = pa.table({"group": group, "label": label, "after": label + noise})
    specs = {"model_specs": [{"label_key": "label", "prediction_key": "after"}]}
    result = benison.evaluate(
        table, {**specs, "metrics_specs": METRICS, "weak_slices": {"features": ["group"]}}
    )
    (row,) = weak(result.weak_slices)
    assert (row["slice"], row["measure"]) == ("group=b", "squared_error")
    within = (noise[group == "b"] ** 2).mean() - (noise[group != "b"] ** 2).mean()
    assert row["lower"] < within < row["upper"]
    assert row["share_of_errors"] == pytest.approx(
        (noise[group == "b"] ** 2).sum() / (noise**2).sum()
    )
    assert weak_slice_table([row])[0][-1] == "of all errors"
    unknown = {**row, "loss": "change", "share_of_errors": np.nan}
    assert weak_slice_table([unknown])[0][-1] == "examples"


@pytest.mark.parametrize("listed", [False, True])
def test_bytes_that_are_no_text_are_left_out_unless_they_are_named(listed: bool) -> None:
    rng = np.random.default_rng(3)
    images = [rng.bytes(8) + b"\xff" for _ in range(2_000)]
    table = examples(2_000).append_column("image", [[[i] for i in images] if listed else images])
    zips = table["zip"].cast(pa.binary())
    table = table.set_column(table.schema.get_field_index("zip"), "zip", zips)
    rows = weak(benison.evaluate(table, config("error")).weak_slices)
    assert ("zip", "01002") in {(p["feature"], p["value"]) for p in rows[0]["slice_key"]}
    with pytest.raises(benison.DataError, match="'image' cannot be sliced"):
        benison.evaluate(table, config("error", features=["image"]))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"gate": "fail", "loss": "error"}, "fail needs loss: change"),
        ({"depth": 4}, "from 1 to 3"),
        ({"loss": "errors"}, "Did you mean 'error'"),
        ({"features": "zip"}, "expected all, or a list"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        benison.EvalConfig.load({"weak_slices": options})


COMMENTED = """\
# The evaluation of tips.
model_specs:
  - {name: new, label_key: label, prediction_key: after}
  - {name: old, is_baseline: true, label_key: label, prediction_key: before}
metrics_specs:
  - metrics:
      - ExampleCount
      - class_name: BinaryAccuracy  # the headline
weak_slices: {loss: change}
"""


def test_what_was_found_is_shown_and_promoted_into_the_config(
    parquet: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    config_file = tmp_path / "eval.yaml"
    config_file.write_text(COMMENTED)
    result = benison.evaluate(parquet, config_file, output=tmp_path / "out")
    slices = [row["slice"] for row in weak(result.weak_slices)]
    keys = weak(result.weak_slices)[0]["slice_key"]
    command("show", str(tmp_path / "out"))
    printed = capsys.readouterr().out
    assert "confirmed on" in printed
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Slices that became worse" in printed
    assert "Slices that became worse" in page
    assert slices[0] in page
    assert "Confirmed on" in page

    target = ("--metric", "BinaryAccuracy", "--config", str(config_file))
    turned = ", ".join(f"{p['feature']}={p['value']}" for p in reversed(keys))
    assert turned != slices[0]
    command("explain", str(tmp_path / "out"), "--slice", turned)
    assert "Found: " in capsys.readouterr().out
    command("promote", str(tmp_path / "out"), "--slice", "Overall", *target)
    command("promote", str(tmp_path / "out"), "--slice", turned, *target)
    written = config_file.read_text()
    assert "evidence: worse" in written
    assert "# The evaluation of tips." in written
    assert "BinaryAccuracy  # the headline" in written
    judged = benison.evaluate(parquet, config_file).verdict
    assert [(failed.slice, failed.metric) for failed in judged.failures] == [
        (name, "binary_accuracy") for name in (slices[0], "Overall")
    ]


WORSE = {"change_threshold": {"absolute": -0.1, "direction": "HIGHER_IS_BETTER"}}


@pytest.mark.parametrize(
    ("gate", "by_name", "added"),
    [
        (None, False, {"absolute": 0.0, "evidence": "worse"}),
        ({**WORSE, "evidence": "worse"}, True, {"absolute": 0.0, "evidence": "worse"}),
        ({**WORSE, "evidence": "not_worse"}, False, {"absolute": -0.1, "evidence": "not_worse"}),
        ({**WORSE, "evidence": "not_worse"}, True, {"absolute": -0.1, "evidence": "not_worse"}),
    ],
)
@pytest.mark.parametrize("ending", ["json", "yaml"])
def test_promote_asks_for_the_evidence_of_the_metric(
    gate: dict[str, Any] | None, by_name: bool, added: dict[str, Any], ending: str
) -> None:
    metric: dict[str, Any] = {"class_name": "BinaryAccuracy"}
    spec: dict[str, Any] = {"metrics": [metric]}
    if gate and by_name:
        spec["thresholds"] = {"binary_accuracy": gate}
    elif gate:
        metric["threshold"] = gate
    made = {"eval_config": {**config(), "metrics_specs": [spec]}, "version": "0.46"}
    pairs = [{"feature": "zip", "value": "01002", "type": "string"}]
    row = {"slice": "zip=01002", "slice_key": pairs, "loss": "change"}
    wanted = promotion.threshold_of(row, True, None, None)
    text = json.dumps(made)
    made = promotion.promoted(text, ending == "json", row, "BinaryAccuracy", wanted)
    change = made.threshold["change_threshold"]
    assert {"absolute": change["absolute"], "evidence": made.threshold["evidence"]} == added
    read = YAML_READER.load(made.text)["eval_config"]
    assert {"feature_values": {"zip": "01002"}} in read["slicing_specs"]
    own = read["metrics_specs"][0]["metrics"][0].get("per_slice_thresholds", [])
    is_gate = gate is not None and gate["evidence"] == "not_worse"  # which is on every slice
    assert [entry["threshold"] for entry in own] == ([] if is_gate else [made.threshold])
    assert made.is_own is not is_gate
    assert "metrics_specs" not in YAML_READER.load(made.text)


def test_promote_says_which_thresholds_hold_and_judges_by_none_of_them_twice(
    parquet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config_file, general = tmp_path / "eval.json", {"value_threshold": {"lower_bound": 0.55}}
    metric = {"class_name": "BinaryAccuracy", "threshold": general}
    searched = {**config("error"), "metrics_specs": [{"metrics": [metric]}]}
    config_file.write_text(json.dumps(searched))
    found = benison.evaluate(parquet, config_file, output=tmp_path / "out").weak_slices
    first, second = found["slice"].to_pylist()[:2]
    asked = (
        "promote",
        str(tmp_path / "out"),
        "--metric",
        "BinaryAccuracy",
        "--config",
        str(config_file),
    )

    def judged(slice_: str) -> list[float]:
        """The bounds by which a slice is judged."""
        checks = benison.evaluate(parquet, config_file).verdict.checks
        return [c.bound for c in checks if c.slice == slice_ and c.metric == "binary_accuracy"]

    command(*asked, "--slice", first, "--lower-bound", "0.55")
    assert "There as in others this must hold: lower_bound: 0.55." in capsys.readouterr().out
    assert judged(first) == [0.55]
    command(*asked, "--slice", first, "--lower-bound", "0.55", code=2)
    assert "with this threshold already" in capsys.readouterr().err
    command(*asked, "--slice", second, "--lower-bound", "0.5")
    expected = "There this must hold: lower_bound: 0.5; and as in others: lower_bound: 0.55."
    assert expected in capsys.readouterr().out
    assert sorted(judged(second)) == [0.5, 0.55]


def test_promote_says_what_there_is(
    parquet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config_file = tmp_path / "eval.json"
    config_file.write_text(json.dumps(config("error")))
    benison.evaluate(parquet, config_file, output=tmp_path / "out")
    name = benison.load_result(tmp_path / "out").weak_slices["slice"][0].as_py()
    asked = (
        "promote",
        str(tmp_path / "out"),
        "--metric",
        "ExampleCount",
        "--config",
        str(config_file),
    )
    command(*asked, "--slice", "zip=1", code=2)
    assert "no weak slice 'zip=1'" in capsys.readouterr().err
    command(*asked, "--slice", name, code=2)
    assert "--lower-bound" in capsys.readouterr().err
    command(*asked, "--slice", name, "--lower-bound", "10")
    spec = benison.EvalConfig.load(config_file).metrics_specs[0]
    (narrow,) = spec.metrics[0].per_slice_thresholds
    assert narrow.threshold.value_threshold is not None
    assert narrow.threshold.value_threshold.lower_bound == 10
    by_name = [("example_count" if each == "ExampleCount" else each) for each in asked]
    command(*by_name, "--slice", name, "--lower-bound", "10", code=2)
    assert "with this threshold already" in capsys.readouterr().err
    command(*by_name, "--slice", name, "--lower-bound", "20")
    for file, text, sentence in (
        ("no.yaml", None, "is not there"),
        ("a.json", "{", "is not JSON"),
        ("b.json", "[]", "is a list"),
        ("c.yaml", "", "is empty"),
    ):
        if text is not None:
            (tmp_path / file).write_text(text)
        wrong = (*asked[:-1], str(tmp_path / file), "--slice", name, "--lower-bound", "10")
        command(*wrong, code=2)
        assert sentence in " ".join(capsys.readouterr().err.split())


def command(*arguments: str, code: int = 0) -> None:
    """Run a command in this process."""
    with pytest.raises(SystemExit) as ended:
        app(arguments)
    assert (ended.value.code or 0) == code


def test_a_gate_that_could_search_nothing_blesses_nothing() -> None:
    rng = np.random.default_rng(1)
    label = rng.integers(0, 2, 400).astype(float)
    table = pa.table(
        {"y": label, "n": label, "o": label, "same": ["a"] * 400, "list": [[1, 2]] * 400}
    )
    specs = [{"name": name, "prediction_key": name, "label_key": "y"} for name in ("n", "o")]
    specs[1]["is_baseline"] = True  # type: ignore[assignment]
    bound = {"class_name": "AUC", "threshold": {"value_threshold": {"lower_bound": 0.5}}}
    made: dict[str, Any] = {
        "model_specs": specs,
        "metrics_specs": [{"metrics": [bound]}],
        "weak_slices": {"loss": "change", "gate": "fail"},
    }
    verdict = benison.evaluate(table, made).verdict
    assert verdict.status == "not_evaluated"
    assert "No feature parts the rows" in verdict.table["note"].to_pylist()[-1]
    table = table.append_column("raw", pa.array([b"\xff"] * 400))
    made["weak_slices"]["features"] = ["raw"]
    with pytest.raises(benison.DataError, match="raw"):
        benison.evaluate(table, made)
    made["weak_slices"]["features"] = ["same"]
    made["options"] = {"confidence": {"cluster_key": "same"}}
    with pytest.raises(ConfigError, match="takes them for independent"):
        benison.evaluate(table, made)
