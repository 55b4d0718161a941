# SPDX-License-Identifier: Apache-2.0
"""Precision and recall of predicted sets, such as the tags of a picture, whose classes are not known before.

The label is a text, a number or a list of these. Predicted classes and their scores are lists in the order of
the prediction, best first: outputs of the model, or columns of the data. Names, parameters and values are
TFMA's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from math import inf
from typing import ClassVar

import numpy as np
import pyarrow as pa  # noqa: F401 - for the examples

from benison.data.batch import Array, Inputs  # noqa: F401 - Inputs is for the examples
from benison.metrics.base import Metric
from benison.metrics.confusion import RATES, as_thresholds, ascending, matrix_of
from benison.metrics.parameters import MOST, check_count
from benison.metrics.registry import HIGHER, About, register
from benison.metrics.statistics.cells import Cells
from benison.metrics.statistics.set_pairs import SetPairs


@dataclasses.dataclass(frozen=True)
class SetMatch(Metric):
    """A rate of the pairs of a row and a class, each of which is labelled, predicted or both.

    A class that is labelled and predicted above the threshold is a true positive, one that is only labelled a
    false negative, one that is only predicted a false positive. From 0 to 1, higher is better; NaN where the
    rate divides by 0, and where the classes of a row are missing. Rows without a label are left out; an empty
    list of labels is no label.

    Columns of the data are the same for every model, so that only models that are called have a baseline.

    Attributes:
        thresholds: A class with a score above it counts as predicted; 0.5, and -inf with `top_k`.
        top_k: How many classes of a row count, the first ones as they stand; None for all.
        prediction_class_key: The output or column of the predicted classes.
        prediction_score_key: That of their scores; "" where all are sure.
        class_key: The column of the classes that `weight_key` weighs; "" for the labels.
        weight_key: The column of weights of classes, by which those of a row are multiplied.
        name: The metric's name in the results.
    """

    rate: ClassVar[str]  # the line of `RATES`

    thresholds: float | Sequence[float] | None = None
    top_k: int | None = None
    prediction_class_key: str = "classes"
    prediction_score_key: str = "scores"
    class_key: str = ""
    weight_key: str = ""
    name: str = ""
    accepts = frozenset({"text", "ragged"})
    needs_prediction = False
    predicts_by_columns = True

    def __post_init__(self) -> None:
        check_count("top_k", self.top_k, MOST, least=1)
        default = 0.5 if self.top_k is None else -inf
        above = default if self.thresholds is None else self.thresholds
        object.__setattr__(self, "thresholds", as_thresholds(above))
        if not self.prediction_class_key:
            raise ValueError("prediction_class_key must name the column of the predicted classes")
        if self.class_key and not self.weight_key:
            raise ValueError("class_key says of which classes weights are; name them as weight_key")

    def statistics(self) -> tuple[SetPairs]:
        columns = (self.prediction_class_key, self.prediction_score_key)
        thresholds = ascending(self.thresholds or ())
        return (SetPairs(thresholds, *columns, self.top_k, self.class_key, self.weight_key),)

    def result(self, cells: Cells) -> Array:
        values = RATES[self.rate].formula(matrix_of(cells))
        given = as_thresholds(self.thresholds or ())
        if len(given) == 1:
            return values[:, 0]
        return values[:, np.searchsorted(ascending(given), given)]


@dataclasses.dataclass(frozen=True)
class SetMatchPrecision(SetMatch):
    """Share of the predicted classes that are among the labels, over all rows; from 0 to 1, higher is better.

        TP / (TP + FP)

    NaN where nothing is predicted above the threshold. Rows count by their classes: one with ten of them
    counts ten times as much as one with a single one. The columns and parameters are those of `SetMatch`; the
    metric and its values are TFMA's of that name.

    >>> columns = {"classes": [["cat", "sun"]], "scores": [[0.9, 0.8]]}
    >>> rows = Inputs(pa.array(["cat"]), np.zeros(1), batch=pa.record_batch(columns))
    >>> SetMatchPrecision().of(rows)
    0.5
    """

    name: str = "set_match_precision"
    rate = "Precision"


@dataclasses.dataclass(frozen=True)
class SetMatchRecall(SetMatch):
    """Share of the labels that are among the predicted classes, over all rows; from 0 to 1, higher is better.

        TP / (TP + FN)

    NaN without labels. With `top_k` it is the share of the labels among the first classes of each row. The
    columns and parameters are those of `SetMatch`; the metric and its values are TFMA's of that name.

    >>> columns = {"classes": [["cat", "sun"]], "scores": [[0.9, 0.8]]}
    >>> rows = Inputs(pa.array(["cat"]), np.zeros(1), batch=pa.record_batch(columns))
    >>> SetMatchRecall().of(rows)
    1.0
    """

    name: str = "set_match_recall"
    rate = "Recall"


for _metric in (SetMatchPrecision, SetMatchRecall):
    register(_metric.__name__, _metric, About.of(_metric, HIGHER, 0, 1))
