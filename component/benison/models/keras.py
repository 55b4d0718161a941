# SPDX-License-Identifier: Apache-2.0
"""This file is Keras 3 model files: named inputs fed from the columns of their names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benison import models
from benison.errors import DataError, ModelError
from benison.models.savedmodel import CALL_ROWS, tensorflow


class KerasPredictor:
    """A model file of Keras 3, whose inputs are named after the features."""

    wants_input = False

    def __init__(self, path: Path) -> None:
        self.path = path
        keras = tensorflow().keras
        try:
            self._model: Any = keras.models.load_model(path, compile=False)
        except Exception as error:  # Keras raises whatever its parser does
            raise ModelError(
                f"The Keras model {path} cannot be loaded: {str(error).strip()[:300]}"
            ) from error
        self._inputs = {tensor.name: tensor for tensor in self._model.inputs}
        self.columns: tuple[str, ...] | None = tuple(self._inputs)

    def predict(
        self, features: pa.RecordBatch, serialized: pa.Array | None
    ) -> dict[str, npt.NDArray[np.generic]]:
        """The outputs of the model; a single one is called "output"."""
        arguments = {name: self._argument(name, features) for name in self._inputs}

        def call(part: slice) -> dict[str, npt.NDArray[np.generic]]:
            inputs: Any = {name: array[part] for name, array in arguments.items()}
            outputs = self._model.predict_on_batch(
                inputs if len(inputs) > 1 else next(iter(inputs.values()))
            )
            return _by_name(outputs, self._model.output_names)

        return models.in_slices(CALL_ROWS, features.num_rows, call)

    def _argument(self, name: str, features: pa.RecordBatch) -> npt.NDArray[np.float32]:
        if name not in features.schema.names:
            raise DataError(
                f"Input {name!r} of the Keras model {self.path} is not a column of the data. Name the "
                f"inputs after the features, or save the model as a SavedModel with a signature."
            )
        column = features.column(name)
        if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
            rows = [[np.nan] if row is None else row for row in column.to_pylist()]
            return np.asarray(rows, np.float32)
        return np.asarray(column.cast(pa.float32()).to_numpy(zero_copy_only=False))[:, None]


def _by_name(outputs: Any, names: list[str]) -> dict[str, npt.NDArray[np.generic]]:
    if isinstance(outputs, dict):
        return {name: np.asarray(output) for name, output in outputs.items()}
    if isinstance(outputs, (list, tuple)):
        return {name: np.asarray(output) for name, output in zip(names, outputs, strict=True)}
    return {"output": np.asarray(outputs)}
