# SPDX-License-Identifier: Apache-2.0
"""Loads CatBoost's own model files."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from benison.errors import MissingExtraError
from benison.models.matrix import unreadable
from benison.models.predictor import LoadOptions
from benison.models.sklearn import SklearnPredictor


def load(path: Path, options: LoadOptions) -> SklearnPredictor:
    """The model in a file: its probabilities, or its predictions where it is a regression."""
    try:
        import catboost
    except ImportError as error:
        raise MissingExtraError("CatBoost", "catboost") from error
    title = f"The CatBoost model {path}"
    try:
        classes = _loaded(catboost.CatBoost(), path).classes_
        kind = catboost.CatBoostClassifier if len(classes) else catboost.CatBoostRegressor
        estimator = _loaded(kind(), path)
    except catboost.CatBoostError as error:
        raise unreadable(title, error) from error
    return SklearnPredictor(title, estimator, options)


def of_booster(title: str, model: Any, options: LoadOptions) -> SklearnPredictor:
    """What calls a CatBoost in memory, which gives margins, as an estimator, which gives probabilities."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.cbm")
        model.save_model(str(path), format="cbm")
        estimator = load(path, options)
    return SklearnPredictor(title, estimator.estimator, options)


def _loaded(estimator: Any, path: Path) -> Any:
    estimator.load_model(str(path), format="cbm")
    return estimator
