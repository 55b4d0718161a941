# SPDX-License-Identifier: Apache-2.0
"""Loads XGBoost's model files: JSON and UBJSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benison.errors import MissingExtraError
from benison.models.matrix import MatrixPredictor, as_matrix, unreadable
from benison.models.predictor import LoadOptions


def load(path: Path, options: LoadOptions) -> MatrixPredictor:
    """The booster in a file: its probabilities, or whatever its objective makes of the margin."""
    try:
        import xgboost as xgb
    except ImportError as error:
        raise MissingExtraError("XGBoost", "xgboost") from error
    title = f"The XGBoost model {path}"
    try:
        booster = xgb.Booster()
        booster.load_model(bytearray(path.read_bytes()))
    except xgb.core.XGBoostError as error:
        raise unreadable(title, error) from error
    return of_booster(title, booster, options)


def of_booster(title: str, booster: Any, options: LoadOptions) -> MatrixPredictor:
    """What calls a booster in memory."""
    import xgboost as xgb

    names = tuple(booster.feature_names or options.names)
    types = booster.feature_types
    categories = categories_of(booster)
    trees = (0, _trees(booster))

    def matrix(features: pa.RecordBatch) -> npt.NDArray[Any]:
        return as_matrix(features, names, "float32", categories, refuse_unknown=True)

    def scores(table: npt.NDArray[Any]) -> Any:
        if not len(table):
            return np.zeros(0, np.float32)
        data = xgb.DMatrix(
            table,
            feature_names=booster.feature_names,
            feature_types=types,
            enable_categorical="c" in (types or ()),
        )
        return booster.predict(data, iteration_range=trees)

    return MatrixPredictor(title, names, matrix, scores, options)


def categories_of(booster: Any) -> dict[str, pa.Array]:
    """The values of each categorical feature; models written before XGBoost 3.1 do not store them."""
    if "c" not in (booster.feature_types or ()) or not hasattr(booster, "get_categories"):
        return {}
    known = booster.get_categories(export_to_arrow=True).to_arrow()
    return {name: values for name, values in known or () if values is not None}


def _trees(booster: Any) -> int:
    """The number of rounds to use, 0 for all.

    Like XGBoost itself: its scikit-learn estimators predict with the best iteration, a Booster with all.
    """
    of_estimator = booster.attr("scikit_learn") is not None
    best = booster.attr("best_iteration")
    return int(best) + 1 if of_estimator and best is not None else 0
