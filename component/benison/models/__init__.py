# SPDX-License-Identifier: Apache-2.0
"""Loads models of every kind behind one interface, `Predictor`.

`locate` says which kind a path holds; the module of that name has its `load(path, options)`.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from types import MappingProxyType
from typing import TYPE_CHECKING

from benison.errors import ModelError
from benison.models.digest import unchanged
from benison.models.fetch import local_copies, local_copy
from benison.models.in_memory import InMemory, load_object
from benison.models.locate import TYPES, find
from benison.models.predictor import LoadOptions, Outputs, Predictor, load_kind

if TYPE_CHECKING:
    from benison.models.preprocessing import Function
    from benison.models.text_functions import ColumnFunction

__all__ = [
    "TYPES",
    "LoadOptions",
    "Outputs",
    "Predictor",
    "functions_of",
    "load",
    "local_copies",
]


def load(  # noqa: PLR0913 - each is a choice of its own, with a default
    path: str | os.PathLike[str],
    signature_name: str = "",
    trust_pickle: bool = False,
    model_type: str = "",
    rows: int = 0,
    trust_ops: bool = False,
    *,
    names: Sequence[str] = (),
    expected: Mapping[str, str] | None = None,
) -> Predictor:
    """Load a model of any kind; the kind is recognized from the files.

    Args:
        path: A SavedModel or MLflow directory (or one that TFX made, or one of numbered versions); or
            a file of Keras, ONNX, TFLite, XGBoost, LightGBM or scikit-learn, or a directory with one. Of
            an address the predictor keeps a temporary copy.
        signature_name: The signature of a SavedModel or TFLite file to call; "" is `predict`, if the
            model has it, else `serving_default`.
        trust_pickle: Unpickling runs code that the file holds; it is refused unless this is True.
        model_type: One of `TYPES`, for a directory that holds models of several kinds.
        rows: The most rows in a call; 0 leaves the choice to Benison.
        trust_ops: A SavedModel whose graph reads or writes files, or runs Python, is refused unless
            this is True.
        names: The features in their order, for a model that takes one matrix and does not name them.
        expected: What `digest_model` said of it; None if that does not matter.

    Raises:
        ModelError: There is no model there, it cannot be loaded, has other bytes than expected, or was
            changed while it was loaded.
        MissingExtraError: The model's framework is not installed.
    """
    options = LoadOptions(signature_name, trust_pickle, trust_ops, rows, tuple(names))
    if isinstance(path, InMemory):
        return load_object(path.model, options)
    with ExitStack() as stack:
        local = stack.enter_context(local_copy(path))
        if not local.exists():
            raise ModelError(f"There is no model at {os.fspath(path)}.")
        with unchanged(local, expected):
            kind, location = find(local, model_type)
            predictor = load_kind(kind, location, options)
        weakref.finalize(predictor, stack.pop_all().close)
    return predictor


def functions_of(
    predictor: Predictor | None,
    names: Sequence[str],
    trust_ops: bool = False,
    expected: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
) -> list[Function | ColumnFunction]:
    """The preprocessing functions of a model: those named, or else those with the usual names.

    Raises:
        ModelError: The model has no function of a given name.
    """
    if not names and getattr(predictor, "saved_model", None) is None:
        return []
    from benison.models import preprocessing  # imports TensorFlow

    return preprocessing.functions_of(predictor, names, trust_ops, expected)
