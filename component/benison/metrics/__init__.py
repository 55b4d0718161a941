# SPDX-License-Identifier: Apache-2.0
"""The catalogue of metrics. Importing this package registers every family.

>>> describe("AUC").higher_is_better, describe("AUC").low, describe("AUC").high
(True, 0, 1)
>>> from_config("RecallAtPrecision", {"precision": 0.9}).name
'recall_at_precision'
"""

from __future__ import annotations

from benison.metrics import (
    brier,
    calibration_error,
    class_matrices,
    class_means,
    classification,
    coco,
    columns,
    confusion,
    correlation,
    counts,
    curves,
    disparities,
    fbeta,
    generation,
    groups,
    model_comparison,
    object_detection,
    operating_points,
    overlap,
    plots,
    query_counts,
    rank_correlation,
    ranking,
    regression,
    retrieval,
    row_means,
    row_samples,
    segmentation,
    separation,
    set_match,
    text,
)
from benison.metrics.base import Metric, Statistic, ratio
from benison.metrics.registry import About, describe, from_config, register, registered

__all__ = [
    "About",
    "Metric",
    "Statistic",
    "brier",
    "calibration_error",
    "class_matrices",
    "class_means",
    "classification",
    "coco",
    "columns",
    "confusion",
    "correlation",
    "counts",
    "curves",
    "describe",
    "disparities",
    "fbeta",
    "groups",
    "model_comparison",
    "object_detection",
    "from_config",
    "generation",
    "operating_points",
    "overlap",
    "plots",
    "query_counts",
    "rank_correlation",
    "ranking",
    "ratio",
    "register",
    "registered",
    "regression",
    "row_samples",
    "retrieval",
    "row_means",
    "segmentation",
    "separation",
    "set_match",
    "text",
]
