# SPDX-License-Identifier: Apache-2.0
"""Converts numbers, structured values and plots between our tables and TFMA's messages."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from benison.engine.intervals import REPLICATES

Columns: TypeAlias = Mapping[str, Any]
"""The points of a plot: float64 in columns of one length."""

_BYTES, _INT64, _FLOAT64 = 1, 3, 5
_ARRAYS = {"U": (_BYTES, "bytes_values"), "i": (_INT64, "int64_values")}
_COUNTS = ("true_positives", "false_positives", "true_negatives", "false_negatives")
_MATRIX = ("threshold", *_COUNTS)
_BUCKET = {
    "label": "total_weighted_label",
    "prediction": "total_weighted_refined_prediction",
    "weight": "num_weighted_examples",
}
_BOUNDED = ("precision", "recall")
"""The rates of a matrix whose limits TFMA has a field for."""
_LIMITS = ("_lower", "_upper", "effective")
_CLASSES = ("threshold", "actual_class_id", "predicted_class_id")
_MULTI_CLASS = (*_CLASSES, "num_weighted_examples")
_MULTI_LABEL = (*_CLASSES, *_COUNTS)
# TFMA keeps these two plots in one message, without a name.
DEFAULT_PLOTS = {
    "calibration_histogram_buckets": "calibration_plot",
    "confusion_matrix_at_thresholds": "confusion_matrix_plot",
}


class MetricResult(NamedTuple):
    """A metric's value as our table has it."""

    value: float = math.nan
    lower: float = math.nan
    upper: float = math.nan
    structured: str | None = None
    structured_lower: str | None = None
    structured_upper: str | None = None


def write_value(message: Any, value: float, structured: str | None) -> None:
    """Set a MetricValue: a number, or what the JSON of a structured value holds."""
    if structured is None:
        message.double_value.value = value
        return
    data = json.loads(structured)
    if isinstance(data, dict) and set(data) == set(_MATRIX):
        _write_matrices(message.confusion_matrix_at_thresholds, _numbers(data))
    elif isinstance(data, dict) and set(data) == set(_MULTI_CLASS):
        _write_entries(
            message.multi_class_confusion_matrix_at_thresholds, _numbers(data), _MULTI_CLASS
        )
    elif isinstance(data, list):
        _write_array(message.array_value, data)
    else:
        message.bytes_value = structured.encode()


def _write_array(message: Any, data: list[Any]) -> None:
    """Texts as bytes, whole numbers as int64, others as float64."""
    array = np.array(data)
    kind, field = _ARRAYS.get(array.dtype.kind, (_FLOAT64, "float64_values"))
    array = array.astype(np.float64) if kind == _FLOAT64 else array
    message.data_type = kind
    message.shape.extend(array.shape)
    values = array.ravel().tolist()
    getattr(message, field).extend([x.encode() for x in values] if kind == _BYTES else values)


def _numbers(data: Mapping[str, Sequence[float | None]]) -> Columns:
    """NaN for what JSON calls null."""
    return {key: np.array(column, np.float64).tolist() for key, column in data.items()}


def write_interval(message: Any, lower: float, upper: float, std_error: float) -> None:
    """Set a ConfidenceInterval, with the standard error that its bounds are made of."""
    message.lower_bound.double_value.value = lower
    message.upper_bound.double_value.value = upper
    message.standard_error.double_value.value = std_error
    message.degrees_of_freedom.value = REPLICATES - 1


def write_ends(message: Any, lower: str, upper: str) -> None:
    """Set a ConfidenceInterval of a structured value, whose ends are of its form."""
    write_value(message.lower_bound, math.nan, lower)
    write_value(message.upper_bound, math.nan, upper)


def read_value(pair: Any) -> MetricResult:
    """The value of a MetricKeyAndValue, with its interval."""
    value = pair.value
    if value.HasField("double_value"):
        interval = pair.confidence_interval
        lower, upper = _bound(interval.lower_bound), _bound(interval.upper_bound)
        return MetricResult(value.double_value.value, lower, upper)
    if value.HasField("bounded_value"):
        bounded = value.bounded_value
        return MetricResult(
            bounded.value.value, bounded.lower_bound.value, bounded.upper_bound.value
        )
    interval = pair.confidence_interval
    ends = [end for end in (interval.lower_bound, interval.upper_bound) if end.ListFields()]
    texts = (json.dumps(_strict(_structured(of))) for of in (value, *ends))
    return MetricResult(math.nan, math.nan, math.nan, *texts)


def _bound(message: Any) -> float:
    return float(message.double_value.value) if message.HasField("double_value") else math.nan


def _structured(value: Any) -> Any:
    if value.HasField("confusion_matrix_at_thresholds"):
        return _read_matrices(value.confusion_matrix_at_thresholds)
    if value.HasField("multi_class_confusion_matrix_at_thresholds"):
        return _read_entries(value.multi_class_confusion_matrix_at_thresholds, _MULTI_CLASS)
    if value.HasField("array_value"):
        return _array(value.array_value)
    if value.HasField("bytes_value"):
        return _json_or_text(value.bytes_value.decode("utf-8", "replace"))
    return value.unknown_type.value.decode("utf-8", "replace") or value.debug_message


