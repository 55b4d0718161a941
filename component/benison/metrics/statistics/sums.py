# SPDX-License-Identifier: Apache-2.0
"""Statistics of a few numbers for each slice: sums, means and moments.

Their states are tuples of float64 arrays with the slices as first axis, and most merge by addition.
A function of the row, `RowFunction`, takes a batch's `Inputs` and returns float64[N] (or float64[N,
C] where it says so). It is a function of a module and no lambda, so that equal statistics compare
equal, are computed once, and can be pickled for workers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

import numpy as np

from benison.data.batch import Array, Inputs, Mask
from benison.errors import DataError
from benison.metrics.base import Index, Statistic
from benison.metrics.statistics.binary import heavy
from benison.slicing.codes import SliceCodes

RowFunction: TypeAlias = Callable[[Inputs], Array]
Arrays: TypeAlias = tuple[Array, ...]

# The relative error that a mean of equal values may have after some merges; below it a spread is noise.
# Each merge rounds the mean by up to eps / 2, and errors of random sign grow with the root of their
# number: of 4,096 merges.
_ROUNDING = 32 * np.finfo(np.float64).eps
_LOST = 8  # by which rounding may grow where moments are not centred in each slice: three bits
_LEAST = 1e-305  # below it squares have lost digits, as floats end at 5e-324


class ArraysStatistic(Statistic[Arrays]):
    """A statistic whose state is a tuple of float64 arrays [S, ...] that merge by addition.

    A slice without rows is 0 in each of them. Sums are float64 whatever the type of the data, so that a
    hundred million rows of float32 lose no digits.

    Subclasses give `add`, and `shapes` unless they have two numbers for each slice.
    """

    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shape of each array without the axis of slices; () is one number for each slice."""
        return ((), ())

    def summands(self) -> tuple[RowFunction | None, ...] | None:
        """The functions of the row whose weighted sums the state is; None in place of 1, as for the weight.

        From what each row adds the sampling error of metrics is known. A statistic that is more than such
        sums has none.
        """
        return None

    def of_sums(self, sums: Sequence[Array]) -> Arrays:
        """The state in which the `summands` have these sums, float64[S] each."""
        return tuple(sums)

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
    """Weighted sum of a function of the row: the state is (sum w f,), float64[S]; 0 without rows.

    Attributes:
        of: The function f, float64[N] of a batch.

    >>> from benison.metrics.counts import ones
    >>> Total(ones).add(Inputs.of([1, 0], [0.5, 0.5], [2.0, 0.5]), SliceCodes.of([0, 1], 2))
    (array([2. , 0.5]),)
    """

    of: RowFunction

    def shapes(self) -> tuple[tuple[int, ...], ...]:
        return ((),)

    def summands(self) -> tuple[RowFunction | None, ...]:
        return (self.of,)

    def add(self, inputs: Inputs, codes: SliceCodes) -> Arrays:
        inputs, codes = heavy(inputs, codes)
        return tuple(sums_of(inputs, codes, lambda rows: (rows.weighted(self.of(rows)),), 1))


@dataclasses.dataclass(frozen=True)
class Totals(ArraysStatistic):
    """Weighted sums of several numbers of a row: a float64[S] for each; 0 without rows.

    Attributes:
        of: The numbers of each row, float64[N, width] of a batch.
        width: How many they are.
    """

    of: RowFunction
    width: int

    def shapes(self) -> tuple[tuple[int, ...], ...]:
        return ((),) * self.width

    def summands(self) -> tuple[RowFunction | None, ...]:
        return tuple(ColumnOf(self.of, column) for column in range(self.width))

    def add(self, inputs: Inputs, codes: SliceCodes) -> Arrays:
        inputs, codes = heavy(inputs, codes)
        return tuple(codes.sum(inputs.weighted(column)) for column in self.of(inputs).T)


