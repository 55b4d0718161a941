# SPDX-License-Identifier: Apache-2.0
"""The F measure with a weight of recall against precision.

F1Score is a line of `benison.metrics.confusion`; this one has the weight as a parameter.
"""

from __future__ import annotations

import dataclasses
from math import inf

import numpy as np

from benison.data.batch import Array, Inputs  # noqa: F401 - Inputs is for the example
from benison.metrics.base import Statistic, ratio
from benison.metrics.binarized import Binarized
from benison.metrics.confusion import as_thresholds, matrix_of
from benison.metrics.registry import HIGHER, About, register
from benison.metrics.statistics.binary import ThresholdCells
from benison.metrics.statistics.cells import Cells


@dataclasses.dataclass(frozen=True)
class FBetaScore(Binarized):
    """Harmonic mean of precision and recall in which recall weighs beta^2; from 0 to 1, higher is better.

        (1 + beta^2) TP / ((1 + beta^2) TP + beta^2 FN + FP)

    NaN where nothing is or is predicted positive. For several classes ask for `binarize` or `aggregate`,
    which Keras calls `average`. Source: van Rijsbergen, "Information Retrieval", 1979, chapter 7.

    Attributes:
        beta: How many times as important recall is as precision; 1 is F1.
        threshold: A prediction above it is positive; 0.5 by default, and -inf with `top_k`.
        name: The metric's name in the results.

    >>> FBetaScore(beta=2.0).of(Inputs.of([1, 1, 0], [0.9, 0.2, 0.7]))
    0.5
    """

    beta: float = 1.0
    threshold: float | None = None
    name: str = "f_beta_score"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.beta > 0:
            raise ValueError(f"beta must be a number above 0, not {self.beta!r}")
        if self.threshold is not None:
            as_thresholds(self.threshold)

    def statistics(self) -> tuple[Statistic[Cells], ...]:
        by_default = 0.5 if self.top_k is None else -inf
        threshold = by_default if self.threshold is None else self.threshold
        return (ThresholdCells(as_thresholds(threshold)),)

    def result(self, cells: Cells) -> Array:
        m, square = matrix_of(cells), np.square(self.beta)
        hits = (1 + square) * m.tp
        return ratio(hits, hits + square * m.fn + m.fp)[:, 0]


register("FBetaScore", FBetaScore, About.of(FBetaScore, HIGHER, 0, 1))
