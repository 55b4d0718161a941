# SPDX-License-Identifier: Apache-2.0
"""The pairs of label and prediction that a metric sees of a row: of one class, of the k-th, of all."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np

from benison.data.batch import Array, Index, Inputs, Seen
from benison.errors import DataError

_EACH = slice(None)  # class


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Which pairs of label and prediction a row has: those that the data have."""

    aggregation: ClassVar[str] = ""

    @property
    def sub_key(self) -> str:
        """`classId:1`, `k:2` or `topK:3` where the pairs are some of several, else ""."""
        return ""

    def of(self, inputs: Inputs) -> Seen:
        """The pairs; `origin` is the row of `inputs` behind each."""
        return Seen(dataclasses.replace(inputs, weights=weights_of_rows(inputs.weights)))


@dataclasses.dataclass(frozen=True)
class ClassOf(Pairs):
    """One class against the rest."""

    class_id: int

    @property
    def sub_key(self) -> str:
        return f"classId:{self.class_id}"

    def of(self, inputs: Inputs) -> Seen:
        labels, predictions = _by_class(inputs, f"Class {self.class_id} of binarize.class_ids")
        if self.class_id >= predictions.shape[1]:
            raise DataError(
                f"Class {self.class_id} of binarize.class_ids is not among the predictions, of which "
                f"a row has {predictions.shape[1]}: classes are counted from 0."
            )
        labels, predictions = (x[:, self.class_id] for x in (labels, predictions))
        return Seen(replaced(inputs, labels, predictions, _weights_at(inputs, self.class_id)))


@dataclasses.dataclass(frozen=True)
class BoxesOf(Pairs):
    """The boxes of each image, of which a metric takes those of one class itself."""

    class_id: int

    @property
    def sub_key(self) -> str:
        return f"classId:{self.class_id}"


@dataclasses.dataclass(frozen=True)
class Taken(Pairs):
    """The rows as they are, of which a metric takes some classes itself."""

    taken: str

    @property
    def sub_key(self) -> str:
        return self.taken


@dataclasses.dataclass(frozen=True)
class Kth(Pairs):
    """The prediction with the k-th highest score, counted from 1, against its label; ties in order."""

    k: int

    @property
    def sub_key(self) -> str:
        return f"k:{self.k}"

    def of(self, inputs: Inputs) -> Seen:
        labels, predictions = _by_class(inputs, f"k={self.k} of binarize.k_list")
        kth = _ranked(predictions, self.k)[:, self.k - 1]
        labels, predictions = (x[np.arange(len(x)), kth] for x in (labels, predictions))
        return Seen(replaced(inputs, labels, predictions, _weights_at(inputs, kth)))


@dataclasses.dataclass(frozen=True)
class TopK(Pairs):
    """Every class is a row; a score that is not among the k highest is -inf, so never above a threshold."""

    k: int

    @property
    def sub_key(self) -> str:
        return f"topK:{self.k}"

    def of(self, inputs: Inputs) -> Seen:
        labels, predictions = _by_class(inputs, f"k={self.k} of binarize.top_k_list")
        top = np.full(predictions.shape, -np.inf)
        best = _ranked(predictions, self.k)[:, : self.k]
        np.put_along_axis(top, best, np.take_along_axis(predictions, best, axis=1), axis=1)
        return _flat(inputs, labels, top, _weights_at(inputs, _EACH))


@dataclasses.dataclass(frozen=True)
class ClassAmongTopK(ClassOf):
    """One class against the rest; its score is -inf in rows where it is not among the k highest."""

    k: int

    @property
    def sub_key(self) -> str:
        return f"{super().sub_key} topK:{self.k}"

    def of(self, inputs: Inputs) -> Seen:
        seen = super().of(inputs)
        _, predictions = _by_class(inputs, f"k={self.k} of binarize.top_k_list")
        mine = predictions[:, self.class_id]
        among = (_ranked(predictions, self.k)[:, : self.k] == self.class_id).any(axis=1)
        scores = np.where(among | np.isnan(mine), mine, -np.inf)
        return Seen(dataclasses.replace(seen.inputs, predictions=scores))


@dataclasses.dataclass(frozen=True)
class Flattened(Pairs):
    """Micro average: every pair of a row and a class is a row, weighted by its class."""

    aggregation: ClassVar[str] = "micro_average"

    class_weights: tuple[tuple[int, float], ...] = ()
    """Weights by class; a class that is not there weighs 0. Without any, all weigh 1."""
    top_k: int | None = None
    """Only the classes with the k highest scores are rows."""

    @property
    def sub_key(self) -> str:
        return "" if self.top_k is None else f"topK:{self.top_k}"

    def of(self, inputs: Inputs) -> Seen:
        labels, predictions = _by_class(inputs, "aggregate.micro_average")
        weights = _weights_at(inputs, _EACH)
        if self.top_k is not None:
            best = _ranked(predictions, self.top_k)[:, : self.top_k]
            labels, predictions = (np.take_along_axis(x, best, 1) for x in (labels, predictions))
            weights = _weights_at(inputs, best)
        return _flat(inputs, labels, predictions, weights, self._weights(predictions.shape[1]))

    def _weights(self, classes: int) -> Array | None:
        if not self.class_weights:
            return None
        weights = np.zeros(classes)
        for class_id, weight in self.class_weights:
            if class_id >= classes:
                raise DataError(
                    f"aggregate.class_weights names the class {class_id}, and a row has {classes} "
                    "predictions: classes are counted from 0."
                )
            weights[class_id] = weight
        return weights


