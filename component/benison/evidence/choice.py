# SPDX-License-Identifier: Apache-2.0
"""Chooses how the sampling error of a metric is known: the tightest way that is right for it."""

from __future__ import annotations

from benison.evidence.area_errors import AreaEstimator
from benison.evidence.cell_errors import CellsEstimator
from benison.evidence.estimators import Estimator, is_number
from benison.evidence.moment_errors import MomentsEstimator
from benison.metrics.base import Metric


def estimator_of(metric: Metric, paired: bool, weighted: bool) -> Estimator | None:
    """How the error of a metric's values is known where rows are independent; None for not at all.

    Args:
        metric: The metric.
        paired: Whether the rows have the predictions of a baseline too.
        weighted: Whether rows have weights.
    """
    if not is_number(metric):
        return None
    if CellsEstimator.fits(metric):
        return CellsEstimator(metric, paired, weighted)
    if AreaEstimator.fits(metric):
        return AreaEstimator(metric, paired)
    if MomentsEstimator.fits(metric):
        return MomentsEstimator(metric, paired, weighted)
    from benison.evidence.polynomial_errors import PolynomialEstimator  # of use to few metrics
    from benison.evidence.rank_errors import RanksEstimator

    for kind in (PolynomialEstimator, RanksEstimator):
        if kind.fits(metric):
            return kind(metric, paired)
    return None
