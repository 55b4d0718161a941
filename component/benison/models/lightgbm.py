# SPDX-License-Identifier: Apache-2.0
"""Loads LightGBM's text model files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benison.errors import MissingExtraError, ModelError
from benison.models.matrix import MatrixPredictor, as_matrix, unreadable
from benison.models.predictor import LoadOptions

# The names that LightGBM generates for features without a name.
_GENERATED_NAME = re.compile(r"Column_\d+")


def load(path: Path, options: LoadOptions) -> MatrixPredictor:
    """The booster in a file: its probabilities, or whatever its objective makes of the margin."""
    try:
        import lightgbm as lgb
    except ImportError as error:
        raise MissingExtraError("LightGBM", "lightgbm") from error
    title = f"The LightGBM model {path}"
    try:
        booster = lgb.Booster(model_str=path.read_text(encoding="utf-8"))
    except (lgb.basic.LightGBMError, ValueError) as error:
        raise unreadable(title, error) from error
    return _predictor(title, booster, options)


def of_booster(title: str, booster: Any, options: LoadOptions) -> MatrixPredictor:
    """What calls a booster in memory."""
    return _predictor(title, _as_written(booster), options)


def _predictor(title: str, booster: Any, options: LoadOptions) -> MatrixPredictor:
    known = tuple(booster.feature_name())
    names = options.names if all(map(_GENERATED_NAME.fullmatch, known)) else known
    categories = _categories(booster, title)

    def matrix(features: pa.RecordBatch) -> npt.NDArray[Any]:
        return as_matrix(features, names, "float64", categories)

    def scores(table: npt.NDArray[Any]) -> Any:
        return booster.predict(table) if len(table) else np.zeros(0)

    return MatrixPredictor(title, names, matrix, scores, options)


def categories_of(booster: Any, title: str) -> dict[str, pa.Array]:
    """The values of each categorical column of a booster in memory, by its name."""
    return _categories(_as_written(booster), title)


def _as_written(booster: Any) -> Any:
    """The booster as its file has it, which says which columns are categories."""
    return type(booster)(model_str=booster.model_to_string())


def _categories(booster: Any, title: str) -> dict[str, pa.Array]:
    """The values of each categorical column of pandas; the model stores their indices only."""
    names = booster.feature_name()
    values_of = booster.pandas_categorical or []
    columns = booster.params.get("categorical_feature") or []
    if values_of and len(values_of) != len(columns):
        raise ModelError(
            f"{title} has the values of {len(values_of)} categories and {len(columns)} columns of "
            f"categories, so they cannot be matched. Train it with categorical_feature='auto'."
        )
    return {
        names[column]: pa.array(values) for column, values in zip(columns, values_of, strict=False)
    }
