# SPDX-License-Identifier: Apache-2.0
"""Numbers the values of features: what the code of a row is in each, fixed before the pass over all rows.

They come from the rows with the smallest hashes, so that they are the same however rows are read.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from benison.config import Bins, SlicingSpec
from benison.data.batch import Index
from benison.data.values import (
    innermost,
    is_list,
    is_measured,
    is_number,
    is_text,
    text_of,
    unlisted,
)
from benison.errors import ConfigError
from benison.slicing.bin_edges import DistinctNumbers
from benison.slicing.encode import ColumnCodes
from benison.weak_slices.layout import MOST_CELLS, cells_of, counted_depth
from benison.weak_slices.sampled_rows import SampledRows

SmallCodes: TypeAlias = npt.NDArray[np.int16]

QUANTILES = 10
_MOST_VALUES = (25, 20, 16, 12, 10, 8, 6, 5, 4, 3, 2)
"""The most values of a feature that have slices; the first with which all cells fit into memory is taken."""
_SMALLEST = 3  # codes of a feature of two values


@dataclasses.dataclass(frozen=True)
class CodeBook:
    """The values of a feature that have codes, from 1 up; rows with another value, or none, have code 0."""

    feature: str
    kind: str
    values: tuple[str, ...]
    bins: Bins | None = None

    def encode(self, columns: ColumnCodes) -> Index:
        """The code of each row: int64[N]; a row with several values has code 0."""
        slices = columns.of_spec(self._spec, self.feature)
        known = pc.index_in(slices.values.cast(pa.string()), value_set=pa.array(self.values))
        codes = pc.fill_null(pc.add(known, 1), 0).to_numpy(zero_copy_only=False).astype(np.int64)
        if slices.rows is None:
            return np.asarray(codes[slices.codes])
        rows = np.zeros(columns.num_rows, np.int64)
        rows[slices.rows] = codes[slices.codes]
        rows[slices.rows[1:][np.diff(slices.rows) == 0]] = 0
        return rows

    @property
    def _spec(self) -> SlicingSpec:
        if self.bins is None:
            return SlicingSpec(feature_keys=(self.feature,))
        return SlicingSpec(bins={self.feature: self.bins})

    def first(self, most: int) -> CodeBook:
        """With the most frequent values alone, or with so many bins, of which each is several of these."""
        if self.bins is None:
            return dataclasses.replace(self, values=self.values[:most])
        edges = self.bins.edges or ()
        if len(edges) < most:
            return self
        ranks = [(len(edges) + 1) * i // most - 1 for i in range(1, most)]
        bins = Bins(edges=tuple(edges[rank] for rank in ranks))
        return dataclasses.replace(self, values=bins.labels, bins=bins)


def code_books(
    rows: SampledRows,
    features: Sequence[str],
    least: int,
    depth: int,
    bins: Mapping[str, Bins] | None = None,
) -> list[CodeBook]:
    """The code books of features of which at least one value is frequent enough, and not in all rows.

    Args:
        rows: A sample of the rows.
        features: Some of its columns.
        least: The least rows of a slice, of all rows.
        depth: The most features of a slice.
        bins: Those of some of the features that are numbers; others with many values get quantiles.

    Raises:
        ConfigError: There are so many features that their cells do not fit into memory.
    """
    columns = ColumnCodes(rows.table.combine_chunks().to_batches()[0], rows.texts)
    least_sampled = max(1.0, least * rows.share)
    books = [
        book
        for feature in features
        if is_sliceable(rows.table.schema.field(feature).type)
        for book in _book(feature, columns, rows, least_sampled, (bins or {}).get(feature))
    ]
    counted = counted_depth(len(books), depth)
    for most in _MOST_VALUES:
        kept = [book.first(most) for book in books]
        if cells_of([len(book.values) + 1 for book in kept], counted) <= MOST_CELLS:
            return kept
    raise ConfigError([("weak_slices.features", _too_many(len(books), counted))])


def _too_many(features: int, depth: int) -> str:
    """Why so many features cannot be searched, and how many could."""
    fitting = (n for n in range(features, 0, -1) if cells_of([_SMALLEST] * n, depth) <= MOST_CELLS)
    return (
        f"{features:,} features have more than {MOST_CELLS:,} cells of {depth} features, even with two "
        f"values of each. Name up to {next(fitting):,} of them."
    )


def is_sliceable(kind: pa.DataType) -> bool:
    """Whether a column of an Arrow type may be a feature of slices."""
    kind = innermost(kind)
    is_flat_text = is_text(kind) and not pa.types.is_string_view(kind)
    is_day = pa.types.is_date(kind) or pa.types.is_timestamp(kind)
    return is_flat_text or is_day or (is_number(kind) and not pa.types.is_null(kind))


def holds_text(column: pa.ChunkedArray) -> bool:
    """Whether the bytes of a column are UTF-8 text, unlike those of images; other types have their text."""
    while is_list(column.type):
        column = pc.list_flatten(column)
    try:
        if is_text(column.type) and not pa.types.is_unicode(column.type):
            for values in column.chunks:
                text_of(values)
    except pa.ArrowInvalid:
        return False
    return True


def _book(
    feature: str, columns: ColumnCodes, rows: SampledRows, least: float, bins: Bins | None
) -> Iterator[CodeBook]:
    """The book of a feature, if its values part the rows."""
    slices = columns.of_spec(SlicingSpec(feature_keys=(feature,)), feature)
    if slices.rows is not None and np.any(np.diff(slices.rows) == 0):
        return  # several values in a row
    counts = np.bincount(slices.codes, minlength=len(slices.values))
    kind = rows.table.schema.field(feature).type
    if bins is not None or (len(counts) > _MOST_VALUES[0] and is_measured(kind)):
        yield from _of_bins(feature, rows, bins or Bins(quantiles=QUANTILES))
        return
    texts = np.array(slices.values.to_pylist(), np.object_)
    order = np.lexsort((texts.astype(str), -counts))[: _MOST_VALUES[0]]
    frequent = tuple(str(texts[i]) for i in order if counts[i] >= least)
    if frequent and counts[order[0]] < columns.num_rows:
        yield CodeBook(feature, slices.kinds[0], frequent)


def _of_bins(feature: str, rows: SampledRows, asked: Bins) -> Iterator[CodeBook]:
    column = rows.table.column(feature).combine_chunks()
    values = unlisted(column)[0] if is_list(column.type) else column
    numbers = DistinctNumbers.of(feature, values)  # refuses what is no number
    edges = asked.edges or numbers.edges(asked.quantiles or QUANTILES)
    if edges:
        bins = Bins(edges=edges)
        yield CodeBook(feature, "bin", bins.labels, bins)


def encoded(
    books: Sequence[CodeBook], batch: pa.RecordBatch, texts: Mapping[str, pa.Array]
) -> SmallCodes:
    """The codes of all features of a batch: int16[features, N]."""
    columns = ColumnCodes(batch, texts)
    codes = np.empty((len(books), batch.num_rows), np.int16)
    for i, book in enumerate(books):
        codes[i] = book.encode(columns)
    return codes
