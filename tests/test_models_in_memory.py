# SPDX-License-Identifier: Apache-2.0
"""Models that are objects in memory: the numbers of their files, and a word that they have no bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import benison
from benison.output import blessing
from tests.conftest import config

RNG = np.random.default_rng(3)
FEATURES = pd.DataFrame({"a": RNG.random(200), "b": RNG.integers(0, 5, 200)})
LABELS = (FEATURES["a"] + RNG.random(200) > 1).astype(int)
TABLE = pa.table(
    {"a": FEATURES["a"], "b": FEATURES["b"], "label": LABELS, "tags": [["x", "y"]] * 200}
)
MADE = config("AUC", model={"prediction_key": ""})
FOREST = RandomForestClassifier(5, random_state=0).fit(FEATURES, LABELS)


class Sorting(LogisticRegression):  # type: ignore[misc]
    """An estimator whose scores are in another order than the rows."""

    feature_names_in_ = np.array(["a"])
    classes_ = np.array([0, 1])

    def predict_proba(self, frame: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({0: 1 - frame["a"], 1: frame["a"]}).sort_values(1)


def auc(model: Any, made: dict[str, Any] = MADE, **more: Any) -> float:
    return benison.evaluate(TABLE, made, model=model, **more).value("auc")


def scores(frame: pd.DataFrame) -> Any:
    return FOREST.predict_proba(frame[["a", "b"]])[:, 1]


@pytest.mark.parametrize(
    "model",
    [
        FOREST,
        scores,
        lambda frame: {"output": scores(frame)},
        lambda frame: pd.DataFrame({"p": scores(frame)}),
        lambda frame: {"output": scores(frame), "summary": frame.describe()},
        lambda frame: pd.Series(scores(frame))[::-1].sort_index(),
    ],
    ids=["estimator", "function", "mapping", "frame", "summary", "series"],
)
def test_a_model_in_memory_gives_the_numbers_of_its_file(model: Any, tmp_path: Path) -> None:
    joblib.dump(FOREST, tmp_path / "model.pkl")
    assert auc(model) == auc(tmp_path / "model.pkl", trust_pickle=True)


def test_a_column_that_pandas_has_no_type_for_ends_no_process() -> None:
    spans = pa.array([pa.MonthDayNano([1, 2, 3])] * 199 + [None], pa.month_day_nano_interval())
    table = TABLE.append_column("span", spans)
    assert benison.evaluate(table, MADE, model=scores).value("auc") == auc(scores)


def test_the_result_says_that_the_model_has_no_bytes(tmp_path: Path) -> None:
    result = benison.evaluate(TABLE, MADE, model=scores, output=tmp_path / "out")
    (record,) = result.manifest["models"]
    assert record["in_memory"] == "scores in memory"
    assert record["digest"] is None
    assert "nothing of the model" in record["covers"]
    assert "no model that could be verified or served" in result.manifest["advice"][0]
    assert "scores in memory" in (tmp_path / "out" / "report.html").read_text()
    blessing.verify(tmp_path / "out")
    with pytest.raises(benison.OutputError, match="it was a scores in memory, which has no bytes"):
        blessing.verify(tmp_path / "out", tmp_path)


def test_a_baseline_may_be_in_memory_too() -> None:
    worse = make_pipeline(StandardScaler(), LogisticRegression()).fit(FEATURES, 1 - LABELS)
    result = benison.evaluate(TABLE, MADE, model=FOREST, baseline=worse)
    assert result.value("auc_diff") > 0


def test_the_config_names_the_features_of_a_matrix() -> None:
    nameless = RandomForestClassifier(5, random_state=0).fit(FEATURES.to_numpy(), LABELS)
    with pytest.raises(benison.ModelError, match="Name them in their order as feature_keys"):
        auc(nameless)
    made = config("AUC", model={"prediction_key": "", "feature_keys": ["a", "b"]})
    assert auc(nameless, made) == auc(FOREST)


class Booster:
    def predict(self, matrix: Any) -> Any:
        return matrix


@pytest.mark.parametrize(
    ("model", "more", "sentence"),
    [
        (Booster(), {}, r"Give a function of a pandas DataFrame, such as model=lambda frame"),
        (
            lambda frame: frame["c"],
            {},
            r"The function <?lambda>? ?fails on the data: KeyError|fails on the data",
        ),
        (lambda frame: [1.0], {}, "one row for each"),
        (lambda frame: frame["a"].sort_values(), {}, "index is not that of the rows given"),
        (lambda frame: {"p": frame["a"][::-1]}, {}, r"predictions.reindex\(frame.index\)"),
        (lambda frame: frame[["a"]].set_index(frame["b"]), {}, r"predictions.to_numpy\(\)"),
        (Sorting(), {}, "index is not that of the rows given"),
        (FOREST, {"engine": "beam"}, "in other processes needs one that can be loaded again"),
        (FOREST, {"pipeline": "p", "run": "r", "output": "o"}, "is recorded as a run needs one"),
    ],
)
def test_what_cannot_be_called_says_the_way_round(
    model: Any, more: dict[str, Any], sentence: str, in_folder: Path
) -> None:
    with pytest.raises(benison.BenisonError, match=sentence):
        auc(model, **more)
