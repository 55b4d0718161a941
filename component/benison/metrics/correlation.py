# SPDX-License-Identifier: Apache-2.0
"""How near labels and predictions are to a straight line.

In formulas y is the label, p the prediction and w the weight of a row; sums run over the rows of a slice that
have a label.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from benison.data.batch import Array, Inputs  # noqa: F401 - Inputs is for the examples
from benison.metrics.base import Metric, Statistic, ratio
from benison.metrics.registry import HIGHER, About, register
from benison.metrics.statistics.sums import Arrays, Moments, spread


@dataclasses.dataclass(frozen=True)
class SquaredPearsonCorrelation(Metric):
    """Squared correlation of label and prediction, from 0 to 1, higher is better.

        r^2 = M_yp^2 / (M_yy M_pp),  M_ab = sum w (a - mean a) (b - mean b)

    1 for any straight line, even a falling one: it says nothing of bias or scale, R2Score does. NaN where the
    labels or the predictions of a slice do not vary beyond rounding.

    Source: Pearson, "Note on regression and inheritance in the case of two parents", Proceedings of the Royal
    Society of London 58, 1895.

    >>> SquaredPearsonCorrelation().of(Inputs.of([1.0, 2.0, 3.0], [2.0, 4.0, 6.0]))
    1.0
    """

    name: str = "squared_pearson_correlation"

    def statistics(self) -> tuple[Statistic[Arrays], ...]:
        return (Moments(),)

    def result(self, moments: Arrays) -> Array:
        n, mean_y, mean_p, yy, yp, pp = moments
        squared = ratio(yp, spread(n, mean_y, yy)) * ratio(yp, spread(n, mean_p, pp))
        return np.minimum(squared, 1.0)


@dataclasses.dataclass(frozen=True)
class PearsonCorrelation(SquaredPearsonCorrelation):
    """Correlation of label and prediction, from -1 to 1, higher is better.

        r = M_yp / sqrt(M_yy M_pp)

    1 for any rising straight line. NaN where the labels or the predictions of a slice do not vary beyond
    rounding. SpearmanCorrelation is that of ranks.

    >>> PearsonCorrelation().of(Inputs.of([1.0, 2.0, 3.0], [6.0, 4.0, 2.0]))
    -1.0
    """

    name: str = "pearson_correlation"

    def result(self, moments: Arrays) -> Array:
        return np.copysign(np.sqrt(super().result(moments)), moments[4])


@dataclasses.dataclass(frozen=True)
class ConcordanceCorrelation(Metric):
    """Agreement of label and prediction, from -1 to 1, higher is better: 1 where all are equal.

        2 M_yp / (M_yy + M_pp + sum w (mean y - mean p)^2)

    The correlation, made less by a bias and by another spread. NaN where neither labels nor predictions of a
    slice vary beyond rounding. Values are those of Keras for all rows of a slice as one batch.

    Source: Lin, "A concordance correlation coefficient to evaluate reproducibility", Biometrics 45, 1989.

    >>> ConcordanceCorrelation().of(Inputs.of([1.0, 2.0, 3.0], [2.0, 3.0, 4.0]))
    0.5714285714285714
    """

    name: str = "concordance_correlation"

    def statistics(self) -> tuple[Statistic[Arrays], ...]:
        return (Moments(),)

    def result(self, moments: Arrays) -> Array:
        n, mean_y, mean_p, yy, yp, pp = moments
        yy, pp = spread(n, mean_y, yy), spread(n, mean_p, pp)
        common = np.where((yy == 0) | (pp == 0), 0.0, 2 * yp)
        apart = np.where((yy == 0) & (pp == 0), 0.0, yy + pp + n * (mean_y - mean_p) ** 2)
        return ratio(common, apart)


register(
    "ConcordanceCorrelation",
    ConcordanceCorrelation,
    About.of(ConcordanceCorrelation, HIGHER, -1, 1),
)
register(
    "SquaredPearsonCorrelation",
    SquaredPearsonCorrelation,
    About.of(SquaredPearsonCorrelation, HIGHER, 0, 1),
)
register("PearsonCorrelation", PearsonCorrelation, About.of(PearsonCorrelation, HIGHER, -1, 1))
