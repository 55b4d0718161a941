# SPDX-License-Identifier: Apache-2.0
"""Which labels, predictions and weights TFMA's own tests say that a metric sees, asked of Benison.

The inputs and numbers are facts of github.com/tensorflow/model-analysis: metric_util_test, stats_test,
calibration_histogram_test, aggregation_test, tf_metric_wrapper_test and the tests of preprocessors. TFMA looks
at the arrays that it hands on; here it is what metrics make of them: the mean label and the mean prediction,
or the cells, that such arrays have.
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import benison

MEANS = ("MeanLabel", "MeanPrediction")
CELLS = ("TruePositives", "FalsePositives", "TrueNegatives", "FalseNegatives")


def rows(columns: Any, metrics: Any, spec: Any = None, **model: Any) -> Any:
    """The rows of metrics.parquet, of metrics that are names or (name, parameters)."""
    pairs = [(m, {}) if isinstance(m, str) else m for m in metrics]
    named = [{"class_name": name, "config": config} for name, config in pairs]
    keys = {"label_key": "label", "prediction_key": "prediction", "example_weight_key": "weight"}
    known = {key: name for key, name in keys.items() if name in columns} | model
    config = {"model_specs": [known], "metrics_specs": [{"metrics": named, **(spec or {})}]}
    return benison.evaluate(pa.table(columns), config).metrics.to_pylist()


def values(*given: Any, **more: Any) -> list[float]:
    return [row["value"] for row in rows(*given, **more)]


SCORES = [[0.0, 0.5, 0.3, 0.9]]
SECOND, THIRD = {"label": [1], "prediction": SCORES}, {"label": [2], "prediction": SCORES}
ONE_HOT = {"label": [[0.0, 0.0, 1.0, 0.0]], "prediction": SCORES}
THREE_HOT = {
    "label": [[0, 0, 1], [0, 0, 1], [0, 1, 0]],
    "prediction": [[0.2, 0.7, 0.1], [0.3, 0.6, 0.1], [0.1, 0.2, 0.7]],
}
THREE_SPARSE = {**THREE_HOT, "label": [0, 2, 1]}
MICRO = {"aggregate": {"micro_average": True}}
WEIGHED = {
    "aggregate": {"micro_average": True, "class_weights": {"0": 1, "1": 0.5, "2": 0.25, "3": 1}}
}
FIRST_TWO = {"binarize": {"top_k_list": [2]}}
# Data, the metrics, what is taken of the classes, and the values.
SEEN: list[tuple[Any, Any, Any, list[float]]] = [
    (ONE_HOT, MEANS, {}, [0.25, 0.425]),
    (THIRD, MEANS, MICRO, [0.25, 0.425]),
    (THIRD | {"weight": [[1.0, 2.0, 3.0, 4.0]]}, MEANS, MICRO, [0.3, 0.55]),
    (ONE_HOT | {"weight": [[2.0] * 4]}, MEANS, {}, [0.25, 0.425]),
    (THIRD, MEANS, {"binarize": {"class_ids": [2]}}, [1.0, 0.3]),
    (THIRD, MEANS, {"binarize": {"k_list": [2]}}, [0.0, 0.5]),
    (
        {"label": [1, 2], "prediction": [*SCORES, [0.1, 0.4, 0.2, 0.3]]},
        MEANS,
        {"binarize": {"k_list": [2]}},
        [0.5, 0.4],
    ),
    (SECOND, CELLS, FIRST_TWO, [1, 1, 2, 0]),
    (
        {"label": [1, 2], "prediction": [*SCORES, [0.1, 0.4, 0.2, 0.3]]},
        CELLS,
        FIRST_TWO,
        [1, 3, 3, 1],
    ),
    (SECOND, [("TruePositives", {"class_id": 1, "thresholds": [0.4]})], FIRST_TWO, [1]),
    (SECOND, MEANS, {"aggregate": {"micro_average": True, "top_k_list": [2]}}, [0.5, 0.7]),
    (THIRD, MEANS, WEIGHED, [0.25 / 2.75, (0.25 + 0.3 * 0.25 + 0.9) / 2.75]),
    ({**ONE_HOT, "weight": [0.0]}, MEANS, {}, [math.nan] * 2),
    ({**THIRD, "weight": [0.0]}, MEANS, MICRO, [math.nan] * 2),
    ({"label": [-1], "prediction": [[0.2, 0.7, 0.1]]}, MEANS, MICRO, [0.0, 1 / 3]),
    (THREE_SPARSE, MEANS, {"binarize": {"class_ids": [1]}}, [1 / 3, 1.5 / 3]),
    (THREE_HOT, MEANS, {"binarize": {"class_ids": [1]}}, [1 / 3, 1.5 / 3]),
    ({"label": [[1]], "prediction": [[0.8]]}, MEANS, {}, [1.0, 0.8]),
    ({"label": [[0], [1]], "prediction": [[0.2], [0.7]]}, MEANS, {}, [0.5, 0.45]),
]


@pytest.mark.parametrize("case", SEEN, ids=lambda case: f"{case[0]['label']}-{case[2]}")
def test_what_a_metric_sees(case: Any) -> None:
    data, metrics, spec, expected = case
    assert values(data, metrics, spec) == pytest.approx(expected, nan_ok=True)


# Data, the metric, what is taken of the classes, the model's fields, and why Benison refuses, as TFMA does.
REFUSED: list[tuple[Any, Any, Any, dict[str, Any], str]] = [
    (ONE_HOT, "MeanLabel", {}, {"label_key": "other"}, "no column 'other'"),
    (ONE_HOT, "MeanLabel", {}, {"prediction_key": "other"}, "no column 'other'"),
    (ONE_HOT, "MeanLabel", {}, {"example_weight_key": "other"}, "no column 'other'"),
    (ONE_HOT | {"weight": [[1.0, 0.0]]}, "MeanLabel", {}, {}, "A row has 2 weights, which are"),
    (ONE_HOT | {"weight": [[1.0, 0.0]]}, "MeanLabel", MICRO, {}, "2 weights and 4 predictions"),
    (
        {"label": [5], "prediction": [[0.2, 0.7, 0.1]]},
        "MeanLabel",
        {"binarize": {"class_ids": [1]}},
        {},
        "class numbers from 0 to 2, as there are 3 predictions in a row, or -1 .* a label is 5",
    ),
    (THIRD, "MeanLabel", {"binarize": {"class_ids": [4]}}, {}, "classes are counted from 0"),
    (THIRD, "MeanLabel", {"binarize": {"k_list": [5]}}, {}, "there is no 5-th one"),
    (THIRD, "SparseCategoricalCrossentropy", MICRO, {}, "need a prediction for each class"),
    (ONE_HOT, "Precision", {}, {}, "choose them with binarize.class_ids"),
    (ONE_HOT, ("Precision", {"class_id": 2}), {"binarize": {"class_ids": [2]}}, {}, "keep one"),
    (ONE_HOT, ("Precision", {"top_k": 2}), FIRST_TWO, {}, "keep one"),
    (
        {"label": ["b"], "prediction": [[0.2, 0.7, 0.1]]},
        "MeanLabel",
        MICRO,
        {},
        "labels that are numbers",
    ),
]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: f"{case[1]}-{case[4]}")
def test_what_no_metric_can_see_is_refused(case: Any) -> None:
    data, metric, spec, model, sentence = case
    with pytest.raises(benison.BenisonError, match=sentence):
        rows(data, [metric], spec, **model)


OUTPUTS = {
    "label 1": [[0.0, 1.0]],
    "label 2": [[1.0, 1.0]],
    "score 1": [[0.0, 0.5]],
    "score 2": [[0.2, 0.8]],
    "weight 1": [0.5],
    "weight 2": [1.0],
}


@pytest.mark.parametrize("weighted", [True, False])
def test_each_output_has_its_own_columns(weighted: bool) -> None:
    """And the mean over outputs weighs them by output_weights; an output that it leaves out has no part."""
    fields = {"label_keys": "label", "prediction_keys": "score", "example_weight_keys": "weight"}
    keys = {field: {f"output{i}": f"{name} {i}" for i in (1, 2)} for field, name in fields.items()}
    spec = {
        "output_names": ["output1", "output2"],
        "output_weights": {"output1": 0.3, "output2": 0.7},
        "example_weights": {"weighted": weighted, "unweighted": not weighted},
    }
    made = rows(OUTPUTS, [*MEANS, "WeightedExampleCount"], spec, **keys)
    of = {(row["metric"], row["output"]): row["value"] for row in made}
    weights = (0.5, 1.0) if weighted else (1.0, 1.0)
    for i, (label, score, weight) in enumerate(zip((0.5, 1.0), (0.25, 0.5), weights, strict=True)):
        assert of["mean_label", f"output{i + 1}"] == label
        assert of["mean_prediction", f"output{i + 1}"] == score
        assert of["weighted_example_count", f"output{i + 1}"] == weight
    assert of["mean_prediction", ""] == pytest.approx(0.3 * 0.25 + 0.7 * 0.5)


def test_metrics_of_several_kinds_of_classes_stand_beside_each_other() -> None:
    entropy = [{"class_name": "BinaryCrossentropy"}]
    specs = [
        {"metrics": [{"class_name": "CategoricalAccuracy"}]},
        {"metrics": entropy, "binarize": {"class_ids": [1]}, **MICRO},
    ]
    model = {"label_key": "label", "prediction_key": "prediction"}
    result = benison.evaluate(
        pa.table(THREE_SPARSE), {"model_specs": [model], "metrics_specs": specs}
    )
    columns = ("metric", "sub_key", "aggregation")
    keys = [tuple(row[c] for c in columns) for row in result.metrics.to_pylist()]
    assert sorted(keys) == [
        ("binary_crossentropy", "", "micro_average"),
        ("binary_crossentropy", "classId:1", ""),
        ("categorical_accuracy", "", ""),
    ]


PEOPLE = {
    "age": [18, 21, 50, 65],
    "income": [50000, 100000, 300000, 400000],
    "own": [2.2, 6.8, 9.2, 6.7],
    "none": [0.0] * 4,
    "label": [0.0] * 4,
    "prediction": [0.0] * 4,
}
OF_AGE = {"feature_key_path": ["features", "age"]}
OF_INCOME = {"feature_key_path": ["features", "income"]}
WEIGHED_BY = {name: {"example_weights_key_path": ["features", name]} for name in ("own", "none")}
FEATURES: list[tuple[dict[str, Any], str, float]] = [
    (OF_AGE, "mean_features.age", 38.5),
    (OF_INCOME, "mean_features.income", 212500),
    (OF_AGE | WEIGHED_BY["own"], "mean_features.age", 1077.9 / 24.9),
    (OF_INCOME | WEIGHED_BY["own"], "mean_features.income", 6230000 / 24.9),
    (OF_AGE | WEIGHED_BY["none"], "mean_features.age", math.nan),
    (OF_AGE | {"name": "name_123_!@#"}, "name_123_!@#", 38.5),
]


@pytest.mark.parametrize("case", FEATURES, ids=str)
def test_the_mean_of_a_feature(case: Any) -> None:
    config, name, expected = case
    (row,) = rows(PEOPLE, [("Mean", config)])
    assert row["metric"] == name
    assert row["value"] == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("column", ["age", "own"])
def test_the_mean_of_a_feature_of_several_values_is_refused(column: str) -> None:
    data = {**PEOPLE, column: [[1.0, 2.0]] * 4}
    with pytest.raises(benison.DataError, match=f"{column!r} has several values in a row"):
        rows(data, [("Mean", OF_AGE | WEIGHED_BY["own"])])


EIGHT = {
    "label": [2, 2, 3, 0, 1, 2, 2, 0],
    "prediction": [
        [0.2, 0.05, 0.1, 0.05],
        [0.7, 0.1, 0.8, 0.5],
        [0.1, 0.5, 0.3, 0.4],
        [-0.1, -0.2, -0.7, -0.4],
        [0.3, 0.5, 0.0, 0.4],
        [0.1, 0.1, 0.8, 0.7],
        [0.0, 0.2, 0.1, 0.0],
        [1.1, 0.3, 1.05, 0.2],
    ],
    "weight": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0],
}


def plot(columns: Any, metric: str, config: Any, spec: Any = None) -> dict[str, list[float]]:
    model = {"label_key": "label", "prediction_key": "prediction"}
    model |= {"example_weight_key": "weight"} if "weight" in columns else {}
    metrics = [{"class_name": metric, "config": config}]
    made = {"model_specs": [model], "metrics_specs": [{"metrics": metrics, **(spec or {})}]}
    return dict(benison.evaluate(pa.table(columns), made).plots["columns"][0].as_py())


def test_the_calibration_of_the_second_best_class() -> None:
    """By bins of a tenth: below 0, [0.1, 0.2), [0.4, 0.5), [0.7, 0.8), from 1 up."""
    made = plot(EIGHT, "CalibrationPlot", {"num_buckets": 10}, {"binarize": {"k_list": [2]}})
    filled = [0, 2, 5, 8, 11]
    for column, expected in (
        ("label", [0, 8, 3, 0, 0]),
        ("prediction", [-0.8, 0.8, 3.2, 5.6, 8.4]),
        ("weight", [4, 8, 8, 8, 8]),
    ):
        assert np.flatnonzero(made[column]).tolist() == [
            i for i, value in zip(filled, expected, strict=True) if value
        ]
        assert [made[column][i] for i in filled] == pytest.approx(expected)


def test_the_calibration_of_the_best_classes() -> None:
    """Scores that are not among the best are minus infinity in TFMA's plot, and so is their sum; here they are none."""
    columns = {
        "label": [2, 2, 3, 0],
        "prediction": [[0.2, 0.05, 0.5, 0.05], [0.8, 0.1, 0.8, 0.5], [0.2, 0.5, 0.1, 0.1], [-0.1, 1.1, -0.7, -0.4]],
        "weight": [1.0, 2.0, 3.0, 4.0],
    }  # fmt: skip
    with pytest.raises(benison.ConfigError, match="aggregate, micro_average and top_k_list"):
        plot(columns, "CalibrationPlot", {}, FIRST_TWO)
    best = {"aggregate": {"micro_average": True, "top_k_list": [2]}}
    made = plot(columns, "CalibrationPlot", {"num_buckets": 10, "left": 0, "right": 1}, best)
    filled = [0, 3, 6, 9, 11]
    for column, expected in (
        ("label", [4, 0, 1, 2, 0]),
        ("prediction", [-0.4, 0.8, 2.0, 3.2, 4.4]),
        ("weight", [4, 4, 4, 4, 4]),
    ):
        assert [made[column][i] for i in filled] == pytest.approx(expected)


