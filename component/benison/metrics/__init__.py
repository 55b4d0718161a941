# SPDX-License-Identifier: Apache-2.0
"""This file is the catalogue of metrics: importing it registers every family."""

from __future__ import annotations

from benison.metrics import calibration, confusion, counts, crossentropy, curves, regression
from benison.metrics.base import Metric, Statistic, from_config, ratio, register, registered

__all__ = [
    "Metric",
    "Statistic",
    "calibration",
    "confusion",
    "counts",
    "crossentropy",
    "curves",
    "from_config",
    "ratio",
    "register",
    "registered",
    "regression",
]
