# SPDX-License-Identifier: Apache-2.0
"""Calls a signature of a TensorFlow SavedModel, on serialized tf.Examples or on named features."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benison.data.values import is_text
from benison.errors import MissingExtraError, ModelError, suggestion, without_addresses
from benison.models.arrays import Input, as_examples, as_input
from benison.models.calls import BatchedCalls
from benison.models.graph_ops import check_ops, parses_examples
from benison.models.predictor import LoadOptions, Outputs

# Rows in one call: enough to amortize the call's overhead of a millisecond, few enough for any memory.
CALL_ROWS = 8192

_importing = threading.Lock()


def tensorflow() -> Any:
    """Import TensorFlow quietly; raises MissingExtraError."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Without this TensorFlow takes all memory of a GPU, on which others may be training.
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    try:
        with _importing, _silenced():
            import tensorflow as tf
    except ModuleNotFoundError as error:
        raise MissingExtraError("TensorFlow", "tensorflow") from error
    return tf


@contextmanager
def _silenced() -> Iterator[None]:
    """Discard what native code writes to stderr before TensorFlow's log level takes effect."""
    if "tensorflow" in sys.modules:
        yield
        return
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def load(path: Path, options: LoadOptions) -> SavedModelPredictor:
    """The SavedModel in a directory."""
    return SavedModelPredictor(path, options)


def load_graph(path: Path, trust_ops: bool = False) -> Any:
    """The SavedModel in a directory, as TensorFlow's object.

    Raises:
        ModelError: It cannot be loaded, or has ops that are not trusted.
    """
    tf = tensorflow()
    try:
        check_ops(path, trust_ops)
        return tf.saved_model.load(str(path))
    except ModelError:
        raise
    except Exception as error:  # TensorFlow raises whatever its parser does
        raise ModelError(f"The SavedModel {path} cannot be loaded: {_cause(error)}") from error


class SavedModelPredictor:
    """One signature of a SavedModel."""

    def __init__(self, path: Path, options: LoadOptions) -> None:
        self.path = path
        self._tf = tensorflow()
        self.saved_model = load_graph(path, options.trust_ops)
        try:
            self._call = self._signature(options.signature_name)
            _, specs = self._call.structured_input_signature
            self._inputs = [_input(name, spec) for name, spec in sorted(specs.items())]
            batch = fixed_batch(specs.values())
        except (AttributeError, TypeError, ValueError) as error:  # of what TensorFlow has loaded
            raise ModelError(
                f"The SavedModel {path} has no signature that can be called: {_cause(error)}. Save it "
                f"again with signatures."
            ) from error
        self._calls = BatchedCalls(
            batch or options.rows or CALL_ROWS,
            self._tf.errors.ResourceExhaustedError,
            fixed=bool(batch),
        )
        # One string vector that the graph parses, by TensorFlow Serving's convention, unless the data
        # have a column of its name. Text that it does not parse is a feature like any other.
        is_single_text = [(i.is_text, i.shape) for i in self._inputs] == [(True, ())]
        self.takes_examples = is_single_text and parses_examples(self._call)
        self.columns: tuple[str, ...] | None = tuple(i.name for i in self._inputs)

    def _signature(self, name: str) -> Any:
        known = sorted(self.saved_model.signatures)
        usual = [n for n in ("predict", "serving_default") if n in known]
        wanted = name or (usual or known or [""])[0]
        several = not name and not usual and len(known) > 1
        if several or wanted not in known:
            lacks = f"no signature {name!r}. {suggestion(name, known)}" if name else "no usual one."
            raise ModelError(
                f"The SavedModel {self.path} has the signatures {', '.join(known) or '(none)'}, but {lacks} "
                f"Say which one to call with signature_name in model_specs."
            )
        return self.saved_model.signatures[wanted]

    def predict(self, features: pa.RecordBatch, serialized: pa.Array | None) -> Outputs:
        """The outputs of the signature."""
        arguments = self._arguments(features, serialized)
        constant, fill = self._tf.constant, self._calls.fill

        def call(part: slice) -> dict[str, Any]:
            fed = {name: constant(fill(of(part))) for name, of in arguments.items()}
            return {name: self._array(tensor) for name, tensor in self._call(**fed).items()}

        try:
            return self._calls.run(features.num_rows, call)
        except (self._tf.errors.OpError, TypeError, ValueError) as error:
            raise ModelError(
                f"The SavedModel {self.path} fails on the data: {_cause(error)}"
            ) from error

    def _array(self, output: Any) -> npt.NDArray[Any]:
        """An output as an array: of a sparse one with its zeros, of a ragged one lists as objects [N].

        NumPy's own form of ragged ones is a matrix where the rows of a call happen to have one length.
        """
        if isinstance(output, self._tf.SparseTensor):
            output = self._tf.sparse.to_dense(output)
        if not isinstance(output, self._tf.RaggedTensor):
            return np.asarray(output.numpy())
        return np.fromiter(output.to_list(), object)

    def _arguments(
        self, features: pa.RecordBatch, serialized: pa.Array | None
    ) -> dict[str, Callable[[slice], npt.NDArray[Any]]]:
        """For each input, a function from a slice of the rows to its values.

        Serialized examples become Python objects slice by slice, while they are in the processor's cache.
        """
        if not self.takes_examples or _has_text(features, self._inputs[0].name):
            arrays = {wanted.name: as_input(features, wanted) for wanted in self._inputs}
            return {name: array.__getitem__ for name, array in arrays.items()}
        (wanted,) = self._inputs
        if serialized is None:
            return {wanted.name: lambda part: as_examples(_rows(features, part))}
        return {wanted.name: lambda part: _rows(serialized, part).to_numpy(zero_copy_only=False)}


def _rows(data: Any, part: slice) -> Any:
    return data.slice(part.start, part.stop - part.start)


def _cause(error: Exception) -> str:
    """The message of an error, without TensorFlow's own call stack around it."""
    noise = ("Graph execution error", "Detected at node", "<stack traces unavailable>", "[[{{")
    lines = [line.strip() for line in str(error).splitlines()]
    message_lines = [line for line in lines if line and not line.startswith(noise)]
    return without_addresses(" ".join(message_lines))[:300] or type(error).__name__


def fixed_batch(specs: Iterable[Any]) -> int:
    """The number of rows that every call of a signature must have, 0 where it is free."""
    rows = (spec.shape[0] for spec in specs if spec.shape.rank)
    return max((n for n in rows if n is not None), default=0)


def _input(name: str, spec: Any) -> Input:
    shape = None if spec.shape.rank is None else tuple(spec.shape.as_list()[1:])
    return Input(name, spec.dtype.name, shape)


def _has_text(features: pa.RecordBatch, name: str) -> bool:
    if name not in features.schema.names:
        return False
    kind = features.schema.field(name).type
    return is_text(getattr(kind, "value_type", kind))
