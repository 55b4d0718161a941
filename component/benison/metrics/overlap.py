# SPDX-License-Identifier: Apache-2.0
"""Intersection over union of classes: how far labelled and predicted class numbers coincide.

The intersection over union of a class is TP / (TP + FP + FN), also called Jaccard index. A value is the mean
over the target classes that are labelled or predicted at all, from 0 to 1, higher is better; NaN where none
is, and where a prediction is missing. A row may hold several class numbers, such as the pixels of an image.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from benison.data.batch import Array, Index, Inputs
from benison.errors import DataError
from benison.metrics.base import Metric, Statistic, ratio
from benison.metrics.confusion import as_thresholds
from benison.metrics.registry import HIGHER, About, register
from benison.metrics.statistics.cells import Cells, CellsStatistic
from benison.slicing.codes import SliceCodes

MOST_CLASSES = 4096
"""Classes of an intersection over union: a table of their pairs is 128 MB for each slice."""

# Values of rows, such as pixels, that are looked at together: each takes about 100 bytes meanwhile.
_PAIRS = 2**20
_CURES = {
    "label": "Set num_classes to more, or ignore_class to the one that does not count.",
    "prediction": "Of scores for each class, OneHotIoU takes the likeliest.",
}


@dataclasses.dataclass(frozen=True)
class ClassPairs(CellsStatistic):
    """Weights of the pairs of labelled and predicted class: cells are `labelled * classes + predicted`.

    Attributes:
        classes: How many there are; they are numbered from 0.
        sparse_labels: Whether labels are class numbers and not a number for each class.
        sparse_predictions: Whether predictions are.
        ignored: The labelled class whose values do not count.
        threshold: From where up a prediction is the class 1; None for class numbers.

    >>> pairs = ClassPairs(2).add(Inputs.of([0, 1, 1], [0, 1, 0]), SliceCodes.of([0, 0, 0], 1))
    >>> pairs.dense().reshape(2, 2)
    array([[1., 0.],
           [1., 1.]])
    """

    classes: int
    sparse_labels: bool = True
    sparse_predictions: bool = True
    ignored: int | None = None
    threshold: float | None = None

    @property
    def width(self) -> int:  # type: ignore[override]
        """Cells per slice."""
        return self.classes**2

    def add(self, inputs: Inputs, codes: SliceCodes) -> Cells:
        predictions = inputs.predictions
        if self.threshold is not None:
            above = (predictions >= self.threshold).astype(np.float64)
            predictions = np.where(np.isnan(predictions), np.nan, above)
        labelled = self._numbers(inputs.labels, self.sparse_labels)
        predicted = self._numbers(predictions, self.sparse_predictions)
        if np.isnan(predicted).all():  # rows that all lack their list do not tell how long it is
            predicted = np.full(labelled.shape, np.nan)
        if labelled.shape != predicted.shape:
            raise DataError(
                f"A row needs a label for each prediction; it has {labelled.shape[1]} labels and "
                f"{predicted.shape[1]} predictions. Set sparse_y_true and sparse_y_pred as the data are."
            )
        total, step = self.zero(codes.size), max(1, _PAIRS // max(1, len(labelled)))
        for start in range(0, labelled.shape[1], step):
            columns = slice(start, start + step)
            total = total.merge(
                self._of_columns(labelled[:, columns], predicted[:, columns], inputs.weights, codes)
            )
        return total

    def _of_columns(
        self, labels: Array, predictions: Array, weighting: Array | None, codes: SliceCodes
    ) -> Cells:
        """The cells of some values of each row, float64[N, D] each."""
        rows = np.repeat(np.arange(len(labels)), labels.shape[1])
        is_whole = labels.shape[1] == 1
        labels, predictions = labels.ravel(), predictions.ravel()
        kept = np.ones(len(labels), np.bool_) if self.ignored is None else labels != self.ignored
        if weighting is not None:
            kept &= weighting[rows] != 0
        if not (is_whole and kept.all()):  # else the rows are as they were
            labels, predictions, rows = labels[kept], predictions[kept], rows[kept]
            codes = codes.take(rows)
        weights = None if weighting is None else weighting[rows]
        missing = np.isnan(predictions)
        if missing.any():
            weights = np.where(missing, np.nan, 1.0 if weights is None else weights)
        cells = self.classes * self._checked("label", labels)
        cells += self._checked("prediction", np.where(missing, 0, predictions))
        return Cells.grouped(cells, weights, codes, self.width)

    def _checked(self, what: str, numbers: Array) -> Index:
        wrong = (numbers != np.floor(numbers)) | (numbers < 0) | (numbers >= self.classes)
        if wrong.any():
            cure = _CURES[what]
            if self.threshold is not None:
                cure = "BinaryIoU takes the labels 0 and 1, and scores of the class 1."
            raise DataError(
                f"A {what} must be a class number from 0 to {self.classes - 1} (num_classes); one is "
                f"{numbers[wrong][0]:g}. {cure}"
            )
        return numbers.astype(np.int64)

    def _numbers(self, values: Array, sparse: bool) -> Array:
        """Class numbers, float64[N, D]; those of the highest of C values where they are not sparse."""
        if sparse:
            return values.reshape(len(values), -1 if values.size else 1)
        if values.ndim == 1 and np.isnan(values).all():  # rows that all lack their list
            return values[:, None]
        if values.ndim != 2:
            raise DataError(
                f"There must be a value for each class, and the values have the shape {values.shape}; for "
                "class numbers set sparse_y_true or sparse_y_pred."
            )
        if values.shape[1] != self.classes:
            raise DataError(
                f"There must be a value for each of the {self.classes} classes (num_classes), and a row has "
                f"{values.shape[1]}. Set num_classes to that."
            )
        best = values.argmax(axis=1).astype(np.float64)
        return np.where(np.isnan(values).any(axis=1), np.nan, best)[:, None]


@dataclasses.dataclass(frozen=True)
class IoU(Metric):
    """Mean intersection over union of the target classes, of class numbers; from 0 to 1, higher is better.

        TP / (TP + FP + FN) of each class of target_class_ids

    A class that is neither labelled nor predicted is not in the mean; NaN where none is, and where a
    prediction is missing.

    Source: Jaccard, "The distribution of the flora in the alpine zone", New Phytologist 11, 1912.

    Attributes:
        num_classes: How many classes there are, numbered from 0.
        target_class_ids: The classes over which the mean is.
        ignore_class: The labelled class whose values do not count, such as the edges of an image.
        sparse_y_true: Whether labels are class numbers, and not a number for each class.
        sparse_y_pred: Whether predictions are.
        name: The metric's name in the results.

    >>> IoU(num_classes=2, target_class_ids=[0, 1]).of(Inputs.of([0, 1, 1], [0, 1, 0]))
    0.5
    """

    num_classes: int
    target_class_ids: Sequence[int]
    ignore_class: int | None = None
    sparse_y_true: bool = True
    sparse_y_pred: bool = True
    name: str = "io_u"
    accepts = frozenset({"class_numbers"})

    def __post_init__(self) -> None:
        object.__setattr__(self, "target_class_ids", tuple(self.target_class_ids))
        if not 2 <= self.num_classes <= MOST_CLASSES:
            raise ValueError(f"num_classes is from 2 to {MOST_CLASSES:,}, not {self.num_classes!r}")
        outside = [c for c in self.target_class_ids if not 0 <= c < self.num_classes]
        if outside or not self.target_class_ids:
            raise ValueError(f"target_class_ids are from 0 to {self.num_classes - 1}, at least one")

    def statistics(self) -> tuple[Statistic[Cells], ...]:
        sparse = (self.sparse_y_true, self.sparse_y_pred)
        return (ClassPairs(self.num_classes, *sparse, self.ignore_class),)

    def result(self, cells: Cells) -> Array:
        both, either = self._intersections_and_unions(cells)
        targets = list(self.target_class_ids)
        shares = np.where(either == 0, 0.0, ratio(both, either))[:, targets]
        mean = ratio(shares.sum(axis=1), (either[:, targets] != 0).sum(axis=1))
        return np.where(np.isnan(either).any(axis=1), np.nan, mean)

    def _intersections_and_unions(self, cells: Cells) -> tuple[Array, Array]:
        """Of each class, float64[S, C]; from occupied cells, as all of many slices would fill the memory."""
        keys, sums = cells.occupied()
        slices, pairs = np.divmod(keys, cells.width)
        labelled, predicted = np.divmod(pairs, self.num_classes)
        same = labelled == predicted
        first = slices * self.num_classes

        def by_class(classes: Index, weights: Array) -> Array:
            counted = np.bincount(classes, weights, cells.size * self.num_classes)
            return counted.astype(np.float64).reshape(cells.size, self.num_classes)

        both = by_class((first + labelled)[same], sums[same])
        of_labels, of_predictions = (by_class(first + c, sums) for c in (labelled, predicted))
        return both, of_labels + of_predictions - both


@dataclasses.dataclass(frozen=True)
class MeanIoU(IoU):
    """Mean intersection over union of all classes, of class numbers; from 0 to 1, higher is better.

    A class that is neither labelled nor predicted is not in the mean. The parameters are those of IoU,
    without target classes.

    >>> MeanIoU(num_classes=3).of(Inputs.of([0, 1, 1], [0, 1, 0]))
    0.5
    """

    target_class_ids: Sequence[int] = dataclasses.field(default=(), init=False)
    name: str = "mean_io_u"

    def __post_init__(self) -> None:
        object.__setattr__(self, "target_class_ids", range(self.num_classes))
        super().__post_init__()


@dataclasses.dataclass(frozen=True)
class OneHotIoU(IoU):
    """Mean intersection over union of the target classes, of scores; from 0 to 1, higher is better.

    Labels are class numbers or one-hot; what counts as predicted is the class with the highest score.

    >>> scores = [[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]]
    >>> OneHotIoU(num_classes=2, target_class_ids=[1]).of(Inputs.of([0, 1, 1], scores))
    0.5
    """

    sparse_y_true: bool = dataclasses.field(default=False, init=False)
    sparse_y_pred: bool = False
    name: str = "one_hot_io_u"

    @property
    def accepts(self) -> frozenset[str]:  # type: ignore[override]
        """A score for each class, or class numbers."""
        return frozenset({"class_numbers" if self.sparse_y_pred else "classes"})

    def statistics(self) -> tuple[Statistic[Cells], ...]:
        return (OneHotPairs(self.num_classes, False, self.sparse_y_pred, self.ignore_class),)


@dataclasses.dataclass(frozen=True)
class OneHotPairs(ClassPairs):
    """Pairs of classes whose labels are one-hot, or class numbers where a row has one."""

    def add(self, inputs: Inputs, codes: SliceCodes) -> Cells:
        sparse = dataclasses.replace(self, sparse_labels=inputs.labels.ndim == 1)
        return ClassPairs.add(sparse, inputs, codes)


@dataclasses.dataclass(frozen=True)
class OneHotMeanIoU(OneHotIoU):
    """Mean intersection over union of all classes, of scores; from 0 to 1, higher is better.

    A class that is neither labelled nor predicted is not in the mean. The parameters are those of
    OneHotIoU, without target classes.

    >>> scores = [[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]]
    >>> OneHotMeanIoU(num_classes=2).of(Inputs.of([0, 1, 1], scores))
    0.5
    """

    target_class_ids: Sequence[int] = dataclasses.field(default=(), init=False)
    name: str = "one_hot_mean_io_u"

    def __post_init__(self) -> None:
        object.__setattr__(self, "target_class_ids", range(self.num_classes))
        super().__post_init__()


@dataclasses.dataclass(frozen=True)
class BinaryIoU(IoU):
    """Mean intersection over union of two classes, of scores; from 0 to 1, higher is better.

    A score that is equal to the threshold counts as above it, unlike in other metrics, as in Keras.

    Attributes:
        target_class_ids: The classes over which the mean is: 0, 1 or both.
        threshold: From where up a score is the class 1.
        name: The metric's name in the results.

    >>> BinaryIoU().of(Inputs.of([0, 1, 1], [0.1, 0.5, 0.3]))
    0.5
    """

    num_classes: int = dataclasses.field(default=2, init=False)
    target_class_ids: Sequence[int] = (0, 1)
    threshold: float = 0.5
    ignore_class: int | None = dataclasses.field(default=None, init=False)
    sparse_y_true: bool = dataclasses.field(default=True, init=False)
    sparse_y_pred: bool = dataclasses.field(default=True, init=False)
    name: str = dataclasses.field(
        default="binary_io_u", kw_only=True
    )  # or it came before threshold
    accepts = frozenset({"binary"})

    def __post_init__(self) -> None:
        super().__post_init__()
        as_thresholds(self.threshold)

    def statistics(self) -> tuple[Statistic[Cells], ...]:
        return (ClassPairs(2, threshold=self.threshold),)


def _register_all() -> None:
    for metric in (BinaryIoU, IoU, MeanIoU, OneHotIoU, OneHotMeanIoU):
        register(metric.__name__, metric, About.of(metric, HIGHER, 0, 1))


_register_all()
