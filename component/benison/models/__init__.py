# SPDX-License-Identifier: Apache-2.0
"""This file is the door to models: what a predictor is, and which leaf loads a path."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benison.errors import ModelError

Outputs: TypeAlias = dict[str, npt.NDArray[np.generic]]

PICKLES = (".pkl", ".pickle", ".joblib")


class Predictor(Protocol):
    """A loaded model. It is used from one thread at a time.

    `columns` are the features that it reads, or None when that depends on the data; `wants_input`
    says that it reads the serialized tf.Examples where the data hold them, and then only those of its
    columns that there are; where the data do not, it reads everything.
    """

    columns: tuple[str, ...] | None
    wants_input: bool

    def predict(self, features: pa.RecordBatch, serialized: pa.Array | None) -> Outputs:
        """The model's outputs by name for N rows, each an array [N] or [N, C].

        Args:
            features: Any number of rows; the predictor itself calls the model on a few at a time.
            serialized: Arrow binary[N], the tf.Examples of those rows; None where there are none.

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
            a file that ends in .keras, .pkl, .pickle or .joblib, or a directory with one of these.
        signature_name: The signature of a SavedModel to call; "" is `predict`, if the model has it,
            else `serving_default`.
        trust_pickle: Unpickling runs code that the file holds; it is refused unless this is True.

    Raises:
        ModelError: There is no model there, or it cannot be loaded.
        MissingExtraError: The model's framework is not installed.
    """
    if not os.path.exists(path):
        raise ModelError(f"There is no model at {os.fspath(path)}. Give a path on this machine.")
    found = _file_in(Path(path))
    if found.suffix.lower() in PICKLES:
        from benison.models import sklearn

        return sklearn.SklearnPredictor(found, trust_pickle)
    if found.suffix.lower() == ".keras":
        from benison.models import keras

        return keras.KerasPredictor(found)
    from benison.models import savedmodel

    return savedmodel.SavedModelPredictor(savedmodel.locate(found), signature_name)


def _file_in(path: Path) -> Path:
    """The only model file in a directory, or the path itself."""
    if not path.is_dir() or (path / "saved_model.pb").exists():
        return path
    files = [file for file in path.iterdir() if file.suffix.lower() in (".keras", *PICKLES)]
    return files[0] if len(files) == 1 else path


class Slices:
    """Calls a model on `size` rows at a time; on half as many from where it runs out of memory."""

    def __init__(self, size: int, out_of_memory: type[Exception]) -> None:
        self.size = size
        self._out_of_memory = out_of_memory

    def run(self, rows: int, call: Callable[[slice], Mapping[str, Any]]) -> Outputs:
        """The joined outputs of `call`, which gets each slice of the rows in order.

        Raises:
            ModelError: One row alone is too much, or no output has one row for each example.
        """
        parts: list[Outputs] = []
        start = 0
        while start < rows or not parts:
            end = min(start + self.size, rows)
            try:
                parts.append(_of_examples(call(slice(start, end)), end - start))
            except self._out_of_memory as error:
                if self.size == 1:
                    raise ModelError("The memory does not even do for one row.") from error
                self.size //= 2
            else:
                start = end
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _of_examples(outputs: Mapping[str, Any], rows: int) -> Outputs:
    """The outputs that can be predictions, [N] or [N, C], with [N, 1] as [N].

    A model may well have others beside them, such as embeddings or the names of its classes.
    """
    arrays = {name: np.asarray(output) for name, output in outputs.items()}
    fit = {name: a for name, a in arrays.items() if a.ndim in (1, 2) and len(a) == rows}
    if not fit:
        shapes = ", ".join(f"{name!r} of shape {array.shape}" for name, array in arrays.items())
        raise ModelError(
            f"For {rows:,} rows the model returns {shapes or 'nothing'}; predictions have one row for "
            f"each example, and one number or a list of numbers in it."
        )
    return {name: a[:, 0] if a.ndim == 2 and a.shape[1] == 1 else a for name, a in fit.items()}
