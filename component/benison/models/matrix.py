# SPDX-License-Identifier: Apache-2.0
"""Calls models that take one matrix: the features side by side, in the order of training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from benison.data.values import is_text
from benison.errors import DataError, ModelError, without_addresses
from benison.models.arrays import Input, as_input, unnest
from benison.models.calls import BatchedCalls
from benison.models.predictor import LoadOptions, Outputs

# Trees are fast; large batches amortize the building of the matrix.
CALL_ROWS = 2**16


def as_matrix(
    features: pa.RecordBatch,
    names: Sequence[str],
    dtype: str,
    categories: Mapping[str, pa.Array] | None = None,
    refuse_unknown: bool = False,
) -> npt.NDArray[Any]:
    """Columns side by side: [N, F]; missing is NaN.

    Args:
        features: The rows.
        names: The columns, in the order of the model's; each has one value in a row.
        dtype: Of the matrix, a kind of float.
        categories: The values of each categorical column; the matrix holds their indices.
        refuse_unknown: Whether a value that is not a known category is an error; else it is missing.

    Raises:
        DataError: A column is not there, or not what the model takes.
    """
    matrix = np.empty((features.num_rows, len(names)), dtype)
    for i, name in enumerate(names):
        known = (categories or {}).get(name)
        wanted = Input(name, dtype, ())
        matrix[:, i] = as_input(
            features if known is None else coded(features, name, known, refuse_unknown), wanted
        )
    return matrix


def coded(
    features: pa.RecordBatch, name: str, known: pa.Array, refuse_unknown: bool
) -> pa.RecordBatch:
    """The column alone, each value replaced by its index among the categories.

    Raises:
        DataError: Its values are of another kind, or none of the categories where that is refused.
    """
    if name not in features.schema.names:
        return features
    values, present, width = unnest(features.column(name), name)
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if width != 1 or is_text(values.type) != is_text(known.type):
        raise DataError(
            f"Feature {name!r} is {features.column(name).type} in the data, and the model was trained on "
            f"the categories {_shown(known)}. Give one of them in each row."
        )
    codes = pc.index_in(values.cast(known.type), value_set=known)
    unknown = values.filter(pc.and_(pc.is_null(codes), pc.is_valid(values)))
    if refuse_unknown and len(unknown):
        raise DataError(
            f"Feature {name!r} is {unknown[0].as_py()!r} in the data, which is none of the categories "
            f"that the model was trained on: {_shown(known)}. Map it in the data, to null if it is none."
        )
    rows = np.where(present, np.cumsum(present) - 1, 0)
    return pa.RecordBatch.from_arrays([codes.take(pa.array(rows, mask=~present))], [name])


def _shown(known: pa.Array) -> str:
    more = ", ..." if len(known) > 5 else ""
    return ", ".join(map(repr, known.slice(0, 5).to_pylist())) + more


class MatrixPredictor:
    """A model that is a function of a matrix; its one output is called "output".

    Args:
        title: How messages call it, with its path.
        names: Its features in order, or none when it does not know them.
        matrix: What makes the matrix of a batch.
        scores: The model: [N, F] to [N] or [N, C].
        options: How it is called.
    """

    takes_examples = False

    def __init__(
        self,
        title: str,
        names: Sequence[str],
        matrix: Callable[[pa.RecordBatch], npt.NDArray[Any]],
        scores: Callable[[npt.NDArray[Any]], Any],
        options: LoadOptions,
    ) -> None:
        if not names:
            raise ModelError(
                f"{title} does not know the names of its features. Train it on named columns, as those of "
                f"a DataFrame, so that each can be found in the data."
            )
        self.columns: tuple[str, ...] | None = tuple(names)
        self._title, self._matrix, self._scores = title, matrix, scores
        self._calls = BatchedCalls(options.rows or CALL_ROWS)

    def predict(self, features: pa.RecordBatch, serialized: pa.Array | None) -> Outputs:
        """The model's scores of each row."""
        matrix = self._matrix(features)
        try:
            return self._calls.run(
                len(matrix), lambda part: {"output": self._scores(matrix[part])}, matrix.nbytes
            )
        except (
            Exception
        ) as error:  # some libraries raise classes of their own, derived from Exception
            raise fails(self._title, error) from error


def fails(title: str, error: Exception) -> ModelError:
    """The error for a model that was loaded and fails on the data."""
    return ModelError(f"{title} fails on the data: {cause(error)}")


def unreadable(title: str, error: Exception) -> ModelError:
    """The error for a file that its framework cannot load."""
    return ModelError(f"{title} cannot be loaded: {cause(error)}")


def cause(error: Exception) -> str:
    """The message of a native library, without its own stack trace."""
    message = str(error).split("Stack trace:")[0].split("\n\n")[0]
    return without_addresses(" ".join(message.split()))[:300] or type(error).__name__
