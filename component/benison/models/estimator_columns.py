# SPDX-License-Identifier: Apache-2.0
"""Finds which columns a fitted estimator takes, and whether as a data frame or as an array.

scikit-learn keeps `feature_names_in_` in what was fitted on a data frame, and `n_features_in_` alone in what
was fitted on an array. A pipeline has those of its first step, and a step that anyone wrote may keep neither.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from benison.models import lightgbm, xgboost
from benison.models.arrays import as_frame
from benison.models.matrix import coded

# Where names are, with those that LightGBM and CatBoost make for columns without one.
_NAMES = {
    "feature_names_in_": r"Column_\d+",
    "feature_name_": r"Column_\d+",
    "feature_names_": r"\d+",
}
_NO_STEP = (None, "passthrough")
_GIVEN = (
    ". It was called with a pandas DataFrame of {names}, as nothing in it says that it was fitted on an "
    "array; if it was, begin its first step with numpy.asarray"
)
_OF_STEP = (
    ". It was called with {names}, on which one of its steps was fitted; if its first step takes other "
    "columns, name them in their order as feature_keys in model_specs"
)


@dataclasses.dataclass(frozen=True)
class EstimatorColumns:
    """The columns that an estimator takes.

    Attributes:
        names: In the order of its fit; none if nothing says which they are.
        is_frame: Whether it takes a data frame of them, else an array.
        doubt: What to add where it fails, if it keeps nothing of what it was fitted on.
        as_none: Columns whose missing text is None.
        categories: The values of columns that it was fitted on as categories of pandas.
        refuses_unknown: Whether a value that is none of the categories is an error; else it is missing.
    """

    names: tuple[str, ...]
    is_frame: bool
    doubt: str
    as_none: frozenset[str]
    categories: Mapping[str, pa.Array]
    refuses_unknown: bool

    @classmethod
    def of(cls, title: str, estimator: Any, given: Sequence[str]) -> EstimatorColumns:
        """What the estimator says of itself, else the names given, else what one of its steps says."""
        own = _names_of(estimator)
        of_step = next(filter(None, map(_names_of, _steps(estimator, set()))), ())
        names = own or tuple(given) or of_step
        is_frame = bool(of_step) or not hasattr(first_step(estimator), "n_features_in_")
        doubt = "" if own or not is_frame else _GIVEN if given else _OF_STEP
        trees = _trees_with_categories(title, estimator)
        return cls(
            names,
            is_frame,
            doubt.format(names=", ".join(names)),
            frozenset(_fitted_on_none(estimator, names, set())),
            {k: values for _, known in trees for k, values in known.items() if k in names},
            any(library == "xgboost" for library, _ in trees),
        )

    def frame(self, features: pa.RecordBatch) -> Any:
        """The columns as a pandas DataFrame, with the types of its fit.

        Raises:
            DataError: A column is not there, or has several values in a row, or none of the categories.
        """
        frame = as_frame(features, self.names, self.as_none)
        return frame.assign(**{name: self._categorical(features, name) for name in self.categories})

    def _categorical(self, features: pa.RecordBatch, name: str) -> Any:
        import pandas as pd

        known = self.categories[name]
        codes = coded(features, name, known, self.refuses_unknown).column(0).fill_null(-1)
        return pd.Categorical.from_codes(codes.to_numpy(zero_copy_only=False), known.to_pandas())


def first_step(estimator: Any) -> Any:
    """The part of an estimator that gets the data first."""
    first = getattr(estimator, "best_estimator_", estimator)
    while parts := getattr(first, "steps", None) or getattr(first, "transformer_list", None):
        first = next((part[1] for part in parts if part[1] not in _NO_STEP), None)
    return first


def _names_of(estimator: Any) -> tuple[str, ...]:
    """The names of the columns that it was fitted on, if it keeps them."""
    for attribute, generated in _NAMES.items():
        known = getattr(estimator, attribute, None)
        names = () if known is None else tuple(map(str, known))
        if not all(re.fullmatch(generated, name) for name in names):
            return names
    return ()


def _steps(step: Any, seen: set[int]) -> Iterator[Any]:
    """An estimator and all that it is made of, the first step first."""
    if id(step) in seen:
        return
    seen.add(id(step))
    parts: Iterable[Any] = step if isinstance(step, list | tuple) else ()
    if hasattr(step, "get_params"):
        yield step
        parts = vars(step).values()
    for part in parts:
        yield from _steps(part, seen)


def _trees_with_categories(title: str, estimator: Any) -> list[tuple[str, Mapping[str, pa.Array]]]:
    """The categories of each booster in it, with its library."""
    trees: list[tuple[str, Mapping[str, pa.Array]]] = []
    for step in _steps(estimator, set()):
        library = type(step).__module__.partition(".")[0]
        if library == "lightgbm" and step.__sklearn_is_fitted__():
            trees.append((library, lightgbm.categories_of(step.booster_, title)))
        elif library == "xgboost" and step.__sklearn_is_fitted__():
            trees.append((library, xgboost.categories_of(step.get_booster())))
    return [each for each in trees if each[1]]


def _fitted_on_none(step: Any, columns: Sequence[str], seen: set[int]) -> Iterator[str]:
    """The columns in which an encoder has None among its categories, as Parquet's missing text becomes.

    For an encoder None and NaN are two categories, of which the other is unknown.
    """
    if id(step) in seen:
        return
    seen.add(id(step))
    parts: Iterable[Any] = ()
    if isinstance(step, list | tuple):
        # A ColumnTransformer keeps the columns of a step beside it.
        parts, columns = step, next(filter(_are_names, step), columns)
    elif hasattr(step, "get_params"):
        parts = vars(step).values()
        yield from _of_encoder(step, columns)
    for part in parts:
        yield from _fitted_on_none(part, columns, seen)


def _are_names(part: Any) -> bool:
    return isinstance(part, list) and bool(part) and all(isinstance(name, str) for name in part)


def _of_encoder(step: Any, columns: Sequence[str]) -> Iterator[str]:
    categories = getattr(step, "categories_", None)
    known = categories if isinstance(categories, list) else []
    for i, values in enumerate(known):
        if any(value is None for value in values):
            yield from (columns[i],) if len(columns) == len(known) else columns
