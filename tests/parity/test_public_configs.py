# SPDX-License-Identifier: Apache-2.0
"""EvalConfigs of public repositories: each passes its check and evaluates, or is refused with a sentence.

Each row is where the config stands on GitHub, and the config, typed anew as text proto. The data are made to
fit: labels, scores for the model's output, and the columns that are sliced by. A refusal is one that the
author would accept, and its sentence stands beside it.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import benison
from benison.config import EvalConfig
from benison.config.text_forms import parse_text_proto
from benison.errors import BenisonError
from benison.evaluation.resolve import Request, resolve
from tests.parity.public_configs import (
    BASIC,
    BOOK,
    EVALUATED,
    FAIRNESS,
    INSIDE,
    INTEL,
    MODEL_ANALYSIS,
    NO_LABEL,
    SERVED,
    TAXI_HOURS,
    TFX,
    config,
    gated,
    inside,
    metrics,
    sliced,
)

REFUSED: list[tuple[str, str, str]] = [
    (
        f"{BOOK}/chapters/model_analysis/model_analysis.ipynb",
        'model_specs { label_key: "consumer_disputed" } metrics_specs {'
        + BASIC
        + metrics("AUC")
        + 'thresholds { key: "AUC" value { value_threshold { lower_bound { value: 0.5 } } } } }',
        "no metric 'AUC' is computed here. Did you mean 'auc'?",
    ),
    (
        f"{INTEL}/plugins/model_card_gen/generators/tfma/tests/test_end_to_end_tf.py",
        'model_specs { signature_name: "eval" } metrics_specs {'
        + metrics(
            "BinaryAccuracy", "Precision", "Recall", "ConfusionMatrixPlot", "FairnessIndicators"
        )
        + "}"
        + sliced("gender"),
        NO_LABEL,
    ),
    (
        f"{MODEL_ANALYSIS}/metrics.md",
        config(
            "label",
            metrics("MeanSquaredError", "MeanLabel", "MeanPrediction", "Calibration")
            + """metrics { class_name: "CalibrationPlot" config: '"min_value": 0, "max_value": 10' }""",
        ),
        "CalibrationPlot has no parameter 'min_value'. There are: left, name, num_buckets, right.",
    ),
    (
        f"{MODEL_ANALYSIS}/metrics.md",
        config("label", 'metrics { class_name: "MyMetric" module: "my.module" }'),
        "there is no module 'my.module' in sys.path. Name its folder: --module-path",
    ),
    (
        "tensorflow/model-analysis/tensorflow_model_analysis/evaluators/testing/confidence_interval_validation.py",
        config("label", metrics("AUC", "BinaryPrecision"), model='prediction_key: "prediction"'),
        "There is no metric 'BinaryPrecision'. Did you mean 'Precision'?",
    ),
    (
        f"{FAIRNESS}/tensorboard_plugin/tensorboard_plugin_fairness_indicators/plugin_test.py",
        config("label", metrics("ExampleCount", "Accuracy"), model=SERVED),
        "a prediction such as 0.9 is none. For probabilities use BinaryAccuracy",
    ),
    (
        "tensorflow/tfx-addons/examples/xgboost_penguins/penguin_pipeline_local.py",
        config("species", gated("Accuracy", 0.6)),
        "For probabilities use BinaryAccuracy, or CategoricalAccuracy",
    ),
    (
        "tensorflow/tfx-addons/tfx_addons/sampling/example/local_notebook.ipynb",
        f'model_specs {{ signature_name: "eval" }} {inside("thresholds", "accuracy")}',
        f"{INSIDE} to metrics of this spec: {{class_name: BinaryAccuracy, config: {{name: accuracy}}}}.",
    ),
    (
        f"{TFX}/docs/tutorials/model_analysis/tfma_basic.ipynb",
        f'model_specs {{ signature_name: "eval" }} metrics_specs {{ {metrics("ConfusionMatrixPlot")} }}'
        + TAXI_HOURS,
        NO_LABEL,
    ),
    (
        f"{TFX}/docs/tutorials/tfx/components.ipynb",
        'model_specs { signature_name: "eval" } '
        + inside("thresholds", "accuracy", sliced("trip_start_hour")),
        INSIDE,
    ),
    (
        f"{TFX}/docs/tutorials/tfx/penguin_tfma.ipynb",
        'model_specs { label_key: "species" } '
        + inside("per_slice_thresholds", "sparse_categorical_accuracy", sliced("species")),
        f"{INSIDE} to metrics of this spec: {{class_name: SparseCategoricalAccuracy",
    ),
    (
        f"{TFX}/tfx/dsl/compiler/testdata/composable_pipeline.py",
        'model_specs { signature_name: "eval" } '
        + inside("thresholds", "sparse_categorical_accuracy"),
        INSIDE,
    ),
    (
        f"{TFX}/tfx/examples/ranking/ranking_pipeline.py",
        'model_specs { label_key: "relevance" } '
        + inside("per_slice_thresholds", "metric/ndcg_10", sliced("query_tokens")),
        f"no metric 'metric/ndcg_10' is computed here. {INSIDE}",
    ),
]


def data_for(text: str, fields: dict[str, Any]) -> pa.Table:
    """Rows that fit a config: scores of three classes where it names metrics of classes, else of one."""
    rng, rows = np.random.default_rng(0), 60
    classes = bool(re.search(r"Categorical|MultiClass", text))
    label = rng.integers(0, 3 if classes else 2, rows)
    one_hot = '"CategoricalAccuracy"' in text
    columns: dict[str, Any] = {}
    for spec in fields["model_specs"]:
        columns[spec["label_key"]] = np.eye(3)[label].tolist() if one_hot else label.astype(float)
        scores = rng.dirichlet(np.ones(3), rows).tolist() if classes else rng.random(rows)
        columns[spec["prediction_key"]] = scores
        if "example_weight_key" in spec:
            columns[spec["example_weight_key"]] = rng.random(rows)
    for name in re.findall(r'(?:feature_keys|query_key|feature_values \{ key): "([^"]+)"', text):
        columns.setdefault(name, rng.integers(1, 4, rows))
    return pa.table({"gain": rng.random(rows), **columns})


def without_model(text: str) -> dict[str, Any]:
    """The config for predictions that are in the data already."""
    fields = parse_text_proto(text, "the config")
    for i, spec in enumerate(fields["model_specs"]):
        spec.setdefault("prediction_key", f"score {i}")
        spec.pop("signature_name", None)
        spec.pop("preprocessing_function_names", None)
    return fields


def evaluated(text: str) -> benison.EvalResult:
    """The result of a config that is checked as it is, and computed from predictions in the data."""
    assert resolve(Request(parse_text_proto(text, "the config"), called=True)).plan.computations
    fields = without_model(text)
    return benison.evaluate(data_for(text, fields), fields)


@pytest.mark.parametrize(("source", "text"), EVALUATED)
def test_a_public_config_evaluates(source: str, text: str) -> None:
    result = evaluated(text)
    assert result.metrics.num_rows + result.plots.num_rows
    asked = EvalConfig.load(without_model(text))
    gates = [gate for spec in asked.metrics_specs for gate in spec.all_thresholds()]
    assert bool(result.verdict.total) == bool(gates)
    overall = [spec.is_overall for spec in asked.slicing_specs]
    assert ("Overall" in result.slices()) == any(overall)


@pytest.mark.parametrize(("source", "text", "sentence"), REFUSED)
def test_a_public_config_is_refused_with_a_reason(source: str, text: str, sentence: str) -> None:
    with pytest.raises(BenisonError) as raised:
        evaluated(text)
    assert sentence in re.sub(r"0\.\d{2,}", "0.9", str(raised.value))


def test_there_are_enough() -> None:
    assert len(EVALUATED) + len(REFUSED) >= 40
