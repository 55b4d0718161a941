# SPDX-License-Identifier: Apache-2.0
"""Converts the keys of slices, comparisons, metrics and plots between our tables and TFMA's messages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from benison.slicing.keys import SliceKey, as_number
from benison.table.key import CHANGE, SLICE_DIFFERENCE, SLICE_RATIO, VALUE, Key
from benison.table.slices import Sides
from benison.table.words import metric_kind, metric_text
from benison.tfma.messages import messages

_SUB_KEYS = {"classId": "class_id", "k": "k", "topK": "top_k"}
_AGGREGATIONS = ("micro_average", "macro_average", "weighted_macro_average")
_INT64 = range(-(2**63), 2**63)
_WHOLE = re.compile(r"0|-?[1-9]\d*")


def write_slice(message: Any, sides: Sides, types: Mapping[str, str]) -> None:
    """Set the slice of a message; `types` are the Arrow types of the columns, as text.

    A number goes as a number where its column holds numbers, as TFMA has it, and as text where it does
    not.
    """
    key, other = sides
    if other is None:
        message.slice_key.CopyFrom(_slice_message(key, types))
        return
    message.cross_slice_key.baseline_slice_key.CopyFrom(_slice_message(key, types))
    message.cross_slice_key.comparison_slice_key.CopyFrom(_slice_message(other, types))


def _slice_message(key: SliceKey, types: Mapping[str, str]) -> Any:
    message = messages().SliceKey()
    for feature, value in key:
        kind, typed = _typed(value, types.get(feature, "string"))
        setattr(message.single_slice_keys.add(column=feature), kind, typed)
    return message


def _typed(text: str, arrow: str) -> tuple[str, Any]:
    """The field of SingleSliceKey that holds a value, and the value in it.

    What would be read back as another text, such as the 5.0 that a config asks for, stays text.

    >>> _typed("5", "list<item: int64>"), _typed("5.0", "int64"), _typed("0.5", "double")
    (('int64_value', 5), ('bytes_value', b'5.0'), ('float_value', 0.5))
    """
    inner = re.search(r"(?:values=|<\w+: )(\w+)", arrow)
    name = inner[1] if inner else arrow
    if re.fullmatch(r"u?int\d+", name) and _WHOLE.fullmatch(text) and int(text) in _INT64:
        return "int64_value", int(text)
    number = as_number(text)
    if name in ("halffloat", "float", "double") and _float_text(number) == text:
        return "float_value", number
    return "bytes_value", text.encode()


def _float_text(number: float) -> str:
    """What a float32 is written as when it is sliced by."""
    return str(pa.array([number], pa.float32()).cast(pa.string())[0])


def read_slice(message: Any) -> Sides:
    """The slice, or the slices compared, of a message."""
    if message.HasField("cross_slice_key"):
        cross = message.cross_slice_key
        return _slice_key(cross.baseline_slice_key), _slice_key(cross.comparison_slice_key)
    return _slice_key(message.slice_key), None


def _slice_key(message: Any) -> SliceKey:
    return tuple(sorted((part.column, _text(part)) for part in message.single_slice_keys))


def _text(message: Any) -> str:
    if message.HasField("int64_value"):
        return str(message.int64_value)
    if message.HasField("float_value"):
        return _float_text(message.float_value)
    return str(message.bytes_value.decode("utf-8", "replace"))


def write_key(message: Any, key: Key) -> None:
    """Set the fields that a MetricKey and a PlotKey share, and the aggregation of a MetricKey."""
    message.name = key.metric if key.kind == CHANGE else metric_text(key.metric, key.kind)
    message.example_weighted.value = key.weighted
    if key.model:
        message.model_name = key.model
    if key.output:
        message.output_name = key.output
    for part in key.sub_key.split():
        kind, _, number = part.partition(":")
        getattr(message.sub_key, _SUB_KEYS[kind]).value = int(number)
    if key.aggregation in _AGGREGATIONS:
        setattr(message.aggregation_type, key.aggregation, True)


def read_key(message: Any, name: str, is_compared: bool = False) -> Key:
    """Our key of a MetricKey or a PlotKey; a metric of the model itself is not weighted.

    `is_compared` is whether its value is of a comparison of slices: our writer gives a ratio of slices the
    name of its metric with a suffix.
    """
    parts = [
        f"{shown}:{getattr(message.sub_key, field).value}"
        for shown, field in _SUB_KEYS.items()
        if message.sub_key.HasField(field)
    ]
    averages = getattr(message, "aggregation_type", None)
    chosen = [average for average in _AGGREGATIONS if getattr(averages, average, False)]
    kind = SLICE_DIFFERENCE if is_compared else VALUE
    metric, suffix = metric_kind(name)
    if is_compared and suffix == SLICE_RATIO:
        name, kind = metric, SLICE_RATIO
    if getattr(message, "is_diff", False):
        kind = CHANGE
    return Key(
        name,
        message.model_name,
        message.output_name,
        sub_key=" ".join(parts),
        aggregation="".join(chosen),
        weighted=message.example_weighted.value,
        kind=kind,
    )
