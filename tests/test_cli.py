# SPDX-License-Identifier: Apache-2.0
"""The command: its exit codes, its output, and one clear sentence for each bad input."""

from __future__ import annotations

import gzip
import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import benison
from benison.cli import app
from benison.metrics.groups import GROUPS
from tests.conftest import config, taxi_like

THRESHOLD = {"class_name": "AUC", "threshold": {"value_threshold": {"lower_bound": 0.5}}}
TOO_HIGH = {"class_name": "AUC", "threshold": {"value_threshold": {"lower_bound": 0.99}}}


@pytest.fixture
def folder(in_folder: Path, trips: pa.Table) -> Path:
    pq.write_table(trips, "eval.parquet")
    write_config(config(THRESHOLD, "BinaryAccuracy", slices=({}, {"feature_keys": ["hour"]})))
    return in_folder


def write_config(made: dict[str, Any]) -> None:
    Path("eval.json").write_text(json.dumps(made))


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def evaluate(*more: str, examples: Sequence[str] = ("eval.parquet",)) -> Any:
    data = [option for path in examples for option in ("--examples", path)]
    return run("evaluate", *data, "--config", "eval.json", "--output", "out", *more)


def refused(result: Any, *parts: str) -> None:
    """Exit code 2, one sentence that says all the parts, and nothing left behind."""
    text = " ".join(result.output.split())
    assert result.exit_code == 2, text
    assert "Traceback" not in text
    for part in parts:
        assert part in text
    assert not Path("out").exists()
    assert not list(Path().glob(".*partial"))


def test_blessed(folder: Path) -> None:
    result = evaluate("--gate")
    assert result.exit_code == 0, result.output
    assert "BLESSED: all 25 checks passed" in result.output
    assert benison.load_result("out").verdict.blessed


def test_not_blessed_is_1_only_under_the_gate(folder: Path) -> None:
    write_config(config(TOO_HIGH))
    assert evaluate().exit_code == 0
    gated = evaluate("--gate", "--overwrite")
    assert gated.exit_code == 1
    assert "auc of Overall is" in gated.output


def test_json(folder: Path) -> None:
    document = json.loads(evaluate("--json").output)
    assert document["verdict"]["status"] == "blessed"
    shown = json.loads(run("show", "out", "--json").output)
    assert shown["verdict"] == document["verdict"]
    wrong = run("show", "nowhere", "--json")
    assert wrong.exit_code == 2
    assert json.loads(wrong.output)["ok"] is False


def test_show_lists_the_worst_slices(folder: Path) -> None:
    evaluate()
    shown = run("show", "out", "--metric", "auc", "--worst", "3")
    assert shown.exit_code == 0
    assert "auc: its 3 worst slices" in shown.output
    assert shown.output.count("hour=") == 3


def test_verify(folder: Path) -> None:
    evaluate()
    assert run("verify", "out").exit_code == 0
    with Path("out/verdict.json").open("a") as file:
        file.write(" ")
    changed = run("verify", "out")
    assert changed.exit_code == 2
    assert "verdict.json was changed" in " ".join(changed.output.split())


def test_verify_refuses_a_forged_blessing(folder: Path) -> None:
    write_config(config(TOO_HIGH))
    evaluate()
    Path("out/NOT_BLESSED").rename("out/BLESSED")
    assert run("verify", "out").exit_code == 2


def test_check_config(folder: Path) -> None:
    assert run("check-config", "eval.json", "--examples", "eval.parquet").exit_code == 0
    write_config(config("AUCC", "Precisoin"))
    result = run("check-config", "eval.json")
    assert result.exit_code == 2
    assert "Did you mean 'AUC'?" in result.output
    assert "Did you mean 'Precision'?" in result.output


def test_names_that_are_not_utf_8(folder: Path) -> None:
    evaluate()
    Path("e\udcff.parquet").write_bytes(Path("eval.parquet").read_bytes())
    for words in (("show", "out", "--slice", "s\udcff"), ("evaluate", "-e", "e\udcff.parquet")):
        more = ("-c", "eval.json", "-o", "new") if words[0] == "evaluate" else ()
        done = CliRunner().invoke(app, [*words, *more])
        assert done.exit_code == 2
        assert "udcff" in done.output
        assert "is not UTF-8, as names of files and slices have to be." in done.output


def test_metrics_lists_what_a_config_can_name() -> None:
    every = json.loads(run("metrics", "--json").output)["metrics"]
    assert [entry["name"] for entry in every] == sorted({*benison.registered(), *GROUPS})
    (huber,) = json.loads(run("metrics", "Huber", "--json").output)["metrics"]
    about = {"name": "huber", "delta": 1.0}
    assert (huber["parameters"], huber["low"], huber["high"]) == (about, 0, None)
    assert huber["better"] == "lower"
    (iou,) = json.loads(run("metrics", "IoU", "--json").output)["metrics"]
    assert iou["required"] == ["num_classes", "target_class_ids"]
    near = json.loads(run("metrics", "--search", "HINGE", "--json").output)["metrics"]
    assert [entry["name"] for entry in near] == ["CategoricalHinge", "Hinge", "SquaredHinge"]
    assert "PrecisionAtRecall" in run("metrics", "--search", "precision").output
    assert "2 TP / (2 TP + FP + FN)" in run("metrics", "F1Score").output
    for words in (("metrics", "Recal"), ("metrics", "--search", "no such")):
        assert run(*words).exit_code == 2


