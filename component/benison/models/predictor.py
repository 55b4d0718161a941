# SPDX-License-Identifier: Apache-2.0
"""The interface that loaded models of every kind have, and the options of loading them."""

from __future__ import annotations

import dataclasses
import importlib
from pathlib import Path
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Outputs: TypeAlias = dict[str, npt.NDArray[np.generic]]


class Predictor(Protocol):
    """A loaded model. It is used from one thread at a time."""

    columns: tuple[str, ...] | None
    """The features that it reads, or None when that depends on the data."""
    takes_examples: bool
    """Whether it is fed serialized tf.Examples when the data have them. Then only those of `columns` that
    the data have are read beside them; when the data have none, all columns are read and encoded."""

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
class LoadOptions:
    """How a model is loaded and called; each kind of model uses the options that concern it."""

    signature_name: str = ""
    """The signature to call; "" is the usual one."""
    trust_pickle: bool = False
    """Whether loading may run code that the file holds."""
    trust_ops: bool = False
    """Whether a graph may read or write files, or run Python."""
    rows: int = 0
    """The most rows in one call; 0 leaves the choice to the model's kind."""
    names: tuple[str, ...] = ()
    """The features in the order of the model's columns, if a file beside the model lists them."""


def load_kind(kind: str, path: Path, options: LoadOptions) -> Predictor:
    """Load a model of a known kind with the module of that name, which imports its framework."""
    module = importlib.import_module(f"benison.models.{kind}")
    predictor: Predictor = module.load(path, options)
    return predictor
