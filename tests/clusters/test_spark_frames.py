# SPDX-License-Identifier: Apache-2.0
"""DataFrames of Spark, whose rows are evaluated where they are: numbers and errors."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import benison
from benison.output.blessing import verify
from tests.clusters.runners import Runner, environment, python, spark
from tests.clusters.test_runners import HERE, HOURS, check_installed, with_model
from tests.conftest import config, taxi_like
from tests.test_evaluation import catalogue, same_results, split

ROWS = {"options": {"row_key": ["row"]}}


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    check_installed("spark")
    with spark(tmp_path_factory.mktemp("spark")) as started:
        yield started


@pytest.fixture
def data(tmp_path: Path) -> str:
    trips = taxi_like(2_000)
    return split(trips.append_column("row", pa.array(range(2_000))), tmp_path / "data", 2)


def evaluated(
    made: dict[str, Any], data: str, folder: Path, runner: Runner, model: str = ""
) -> tuple[int, str]:
    """The exit code of a program with a DataFrame of the data, and what it says."""
    (folder / "config.json").write_text(json.dumps(made), encoding="utf-8")
    where, *settings = [option.partition("=")[2] for option in runner.options[3:]]
    program = (python(), str(HERE / "spark_frame.py"), where, data, "config.json", model)
    run = subprocess.run(
        [*program, *settings],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    return run.returncode, run.stderr


@pytest.mark.slow
def test_a_data_frame_has_the_numbers_of_its_files(
    master: Runner, data: str, trips: pa.Table, tmp_path: Path
) -> None:
    made = {**catalogue(trips), **ROWS}
    code, words = evaluated(made, data, tmp_path, master)
    assert code == 0, words[-4_000:]
    same_results(benison.evaluate(data, made), benison.load_result(tmp_path / "out"))
    assert verify(tmp_path / "out")["rows"] == 2_000


@pytest.mark.slow
def test_columns_are_told_apart_by_their_names(master: Runner, data: str, tmp_path: Path) -> None:
    made = config("AUC", slices=[{}, {"feature_keys": ["driver.hour"]}])
    code, words = evaluated(made, data, tmp_path, master)
    assert code == 0, words[-4_000:]
    written = benison.load_result(tmp_path / "out")
    expected = benison.evaluate(data, config("AUC", slices=HOURS))
    assert written.value("auc", slice={"driver.hour": 7}) == pytest.approx(
        expected.value("auc", slice={"hour": 7}), rel=1e-12
    )
    assert written.value("auc") == pytest.approx(expected.value("auc"), rel=1e-12)


@pytest.mark.slow
def test_a_model_is_called_where_the_rows_are(master: Runner, data: str, tmp_path: Path) -> None:
    made, path = with_model(tmp_path / "model.joblib"), str(tmp_path / "model.joblib")
    code, words = evaluated(made, data, tmp_path, master, path)
    assert code == 0, words[-4_000:]
    expected = benison.evaluate(data, made, model=path, trust_pickle=True)
    same_results(expected, benison.load_result(tmp_path / "out"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("made", "error"),
    [
        (
            config({"class_name": "Dividing", "module": "waiting"}, slices=HOURS),
            "The metric dividing fails in line",
        ),
        (config("AUC", model={"prediction_key": "probability"}), "vector_to_array makes a list"),
        (config("AUC", model={"label_key": "lable"}), "Did you mean 'label'?"),
    ],
)
def test_what_is_wrong_arrives_as_what_it_is(
    made: dict[str, Any], error: str, master: Runner, data: str, tmp_path: Path
) -> None:
    code, words = evaluated(made, data, tmp_path, master)
    assert code == 1
    assert error in words.splitlines()[-1]
    assert not (tmp_path / "out").exists()
