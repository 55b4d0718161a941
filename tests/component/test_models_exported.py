# SPDX-License-Identifier: Apache-2.0
"""Programs that PyTorch and JAX export: the numbers of the formula, or the way round."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import benison
from tests.conftest import config

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-frameworks/bin/python"
ROOM = 12e9
RNG = np.random.default_rng(4)
TRIPS = {"fare": RNG.random(3001) * 20, "hour": RNG.integers(0, 24, 3001)}
SCORE = 1 / (1 + np.exp(0.1 * TRIPS["hour"] - 0.2 * TRIPS["fare"]))


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `frameworks/exported_models.py` prints, run where the frameworks are."""
    if not PYTHON.exists():
        missing = "there is no .venv-frameworks; run: make frameworks-env"
        fails = "CI" in os.environ and shutil.disk_usage(ROOT).free > ROOM
        (pytest.fail if fails else pytest.skip)(missing)
    folder = tmp_path_factory.mktemp("exported")
    gone = pa.array([1, None, *range(2999)])
    trips = pa.table({**TRIPS, "label": TRIPS["hour"] % 2, "gone": gone})
    pq.write_table(trips, folder / "trips.parquet")
    script = ROOT / "tests/frameworks/exported_models.py"
    command = [PYTHON, "-W", "error", script, folder / "trips.parquet", folder]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "component")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    printed: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return printed


@pytest.mark.parametrize(
    "model",
    [
        "pt2", "pt2_of_columns", "pt2_of_dict", "pt2_of_eight_rows", "torchscript",
        "jax_of_dict", "jax_of_matrix", "jax_of_two", "jax_of_eight_rows",
    ],
)  # fmt: skip
def test_an_exported_program_gives_the_numbers_of_its_formula(
    model: str, outcomes: dict[str, Any]
) -> None:
    assert outcomes[model] == pytest.approx(SCORE.mean(), abs=1e-6)


@pytest.mark.parametrize("model", ["missing_as_float", "missing_in_jax"])
def test_a_missing_number_is_nan_for_a_program(model: str, outcomes: dict[str, Any]) -> None:
    assert np.isnan(outcomes[model])


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        ("torchscript_without_names", "takes matrix, and TorchScript does not say of which shape"),
        ("weights", "Save the whole program: torch.export.save"),
        ("too_few_names", "takes 2 numbers in each row, and feature_keys in model_specs names 1"),
        ("jax_without_names", "does not know the names of its inputs. Name the columns"),
        ("damaged_jax", "cannot be loaded"),
        ("pt2_with_a_constant", "is one value, not one in each row"),
        ("missing_as_integer", "'gone'"),
        ("jax_of_dict_by_position", "names its inputs itself: fare, hour. Leave feature_keys out"),
        ("jax_of_integers", "'gone'"),
        ("jax_of_bfloat16", "takes bfloat16, as which columns cannot be given"),
        ("jax_of_nested", "has two inputs of one name: fare, fare"),
    ],
)
def test_what_is_refused_says_the_way_round(
    model: str, sentence: str, outcomes: dict[str, Any]
) -> None:
    assert sentence in outcomes[model]


@pytest.mark.parametrize(
    ("name", "more", "sentence"),
    [
        ("model.pt2", {}, "may hold pickles"),
        ("model.pt2", {"trust_pickle": True}, r"pip install 'benison\[pytorch\]'"),
        ("model.jax", {}, r"pip install 'benison\[jax\]'"),
    ],
)
def test_what_is_not_installed_or_trusted_says_so(
    name: str, more: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(b"")
    table = pa.table({**TRIPS, "label": TRIPS["hour"] % 2})
    made = config("AUC", model={"prediction_key": ""})
    with pytest.raises(benison.BenisonError, match=sentence):
        benison.evaluate(table, made, model=tmp_path / name, **more)
