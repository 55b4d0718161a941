# SPDX-License-Identifier: Apache-2.0
"""What the metrics of a plan read by name of a model's labels and predictions, or as columns of the data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benison.engine.plan import Plan
from benison.metrics.base import Statistic


def label_columns(plan: Plan, model: str) -> set[str]:
    """Names of labels: fields of a column of structs, or columns."""
    return {name for statistic in _of(plan, model) for name in statistic.label_columns()}


def prediction_columns(plan: Plan, model: str) -> set[str]:
    """Names of predictions: outputs of the model, fields of a column of structs, or columns."""
    return {name for statistic in _of(plan, model) for name in statistic.prediction_columns()}


def optional_columns(plan: Plan) -> set[str]:
    """All that metrics read where the data have it."""
    named = (
        of(plan, model) for model in plan.outputs for of in (label_columns, prediction_columns)
    )
    return plan.optional_columns.union(*named)


def _of(plan: Plan, model: str) -> Iterator[Statistic[Any]]:
    return (statistic for view, statistic in plan.slots if view.model == model)
