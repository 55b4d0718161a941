# SPDX-License-Identifier: Apache-2.0
"""Keras' own metrics and losses against ours of the same name and parameters."""

from __future__ import annotations

import inspect
import math
from typing import Any

import numpy as np
import pytest

from benison.data.batch import Inputs
from benison.errors import ConfigError, DataError
from benison.metrics import from_config, registered
from benison.metrics.overlap import BinaryIoU
from benison.metrics.row_means import Huber

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
    ("CategoricalGeneralizedCrossEntropy", SPARSE, {"q": 0.7}),
    ("CategoricalGeneralizedCrossEntropy", SPARSE, {}),
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


def of_keras(loss: Any, data: Any) -> float:
    """Of all rows as one batch, each as often as it weighs."""
    return float(loss(*(np.repeat(x, WEIGHTS, axis=0) for x in data)))


@pytest.mark.parametrize("data", [BINARY, CLASSES], ids=["one", "several"])
@pytest.mark.parametrize(
    ("name", "config"), [("Dice", {}), ("Tversky", {}), ("Tversky", {"alpha": 0.2, "beta": 0.9})]
)
def test_a_loss_of_all_rows_is_that_of_one_batch(
    name: str, config: dict[str, Any], data: Any, keras: Any
) -> None:
    theirs = getattr(keras.losses, name)(**config)
    assert ours(name, config, data) == pytest.approx(of_keras(theirs, data), rel=2e-5)
    assert ours(name, theirs.get_config(), data) == ours(name, config, data)
    assert math.isnan(ours(name, config, (BINARY[0] * 0, BINARY[1] * 0)))
    with pytest.raises(ConfigError, match="axis must be null"):
        from_config(name, {"axis": -1})


@pytest.mark.parametrize("shift", [0.0, 2.0])
def test_the_concordance_is_that_of_one_batch(shift: float, keras: Any) -> None:
    data = COUNTS[0][:, 0], COUNTS[1][:, 0] + COUNTS[0][:, 0] + shift
    theirs = keras.metrics.ConcordanceCorrelation()
    theirs.update_state(*(np.repeat(x, WEIGHTS) for x in data))
    assert ours("ConcordanceCorrelation", {}, data) == pytest.approx(
        float(theirs.result()), rel=2e-5
    )
    assert ours("ConcordanceCorrelation", {}, (data[0], data[0] * 0 + 0.1)) == 0
    assert math.isnan(ours("ConcordanceCorrelation", {}, (data[0] * 0 + 0.1, data[0] * 0 + 0.1)))


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
        ("CategoricalGeneralizedCrossEntropy", {"q": 1}, "q must be a number above 0 and below 1"),
        ("Huber", {"delta": 0}, "delta must be a distance above 0, not 0"),
        ("TopKCategoricalAccuracy", {"k": 0}, "k must be a number of classes from 1 up, not 0"),
        ("FBetaScore", {"beta": -1.0}, "beta must be a number above 0, not -1.0"),
        ("IoU", {"num_classes": 2, "target_class_ids": [2]}, "target_class_ids are from 0 to 1"),
        ("Huber", {"delta": -1.0}, "delta must be a distance above 0"),
        (
            "MeanRelativeError",
            {"normalizer": [1.0, -1.0]},
            "normalizer must be a finite number from 0",
        ),
        ("MeanRelativeError", {"normalizer": []}, "normalizer must be a number or a list"),
        ("BinaryFocalCrossentropy", {"gamma": -1.0}, "gamma must be a finite number from 0 up"),
        ("BinaryFocalCrossentropy", {"alpha": 2.0}, "alpha must be in .0, 1., not 2.0"),
        ("BinaryFocalCrossentropy", {"label_smoothing": 2.0}, "label_smoothing must be in .0, 1."),
        ("CategoricalFocalCrossentropy", {"alpha": [1.0, -1.0]}, "alpha must be a finite number"),
        ("CategoricalFocalCrossentropy", {"gamma": -1.0}, "gamma must be a finite number"),
        ("CategoricalFocalCrossentropy", {"label_smoothing": -1.0}, "label_smoothing must be in"),
        ("MeanIoU", {"num_classes": 1}, "num_classes is from 2 to 4,096, not 1"),
        ("Mean", {"feature_key_path": "age"}, r"not the text 'age'; write \[age\]"),
        ("Mean", {"feature_key_path": ["a", "b"]}, "feature_key_path must be the way to a column"),
        (
            "Mean",
            {"feature_key_path": ["a"], "example_weights_key_path": ["a", "b"]},
            "example_weights_key_path must be the way to a column",
        ),
        ("BinaryIoU", {"threshold": math.nan}, "thresholds must be numbers, at least one, not nan"),
        ("SymmetricFlipRate", {"threshold": math.nan}, "thresholds must be numbers, at least one"),
        ("FBetaScore", {"threshold": math.nan}, "NaN}.: thresholds must be numbers"),
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


