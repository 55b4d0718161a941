# SPDX-License-Identifier: Apache-2.0
"""Metrics of images that are cut into classes: each pixel has a class number, labelled and predicted.

Values are weights of pixels, 0 without rows. TFMA's class names stand for these of each of several classes.
A row without a labelled image does not count, and one without a predicted image makes a value NaN.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from benison.data.batch import Array, Inputs  # noqa: F401 - Inputs is for the examples
from benison.metrics.base import ANY_ROWS, Metric, Statistic
from benison.metrics.registry import HIGHER, LOWER, About, register
from benison.metrics.statistics.pixels import PixelCounts
from benison.metrics.statistics.sums import Arrays


@dataclasses.dataclass(frozen=True, kw_only=True)
class PixelConfusionMatrix(Metric):
    """The confusion matrix of the pixels of a class in images that are cut into classes.

    A structured value with the columns `true_positives`, `false_positives`, `true_negatives` and
    `false_negatives`, in pixels, or weights of these.

    Attributes:
        class_id: The class.
        ground_truth_key: The column of the labelled images, of which each pixel is a class number.
        prediction_key: The column of the predicted images, or the output of the model.
        decode_ground_truth: Whether labelled images are files such as PNG, and not lists.
        decode_prediction: Whether predicted images are.
        ignore_ground_truth_id: The labelled class whose pixels are no false positives and no true negatives.
        class_ids: Classes that are counted together with this one; it changes no value.
        name: The metric's name in the results.

    >>> import pyarrow as pa
    >>> batch = pa.record_batch({"truth": [[[1, 1], [0, 2]]], "found": [[[1, 0], [1, 2]]]})
    >>> rows = dataclasses.replace(Inputs.of([0], [0]), batch=batch)
    >>> keys = {"ground_truth_key": "truth", "prediction_key": "found", "decode_ground_truth": False}
    >>> PixelConfusionMatrix(class_id=1, **keys).of(rows)["false_positives"]
    [1.0]
    """

    class_id: int = dataclasses.field()  # type: ignore[misc]  # not None, which Metric has
    ground_truth_key: str
    prediction_key: str
    decode_ground_truth: bool = True
    decode_prediction: bool = False
    ignore_ground_truth_id: int | None = None
    class_ids: Sequence[int] = ()
    name: str = "semantic_segmentation_confusion_matrix"
    accepts: ClassVar[frozenset[str]] = ANY_ROWS | {"images"}
    needs_label = False
    needs_prediction = False
    empty_value = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "class_ids", tuple(self.class_ids) or (self.class_id,))
        if self.class_id not in self.class_ids:
            raise ValueError(f"class_ids must hold class_id, {self.class_id}")

    @property
    def prediction_column(self) -> str:  # type: ignore[override]
        """That of images that were predicted before."""
        return self.prediction_key

    def statistics(self) -> tuple[Statistic[Any], ...]:
        keys = (self.ground_truth_key, self.prediction_key)
        decoded = (self.decode_ground_truth, self.decode_prediction)
        ignored = self.ignore_ground_truth_id
        return (PixelCounts(tuple(self.class_ids), *keys, *decoded, ignored),)

    def result(self, counts: Arrays) -> Any:
        of_class = self._of_class(counts)
        names = ("true_positives", "false_positives", "true_negatives", "false_negatives")
        return {name: of_class[:, i : i + 1] for i, name in enumerate(names)}

    def _of_class(self, counts: Arrays) -> Array:
        """The four counts: float64[S, 4]."""
        return np.asarray(counts[0][:, list(self.class_ids).index(self.class_id)], np.float64)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PixelTruePositives(PixelConfusionMatrix):
    """Pixels of a class that are predicted as it, in images that are cut into classes; from 0 up.

    The true positives of PixelConfusionMatrix, in pixels or weights of these; higher is better. It has the
    same parameters.

    >>> import pyarrow as pa
    >>> batch = pa.record_batch({"truth": [[[1, 1], [0, 2]]], "found": [[[1, 0], [1, 2]]]})
    >>> rows = dataclasses.replace(Inputs.of([0], [0]), batch=batch)
    >>> keys = {"ground_truth_key": "truth", "prediction_key": "found", "decode_ground_truth": False}
    >>> PixelTruePositives(class_id=1, **keys).of(rows)
    1.0
    """

    name: str = "semantic_segmentation_true_positives"

    def result(self, counts: Arrays) -> Any:
        return self._of_class(counts)[:, 0]


@dataclasses.dataclass(frozen=True, kw_only=True)
class PixelFalsePositives(PixelConfusionMatrix):
    """Pixels of other classes that are predicted as a class, in images cut into classes; from 0 up.

    The false positives of PixelConfusionMatrix, in pixels or weights of these; lower is better. Pixels whose
    label is ignore_ground_truth_id do not count.

    >>> import pyarrow as pa
    >>> batch = pa.record_batch({"truth": [[[1, 1], [0, 2]]], "found": [[[1, 0], [1, 2]]]})
    >>> rows = dataclasses.replace(Inputs.of([0], [0]), batch=batch)
    >>> keys = {"ground_truth_key": "truth", "prediction_key": "found", "decode_ground_truth": False}
    >>> PixelFalsePositives(class_id=1, **keys).of(rows)
    1.0
    """

    name: str = "semantic_segmentation_false_positives"

    def result(self, counts: Arrays) -> Any:
        return self._of_class(counts)[:, 1]


register("PixelConfusionMatrix", PixelConfusionMatrix)
register("PixelTruePositives", PixelTruePositives, About.of(PixelTruePositives, HIGHER, 0))
register("PixelFalsePositives", PixelFalsePositives, About.of(PixelFalsePositives, LOWER, 0))
