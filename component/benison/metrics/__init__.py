# SPDX-License-Identifier: Apache-2.0
"""This file is the catalogue of metrics: importing it registers every family."""

from __future__ import annotations

from benison.metrics import (
    accuracy,
    calibration,
    confusion,
    counts,
    crossentropy,
    curves,
    plots,
    regression,
)
from benison.metrics.base import (
    About,
    Metric,
    Statistic,
    describe,
    from_config,
    ratio,
    register,
    registered,
)

__all__ = [
    "About",
    "Metric",
    "Statistic",
    "accuracy",
    "calibration",
    "confusion",
    "counts",
    "crossentropy",
    "curves",
    "describe",
    "from_config",
    "plots",
    "ratio",
    "register",
    "registered",
    "regression",
]
