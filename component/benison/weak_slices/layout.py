# SPDX-License-Identifier: Apache-2.0
"""Says which combinations of features have cells, and where each cell is in one flat array."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from benison.data.batch import Array, Index

Combination: TypeAlias = tuple[int, ...]
"""Features by their number, ascending."""

MOST_IN_TRIPLES = 15
"""Of more features the pairs alone are counted over all rows."""
MOST_CELLS = 2**20


def counted_depth(features: int, depth: int) -> int:
    """Of how many features combinations are counted over all rows: of many less than what is searched.

    >>> counted_depth(2, 3), counted_depth(10, 3), counted_depth(20, 3)
    (2, 3, 2)
    """
    return min(depth, features, 2 if features > MOST_IN_TRIPLES else depth)


def cells_of(sizes: Sequence[int], depth: int) -> int:
    """The cells of all combinations of `depth` features with so many codes, without listing them.

    >>> cells_of((2, 3, 4), 2)
    26
    """
    sums = [1] + [0] * depth  # of the products of so many of the sizes
    for size in sizes:
        for k in range(depth, 0, -1):
            sums[k] += size * sums[k - 1]
    return sums[depth]


@dataclasses.dataclass(frozen=True)
class Layout:
    """The cells of every combination of `depth` features; code 0 of a feature is a row in none of its slices.

    `sizes` are the numbers of codes of the features, code 0 included.
    """

    sizes: tuple[int, ...]
    depth: int

    @classmethod
    def of(cls, sizes: tuple[int, ...], depth: int) -> Layout:
        """Of what is counted over all rows: of many features less deep than what is searched."""
        return cls(sizes, counted_depth(len(sizes), depth))

    @functools.cached_property
    def combinations(self) -> tuple[Combination, ...]:
        """What has cells of its own; those of fewer features are sums of these."""
        return tuple(itertools.combinations(range(len(self.sizes)), self.depth))

    def shape(self, combination: Combination) -> tuple[int, ...]:
        """The numbers of codes of some features."""
        return tuple(self.sizes[feature] for feature in combination)

    @functools.cached_property
    def starts(self) -> tuple[int, ...]:
        """The first cell of each combination, and the number of all cells at the end."""
        counts = (math.prod(self.shape(combination)) for combination in self.combinations)
        return tuple(itertools.accumulate(counts, initial=0))

    @property
    def num_cells(self) -> int:
        """The number of all cells."""
        return self.starts[-1]

    def dense(self, flat: Array) -> dict[Combination, Array]:
        """Flat cells [..., num_cells] by combination, [..., *shape], those of fewer features too."""
        tables: dict[Combination, Array] = {}
        for start, combination in zip(self.starts, self.combinations, strict=False):
            shape = self.shape(combination)
            part = flat[..., start : start + math.prod(shape)]
            tables[combination] = part.reshape(*flat.shape[:-1], *shape)
        for depth in range(self.depth - 1, 0, -1):
            for combination in itertools.combinations(range(len(self.sizes)), depth):
                tables[combination] = _marginal(tables, combination, len(self.sizes))
        return tables


def _marginal(tables: dict[Combination, Array], wanted: Combination, features: int) -> Array:
    """The sums over one more feature, the first that is not among the wanted."""
    more = next(feature for feature in range(features) if feature not in wanted)
    wider = tuple(sorted((*wanted, more)))
    table = tables[wider]
    return np.asarray(table.sum(axis=table.ndim - len(wider) + wider.index(more)))


def flat_codes(codes: Index, combination: Combination, sizes: tuple[int, ...]) -> Index:
    """The cell of each row within a combination: int64[N], of codes [features, N]."""
    cells = codes[combination[0]]
    for feature in combination[1:]:
        cells = cells * sizes[feature] + codes[feature]
    return np.asarray(cells, np.int64)