def test_version_and_help() -> None:
    assert benison.__version__ in run("--version").output
    for command in ("evaluate", "show", "check-config", "metrics", "verify", "bless", "revoke"):
        text = run(command, "--help").output
        assert "benison " + command in text
        assert "\\\\" not in text  # a shell would take two for the end of the line
    assert "--baseline latest-blessed" in " ".join(run("evaluate", "--help").output.split())


def test_every_format_gives_the_same(folder: Path, trips: pa.Table) -> None:
    flat = trips.drop_columns(["tags"])
    pa.csv.write_csv(flat, "eval.csv")
    flat.to_pandas().to_json("eval.jsonl", orient="records", lines=True, double_precision=15)
    with pa.OSFile("eval.arrow", "wb") as sink, pa.ipc.new_file(sink, flat.schema) as writer:
        writer.write_table(flat, max_chunksize=300)
    expected = benison.evaluate("eval.parquet", "eval.json")
    for name in ("eval.csv", "eval.jsonl", "eval.arrow"):
        result = benison.evaluate(name, "eval.json")
        assert result.slices() == expected.slices()
        assert result.metrics["value"].to_numpy() == pytest.approx(
            expected.metrics["value"].to_numpy(), abs=1e-12
        )


# Bad inputs, each of which is one sentence and exit code 2.


def test_no_such_file(folder: Path) -> None:
    refused(evaluate(examples=["no.parquet"]), "no.parquet does not exist")
    refused(evaluate(examples=["no/*.parquet"]), "no/*.parquet matches no file")


def test_empty_file(folder: Path) -> None:
    Path("empty.parquet").touch()
    refused(evaluate(examples=["empty.parquet"]), "empty.parquet is empty (0 bytes)")


def test_no_rows(folder: Path, trips: pa.Table) -> None:
    pq.write_table(trips.slice(0, 0), "none.parquet")
    refused(evaluate(examples=["none.parquet"]), "hold no rows")


def test_empty_directory(folder: Path) -> None:
    Path("data").mkdir()
    refused(evaluate(examples=["data"]), "The directory data holds no data files")