CARS = {
    "probabilities": [[1.0, 6.9407083e-24, 2.7419115e-38, 0.0], [0.2, 0.3, 0.4, 0.1]],
    "all_classes": [["unacc", "acc", "vgood", "good"]] * 2,
}


@pytest.mark.parametrize(
    ("class_name", "of_second"),
    [("MultiClassConfusionMatrixAtThresholds", -1), ("MultiClassConfusionMatrixPlot", 2)],
)
def test_the_matrix_of_classes_of_which_a_model_returns_the_names(
    class_name: str, of_second: int
) -> None:
    def model(frame: Any) -> dict[str, Any]:
        return {name: np.array(values)[: len(frame)] for name, values in CARS.items()}

    spec = {"label_key": "label", "example_weight_key": "weight"}
    metrics = [{"class_name": class_name}]
    config = {"model_specs": [spec], "metrics_specs": [{"metrics": metrics}]}
    rows = {"label": ["unacc", "vgood"], "weight": [0.5, 1.0]}
    result = benison.evaluate(pa.table(rows), config, model=model)
    is_plot = result.plots.num_rows
    made = dict(result.plots["columns"][0].as_py()) if is_plot else json.loads(result.metrics["structured"][0].as_py())  # fmt: skip
    columns = ("actual_class_id", "predicted_class_id", "num_weighted_examples")
    cells = {tuple(cell[:2]): cell[2] for cell in zip(*(made[c] for c in columns), strict=True)}
    assert {at: n for at, n in cells.items() if n} == {(0, 0): 0.5, (2, of_second): 1.0}


