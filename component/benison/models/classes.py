# SPDX-License-Identifier: Apache-2.0
"""The classes that a classifier knows, and labels as their positions among them.

Metrics count classes from 0, as the columns of a model's scores. A classifier of scikit-learn's keeps the
labels that it was fitted on, in the order of these columns: names, or numbers such as 1, 2 and 3.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benison.data.batch import Ragged
from benison.errors import DataError
from benison.models.external import protobuf_fields, protobuf_numbers

Classes: TypeAlias = "tuple[str, ...] | tuple[float, ...]"

# onnx.proto: the fields that lead to the attributes of nodes, and those of an attribute.
_GRAPH, _NODE, _ATTRIBUTE = 7, 1, 5
_NAME, _INTS, _STRINGS = 1, 8, 9
_OF_CLASSES = ("classlabels_int64s", "classlabels_ints", "classlabels_strings")


def classes_of(values: Any) -> Classes:
    """The classes in the order of a model's scores; none if they are neither all text nor all numbers.

    >>> classes_of(np.array([1, 2])), classes_of(["no", "yes"]), classes_of(None)
    ((1.0, 2.0), ('no', 'yes'), ())
    """
    known = values.tolist() if isinstance(values, np.ndarray) else values
    if not isinstance(known, list | tuple):
        return ()
    if all(isinstance(value, str) for value in known):
        return tuple(known)
    if all(isinstance(value, int | float | np.number | np.bool_) for value in known):
        return tuple(map(float, known))
    return ()


def are_counted(classes: Classes) -> bool:
    """Whether classes are the numbers from 0, which are their own positions."""
    return classes == tuple(range(len(classes)))


def explained(classes: Classes) -> str:
    """What the numbers of classes mean, for messages.

    >>> explained((1.0, 2.0))
    '0 is 1, 1 is 2'
    """
    return _listed([f"{i} is {_shown(value)}" for i, value in enumerate(classes)])


def positions(labels: Any, classes: Classes) -> Any:
    """Labels as positions among a model's classes: float64[N], NaN where a label is missing.

    Lists of labels stay as they are, and so do numbers where the classes are text.

    Raises:
        DataError: A label is none of the classes, or labels are text and classes are numbers.
    """
    is_text, of_text = isinstance(labels, pa.Array), isinstance(classes[0], str)
    if is_text and not of_text:
        raise DataError(
            f"Labels are text, and the model's classes are the numbers {_all(classes)}. Name a column of "
            f"these numbers as label_key."
        )
    if isinstance(labels, Ragged) or not is_text and (of_text or labels.ndim != 1):
        return labels
    given = labels if is_text else pa.array(labels, from_pandas=True)
    at = pc.index_in(given, value_set=pa.array(classes, given.type))
    unknown = given.filter(pc.and_(pc.is_null(at), pc.is_valid(given)))
    if len(unknown):
        raise DataError(
            f"A label is {_shown(unknown[0].as_py())}, which is none of the model's classes: "
            f"{_all(classes)}. Map such labels to one of them, or leave their rows out."
        )
    return np.asarray(at.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)


def classes_of_graph(content: bytes) -> Classes:
    """The classes that the last classifier of an ONNX file names; none if none does."""
    if b"classlabels" not in content:
        return ()
    known: Classes = ()
    for attribute in _attributes(memoryview(content)):
        known = classes_of(_class_labels(attribute)) or known
    return known


def _attributes(model: memoryview) -> Iterator[memoryview]:
    messages = [model]
    for wanted in (_GRAPH, _NODE, _ATTRIBUTE):
        messages = [
            value
            for message in messages
            for number, value in protobuf_fields(message)
            if number == wanted and isinstance(value, memoryview)
        ]
    yield from messages


def _class_labels(attribute: memoryview) -> list[Any]:
    values: list[Any] = []
    for number, value in protobuf_fields(attribute):
        if number == _NAME and bytes(value).decode() not in _OF_CLASSES:
            return []
        if number == _INTS:
            values += protobuf_numbers(value)
        elif number == _STRINGS:
            values.append(bytes(value).decode())
    return values


def _all(classes: Classes) -> str:
    return _listed(list(map(_shown, classes)))


def _listed(words: list[str]) -> str:
    return ", ".join(words[:10]) + (", ..." if len(words) > 10 else "")  # noqa: PLR2004


def _shown(value: Any) -> str:
    return repr(value) if isinstance(value, str) else f"{value:g}"