@dataclasses.dataclass(frozen=True)
class Mean(ArraysStatistic):
    """The two sums of a weighted mean: the state is (sum w f, sum w), each float64[S].

    The mean is their ratio, undefined where the weights sum up to 0. Both sums are kept, because means of
    batches cannot be merged without knowing what each rests on.

    Attributes:
        of: The function f: float64[N], or float64[N, C], which is averaged over the C outputs first.
        where: 1 for the rows that count and 0 for others, float64[N]; None counts all.

    >>> from benison.metrics.regression import absolute_error
    >>> Mean(absolute_error).add(Inputs.of([1.0, 3.0], [0.0, 1.0]), SliceCodes.of([0, 0], 1))
    (array([3.]), array([2.]))
    """

    of: RowFunction
    where: RowFunction | None = None

    def summands(self) -> tuple[RowFunction | None, ...]:
        return (MeanOf(self.of, self.where), self.where and MeanOf(self.where))

    def add(self, inputs: Inputs, codes: SliceCodes) -> Arrays:
        inputs, codes = heavy(inputs, codes)
        if self.where is None:
            (total,) = sums_of(inputs, codes, self._parts, 1)
            return total, weight_of(inputs, codes)
        total, weight = sums_of(inputs, codes, self._parts, 2)
        return total, weight

    def _parts(self, rows: Inputs) -> Iterator[Array]:
        """What each row adds to the sums; where all rows count, to the first of them."""
        values, counts = self.of(rows), None if self.where is None else self.where(rows)
        yield rows.weighted(_per_row(values if counts is None else values * counts))
        if counts is not None:
            yield rows.weighted(_per_row(counts))


@dataclasses.dataclass(frozen=True)
class ColumnOf:
    """One of the numbers of a row, float64[N], of which a function makes several."""

    of: RowFunction
    column: int

    def __call__(self, inputs: Inputs) -> Array:
        return np.asarray(self.of(inputs)[:, self.column])


@dataclasses.dataclass(frozen=True)
class MeanOf:
    """The mean of a function, or of the product of two, over the outputs of a row: float64[N]."""

    of: RowFunction
    where: RowFunction | None = None

    def __call__(self, inputs: Inputs) -> Array:
        values = self.of(inputs)
        return _per_row(values if self.where is None else values * self.where(inputs))


def _per_row(values: Array) -> Array:
    """One value for each row, float64[N]: the mean over the outputs of float64[N, C].

    >>> _per_row(np.array([[1.0, 3.0], [0.0, 2.0]]))
    array([2., 1.])
    """
    return values if values.ndim == 1 else np.asarray(values.mean(axis=1))


def sums_of(
    inputs: Inputs, codes: SliceCodes, of: Callable[[Inputs], Iterable[Array | None]], count: int
) -> Sequence[Array]:
    """The sums of `count` columns, float64[n] of rows each or None for 0, by slice: float64[count, S].

    They are made of some rows at a time where that is possible: columns of all rows would each take fresh
    memory, and what is made on the way to them more, which costs more than to compute and to add them up.
    """
    columns = inputs.labels, inputs.predictions
    are_single = all(isinstance(column, np.ndarray) and column.ndim == 1 for column in columns)
    if are_single and all(rows is None for rows, _ in codes.parts):
        return list(codes.sums(lambda at: of(inputs.block(at)), count))
    return [np.zeros(codes.size) if x is None else codes.sum(x) for x in of(inputs)]


def weight_of(inputs: Inputs, codes: SliceCodes) -> Array:
    """The weight of the rows in each slice, float64[S]; their number where rows have no weights."""
    if inputs.weights is None:
        return codes.count().astype(np.float64)
    return codes.sum(inputs.weights)


def check_single(what: str, labels: Array, predictions: Array) -> None:
    """Refuse rows of several labels or predictions; raises DataError unless both are float64[N]."""
    if labels.ndim != 1 or predictions.ndim != 1:
        raise DataError(
            f"{what} needs one label and one prediction in each row, and there are several. For several "
            "classes, choose them with binarize.class_ids in metrics_specs."
        )


