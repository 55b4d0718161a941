# SPDX-License-Identifier: Apache-2.0
"""Estimates how many rows of cells are in a slice too, where both have more features than are counted.

What is known of the rows are the counts of all combinations of up to `depth` features. Of more features they
leave much open, and the estimate is that of the log-linear model without interactions of more features, in
closed form: Kirkwood, "Statistical mechanics of fluid mixtures", The Journal of Chemical Physics 3, 1935.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping

import numpy as np

from benison.data.batch import Array
from benison.weak_slices.layout import Combination


class RowsInBoth:
    """The rows of cells that are in one slice too.

    Args:
        rows: Of the cells of each combination of up to `depth` features, of none all rows.
        within: The codes of the slice by feature.
        depth: The most features of which combinations are counted.
    """

    def __init__(
        self, rows: Mapping[Combination, Array], within: Mapping[int, int], depth: int
    ) -> None:
        self._rows, self._within, self._depth = rows, within, depth
        self._known: dict[tuple[Combination, int], tuple[Array, Array]] = {}

    def of(self, combination: Combination) -> Array:
        """Of the cells of a combination, float64, an axis for each feature that is none of the slice's."""
        free = tuple(feature for feature in combination if feature not in self._within)
        size = len(free) + len(self._within)
        logs, most = np.zeros(()), np.full((), np.inf)
        for chosen in _subsets(free, self._depth):
            parts = self._terms(chosen, size)
            axes = tuple(slice(None) if feature in chosen else None for feature in free)
            own, bound = (part[axes] for part in parts)
            logs, most = logs + own, np.minimum(most, bound)
        return np.asarray(np.minimum(np.exp(logs), most))

    def _terms(self, chosen: Combination, size: int) -> tuple[Array, Array]:
        """What counts of some features, and of these with those of the slice, add, and the least of them."""
        if (chosen, size) not in self._known:
            logs, most = np.zeros(()), np.full((), np.inf)
            for of_slice in _subsets(tuple(self._within), self._depth - len(chosen)):
                features = tuple(sorted((*chosen, *of_slice)))
                rows = self._rows[features][
                    tuple(self._within.get(f, slice(None)) for f in features)
                ]
                order = self._depth - len(features)
                weight = (-1) ** order * math.comb(size - len(features) - 1, order)
                logs, most = logs + weight * np.log(np.maximum(rows, 1)), np.minimum(most, rows)
            self._known[chosen, size] = logs, most
        return self._known[chosen, size]


def _subsets(features: Combination, most: int) -> Iterator[Combination]:
    for size in range(min(len(features), most) + 1):
        yield from itertools.combinations(features, size)
