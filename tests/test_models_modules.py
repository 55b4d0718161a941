# SPDX-License-Identifier: Apache-2.0
"""Pickled models whose classes are in a module of their own: found by --module-path, and missed with a cure."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import benison
from benison.metrics.modules import UserMetrics
from tests.conftest import config, taxi_like

CODE = """
import numpy as np

class Half:
    feature_names_in_ = np.array(["hour"])
    classes_ = np.array([0, 1])
    def predict(self, frame):
        return np.zeros(len(frame))
    def predict_proba(self, frame):
        return np.full((len(frame), 2), 0.5)
"""
WRITE = """
import pickle, sys
{imported}
pickle.dump(Half(), open(sys.argv[1], "wb"))
"""
ASKED = config("MeanPrediction", model={"prediction_key": ""})
CURE = r"name the folder that it lies in: --module-path \(module_path=; in TFX beside module_file\)"


def written(folder: Path, program: str) -> Path:
    """The pickle that a program writes; only what it imports is in a module."""
    (folder / "code").mkdir()
    (folder / "code" / "churnlib.py").write_text(CODE)
    command = [sys.executable, "-c", program, str(folder / "new.joblib")]
    subprocess.run(command, check=True, cwd=folder / "code")
    pq.write_table(taxi_like(50), folder / "eval.parquet")
    (folder / "eval.json").write_text(json.dumps(ASKED))
    return folder / "new.joblib"


@pytest.fixture
def model(tmp_path: Path) -> Any:
    yield written(tmp_path, WRITE.format(imported="from churnlib import Half"))
    sys.modules.pop("churnlib", None)


def run(folder: Path, *more: Any) -> Any:
    words = [sys.executable, "-m", "benison", *more]
    return subprocess.run(
        list(map(str, words)), capture_output=True, text=True, cwd=folder, check=False
    )


def test_a_module_that_is_missing_is_found_by_the_cure(model: Path, tmp_path: Path) -> None:
    with pytest.raises(benison.ModelError, match=f"needs the module 'churnlib'.*{CURE}"):
        benison.evaluate(taxi_like(50), ASKED, model=model, trust_pickle=True)
    result = benison.evaluate(
        taxi_like(50), ASKED, model=model, trust_pickle=True, module_path=tmp_path / "code"
    )
    assert result.value("mean_prediction") == 0.5
    assert str(tmp_path / "code") not in sys.path


@pytest.mark.parametrize("command", ["evaluate", "monitor"])
def test_each_command_that_calls_models_takes_the_folder(
    command: str, model: Path, tmp_path: Path
) -> None:
    table = taxi_like(50)
    days = pa.array([f"2030-01-0{1 + i % 5}" for i in range(len(table))])
    pq.write_table(table.append_column("day", days), tmp_path / "eval.parquet")
    of_command = {"evaluate": ("-o", "out"), "monitor": ("--time-key", "day")}
    words = (
        command, "--examples", "eval.parquet", "--config", "eval.json", "--model", model, "--trust-pickle",
        *of_command[command],
    )  # fmt: skip
    missed = run(tmp_path, *words)
    assert (missed.returncode, "--module-path" in missed.stderr) == (2, True), missed.stderr
    done = run(tmp_path, *words, "--module-path", "code")
    assert "churnlib" not in done.stderr
    assert done.returncode == (2 if command == "monitor" and "no metric" in done.stderr else 0), (
        done.stderr
    )


def test_a_worker_finds_modules_of_models_too(model: Path, tmp_path: Path) -> None:
    (tmp_path / "sent").write_bytes(pickle.dumps((UserMetrics(str(tmp_path / "code")), 1)))
    receive = "import pickle; pickle.load(open('sent', 'rb')); print(pickle.load(open('new.joblib', 'rb')))"
    command = [sys.executable, "-c", receive]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert "churnlib.Half" in done.stdout, done.stderr


def test_a_class_of_a_script_is_to_go_into_a_module(tmp_path: Path) -> None:
    model = written(tmp_path, WRITE.format(imported=CODE))
    with pytest.raises(
        benison.ModelError, match="in the script or notebook that wrote the pickle: put it"
    ):
        benison.evaluate(taxi_like(50), ASKED, model=model, trust_pickle=True)


def test_a_module_of_metrics_that_lacks_another_names_the_folder(tmp_path: Path) -> None:
    (tmp_path / "lacking.py").write_text("import no_such_helper")
    asked = config({"class_name": "Own", "module": "lacking"})
    with pytest.raises(
        benison.ConfigError, match=f"No module named 'no_such_helper'. Install it, or {CURE}"
    ):
        benison.evaluate(taxi_like(50), asked, module_path=tmp_path)