OUTPUTS = np.array([[1.0, 2.0], [4.0, 8.0]])


def test_a_normalizer_for_each_output_divides_it() -> None:
    relative = from_config("MeanRelativeError", {"normalizer": [2.0, 4.0]})
    expected = np.mean(np.abs(OUTPUTS - 0) / [2.0, 4.0])
    assert relative.of(Inputs.of(OUTPUTS, np.zeros((2, 2)))) == expected


@pytest.mark.parametrize(
    ("name", "config", "rows", "sentence"),
    [
        (
            "MeanRelativeError",
            {"normalizer": [2.0, 4.0]},
            Inputs.of([1.0, 2.0], [0.0, 0.0]),
            "normalizer has 2 numbers, and a row has 1 predictions",
        ),
        (
            "MeanRelativeError",
            {"normalizer": [2.0, 4.0, 8.0]},
            Inputs.of(OUTPUTS, OUTPUTS),
            "normalizer has 3 numbers, and a row has 2 predictions",
        ),
        (
            "CategoricalFocalCrossentropy",
            {"alpha": [0.5, 0.5]},
            Inputs.of([0, 1], [[0.2, 0.3, 0.5]] * 2),
            "alpha has 2 numbers, and a row has 3 predictions",
        ),
        (
            "OneHotMeanIoU",
            {"num_classes": 3},
            Inputs.of([0, 1], [[0.2, 0.3, 0.5, 0.0, 0.0]] * 2),
            "a value for each of the 3 classes .num_classes., and a row has 5",
        ),
        ("BinaryIoU", {}, Inputs.of([0.5, 1], [0.2, 0.3]), "BinaryIoU takes the labels 0 and 1"),
        ("MeanIoU", {"num_classes": 2}, Inputs.of([2, 1], [0, 1]), "Set num_classes to more"),
    ],
)
def test_what_does_not_fit_the_columns_of_a_row_is_refused(
    name: str, config: Any, rows: Inputs, sentence: str
) -> None:
    with pytest.raises(DataError, match=sentence):
        from_config(name, config).of(rows)


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("MeanRelativeError", {"normalizer": [2.0, 4.0]}),
        ("CategoricalFocalCrossentropy", {"alpha": [0.5, 0.5]}),
        ("OneHotMeanIoU", {"num_classes": 2}),
    ],
)
def test_a_batch_whose_lists_are_all_missing_is_no_mistake(name: str, config: Any) -> None:
    labels = [np.nan, np.nan] if name == "MeanRelativeError" else [0, 1]
    assert np.isnan(from_config(name, config).of(Inputs.of(labels, [np.nan, np.nan])))


def test_pixels_of_an_image_have_the_value_of_as_many_rows() -> None:
    labels, predictions = RNG.integers(0, 4, (2, 1500, 800)).astype(float)
    weights = RNG.integers(0, 3, 1500).astype(float)
    mean = from_config("MeanIoU", {"num_classes": 4, "ignore_class": 2})
    flat = Inputs.of(labels.ravel(), predictions.ravel(), np.repeat(weights, 800))
    assert mean.of(Inputs.of(labels, predictions, weights)) == pytest.approx(mean.of(flat))


def test_parameters_by_position_are_in_the_order_of_keras() -> None:
    assert Huber(2.0) == from_config("Huber", {"delta": 2.0})
    assert BinaryIoU([1], 0.3) == from_config(
        "BinaryIoU", {"target_class_ids": [1], "threshold": 0.3}
    )


@pytest.mark.parametrize("name", [n for n, made in registered().items() if inspect.isclass(made)])
def test_the_name_is_not_the_first_of_several_parameters(name: str) -> None:
    parameters = inspect.signature(registered()[name]).parameters.values()
    by_position = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert by_position[:1] != ["name"] or len(by_position) == 1
