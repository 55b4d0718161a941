# SPDX-License-Identifier: Apache-2.0
"""XGBoost's and LightGBM's own files, trained here, against those libraries' own answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import benison
from benison import models
from tests.component.test_models_files import NAMES, TRIPS, check, evaluated


@pytest.fixture(scope="module")
def frame() -> Any:
    pytest.importorskip("pandas")
    actual = TRIPS.select([*NAMES, "label", "company"]).to_pandas()
    actual.loc[::7, "old_prediction"] = None
    return actual


@pytest.fixture(scope="module")
def table(frame: Any) -> pa.Table:
    return TRIPS.set_column(
        TRIPS.schema.get_field_index("old_prediction"),
        "old_prediction",
        pa.array(frame["old_prediction"], from_pandas=True),
    )


@pytest.mark.parametrize("ending", ["ubj", "json", "model"])
def test_xgboost(frame: Any, table: pa.Table, tmp_path: Path, ending: str) -> None:
    xgb = pytest.importorskip("xgboost")
    model = xgb.XGBClassifier(n_estimators=4, max_depth=3).fit(frame[NAMES], frame.label)
    path = tmp_path / f"model.{ending}"
    path.write_bytes(model.get_booster().save_raw("json" if ending == "json" else "ubj"))
    expected = model.predict_proba(frame[NAMES])[:, 1]
    check(path, expected, table)
    check(tmp_path, expected, table)


def test_xgboost_classes_and_values(frame: Any, table: pa.Table, tmp_path: Path) -> None:
    xgb = pytest.importorskip("xgboost")
    classes = frame.index % 3
    model = xgb.XGBClassifier(n_estimators=2, max_depth=2).fit(frame[NAMES], classes)
    model.save_model(tmp_path / "classes.ubj")
    actual = models.load(tmp_path / "classes.ubj").predict(table.to_batches()[0], None)["output"]
    np.testing.assert_allclose(actual, model.predict_proba(frame[NAMES]), rtol=1e-6)
    value = xgb.XGBRegressor(n_estimators=2).fit(frame[NAMES], frame.hour * 2.5)
    value.save_model(tmp_path / "value.json")
    check(tmp_path / "value.json", value.predict(frame[NAMES]), table)


def test_xgboost_keeps_to_the_best_round_where_its_estimator_does(
    frame: Any, table: pa.Table, tmp_path: Path
) -> None:
    xgb = pytest.importorskip("xgboost")
    model = xgb.XGBRegressor(n_estimators=30, early_stopping_rounds=3)
    seen, unseen = frame[NAMES][:250], frame[NAMES][250:]
    noise = np.random.default_rng(0).random(500)
    model.fit(seen, noise[:250], eval_set=[(unseen, noise[250:])], verbose=False)
    booster = model.get_booster()
    assert model.best_iteration + 1 < booster.num_boosted_rounds()
    model.save_model(tmp_path / "estimator.ubj")
    check(tmp_path / "estimator.ubj", model.predict(frame[NAMES]), table)
    booster.set_attr(scikit_learn=None)
    booster.save_model(tmp_path / "booster.ubj")
    check(tmp_path / "booster.ubj", booster.predict(xgb.DMatrix(frame[NAMES])), table)


def test_xgboost_categories(frame: Any, table: pa.Table, tmp_path: Path) -> None:
    xgb = pytest.importorskip("xgboost")
    x = frame[["company", "hour"]].astype({"company": "category", "hour": "category"})
    model = xgb.XGBRegressor(n_estimators=3, enable_categorical=True).fit(x, frame.hour)
    model.save_model(tmp_path / "model.ubj")
    check(tmp_path, model.predict(x), table)
    as_bytes = table["company"].cast(pa.binary()).dictionary_encode()
    encoded = table.set_column(table.schema.get_field_index("company"), "company", as_bytes)
    check(tmp_path, model.predict(x), encoded)
    location = table.schema.get_field_index("company")
    strange = table.set_column(location, "company", pa.array(["company 9"] * 500))
    with pytest.raises(
        benison.DataError, match="'company 9' in the data, which is none of the cat"
    ):
        evaluated(tmp_path, strange)
    numbers = table.set_column(location, "company", pa.array([1] * 500))
    with pytest.raises(
        benison.DataError, match="is int64 in the data, and the model was trained on"
    ):
        evaluated(tmp_path, numbers)


def test_what_xgboost_refuses(frame: Any, table: pa.Table, tmp_path: Path) -> None:
    xgb = pytest.importorskip("xgboost")
    (tmp_path / "bad.ubj").write_bytes(b"junk")
    with pytest.raises(
        benison.ModelError, match=r"The XGBoost model .*bad.ubj cannot be loaded: \S"
    ):
        models.load(tmp_path / "bad.ubj")
    nameless = xgb.XGBRegressor(n_estimators=1).fit(frame[NAMES].to_numpy(), frame.label)
    nameless.save_model(tmp_path / "nameless.ubj")
    with pytest.raises(
        benison.ModelError, match="does not know the names of its features. Train it"
    ):
        models.load(tmp_path / "nameless.ubj")
    named = xgb.XGBRegressor(n_estimators=1).fit(frame[NAMES], frame.label)
    named.save_model(tmp_path / "named.ubj")
    with pytest.raises(benison.DataError, match="no column 'hour'. Did you mean 'hours'"):
        models.load(tmp_path / "named.ubj").predict(
            pa.RecordBatch.from_pydict({"hours": [1]}), None
        )
    text = table.drop_columns(["old_prediction"]).append_column(
        "old_prediction", pa.array(["a"] * 500)
    )
    with pytest.raises(
        benison.DataError, match="'old_prediction' is string in the data, and the model"
    ):
        evaluated(tmp_path / "named.ubj", text)


# LightGBM.


def test_lightgbm(frame: Any, table: pa.Table, tmp_path: Path) -> None:
    lgb = pytest.importorskip("lightgbm")
    model = lgb.LGBMClassifier(n_estimators=4, verbose=-1).fit(frame[NAMES], frame.label)
    expected = model.predict_proba(frame[NAMES])[:, 1]
    for name in ("model.txt", "model.model"):
        model.booster_.save_model(tmp_path / name)
        check(tmp_path / name, expected, table)
    classes = lgb.LGBMClassifier(n_estimators=2, verbose=-1).fit(frame[NAMES], frame.index % 3)
    classes.booster_.save_model(tmp_path / "classes.txt")
    actual = models.load(tmp_path / "classes.txt").predict(table.to_batches()[0], None)["output"]
    np.testing.assert_allclose(actual, classes.predict_proba(frame[NAMES]), rtol=1e-12)


def test_lightgbm_categories(frame: Any, table: pa.Table, tmp_path: Path) -> None:
    lgb = pytest.importorskip("lightgbm")
    x = frame[["old_prediction", "company", "hour"]]
    x = x.astype({"company": "category", "hour": "category"})
    model = lgb.LGBMRegressor(n_estimators=5, min_data_per_group=1, verbose=-1).fit(x, frame.hour)
    model.booster_.save_model(tmp_path / "model.txt")
    (tmp_path / "readme.txt").write_text("Not a model.")
    check(tmp_path, model.predict(x), table)
    location = table.schema.get_field_index("company")
    strange = table.set_column(location, "company", pa.array(["company 9"] * 500))
    check(tmp_path, model.predict(x.assign(company=x.company.where(x.company.isna()))), strange)


def test_what_lightgbm_refuses(frame: Any, tmp_path: Path) -> None:
    lgb = pytest.importorskip("lightgbm")
    (tmp_path / "bad.txt").write_text("junk")
    with pytest.raises(
        benison.ModelError, match=r"The LightGBM model .*bad.txt cannot be loaded: \S"
    ):
        models.load(tmp_path / "bad.txt")
    model = lgb.LGBMRegressor(n_estimators=1, verbose=-1)
    model.fit(frame[NAMES].to_numpy(), frame.label).booster_.save_model(tmp_path / "nameless.txt")
    with pytest.raises(benison.ModelError, match="does not know the names of its features"):
        models.load(tmp_path / "nameless.txt")