@pytest.mark.parametrize("is_called", [True, False], ids=["called", "column"])
@pytest.mark.parametrize("names", ["all_classes", "classes"])
def test_labels_are_names_of_classes_beside_the_scores(names: str, is_called: bool) -> None:
    """A label that is none of them is a row of no class in TFMA; here it is refused."""
    row = {"scores": [0.2, 0.7, 0.1], names: ["a", "b", "c"]}

    def model(frame: Any) -> dict[str, Any]:
        return {name: np.array([values] * len(frame), dtype=object) for name, values in row.items()}

    def evaluated(labels: list[str]) -> benison.EvalResult:
        metric = {"class_name": "SparseCategoricalAccuracy"}
        spec = (
            {"label_key": "label"}
            if is_called
            else {"label_key": "label", "prediction_key": "made"}
        )
        config = {"model_specs": [spec], "metrics_specs": [{"metrics": [metric]}]}
        table = pa.table({"label": labels, "made": [row] * len(labels)})
        return benison.evaluate(table, config, model=model if is_called else None)

    assert evaluated(["b", "c", "b"]).value("sparse_categorical_accuracy") == pytest.approx(2 / 3)
    with pytest.raises(benison.DataError, match="'d', which is none of the model's classes"):
        evaluated(["d"])


@pytest.mark.parametrize("fields", ["p", "p logits", "p scores"])
def test_which_field_of_a_column_is_the_prediction(fields: str) -> None:
    """The only one of numbers, else one of a well-known name; with several others none is taken silently."""
    values = {"p": 0.9, "logits": 2.0, "scores": 0.3}
    row = {name: values[name] for name in fields.split()} | {"text": "x"}
    spec = {"label_key": "label", "prediction_key": "made"}
    config = {
        "model_specs": [spec],
        "metrics_specs": [{"metrics": [{"class_name": "MeanPrediction"}]}],
    }
    table = pa.table({"label": [0, 1], "made": [row] * 2})
    expected = values[fields.split()[-1]]
    assert benison.evaluate(table, config).value("mean_prediction") == pytest.approx(expected)
    with pytest.raises(benison.DataError, match="a metric needs one of these"):
        benison.evaluate(pa.table({"label": [0], "made": [{"p": 0.1, "q": 0.2}]}), config)
