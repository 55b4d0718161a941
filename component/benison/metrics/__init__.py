# SPDX-License-Identifier: Apache-2.0
"""The catalogue of metrics. Importing this package registers every family."""

from __future__ import annotations

from benison.metrics import (
    classification,
    confusion,
    counts,
    curves,
    operating_points,
    plots,
    ranking,
    regression,
    text,
)
from benison.metrics.base import Metric, Statistic, ratio
from benison.metrics.registry import About, describe, from_config, register, registered

__all__ = [
    "About",
    "Metric",
    "Statistic",
    "classification",
    "confusion",
    "counts",
    "curves",
    "describe",
    "from_config",
    "operating_points",
    "plots",
    "ranking",
    "ratio",
    "register",
    "registered",
    "regression",
    "text",
]
