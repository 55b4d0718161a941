# SPDX-License-Identifier: Apache-2.0
"""Calls models that are objects in memory: functions of a data frame, and fitted estimators."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa

from benison.errors import ModelError
from benison.models.arrays import as_whole_frame
from benison.models.calls import BatchedCalls
from benison.models.predictor import LoadOptions, Outputs, Predictor

CALL_ROWS = 2**16
_NATIVE = ("jax", "keras", "tensorflow", "tf_keras", "torch")


class InMemory(str):
    """What a model in memory is called, with the object itself; it stands where paths of models do.

    >>> InMemory(len)
    'len in memory'
    """

    model: Any

    def __new__(cls, model: Any) -> InMemory:
        name = getattr(model, "__qualname__", None) if callable(model) else None
        plain = name if name and name.isidentifier() else type(model).__name__
        made = super().__new__(cls, f"{plain} in memory")
        made.model = model
        return made


def is_model(value: Any) -> bool:
    """Whether an object in memory may be a model: it predicts, or can be called."""
    return hasattr(value, "predict") or callable(value)


def load_object(model: Any, options: LoadOptions) -> Predictor:
    """What calls an object in memory.

    Raises:
        ModelError: It takes no data frame.
    """
    kind = type(model)
    library = kind.__module__.partition(".")[0]
    if library in _NATIVE and not kind.__name__.startswith("function"):
        raise ModelError(_wrapped(kind.__name__, "tensors"))
    if hasattr(model, "predict"):
        from benison.models.sklearn import BOOSTERS, of_object

        if kind.__name__ == "Booster" and library not in BOOSTERS:
            raise ModelError(_wrapped(kind.__name__, "a matrix of its library's own"))
        return of_object(f"The {kind.__name__} in memory", model, options)
    return CallablePredictor(model, options)


def _wrapped(kind: str, takes: str) -> str:
    return (
        f"A {kind} takes {takes}, and nothing says which columns are in it. Give a function of a pandas "
        "DataFrame, such as model=lambda frame: network(frame[['a', 'b']].to_numpy('float32')); or save the "
        "model and give its path."
    )


class CallablePredictor:
    """A function of a pandas DataFrame that has all columns of the data."""

    takes_examples = False
    columns: tuple[str, ...] | None = None

    def __init__(self, function: Callable[[Any], Any], options: LoadOptions) -> None:
        self._function = function
        self._title = f"The function {InMemory(function).removesuffix(' in memory')}"
        self._calls = BatchedCalls(options.rows or CALL_ROWS)
        self.columns = options.names or None

    def predict(self, features: pa.RecordBatch, serialized: pa.Array | None) -> Outputs:
        """What the function returns: an array as "output", or its columns or items by their names."""
        frame = as_whole_frame(features, self.columns or features.schema.names)

        def call(part: slice) -> dict[str, Any]:
            return _outputs(self._function(frame.iloc[part].reset_index(drop=True)))

        try:
            return self._calls.run(features.num_rows, call)
        except Exception as error:  # anyone's code
            name = "" if isinstance(error, ModelError) else f"{type(error).__name__}: "
            text = f"{name}{str(error).strip()[:300]}"
            raise ModelError(f"{self._title} fails on the data: {text}") from error


def _outputs(returned: Any) -> dict[str, Any]:
    if isinstance(returned, Mapping):
        return {str(name): values for name, values in returned.items()}
    if hasattr(returned, "columns") and hasattr(returned, "to_numpy"):
        return {str(name): returned[name] for name in returned.columns}
    return {"output": returned}
