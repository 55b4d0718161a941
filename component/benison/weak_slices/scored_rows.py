# SPDX-License-Identifier: Apache-2.0
"""Counts the rows with a label on which a model has no loss, and says in which slice most of them are."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from benison.data.batch import Array, Index, Mask
from benison.weak_slices.code_books import CodeBook, SmallCodes


@dataclasses.dataclass(frozen=True)
class ScoredRows:
    """A state that merges by addition.

    Attributes:
        labelled: The rows that have a label.
        candidate: Those of them on which the candidate has no finite loss.
        baseline: Those on which the baseline alone has none.
        by_code: Both together by feature and code, the features after each other: int64[codes].
    """

    labelled: int
    candidate: int
    baseline: int
    by_code: Index

    @classmethod
    def zero(cls, sizes: Sequence[int]) -> ScoredRows:
        """Of no rows, of features with so many codes."""
        return cls(0, 0, 0, np.zeros(sum(sizes), np.int64))

    def merge(self, other: ScoredRows) -> ScoredRows:
        """Of the rows of both."""
        return ScoredRows(
            self.labelled + other.labelled,
            self.candidate + other.candidate,
            self.baseline + other.baseline,
            self.by_code + other.by_code,
        )

    def add(
        self, labelled: Mask, own: Array, before: Array, codes: SmallCodes, sizes: Sequence[int]
    ) -> ScoredRows:
        """With more rows: their losses by both models, float64[N], and the codes of their features."""
        candidate = labelled & ~np.isfinite(own)
        either = candidate | (labelled & ~np.isfinite(before))
        counts = [int(rows.sum()) for rows in (labelled, candidate, either)]
        by_code = self.by_code
        if counts[2]:
            rows = codes[:, either]
            by_code = by_code + np.concatenate(
                [np.bincount(rows[i], minlength=size) for i, size in enumerate(sizes)]
            )
        return ScoredRows(
            self.labelled + counts[0],
            self.candidate + counts[1],
            self.baseline + counts[2] - counts[1],
            by_code,
        )

    def most(self, books: Sequence[CodeBook]) -> tuple[str, int]:
        """The slice of one feature that has most of the rows without a loss, and how many of them."""
        names = [name for book in books for name in ("", *_names(book))]
        counts = np.where([bool(name) for name in names], self.by_code, 0)
        best = int(counts.argmax())
        return names[best], int(counts[best])


def _names(book: CodeBook) -> list[str]:
    return [f"{book.feature}={value}" for value in book.values]
