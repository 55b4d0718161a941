# SPDX-License-Identifier: Apache-2.0
"""Configs with scikit-learn's names of metrics, and with bare names."""

from __future__ import annotations

import pyarrow as pa
import pytest
import sklearn.metrics

import benison
from benison.metrics import names, registered
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
