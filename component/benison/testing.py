# SPDX-License-Identifier: Apache-2.0
"""Checks that a metric of one's own obeys the laws on which every engine relies.

from benison.testing import check_metric

def test_overshoot():
check_metric(Overshoot())
"""

from __future__ import annotations

import copy
import inspect
import io
import pickle
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from benison.data.batch import Array, Index, Inputs, Ragged
from benison.metrics import registered
from benison.metrics.base import Metric
from benison.metrics.groups import GROUPS
from benison.slicing.codes import SliceCodes

Way: TypeAlias = Callable[[int], "list[Index]"]

SLICES = 4  # the last of them without rows


def whole(n: int) -> list[Index]:
    """All rows in one batch."""
    return [np.arange(n)]


def row_by_row(n: int) -> list[Index]:
    """A batch for each row."""
    return [np.array([i]) for i in range(n)]


def with_empty_batches(n: int) -> list[Index]:
    """Two batches with rows, and three without."""
    empty = np.array([], np.int64)
    return [empty, np.arange(n // 2), empty, np.arange(n // 2, n), empty]


def shuffled_in_parts(n: int) -> list[Index]:
    """Seven batches of rows in any order."""
    order = np.random.default_rng(3).permutation(n)
    return np.array_split(order, min(n, 7) or 1)


WAYS: tuple[Way, ...] = (whole, row_by_row, with_empty_batches, shuffled_in_parts)


_EXAMPLES: dict[str, Any] = {
    "thresholds": [0.3, 0.5, 0.8],
    "num_classes": 3,
    "top_k": 3,
    "target_class_ids": [0, 2],
    "feature_key_path": ["features", "hour"],
    "ground_truth_key": "labelled_image",
    "prediction_key": "predicted_image",
    "class_id": 1,
    "class_ids": [0, 2],
    "sensitive_features": "hour",
    "sampled_key": "hour",
    "columns": ["hour"],
    "feature_key": "hour",
    "size": 5,
    "sample_size": 5,
}


def example_config(class_name: str) -> dict[str, Any]:
    """A value for each parameter without which a registered metric cannot be built; 0.5 for a rate."""
    factory = {**registered(), **GROUPS}[class_name]
    parameters = inspect.signature(factory).parameters.values()
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    required = [p.name for p in parameters if p.default is p.empty and p.kind in named]
    return {name: _EXAMPLES.get(name, 0.5) for name in required}


def example_inputs(metric: Metric, rows: int = 40, seed: int = 0, weighted: bool = False) -> Inputs:
    """Rows of a kind that a metric accepts, made at random; scores have ties."""
    rng = np.random.default_rng(seed)
    weights = rng.integers(0, 4, rows) / 2 if weighted and metric.takes_weights else None
    labels, predictions = _columns(metric, rng, rows)
    groups = pa.array([f"q{i}" for i in rng.integers(0, max(rows // 5, 1), rows)], pa.string())
    names = {
        name
        for statistic in metric.statistics()
        for name in (
            *statistic.columns(),
            *statistic.label_columns(),
            *statistic.prediction_columns(),
        )
        if name not in statistic.optional_columns()
    }
    batch = pa.record_batch({name: rng.integers(0, 9, rows).astype(float) for name in names})
    batch = example_images(rng, rows) if "images" in metric.accepts else batch
    if "classes" in names:  # predicted ones, beside their scores
        at = batch.schema.get_field_index("classes")
        batch = batch.set_column(at, "classes", predictions)
    groups = groups if metric.needs_groups else None
    baseline = _columns(metric, rng, rows)[1] if metric.needs_baseline else None
    return Inputs(labels, predictions, weights, batch if names else None, None, groups, baseline)


def example_images(rng: np.random.Generator, rows: int) -> pa.RecordBatch:
    """Labelled images, as PNG, and predicted ones of the same size, as lists, of three classes."""
    from PIL import Image

    files, lists = [], []
    for height, width in rng.integers(1, 5, (rows, 2)):
        truth, predicted = rng.integers(0, 3, (2, height, width)).astype(np.uint8)
        file = io.BytesIO()
        Image.fromarray(truth).save(file, "png")
        files.append(file.getvalue())
        lists.append(predicted.tolist())
    nested = pa.array(lists, pa.list_(pa.list_(pa.int64())))
    columns = {"labelled_image": pa.array(files, pa.binary()), "predicted_image": nested}
    return pa.record_batch(columns)


def _columns(metric: Metric, rng: np.random.Generator, rows: int) -> tuple[Any, Any]:
    if metric.accepts == {"boxes"}:
        return _boxes(rng, rows)
    if metric.accepts & {"binary", "real"}:
        return rng.integers(0, 2, rows).astype(float), rng.integers(0, 20, rows) / 20
    if "class_numbers" in metric.accepts:
        return tuple(rng.integers(0, 3, (2, rows)).astype(float))
    if "classes" in metric.accepts:
        scores = rng.random((rows, 3)) + 0.01
        return rng.integers(0, 3, rows).astype(float), scores / scores.sum(1, keepdims=True)
    if "text" in metric.accepts:
        texts = np.array(["the cat sat on the mat", "a cat sat on a mat", "no dog is on the mat"])
        return tuple(
            pa.array(texts[rng.integers(0, 3, rows)].tolist(), pa.string()) for _ in range(2)
        )
    lengths = rng.integers(0, 4, (2, rows))
    columns = (
        Ragged(rng.integers(0, 5, n.sum()) / 5, np.concatenate([[0], np.cumsum(n)]))
        for n in lengths
    )
    return next(columns), next(columns)


def _boxes(rng: np.random.Generator, rows: int) -> tuple[Ragged, Ragged]:
    """Up to four labelled boxes in each row, and detections of which some lie near them."""
    lengths = rng.integers(0, 5, rows)
    corners = rng.integers(0, 8, (int(lengths.sum()), 2))
    sides, classes = rng.integers(1, 6, corners.shape), rng.integers(0, 3, (len(corners), 1))
    truth = np.concatenate([corners, corners + sides, classes], axis=1).astype(np.float64)
    near = np.repeat(truth, 2, axis=0)
    near[:, 2:4] += rng.integers(0, 3, (len(near), 2))
    scores = rng.integers(1, 20, (len(near), 1)) / 20
    ends = np.concatenate([[0], np.cumsum(lengths)])
    return Ragged(truth, ends), Ragged(np.concatenate([near, scores], axis=1), 2 * ends)


def states_of(metric: Metric, inputs: Inputs, codes: Any, size: int, way: Way = whole) -> list[Any]:
    """The states of a metric's statistics when the rows arrive in a certain way."""
    statistics = metric.statistics()
    states = [statistic.zero(size) for statistic in statistics]
    for rows in way(len(inputs)):
        part, batch = inputs.take(rows), SliceCodes.of(np.asarray(codes, np.int64)[rows], size)
        for i, statistic in enumerate(statistics):
            with np.errstate(all="ignore"):
                states[i] = statistic.merge(states[i], statistic.add(part, batch))
    return states


def value_of(metric: Metric, inputs: Inputs, codes: Any, size: int, way: Way = whole) -> Any:
    """A metric's value over slices when the rows arrive in a certain way."""
    with np.errstate(all="ignore"):
        return metric.result(*states_of(metric, inputs, codes, size, way))


def flat(value: Any) -> Array:
    """A value of any form as float64[S, n]."""
    if isinstance(value, dict):
        return np.concatenate([flat(column) for column in value.values()], axis=1)
    array = np.asarray(value, np.float64)
    return array.reshape(len(array), -1)


def check_metric(metric: Metric, inputs: Inputs | None = None) -> None:
    """Hold a metric against the laws.

    Args:
        metric: What is checked.
        inputs: Rows to compute it on. Without any they are made at random, weighted and not, of a kind that
            the metric's `accepts` names.

    Raises:
        AssertionError: A law does not hold, or the metric fails on the rows; the sentence says which.
    """
    given = (
        [inputs]
        if inputs is not None
        else [example_inputs(metric, weighted=weighted) for weighted in (False, True)]
    )
    for rows in given:
        codes = np.random.default_rng(1).integers(0, SLICES - 1, len(rows))
        expected = _computed(metric, rows, codes, made=inputs is None)
        for law in LAWS:
            law(metric, rows, codes, expected)


def _computed(metric: Metric, rows: Inputs, codes: Index, made: bool) -> Any:
    try:
        return value_of(metric, rows, codes, SLICES)
    except Exception as error:  # anyone's code
        kinds = ", ".join(sorted(metric.accepts))
        cure = (
            f" They were made for accepts = {{{kinds}}}: say there what it takes, such as "
            f"frozenset({{'classes'}}) for a score of each class, or give rows of your own: "
            f"check_metric(metric, inputs=Inputs.of(...))."
        )
        raise AssertionError(
            f"{metric.name}: fails on the rows: {type(error).__name__}: {error}.{cure if made else ''}"
        ) from error


def batching(metric: Metric, inputs: Inputs, codes: Index, expected: Any) -> None:
    """Any split of the rows into batches, in any order, gives the same."""
    for way in WAYS:
        value = value_of(metric, inputs, codes, SLICES, way)
        _same(metric, value, expected, f"rows that arrive {way.__name__} give another value")


def grouping(metric: Metric, inputs: Inputs, codes: Index, expected: Any) -> None:
    """A slice's value is the value of its rows alone."""
    for i in range(SLICES - 1):
        rows = np.flatnonzero(codes == i)
        alone = value_of(metric, inputs.take(rows), np.zeros(len(rows)), 1)
        _same(metric, flat(alone), flat(expected)[i : i + 1], "a slice alone has another value")


def no_rows(metric: Metric, inputs: Inputs, codes: Index, expected: Any) -> None:
    """A slice without rows has the metric's `empty_value`; plots and structures may have their axes."""
    if isinstance(expected, dict) or np.ndim(expected) != 1:
        return
    empty = expected[SLICES - 1]
    assert np.array_equal(empty, metric.empty_value, equal_nan=True), (
        f"{metric.name}: a slice without rows is {empty}, not {metric.empty_value}"
    )


def purity(metric: Metric, inputs: Inputs, codes: Index, expected: Any) -> None:
    """`merge`, `scatter`, `gather` and `result` leave their arguments as they were."""
    states = states_of(metric, inputs, codes, SLICES)
    before = copy.deepcopy(states)
    index = np.arange(SLICES)[::-1]
    for statistic, state in zip(metric.statistics(), states, strict=True):
        statistic.merge(state, state)
        statistic.scatter(state, index, SLICES + 1)
        statistic.gather(state, index)
    with np.errstate(all="ignore"):
        metric.result(*states)
        _same(
            metric, metric.result(*states), metric.result(*before), "a state was changed in place"
        )


def moving(metric: Metric, inputs: Inputs, codes: Index, expected: Any) -> None:
    """Slices keep their values when they are renumbered, and when states travel between processes."""
    states = states_of(metric, inputs, codes, SLICES)
    index = np.array([4, 0, 3, 1])
    moved = []
    for statistic, state in zip(metric.statistics(), states, strict=True):
        wider = statistic.scatter(pickle.loads(pickle.dumps(state)), index, 6)  # noqa: S301
        moved.append(statistic.gather(wider, index))
    with np.errstate(all="ignore"):
        _same(metric, metric.result(*moved), expected, "slices that moved have another value")


def identity(metric: Metric, inputs: Inputs, codes: Index, expected: Any) -> None:
    """Metrics with equal parameters are equal, and so are their statistics, which are then shared."""
    again = pickle.loads(pickle.dumps(metric))  # noqa: S301 - of this process
    assert again == metric, f"{metric.name}: a copy is not equal to it; make it a frozen dataclass"
    assert again.statistics() == metric.statistics(), (
        f"{metric.name}: statistics() gives others each time; use functions of a module, no lambdas"
    )


LAWS = (batching, grouping, no_rows, purity, moving, identity)


def _same(metric: Metric, value: Any, expected: Any, fault: str) -> None:
    a, b = flat(value), flat(expected)
    same = a.shape == b.shape and np.allclose(a, b, rtol=1e-9, atol=1e-12, equal_nan=True)
    assert same, f"{metric.name}: {fault}: {a.tolist()} and {b.tolist()}"
