# SPDX-License-Identifier: Apache-2.0
"""MLflow directories, saved here by MLflow, against what MLflow itself loads from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import benison
from benison import models
from tests.component.test_models_files import FLOAT, check, node, onnx_model
from tests.conftest import taxi_like

TRIPS = taxi_like(500)
NAMES = ["hour", "old_prediction"]

# MLflow warns of signatures with whole numbers and of functions without type hints; these are tests of loading.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
# Otherwise saving loads the model in another process, to see what it imports.
QUICK: dict[str, Any] = {"pip_requirements": []}


@pytest.fixture(scope="module")
def mlflow() -> Any:
    pytest.importorskip("pandas")
    return pytest.importorskip("mlflow")


@pytest.fixture(scope="module")
def frame(mlflow: Any) -> Any:
    return TRIPS.select([*NAMES, "label"]).to_pandas()


def test_xgboost_and_lightgbm_are_loaded_without_mlflow(
    mlflow: Any, frame: Any, tmp_path: Path
) -> None:
    xgb, lgb = pytest.importorskip("xgboost"), pytest.importorskip("lightgbm")
    import mlflow.lightgbm
    import mlflow.xgboost

    classifier = xgb.XGBClassifier(n_estimators=2).fit(frame[NAMES], frame.label)
    mlflow.xgboost.save_model(classifier, str(tmp_path / "x"), **QUICK)
    check(tmp_path / "x", classifier.predict_proba(frame[NAMES])[:, 1], TRIPS)
    signature = mlflow.models.infer_signature(frame[NAMES].astype(float))
    nameless = xgb.train({}, xgb.DMatrix(frame[NAMES].to_numpy(), label=frame.label), 2)
    mlflow.xgboost.save_model(nameless, str(tmp_path / "n"), signature=signature, **QUICK)
    check(tmp_path / "n", nameless.predict(xgb.DMatrix(frame[NAMES].to_numpy())), TRIPS)
    booster = lgb.train({"verbose": -1}, lgb.Dataset(frame[NAMES], label=frame.label), 2)
    mlflow.lightgbm.save_model(booster, str(tmp_path / "l"), **QUICK)
    check(tmp_path / "l", booster.predict(frame[NAMES]), TRIPS)


def test_onnx_takes_the_features_of_the_signature(mlflow: Any, frame: Any, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    path = onnx_model(tmp_path / "m.onnx", [node("Softmax", ["x"], ["p"], axis=1)],
                      {"x": (FLOAT, ["n", 2])}, {"p": (FLOAT, ["n", 2])})  # fmt: skip
    import mlflow.onnx

    signature = mlflow.models.infer_signature(frame[NAMES].astype(float))
    mlflow.onnx.save_model(onnx.load(path), str(tmp_path / "m"), signature=signature, **QUICK)
    actual = models.load(tmp_path / "m").predict(TRIPS.combine_chunks().to_batches()[0], None)["p"]
    own = mlflow.onnx.load_model(str(tmp_path / "m"))
    assert own.graph.input[0].name == "x"
    scores = np.exp(frame[NAMES].to_numpy(np.float32))
    np.testing.assert_allclose(actual, scores / scores.sum(axis=1, keepdims=True), rtol=1e-5)


def test_python_function_only_when_trusted(mlflow: Any, frame: Any, tmp_path: Path) -> None:
    import mlflow.pyfunc

    signature = mlflow.models.infer_signature(frame[NAMES].astype(float))

    def save() -> None:
        class Halves(mlflow.pyfunc.PythonModel):  # type: ignore[misc, name-defined]
            def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
                return model_input.assign(half=model_input["hour"] / 2)[["half", "old_prediction"]]

        mlflow.pyfunc.save_model(
            str(tmp_path / "m"), python_model=Halves(), signature=signature, **QUICK
        )

    with pytest.warns(UserWarning, match="ype hint"):  # MLflow wants schemas in them
        save()
    with pytest.raises(benison.ModelError, match="runs whatever code is in it.*--trust-pickle"):
        models.load(tmp_path / "m")
    floats = TRIPS.set_column(
        TRIPS.schema.get_field_index("hour"), "hour", TRIPS["hour"].cast("float64")
    )
    check(tmp_path / "m", frame.hour / 2, floats, trust_pickle=True, prediction_key="half")


def test_sklearn_gives_probabilities(mlflow: Any, frame: Any, tmp_path: Path) -> None:
    import mlflow.sklearn
    from sklearn.linear_model import LogisticRegression

    estimator = LogisticRegression().fit(frame[NAMES], frame.label)
    mlflow.sklearn.save_model(
        estimator, str(tmp_path / "m"), serialization_format="cloudpickle", **QUICK
    )
    with pytest.raises(benison.ModelError, match="--trust-pickle"):
        models.load(tmp_path / "m")
    check(tmp_path / "m", estimator.predict_proba(frame[NAMES])[:, 1], TRIPS, trust_pickle=True)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[", "cannot be read as an MLflow model: "),
        ("a: 1", "MLmodel names no flavors"),
        (
            "flavors: {openai: {}, python_function: {loader_module: mlflow.openai}}",
            "is loaded by openai, which",
        ),
        ("flavors: {spark: {}}", "is loaded by nothing that it names"),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "MLmodel").write_text(text)
    with pytest.raises(benison.ModelError) as raised:
        models.load(tmp_path, trust_pickle=True)
    assert sentence in str(raised.value)


MLMODEL = "flavors:\n  python_function:\n    loader_module: mlflow.sklearn\n"
BROKEN = [
    ("", "names no flavors"),
    ("flavors: 3", "names no flavors"),
    ("flavors: {xgboost: data}", "names no flavors"),
    ("flavors: {xgboost: {data: [", "cannot be read as an MLflow model: .* at line 1"),
    ("- " * 3000, "cannot be read as an MLflow model: a value is nested more than 100 deep"),
    ("a: &a [*a]", "cannot be read as an MLflow model: .a is inside of what it stands for"),
    (f"{MLMODEL}signature: abc", "has a signature that is not one of MLflow's.* has 'abc'"),
    (f"{MLMODEL}signature: {{inputs: 5}}", "has a signature that is not one of MLflow's"),
    (f"{MLMODEL}signature: {{inputs: '{{'}}", "has a signature that is not one of MLflow's"),
    (f"{MLMODEL}signature: {{inputs: '[1]'}}", "has a signature that is not one of MLflow's"),
    (f"{MLMODEL}signature: {{inputs: '{'[' * 200_000}'}}", "not one of MLflow's"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "sentence"), BROKEN, ids=range(len(BROKEN)))
def test_a_broken_description_is_named(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "MLmodel").write_text(text, encoding="utf-8")
    with pytest.raises(benison.ModelError, match=sentence) as raised:
        models.load(tmp_path)
    assert str(tmp_path / "MLmodel") in str(raised.value)
