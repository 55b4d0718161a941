# SPDX-License-Identifier: Apache-2.0
"""Runs TFLite models with LiteRT, or with the interpreter that TensorFlow still contains."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benison.errors import MissingExtraError, ModelError, suggestion
from benison.models.arrays import Input, as_input
from benison.models.calls import BatchedCalls
from benison.models.graph_ops import check_flex_ops
from benison.models.matrix import fails, unreadable
from benison.models.predictor import LoadOptions, Outputs

CALL_ROWS = 8192

Details: TypeAlias = "dict[str, dict[str, Any]]"
Arrays: TypeAlias = "dict[str, npt.NDArray[Any]]"

# The name of an input tensor in files from before signatures, with TensorFlow's prefix and suffix.
_TENSOR = re.compile(r"(?:serving_default_)?(.+?)(?::\d+)?")


def load(path: Path, options: LoadOptions) -> TflitePredictor:
    """The model in a file."""
    return TflitePredictor(path, options)


class TflitePredictor:
    """One signature of a TFLite file; quantized inputs and outputs are converted from and to floats."""

    takes_examples = False

    def __init__(self, path: Path, options: LoadOptions) -> None:
        self.path = path
        self._title = f"The TFLite model {path}"
        interpreter = _interpreter(path, self._title, options.trust_ops)
        self._taken, self._given, self._run = self._signature(interpreter, options.signature_name)
        self._inputs = [_input(name, details) for name, details in self._taken.items()]
        batches = {
            int(_shape(details)[0]) for details in self._taken.values() if len(_shape(details))
        }
        batch = max(batches, default=-1)
        self._calls = BatchedCalls(
            batch if batch > 0 else options.rows or CALL_ROWS, fixed=batch > 0
        )
        self.columns: tuple[str, ...] | None = tuple(self._taken)

    def _signature(
        self, interpreter: Any, name: str
    ) -> tuple[Details, Details, Callable[[Arrays], Mapping[str, Any]]]:
        """What a signature takes and gives, each tensor by name, and how it is called."""
        known = sorted(interpreter.get_signature_list())
        if not known and not name:
            return _without_signature(interpreter)
        usual = [n for n in ("predict", "serving_default") if n in known]
        wanted = name or (usual or known)[0]
        if wanted not in known:
            raise ModelError(
                f"{self._title} has the signatures {', '.join(known) or '(none)'}, but no signature "
                f"{wanted!r}. {suggestion(wanted, known)}"
            )
        runner = interpreter.get_signature_runner(wanted)
        return (
            runner.get_input_details(),
            runner.get_output_details(),
            lambda arrays: runner(**arrays),
        )

    def predict(self, features: pa.RecordBatch, serialized: pa.Array | None) -> Outputs:
        """The outputs of the signature."""
        arrays = {
            i.name: _quantized(as_input(features, i), self._taken[i.name]) for i in self._inputs
        }

        def call(part: slice) -> dict[str, Any]:
            fed = {name: self._calls.fill(array[part]) for name, array in arrays.items()}
            return {
                name: _restored(np.array(values), self._given[name])
                for name, values in self._run(fed).items()
            }

        try:
            fed = sum(array.nbytes for array in arrays.values())
            return self._calls.run(features.num_rows, call, fed)
        except (RuntimeError, ValueError) as error:
            raise fails(self._title, error) from error


def _interpreter(path: Path, title: str, trust_ops: bool) -> Any:
    content = path.read_bytes()
    check_flex_ops(title, content, trust_ops)
    interpreter_class = _interpreters()
    try:
        with warnings.catch_warnings():
            # TensorFlow's interpreter announces its removal; LiteRT is preferred where it is installed.
            warnings.filterwarnings(
                "ignore", message=r"\s*Warning: tf.lite.Interpreter is deprecated"
            )
            return interpreter_class(model_content=content)
    except (RuntimeError, ValueError) as error:
        raise unreadable(title, error) from error


def _interpreters() -> Any:
    """The interpreter class that is installed, LiteRT's first."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        try:
            from tensorflow.lite.python.interpreter import Interpreter
        except ImportError as error:
            raise MissingExtraError("LiteRT", "tflite") from error
    return Interpreter


def _without_signature(
    interpreter: Any,
) -> tuple[Details, Details, Callable[[Arrays], Mapping[str, Any]]]:
    """Inputs, outputs and the call of a file from before signatures.

    Input names lose the prefix and suffix that TensorFlow adds to them.
    """
    taken = {_plain(tensor["name"]): tensor for tensor in interpreter.get_input_details()}
    given = {tensor["name"]: tensor for tensor in interpreter.get_output_details()}

    def run(arrays: Arrays) -> dict[str, Any]:
        for name, array in arrays.items():
            interpreter.resize_tensor_input(taken[name]["index"], array.shape)
        interpreter.allocate_tensors()
        for name, array in arrays.items():
            interpreter.set_tensor(taken[name]["index"], array)
        interpreter.invoke()
        return {name: interpreter.get_tensor(tensor["index"]) for name, tensor in given.items()}

    return taken, given, run


def _plain(tensor: str) -> str:
    matched = _TENSOR.fullmatch(tensor)
    return matched[1] if matched else tensor


def _shape(details: Mapping[str, Any]) -> Any:
    signature = details.get("shape_signature", ())
    return signature if len(signature) else details["shape"]


def _input(name: str, details: Mapping[str, Any]) -> Input:
    dtype = np.dtype(details["dtype"])
    shape = tuple(None if n < 0 else int(n) for n in _shape(details)[1:])
    if dtype.kind in "OSU":
        return Input(name, "string", shape)
    return Input(name, "float32" if _scale(details) else dtype.name, shape)


def _scale(details: Mapping[str, Any]) -> float:
    """The size of one step of a quantized tensor; 0 if the tensor is not quantized."""
    whole = np.dtype(details["dtype"]).kind in "iu"
    return float(details["quantization"][0]) if whole else 0.0


def _quantized(array: npt.NDArray[Any], details: Mapping[str, Any]) -> npt.NDArray[Any]:
    scale = _scale(details)
    if not scale:
        return array
    limits = np.iinfo(details["dtype"])
    steps = np.rint(array / scale) + details["quantization"][1]
    clipped: npt.NDArray[Any] = np.clip(steps, limits.min, limits.max).astype(details["dtype"])
    return clipped


def _restored(array: npt.NDArray[Any], details: Mapping[str, Any]) -> npt.NDArray[Any]:
    scale = _scale(details)
    if not scale:
        return array
    steps = array.astype(np.float32) - details["quantization"][1]
    return np.asarray(steps * np.float32(scale))
