# SPDX-License-Identifier: Apache-2.0
"""Metrics of detected boxes of one class, at one threshold of the intersection over union.

A label is the boxes of an image, each [left, top, right, bottom, class], and a prediction is its detections,
each with a score as its sixth number. A detection is a true positive if it takes a labelled box, as
`benison.metrics.statistics.box_matching` says, and a false positive if not; a labelled box that none takes is
a false negative at every threshold of the score. Names and parameters are TFMA's.

Where this differs from TFMA: a missed box is not a positive with the score 0, which a threshold below 0 would
count as detected; and a detection of a labelled box outside of `area_range` is no false positive, as in COCO.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np

from benison.data.batch import Array, Inputs  # noqa: F401 - Inputs is for the examples
from benison.metrics.base import Statistic
from benison.metrics.box_parameters import SingleClass
from benison.metrics.confusion import RATES, as_thresholds, ascending, matrix_of
from benison.metrics.operating_points import PrecisionAtRecall, ThresholdAtRecall
from benison.metrics.plots import ConfusionMatrixPlot
from benison.metrics.registry import HIGHER, About, register
from benison.metrics.statistics.binary import ThresholdCells
from benison.metrics.statistics.box_scores import BoxScores, DetectionScores
from benison.metrics.statistics.curve import Curve


def detection_curves(curves: Iterator[Curve], state: DetectionScores) -> Iterator[Curve]:
    """Curves of detections among all labelled boxes, also where nothing is detected."""
    detected = np.zeros(state.size, np.bool_)
    for curve in curves:
        detected[curve.slices] = True
        missed = state.missed[curve.slices][:, None]
        yield dataclasses.replace(curve, positives=curve.positives + missed)
    rest = np.flatnonzero(~detected & (state.missed != 0))
    nothing, steps = np.zeros((len(rest), 1)), np.zeros((len(rest), 1), np.int64)
    if len(rest):
        missed = state.missed[rest][:, None]
        high = np.array([np.inf]).__getitem__
        yield Curve(rest, nothing, nothing, missed, nothing, lambda: steps, high, True)


@dataclasses.dataclass(frozen=True, kw_only=True)
class DetectionRate(SingleClass):
    """A rate of the detections whose score is above a threshold; several thresholds give a list of values.

    Attributes:
        thresholds: One threshold of the score or several.
    """

    thresholds: float | Sequence[float] = 0.5
    rate: ClassVar[str]

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "thresholds", as_thresholds(self.thresholds))

    def statistics(self) -> tuple[Statistic[Any], ...]:
        return (BoxScores(self.rule, ThresholdCells(ascending(self.thresholds))),)

    def result(self, state: DetectionScores) -> Array:
        matrix = matrix_of(state.scores)
        matrix = dataclasses.replace(matrix, fn=matrix.fn + state.missed[:, None])
        values = RATES[self.rate].formula(matrix) + 0 * state.missed[:, None]
        at = np.searchsorted(ascending(self.thresholds), as_thresholds(self.thresholds))
        return values[:, 0] if len(at) == 1 else values[:, at]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ObjectDetectionPrecision(DetectionRate):
    """Share of right ones among the detections of a class; from 0 to 1, higher is better.

        TP / (TP + FP)

    NaN where nothing is detected above the threshold of the score.

    >>> from benison.data.batch import Ragged
    >>> truth = Ragged(np.array([[0, 0, 2, 2, 1.0]]), np.array([0, 1]))
    >>> found = Ragged(np.array([[0, 0, 2, 2, 1, 0.9], [4, 4, 5, 5, 1, 0.8]]), np.array([0, 2]))
    >>> ObjectDetectionPrecision(class_id=1).of(Inputs(truth, found))
    0.5
    """

    name: str = "object_detection_precision"
    rate = "Precision"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ObjectDetectionRecall(DetectionRate):
    """Share of the labelled boxes of a class that are detected; from 0 to 1, higher is better.

        TP / (TP + FN)

    NaN without labelled boxes.

    >>> from benison.data.batch import Ragged
    >>> truth = Ragged(np.array([[0, 0, 2, 2, 1], [6, 6, 8, 8, 1.0]]), np.array([0, 2]))
    >>> found = Ragged(np.array([[0, 0, 2, 2, 1, 0.4], [4, 4, 5, 5, 1, 0.8]]), np.array([0, 2]))
    >>> ObjectDetectionRecall(class_id=1, thresholds=[0.5, 0.3]).of(Inputs(truth, found))
    [0.0, 0.5]
    """

    name: str = "object_detection_recall"
    rate = "Recall"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ObjectDetectionMaxRecall(SingleClass):
    """Share of the labelled boxes of a class that are detected with any score above 0.

    From 0 to 1, higher is better; NaN without labelled boxes.

    >>> from benison.data.batch import Ragged
    >>> truth = Ragged(np.array([[0, 0, 2, 2, 1], [6, 6, 8, 8, 1.0]]), np.array([0, 2]))
    >>> found = Ragged(np.array([[0, 0, 2, 2, 1, 0.4], [4, 4, 5, 5, 1, 0.8]]), np.array([0, 2]))
    >>> ObjectDetectionMaxRecall(class_id=1).of(Inputs(truth, found))
    0.5
    """

    name: str = "object_detection_max_recall"

    def statistics(self) -> tuple[Statistic[Any], ...]:
        return (BoxScores(self.rule, ThresholdCells((LEAST_SCORE,))),)

    def result(self, state: DetectionScores) -> Array:
        return recalls_of(state)


LEAST_SCORE = 1e-12
"""Detections of a score up to here stand for none, as padding does; as in TFMA."""


def recalls_of(state: DetectionScores) -> Array:
    """Recall at the only threshold of `ThresholdCells`: float64[S * K]; NaN without labelled boxes."""
    matrix = matrix_of(state.scores)
    return RATES["Recall"].formula(
        dataclasses.replace(matrix, fn=matrix.fn + state.missed[:, None])
    )[:, 0]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ObjectDetectionPrecisionAtRecall(SingleClass, PrecisionAtRecall):
    """Highest precision at a threshold of the score whose recall is at least `recall`; 0 if none is.

        max TP / (TP + FP) over thresholds with TP / P >= recall

    From 0 to 1, higher is better; NaN without labelled boxes. 0 and not NaN when the recall is out of reach,
    because boxes that are not detected at all are found at no threshold.

    >>> from benison.data.batch import Ragged
    >>> truth = Ragged(np.array([[0, 0, 2, 2, 1], [6, 6, 8, 8, 1.0]]), np.array([0, 2]))
    >>> found = Ragged(np.array([[0, 0, 2, 2, 1, 0.4], [4, 4, 5, 5, 1, 0.8]]), np.array([0, 2]))
    >>> ObjectDetectionPrecisionAtRecall([0.5, 1], class_id=1).of(Inputs(truth, found))
    [0.5, 0.0]
    """

    name: str = "object_detection_precision_at_recall"
    unreached = 0.0

    def __post_init__(self) -> None:
        SingleClass.__post_init__(self)
        PrecisionAtRecall.__post_init__(self)

    def statistics(self) -> tuple[Statistic[Any], ...]:
        return (BoxScores(self.rule, PrecisionAtRecall.statistics(self)[0]),)

    def curves(self, state: DetectionScores) -> Iterator[Curve]:
        return detection_curves(PrecisionAtRecall.curves(self, state.scores), state)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ObjectDetectionThresholdAtRecall(SingleClass, ThresholdAtRecall):
    """Highest threshold of the score at which recall is at least `recall`; NaN if none is.

        max t with TP(t) / P >= recall

    In the unit of the scores; neither end is good; NaN without labelled boxes.

    >>> from benison.data.batch import Ragged
    >>> truth = Ragged(np.array([[0, 0, 2, 2, 1], [6, 6, 8, 8, 1.0]]), np.array([0, 2]))
    >>> found = Ragged(np.array([[0, 0, 2, 2, 1, 0.4], [4, 4, 5, 5, 1, 0.8]]), np.array([0, 2]))
    >>> ObjectDetectionThresholdAtRecall(0.5, class_id=1).of(Inputs(truth, found))
    0.4
    """

    name: str = "object_detection_threshold_at_recall"

    def __post_init__(self) -> None:
        SingleClass.__post_init__(self)
        ThresholdAtRecall.__post_init__(self)

    def statistics(self) -> tuple[Statistic[Any], ...]:
        return (BoxScores(self.rule, ThresholdAtRecall.statistics(self)[0]),)

    def curves(self, state: DetectionScores) -> Iterator[Curve]:
        return detection_curves(ThresholdAtRecall.curves(self, state.scores), state)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ObjectDetectionConfusionMatrixPlot(SingleClass, ConfusionMatrixPlot):
    """The confusion matrix of the boxes of a class at many thresholds of the score.

    The columns and points of ConfusionMatrixPlot. A true negative is a wrong detection whose score is not
    above the threshold; a labelled box that nothing detects is a false negative at each.
    """

    def __post_init__(self) -> None:
        SingleClass.__post_init__(self)
        ConfusionMatrixPlot.__post_init__(self)

    def statistics(self) -> tuple[Statistic[Any], ...]:
        return (BoxScores(self.rule, ConfusionMatrixPlot.statistics(self)[0]),)

    def result(self, state: Any) -> dict[str, Array]:
        matrix = ConfusionMatrixPlot.result(self, state.scores)
        missed = state.missed[:, None]
        counts = {
            name: column + 0 * missed for name, column in matrix.items() if name != "threshold"
        }
        counts["false_negatives"] = counts["false_negatives"] + missed
        return {"threshold": matrix["threshold"], **counts}


for _rate in (
    ObjectDetectionMaxRecall,
    ObjectDetectionPrecision,
    ObjectDetectionPrecisionAtRecall,
    ObjectDetectionRecall,
):
    register(_rate.__name__, _rate, About.of(_rate, HIGHER, 0, 1))
register("ObjectDetectionConfusionMatrixPlot", ObjectDetectionConfusionMatrixPlot)
register(
    "ObjectDetectionThresholdAtRecall",
    ObjectDetectionThresholdAtRecall,
    About.of(ObjectDetectionThresholdAtRecall),
)
