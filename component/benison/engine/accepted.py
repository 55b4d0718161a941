# SPDX-License-Identifier: Apache-2.0
"""Checks that labels and predictions are of a kind that the metrics accept."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import pyarrow as pa

from benison.config import EvalConfig
from benison.data.batch import Inputs, Ragged
from benison.engine.views import View
from benison.errors import DataError
from benison.metrics.base import Metric
from benison.metrics.text import mixed_kinds

_CURES = {
    "text": "encode text as class numbers first, or ask for a metric of texts such as ExactMatch.",
    "boxes": "ask for a metric of boxes such as COCOMeanAveragePrecision.",
    "ragged": "these metrics need the same number of values in every row.",
}
_HOLDS = {"text": "text", "boxes": "lists of lists", "ragged": "lists of different lengths"}


def kind_of_inputs(inputs: Inputs) -> str:
    """What `Metric.accepts` calls labels and predictions: `text`, `ragged`, `boxes`, `classes` or `real`."""
    columns = (inputs.labels, inputs.predictions)
    ragged = [column for column in columns if isinstance(column, Ragged)]
    if ragged:
        has_boxes = any(getattr(column.values, "ndim", 1) == 2 for column in ragged)  # noqa: PLR2004
        return "boxes" if has_boxes else "ragged"
    if any(isinstance(column, pa.Array) for column in columns):
        return "text"
    return "classes" if inputs.predictions.ndim == 2 else "real"


def check_accepted(
    config: EvalConfig, view: View, inputs: Inputs, metrics: Iterable[Metric]
) -> None:
    """Refuse text or lists of different lengths where a metric takes numbers, and one column for two models.

    Raises:
        DataError: With the metric and the columns.
    """
    metrics = list(metrics)
    if len(config.model_specs) > 1 and inputs.features is not None and not inputs.is_called:
        own = inputs.prediction_parts
        made = () if own is None else own.schema.names
        _check_predicted({*inputs.features.schema.names} - {*made}, metrics)
    kind = kind_of_inputs(inputs)
    for metric in metrics if kind in _CURES else ():
        if kind not in metric.accepts:
            spec = next(spec for spec in config.model_specs if spec.name == view.model)
            names = (spec.label_key_for(view.output), spec.prediction_key_for(view.output))
            columns = " and ".join(repr(name) for name in names if name)
            holds = _HOLDS[kind]
            is_text = [isinstance(side, pa.Array) for side in (inputs.labels, inputs.predictions)]
            if kind == "text" and is_text == [True, False]:
                raise DataError(
                    f"{metric.name}: {mixed_kinds('labels', 'predictions', names[0] or '')}"
                )
            raise DataError(
                f"{metric.name} takes numbers, and {columns or 'the predictions'} hold {holds}: "
                f"{_CURES[kind]}"
            )


def _check_predicted(columns: Collection[str], metrics: Iterable[Metric]) -> None:
    for metric in metrics:
        named = (metric.prediction_column, *metric.prediction_names())
        for name in (name for name in named if name in columns):
            raise DataError(
                f"{metric.name} takes predictions from the column {name!r}, which is the same for every "
                "model; ask for it in a config of one model."
            )
