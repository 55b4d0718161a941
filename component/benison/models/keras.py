# SPDX-License-Identifier: Apache-2.0
"""Loads Keras 3 files, whose named inputs are fed from the columns of the same names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from benison.errors import DataError, ModelError, suggestion
from benison.models.arrays import Input, as_input
from benison.models.calls import BatchedCalls
from benison.models.matrix import as_matrix
from benison.models.predictor import LoadOptions, Outputs
from benison.models.savedmodel import CALL_ROWS, tensorflow

# The names that Keras generates for inputs without a name.
_GENERATED_NAME = re.compile(r"(keras_tensor|input_layer)(_\d+)?")


def load(path: Path, options: LoadOptions) -> KerasPredictor:
    """The model in a .keras file."""
    return KerasPredictor(path, options)


class KerasPredictor:
    """A model file of Keras 3, whose inputs are named after the features."""

    takes_examples = False

    def __init__(self, path: Path, options: LoadOptions) -> None:
        self.path, self._features = path, options.names
        out_of_memory = tensorflow().errors.ResourceExhaustedError
        import keras

        try:
            self._model: Any = keras.models.load_model(path, compile=False)
        except Exception as error:  # Keras raises whatever its parser does
            raise ModelError(
                f"The Keras model {path} cannot be loaded: {str(error).strip()[:300]}"
            ) from error
        taken = getattr(self._model, "input", None)
        self._keys: dict[str, Any] | None = taken if isinstance(taken, dict) else None
        self._names = getattr(
            self._model, "output_names", ()
        )  # a Sequential has none, and one output
        self._inputs = self._named_inputs()
        batch = max((tensor.shape[0] or 0 for tensor in self._model.inputs), default=0)
        size = batch or options.rows or CALL_ROWS
        self._calls = BatchedCalls(size, out_of_memory, fixed=bool(batch))
        names = tuple(wanted.name for wanted in self._inputs)
        # With generated names all columns are read, so that the error can list them.
        self.columns = None if any(map(_GENERATED_NAME.fullmatch, names)) else names
        if self._is_matrix():
            self.columns = self._features

    def _is_matrix(self) -> bool:
        """Whether its one input is a vector of the features that the config lists."""
        shapes = [wanted.shape for wanted in self._inputs]
        return bool(self._features) and len(shapes) == 1 and len(shapes[0] or ()) == 1

    def _named_inputs(self) -> list[Input]:
        """The inputs by the names under which the model is called."""
        tensors = getattr(self._model, "inputs", None)
        if not tensors:
            raise ModelError(
                f"The Keras model {self.path} does not tell its inputs. Save it as a SavedModel with a "
                f"signature."
            )
        named = {tensor.name: tensor for tensor in tensors} if self._keys is None else self._keys
        return [Input(name, t.dtype, tuple(t.shape[1:])) for name, t in named.items()]

    def predict(self, features: pa.RecordBatch, serialized: pa.Array | None) -> Outputs:
        """The outputs of the model; a single one is called "output"."""
        arguments = self._arguments(features)

        def call(part: slice) -> dict[str, Any]:
            inputs: Any = {name: self._calls.fill(array[part]) for name, array in arguments.items()}
            if self._keys is None:
                inputs = list(inputs.values()) if len(inputs) > 1 else next(iter(inputs.values()))
            return _by_name(self._model.predict_on_batch(inputs), self._names)

        try:
            return self._calls.run(features.num_rows, call)
        except (TypeError, ValueError, RuntimeError) as error:
            text = str(error).strip()[:300]
            raise ModelError(f"The Keras model {self.path} fails on the data: {text}") from error

    def _arguments(self, features: pa.RecordBatch) -> dict[str, Any]:
        if not self._is_matrix():
            self._check_names(features)
            return {wanted.name: as_input(features, wanted) for wanted in self._inputs}
        (wanted,) = self._inputs
        (width,) = wanted.shape or (None,)
        if width not in (None, len(self._features)):
            raise ModelError(
                f"The Keras model {self.path} takes {width} numbers, and feature_keys in model_specs names "
                f"{len(self._features)} features."
            )
        return {wanted.name: as_matrix(features, self._features, wanted.dtype)}

    def _check_names(self, features: pa.RecordBatch) -> None:
        missing = [i.name for i in self._inputs if i.name not in features.schema.names]
        if missing:
            raise DataError(
                f"The data have no column {missing[0]!r}, which is an input of the Keras model {self.path}. "
                f"{suggestion(missing[0], features.schema.names)} Name the inputs after the features; or "
                f"list the features of a single vector in their order as feature_keys in model_specs; or "
                f"save the model as a SavedModel with a signature that has their names."
            )


def _by_name(outputs: Any, names: Sequence[str]) -> dict[str, Any]:
    if isinstance(outputs, dict):
        return outputs
    if isinstance(outputs, (list, tuple)):
        return dict(zip(names, outputs, strict=True))
    return {"output": outputs}
