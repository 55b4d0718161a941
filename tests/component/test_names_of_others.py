# SPDX-License-Identifier: Apache-2.0
"""Configs with scikit-learn's names of metrics, and with bare names."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pytest
import sklearn.metrics

import benison
from benison.metrics import from_config, names, registered
from tests.conftest import config

LABELS = [0, 1, 1, 0, 1, 0, 1, 1]
SCORES = [0.1, 0.8, 0.4, 0.6, 0.9, 0.3, 0.7, 0.2]
ON_SCORES = {"roc_auc", "roc_auc_score", "log_loss", "brier_score_loss"}
FUNCTIONS = [name for name in names.ALIASES if hasattr(sklearn.metrics, name)]


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - {"ndcg_score"}))
def test_a_name_of_scikit_learn_is_the_same_number(name: str) -> None:
    scores = SCORES if name in ON_SCORES else [float(score > 0.5) for score in SCORES]
    table = pa.table({"label": LABELS, "prediction": scores})
    result = benison.evaluate(table, config(name))
    (metric,) = result.metric_names()
    expected = getattr(sklearn.metrics, name)(LABELS, scores)
    assert result.value(metric) == pytest.approx(expected, abs=1e-6)
    assert f"{name} of scikit-learn is {names.ALIASES[name]} here" in result.manifest["advice"][0]


def test_the_names_lead_to_metrics_and_take_none() -> None:
    assert set(names.ALIASES.values()) <= set(registered())
    assert not set(names.ALIASES) & set(registered())


def test_a_bare_name_is_a_metric() -> None:
    bare = config()
    bare["metrics_specs"] = [{"metrics": ["AUC", {"class_name": "Recall"}]}]
    whole = config("AUC", "Recall")
    assert benison.EvalConfig.load(bare) == benison.EvalConfig.load(whole)


def test_a_bare_name_with_a_typo_is_a_fault_with_its_place() -> None:
    bare = config()
    bare["metrics_specs"] = [{"metrics": ["AUCC"]}]
    table = pa.table({"label": LABELS, "prediction": SCORES})
    with pytest.raises(benison.ConfigError, match=r"metrics\[0\].*Did you mean 'AUC'"):
        benison.evaluate(table, bare)


AVERAGED = [
    *((name, average) for name in ("f1", "precision", "recall", "jaccard") for average in ("macro", "weighted")),
    ("roc_auc", "ovr"),
    ("roc_auc", "ovr_weighted"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "average"), AVERAGED)
def test_what_to_write_for_an_average_of_scikit_learn_is_the_same_number(
    name: str, average: str
) -> None:
    """A refused name says which metric and spec to write; they are of the class with the highest score."""
    with pytest.raises(benison.ConfigError) as raised:
        from_config(f"{name}_{average}", {})
    (class_name,) = re.findall(r"class_name: (\w+)", str(raised.value))
    (aggregate,) = re.findall(r"(\w*macro_average): true", str(raised.value))
    top = {"top_k": 1} if "top_k: 1" in str(raised.value) else {}
    rng = np.random.default_rng(0)
    labels, scores = rng.integers(0, 3, 60), rng.dirichlet(np.ones(3), 60)
    options = {aggregate: True, "class_weights": {0: 1, 1: 1, 2: 1}}
    metric = {"class_name": class_name, "config": top}
    made = config(metric, spec={"aggregate": options})
    result = benison.evaluate(pa.table({"label": labels, "prediction": scores.tolist()}), made)
    (value,) = result.metrics["value"].to_pylist()
    score = getattr(sklearn.metrics, f"{name}_score")
    of_average = "weighted" if average.endswith("weighted") else "macro"
    more = {"multi_class": "ovr"} if name == "roc_auc" else {}
    seen = scores if more else scores.argmax(axis=1)
    assert value == pytest.approx(score(labels, seen, average=of_average, **more))
