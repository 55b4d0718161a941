# SPDX-License-Identifier: Apache-2.0
"""The curves and confusion matrices of an evaluation, as Kubeflow's web page draws them; without kfp."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np

import benison
from benison.results.overall import of_candidates, overall

MAX_POINTS = 101  # of a curve: the store of Kubeflow's web page keeps them, and the report has all
SLICE_POINTS = 21
MAX_CELLS = 2_500  # of a matrix
SLICE_CELLS = 400
MAX_SLICES = 50
_CLASSES = ("actual_class_id", "predicted_class_id")
_RATES = ("true_negatives", "false_positives", "false_negatives", "true_positives")


def curves(result: benison.EvalResult) -> dict[str, Any]:
    """The first ROC curve and the confusion matrix of the plots over all examples.

    The matrix is that of the classes, where there is one, else that of the curve at 0.5.
    """
    return _first_of_each(overall(result, result.plots), MAX_POINTS, MAX_CELLS)


def sliced_curves(result: benison.EvalResult) -> dict[str, Any]:
    """The same of each slice, up to 50 of them, as kfp's SlicedClassificationMetrics has them."""
    by_name: dict[str, list[Mapping[str, Any]]] = {}
    for row in of_candidates(result, result.plots):
        if row["slice_key"]:
            by_name.setdefault(_name(row), []).append(row)
    parts = (
        (name, _first_of_each(rows, SLICE_POINTS, SLICE_CELLS)) for name, rows in by_name.items()
    )
    slices = ({"slice": name, "sliceClassificationMetrics": each} for name, each in parts if each)
    shown = list(islice(slices, MAX_SLICES))
    return {"evaluationSlices": shown} if shown else {}


def _name(row: Mapping[str, Any]) -> str:
    """A slice, and the model and the class where there are several."""
    return ", ".join(filter(None, (row["slice"], row["model"], row["output"], row["sub_key"])))


def _first_of_each(rows: Iterable[Mapping[str, Any]], points: int, cells: int) -> dict[str, Any]:
    """What kfp's ClassificationMetrics holds of the plots of some rows; nothing of other plots."""
    plots = [{name: np.array(v) for name, v in dict(row["columns"]).items()} for row in rows]
    curve = next(filter(None, (_curve(plot, points) for plot in plots)), {})
    return curve | next(filter(None, (_classes(plot, cells) for plot in plots)), {})


def _curve(columns: Mapping[str, Any], points: int) -> dict[str, Any]:
    """A ROC curve, and the matrix at 0.5; nothing of rows of one class alone."""
    if not {*_RATES} <= columns.keys() or {*_CLASSES} <= columns.keys():
        return {}
    tn, fp, fn, tp = (columns[name] for name in _RATES)
    if not (tp[0] + fn[0] > 0 and fp[0] + tn[0] > 0):
        return {}
    thresholds = columns["threshold"]
    shown = np.unique(np.linspace(0, len(thresholds) - 1, points).round().astype(int))
    rates = (thresholds[shown], (tp / (tp + fn))[shown], (fp / (fp + tn))[shown])
    half = int(np.abs(thresholds - 0.5).argmin())
    matrix = [[float(cell[half]) for cell in cells] for cells in ((tn, fp), (fn, tp))]
    shown_matrix = _matrix(("negative", "positive"), matrix)
    return {"confidenceMetrics": list(_points(*rates)), "confusionMatrix": shown_matrix}


def _classes(columns: Mapping[str, Any], most: int) -> dict[str, Any]:
    """How many rows of each class are taken for each other one, at the lowest threshold of the plot.

    Rows are the labelled classes, and columns the predicted; where no class is predicted, the last.
    """
    if not {*_CLASSES, "num_weighted_examples"} <= columns.keys():
        return {}
    lowest = columns["threshold"] == columns["threshold"].min()
    weights = columns["num_weighted_examples"][lowest]
    size = int(columns["actual_class_id"].max()) + 1
    if not np.isfinite(weights).all() or size**2 > most:
        return {}
    missed, *taken = weights.reshape(size, size + 1).T
    rows, names = np.array(taken).T, [str(number) for number in range(size)]
    if missed.any():
        names.append("none")
        rows = np.vstack([np.column_stack([rows, missed]), np.zeros(size + 1)])
    return {"confusionMatrix": _matrix(names, rows.tolist())}


def _points(*rates: Any) -> Iterator[dict[str, float]]:
    fields = ("confidenceThreshold", "recall", "falsePositiveRate")
    for values in zip(*(each.tolist() for each in rates), strict=True):
        yield dict(zip(fields, values, strict=True))


def _matrix(names: Sequence[str], rows: list[list[float]]) -> dict[str, Any]:
    return {
        "annotationSpecs": [{"displayName": name} for name in names],
        "rows": [{"row": row} for row in rows],
    }
