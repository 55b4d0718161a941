# SPDX-License-Identifier: Apache-2.0
"""This file is TensorFlow SavedModels: a signature called on serialized tf.Examples or named features."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from benison import models
from benison.errors import DataError, MissingExtraError, ModelError, suggestion

# Rows in one call: large enough that the call itself costs nothing, small enough for any memory.
CALL_ROWS = 4096


def tensorflow() -> Any:
    """TensorFlow, without its remarks on the processor; raises MissingExtraError."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with _silenced():
            import tensorflow as tf
    except ImportError as error:
        raise MissingExtraError("TensorFlow", "tensorflow") from error
    return tf


@contextmanager
def _silenced() -> Iterator[None]:
    """Without what native code writes to stderr before its log level counts; exceptions still pass."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def locate(path: Path) -> Path:
    """The SavedModel in a directory: itself, TFX's Format-Serving, or the newest numbered version.

    Raises:
        ModelError: There is none.
    """
    versions = sorted((p for p in _folders(path) if p.name.isdigit()), key=lambda p: int(p.name))
    for folder in (path, path / "Format-Serving", *reversed(versions)):
        if (folder / "saved_model.pb").is_file():
            return folder
    held = (
        ", ".join(sorted(p.name for p in path.iterdir())[:5]) if path.is_dir() else "it is a file"
    )
    raise ModelError(
        f"{path} is not a model: there is no saved_model.pb in it (it holds: {held or 'nothing'}). Give "
        f"a SavedModel directory, or a .keras, .pkl or .joblib file."
    )


def _folders(path: Path) -> list[Path]:
    return [p for p in path.iterdir() if p.is_dir()] if path.is_dir() else []


class SavedModelPredictor:
    """One signature of a SavedModel."""

    def __init__(self, path: Path, signature_name: str) -> None:
        self.path = path
        self._tf = tensorflow()
        try:
            self._model = self._tf.saved_model.load(str(path))
        except Exception as error:  # TensorFlow raises whatever its parser does
            raise ModelError(
                f"The SavedModel {path} cannot be loaded: {str(error).strip()[:300]}"
            ) from error
        self._call = self._signature(signature_name)
        _, inputs = self._call.structured_input_signature
        self._inputs: dict[str, Any] = inputs
        self._call_rows = CALL_ROWS
        self.wants_input = self._reads_serialized()
        self.columns: tuple[str, ...] | None = () if self.wants_input else tuple(inputs)

    def _signature(self, name: str) -> Any:
        known = list(self._model.signatures)
        wanted = name or next((n for n in ("predict", "serving_default", *known) if n in known), "")
        if wanted not in known:
            what = f"no signature {name!r}" if name else "no signature"
            raise ModelError(f"The SavedModel {self.path} has {what}. {suggestion(name, known)}")
        return self._model.signatures[wanted]

    def _reads_serialized(self) -> bool:
        """One string vector is serialized tf.Examples, by TensorFlow Serving's convention."""
        specs = list(self._inputs.values())
        return len(specs) == 1 and specs[0].dtype == self._tf.string and specs[0].shape.rank == 1

    def predict(
        self, features: pa.RecordBatch, serialized: pa.Array | None
    ) -> dict[str, npt.NDArray[np.generic]]:
        """The outputs of the signature."""
        arguments = self._arguments(features, serialized)
        try:
            return self._predict(arguments, features.num_rows)
        except self._tf.errors.ResourceExhaustedError as error:
            if self._call_rows == 1:
                raise ModelError(
                    f"{self.path} does not fit into memory even for one row."
                ) from error
            self._call_rows //= 2
            return self.predict(features, serialized)
        except self._tf.errors.OpError as error:
            raise ModelError(
                f"{self.path} fails on the data: {str(error.message).strip()[:300]}"
            ) from error

    def _predict(
        self, arguments: dict[str, npt.NDArray[Any]], rows: int
    ) -> dict[str, npt.NDArray[np.generic]]:
        def call(part: slice) -> dict[str, npt.NDArray[np.generic]]:
            tensors = {name: self._tf.constant(array[part]) for name, array in arguments.items()}
            return {name: tensor.numpy() for name, tensor in self._call(**tensors).items()}

        return models.in_slices(self._call_rows, rows, call)

    def _arguments(self, features: pa.RecordBatch, serialized: pa.Array | None) -> dict[str, Any]:
        if not self.wants_input:
            return {
                name: self._argument(name, spec, features) for name, spec in self._inputs.items()
            }
        if serialized is None:
            raise DataError(
                f"The signature of {self.path} takes serialized tf.Examples, which only TFRecord files "
                f"hold. Evaluate TFRecord files, or choose a signature that takes named features."
            )
        (name,) = self._inputs
        return {name: serialized.to_numpy(zero_copy_only=False)}

    def _argument(self, name: str, spec: Any, features: pa.RecordBatch) -> Any:
        if name not in features.schema.names:
            raise DataError.from_missing_column(name, features.schema.names, "The data")
        column = features.column(name)
        array = _as_array(column, name, spec.dtype.as_numpy_dtype, spec.dtype == self._tf.string)
        rank = spec.shape.rank
        return array[:, None] if rank == 2 and array.ndim == 1 else array


def _as_array(column: pa.Array, name: str, dtype: Any, is_text: bool) -> npt.NDArray[Any]:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    width = None
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
        if len(set(lengths.tolist())) > 1:
            raise DataError(
                f"Feature {name!r} does not have the same number of values in every row."
            )
        width, column = int(lengths[0]), pc.list_flatten(column)
    if column.null_count and not np.issubdtype(dtype, np.floating):
        raise DataError(
            f"Feature {name!r} is missing in {column.null_count:,} rows, and the model takes "
            f"{'text' if is_text else np.dtype(dtype)} there, which has no missing value. Fill it."
        )
    array: npt.NDArray[Any] = column.to_numpy(zero_copy_only=False)
    try:
        array = array.astype(object if is_text else dtype)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"Feature {name!r} is {column.type}; the model takes {np.dtype(dtype)}."
        ) from error
    return array if width in (None, 1) else array.reshape(-1, width)
