# SPDX-License-Identifier: Apache-2.0
"""What holds of TFMA's files without TFMA: what is written is read back, or refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import benison
from benison.cli import app
from benison.data.tf_records import framed, records
from benison.errors import OutputError
from benison.output.blessing import verify
from benison.table.key import KEY_COLUMNS
from benison.table.slices import sides, slice_ids
from benison.table.words import slice_text

FILES = (
    "eval_config.json",
    "metrics-00000-of-00001.tfrecord",
    "plots-00000-of-00001.tfrecord",
    "attributions-00000-of-00001.tfrecord",
    "validations.tfrecord",
)
NAMES = ["a", "a vs b", "é, d=1", "", "5", "nan", "x=1 vs Overall", "<b>", "\u2028"]
KEYS = {"label_key": "label", "example_weight_key": "weight"}
ABOVE = {"value_threshold": {"lower_bound": 0.45}}
BETTER = {"change_threshold": {"absolute": 0.0, "relative": 0.1, "direction": "HIGHER_IS_BETTER"}}


def table(rows: int = 90) -> pa.Table:
    rng = np.random.default_rng(0)
    return pa.table(
        {
            "label": rng.integers(0, 2, rows).astype(float),
            "new": rng.random(rows),
            "other": rng.random(rows),
            "old": rng.random(rows),
            "weight": rng.random(rows),
            "hour": rng.integers(0, 3, rows),
            "fare": rng.choice([0.5, 0.1, 2.0], rows),
            "name": [NAMES[i % len(NAMES)] for i in range(rows)],
        }
    )


def config(**more: Any) -> dict[str, Any]:
    """Two candidates and a baseline, every kind of slice, value, plot and threshold."""
    nowhere = {"slicing_specs": [{"feature_values": {"hour": "9"}}], "threshold": ABOVE}
    crossing = {
        "baseline_spec": {"feature_values": {"name": "a"}},
        "slicing_specs": [{"feature_keys": ["name"]}],
    }
    between = {"cross_slicing_specs": [crossing], "threshold": ABOVE}
    metrics = [
        {"class_name": "ExampleCount"},
        {
            "class_name": "AUC",
            "threshold": {**ABOVE, **BETTER},
            "per_slice_thresholds": [nowhere],
            "cross_slice_thresholds": [between],
        },
        {"class_name": "Precision", "config": {"thresholds": [0.3, 0.999999]}},
        {"class_name": "ConfusionMatrixAtThresholds", "config": {"thresholds": [0.25, 1.5]}},
        {"class_name": "CalibrationPlot", "config": {"num_buckets": 10}},
        {"class_name": "ConfusionMatrixPlot", "config": {"num_thresholds": 10}},
        {"class_name": "ConfusionMatrixPlot", "config": {"name": "mine", "num_thresholds": 4}},
        *(
            {
                "class_name": "FixedSizeSample",
                "config": {"name": f"of {c}", "sampled_key": c, "size": 3},
            }
            for c in ("hour", "fare", "name")
        ),
    ]
    return {
        "model_specs": [
            {"name": "new", "prediction_key": "new", **KEYS},
            {"name": "other", "prediction_key": "other", **KEYS},
            {"name": "old", "prediction_key": "old", "is_baseline": True, **KEYS},
        ],
        "slicing_specs": [
            {},
            {"feature_keys": ["hour"]},
            {"feature_keys": ["fare"]},
            {"feature_keys": ["hour", "name"]},
            nowhere["slicing_specs"][0],
        ],
        "cross_slicing_specs": [crossing],
        "metrics_specs": [
            {"example_weights": {"weighted": True, "unweighted": True}, "metrics": metrics}
        ],
        **more,
    }


def one_model(**threshold: Any) -> dict[str, Any]:
    auc = {"class_name": "AUC", **({"threshold": threshold} if threshold else {})}
    spec = {"label_key": "label", "prediction_key": "new"}
    return {"model_specs": [spec], "metrics_specs": [{"metrics": [auc]}]}


def alone(output: Path) -> Path:
    """TFMA's files of an output without ours."""
    directory = output.with_name(f"{output.name}-tfma")
    directory.mkdir()
    for name in FILES:
        shutil.copy(output / name, directory)
    return directory


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("interchange") / "out"
    benison.evaluate(table(), config(), output=output, tfma=True)
    return output


