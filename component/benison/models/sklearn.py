# SPDX-License-Identifier: Apache-2.0
"""Loads scikit-learn estimators from pickles, if the user says that they are trusted."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benison.errors import MissingExtraError, ModelError
from benison.models.calls import BatchedCalls, in_order
from benison.models.classes import Classes, classes_of
from benison.models.estimator_columns import EstimatorColumns, first_step
from benison.models.matrix import cause
from benison.models.predictor import LoadOptions, Outputs, Predictor

# Each call validates its input, which takes milliseconds; a forest allocates an array for each tree.
CALL_ROWS = 2**16
# What gives scores, in order of preference.
_SCORES = ("predict_proba", "decision_function")


# What has a predict(), and is no estimator: by library, the class, which the module of that name calls.
BOOSTERS = {"catboost": "CatBoost", "lightgbm": "Booster", "xgboost": "Booster"}


def load(path: Path, options: LoadOptions) -> Predictor:
    """The estimator in a pickle."""
    estimator = _unpickle(path, options.trust_pickle)
    return of_object(f"The estimator in {path}", estimator, options)


def of_object(title: str, model: Any, options: LoadOptions) -> Predictor:
    """What calls a fitted estimator, or a booster, which is called as one of its file is."""
    library = type(model).__module__.partition(".")[0]
    if BOOSTERS.get(library) == type(model).__name__:
        module = importlib.import_module(f"benison.models.{library}")
        predictor: Predictor = module.of_booster(title, model, options)
        return predictor
    return SklearnPredictor(title, model, options)


class SklearnPredictor:
    """An estimator: its probabilities, else its decision function, else its predictions."""

    takes_examples = False

    def __init__(self, title: str, estimator: Any, options: LoadOptions) -> None:
        self._title, self.estimator = title, estimator
        if not hasattr(estimator, "predict"):
            raise ModelError(
                f"{title} is a {type(estimator).__name__}, which has no predict(); expected a "
                f"fitted scikit-learn estimator."
            )
        self._taken = EstimatorColumns.of(title, estimator, options.names)
        if not self._taken.names:
            raise ModelError(f"{title} {_nameless(estimator)}")
        self._calls = BatchedCalls(options.rows or CALL_ROWS)
        self.columns: tuple[str, ...] | None = self._taken.names
        self.classes = self._classes()

    def _classes(self) -> dict[str, Classes]:
        """The classes of which the output has the scores; none if it is numbers of the label's own."""
        known = classes_of(getattr(self.estimator, "classes_", None))
        if len(known) == 1:
            raise ModelError(
                f"{self._title} was fitted on rows of one class, {known[0]!r}. Fit it on "
                f"rows of all classes."
            )
        scored = any(hasattr(self.estimator, name) for name in _SCORES)
        return {"output": known} if known and (scored or isinstance(known[0], str)) else {}

    def predict(self, features: pa.RecordBatch, serialized: pa.Array | None) -> Outputs:
        """One output, "output": the probability of the second of two classes, or of each class."""
        frame = self._taken.frame(features)
        try:
            return self._calls.run(
                features.num_rows,
                lambda part: {"output": self._scores(self._fed(frame.iloc[part]))},
            )
        except Exception as error:  # an estimator is anyone's code
            raise ModelError(
                f"{self._title} fails on the data: {cause(error)}{self._taken.doubt}"
            ) from error

    def _fed(self, frame: Any) -> Any:
        """What the estimator was fitted on: a data frame or an array."""
        return frame.reset_index(drop=True) if self._taken.is_frame else frame.to_numpy()

    def _scores(self, frame: Any) -> Any:
        classes = self.classes.get("output", ())
        name = next((name for name in _SCORES if hasattr(self.estimator, name)), None)
        if name is None:
            predicted = self.estimator.predict(frame)
            places = {label: i for i, label in enumerate(classes)}
            predicted = in_order(predicted, len(frame))
            return np.array([places[x] for x in predicted.ravel()]) if classes else predicted
        scores = in_order(getattr(self.estimator, name)(frame), len(frame))
        if classes and scores.ndim == 2 and scores.shape[1] != len(classes):
            raise ModelError(
                f"{name} gives {scores.shape[1]} scores for {len(classes)} classes; make it give one for "
                f"each, as an SVC does with decision_function_shape='ovr'."
            )
        of_two = name == "predict_proba" and scores.ndim == 2 and scores.shape[1] == 2
        return scores[:, 1] if of_two else scores


def _nameless(estimator: Any) -> str:
    """What an estimator lacks that does not know its columns, and the cure."""
    first = first_step(estimator)
    if not hasattr(first, "analyzer"):  # as those have that make numbers of texts
        return (
            "does not know the names of its features. Name them in their order as feature_keys in "
            "model_specs; or fit it on a pandas DataFrame, so that each feature can be found in the data."
        )
    kind = type(first).__name__
    return (
        f"takes texts by themselves, so that nothing says which column they are. Fit it on a "
        f"pandas DataFrame with ColumnTransformer([('text', {kind}(), 'NAME OF THE COLUMN')]) in place of "
        f"{kind}(), or put its predictions into the data and name their column as prediction_key."
    )


def _unpickle(path: Path, trust_pickle: bool) -> Any:
    if not trust_pickle:
        raise ModelError(
            f"{path} is a pickle, and loading a pickle runs whatever code is in it. If you trust where "
            f"it comes from, say so: --trust-pickle (trust_pickle=True)."
        )
    try:
        import joblib
    except ImportError as error:
        raise MissingExtraError("scikit-learn", "sklearn") from error
    try:
        return joblib.load(path)
    except ModuleNotFoundError as error:
        raise ModelError.from_missing_module(str(path), error.name) from error
    except Exception as error:  # a pickle may raise anything
        raise ModelError(f"{path} cannot be unpickled: {error}{_of_a_script(error)}") from error


def _of_a_script(error: Exception) -> str:
    """The cure for what was defined in the program that wrote the pickle, which no other program has."""
    if not isinstance(error, AttributeError) or "__main__" not in str(error):
        return ""
    return (
        ". It was defined in the script or notebook that wrote the pickle: put it into a module, write the "
        "pickle anew, and name the folder of the module: --module-path (module_path=)"
    )
