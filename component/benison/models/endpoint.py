# SPDX-License-Identifier: Apache-2.0
"""Calls a model on a server, by the V2 protocol of KServe or by the REST protocol of TensorFlow Serving."""

from __future__ import annotations

import json
import math
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benison.data.values import is_text
from benison.errors import DataError, ModelError, visible
from benison.models.arrays import Input, as_input
from benison.models.calls import BatchedCalls
from benison.models.descriptions import ModelDescription
from benison.models.matrix import as_matrix
from benison.models.predictor import LoadOptions, Outputs

# A body of a few megabytes.
CALL_ROWS = 4096

_TYPES = {
    "BOOL": "bool", "UINT8": "uint8", "UINT16": "uint16", "UINT32": "uint32", "UINT64": "uint64",
    "INT8": "int8", "INT16": "int16", "INT32": "int32", "INT64": "int64", "FP16": "float16",
    "FP32": "float32", "FP64": "float64", "BYTES": "string",
}  # fmt: skip


class EndpointPredictor:
    """A model on a server."""

    takes_examples = False

    def __init__(self, described: ModelDescription, options: LoadOptions) -> None:
        self._described, self._names = described, options.names
        self._base = described.url.rstrip("/")
        self._title = f"The model {described.model!r} at {self._base}"
        self._calls = BatchedCalls(options.rows or CALL_ROWS)
        self._is_v2 = described.protocol == "kserve-v2"
        self._inputs = self._named_inputs() if self._is_v2 else []
        names = described.columns or tuple(wanted.name for wanted in self._inputs)
        self.columns: tuple[str, ...] | None = self._names if self._is_matrix() else names

    def _is_matrix(self) -> bool:
        """Whether its one input is a vector of the features that the config lists."""
        return bool(self._names) and len(self._inputs) == 1

    def _named_inputs(self) -> list[Input]:
        """The inputs that the server says the model has."""
        about = self._asked(f"/v2/models/{self._described.model}", None)
        try:
            return [
                Input(i["name"], _TYPES[i["datatype"]], tuple(_length(n) for n in i["shape"][1:]))
                for i in about["inputs"]
            ]
        except (KeyError, TypeError) as error:
            raise ModelError(
                f"{self._title} does not name its inputs with their types: {error}."
            ) from error

    def predict(self, features: pa.RecordBatch, serialized: pa.Array | None) -> Outputs:
        """The outputs of the model."""
        arrays = self._arrays(features)
        call = self._v2 if self._is_v2 else self._tensorflow
        return self._calls.run(
            features.num_rows, lambda part: call({name: a[part] for name, a in arrays.items()})
        )

    def _arrays(self, features: pa.RecordBatch) -> dict[str, npt.NDArray[Any]]:
        if self._is_matrix():
            (wanted,) = self._inputs
            return {wanted.name: as_matrix(features, self._names, wanted.dtype)}
        known = {wanted.name: wanted for wanted in self._inputs}
        names = self.columns or ()
        return {
            name: as_input(features, known.get(name) or _by_data(features, name)) for name in names
        }

    def _v2(self, arrays: dict[str, npt.NDArray[Any]]) -> dict[str, Any]:
        types = {dtype: name for name, dtype in _TYPES.items()}
        inputs = [
            {
                "name": name,
                "shape": list(array.shape),
                "datatype": "BYTES" if array.dtype == object else types[array.dtype.name],
                "data": _plain(array, name).ravel().tolist(),
            }
            for name, array in arrays.items()
        ]
        answer = self._asked(f"/v2/models/{self._described.model}/infer", {"inputs": inputs})
        try:
            outputs = {o["name"]: np.reshape(o["data"], o["shape"]) for o in answer["outputs"]}
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"{self._title} answers with no outputs: {error}.") from error
        return outputs

    def _tensorflow(self, arrays: dict[str, npt.NDArray[Any]]) -> dict[str, Any]:
        inputs = {name: _plain(array, name).tolist() for name, array in arrays.items()}
        path = f"/v1/models/{self._described.model}:predict"
        outputs = self._asked(path, {"inputs": inputs}).get("outputs", {})
        named = outputs if isinstance(outputs, dict) else {"output": outputs}
        return {name: np.asarray(values) for name, values in named.items()}

    def _asked(self, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        """The answer of the server, which is an object."""
        url = f"{self._base}{path}"
        if not url.startswith(("http://", "https://")):
            raise ModelError(
                f"{url} is no address of a server; it begins with http:// or https://."
            )
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, content, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=self._described.timeout_seconds) as answer:
                if content is not None and answer.url != url:  # asked for there, without the rows
                    raise ModelError(f"{self._title} redirects to {answer.url}; give that address.")
                parsed = json.loads(answer.read())
        except urllib.error.HTTPError as error:
            text = visible(error.read().decode(errors="replace")[:300])
            raise ModelError(
                f"{self._title} refuses ({error.code}): {text or error.reason}"
            ) from error
        except ModelError:
            raise
        except (OSError, HTTPException, ValueError) as error:
            raise ModelError(f"{self._title} cannot be asked at {url}: {error}.") from error
        if not isinstance(parsed, dict):
            raise ModelError(f"{self._title} answers with something else than an object.")
        return parsed


def _length(number: Any) -> int | None:
    return None if int(number) < 0 else int(number)


def _by_data(features: pa.RecordBatch, name: str) -> Input:
    """An input of the type that its column has."""
    if name not in features.schema.names:
        return Input(name, "float64")
    kind = features.schema.field(name).type
    inner = kind.value_type if pa.types.is_nested(kind) or pa.types.is_dictionary(kind) else kind
    if is_text(inner):
        return Input(name, "string")
    return Input(name, "int64" if pa.types.is_integer(inner) else "float64")


def _plain(array: npt.NDArray[Any], name: str) -> npt.NDArray[Any]:
    """Values as JSON has them: text in place of bytes, and no number that JSON cannot write."""
    if array.dtype == object:
        texts = [value.decode(errors="replace") for value in array.ravel()]
        return np.array(texts, dtype=object).reshape(array.shape)
    if array.dtype.kind == "f" and array.size and not math.isfinite(float(array.sum())):
        missing = int((~np.isfinite(array)).sum())
        if missing:
            raise DataError(
                f"Feature {name!r} is missing or infinite in {missing:,} values, which JSON cannot write. "
                "Fill it in the data."
            )
    return array
