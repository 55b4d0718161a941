# SPDX-License-Identifier: Apache-2.0
"""States of blocks of rows, from which the error of any metric is known.

Rows fall into blocks by a hash of what makes them belong together: the value of a column, such as a user, the
query, or else the row alone. So the blocks are independent where the rows of one are not.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from functools import reduce
from typing import Any, Protocol, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benison.data.batch import Index, Inputs
from benison.data.mixing import Numbers, mixed
from benison.data.values import is_missing
from benison.errors import DataError
from benison.metrics.base import Statistic
from benison.slicing.codes import SliceCodes

BLOCKS = 50

T = TypeVar("T", bound="Mergeable")


class Mergeable(Protocol):
    """States of some rows."""

    def merge(self: T, other: T) -> T:
        """Of the rows of both."""


def merged(states: Sequence[T]) -> T:
    """The state of the rows of all."""
    return reduce(lambda a, b: a.merge(b), states)


def leave_out_each(groups: Sequence[T], outside: T) -> Iterator[T]:
    """For each group the state of the others and of what is outside, which halves share."""
    if len(groups) == 1:
        yield outside
        return
    left, right = groups[: len(groups) // 2], groups[len(groups) // 2 :]
    yield from leave_out_each(left, merged([outside, *right]))
    yield from leave_out_each(right, merged([outside, *left]))


@dataclasses.dataclass(frozen=True)
class Blocked(Statistic[Any]):
    """A statistic of each block of each slice: slice s and block b are the slice `50 s + b` of its state.

    Attributes:
        statistic: What adds up.
        cluster_key: The column whose equal values stay together; "" for none.
        by_query: Whether the rows of a query stay together.
    """

    statistic: Statistic[Any]
    cluster_key: str = ""
    by_query: bool = False

    def columns(self) -> tuple[str, ...]:
        own = (self.cluster_key,) if self.cluster_key else ()
        return (*self.statistic.columns(), *own)

    def optional_columns(self) -> tuple[str, ...]:
        return self.statistic.optional_columns()

    def label_columns(self) -> tuple[str, ...]:
        return self.statistic.label_columns()

    def prediction_columns(self) -> tuple[str, ...]:
        return self.statistic.prediction_columns()

    def zero(self, size: int) -> Any:
        return self.statistic.zero(size * BLOCKS)

    def add(self, inputs: Inputs, codes: SliceCodes) -> Any:
        blocks = (mixed(self._hashes(inputs)) % np.uint64(BLOCKS)).astype(np.int64)
        parts = tuple((rows, keys) for keys, rows in codes.keys(blocks, BLOCKS))
        return self.statistic.add(inputs, SliceCodes(codes.size * BLOCKS, parts))

    def _hashes(self, inputs: Inputs) -> Numbers:
        if self.cluster_key:
            assert inputs.features is not None
            clusters = inputs.features.column(self.cluster_key)
            if is_missing(clusters).any():
                raise DataError(
                    f"Column {self.cluster_key!r}, the cluster_key of options.confidence, is missing in some "
                    "rows, of which nobody knows with which others they belong together. Fill it in."
                )
            return hashes_of(clusters)
        if self.by_query and inputs.groups is not None:
            return hashes_of(inputs.groups)
        if inputs.numbers is None:
            raise DataError(
                "Some confidence intervals rest on blocks of rows, and these rows have no numbers by which "
                "they could fall into blocks. Name a column as options.confidence.cluster_key."
            )
        return inputs.numbers

    def merge(self, a: Any, b: Any) -> Any:
        return self.statistic.merge(a, b)

    def scatter(self, state: Any, index: Index, size: int) -> Any:
        return self.statistic.scatter(state, _expanded(index), size * BLOCKS)

    def gather(self, state: Any, index: Index) -> Any:
        return self.statistic.gather(state, _expanded(index))

    def of_block(self, state: Any, block: int, size: int) -> Any:
        """The state of one block of each of `size` slices."""
        return self.statistic.gather(state, np.arange(size) * BLOCKS + block)


def _expanded(index: Index) -> Index:
    return (index[:, None] * BLOCKS + np.arange(BLOCKS)).ravel()


def hashes_of(column: pa.Array) -> Numbers:
    """A number for each value, the same for values whose text is the same: uint64[N].

    >>> hashes_of(pa.array(["a", "b", "a"])) == hashes_of(pa.array(["a"]))
    array([ True, False,  True])
    """
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    texts = encoded.dictionary.cast(pa.string()).to_pylist()
    numbers = np.append(_hashed_texts([text or "" for text in texts]), np.uint64(0))
    at = pc.fill_null(encoded.indices.cast(pa.int64()), len(texts))
    return np.asarray(numbers[at.to_numpy(zero_copy_only=False)])


def _hashed_texts(texts: list[str]) -> Numbers:
    """All at once, eight bytes of each at a time."""
    if not texts:
        return np.zeros(0, np.uint64)
    data = [text.encode() for text in texts]
    words = -(-max(map(len, data)) // 8) or 1
    table = np.array(data, f"S{8 * words}").view(np.uint64).reshape(len(texts), words)
    lengths = np.fromiter(map(len, data), np.uint64, len(data))
    # A word of zeros changes nothing, so that longer neighbours make no difference.
    return reduce(lambda h, word: np.where(word == 0, h, mixed(h ^ word)), table.T, mixed(lengths))