def test_what_is_written_is_read_back(written: Path, tmp_path: Path) -> None:
    shutil.copytree(written, tmp_path / "out")
    ours, theirs = benison.load_result(written), benison.load_result(alone(tmp_path / "out"))
    assert theirs.config == ours.config
    assert theirs.verdict == ours.verdict
    assert theirs.metrics.column_names == ours.metrics.column_names
    same = [*KEY_COLUMNS, "slice", "value", "lower", "upper", "structured", "examples"]
    for column in same:
        assert str(theirs.metrics[column].to_pylist()) == str(ours.metrics[column].to_pylist())
    assert slice_ids(theirs.metrics).equals(slice_ids(ours.metrics))
    plots = [table.drop_columns("slice_key").to_pylist() for table in (theirs.plots, ours.plots)]
    assert sorted(map(str, plots[0])) == sorted(map(str, plots[1]))
    assert theirs.manifest["rows"] == 90
    assert theirs.provenance.endswith(" by TFMA 0.52.0")
    assert "by Benison " in ours.provenance


@pytest.mark.parametrize(
    "threshold",
    [
        {},
        {"value_threshold": {"lower_bound": 0.0}},
        {"value_threshold": {"upper_bound": 0.1}},
        BETTER,  # rubber-stamped, because there is no baseline
    ],
)
def test_every_verdict_is_read_back(tmp_path: Path, threshold: dict[str, Any]) -> None:
    ours = benison.evaluate(table(), one_model(**threshold), output=tmp_path / "out", tfma=True)
    theirs = benison.load_result(alone(tmp_path / "out"))
    assert theirs.verdict == ours.verdict
    assert theirs.verdict.summary() == ours.verdict.summary()


def test_the_files_are_sealed_with_the_others(written: Path) -> None:
    manifest = verify(written)
    assert set(FILES) <= set(manifest["files"])


@pytest.mark.parametrize("wanted", ["2.0", "2", "02"])
def test_a_whole_number_that_the_config_writes_otherwise(tmp_path: Path, wanted: str) -> None:
    made = one_model() | {"slicing_specs": [{"feature_values": {"hour": wanted}}]}
    ours = benison.evaluate(table(), made, output=tmp_path / "out", tfma=True)
    theirs = benison.load_result(alone(tmp_path / "out"))
    assert theirs.value("auc", slice={"hour": wanted}) == ours.value("auc", slice={"hour": wanted})


@pytest.mark.parametrize("method", ["JACKKNIFE", "POISSON_BOOTSTRAP"])
def test_intervals_are_read_back(tmp_path: Path, method: str) -> None:
    options = {"compute_confidence_intervals": True, "confidence_intervals": {"method": method}}
    ours = benison.evaluate(table(), config(options=options), output=tmp_path / "out", tfma=True)
    theirs = benison.load_result(alone(tmp_path / "out"))
    assert theirs.verdict == ours.verdict
    for column in ("lower", "upper"):
        assert str(theirs.metrics[column].to_pylist()) == str(ours.metrics[column].to_pylist())
        assert np.isfinite(ours.metrics[column].to_numpy()).sum() > 20


def test_a_writer_is_also_one_of_a_list(tmp_path: Path) -> None:
    writers = [*benison.default_writers(), benison.TfmaWriter()]
    benison.evaluate(table(), one_model(), output=tmp_path / "out", writers=writers)
    assert benison.load_result(alone(tmp_path / "out")).value("auc") > 0


@pytest.mark.parametrize("name", FILES[:3] + FILES[4:])
@pytest.mark.parametrize("damage", [lambda b: b[:-5], lambda b: b[:40] + b"\x00\xff" + b[42:]])
def test_a_damaged_file_is_named(written: Path, tmp_path: Path, name: str, damage: Any) -> None:
    shutil.copytree(written, tmp_path / "out")
    directory = alone(tmp_path / "out")
    (directory / name).write_bytes(damage((directory / name).read_bytes()))
    with pytest.raises(OutputError) as caught:
        benison.load_result(directory)
    assert str(directory / name) in str(caught.value)


