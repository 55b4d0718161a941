# SPDX-License-Identifier: Apache-2.0
"""Calls preprocessing functions: functions of a SavedModel that make features before it predicts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benison.errors import ModelError, suggestion
from benison.models.arrays import Input, as_examples, as_input, as_ragged
from benison.models.calls import BatchedCalls
from benison.models.digest import unchanged
from benison.models.fetch import local_copy
from benison.models.graph_ops import parses_examples
from benison.models.matrix import fails
from benison.models.predictor import Predictor
from benison.models.savedmodel import CALL_ROWS, load_graph, tensorflow
from benison.models.text_functions import ColumnFunction, is_of_column, is_path

Digests: TypeAlias = "Mapping[str, Mapping[str, str]]"

# The names that TFMA looks for when a config names none.
USUAL = ("transformed_features", "transformed_labels")


def functions_of(
    predictor: Predictor | None,
    names: Sequence[str],
    trust_ops: bool = False,
    expected: Digests = MappingProxyType({}),
) -> list[Function | ColumnFunction]:
    """The functions of a model by name, or without names those of `USUAL` that the model has.

    A name is that of a signature or an attribute of the model, the path of a transform graph, whose files
    have the digests that are expected of it, if any are, or `function@column`.

    Raises:
        ModelError: The model has no function of a given name.
    """
    model = getattr(predictor, "saved_model", None)
    functions: list[Function | ColumnFunction] = []
    for name in names or (USUAL if model is not None else ()):
        if is_of_column(name):
            functions.append(ColumnFunction(name))
            continue
        function = (
            _of_graph(name, trust_ops, expected.get(name)) if is_path(name) else _named(model, name)
        )
        if function is not None:
            functions.append(Function(name, *function))
        elif names:
            known = sorted(model.signatures) if model is not None else ()
            raise ModelError(
                f"{name!r} of preprocessing_function_names is neither a signature nor a function of the "
                f"model. {suggestion(name, known) if known else 'Only SavedModels have some.'}"
            )
    return functions


def _of_graph(name: str, trust_ops: bool, expected: Mapping[str, str] | None) -> tuple[Any, Any]:
    """The function of a directory that TensorFlow Transform has written."""
    with local_copy(name) as path:
        for folder in (path / "transform_fn", path):
            if (folder / "saved_model.pb").is_file():
                with unchanged(path, expected):
                    graph = load_graph(folder, trust_ops)
                if function := _named(graph, "transform_fn"):
                    return function
    raise ModelError(
        f"{name}, named in preprocessing_function_names, is no transform graph: it has no "
        f"transform_fn/saved_model.pb. Give the directory that TensorFlow Transform wrote."
    )


def _named(model: Any, name: str) -> tuple[Any, Any] | None:
    """The callable of a name and its traced function, whose signature lists the inputs."""
    if name in getattr(model, "signatures", ()):
        return model.signatures[name], model.signatures[name]
    function = getattr(model, name, None)
    # A Keras layer is called as an object, but it is its `__call__` that was traced.
    for call in (function, getattr(function, "__call__", None)):  # noqa: B004 - not whether, but which
        if hasattr(call, "structured_input_signature"):
            return call, call
        if traced := getattr(call, "concrete_functions", None):
            return call, traced[0]
    return None


class Function:
    """A function from features (dense, sparse or ragged) or serialized tf.Examples to features.

    Args:
        name: The name of its output, if it does not return a dictionary.
        call: The function.
        traced: The function or a trace of it, with a `structured_input_signature`.
    """

    def __init__(self, name: str, call: Any, traced: Any) -> None:
        self.name = name
        self._tf = tensorflow()
        self._function = call
        args, kwargs = traced.structured_input_signature
        self._positional = bool(args)
        self._specs: dict[str, Any] = _specs(name, args, kwargs)
        (first, *others) = self._specs.values()
        is_single_text = not others and first.dtype == self._tf.string and first.shape.rank == 1
        self.takes_examples = bool(is_single_text and parses_examples(traced))
        if "" in self._specs and not self.takes_examples:
            raise ModelError(
                f"The preprocessing function {name!r} takes text without a name and does not parse it as "
                f"tf.Examples, so nothing says which column it is. Save the function as a signature."
            )
        self.columns: tuple[str, ...] | None = tuple(self._specs)
        self._calls = BatchedCalls(CALL_ROWS, self._tf.errors.ResourceExhaustedError)

    def transform(
        self, features: pa.RecordBatch, serialized: pa.Array | None
    ) -> dict[str, pa.Array]:
        """The features that the function makes for N rows: each an Arrow array of values or of lists.

        Sparse and ragged outputs become lists of their values, without padding.

        Raises:
            DataError: A feature is missing from the data, or has values that the function cannot take.
            ModelError: The function itself fails.
        """
        given = self._given(features, serialized)

        def call(part: slice) -> dict[str, pa.Array]:
            fed = {name: of(part) for name, of in given.items()}
            returned = self._called(fed)
            outputs = returned if isinstance(returned, dict) else {self.name: returned}
            rows = part.stop - part.start
            columns = {name: self._as_arrow(value, rows) for name, value in outputs.items()}
            return {name: column for name, column in columns.items() if column is not None}

        try:
            parts = self._calls.parts(features.num_rows, call)
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
        """For each argument, a function from a slice of the rows to its tensor."""
        (name,) = self._specs if self.takes_examples else ("",)
        if self.takes_examples and name not in features.schema.names:
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
        positions = np.arange(len(values)) - np.repeat(starts, lengths)
        shape = (len(lengths), int(lengths.max(initial=0)))
        return self._tf.SparseTensor(np.stack([rows, positions], axis=1), values, shape)

    def _ragged(self, values: npt.NDArray[Any], lengths: npt.NDArray[np.int64]) -> Any:
        return self._tf.RaggedTensor.from_row_lengths(values, lengths)

    def _as_arrow(self, value: Any, rows: int) -> pa.Array | None:
        """An output as a column, or None if it does not have one row for each example."""
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
    """The arguments of a function by name; "" is a single argument that is not a dictionary."""
    (argument,) = args or ({},)
    taken = dict(argument) if isinstance(argument, dict) else {"": argument}
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
