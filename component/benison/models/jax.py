# SPDX-License-Identifier: Apache-2.0
"""Runs functions that `jax.export` has serialized: StableHLO, which is data and runs no Python."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benison.errors import MissingExtraError, ModelError
from benison.models.arrays import Input
from benison.models.matrix import unreadable
from benison.models.predictor import LoadOptions
from benison.models.tensors import TensorsPredictor


def load(path: Path, options: LoadOptions) -> TensorsPredictor:
    """The function in a file: of a dict of columns, of one matrix, or of several columns in order.

    Raises:
        MissingExtraError: JAX is not installed.
        ModelError: The file is damaged, or its inputs do not say which columns they are.
    """
    title = f"The JAX function {path}"
    exported = _deserialized(path, title)
    inputs = _inputs(exported, title, options)
    sizes = {aval.shape[0] for aval in exported.in_avals if isinstance(aval.shape[0], int)}

    def call(arrays: Sequence[Any]) -> Any:
        import jax

        args, kwargs = jax.tree_util.tree_unflatten(exported.in_tree, arrays)
        return jax.tree_util.tree_map(np.asarray, exported.call(*args, **kwargs))

    return TensorsPredictor(title, inputs, call, sizes, options)


def _deserialized(path: Path, title: str) -> Any:
    try:
        from jax import export
    except ImportError as error:
        raise MissingExtraError("JAX", "jax") from error
    try:
        return export.deserialize(bytearray(path.read_bytes()))
    except Exception as error:  # flatbuffers raise anything
        raise unreadable(title, error) from error


def _inputs(exported: Any, title: str, options: LoadOptions) -> list[Input]:
    """The inputs in order, by the keys of the dict in which the function takes them, where it does."""
    import jax

    places = jax.tree_util.tree_unflatten(exported.in_tree, list(range(len(exported.in_avals))))
    paths, _ = jax.tree_util.tree_flatten_with_path(places)
    keys = [getattr(path[-1], "key", None) for path, _ in paths]
    named = all(isinstance(key, str) for key in keys)
    if not named and not options.names:
        raise ModelError(
            f"{title} does not know the names of its inputs. Name the columns in their order as feature_keys "
            "in model_specs; or export a function of a dict of arrays, whose keys are the columns."
        )
    if not all(aval.shape for aval in exported.in_avals):
        raise ModelError(f"{title} has an input that is one number, not one in each row.")
    return [
        Input(str(key) if named else "", aval.dtype.name, tuple(_size(n) for n in aval.shape[1:]))
        for key, aval in zip(keys, exported.in_avals, strict=True)
    ]


def _size(dimension: Any) -> int | None:
    return dimension if isinstance(dimension, int) else None
