# SPDX-License-Identifier: Apache-2.0
"""Typical mistakes of a first day, each of which leads to the right next step in one round."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import benison
from benison.cli import app
from tests.conftest import config

TABLE = pa.table(
    {
        "label": [0, 1, 1, 0],
        "prediction": [0.2, 0.9, 0.6, 0.4],
        "shop": ["a", "b", "a", "b"],
        "word": ["yes", "no", "no", "yes"],
        "scores": [[0.2, 0.8], [0.9, 0.1], [0.6, 0.4], [0.5, 0.5]],
        "weight": [1.0, -1.0, 1.0, 1.0],
    }
)


def threshold(**fields: Any) -> dict[str, Any]:
    return {"class_name": "AUC", "threshold": fields}


CONFIGS: dict[str, tuple[dict[str, Any], str]] = {
    "a metric with a typo": (config("AUCC"), "Did you mean 'AUC'?"),
    "a metric by its short name": (config("rmse"), "Did you mean 'RootMeanSquaredError'?"),
    "a metric that is not computed": (config("average_precision_score"), "AUCPrecisionRecall is the area"),
    "a scorer of the other sign": (config("neg_mean_squared_error"), "Did you mean 'MeanSquaredError'?"),
    "a label with a typo": (config("AUC", model={"label_key": "lable"}), "Did you mean 'label'?"),
    "no label": (config("AUC", model={"label_key": ""}), "name the column that holds the labels"),
    "no prediction": (config("AUC", model={"prediction_key": ""}), "say --with-model to check-config"),
    "a slice with a typo": (config("AUC", slices=({"feature_keys": ["shp"]},)), "Did you mean 'shop'?"),
    "a text for a list": (config("AUC", slices=({"feature_keys": "shop"},)), "Write ['shop']"),
    "bins of a text": (config("AUC", slices=({"bins": {"shop": [1, 2]}},)), "feature_keys"),
    "a threshold by the class": (
        config("AUC", spec={"thresholds": {"AUC": {"value_threshold": {"lower_bound": 0.5}}}}),
        "Did you mean 'auc'?",
    ),
    "a bound that is text": (config(threshold(value_threshold={"lower_bound": "high"})), "a number"),
    "bounds the wrong way round": (
        config(threshold(value_threshold={"lower_bound": 0.9, "upper_bound": 0.1})), "lower_bound",
    ),
    "a change without a direction": (config(threshold(change_threshold={"absolute": 0.1})), "direction"),
    "a parameter beside config": (
        config({"class_name": "Recall", "top_k": 5}), "stands in its config: {top_k: ...}",
    ),
    "a field with a typo": ({**config("AUC"), "metric_specs": []}, "Did you mean 'metrics_specs'?"),
    "no metric": (config(), "name at least one"),
    "a rule on a text": (
        {**config("AUC"), "debugging": {"probes": [{"name": "monotone", "features": ["shop"]}]}}, "does not rise",
    ),
    "text labels beside scores": (config("AUC", model={"label_key": "word"}), "which is 0 or 1"),
    "text labels beside a score for each class": (
        config("CategoricalAccuracy", model={"label_key": "word", "prediction_key": "scores"}), "from 0",
    ),
    "text labels of binarized classes": (
        config("AUC", model={"label_key": "word", "prediction_key": "scores"}, spec={"binarize": {"class_ids": [0]}}),
        "needs labels that are numbers",
    ),
    "a binary metric of classes": (
        config("AUC", model={"prediction_key": "scores"}), "choose them with binarize.class_ids",
    ),
    "a metric of classes with one score": (config("CategoricalAccuracy"), "BinaryAccuracy"),
    "a negative weight": (config("AUC", model={"example_weight_key": "weight"}), "one finite number from 0 up"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", CONFIGS)
def test_a_config(mistake: str) -> None:
    wrong, next_step = CONFIGS[mistake]
    with pytest.raises(benison.BenisonError) as refused:
        benison.evaluate(TABLE, wrong)
    assert next_step in str(refused.value)


def test_faults_inside_of_each_other_come_at_once() -> None:
    """A metric with a typo whose threshold has one too, and a slice."""
    wrong = {**threshold(evidence="worst"), "class_name": "AUCC"}
    with pytest.raises(benison.ConfigError) as refused:
        benison.evaluate(TABLE, config(wrong, slices=({"feature_keys": ["shp"]},)))
    for next_step in ("worse, not_worse", "Did you mean 'AUC'?", "Did you mean 'shop'?"):
        assert next_step in str(refused.value)


COMMANDS = {
    "no config": ("evaluate -e eval.parquet -o out", "Say --config eval.yaml"),
    "a config with a typo": (
        "evaluate -e eval.parquet -c evl.json -o out",
        "Did you mean 'eval.json'?",
    ),
    "no such data": ("evaluate -e evl.parquet -c eval.json -o out", "Check the path"),
    "a file without an ending": ("evaluate -e data -c eval.json -o out", "Say it (--format)"),
    "an output that is there": ("evaluate -e eval.parquet -c eval.json -o folder", "overwrite"),
    "no such model": (
        "evaluate -e eval.parquet -c eval.json -o out -m new",
        "There is no model at",
    ),
    "a pickle": ("evaluate -e eval.parquet -c eval.json -o out -m model.pkl", "--trust-pickle"),
    "an option with a typo": ("evaluate --example eval.parquet -c eval.json", "--examples"),
    "a command with a typo": ("evalute -e eval.parquet", "evaluate"),
    "a result that is none": ("show folder", "folder"),
    "a config for results": ("explain eval.json", "eval.json"),
    "a data file for a config": ("check-config eval.parquet", "a config file ends in"),
}


@pytest.mark.parametrize("mistake", COMMANDS)
def test_a_command(mistake: str, in_folder: Path) -> None:
    pq.write_table(TABLE, "eval.parquet")
    pq.write_table(TABLE, "data")
    Path("eval.json").write_text(json.dumps(config("AUC")))
    Path("folder").mkdir()
    Path("folder/file").touch()
    Path("model.pkl").write_bytes(pickle.dumps([]))
    command, next_step = COMMANDS[mistake]
    refused = CliRunner().invoke(app, command.split())
    text = " ".join(refused.output.replace("│", " ").split())
    assert refused.exit_code == 2, text
    assert next_step in text
    assert "Traceback" not in text