def _array(message: Any) -> Any:
    texts = [text.decode("utf-8", "replace") for text in message.bytes_values]
    kinds = ("int32_values", "int64_values", "float32_values", "float64_values")
    numbers = [number for kind in kinds for number in getattr(message, kind)]
    return np.array(texts or numbers).reshape(tuple(message.shape)).tolist()


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _strict(value: Any) -> Any:
    """JSON has no NaN, so what is undefined is null."""
    if isinstance(value, Mapping):
        return {key: _strict(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_strict(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def write_plot(message: Any, columns: Columns) -> str | None:
    """Set in a PlotData what these columns are; the name of the field, None when TFMA has none."""
    points = {name for name in columns if not name.endswith(_LIMITS)}
    for field, (shape, write) in _PLOTS.items():
        if points == set(shape):
            write(getattr(message, field), columns)
            return field
    return None


def read_plots(message: Any) -> Iterator[tuple[str, Columns]]:
    """Field and columns of each plot in a PlotData."""
    for field, read in _READERS.items():
        if message.HasField(field):
            yield field, read(getattr(message, field))


def _write_buckets(message: Any, columns: Columns) -> None:
    message.SetInParent()
    for lower, upper, *sums in _rows(columns, ("lower", "upper", *_BUCKET)):
        bucket = message.buckets.add()
        bucket.lower_threshold_inclusive = lower
        bucket.upper_threshold_exclusive = upper
        for field, total in zip(_BUCKET.values(), sums, strict=True):
            getattr(bucket, field).value = total


def _read_buckets(message: Any) -> Columns:
    columns = {
        "lower": [bucket.lower_threshold_inclusive for bucket in message.buckets],
        "upper": [bucket.upper_threshold_exclusive for bucket in message.buckets],
    }
    for column, field in _BUCKET.items():
        columns[column] = [getattr(bucket, field).value for bucket in message.buckets]
    return columns


def _write_matrices(message: Any, columns: Columns) -> None:
    """Matrices with their rates, which are 1 (precision), 0 or NaN where TFMA has them so."""
    tp, fp, tn, fn = (np.array(columns[count], np.float64) for count in _COUNTS)
    precision, recall = _share(tp, tp + fp, 1.0), _share(tp, tp + fn, 0.0)
    rates = {
        "precision": precision,
        "recall": recall,
        "f1": _share(2 * precision * recall, precision + recall, 0.0),
        "accuracy": _share(tp + tn, tp + fp + tn + fn, 0.0),
        "false_positive_rate": _share(fp, fp + tn, 0.0),
        "false_omission_rate": _share(fn, tn + fn, math.nan),
    }
    message.SetInParent()
    for row in _rows({**columns, **rates}, names := (*_MATRIX, *rates)):
        message.matrices.add(**dict(zip(names, row, strict=True)))
    for rate in _BOUNDED if "recall_lower" in columns else ():
        ends = (columns[f"{rate}_lower"], columns[f"{rate}_upper"], rates[rate])
        for matrix, lower, upper, value in zip(message.matrices, *ends, strict=True):
            bounded = getattr(matrix, f"bounded_{rate}")
            bounded.lower_bound.value, bounded.upper_bound.value = lower, upper
            bounded.value.value = value


def _share(part: Any, whole: Any, empty: float) -> Any:
    return np.divide(part, whole, out=np.full_like(whole, empty), where=whole > 0)


def _read_matrices(message: Any) -> dict[str, list[float]]:
    columns = {name: [getattr(matrix, name) for matrix in message.matrices] for name in _MATRIX}
    for rate in _BOUNDED:
        bounded = [
            getattr(m, f"bounded_{rate}") for m in message.matrices if m.HasField(f"bounded_{rate}")
        ]
        if bounded and len(bounded) == len(message.matrices):
            columns[f"{rate}_lower"] = [each.lower_bound.value for each in bounded]
            columns[f"{rate}_upper"] = [each.upper_bound.value for each in bounded]
    return columns


def _write_entries(message: Any, columns: Columns, names: Sequence[str]) -> None:
    """Cells of matrices; the matrices are told apart by their thresholds."""
    message.SetInParent()
    matrix, last = None, None
    for threshold, actual, predicted, *values in _rows(columns, names):
        if matrix is None or threshold != last:
            matrix, last = message.matrices.add(threshold=threshold), threshold
        named = dict(zip(names[3:], values, strict=True))
        matrix.entries.add(actual_class_id=int(actual), predicted_class_id=int(predicted), **named)


def _read_entries(message: Any, names: Sequence[str]) -> dict[str, list[float]]:
    cells = [(matrix.threshold, entry) for matrix in message.matrices for entry in matrix.entries]
    thresholds = {"threshold": [threshold for threshold, _ in cells]}
    return thresholds | {name: [float(getattr(e, name)) for _, e in cells] for name in names[1:]}


def _rows(columns: Columns, names: Iterable[str]) -> Iterator[tuple[float, ...]]:
    return zip(*(columns[name] for name in names), strict=True)


_PLOTS: dict[str, Any] = {
    "calibration_histogram_buckets": (("lower", "upper", *_BUCKET), _write_buckets),
    "confusion_matrix_at_thresholds": (_MATRIX, _write_matrices),
    "multi_class_confusion_matrix_at_thresholds": (
        _MULTI_CLASS,
        lambda message, columns: _write_entries(message, columns, _MULTI_CLASS),
    ),
    "multi_label_confusion_matrix_at_thresholds": (
        _MULTI_LABEL,
        lambda message, columns: _write_entries(message, columns, _MULTI_LABEL),
    ),
}
_READERS: dict[str, Any] = {
    "calibration_histogram_buckets": _read_buckets,
    "confusion_matrix_at_thresholds": _read_matrices,
    "multi_class_confusion_matrix_at_thresholds": lambda m: _read_entries(m, _MULTI_CLASS),
    "multi_label_confusion_matrix_at_thresholds": lambda m: _read_entries(m, _MULTI_LABEL),
}
