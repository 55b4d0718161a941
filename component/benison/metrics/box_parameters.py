# SPDX-License-Identifier: Apache-2.0
"""The parameters of metrics of boxes, under the names that TFMA gives them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from benison.metrics.base import Metric
from benison.metrics.statistics.box_scores import BoxRule


@dataclasses.dataclass(frozen=True, kw_only=True)
class BoxMetric(Metric):
    """The parameters that all metrics of boxes have.

    Attributes:
        area_range: The least and the largest area of a box that counts, both included.
        max_num_detections: How many detections of a class count in an image, from the highest score down.
        labels_to_stack: Columns of the data that hold left, top, right, bottom and class of the labelled
            boxes, each a list for each image, or fields of a column of structs that is the label; without
            them the label holds boxes.
        predictions_to_stack: What holds the same and the score of the detections: outputs of the model; or,
            where none is called, fields of a column of structs that is the prediction, or columns.
        num_detections_key: That which says how many detections an image has; those after it are padding.
        allow_missing_key: Whether there are no boxes where such a column is missing.
    """

    area_range: Sequence[float] = (0.0, np.inf)
    max_num_detections: int | None = None
    labels_to_stack: Sequence[str] = ()
    predictions_to_stack: Sequence[str] = ()
    num_detections_key: str = ""
    allow_missing_key: bool = False
    accepts: ClassVar[frozenset[str]] = frozenset({"boxes"})

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name in _LISTS and isinstance(value, str):
                raise ValueError(f"{field.name} must be a list, not {value!r}")
            if field.name in _LISTS:
                object.__setattr__(self, field.name, tuple(value))
        self.rule  # noqa: B018 - which refuses parameters that make no rule

    @property
    def needs_label(self) -> bool:  # type: ignore[override]
        """Without labels there are boxes in columns."""
        return not self.labels_to_stack

    @property
    def needs_prediction(self) -> bool:  # type: ignore[override]
        """Without predictions there are boxes in columns."""
        return not self.predictions_to_stack

    @property
    def predicts_by_columns(self) -> bool:  # type: ignore[override]
        """Boxes in columns of the data are the same for every model."""
        return bool(self.predictions_to_stack)

    def classes(self) -> tuple[Sequence[int], Sequence[float]]:
        """The classes and the weights of their boxes; no weights where all weigh 1."""
        raise NotImplementedError

    def overlaps(self) -> Sequence[float]:
        """The thresholds of the intersection over union."""
        raise NotImplementedError

    @property
    def rule(self) -> BoxRule:
        """When a detection is right; raises ValueError for parameters that make no rule."""
        class_ids, weights = self.classes()
        return BoxRule(
            tuple(class_ids),
            tuple(self.overlaps()),
            tuple(weights),
            tuple(self.area_range),
            self.max_num_detections,
            tuple(self.labels_to_stack),
            tuple(self.predictions_to_stack),
            self.num_detections_key,
            self.allow_missing_key,
        )


_LISTS = (
    "area_range",
    "labels_to_stack",
    "predictions_to_stack",
    "class_ids",
    "class_weights",
    "iou_thresholds",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class OfClass(BoxMetric):
    """A metric of the boxes of one class.

    Attributes:
        class_id: The class.
        class_weight: The weight of each box.
    """

    class_id: int = dataclasses.field()  # type: ignore[misc]  # not None, which Metric has
    class_weight: float = 1.0

    def classes(self) -> tuple[Sequence[int], Sequence[float]]:
        return (self.class_id,), () if self.class_weight == 1 else (self.class_weight,)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SingleClass(OfClass):
    """A metric of the boxes of one class at one threshold of the intersection over union.

    Attributes:
        iou_threshold: Detection and labelled box match from such an intersection over union up, from 0 to 1.
    """

    iou_threshold: float = 0.5

    def overlaps(self) -> Sequence[float]:
        return (self.iou_threshold,)


@dataclasses.dataclass(frozen=True, kw_only=True)
class OfClasses(BoxMetric):
    """A mean over classes.

    Attributes:
        class_ids: The classes.
        class_weights: The weight of the boxes of each class.
    """

    class_ids: Sequence[int]
    class_weights: Sequence[float] = ()

    def classes(self) -> tuple[Sequence[int], Sequence[float]]:
        return self.class_ids, self.class_weights


@dataclasses.dataclass(frozen=True, kw_only=True)
class OverOverlaps(BoxMetric):
    """A mean over thresholds of the intersection over union.

    Attributes:
        iou_thresholds: The thresholds, from 0 to 1; 0.5, 0.55 to 0.95 by default.
    """

    iou_thresholds: Sequence[float] = tuple(np.linspace(0.5, 0.95, 10).tolist())

    def overlaps(self) -> Sequence[float]:
        return self.iou_thresholds
