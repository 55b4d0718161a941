# SPDX-License-Identifier: Apache-2.0
"""Pickled estimators get what they were fitted on, with the numbers of their own libraries as oracles."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

import benison
from benison import models

RNG = np.random.default_rng(8)
FRAME = pd.DataFrame(
    {
        "fare": RNG.gamma(2, 5, 300),
        "miles": RNG.integers(1, 20, 300),
        "company": RNG.choice(["a", "b", "c"], 300),
        "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(RNG.integers(0, 90, 300), "D"),
    }
)
LABELS = (
    FRAME.fare + FRAME.miles + 6 * (FRAME.company == "a") + RNG.normal(0, 4, 300) > 22
).astype(int)
NUMBERS = ["fare", "miles"]
# Another order than that of any model, and a column that none has.
TABLE = pa.Table.from_pandas(FRAME[["day", "company", "miles", "fare"]].assign(label=LABELS))


class ByName(BaseEstimator, TransformerMixin):  # type: ignore[misc]
    """A step that anyone might write: it looks columns up, and keeps nothing of its fit."""

    def fit(self, frame: pd.DataFrame, labels: Any = None) -> ByName:
        return self

    def transform(self, frame: pd.DataFrame) -> Any:
        of_day = frame["day"].dt.dayofweek
        return np.c_[np.log1p(frame["fare"]), frame["miles"], frame["company"] == "a", of_day]


class Same(ByName):
    def transform(self, frame: pd.DataFrame) -> Any:
        return frame


class Ratio(ByName):
    def transform(self, frame: pd.DataFrame) -> Any:
        return frame.assign(ratio=frame["fare"] / frame["miles"])[["ratio", "miles"]]


class ByPlace(ByName):
    def transform(self, matrix: Any) -> Any:
        return matrix[:, [0]]


def scores(model: Any, names: Sequence[str], tmp_path: Path) -> Any:
    joblib.dump(model, tmp_path / "model.joblib")
    loaded = models.load(tmp_path / "model.joblib", trust_pickle=True, names=names)
    batch = TABLE.combine_chunks().to_batches()[0]
    in_memory = models.load(models.InMemory(model), names=names)
    of_file, of_memory = (each.predict(batch, None)["output"] for each in (loaded, in_memory))
    np.testing.assert_array_equal(of_file, of_memory)
    return of_file


def regression(*steps: Any) -> Any:
    return make_pipeline(*steps, LogisticRegression(max_iter=10_000))


@pytest.mark.filterwarnings("error:.*feature names")
@pytest.mark.parametrize(
    ("model", "data", "names"),
    [
        (regression(ByName()), FRAME, list(FRAME)),
        (regression(FunctionTransformer(ByName().transform)), FRAME, []),
        (regression(Same(), StandardScaler()), FRAME[NUMBERS], []),
        (regression(Same(), make_column_transformer((OneHotEncoder(), ["company"]))), FRAME, []),
        (GridSearchCV(regression(ByName()), {}, cv=2), FRAME, list(FRAME)),
        (Pipeline([("none", "passthrough"), ("fit", LogisticRegression())]), FRAME[NUMBERS], []),
        (regression(Ratio(), StandardScaler()), FRAME[NUMBERS], NUMBERS),
    ],
    ids=["own", "function", "scaler after", "columns after", "search", "no step", "other columns"],
)
def test_a_pipeline_gets_the_data_frame_that_it_was_fitted_on(
    model: Any, data: Any, names: Sequence[str], tmp_path: Path
) -> None:
    model.fit(data, LABELS)
    expected = model.predict_proba(data)[:, 1]
    np.testing.assert_allclose(scores(model, names, tmp_path), expected, rtol=1e-12)


@pytest.mark.filterwarnings("error:.*feature names")
@pytest.mark.parametrize("steps", [[], [StandardScaler()], [FunctionTransformer(np.log1p)]])
def test_what_was_fitted_on_an_array_gets_an_array(steps: list[Any], tmp_path: Path) -> None:
    matrix = FRAME[NUMBERS].to_numpy()
    model = regression(*steps).fit(matrix, LABELS)
    expected = model.predict_proba(matrix)[:, 1]
    np.testing.assert_allclose(scores(model, NUMBERS, tmp_path), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("model", "data", "names", "sentence"),
    [
        (ByPlace(), FRAME[NUMBERS].to_numpy(), NUMBERS, "begin its first step with numpy.asarray"),
        (
            Pipeline([("ratio", Ratio()), ("scaler", StandardScaler())]),
            FRAME[NUMBERS].assign(ratio=1.0),
            [],
            "called with ratio, miles, on which one of its steps was fitted; .* as feature_keys",
        ),
    ],
)
def test_a_doubt_about_the_columns_is_said_where_the_model_fails(
    model: Any, data: Any, names: Sequence[str], sentence: str, tmp_path: Path
) -> None:
    fitted = regression(model).fit(data, LABELS)
    joblib.dump(fitted, tmp_path / "model.joblib")
    loaded = models.load(tmp_path / "model.joblib", trust_pickle=True, names=names)
    table = TABLE.append_column("ratio", pa.array(np.ones(300))).combine_chunks()
    with pytest.raises(benison.ModelError, match=sentence):
        loaded.predict(table.to_batches()[0], None)


def categories() -> pd.DataFrame:
    return FRAME[["fare", "company"]].astype({"company": "category"})


def of_lightgbm() -> Any:
    return pytest.importorskip("lightgbm").LGBMClassifier(n_estimators=4, verbose=-1)


def of_xgboost() -> Any:
    return pytest.importorskip("xgboost").XGBClassifier(n_estimators=4, enable_categorical=True)


def of_catboost() -> Any:
    catboost = pytest.importorskip("catboost")
    return catboost.CatBoostClassifier(4, verbose=0, allow_writing_files=False)


@pytest.mark.parametrize("made", [of_lightgbm, of_xgboost])
@pytest.mark.parametrize("steps", [[], [Same()]], ids=["alone", "after a step"])
def test_trees_get_the_categories_of_their_fit(made: Any, steps: list[Any], tmp_path: Path) -> None:
    model = make_pipeline(*steps, made()) if steps else made()
    model.fit(categories(), LABELS)
    expected = model.predict_proba(categories())[:, 1]
    np.testing.assert_allclose(scores(model, [], tmp_path), expected, rtol=1e-6)


@pytest.mark.parametrize("made", [of_lightgbm, of_xgboost, of_catboost])
def test_trees_of_an_array_take_the_columns_that_the_config_names(
    made: Any, tmp_path: Path
) -> None:
    matrix = FRAME[NUMBERS].to_numpy()
    model = made().fit(matrix, LABELS)
    expected = model.predict_proba(matrix)[:, 1]
    np.testing.assert_allclose(scores(model, NUMBERS, tmp_path), expected, rtol=1e-6)
    with pytest.raises(benison.ModelError, match="Name them in their order as feature_keys"):
        scores(model, [], tmp_path)


@pytest.mark.parametrize("made", [of_lightgbm, of_xgboost])
def test_a_pickled_booster_is_one_of_its_file(made: Any, tmp_path: Path) -> None:
    model = made().fit(categories(), LABELS)
    booster = model.booster_ if hasattr(model, "booster_") else model.get_booster()
    expected = model.predict_proba(categories())[:, 1]
    np.testing.assert_allclose(scores(booster, [], tmp_path), expected, rtol=1e-6)


def test_a_pickled_catboost_gives_probabilities(tmp_path: Path) -> None:
    catboost = pytest.importorskip("catboost")
    more = {
        "iterations": 4,
        "verbose": 0,
        "allow_writing_files": False,
        "cat_features": ["company"],
    }
    data = FRAME[["fare", "company"]]
    model = catboost.CatBoost({"loss_function": "Logloss", **more}).fit(data, LABELS)
    expected = model.predict(data, prediction_type="Probability")[:, 1]
    np.testing.assert_allclose(scores(model, [], tmp_path), expected, rtol=1e-6)


def test_an_unknown_category_is_refused_as_xgboost_refuses_it(tmp_path: Path) -> None:
    model = of_xgboost().fit(categories(), LABELS)
    loaded = models.load(models.InMemory(model))
    rows = pa.record_batch({"fare": [1.0], "company": ["z"]})
    with pytest.raises(benison.DataError, match="'z' in the data, which is none of the categories"):
        loaded.predict(rows, None)
