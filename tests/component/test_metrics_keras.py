# SPDX-License-Identifier: Apache-2.0
"""Keras' own metrics and losses against ours of the same name and parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benison.data.batch import Inputs
from benison.errors import ConfigError
from benison.metrics import from_config

RNG = np.random.default_rng(4)
BINARY = (RNG.integers(0, 2, (50, 1)).astype(float), np.round(RNG.random((50, 1)), 3) + 1e-4)
COUNTS = (RNG.integers(0, 5, (50, 1)).astype(float), RNG.random((50, 1)) * 6)
LOGITS = (BINARY[0], RNG.normal(0, 3, (50, 1)))
CLASSES = (np.eye(4)[RNG.integers(0, 4, 50)], RNG.dirichlet(np.ones(4), 50))
VECTORS = (RNG.normal(0, 1, (50, 4)), RNG.normal(0, 1, (50, 4)))
SPARSE = (RNG.integers(0, 4, 50).astype(float), CLASSES[1])
NUMBERS = (RNG.integers(0, 4, (50, 1)).astype(float), RNG.integers(0, 4, (50, 1)).astype(float))
WEIGHTS = RNG.integers(0, 4, 50)  # whole numbers, to which Keras rounds those of its matrices

METRICS: list[tuple[str, Any, dict[str, Any]]] = [
    ("BinaryIoU", BINARY, {"threshold": 0.3, "target_class_ids": [1]}),
    ("CategoricalHinge", CLASSES, {}),
    ("CosineSimilarity", VECTORS, {}),
    ("Hinge", LOGITS, {}),
    ("IoU", NUMBERS, {"num_classes": 4, "target_class_ids": [0, 3], "ignore_class": 1}),
    ("KLDivergence", CLASSES, {}),
    ("LogCoshError", COUNTS, {}),
    ("MeanIoU", NUMBERS, {"num_classes": 4}),
    ("OneHotIoU", CLASSES, {"num_classes": 4, "target_class_ids": [1, 2]}),
    ("OneHotMeanIoU", CLASSES, {"num_classes": 4}),
    ("Poisson", COUNTS, {}),
    ("SparseTopKCategoricalAccuracy", SPARSE, {"k": 2}),
    ("SquaredHinge", LOGITS, {}),
    ("TopKCategoricalAccuracy", CLASSES, {"k": 3}),
]
LOSSES: list[tuple[str, Any, dict[str, Any]]] = [
    ("BinaryFocalCrossentropy", BINARY, {"apply_class_balancing": True, "alpha": 0.3, "gamma": 1.5}),
    ("BinaryFocalCrossentropy", LOGITS, {"from_logits": True, "label_smoothing": 0.1}),
    ("CategoricalFocalCrossentropy", CLASSES, {"alpha": 0.4, "gamma": 1.0}),
    ("CategoricalFocalCrossentropy", (CLASSES[0], VECTORS[1]), {"from_logits": True}),
    ("Huber", COUNTS, {"delta": 1.5}),
    ("LogCosh", COUNTS, {}),
]  # fmt: skip


def ours(name: str, config: dict[str, Any], data: Any) -> float:
    labels, predictions = (x[:, 0] if x.ndim == 2 and x.shape[1] == 1 else x for x in data)
    return float(from_config(name, config).of(Inputs.of(labels, predictions, WEIGHTS)))


@pytest.fixture(scope="module")
def keras() -> Any:
    return pytest.importorskip("keras")


@pytest.mark.parametrize(("name", "data", "config"), METRICS)
def test_a_metric_has_the_value_of_keras(name: str, data: Any, config: Any, keras: Any) -> None:
    theirs = getattr(keras.metrics, name)(**config)
    theirs.update_state(*(x.astype("float32") for x in data), sample_weight=WEIGHTS)
    assert ours(name, config, data) == pytest.approx(float(theirs.result()), rel=2e-5, abs=1e-6)
    assert ours(name, theirs.get_config(), data) == ours(name, config, data)


@pytest.mark.parametrize(("name", "data", "config"), LOSSES)
def test_a_loss_has_the_value_of_keras(name: str, data: Any, config: Any, keras: Any) -> None:
    theirs = getattr(keras.losses, name)(**config, reduction=None)
    values = np.asarray(theirs(*data))
    expected = np.average(values, weights=WEIGHTS)
    assert ours(name, config, data) == pytest.approx(expected, rel=2e-5, abs=1e-6)


def test_what_keras_writes_of_a_loss_is_read() -> None:
    written = {"reduction": "auto", "name": "huber_loss", "delta": 2.0, "fn": "huber", "axis": -1}
    assert from_config("Huber", written) == from_config(
        "Huber", {"name": "huber_loss", "delta": 2.0}
    )


def test_a_loss_that_is_no_mean_is_refused() -> None:
    with pytest.raises(ConfigError, match="Huber has no parameter 'reduction'"):
        from_config("Huber", {"reduction": "sum"})


@pytest.mark.parametrize(
    ("name", "config", "sentence"),
    [
        ("Huber", {"delta": 0}, "delta must be a distance above 0, not 0"),
        ("TopKCategoricalAccuracy", {"k": 0}, "k must be a number of classes from 1 up, not 0"),
        ("FBetaScore", {"beta": -1.0}, "beta must be a number above 0, not -1.0"),
        ("IoU", {"num_classes": 2, "target_class_ids": [2]}, "target_class_ids are from 0 to 1"),
        ("MeanIoU", {"num_classes": 1}, "num_classes is from 2 to 4,096, not 1"),
        ("Mean", {"feature_key_path": ["a", "b"]}, "feature_key_path must be the way to a column"),
    ],
)
def test_parameters_without_meaning_are_refused(name: str, config: Any, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        from_config(name, config)


def test_scores_are_no_class_numbers() -> None:
    with pytest.raises(
        ValueError, match="must be a class number from 0 to 1 .num_classes.; one is 0.9"
    ):
        from_config("MeanIoU", {"num_classes": 2}).of(Inputs.of([1.0, 0.0], [0.9, 0.0]))
