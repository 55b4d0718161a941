# SPDX-License-Identifier: Apache-2.0
"""TFMA's own preprocessing functions, which a config names as `function@column`; no model is needed."""

from __future__ import annotations

import os
import re
import string
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benison.data.values import is_text, single_values
from benison.errors import DataError, ModelError, suggestion

_PUNCTUATION = f"[{re.escape(string.punctuation)}]"


def whitespace_tokenization(texts: pa.Array) -> pa.Array:
    """The distinct words of each text in the order in which they come: list of string [N].

    Words are in lower case, without punctuation, and end at white space; a missing text has none.

    >>> whitespace_tokenization(pa.array(["Yes, yes: a taxi!", None])).to_pylist()
    [['yes', 'a', 'taxi'], []]
    """
    plain = pc.replace_substring_regex(pc.ascii_lower(texts), _PUNCTUATION, "")
    words = pc.ascii_split_whitespace(pc.fill_null(plain, ""))
    rows, flat = pc.list_parent_indices(words).to_numpy(), pc.list_flatten(words)
    codes = flat.dictionary_encode()
    pairs = rows * (len(codes.dictionary) + 1) + codes.indices.to_numpy()
    first = np.sort(np.unique(pairs, return_index=True)[1])
    first = first[pc.not_equal(flat, "").to_numpy(zero_copy_only=False)[first]]
    lengths = np.bincount(rows[first], minlength=len(texts))
    ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(ends), flat.take(pa.array(first)))


FUNCTIONS: dict[str, Callable[[pa.Array], pa.Array]] = {
    "whitespace_tokenization": whitespace_tokenization
}
"""By their names in TFMA."""


def is_path(name: str) -> bool:
    """Whether a name is the directory of a graph that TensorFlow Transform has written."""
    return "/" in name or os.sep in name


def is_of_column(name: str) -> bool:
    """Whether a name of preprocessing_function_names is `function@column`."""
    return "@" in name


class ColumnFunction:
    """A function of the texts of one column; what it makes has the name of the function.

    Args:
        name: `function@column`.

    Raises:
        ModelError: There is no such function.
    """

    takes_examples = False

    def __init__(self, name: str) -> None:
        self.name, _, column = name.partition("@")
        if self.name not in FUNCTIONS or not column:
            raise ModelError(
                f"{name!r} of preprocessing_function_names is no function of a column: "
                f"{suggestion(self.name, FUNCTIONS)} Write it as such as whitespace_tokenization@text."
            )
        self.columns: tuple[str, ...] | None = (column,)

    def transform(
        self, features: pa.RecordBatch, serialized: pa.Array | None
    ) -> dict[str, pa.Array]:
        """The feature that the function makes for N rows; raises DataError for a column without texts."""
        assert self.columns is not None
        (name,) = self.columns
        if name not in features.schema.names:
            raise DataError.from_missing_column(name, features.schema.names, "The data")
        column = features.column(name)
        texts = single_values(column)
        if texts is None or not is_text(texts.type):
            raise DataError(f"{self.name} takes a text in each row; {name!r} holds {column.type}.")
        return {self.name: FUNCTIONS[self.name](texts.cast(pa.string()))}
