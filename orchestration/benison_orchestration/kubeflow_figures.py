# SPDX-License-Identifier: Apache-2.0
"""The curves and confusion matrices of an evaluation, as Kubeflow's web page draws them; without kfp."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np

import benison
from benison.results.overall import of_candidates, overall

MAX_POINTS = 101  # of a curve: the store of Kubeflow's web page keeps them, and the report has all
SLICE_POINTS = 21
MAX_SLICES = 50


def curves(result: benison.EvalResult) -> dict[str, Any]:
    """The ROC curve and the confusion matrix at 0.5 of the first plot over all examples that has them."""
    figures = (_figures(row, MAX_POINTS) for row in overall(result, result.plots))
    return next(filter(None, figures), {})


def sliced_curves(result: benison.EvalResult) -> dict[str, Any]:
    """The same of each slice, up to 50 of them, as kfp's SlicedClassificationMetrics has them."""
    rows = of_candidates(result, result.plots)
    parts = ((_name(row), _figures(row, SLICE_POINTS)) for row in rows if row["slice_key"])
    slices = ({"slice": name, "sliceClassificationMetrics": each} for name, each in parts if each)
    shown = list(islice(slices, MAX_SLICES))
    return {"evaluationSlices": shown} if shown else {}


def _name(row: Mapping[str, Any]) -> str:
    """A slice, and the model and the class where there are several."""
    return ", ".join(filter(None, (row["slice"], row["model"], row["output"], row["sub_key"])))


def _figures(row: Mapping[str, Any], points: int) -> dict[str, Any]:
    """What kfp's ClassificationMetrics holds; nothing for another plot, and for rows of one class alone."""
    columns = {name: np.array(values) for name, values in dict(row["columns"]).items()}
    if "true_positives" not in columns:
        return {}
    names = ("true_negatives", "false_positives", "false_negatives", "true_positives")
    tn, fp, fn, tp = (columns[name] for name in names)
    if not (tp[0] + fn[0] > 0 and fp[0] + tn[0] > 0):
        return {}
    thresholds = columns["threshold"]
    shown = np.unique(np.linspace(0, len(thresholds) - 1, points).round().astype(int))
    rates = (thresholds[shown], (tp / (tp + fn))[shown], (fp / (fp + tn))[shown])
    half = int(np.abs(thresholds - 0.5).argmin())
    matrix = [[float(cell[half]) for cell in cells] for cells in ((tn, fp), (fn, tp))]
    return {"confidenceMetrics": list(_points(*rates)), "confusionMatrix": _matrix(matrix)}


def _points(*rates: Any) -> Iterator[dict[str, float]]:
    fields = ("confidenceThreshold", "recall", "falsePositiveRate")
    for values in zip(*(each.tolist() for each in rates), strict=True):
        yield dict(zip(fields, values, strict=True))


def _matrix(rows: list[list[float]]) -> dict[str, Any]:
    return {
        "annotationSpecs": [{"displayName": "negative"}, {"displayName": "positive"}],
        "rows": [{"row": row} for row in rows],
    }
