# SPDX-License-Identifier: Apache-2.0
"""The tests of the cross-entropies, against Keras and the values of TFMA's own tests."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import log_loss

from benison.data.batch import Inputs
from benison.errors import ConfigError, DataError
from benison.metrics import from_config

Evaluate = Callable[..., Any]

TWO = Inputs.of([0, 1], [0.6, 0.6], [1, 0.8])
THREE_CLASSES = ([[0, 1, 0], [0, 0, 1]], [[0.05, 0.95, 0], [0.1, 0.8, 0.1]])
LOGITS = ([[0, 1, 0], [0, 0, 1]], [[-5, 0.95, -10], [5, -1, 0.5]])


@pytest.mark.parametrize(
    ("config", "rows", "expected"),
    [
        ({}, TWO, 0.736083),
        ({"label_smoothing": 0.1}, TWO, 0.733831),
        (
            {"from_logits": True},
            Inputs.of([[0, 1], [0, 0]], [[-18.6, 0.51], [2.94, -12.8]]),
            0.865457,
        ),
    ],
)
@pytest.mark.parametrize("name", ["BinaryCrossEntropy", "BinaryCrossentropy"])
def test_binary(
    evaluate_metric: Evaluate, name: str, config: dict[str, Any], rows: Inputs, expected: float
) -> None:
    assert evaluate_metric(from_config(name, config), rows) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("config", "rows", "expected"),
    [
        ({}, Inputs.of(*THREE_CLASSES), 1.176939),
        ({}, Inputs.of(*THREE_CLASSES, [0.3, 0.7]), 1.627198),
        ({"from_logits": True}, Inputs.of(*LOGITS), 2.258058),
        ({"from_logits": True, "label_smoothing": 0.1}, Inputs.of(*LOGITS), 2.489725),
    ],
)
def test_categorical(
    evaluate_metric: Evaluate, config: dict[str, Any], rows: Inputs, expected: float
) -> None:
    metric = from_config("CategoricalCrossEntropy", config)
    assert evaluate_metric(metric, rows) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("config", [{}, {"from_logits": True}, {"label_smoothing": 0.2}])
@pytest.mark.parametrize("name", ["BinaryCrossentropy", "CategoricalCrossentropy"])
def test_as_keras_has_it(name: str, config: dict[str, Any]) -> None:
    keras = pytest.importorskip("keras")
    rng = np.random.default_rng(0)
    labels = np.eye(4)[rng.integers(0, 4, 50)]
    predictions = rng.choice([0.0, 1.0, 0.3, 0.6, 1e-9], (50, 4)) + 1e-30
    theirs = getattr(keras.metrics, name)(dtype="float64", **config)
    weights = rng.random(50)
    theirs.update_state(labels, predictions, sample_weight=weights)
    ours = from_config(name, config).of(Inputs(labels, predictions, weights))
    assert ours == pytest.approx(float(theirs.result()), rel=1e-5)


def test_a_certain_mistake_is_not_infinite(evaluate_metric: Evaluate) -> None:
    actual = evaluate_metric(from_config("BinaryCrossEntropy", {}), Inputs.of([1, 0], [0.0, 1.0]))
    assert actual == pytest.approx(-math.log(1e-7), rel=1e-6)


def test_class_numbers_are_as_good_as_one_hot(evaluate_metric: Evaluate) -> None:
    scores = [[0.2, 0.5, 0.3], [0.7, 0.2, 0.1]]
    metric = from_config("CategoricalCrossEntropy", {})
    numbers = evaluate_metric(metric, Inputs.of([1, 0], scores))
    assert numbers == evaluate_metric(metric, Inputs.of([[0, 1, 0], [1, 0, 0]], scores))
    sparse = from_config("SparseCategoricalCrossentropy", {})
    assert sparse.name == "sparse_categorical_crossentropy"
    assert numbers == evaluate_metric(sparse, Inputs.of([1, 0], scores))


@pytest.mark.parametrize(
    ("labels", "predictions", "sentence"),
    [
        (
            [0, 1],
            [0.1, 0.9],
            "Categorical metrics need a prediction for each class, float64[N, C]; the predictions "
            "have the shape (2,). For one output use the binary ones, such as BinaryCrossEntropy",
        ),
        (
            [0, 3],
            np.ones((2, 3)),
            "Labels must be class numbers from 0 to 2, as there are 3 predictions in a row; a label "
            "is 3.",
        ),
        ([0, 0.5], np.ones((2, 3)), "a label is 0.5."),
        (
            np.ones((2, 2)),
            np.ones((2, 3)),
            "One-hot labels must be as many as the predictions of a row, 3; there are 2.",
        ),
    ],
)
def test_shapes_that_do_not_fit(labels: Any, predictions: Any, sentence: str) -> None:
    with pytest.raises(DataError, match=re.escape(sentence)):
        from_config("CategoricalCrossEntropy", {}).of(Inputs.of(labels, predictions))


@pytest.mark.parametrize("name", ["BinaryCrossEntropy", "CategoricalCrossEntropy"])
def test_smoothing_is_a_share(name: str) -> None:
    with pytest.raises(ConfigError, match=re.escape("label_smoothing must be in [0, 1], not 2")):
        from_config(name, {"label_smoothing": 2})


@pytest.mark.parametrize("labels", [[-1, 1], [1, 2], [0, 255]])
def test_labels_outside_of_0_and_1_are_refused(labels: list[int]) -> None:
    for from_logits in (False, True):
        metric = from_config("BinaryCrossEntropy", {"from_logits": from_logits})
        with pytest.raises(DataError, match=r"needs a label in \[0, 1\], and one is"):
            metric.of(Inputs.of(labels, [0.2, 0.8]))


@pytest.mark.parametrize("score", [-5, 7, math.inf])
def test_scores_outside_of_0_and_1_are_logits_or_refused(score: float) -> None:
    rows = Inputs.of([1, 0], [score, 0.5])
    with pytest.raises(DataError, match="If predictions are logits, set from_logits"):
        from_config("BinaryCrossEntropy", {}).of(rows)
    if math.isfinite(score):
        assert from_config("BinaryCrossEntropy", {"from_logits": True}).of(rows) > 0
    assert from_config("BinaryCrossEntropy", {}).of(Inputs.of([1, 0], [1.0000001, 0.5])) < 1


@pytest.mark.parametrize("ignored", [-1, 1])
def test_rows_of_the_ignored_class_do_not_count(ignored: int) -> None:
    labels = np.array([0.0, 2, ignored, 2, ignored])
    scores = np.random.default_rng(0).dirichlet([1, 1, 1], 5)
    kept = labels != ignored
    expected = log_loss(labels[kept], scores[kept], labels=[0, 1, 2])
    metric = from_config("SparseCategoricalCrossentropy", {"ignore_class": ignored})
    assert metric.of(Inputs.of(labels, scores)) == pytest.approx(expected)