@dataclasses.dataclass(frozen=True)
class Moments(ArraysStatistic):
    """Weight, means and centred second moments of labels (y) and predictions (p).

    The state is (n, mean y, mean p, M_yy, M_yp, M_pp), each float64[S], where n is the weight and
    M_ab = sum w (a - mean a) (b - mean b). Centred moments keep their digits far from zero: for values about
    1e9 that vary by 1, sums of squares lose all of them. The moments of two batches a and b merge to

        M_yp = M_yp(a) + M_yp(b) + (mean y(b) - mean y(a)) (mean p(b) - mean p(a)) n(a) n(b) / (n(a) + n(b))

    Source of the merge: Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm for
    computing sample variances", Stanford University, STAN-CS-79-773, 1979.

    >>> n, mean_y, _, yy, *_ = Moments().add(Inputs.of([1, 2, 3], [0, 0, 0]), SliceCodes.of([0, 0, 0], 1))
    >>> n, mean_y, yy
    (array([3.]), array([2.]), array([2.]))
    """

    def shapes(self) -> tuple[tuple[int, ...], ...]:
        return ((),) * 6

    def add(self, inputs: Inputs, codes: SliceCodes) -> Arrays:
        check_single("A correlation", inputs.labels, inputs.predictions)
        inputs, codes = heavy(inputs, codes)
        moments, rest = self._about_all(inputs, codes)
        if rest.any():
            apart = self._about_each(inputs, codes.in_slices(rest))
            moments = tuple(np.where(rest, own, x) for own, x in zip(apart, moments, strict=True))
        return moments

    def _about_all(self, inputs: Inputs, codes: SliceCodes) -> tuple[Arrays, Mask]:
        """The moments, from distances from the means of all rows; and where that loses digits: bool[S].

        It does in slices whose means lie far from these, beside the spread in the slice.
        """
        n = weight_of(inputs, codes)
        means = [_mean_of_finite(values) for values in (inputs.labels, inputs.predictions)]

        def products(rows: Inputs) -> Iterator[Array]:
            y, p = rows.labels - means[0], rows.predictions - means[1]
            yield from (rows.weighted(values) for values in (y, p, y * y, y * p, p * p))

        off_y, off_p, yy, yp, pp = sums_of(inputs, codes, products, 5)
        off_y, off_p = _mean(off_y, n), _mean(off_p, n)
        seconds = (yy - n * off_y**2, yp - n * off_y * off_p, pp - n * off_p**2)
        near = (_LOST * seconds[0] >= yy) & (_LOST * seconds[2] >= pp) & np.isfinite(yy + pp)
        first = (
            np.where(n > 0, mean + off, 0.0)
            for mean, off in zip(means, (off_y, off_p), strict=True)
        )
        return (n, *first, *seconds), ~near

    def _about_each(self, inputs: Inputs, codes: SliceCodes) -> Arrays:
        """The moments, from distances from the means of each slice."""
        weights = None if inputs.weights is None else codes.expand(inputs.weights)
        n = weight_of(inputs, codes)

        def total(values: Array) -> Array:
            return codes.sum_expanded(values if weights is None else values * weights)

        def centre(values: Array) -> tuple[Array, Array, Array]:
            # Two passes: the sum of many values is rounded, and the mean distance from the first mean is
            # its error. (Neely, "Comparison of several algorithms for computation of means, standard
            # deviations and correlation coefficients", Communications of the ACM 9, 1966.)
            rough = _mean(codes.sum(inputs.weighted(values)), n)
            distances = codes.centred(values, rough)
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


def _mean_of_finite(values: Array) -> float:
    """The mean of the values that are finite; 0 where none is."""
    mean = float(values.mean()) if len(values) else 0.0
    if np.isfinite(mean):
        return mean
    finite = values[np.isfinite(values)]
    return float(np.nan_to_num((finite / max(len(finite), 1)).sum()))


def _mean(total: Array, n: Array) -> Array:
    """The mean total / n, and 0 for a slice without weight, so that no NaN enters a later merge."""
    return np.divide(total, n, out=np.zeros_like(n), where=n != 0)


def spread(n: Array, mean: Array, moment: Array) -> Array:
    """A second moment float64[S]; 0 where it is no more than rounding, NaN where squares are no floats.

    Args:
        n: The weight of each slice.
        mean: The mean of the values.
        moment: Their centred second moment, `n` times the variance.

    >>> spread(np.array([3.0]), np.array([1e9]), np.array([1e-12]))
    array([0.])
    """
    variance = np.divide(moment, n, out=np.zeros_like(n), where=n != 0)
    noise = (np.sqrt(np.maximum(variance, 0)) <= _ROUNDING * np.abs(mean)) | (moment < _LEAST)
    known = np.where(noise | (variance < _LEAST), 0.0, moment)
    return np.where(np.isinf(moment), np.nan, known)
