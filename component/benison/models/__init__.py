# SPDX-License-Identifier: Apache-2.0
"""This file is the door to models: what a predictor is, and which leaf loads a path."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benison.errors import ModelError


class Predictor(Protocol):
    """A loaded model. It is used from one thread at a time.

    `columns` are the features that it reads, or None when that cannot be known; `wants_input` says
    that it reads the serialized tf.Examples instead.
    """

    columns: tuple[str, ...] | None
    wants_input: bool

    def predict(
        self, features: pa.RecordBatch, serialized: pa.Array | None
    ) -> dict[str, npt.NDArray[np.generic]]:
        """The model's outputs by name for N rows, each an array [N] or [N, C].

        Raises:
            DataError: A feature is missing from the data, or has values that the model cannot take.
            ModelError: The model itself fails.
        """


def load(
    path: str | os.PathLike[str], signature_name: str = "", trust_pickle: bool = False
) -> Predictor:
    """Load a model, whatever it is: a TensorFlow SavedModel, a Keras file, a scikit-learn pickle.

    Args:
        path: A directory with saved_model.pb (or one that TFX made, or one of numbered versions), or
            a file that ends in .keras, .pkl, .pickle or .joblib.
        signature_name: The signature of a SavedModel to call.
        trust_pickle: Unpickling runs code that the file holds; it is refused unless this is True.

    Raises:
        ModelError: There is no model there, or it cannot be loaded.
        MissingExtraError: The model's framework is not installed.
    """
    found = Path(path)
    if not found.exists():
        raise ModelError(f"There is no model at {found}.")
    ending = found.suffix.lower()
    if ending in (".pkl", ".pickle", ".joblib"):
        from benison.models import sklearn

        return sklearn.SklearnPredictor(found, trust_pickle)
    if ending == ".keras":
        from benison.models import keras

        return keras.KerasPredictor(found)
    from benison.models import savedmodel

    return savedmodel.SavedModelPredictor(savedmodel.locate(found), signature_name)


def in_slices(
    size: int, rows: int, call: Callable[[slice], dict[str, npt.NDArray[np.generic]]]
) -> dict[str, npt.NDArray[np.generic]]:
    """Call a model on `rows` rows, `size` at a time, and join its outputs."""
    parts = [call(slice(start, start + size)) for start in range(0, rows, size)]
    outputs = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return {name: _flat(output, rows, name) for name, output in outputs.items()}


def _flat(output: npt.NDArray[np.generic], rows: int, name: str) -> npt.NDArray[np.generic]:
    """[N, 1] as [N]."""
    if len(output) != rows or output.ndim not in (1, 2):
        raise ModelError(
            f"Output {name!r} of the model has the shape {output.shape} for {rows} rows; predictions "
            f"have one row for each example."
        )
    return output[:, 0] if output.ndim == 2 and output.shape[1] == 1 else output
