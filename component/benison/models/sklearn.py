# SPDX-License-Identifier: Apache-2.0
"""This file is scikit-learn estimators: pickles, which are loaded only when the user trusts them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benison.errors import DataError, MissingExtraError, ModelError


class SklearnPredictor:
    """An estimator: its probabilities, else its decision function, else its predictions."""

    wants_input = False

    def __init__(self, path: Path, trust_pickle: bool) -> None:
        self.path = path
        self._estimator = _unpickle(path, trust_pickle)
        names = getattr(self._estimator, "feature_names_in_", None)
        if names is None:
            raise ModelError(
                f"The estimator in {path} does not know the names of its features. Fit it on a pandas "
                f"DataFrame, so that each feature can be found in the data."
            )
        self.columns: tuple[str, ...] | None = tuple(map(str, names))

    def predict(
        self, features: pa.RecordBatch, serialized: pa.Array | None
    ) -> dict[str, npt.NDArray[np.generic]]:
        """One output, "output": the probability of the second of two classes, or of each class."""
        assert self.columns is not None
        for column in self.columns:
            if column not in features.schema.names:
                raise DataError.from_missing_column(column, features.schema.names, "The data")
        frame = features.select(list(self.columns)).to_pandas()
        estimator = self._estimator
        if hasattr(estimator, "predict_proba"):
            scores = np.asarray(estimator.predict_proba(frame))
            return {"output": scores[:, 1] if scores.shape[1] == 2 else scores}
        call = getattr(estimator, "decision_function", None) or estimator.predict
        return {"output": np.asarray(call(frame))}


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
        raise ModelError(
            f"{path} needs the module {error.name!r}, which is not installed."
        ) from error
    except Exception as error:  # a pickle may raise anything
        raise ModelError(f"{path} cannot be unpickled: {error}") from error
