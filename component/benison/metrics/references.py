# SPDX-License-Identifier: Apache-2.0
"""Generated texts beside the references that they should say the same as, one or several for each."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benison.data.batch import Inputs, Ragged
from benison.data.values import is_text
from benison.errors import DataError, MissingExtraError


def require(module: str, library: str) -> None:
    """Raise MissingExtraError unless a module of the extra `text` is there; it is not imported."""
    if importlib.util.find_spec(module) is None:
        raise MissingExtraError(library, "text")


def references(inputs: Inputs) -> Ragged:
    """The labels as texts, none or several for each row; a label that is missing is no reference.

    Raises:
        DataError: The labels are no texts.
    """
    labels = inputs.labels
    ragged = labels if isinstance(labels, Ragged) else None
    texts = _texts(labels.values if isinstance(labels, Ragged) else labels, "labels")
    rows = np.arange(len(texts))
    if ragged is not None:
        rows = np.repeat(np.arange(len(ragged)), ragged.lengths)
    present = pc.is_valid(texts).to_numpy(zero_copy_only=False)
    counts = np.bincount(rows[present], minlength=len(inputs))
    return Ragged(texts.drop_null(), np.concatenate([[0], np.cumsum(counts)]))


def hypotheses(inputs: Inputs) -> pa.Array:
    """The predictions as texts, null where one is missing: string[N]; raises DataError for others."""
    return _texts(inputs.predictions, "predictions")


def _texts(column: Any, role: str) -> pa.Array:
    if isinstance(column, np.ndarray) and np.isnan(column).all():
        return pa.nulls(len(column), pa.string())
    if not isinstance(column, pa.Array) or not is_text(column.type):
        raise DataError(
            f"A metric of texts needs one as prediction and one or a list of them as label in each row; the "
            f"{role} are something else. Name columns of text as label_key and prediction_key."
        )
    return column.cast(pa.string())


def compared(inputs: Inputs) -> Iterator[tuple[int, list[str], str]]:
    """The rows that have both, for libraries that take one at a time: number, references, prediction."""
    texts, among = hypotheses(inputs).to_pylist(), references(inputs)
    known = among.values.to_pylist()
    for i, (start, end) in enumerate(zip(among.offsets, among.offsets[1:], strict=False)):
        if start < end and texts[i] is not None:
            yield i, known[start:end], texts[i]