def test_truncated_parquet(folder: Path) -> None:
    whole = Path("eval.parquet").read_bytes()
    Path("cut.parquet").write_bytes(whole[: len(whole) // 2])
    refused(evaluate(examples=["cut.parquet"]), "cut.parquet cannot be read as parquet")


def test_parquet_damaged_in_the_middle(folder: Path) -> None:
    whole = bytearray(Path("eval.parquet").read_bytes())
    whole[100:3000] = b"\xff" * 2900
    Path("bad.parquet").write_bytes(whole)
    refused(evaluate(examples=["bad.parquet"]), "bad.parquet cannot be read to its end")


def test_unknown_format(folder: Path) -> None:
    Path("eval.xyz").write_text("?")
    refused(evaluate(examples=["eval.xyz"]), "format of eval.xyz cannot be told", "--format")
    Path("image.parquet").write_bytes(b"\x89PNG\r\n")
    refused(evaluate(examples=["image.parquet"]), "image.parquet cannot be read as parquet")


def test_corrupt_tfrecord(folder: Path) -> None:
    pytest.importorskip("google_crc32c")
    write_tfrecord("good.tfrecord.gz", taxi_like(50))
    data = bytearray(gzip.decompress(Path("good.tfrecord.gz").read_bytes()))
    data[len(data) // 2] ^= 1
    Path("flipped.tfrecord").write_bytes(data)
    refused(evaluate(examples=["flipped.tfrecord"]), "flipped.tfrecord: record", "checksum")
    Path("cut.tfrecord").write_bytes(bytes(data)[:40])
    refused(evaluate(examples=["cut.tfrecord"]), "cut.tfrecord: record 0 is damaged", "ends within")


def write_tfrecord(path: str, table: pa.Table) -> None:
    tf = pytest.importorskip("tensorflow")
    options = tf.io.TFRecordOptions("GZIP")
    with tf.io.TFRecordWriter(path, options) as writer:
        for row in table.select(["label", "prediction", "hour"]).to_pylist():
            features = {
                name: tf.train.Feature(float_list=tf.train.FloatList(value=[row[name]]))
                for name in ("label", "prediction")
            }
            features["hour"] = tf.train.Feature(int64_list=tf.train.Int64List(value=[row["hour"]]))
            example = tf.train.Example(features=tf.train.Features(feature=features))
            writer.write(example.SerializeToString())


def test_tfrecord_is_read(folder: Path, trips: pa.Table) -> None:
    write_tfrecord("eval.tfrecord.gz", trips)
    result = benison.evaluate("eval.tfrecord.gz", "eval.json")
    expected = benison.evaluate("eval.parquet", "eval.json")
    assert result.slices() == expected.slices()
    assert result.value("auc") == pytest.approx(expected.value("auc"), abs=1e-4)


def test_ragged_csv(folder: Path) -> None:
    Path("ragged.csv").write_text("label,prediction,hour\n1,0.5,3\n0,0.5\n")
    refused(
        evaluate(examples=["ragged.csv"]), "ragged.csv cannot be read", "Expected 3 columns, got 2"
    )


def test_missing_label_column(folder: Path) -> None:
    write_config(config("AUC", model={"label_key": "lable"}))
    refused(evaluate(), "model_specs[0].label_key", "no column 'lable'", "Did you mean 'label'?")


def test_label_out_of_range(folder: Path, trips: pa.Table) -> None:
    pq.write_table(trips.set_column(0, "label", pa.array([2.5] * len(trips))), "eval.parquet")
    refused(evaluate(), "Binary metrics need labels in [0, 1]; a label is 2.5")


def test_all_predictions_nan(folder: Path, trips: pa.Table) -> None:
    pq.write_table(
        trips.set_column(1, "prediction", pa.array([float("nan")] * len(trips))), "eval.parquet"
    )
    refused(evaluate(), "All 2,000 predictions are missing (null or NaN)")


def test_metric_with_a_typo(folder: Path) -> None:
    write_config(config("Acu"))
    refused(evaluate(), "metrics_specs[0].metrics[0]", "There is no metric 'Acu'")


def test_threshold_on_a_metric_nobody_computes(folder: Path) -> None:
    bound = {"value_threshold": {"lower_bound": 0.5}}
    write_config(config("AUC", spec={"thresholds": {"acu": bound}}))
    refused(evaluate(), "no metric 'acu' is computed here", "Did you mean 'auc'?")


def test_unknown_slice_column(folder: Path) -> None:
    write_config(config("AUC", slices=({"feature_keys": ["huor"]},)))
    refused(evaluate(), "slice feature 'huor' is not a column of the data", "Did you mean 'hour'?")


def test_directory_without_a_saved_model(folder: Path) -> None:
    Path("model").mkdir()
    Path("model/weights.h5").touch()
    refused(
        evaluate("--model", "model"),
        "model is not a model",
        "weights.h5",
        "which has a saved_model.pb",
    )


def test_output_exists(folder: Path) -> None:
    Path("out").mkdir()
    Path("out/precious").write_text("kept")
    result = evaluate()
    assert result.exit_code == 2
    assert "The output out exists already" in " ".join(result.output.split())
    assert Path("out/precious").read_text() == "kept"


def test_full_disk(folder: Path) -> None:
    """The kernel refuses to let a file grow, as it does on a full disk."""
    script = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600));"
        "sys.argv = ['benison'] + sys.argv[1:]; from benison.cli import main; main()"
    )
    arguments = ["evaluate", "-e", "eval.parquet", "-c", "eval.json", "-o", "out"]
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done.stderr
    assert "The results cannot be written to" in " ".join(done.stderr.split())
    assert not Path("out").exists()
    assert not list(Path().glob(".*partial"))


def test_kill_leaves_no_result_that_looks_whole(folder: Path) -> None:
    arguments = [
        sys.executable,
        "-m",
        "benison",
        "evaluate",
        "-e",
        "eval.parquet",
        "-c",
        "eval.json",
        "-o",
        "out",
    ]
    started = time.monotonic()
    subprocess.run(arguments, check=True, capture_output=True)
    length = time.monotonic() - started
    subprocess.run(["rm", "-rf", "out"], check=True)
    for _ in range(4):  # each file operation in turn is in component/test_write.py
        process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(random.uniform(0.5, 1.0) * length)
        process.send_signal(signal.SIGKILL)
        process.wait()
        if Path("out").exists():
            benison.load_result("out")
            assert run("verify", "out").exit_code == 0
            subprocess.run(["rm", "-rf", "out"], check=True)
    assert evaluate().exit_code == 0
    assert not list(Path().glob(".*partial"))


def test_the_spec_may_come_in_the_environment(folder: Path) -> None:
    spec = {"examples": "eval.parquet", "config": "eval.json", "output": "elsewhere"}
    given = {"BENISON_SPEC": json.dumps(spec)}
    assert CliRunner().invoke(app, ["evaluate", "--json"], env=given).exit_code == 0
    assert benison.load_result("elsewhere").verdict.blessed
    # What is said on the command line goes before it.
    assert (
        CliRunner().invoke(app, ["evaluate", "--output", "out", "--json"], env=given).exit_code == 0
    )
    assert benison.load_result("out").verdict.blessed
