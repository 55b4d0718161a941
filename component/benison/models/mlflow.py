# SPDX-License-Identifier: Apache-2.0
"""Loads MLflow directories: the framework's own file if there is one, else the Python function."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from benison.config import yaml_text
from benison.config.plain import parse_json, shortened
from benison.errors import ConfigError, MissingExtraError, ModelError
from benison.models.arrays import as_frame
from benison.models.calls import BatchedCalls
from benison.models.external import check_inside
from benison.models.matrix import fails, unreadable
from benison.models.predictor import LoadOptions, Outputs, Predictor, load_kind

CALL_ROWS = 2**16  # a Python function pays for each call, not for each row

# By flavor, the key in MLmodel of the file that Benison loads without MLflow.
_NATIVE = {"xgboost": "data", "lightgbm": "data", "onnx": "data", "sklearn": "pickled_model"}
_READABLE = {
    "xgboost": (".ubj", ".json", ".xgb"),
    "lightgbm": (".lgb", ".txt"),
    "onnx": (".onnx",),
    "sklearn": (".pkl",),
}

# The loaders of pyfunc that need only the directory; others call services, or start Spark.
_LOCAL = (
    "catboost", "keras", "lightgbm", "pyfunc.model", "pytorch", "sklearn", "statsmodels",
    "tensorflow", "xgboost",
)  # fmt: skip


def load(path: Path, options: LoadOptions) -> Predictor:
    """The model in a directory with an MLmodel file."""
    described = _described(path)
    flavors = described.get("flavors") or {}
    _check_paths(path, flavors)
    named = dataclasses.replace(options, names=options.names or _input_names(path, described))
    for kind, key in _NATIVE.items():
        file = path / str((flavors.get(kind) or {}).get(key) or "")
        if file.suffix in _READABLE[kind] and file.is_file():
            return load_kind(kind, file, named)
    return PyfuncPredictor(path, flavors.get("python_function") or {}, named)


def _check_paths(path: Path, flavors: Mapping[str, Any]) -> None:
    """Refuse files outside of the directory; an artifact's `uri` only says from where it was copied."""
    for key, value in _texts(flavors):
        if key != "uri":
            check_inside(value, f"The MLflow model {path}")


def _texts(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in fields.items():
        if isinstance(value, Mapping):
            yield from _texts(value)
        elif isinstance(value, str):
            yield str(key), value


def _described(path: Path) -> dict[str, Any]:
    file = path / "MLmodel"
    try:
        described = yaml_text.parse(file.read_text(encoding="utf-8"))
    except (ConfigError, OSError, ValueError) as error:
        raise ModelError(f"{file} cannot be read as an MLflow model: {error}") from error
    flavors = described.get("flavors") if isinstance(described, dict) else None
    if not isinstance(flavors, dict) or not all(
        isinstance(f or {}, dict) for f in flavors.values()
    ):
        raise ModelError(
            f"{file} names no flavors, each with its fields, so nothing says how the model is loaded. "
            f"Save the model again with mlflow.<flavor>.save_model."
        )
    return dict(described)


def _input_names(path: Path, described: Mapping[str, Any]) -> tuple[str, ...]:
    """The columns of the signature; a signature of tensors may have none."""
    signature = described.get("signature") or {}
    inputs = signature.get("inputs") or "[]" if isinstance(signature, dict) else None
    try:
        columns = parse_json(inputs) if isinstance(inputs, str) else None
    except ConfigError:
        columns = None
    if not isinstance(columns, list) or not all(isinstance(column, dict) for column in columns):
        raise ModelError(
            f"{path / 'MLmodel'} has a signature that is not one of MLflow's: inputs is a JSON list of "
            f"columns, and the file has {shortened(repr(described['signature']))}. Save the model again with "
            f"mlflow.models.infer_signature, or take the signature out."
        )
    return tuple(str(column["name"]) for column in columns if column.get("name"))


class PyfuncPredictor:
    """Whatever MLflow can load as a Python function of a DataFrame."""

    takes_examples = False

    def __init__(self, path: Path, flavor: Mapping[str, Any], options: LoadOptions) -> None:
        self._title = f"The MLflow model {path}"
        loader = str(flavor.get("loader_module", "")).removeprefix("mlflow.")
        if loader not in _LOCAL:
            raise ModelError(
                f"{self._title} is loaded by {loader or 'nothing that it names'}, which is not supported. "
                f"It loads the flavors {', '.join(sorted({*_LOCAL, *_NATIVE}))}."
            )
        if not options.trust_pickle:
            raise ModelError(
                f"{self._title} is a Python function, and loading it runs whatever code is in it. If you "
                f"trust where it comes from, say so: --trust-pickle (trust_pickle=True)."
            )
        self._function = _function(path, self._title)
        self._calls = BatchedCalls(options.rows or CALL_ROWS)
        self.columns: tuple[str, ...] | None = options.names or None

    def predict(self, features: pa.RecordBatch, serialized: pa.Array | None) -> Outputs:
        """The columns of the DataFrame that it returns; anything else is called "output"."""
        frame = as_frame(features, self.columns or features.schema.names)
        try:
            return self._calls.run(
                len(frame),
                lambda part: _by_name(
                    self._function.predict(frame.iloc[part].reset_index(drop=True))
                ),
            )
        except Exception as error:  # the function is anyone's code
            raise fails(self._title, error) from error


def _function(path: Path, title: str) -> Any:
    try:
        import mlflow.pyfunc
    except ImportError as error:
        raise MissingExtraError("MLflow", "mlflow") from error
    try:
        with _no_bytecode():
            return mlflow.pyfunc.load_model(str(path), suppress_warnings=True)
    except ModuleNotFoundError as error:
        raise ModelError.from_missing_module(title, error.name) from error
    except Exception as error:  # a pickle may raise anything
        raise unreadable(title, error) from error


@contextmanager
def _no_bytecode() -> Iterator[None]:
    """Import the model's own modules without leaving their bytecode among its files."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


def _by_name(outputs: Any) -> dict[str, Any]:
    if hasattr(outputs, "columns"):
        return {str(name): outputs[name] for name in outputs.columns}
    if isinstance(outputs, Mapping):
        return {str(name): values for name, values in outputs.items()}
    return {"output": outputs}