def test_a_record_that_is_no_message_is_refused(written: Path, tmp_path: Path) -> None:
    shutil.copytree(written, tmp_path / "out")
    directory = alone(tmp_path / "out")
    (directory / FILES[1]).write_bytes(framed(b"\x0a\xff\xff\xff"))
    with pytest.raises(OutputError, match=r"metrics-00000-of-00001.tfrecord cannot be read"):
        benison.load_result(directory)


def test_a_missing_shard_is_noticed(written: Path, tmp_path: Path) -> None:
    shutil.copytree(written, tmp_path / "out")
    directory = alone(tmp_path / "out")
    (directory / FILES[1]).rename(directory / "metrics-00000-of-00002.tfrecord")
    with pytest.raises(OutputError, match="1 of its 2 files of metrics"):
        benison.load_result(directory)


def test_what_is_neither_is_refused(written: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"has no manifest.json.*eval_config.json and metrics-"):
        benison.load_result(tmp_path)
    shutil.copytree(written, tmp_path / "out")
    (tmp_path / "out" / "manifest.json").unlink()
    with pytest.raises(OutputError, match=r"has no manifest.json"):
        benison.load_result(tmp_path / "out")


def test_the_sides_of_a_comparison() -> None:
    """As tables of schema 1 have them: the keys one after the other, and a name for people."""
    keys = [(), (("a", "1 vs Overall"),), (("a", "1"), ("b", "x, c=2 vs a=1"))]
    pairs = {key: [{"feature": f, "value": v} for f, v in key] for key in keys}
    for base in keys:
        assert sides(slice_text(base), pairs[base]) == (pairs[base], None)
        for other in keys:
            if base != other:
                both = pairs[base] + pairs[other]
                assert sides(slice_text(base, other), both) == (pairs[base], pairs[other])


def test_the_config_is_what_protobuf_would_write(written: Path) -> None:
    run = json.loads((written / "eval_config.json").read_text(encoding="utf-8"))
    assert run["version"] == "0.52.0"
    assert run["modelLocations"] == {"new": "<unknown>", "other": "<unknown>", "old": "<unknown>"}
    assert run["evalConfig"]["modelSpecs"][0]["labelKey"] == "label"
    assert run["evalConfig"]["slicingSpecs"][4] == {"featureValues": {"hour": "9"}}
    precision = run["evalConfig"]["metricsSpecs"][0]["metrics"][2]
    assert json.loads(precision["config"]) == {"thresholds": [0.3, 0.999999]}


def records_of(path: Path) -> list[bytes]:
    return [first for actual in records(str(path), 10) for first in actual]


def test_records_are_those_of_tensorflow(tmp_path: Path) -> None:
    path = tmp_path / "found.tfrecord"
    path.write_bytes(framed(b"one") + framed(b""))
    assert records_of(path) == [b"one", b""]


def test_the_command_writes_them(tmp_path: Path) -> None:
    pq.write_table(table(), tmp_path / "eval.parquet")
    (tmp_path / "eval.json").write_text(json.dumps(one_model()), encoding="utf-8")
    paths = [str(tmp_path / name) for name in ("eval.parquet", "eval.json", "out")]
    options = [word for pair in zip(("-e", "-c", "-o"), paths, strict=True) for word in pair]
    run = CliRunner().invoke(app, ["evaluate", *options, "--tfma"])
    assert run.exit_code == 0, run.output
    shown = CliRunner().invoke(app, ["show", str(alone(tmp_path / "out"))])
    assert shown.exit_code == 0, shown.output
    assert "auc" in shown.output


def test_a_difference_of_matrices_is_at_their_thresholds(written: Path) -> None:
    rows = benison.load_result(written).metrics.to_pylist()
    name = "confusion_matrix_at_thresholds"
    thresholds = [
        json.loads(row["structured"])["threshold"]
        for row in rows
        if (row["metric"], row["kind"]) == (name, "change")
    ]
    assert thresholds
    assert all(actual == [0.25, 1.5] for actual in thresholds)
