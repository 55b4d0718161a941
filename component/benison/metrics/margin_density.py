# SPDX-License-Identifier: Apache-2.0
"""How many predictions are near the threshold of the decision, which needs no labels."""

from __future__ import annotations

import dataclasses

import numpy as np

from benison.data.batch import Array, Inputs
from benison.errors import DataError
from benison.metrics.confusion import as_thresholds
from benison.metrics.parameters import not_negative
from benison.metrics.registry import About, register
from benison.metrics.row_means import PerRowMean


@dataclasses.dataclass(frozen=True)
class MarginDensity(PerRowMean):
    """Share of rows whose score is nearer to the threshold than the margin; from 0 to 1.

        sum w [t - m < p < t + m] / sum w

    What a model is unsure of is where a change of its data first shows, and labels are not needed to see it:
    `benison monitor --detector md3` watches it. Neither end is good. NaN without weight, and where a
    prediction is missing.

    Source: Sethi and Kantardzic, "On the reliable detection of concept drift from streaming unlabeled data",
    Expert Systems with Applications 82, 2017.

    Attributes:
        threshold: Of the decision, t, in the unit of the score: 0.5 of a probability, 0 of log-odds.
        margin: How near is near, m, in the unit of the score, from 0 up; by default what has probabilities
            of the two classes that differ by less than a half.
        name: The metric's name in the results.

    >>> MarginDensity().of(Inputs.of([1, 0, 1, 0], [0.9, 0.6, 0.3, 0.25]))
    0.5
    """

    threshold: float = 0.5
    margin: float = 0.25
    name: str = "margin_density"
    accepts = frozenset({"binary"})
    needs_label = False
    is_share = True

    def __post_init__(self) -> None:
        as_thresholds(self.threshold)
        not_negative("margin", self.margin)

    def __call__(self, inputs: Inputs) -> Array:
        scores = inputs.predictions
        if scores.ndim != 1:
            raise DataError(
                f"{self.name} needs one score in each row, and there are several. For several classes, "
                "choose them with binarize.class_ids in metrics_specs."
            )
        # Held against the ends, as 0.4 - 0.5 in floats is nearer than 0.1.
        is_near = (scores > self.threshold - self.margin) & (scores < self.threshold + self.margin)
        return np.where(np.isnan(scores), np.nan, is_near)


register("MarginDensity", MarginDensity, About.of(MarginDensity, None, 0, 1))
