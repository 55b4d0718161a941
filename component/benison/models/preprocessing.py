# SPDX-License-Identifier: Apache-2.0
"""Preprocessing functions: what a SavedModel makes of raw features before it predicts."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benison.errors import ModelError, suggestion
from benison.models import Predictor
from benison.models.arrays import Input, as_examples, as_input, as_ragged
from benison.models.calls import Slices
from benison.models.matrix import fails
from benison.models.savedmodel import CALL_ROWS, load_graph, tensorflow

# Those that TFMA looks for when a config names none.
USUAL = ("transformed_features", "transformed_labels")


def is_path(name: str) -> bool:
    """Whether a name is the directory of a graph that TensorFlow Transform has written."""
    return "/" in name or os.sep in name


def functions_of(predictor: Predictor | None, names: Sequence[str]) -> list[Function]:
    """The functions of a model by name; those that are usual and there, when no name is given.

    A name is that of a signature or an attribute of the model, or the path of a transform graph.

    Raises:
        ModelError: The model has no function of a name.
    """
    model = getattr(predictor, "saved_model", None)
    found = []
    for name in names or (USUAL if model is not None else ()):
        function = _of_graph(Path(name)) if is_path(name) else _named(model, name)
        if function is not None:
            found.append(Function(name, *function))
        elif names:
            known = sorted(model.signatures) if model is not None else ()
            raise ModelError(
                f"{name!r} of preprocessing_function_names is neither a signature nor a function of the "
                f"model. {suggestion(name, known) if known else 'Only SavedModels have some.'}"
            )
    return found


def _of_graph(path: Path) -> tuple[Any, Any]:
    """The function of a directory that TensorFlow Transform has written."""
    for folder in (path / "transform_fn", path):
        if (folder / "saved_model.pb").is_file():
            graph = load_graph(folder)
            if function := _named(graph, "transform_fn"):
                return function
    raise ModelError(
        f"{path}, named in preprocessing_function_names, is no transform graph: it has no "
        f"transform_fn/saved_model.pb. Give the directory that TensorFlow Transform wrote."
    )


def _named(model: Any, name: str) -> tuple[Any, Any] | None:
    """What to call for a name, and the traced function that says what it takes."""
    if name in getattr(model, "signatures", ()):
        return model.signatures[name], model.signatures[name]
    function = getattr(model, name, None)
    # A layer is called as an object, and what was traced of it is its method.
    for call in (function, getattr(function, "__call__", None)):  # noqa: B004 - not whether, but which
        if hasattr(call, "structured_input_signature"):
            return call, call
        if traced := getattr(call, "concrete_functions", None):
            return call, traced[0]
    return None


class Function:
    """A function of features, dense or sparse, or of serialized tf.Examples; it makes features.

    Args:
        name: What its output is called, if that is not a dictionary.
        call: The function.
        traced: It, or a trace of it, with its signature.
    """

    def __init__(self, name: str, call: Any, traced: Any) -> None:
        self.name = name
        self._tf = tensorflow()
        self._function = call
        args, kwargs = traced.structured_input_signature
        self._positional = bool(args)
        self._specs: dict[str, Any] = _specs(name, args, kwargs)
        (first, *others) = self._specs.values()
        self.wants_input = bool(
            not others and first.dtype == self._tf.string and first.shape.rank == 1
        )
        self.columns: tuple[str, ...] | None = tuple(self._specs)
        self._slices = Slices(CALL_ROWS, self._tf.errors.ResourceExhaustedError)

    def transform(
        self, features: pa.RecordBatch, serialized: pa.Array | None
    ) -> dict[str, pa.Array]:
        """The features that it makes of N rows: each an Arrow array of values or of lists.

        What is sparse or ragged has lists of the values that are there, without padding.

        Raises:
            DataError: A feature is missing from the data, or has values that the function cannot take.
            ModelError: The function itself fails.
        """
        given = self._given(features, serialized)

        def call(part: slice) -> dict[str, pa.Array]:
            fed = {name: of(part) for name, of in given.items()}
            found = self._called(fed)
            outputs = found if isinstance(found, dict) else {self.name: found}
            rows = part.stop - part.start
            columns = {name: self._as_arrow(value, rows) for name, value in outputs.items()}
            return {name: column for name, column in columns.items() if column is not None}

        try:
            parts = self._slices.parts(features.num_rows, call)
        except (self._tf.errors.OpError, TypeError, ValueError) as error:
            raise fails(f"The preprocessing function {self.name!r}", error) from error
        return {name: pa.concat_arrays([part[name] for part in parts]) for name in parts[0]}

    def _called(self, fed: dict[str, Any]) -> Any:
        if not self._positional:
            return self._function(**fed)
        return self._function(fed.get("", fed))

    def _given(
        self, features: pa.RecordBatch, serialized: pa.Array | None
    ) -> dict[str, Callable[[slice], Any]]:
        """What gives an argument its tensor for some of the rows."""
        (name,) = self._specs if self.wants_input else ("",)
        if self.wants_input and name not in features.schema.names:
            return {name: lambda part: self._tf.constant(_examples(features, serialized, part))}
        return {name: self._feature(features, name, spec) for name, spec in self._specs.items()}

    def _feature(self, features: pa.RecordBatch, name: str, spec: Any) -> Callable[[slice], Any]:
        shape = None if spec.shape.rank is None else tuple(spec.shape.as_list()[1:])
        wanted = Input(name, spec.dtype.name, shape)
        if isinstance(spec, self._tf.TensorSpec):
            array = as_input(features, wanted)
            return lambda part: self._tf.constant(array[part])
        make = self._sparse if isinstance(spec, self._tf.SparseTensorSpec) else self._ragged
        return lambda part: make(*as_ragged(_rows(features, part), wanted))

    def _sparse(self, values: npt.NDArray[Any], lengths: npt.NDArray[np.int64]) -> Any:
        starts = np.cumsum(lengths) - lengths
        rows = np.repeat(np.arange(len(lengths)), lengths)
        places = np.arange(len(values)) - np.repeat(starts, lengths)
        shape = (len(lengths), int(lengths.max(initial=0)))
        return self._tf.SparseTensor(np.stack([rows, places], axis=1), values, shape)

    def _ragged(self, values: npt.NDArray[Any], lengths: npt.NDArray[np.int64]) -> Any:
        return self._tf.RaggedTensor.from_row_lengths(values, lengths)

    def _as_arrow(self, value: Any, rows: int) -> pa.Array | None:
        """An output as a column, or None if it has no row for each example."""
        if isinstance(value, self._tf.SparseTensor):
            lengths = np.bincount(value.indices.numpy()[:, 0], minlength=rows)
            return _lists(value.values.numpy(), lengths)
        if isinstance(value, self._tf.RaggedTensor):
            return _lists(value.flat_values.numpy(), value.row_lengths().numpy())
        array = value.numpy()
        if array.ndim not in (1, 2) or len(array) != rows:
            return None
        if array.ndim == 1:
            return pa.array(array)
        return _lists(array.reshape(-1), np.full(rows, array.shape[1]))


def _specs(name: str, args: Any, kwargs: Any) -> dict[str, Any]:
    """What a function takes by name; "" is its one argument that is not a dictionary."""
    (one,) = args or ({},)
    taken = dict(one) if isinstance(one, dict) else {"": one}
    text = not hasattr(taken.get("", None), "dtype") or taken[""].dtype.name == "string"
    if not {**taken, **kwargs} or args and kwargs or not text:
        raise ModelError(
            f"The preprocessing function {name!r} takes {args or 'nothing'}; expected named features, a "
            f"dictionary of them, or serialized tf.Examples."
        )
    return {**taken, **kwargs}


def _lists(values: npt.NDArray[Any], lengths: npt.NDArray[Any]) -> pa.Array:
    ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return pa.LargeListArray.from_arrays(ends, pa.array(values))


def _examples(features: pa.RecordBatch, serialized: pa.Array | None, part: slice) -> Any:
    if serialized is None:
        return as_examples(_rows(features, part))
    return _rows(serialized, part).to_numpy(zero_copy_only=False)


def _rows(data: Any, part: slice) -> Any:
    return data.slice(part.start, part.stop - part.start)
