# SPDX-License-Identifier: Apache-2.0
"""Values that labels and scores do not fit are refused, in whatever batch the one or the other stands."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sklearn.metrics as sk

import benison
from benison.data.batch import Inputs
from benison.metrics import from_config
from tests.conftest import config

BEAM = {"engine": "beam", "engine_options": ["--runner=FnApiRunner"]}


def files(folder: Path, *parts: tuple[Any, Any]) -> str:
    """A file, and so a batch, for each pair of labels and predictions."""
    for i, (labels, predictions) in enumerate(parts):
        pq.write_table(
            pa.table({"label": labels, "prediction": predictions}), folder / f"{i}.parquet"
        )
    return str(folder)


PROBABILITIES = ([1.0, 0.0], [0.9, 0.2])
LOGITS = ([0.0, 1.0], [-4.0, 3.0])
AMOUNTS = ([12.0, 3.5], [11.0, 4.0])


@pytest.mark.parametrize("parts", list(itertools.permutations([PROBABILITIES, LOGITS])))
@pytest.mark.parametrize("engine", [{}, BEAM], ids=["local", "beam"])
def test_calibration_of_logits_is_refused_wherever_they_stand(
    parts: Any, engine: dict[str, Any], tmp_path: Path
) -> None:
    data = files(tmp_path, *parts)
    with pytest.raises(benison.DataError, match=r"labels are in \[0, 1\].* lies 4 outside of that"):
        benison.evaluate(
            data, config("Calibration", slices=[{"feature_keys": ["label"]}]), **engine
        )


@pytest.mark.parametrize(
    "parts", list(itertools.permutations([PROBABILITIES, LOGITS, AMOUNTS])), ids=lambda parts: ""
)
def test_calibration_of_any_real_numbers_is_their_quotient(parts: Any, tmp_path: Path) -> None:
    data = files(tmp_path, *parts)
    result = benison.evaluate(data, config("Calibration", "MeanLabel", "MeanPrediction"))
    labels, predictions = (np.concatenate(x) for x in zip(*parts, strict=True))
    assert result.value("calibration") == pytest.approx(predictions.sum() / labels.sum())
    assert result.value("mean_label") == pytest.approx(labels.mean())
    assert result.value("mean_prediction") == pytest.approx(predictions.mean())


@pytest.mark.parametrize("name", ["MeanLabel", "MeanPrediction"])
@pytest.mark.parametrize("rows", [LOGITS, ([-1.0, 1.0], [0.2, 0.8]), ([0.0, 255.0], [7.0, -5.0])])
def test_means_take_any_real_numbers(name: str, rows: Any, tmp_path: Path) -> None:
    which = ("MeanLabel", "MeanPrediction").index(name)
    result = benison.evaluate(files(tmp_path, rows), config(name))
    assert result.metrics["value"].to_pylist() == [pytest.approx(np.mean(rows[which]))]


def test_rounding_is_no_logit(tmp_path: Path) -> None:
    data = files(tmp_path, ([1.0, 0.0], [1.0000001, -1e-9]))
    assert benison.evaluate(data, config("Calibration")).value("calibration") == pytest.approx(1)


@pytest.mark.parametrize("parts", list(itertools.permutations([PROBABILITIES, LOGITS])))
@pytest.mark.parametrize("engine", [{}, BEAM], ids=["local", "beam"])
def test_cross_entropy_of_logits_is_refused_wherever_they_stand(
    parts: Any, engine: dict[str, Any], tmp_path: Path
) -> None:
    data = files(tmp_path, *parts)
    with pytest.raises(benison.DataError, match=r"prediction in \[0, 1\].*set from_logits"):
        benison.evaluate(data, config("BinaryCrossEntropy"), **engine)


@pytest.mark.parametrize("name", ["Accuracy", "ExactMatch"])
@pytest.mark.parametrize(
    "parts", list(itertools.permutations([([1.0, 0.0], [1.0, 0.0]), PROBABILITIES]))
)
def test_a_probability_equals_no_class(name: str, parts: Any, tmp_path: Path) -> None:
    data = files(tmp_path, *parts)
    with pytest.raises(benison.DataError, match=r"0\.9 is none.*BinaryAccuracy"):
        benison.evaluate(data, config(name))
    classes = files(tmp_path, *[([1.0, 0.0, 3.0], [1.0, 1.0, 3.0])] * 2)
    assert benison.evaluate(classes, config(name)).metrics["value"].to_pylist() == [2 / 3]
    amounts = files(tmp_path, *[([1.5, 0.0], [1.5, 0.5])] * 2)
    assert benison.evaluate(amounts, config(name)).metrics["value"].to_pylist() == [0.5]


@pytest.mark.parametrize("name", ["Accuracy", "ExactMatch"])
def test_integers_that_floats_do_not_tell_apart_are_not_compared(name: str) -> None:
    largest = table_of([2**53 - 1, 1], [2**53 - 2, 1])
    assert benison.evaluate(largest, config(name)).metrics["value"].to_pylist() == [0.5]
    for labels, predictions in (
        ([2**53 + 1, 1], [2**53, 1]), ([1, 2**53], [1, 2**53 + 1]), ([-(2**53) - 2], [1])
    ):  # fmt: skip
        rounded = table_of(labels, predictions)
        with pytest.raises(benison.DataError, match=r"below 2\^53 exactly.*Make .* texts"):
            benison.evaluate(rounded, config(name))
    texts = table_of([str(2**53 + 1), "1"], [str(2**53), "1"])
    assert benison.evaluate(texts, config("ExactMatch")).value("exact_match") == 0.5


def table_of(labels: Any, predictions: Any) -> pa.Table:
    return pa.table({"label": labels, "prediction": predictions})


# Several classes.

SCORES = np.array([[0.1, 0.7, 0.2], [0.5, 0.3, 0.2], [0.2, 0.2, 0.6], [0.6, 0.3, 0.1]])
CLASSES = np.array([1.0, 2.0, 2.0, 0.0])
ONE_HOT = np.eye(3)[CLASSES.astype(int)]
WEIGHTS = np.array([1.0, 2.0, 0.5, 3.0])

COMPARED = {
    "MeanSquaredError": lambda y, p, w: sk.mean_squared_error(y, p, sample_weight=w),
    "RootMeanSquaredError": lambda y, p, w: sk.mean_squared_error(y, p, sample_weight=w) ** 0.5,
    "MeanAbsoluteError": lambda y, p, w: sk.mean_absolute_error(y, p, sample_weight=w),
    "MeanSquaredLogarithmicError": lambda y, p, w: sk.mean_squared_log_error(y, p, sample_weight=w),
    "MeanAbsolutePercentageError": lambda y, p, w: (
        100 * np.average(1 - p[y == 1], weights=w)  # of the labels that are not 0
    ),
    "BinaryCrossEntropy": lambda y, p, w: np.average(
        [sk.log_loss(a, b, labels=[0, 1]) for a, b in zip(y, p, strict=True)], weights=w
    ),
}


@pytest.mark.parametrize("name", COMPARED)
def test_class_numbers_are_one_hot_where_columns_are_compared(name: str) -> None:
    metric = from_config(name, {})
    numbers = metric.of(Inputs(CLASSES, SCORES, WEIGHTS))
    assert numbers == pytest.approx(metric.of(Inputs(ONE_HOT, SCORES, WEIGHTS)), rel=1e-12)
    assert numbers == pytest.approx(COMPARED[name](ONE_HOT, SCORES, WEIGHTS), rel=1e-9)


@pytest.mark.parametrize("name", [*COMPARED, "ExactMatch", "Accuracy"])
@pytest.mark.parametrize("label", [3.0, -1.0, 0.5])
def test_what_is_no_class_number_is_refused(name: str, label: float) -> None:
    rows = Inputs.of([label, 1.0, 2.0], np.eye(3))  # as many rows as classes
    with pytest.raises(benison.DataError, match=f"from 0 to 2.*a label is {label:g}"):
        from_config(name, {}).of(rows)


@pytest.mark.parametrize("name", ["ExactMatch", "Accuracy"])
def test_decisions_of_each_class_are_compared_as_such(name: str) -> None:
    decided = np.eye(3)[[1, 0, 2, 0]]
    numbers, one_hot = (
        from_config(name, {}).of(Inputs(labels, decided)) for labels in (CLASSES, ONE_HOT)
    )
    assert numbers == one_hot
    with pytest.raises(benison.DataError, match="CategoricalAccuracy"):
        from_config(name, {}).of(Inputs(CLASSES, SCORES))


@pytest.mark.parametrize("name", ["Calibration", "MeanPrediction"])
def test_a_mean_over_classes_is_refused(name: str) -> None:
    table = pa.table({"label": [1, 0] * 5, "prediction": [[0.01, 0.99]] * 10})
    bounds = {"value_threshold": {"lower_bound": 0.4, "upper_bound": 1.1}}
    made = config({"class_name": name, "threshold": bounds})
    with pytest.raises(benison.BenisonError, match=r"class_ids.*one-hot"):
        benison.evaluate(table, made)
    with pytest.raises(benison.DataError, match=r"class_ids.*one-hot"):
        from_config(name, {}).of(Inputs.of([1, 0] * 5, [[0.01, 0.99]] * 10))
    chosen = config(name, spec={"binarize": {"class_ids": [1]}})
    expected = {"Calibration": 1.98, "MeanPrediction": 0.99}[name]
    assert benison.evaluate(table, chosen).metrics["value"].to_pylist() == [pytest.approx(expected)]
    several = table.set_column(0, "label", pa.array([[1, 1], [0, 1]] * 5))
    expected = {"Calibration": 1 / 1.5, "MeanPrediction": 0.5}[name]
    assert benison.evaluate(several, config(name)).metrics["value"].to_pylist() == [
        pytest.approx(expected)
    ]


@pytest.mark.parametrize("name", ["CategoricalCrossEntropy", "SparseCategoricalCrossentropy"])
@pytest.mark.parametrize("rows", list(itertools.permutations(range(3))))
def test_a_negative_probability_is_refused(name: str, rows: Any) -> None:
    scores = np.array([[0.2, 0.8], [-1.0, 2.0], [0.4, 0.6]])[list(rows)]
    with pytest.raises(benison.DataError, match=r"-1.*set from_logits"):
        from_config(name, {}).of(Inputs.of([1, 1, 0], scores))
    assert from_config(name, {"from_logits": True}).of(Inputs.of([1, 1, 0], scores)) > 0
    assert from_config(name, {}).of(Inputs.of([1], [[-1e-9, 1 + 1e-9]])) < 1e-6


def test_a_divergence_of_logits_is_refused() -> None:
    with pytest.raises(benison.DataError, match="a score is -1"):
        from_config("KLDivergence", {}).of(Inputs.of([1, 0], [[-1.0, 2.0], [0.5, 0.5]]))


@pytest.mark.parametrize(
    "name",
    [
        "CoefficientOfDiscrimination",
        "RelativeCoefficientOfDiscrimination",
        "ExpectedCalibrationError",
        "BrierReliability",
        "Dice",
        "Tversky",
    ],
)
def test_what_says_nothing_of_logits_refuses_them(name: str) -> None:
    with pytest.raises(benison.DataError, match="needs .* lies 4 outside"):
        from_config(name, {}).of(Inputs.of(*LOGITS))
    with pytest.raises(benison.DataError, match=r"label"):
        from_config(name, {}).of(Inputs.of([0.0, 255.0], [0.1, 0.9]))


@pytest.mark.parametrize("name", ["KLDivergence", "CategoricalGeneralizedCrossEntropy"])
def test_percentages_of_classes_are_refused(name: str) -> None:
    with pytest.raises(benison.DataError, match=r"a score is 79 outside"):
        from_config(name, {}).of(Inputs.of([1, 0], [[20.0, 80.0], [60.0, 40.0]]))


@pytest.mark.parametrize("name", ["NDCG", "MinLabelPosition"])
def test_a_ranking_needs_one_score_and_no_negative_gain(name: str) -> None:
    for labels in ([1, 0], [[0, 1], [1, 0]]):
        with pytest.raises(benison.DataError, match=r"one score in each row.*class_ids"):
            from_config(name, {}).of(Inputs.of(labels, [[0.1, 0.9], [0.8, 0.2]]))
    with pytest.raises(benison.DataError, match="gains from 0 up, and a label is -1"):
        from_config(name, {}).of(Inputs.of([-1, 0, 2], [0.9, 0.1, 0.5]))
    with pytest.raises(ValueError, match="negative"):
        sk.ndcg_score([[-1, 0, 2]], [[0.9, 0.1, 0.5]])


def test_what_weighs_nothing_refuses_nothing() -> None:
    labels, scores = [1.0, 0.0, 5.0], [0.9, 0.2, -7.0]
    for name in ("Calibration", "BinaryCrossEntropy", "CoefficientOfDiscrimination"):
        metric = from_config(name, {})
        assert metric.of(Inputs.of(labels, scores, [1, 1, 0])) == metric.of(
            Inputs.of(labels[:2], scores[:2])
        )
