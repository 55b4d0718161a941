# SPDX-License-Identifier: Apache-2.0
"""Metrics of rows of which few have labels: the calibrated score is the judge of all others."""

from __future__ import annotations

import numpy as np

from benison.data.batch import Array
from benison.estimation.expected_counts import CalibratedCells
from benison.estimation.prediction_powered import JudgedRows, PoweredMeans
from benison.estimation.ratios import ratio, shares_of


class PoweredShares:
    """The four shares of rows, from labels now and calibrated probabilities."""

    def __init__(self, known: CalibratedCells) -> None:
        above = known.is_above.astype(np.float64)
        judged = shares_of(known.probability, above)
        labelled = known.labelled_now
        rows = JudgedRows(
            np.hstack([shares_of(np.full(len(above), label), above) for label in (0.0, 1.0)]),
            np.hstack([judged, judged]),
            np.concatenate([labelled - known.positive_now, known.positive_now]),
        )
        others = known.rows - labelled
        self._means = PoweredMeans.of(rows, judged, others)
        self._wide = PoweredMeans.of(rows.joined(_pseudo(judged, labelled)), judged, others)

    def limits(self, metric: str, reach: float) -> tuple[float, float, float]:
        """A metric and the ends of its interval, by the delta method; NaN where it has none."""
        value, _ = ratio(metric, self._means.means)
        centre, slopes = ratio(metric, self._wide.means)
        with np.errstate(all="ignore"):
            error = reach * float(np.sqrt(slopes @ self._wide.covariance @ slopes))
        return value, min(value, centre - error), max(value, centre + error)


def _pseudo(judged: Array, labelled: Array) -> JudgedRows:
    """A row of each label on each side of the threshold, judged as labelled rows are on average.

    As after Agresti and Coull: that all labels of a few rows agree is no certainty.
    """
    labels, above = np.array([0.0, 1.0, 0.0, 1.0]), np.array([0.0, 0.0, 1.0, 1.0])
    probability = np.full(4, np.average(judged[2], weights=labelled))
    return JudgedRows(shares_of(labels, above), shares_of(probability, above), np.ones(4))
