# SPDX-License-Identifier: Apache-2.0
"""Runs ONNX models with onnxruntime: inputs by name, or one matrix of all features."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benison.errors import DataError, MissingExtraError, ModelError
from benison.models.arrays import Input, as_input
from benison.models.calls import BatchedCalls
from benison.models.classes import Classes, classes_of, classes_of_graph
from benison.models.external import external_files
from benison.models.matrix import as_matrix, fails, unreadable
from benison.models.predictor import LoadOptions, Outputs

# Few enough that activations stay in the processor's cache.
CALL_ROWS = 2048

_TENSOR = re.compile(r"tensor\((\w+)\)")
# The two types whose names differ between ONNX and numpy.
_NUMPY = {"float": "float32", "double": "float64"}


def load(path: Path, options: LoadOptions) -> OnnxPredictor:
    """The model in a file, with the weights that lie beside it."""
    return OnnxPredictor(path, options)


class OnnxPredictor:
    """A graph whose inputs are named after the features, or whose one input [N, F] is all of them.

    The features of the one input are, in this order of preference: a column of the input's name that
    holds lists; those that the model's metadata list under `feature_names`, as JSON or with commas.
    """

    takes_examples = False

    def __init__(self, path: Path, options: LoadOptions) -> None:
        self.path = path
        self._title = f"The ONNX model {path}"
        self._session = _session(path, self._title)
        self._inputs = [_input(node, self._title) for node in self._session.get_inputs()]
        self._outputs = [node.name for node in self._session.get_outputs()]
        self._names = self._feature_names(options)
        self._known = classes_of_graph(path.read_bytes())
        self.classes: dict[str, Classes] = {}
        batch = _fixed_batch(self._session, self._title)
        self._calls = BatchedCalls(batch or options.rows or CALL_ROWS, fixed=bool(batch))
        names = tuple(wanted.name for wanted in self._inputs)
        # Whether the matrix is one column of lists or several columns depends on the data.
        self.columns = None if self._table() else names

    def _table(self) -> Input | None:
        """The model's only input, if it takes several numbers in each row."""
        first, *others = self._inputs or [Input("", "")]
        wide = first.shape is not None and len(first.shape) == 1 and first.shape[0] != 1
        return first if wide and not others and first.is_float else None

    def _feature_names(self, options: LoadOptions) -> tuple[str, ...]:
        text = self._session.get_modelmeta().custom_metadata_map.get("feature_names", "")
        try:
            named = json.loads(text)
        except ValueError:
            named = [name.strip() for name in text.split(",")] if text else []
        return tuple(map(str, named)) if isinstance(named, list) and named else options.names

    def predict(self, features: pa.RecordBatch, serialized: pa.Array | None) -> Outputs:
        """The outputs of the graph; the list of maps that scikit-learn's converter makes becomes a matrix."""
        arrays = self._arrays(features)

        def call(part: slice) -> dict[str, Any]:
            fed = {name: self._calls.fill(array[part]) for name, array in arrays.items()}
            outputs = zip(self._outputs, self._session.run(None, fed), strict=True)
            return {name: self._as_array(name, values) for name, values in outputs}

        try:
            fed = sum(array.nbytes for array in arrays.values())
            return self._calls.run(features.num_rows, call, fed)
        except Exception as error:  # onnxruntime's errors have no common base but this
            raise fails(self._title, error) from error

    def _as_array(self, name: str, values: Any) -> npt.NDArray[Any]:
        """An output; a list of maps from classes to scores becomes a matrix, its classes in order."""
        known = self._known
        if isinstance(values, list) and values and isinstance(values[0], dict):
            keys = sorted(values[0])
            known = classes_of(keys)
            values = [[row[key] for key in keys] for row in values]
        array = np.asarray(values)
        if known and array.ndim == 2 and array.shape[1] == len(known):  # noqa: PLR2004
            self.classes[name] = known
        return array

    def _arrays(self, features: pa.RecordBatch) -> dict[str, npt.NDArray[Any]]:
        table = self._table()
        if table is not None and table.name not in features.schema.names:
            return {table.name: self._matrix(table, features)}
        for wanted in self._inputs:
            if wanted.name not in features.schema.names:
                raise DataError(
                    f"Input {wanted.name!r} of {_lower(self._title)} is not a column of the data "
                    f"({', '.join(features.schema.names[:12])}). Name the inputs after the features."
                )
        return {i.name: _as_text(as_input(features, i), i.name) for i in self._inputs}

    def _matrix(self, table: Input, features: pa.RecordBatch) -> npt.NDArray[Any]:
        (width,) = table.shape or (None,)
        if not self._names:
            raise DataError(
                f"Input {table.name!r} of {_lower(self._title)} takes {width or 'several'} numbers, and the "
                f"data have no column of that name. Add one that holds lists, or list the features in the "
                f"model's metadata: feature_names = a JSON list in the order of the columns."
            )
        if width not in (None, len(self._names)):
            raise ModelError(
                f"{self._title} takes {width} numbers in its input {table.name!r}, and "
                f"{len(self._names)} features are named: {', '.join(self._names[:12])}."
            )
        return as_matrix(features, self._names, table.dtype)


def _session(path: Path, title: str) -> Any:
    try:
        import onnxruntime as ort
    except ImportError as error:
        raise MissingExtraError("onnxruntime", "onnx") from error
    external_files(path)  # refuses those outside of the folder
    options = ort.SessionOptions()
    options.log_severity_level = 3  # errors only
    wanted = ("CUDAExecutionProvider", "CPUExecutionProvider")
    providers = [name for name in wanted if name in ort.get_available_providers()]
    try:
        return ort.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # onnxruntime's errors have no common base but this
        raise unreadable(title, error) from error


def _input(node: Any, title: str) -> Input:
    matched = _TENSOR.fullmatch(node.type)
    if matched is None or not isinstance(node.shape, list):
        raise ModelError(
            f"{title} takes {node.type} in its input {node.name!r}; expected a tensor. Convert the model so."
        )
    dtype = _NUMPY.get(matched[1], matched[1])
    shape = tuple(n if isinstance(n, int) else None for n in node.shape[1:])
    return Input(node.name, dtype, shape if node.shape else None)


def _fixed_batch(session: Any, title: str) -> int:
    """The number of rows that every call must have, 0 where it is free."""
    rows = {node.shape[0] for node in session.get_inputs() if node.shape}
    fixed = {n for n in rows if isinstance(n, int)}
    if len(fixed) > 1:
        raise ModelError(
            f"{title} takes different numbers of rows in its inputs: {sorted(fixed)}. Export it with a "
            f"dynamic first axis."
        )
    return fixed.pop() if fixed else 0


def _as_text(array: npt.NDArray[Any], name: str) -> npt.NDArray[Any]:
    """Bytes as text, which is what onnxruntime takes."""
    if array.dtype != object:
        return array
    try:
        text = pa.array(array.ravel(), pa.large_binary()).cast(pa.large_string())
    except pa.ArrowInvalid as error:
        raise DataError(f"Feature {name!r} holds bytes that are not UTF-8 text.") from error
    plain: npt.NDArray[Any] = text.to_numpy(zero_copy_only=False)
    return plain.reshape(array.shape)


def _lower(title: str) -> str:
    return title[0].lower() + title[1:]
