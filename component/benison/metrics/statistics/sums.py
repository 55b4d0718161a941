# SPDX-License-Identifier: Apache-2.0
"""What adds up to a few numbers per slice: counts, sums, means and moments."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from benison.data.batch import Array, Inputs
from benison.errors import DataError
from benison.metrics.base import Index, Statistic
from benison.slicing.codes import SliceCodes

RowFunction: TypeAlias = Callable[[Inputs], Array]
Arrays: TypeAlias = tuple[Array, ...]

_ROUNDING = 32 * np.finfo(np.float64).eps


class ArraysStatistic(Statistic[Arrays]):
    """A statistic whose state is a tuple of float64 arrays with S as their first axis, 0 at first."""

    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shape of each array behind the axis of slices."""
        return ((), ())

    def zero(self, size: int) -> Arrays:
        return tuple(np.zeros((size, *shape)) for shape in self.shapes())

    def merge(self, a: Arrays, b: Arrays) -> Arrays:
        return tuple(x + y for x, y in zip(a, b, strict=True))

    def scatter(self, state: Arrays, index: Index, size: int) -> Arrays:
        placed = self.zero(size)
        for target, source in zip(placed, state, strict=True):
            target[index] = source
        return placed

    def gather(self, state: Arrays, index: Index) -> Arrays:
        return tuple(array[index] for array in state)


@dataclasses.dataclass(frozen=True)
class Total(ArraysStatistic):
    """Weighted sum of a function of the row; the function is a module's, so that it is comparable."""

    of: RowFunction

    def shapes(self) -> tuple[tuple[int, ...], ...]:
        return ((),)

    def add(self, inputs: Inputs, codes: SliceCodes) -> Arrays:
        return (codes.sum(inputs.weighted(self.of(inputs))),)


@dataclasses.dataclass(frozen=True)
class Mean(ArraysStatistic):
    """Weighted sum of a function of the row, and the sum of the weights it was taken over.

    With `where`, a function that gives 1 for a row that counts and 0 for one that does not. A
    function that gives a value for each of several outputs is averaged over them.
    """

    of: RowFunction
    where: RowFunction | None = None

    def add(self, inputs: Inputs, codes: SliceCodes) -> Arrays:
        values = self.of(inputs)
        if self.where is None:
            return codes.sum(inputs.weighted(_per_row(values))), _weight(inputs, codes)
        chosen = self.where(inputs)
        totals = (inputs.weighted(_per_row(x)) for x in (values * chosen, chosen))
        total, weight = (codes.sum(x) for x in totals)
        return total, weight


def _per_row(values: Array) -> Array:
    return values if values.ndim == 1 else np.asarray(values.mean(axis=1))


def _weight(inputs: Inputs, codes: SliceCodes) -> Array:
    if inputs.weights is None:
        return codes.count().astype(np.float64)
    return codes.sum(inputs.weights)


@dataclasses.dataclass(frozen=True)
class Moments(ArraysStatistic):
    """Weight, means and centred second moments of labels (y) and predictions (p).

    The state is (n, mean y, mean p, M_yy, M_yp, M_pp). Centred moments keep their digits far from
    zero, where sums of squares lose all of them. Merge: Chan, Golub, LeVeque, "Updating formulae and
    a pairwise algorithm for computing sample variances", 1979.
    """

    def shapes(self) -> tuple[tuple[int, ...], ...]:
        return ((),) * 6

    def add(self, inputs: Inputs, codes: SliceCodes) -> Arrays:
        if inputs.labels.ndim != 1 or inputs.predictions.ndim != 1:
            raise DataError(
                f"A correlation needs one label and one prediction in each row; labels have the shape "
                f"{inputs.labels.shape} and predictions {inputs.predictions.shape}. For several "
                f"classes, choose them with binarize.class_ids in metrics_specs."
            )
        weights = None if inputs.weights is None else codes.repeat(inputs.weights)
        n = _weight(inputs, codes)

        def total(values: Array) -> Array:
            return codes.sum_repeated(values if weights is None else values * weights)

        def centre(values: Array) -> tuple[Array, Array, Array]:
            rough = _mean(codes.sum(inputs.weighted(values)), n)
            distances = codes.centred(values, rough)
            # A sum of many values is rounded; the mean distance is how far the mean is off.
            return rough, distances, _mean(total(distances), n)

        (mean_y, y, off_y), (mean_p, p, off_p) = centre(inputs.labels), centre(inputs.predictions)
        yy, yp, pp = total(y * y), total(y * p), total(p * p)
        moments = (yy - n * off_y**2, yp - n * off_y * off_p, pp - n * off_p**2)
        return n, mean_y + off_y, mean_p + off_p, *moments

    def merge(self, a: Arrays, b: Arrays) -> Arrays:
        n = a[0] + b[0]
        share = np.divide(b[0], n, out=np.zeros_like(n), where=n != 0)
        dy, dp = b[1] - a[1], b[2] - a[2]
        shift = a[0] * share
        crossed = (dy * dy, dy * dp, dp * dp)
        second = (x + y + d * shift for x, y, d in zip(a[3:], b[3:], crossed, strict=True))
        return n, a[1] + dy * share, a[2] + dp * share, *second


def _mean(total: Array, n: Array) -> Array:
    """0 for a slice without weight, so that no NaN enters a later merge."""
    return np.divide(total, n, out=np.zeros_like(n), where=n != 0)


def spread(n: Array, mean: Array, moment: Array) -> Array:
    """A second moment, or 0 where it is no more than the rounding of equal values."""
    return np.where(moment <= n * (_ROUNDING * mean) ** 2, 0.0, moment)
