# SPDX-License-Identifier: Apache-2.0
"""Modules of a user's that load models and choose extractors, in TFX's component."""

from __future__ import annotations

from pathlib import Path

import pytest
from tfx.types import standard_artifacts

import benison
from tests.evaluator.test_tfx_cases import IN_DATA, artifact, parquet, run

pytestmark = pytest.mark.slow


LOADER = """
import numpy as np
class Predictor:
    columns = ("prediction",)
    takes_examples = False
    def predict(self, features, serialized):
        return {"prediction": OUTPUT}
def custom_eval_shared_model(eval_saved_model_path, model_name, eval_config, **kwargs):
    return Predictor()
"""


EXTRACTORS = """
def custom_extractors(eval_shared_model, eval_config, tensor_adapter_config):
    return RETURNED
"""


ELSEWHERE = """
from tensorflow_model_analysis import default_eval_shared_model
def custom_eval_shared_model(eval_saved_model_path, model_name, eval_config, **kwargs):
    return default_eval_shared_model("/other", eval_config=eval_config)
"""


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (LOADER.replace("OUTPUT", "np.zeros(3)"), r"has the shape \(3,\) for 200 rows"),
        (LOADER.replace("columns =", "names ="), "returned a Predictor; a predictor has `columns`"),
        (EXTRACTORS.replace("RETURNED", "eval_config"), "expected a list of extractors"),
        (ELSEWHERE, "returned a description of /other; the model to be blessed is .*/current"),
    ],
    ids=["too few rows", "no columns", "no list", "another model"],
)
def test_a_module_that_gives_the_wrong_thing_is_told_what_is_right(
    data: Path, tmp_path: Path, module: str, message: str
) -> None:
    (tmp_path / "module.py").write_text(module)
    model = artifact(standard_artifacts.Model, data / "trainer/current", 3)
    given = {"examples": [parquet(tmp_path / "examples")], "model": [model]}
    with pytest.raises(benison.BenisonError, match=message):
        run(given, tmp_path, IN_DATA, module_file=str(tmp_path / "module.py"))


def test_a_module_may_load_models_and_choose_extractors(data: Path, tmp_path: Path) -> None:
    """What the loader made is called by the stages that the module takes from us."""
    chosen = "benison.default_extractors(benison.EvalConfig.load(eval_config), {'': 'not/there'})"
    text = LOADER.replace("OUTPUT", "np.full(features.num_rows, 0.25)")
    module = f"import benison{text}{EXTRACTORS.replace('RETURNED', chosen)}"
    (tmp_path / "module.py").write_text(module)
    model = artifact(standard_artifacts.Model, data / "trainer/current", 3)
    given = {"examples": [parquet(tmp_path / "examples")], "model": [model]}
    means = {"metrics_specs": [{"metrics": [{"class_name": "MeanPrediction"}]}]}
    actual, _ = run(given, tmp_path, IN_DATA | means, module_file=str(tmp_path / "module.py"))
    assert benison.load_result(actual.uri).value("mean_prediction") == 0.25


def test_a_module_may_leave_the_extractors_to_us(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text(EXTRACTORS.replace("RETURNED", "None"))
    given = {"examples": [parquet(tmp_path / "examples")]}
    _, blessing = run(given, tmp_path, IN_DATA, module_file=str(tmp_path / "module.py"))
    assert blessing.get_int_custom_property("blessed") == 1
