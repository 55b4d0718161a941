# SPDX-License-Identifier: Apache-2.0
"""What a metric sees of a batch: of which model and output, weighted or not, as which class."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from benison.data.batch import Extracts, Inputs
from benison.errors import DataError


@dataclasses.dataclass(frozen=True)
class View:
    """How a metric sees the rows: of which model and output, weighted or not, as which class."""

    model: str
    output: str = ""
    weighted: bool = False
    class_id: int | None = None

    @property
    def sub_key(self) -> str:
        """`classId:1` for one class of several, else ""."""
        return "" if self.class_id is None else f"classId:{self.class_id}"

    def inputs(self, extracts: Extracts) -> Inputs:
        """The labels, predictions and weights of one batch.

        A row without a label weighs nothing, whatever the metric, and what weighs nothing may have
        any prediction. A missing prediction otherwise stays NaN and makes the values of its slices
        NaN, because a model that answers nothing is not a good one.
        """
        target = (self.model, self.output)
        predictions = extracts["predictions"][target]
        labels = extracts["labels"].get(target)
        weights = extracts.get("example_weights", {}).get(target) if self.weighted else None
        if labels is None:
            labels = np.zeros(len(predictions))
        labels, predictions = self._of_class(labels, predictions)
        missing = np.isnan(labels) if labels.ndim == 1 else np.isnan(labels).any(axis=1)
        if missing.any():
            weights = np.where(missing, 0.0, 1.0 if weights is None else weights)
            labels = np.nan_to_num(labels, nan=0.0)
        if weights is not None and not weights.all():
            weightless = weights == 0 if predictions.ndim == 1 else (weights == 0)[:, None]
            predictions = np.where(weightless, np.nan_to_num(predictions), predictions)
        return Inputs(labels, predictions, weights, extracts["features"])

    def _of_class(self, labels: Any, predictions: Any) -> tuple[Any, Any]:
        if self.class_id is None:
            return labels, predictions
        if predictions.ndim != 2 or self.class_id >= predictions.shape[1]:
            raise DataError(
                f"Class {self.class_id} of binarize.class_ids is not among the predictions of model "
                f"{self.model!r}, whose shape is {predictions.shape}."
            )
        if labels.ndim == 2:
            return labels[:, self.class_id], predictions[:, self.class_id]
        one_of_class = np.where(np.isnan(labels), np.nan, labels == self.class_id)
        return one_of_class, predictions[:, self.class_id]