def _by_class(inputs: Inputs, what: str) -> tuple[Array, Array]:
    """Labels and predictions by class, both float64[N, C]; labels may be class numbers.

    Raises:
        DataError: There is no prediction for each class, or labels do not fit them.
    """
    predictions, labels = inputs.predictions, inputs.labels
    if not isinstance(predictions, np.ndarray) or predictions.ndim != 2:
        shape = getattr(predictions, "shape", "of lists")
        raise DataError(f"{what} needs a prediction for each class; the predictions are {shape}.")
    if not isinstance(labels, np.ndarray):
        raise DataError(
            f"{what} needs labels that are numbers: the place of the label's class, from 0, or a number "
            "for each class. Name such a column as label_key."
        )
    if labels.ndim == 2:
        if labels.shape != predictions.shape:
            raise DataError(
                f"Labels of {labels.shape[1]} classes do not fit predictions of {predictions.shape[1]}."
            )
        return labels, predictions
    _check_class_numbers(labels, predictions.shape[1])
    by_class = (labels[:, None] == np.arange(predictions.shape[1])).astype(np.float64)
    by_class[np.isnan(labels)] = np.nan
    return by_class, predictions


def _check_class_numbers(labels: Array, classes: int) -> None:
    """Refuse labels that are no class, as where classes are counted from 1; -1 stands for none of them."""
    wrong = labels[(labels >= classes) | (labels < -1) | (labels != np.floor(labels))]
    wrong = wrong[~np.isnan(wrong)]
    if len(wrong):
        raise DataError(
            f"Labels must be class numbers from 0 to {classes - 1}, as there are {classes} predictions in a "
            f"row, or -1 for none of the classes; a label is {wrong[0]:g}."
        )


def _ranked(predictions: Array, k: int) -> Index:
    """The classes of each row from the highest score down: int64[N, C]."""
    if k > predictions.shape[1]:
        raise DataError(f"A row has {predictions.shape[1]} predictions, so there is no {k}-th one.")
    return np.argsort(-predictions, axis=1, kind="stable")


def _weights_at(inputs: Inputs, classes: int | Index | slice) -> Array | None:
    """The weights of a class, or of the classes int64[N] or int64[N, k], or the one weight of each row.

    Raises:
        DataError: Rows have weights that are not one for each class.
    """
    weights = inputs.weights
    if weights is None or weights.ndim == 1:
        return weights
    if weights.shape != inputs.predictions.shape:
        raise DataError(
            f"A row has {weights.shape[1]} weights and {inputs.predictions.shape[1]} predictions. A row has "
            "one weight, or one for each prediction."
        )
    if isinstance(classes, slice):
        return weights
    rows = np.arange(len(weights))
    chosen: Array = weights[rows[:, None] if np.ndim(classes) == 2 else rows, classes]  # noqa: PLR2004
    return chosen


def columns(weights: Array) -> Array:
    """Weights as float64[N, C], or float64[N, 1] where a row has one."""
    return weights if weights.ndim == 2 else weights[:, None]  # noqa: PLR2004


def weights_of_rows(weights: Array | None) -> Array | None:
    """The weights of rows, float64[N], of which each may be there for all classes.

    Raises:
        DataError: A row has several weights.
    """
    if weights is None or weights.ndim == 1:
        return weights
    if not (weights == weights[:, :1]).all():
        raise DataError(
            f"A row has {weights.shape[1]} weights, which are of its classes one by one. Ask for a metric by "
            "class (binarize, or, if it looks at labels or predictions, micro_average), say example_weights: "
            "{unweighted: true}, or name a column of one weight a row."
        )
    return weights[:, 0]


def replaced(inputs: Inputs, labels: Any, predictions: Any, weights: Array | None) -> Inputs:
    """Rows with other labels, predictions and weights."""
    return dataclasses.replace(inputs, labels=labels, predictions=predictions, weights=weights)


def _flat(
    inputs: Inputs,
    labels: Array,
    predictions: Array,
    weights: Array | None,
    factors: Array | None = None,
) -> Seen:
    """A row for each row and class, with the weight of the row or of both, times that of the class."""
    rows, classes = predictions.shape
    origin = np.repeat(np.arange(rows), classes)
    if weights is not None or factors is not None:
        by_row = np.ones((rows, 1)) if weights is None else columns(weights)
        weights = (by_row * np.ones(classes) if factors is None else by_row * factors).ravel()
    repeated = dataclasses.replace(inputs, weights=None).take(origin)
    return Seen(replaced(repeated, labels.ravel(), predictions.ravel(), weights), origin)
