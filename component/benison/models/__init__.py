# SPDX-License-Identifier: Apache-2.0
"""The door to models: what a predictor is, and which leaf loads a path."""

from __future__ import annotations

import dataclasses
import importlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benison.errors import ModelError
from benison.models.locate import TYPES, find

if TYPE_CHECKING:
    from benison.models.preprocessing import Function

__all__ = ["TYPES", "Options", "Outputs", "Predictor", "functions_of", "load"]

Outputs: TypeAlias = dict[str, npt.NDArray[np.generic]]


class Predictor(Protocol):
    """A loaded model. It is used from one thread at a time.

    `columns` are the features that it reads, or None when that depends on the data; `wants_input`
    says that it reads the serialized tf.Examples where the data hold them, and then only those of its
    columns that there are; where the data do not, it reads everything.
    """

    columns: tuple[str, ...] | None
    wants_input: bool

    def predict(self, features: pa.RecordBatch, serialized: pa.Array | None) -> Outputs:
        """The model's outputs by name for N rows, each an array [N] or [N, C].

        Args:
            features: Any number of rows; the predictor itself calls the model on a few at a time.
            serialized: Arrow binary[N], the tf.Examples of those rows; None where there are none.

        Raises:
            DataError: A feature is missing from the data, or has values that the model cannot take.
            ModelError: The model itself fails.
        """


@dataclasses.dataclass(frozen=True)
class Options:
    """How a model is loaded and called; a leaf reads what concerns its framework.

    `rows` is the most rows in a call, 0 for the leaf's own choice. `names` are the features in the
    order of the model's columns, where another file than the model's tells them.
    """

    signature_name: str = ""
    trust_pickle: bool = False
    rows: int = 0
    names: tuple[str, ...] = ()


def load(
    path: str | os.PathLike[str],
    signature_name: str = "",
    trust_pickle: bool = False,
    model_type: str = "",
    rows: int = 0,
) -> Predictor:
    """Load a model, whatever it is: what the path holds says which framework's it is.

    Args:
        path: A SavedModel or MLflow directory (or one that TFX made, or one of numbered versions); or
            a file of Keras, ONNX, TFLite, XGBoost, LightGBM or scikit-learn, or a directory with one.
        signature_name: The signature of a SavedModel or TFLite file to call; "" is `predict`, if the
            model has it, else `serving_default`.
        trust_pickle: Unpickling runs code that the file holds; it is refused unless this is True.
        model_type: One of `TYPES`, for a directory that holds models of several kinds.
        rows: The most rows in a call; 0 leaves the choice to Benison.

    Raises:
        ModelError: There is no model there, or it cannot be loaded.
        MissingExtraError: The model's framework is not installed.
    """
    if not os.path.exists(path):
        raise ModelError(f"There is no model at {os.fspath(path)}. Give a path on this machine.")
    kind, found = find(Path(path), model_type)
    return load_kind(kind, found, Options(signature_name, trust_pickle, rows))


def functions_of(predictor: Predictor | None, names: Sequence[str]) -> list[Function]:
    """The preprocessing functions of a model; the usual ones that it has, when none is named.

    Raises:
        ModelError: It has no function of a name.
    """
    if not names and getattr(predictor, "saved_model", None) is None:
        return []
    from benison.models import preprocessing as functions

    return functions.functions_of(predictor, names)


def load_kind(kind: str, path: Path, options: Options) -> Predictor:
    """Load a model of a known kind: that of the leaf of its name."""
    leaf = importlib.import_module(f"benison.models.{kind}")
    predictor: Predictor = leaf.load(path, options)
    return predictor
