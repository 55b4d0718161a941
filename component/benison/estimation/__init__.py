# SPDX-License-Identifier: Apache-2.0
"""Estimates how good a model is where labels are missing: all of them, or all but a few."""

from benison.estimation.estimates import EstimatedMetric, EstimateReport
from benison.estimation.prediction_powered import PoweredMean, prediction_powered_mean
from benison.estimation.without_labels import estimate

__all__ = [
    "EstimatedMetric",
    "EstimateReport",
    "PoweredMean",
    "estimate",
    "prediction_powered_mean",
]
