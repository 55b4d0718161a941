# SPDX-License-Identifier: Apache-2.0
"""A model predicts the same from every form of the same rows, whatever is missing in them."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import benison
from tests.component.test_formats import (
    FORMS,
    Rows,
    as_csv,
    as_examples,
    as_json,
    as_parquet,
    as_quoted_csv,
    as_table,
    as_tsv,
)
from tests.conftest import config

NAMED = config("MeanPrediction", model={"prediction_key": ""})
SOME = (as_table, as_parquet, as_csv, as_quoted_csv, as_tsv, as_json, as_examples)


def rows_of(*groups: tuple[Any, int]) -> Rows:
    """Rows whose feature k is missing where it is None; the label follows it."""
    values = [value for value, count in groups for _ in range(count)]
    return [{"label": i % 2, "k": value} for i, value in enumerate(values)]


TEXTS = rows_of(("a", 30), ("b", 10), (None, 20))
FLAGS = rows_of((True, 30), (False, 10), (None, 20))
NUMBERS = rows_of((7, 30), (9, 10), (None, 20))


def fitted(rows: Rows) -> Any:
    """The mode in place of what is missing, one-hot, and a regression; and its mean prediction."""
    pipeline = pytest.importorskip("sklearn.pipeline")
    impute = pytest.importorskip("sklearn.impute").SimpleImputer(strategy="most_frequent")
    encode = pytest.importorskip("sklearn.preprocessing").OneHotEncoder(handle_unknown="ignore")
    regress = pytest.importorskip("sklearn.linear_model").LogisticRegression()
    frame = pd.DataFrame({"k": [np.nan if row["k"] is None else row["k"] for row in rows]})
    frame = frame.astype(object) if frame["k"].dtype == object else frame
    target = frame["k"].ne(frame["k"].mode()[0]) & frame["k"].notna()
    return pipeline.make_pipeline(impute, encode, regress).fit(frame, target), frame


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
@pytest.mark.parametrize("rows", [TEXTS, FLAGS, NUMBERS], ids=["text", "flags", "numbers"])
def test_missing_values_reach_scikit_learn_as_nan(
    rows: Rows, form: Callable[[Rows, Path], Any], tmp_path: Path
) -> None:
    model, frame = fitted(rows)
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(model))
    if form is as_examples and rows is FLAGS:
        pytest.skip("tf.Examples have no truth values")
    result = benison.evaluate(
        form(rows, tmp_path), NAMED, model=tmp_path / "model.pkl", trust_pickle=True
    )
    expected = model.predict_proba(frame)[:, 1].mean()
    assert result.value("mean_prediction") == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("imputed", [True, False])
@pytest.mark.parametrize("form", [as_parquet, as_csv], ids=lambda form: form.__name__)
def test_missing_text_is_none_where_the_model_was_fitted_on_none(
    form: Callable[[Rows, Path], Any], imputed: bool, tmp_path: Path
) -> None:
    pipeline = pytest.importorskip("sklearn.pipeline")
    compose = pytest.importorskip("sklearn.compose")
    steps = [pytest.importorskip("sklearn.preprocessing").OneHotEncoder()]
    if imputed:  # which hands arrays on
        steps.insert(
            0, pytest.importorskip("sklearn.preprocessing").FunctionTransformer(np.asarray)
        )
    columns = [("k", pipeline.make_pipeline(*steps), ["k"])]
    model = pipeline.make_pipeline(
        compose.ColumnTransformer(columns),
        pytest.importorskip("sklearn.linear_model").LogisticRegression(),
    )
    frame = pd.DataFrame({"n": 0.0, "k": pd.Series([row["k"] for row in TEXTS], dtype=object)})
    model.fit(frame, [row["k"] is None for row in TEXTS])
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(model))
    rows = [{**row, "n": 0.0} for row in TEXTS]
    result = benison.evaluate(
        form(rows, tmp_path), NAMED, model=tmp_path / "model.pkl", trust_pickle=True
    )
    expected = model.predict_proba(frame)[:, 1].mean()
    assert result.value("mean_prediction") == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("form", SOME, ids=lambda form: form.__name__)
def test_missing_categories_are_missing_in_trees(
    form: Callable[[Rows, Path], Any], tmp_path: Path
) -> None:
    xgb = pytest.importorskip("xgboost")
    frame = pd.DataFrame({"k": pd.Categorical([row["k"] for row in TEXTS])})
    label = [float(row["k"] == "b") for row in TEXTS]
    data = xgb.DMatrix(frame, label, enable_categorical=True)
    model = xgb.train({"objective": "binary:logistic", "seed": 0}, data, 3)
    model.save_model(tmp_path / "model.ubj")
    result = benison.evaluate(form(TEXTS, tmp_path), NAMED, model=tmp_path / "model.ubj")
    expected = float(model.predict(data).astype(np.float64).mean())
    assert result.value("mean_prediction") == pytest.approx(expected, rel=1e-12)
