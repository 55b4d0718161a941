# SPDX-License-Identifier: Apache-2.0
"""Which outputs of a model are its predictions, as numbers of each row."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benison.config import ModelSpec
from benison.data.batch import Array, Ragged, Target
from benison.errors import ModelError, suggestion
from benison.models.classes import Classes

# What TensorFlow's heads and Keras call the output that scores an example, in order of preference.
WELL_KNOWN_OUTPUTS = ("scores", "outputs", "predictions", "logistic", "probabilities", "logits")


@dataclasses.dataclass(frozen=True)
class AskedOutputs:
    """What the metrics look at of a model's outputs.

    Attributes:
        names: Outputs that they ask for by name.
        is_scored: Whether some look at the prediction, so that one of the outputs must be it.
        optional: Those of the names that need not be there.
    """

    names: frozenset[str] = frozenset()
    is_scored: bool = True
    optional: frozenset[str] = frozenset()


def prediction_outputs(
    spec: ModelSpec, outputs: Mapping[str, Any], asked: AskedOutputs
) -> list[tuple[Target, str]]:
    """Which of a model's outputs is the prediction of which (model, output) of the config.

    None is where the config names none and metrics ask for outputs by name alone.

    Raises:
        ModelError: The config names an output that the model does not have, or names none although
            the model has several and none of them has a well-known name.
    """
    names = list(outputs)
    if asked.names and not asked.is_scored and not spec.columns_of("prediction"):
        return []
    wanted = spec.prediction_keys or {output: output for output in spec.label_keys}
    if not wanted:
        scores = [name for name in names if np.ndim(outputs[name]) <= 2]  # noqa: PLR2004 - or boxes
        wanted = {"": spec.prediction_key or _only_output(spec, scores or names)}
    for name in wanted.values():
        if name not in names:
            raise ModelError(
                f"{_called(spec)} has no output {name!r}. {suggestion(name, names)} With a model, "
                f"prediction_key names one of its outputs: take it out, or leave out the model if {name!r} "
                f"is a column."
            )
    return [((spec.name, output), name) for output, name in wanted.items()]


def _called(spec: ModelSpec) -> str:
    return f"Model {spec.name!r}" if spec.name else "The model"


def _only_output(spec: ModelSpec, names: list[str]) -> str:
    if len(names) == 1:
        return names[0]
    for name in WELL_KNOWN_OUTPUTS:
        if name in names:
            return name
    raise ModelError(
        f"{_called(spec)} has the outputs {', '.join(sorted(names))}; say which one is the "
        f"prediction with prediction_key in model_specs."
    )


def _even(output: Any) -> Array | Ragged:
    """An output as numbers: of a list in each row as an array where all have one length, else `Ragged`.

    Raises:
        ValueError: They are no numbers.
    """
    rows = np.asarray(output)
    is_listed = rows.dtype == object and rows.ndim == 1 and len(rows)
    if not is_listed or not all(isinstance(row, list) for row in rows):
        return np.asarray(output, np.float64)
    lengths = np.fromiter(map(len, output), np.int64)
    values = np.asarray(list(itertools.chain.from_iterable(output)), np.float64)
    width = int(lengths.max(initial=0))
    if values.ndim != 1 or not width or (lengths < width).any():
        return Ragged(values, np.concatenate([[0], np.cumsum(lengths)]))
    return values if width == 1 else values.reshape(-1, width)


def scores_of(output: Any, name: str, rows: int) -> Any:
    """An output of a model as the predictions of so many rows; raises ModelError where it cannot be that."""
    try:
        if np.iscomplexobj(output):
            raise TypeError("Numbers are real")  # noqa: TRY301 - as for what is no number at all
        scores = _even(output)
        if isinstance(scores, Ragged):
            return scores
    except (TypeError, ValueError) as error:
        raise ModelError(
            f"Output {name!r} of the model is not numbers, so it cannot be the prediction. Name another "
            f"one with prediction_key in model_specs."
        ) from error
    if scores.ndim == 3 and len(scores) == rows:  # noqa: PLR2004 - such as boxes of an image
        values = scores.reshape(-1, scores.shape[2])
        return Ragged(values, np.arange(rows + 1) * scores.shape[1])
    if scores.ndim not in (1, 2) or len(scores) != rows:
        raise ModelError(
            f"Output {name!r} of the model has the shape {scores.shape} for {rows:,} rows; predictions have "
            f"one row for each example, and one number, a list of numbers or a list of boxes in it."
        )
    return scores


def parts_of(spec: ModelSpec, outputs: Mapping[str, Any], asked: AskedOutputs) -> pa.RecordBatch:
    """The outputs that metrics ask for, as columns; of several numbers in a row, lists.

    Raises:
        ModelError: The model lacks one, for which a column of the data of that name does not stand in.
    """
    for name in sorted(asked.names - asked.optional - {*outputs}):
        raise ModelError(
            f"{_called(spec)} has no output {name!r}, which a metric reads as predictions. "
            f"{suggestion(name, outputs)} A column of the data is no prediction of a model that is called."
        )
    columns = {name: _listed(np.asarray(outputs[name])) for name in outputs if name in asked.names}
    return pa.RecordBatch.from_pydict(columns)


def _listed(array: npt.NDArray[Any]) -> pa.Array:
    flat = array.ravel()
    column = pa.array(flat.tolist() if flat.dtype == object else flat)
    for width in reversed(array.shape[1:]):
        column = pa.FixedSizeListArray.from_arrays(column, width)
    return column


def in_class_order(outputs: Mapping[str, Any], name: str) -> tuple[Any, Classes | None]:
    """An output in the order of the numbers of the classes that stand beside it, and these numbers.

    TensorFlow's classification signature returns `classes` beside `scores`, which each row may have best
    first. As it stands, and without classes, is what has no number beside each of several scores; None in
    their place is where rows name different classes, as the best few of more, or one twice. The best class
    alone is one score in a row, which is of the positive class only where that class is 1 in all rows.

    >>> order = {"scores": np.array([[0.9, 0.1], [0.8, 0.2]]), "classes": np.array([[1, 0], [0, 1]])}
    >>> scores, classes = in_class_order(order, "scores")
    >>> scores.tolist(), classes
    ([[0.1, 0.9], [0.8, 0.2]], (0.0, 1.0))
    """
    scores, classes = (np.asarray(outputs.get(key)) for key in (name, "classes"))
    is_paired = scores.shape == classes.shape and scores.ndim in (1, 2)
    if name != "scores" or not is_paired or {scores.dtype.kind, classes.dtype.kind} - {*"iuf"}:
        return outputs[name], ()
    if classes.size == len(classes):
        return outputs[name], () if (classes[~np.isnan(classes)] == 1).all() else None
    order = np.argsort(classes, axis=1, kind="stable")
    scores, classes = (np.take_along_axis(x, order, axis=1) for x in (scores, classes))
    named = classes[~np.isnan(classes).any(axis=1)]
    if not len(named):
        return np.full(scores.shape, np.nan), ()
    scores = np.where(np.isnan(classes).any(axis=1, keepdims=True), np.nan, scores)
    if (named != named[0]).any() or (np.diff(named[0]) == 0).any():
        return scores, None
    return scores, tuple(named[0].astype(np.float64).tolist())


def named_classes(outputs: Mapping[str, Any]) -> Classes | None:
    """The classes that a model returns beside its scores, as TensorFlow's heads do; none without any.

    They are its output `all_classes`, or `classes` beside `scores`: the same text in each row. None is where
    rows have different ones, as the best few of each, which name no columns; so does one alone that is not 1.

    >>> named_classes({"scores": np.zeros((1, 2)), "classes": np.array([[b"no", b"yes"]])})
    ('no', 'yes')
    """
    array = outputs.get("all_classes", outputs.get("classes") if "scores" in outputs else None)
    rows = None if array is None else np.asarray(array)
    if rows is None or rows.ndim not in (1, 2) or not len(rows) or rows.dtype.kind not in "OSU":
        return ()
    if (rows != rows[0]).any():
        return None
    named = tuple(
        x.decode() if isinstance(x, bytes) else str(x) for x in np.ravel(rows[0]).tolist()
    )
    if len(named) != 1:
        return named
    return () if named == ("1",) else None
