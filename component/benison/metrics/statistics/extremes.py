# SPDX-License-Identifier: Apache-2.0
"""The largest values of all rows, by which data are refused: whatever the slices, batches or their order.

A single batch does not tell, for instance, whether labels are class numbers of so many classes; all rows do.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from benison.data.batch import Array, Inputs
from benison.metrics.base import Index, Statistic
from benison.metrics.statistics.binary import heavy
from benison.metrics.statistics.sums import RowFunction
from benison.slicing.codes import SliceCodes


@dataclasses.dataclass(frozen=True)
class Largest(Statistic[Array]):
    """The largest value of each of some functions of the row, over all rows that weigh anything.

    The state is float64[n] for n functions, -inf without rows, and no matter of slices; NaN is left out.

    Attributes:
        of: The functions, each float64[N] or float64[N, C] of a batch.

    >>> from benison.metrics.pairing import label, prediction
    >>> Largest((label, prediction)).add(Inputs.of([0, 1], [0.5, 7.0]), SliceCodes.of([0, 1], 2))
    array([1., 7.])
    """

    of: tuple[RowFunction, ...]

    def zero(self, size: int) -> Array:
        return np.full(len(self.of), -np.inf)

    def add(self, inputs: Inputs, codes: SliceCodes) -> Array:
        rows, _ = heavy(inputs, codes)
        largest = [np.fmax.reduce(f(rows), axis=None, initial=-np.inf) for f in self.of]
        return np.array(largest, np.float64)

    def merge(self, a: Array, b: Array) -> Array:
        return np.maximum(a, b)

    def scatter(self, state: Array, index: Index, size: int) -> Array:
        return state

    def gather(self, state: Array, index: Index) -> Array:
        return state
