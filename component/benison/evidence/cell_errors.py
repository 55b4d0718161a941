# SPDX-License-Identifier: Apache-2.0
"""The error of metrics of a decision, from counts of rows by label and decision.

A share of rows, such as accuracy or recall, is tested as such. For any other formula the delete-one jackknife
is made over cells: a value without one row of a cell differs from the value by what such a row contributes,
and all rows of a cell contribute the same.

Efron, "The Jackknife, the Bootstrap and Other Resampling Plans", 1982.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from typing import NamedTuple

import numpy as np

from benison.data.batch import Array, Mask
from benison.evidence.estimators import Estimator
from benison.evidence.paired_cells import DECISIONS, CellCounts, PairedCells
from benison.evidence.paired_spread import Paired
from benison.evidence.spread import PairedShares, Share, Spread, Student
from benison.metrics.base import Metric, ratio
from benison.metrics.statistics.binary import LabelCells, ThresholdCells
from benison.metrics.statistics.cells import Cells

_CELLS = 4
"""Cells of one model: 2 * decision + label, as `ThresholdCells` of one threshold has them."""
_NOISE = 1e-13
"""The share of the variances that rounding leaves where both models decide alike."""
_LEFT = 1e-9
"""What is left of a cell without its only row is nothing; more than that is no rounding."""


class Marginal(NamedTuple):
    """One model's cells: sums of weights and of squares, float64[S, 4], and of crossed shares, float64[S, 2].

    NaN in slices in which a prediction is missing.
    """

    weights: Array
    squares: Array
    crossed: Array


class Contributions(NamedTuple):
    """A value, float64[S], and what a unit of weight in each cell contributes to it, float64[S, 4]."""

    value: Array
    slopes: Array


@dataclasses.dataclass(frozen=True)
class CellsEstimator(Estimator):
    """A metric of the cells of one threshold.

    Attributes:
        metric: Its one statistic is `ThresholdCells` of one threshold.
        weighted: Whether rows have weights.
        among: Several thresholds, ascending, of which rows are counted at once; it reads the state of each.
    """

    metric: Metric
    paired: bool
    weighted: bool
    among: tuple[float, ...] = ()

    name = "cells"

    @classmethod
    def fits(cls, metric: Metric) -> bool:
        """Whether the one statistic of a metric is the cells of one threshold, of scores as they are."""
        cells, *others = metric.statistics()
        if others or type(cells) not in (ThresholdCells, LabelCells):
            return False
        assert isinstance(cells, ThresholdCells)
        return len(cells.thresholds) == 1

    def statistics(self) -> tuple[PairedCells]:
        cells = self.metric.statistics()[0]
        assert isinstance(cells, ThresholdCells)
        thresholds = self.among or cells.thresholds
        return (PairedCells(thresholds, self.paired, isinstance(cells, LabelCells)),)

    def spread(self, *states: CellCounts) -> Spread:
        return self._own(states[0], _marginal(states[0], self.paired, baseline=False))

    def compared(self, *states: CellCounts) -> Paired:
        state = states[0]
        sides = [_marginal(state, True, baseline) for baseline in (False, True)]
        own, other = (self._own(state, side) for side in sides)
        parts = [contributions(self.metric, side) for side in sides]
        covariance = _covariance(state, *parts)
        share = None if self.weighted else share_of(self.metric)
        if share is not None and share.is_of_equal_rows:
            won, lost, total = _discordant(state, share)
            change: Spread = PairedShares(won, lost, total)
            right = share.in_order(won, lost)
            return Paired(own, other, change, covariance, *right, same=state.differing == 0)
        errors = [_variance(state, *of) for of in zip(sides, parts, strict=True)]
        degrees = _degrees(state, sides[0])
        if isinstance(own, Share) and isinstance(other, Share):
            # Each decides which rows it is of; of few rows, or of rows all alike, little is known.
            errors = [own.adjusted_error**2, other.adjusted_error**2]
            degrees = np.minimum(own.total, other.total) - 1
        together = errors[0] + errors[1]
        variance = together - 2 * covariance
        variance = np.where(variance <= _NOISE * together, 0.0, variance)
        difference = parts[0].value - parts[1].value
        change = _tested(difference, np.sqrt(variance), degrees)
        return Paired(own, other, change, covariance, same=state.differing == 0)

    def _own(self, state: CellCounts, side: Marginal) -> Spread:
        share = None if self.weighted else share_of(self.metric)
        if share is not None:
            return Share(side.weights @ share.hits, side.weights @ share.among)
        part = contributions(self.metric, side)
        return _tested(part.value, np.sqrt(_variance(state, side, part)), _degrees(state, side))


def _tested(value: Array, error: Array, degrees: Array) -> Student:
    """Values with their errors; where there is no value without one row it takes more rows."""
    degrees = np.where(np.isnan(error) & np.isfinite(degrees), 0.0, degrees)
    return Student(value, error, degrees, "cells")


def _marginal(state: CellCounts, paired: bool, baseline: bool) -> Marginal:
    """The cells of one model; the other may say anything, or nothing."""
    size = len(state.rows)
    axis = 1 if baseline else 2

    def of(cells: Cells, labels: int) -> Array:
        sums = cells.dense().reshape(size, *(DECISIONS,) * (1 + paired), labels)
        sums = sums.sum(axis=axis) if paired else sums
        missing = (sums[:, 2] != 0).any(axis=1)
        own = sums[:, :2].reshape(size, 2 * labels)
        return np.where(missing[:, None], np.nan, own)

    return Marginal(of(state.weights, 2), of(state.second, 2), of(state.crossed, 1))


def contributions(metric: Metric, side: Marginal) -> Contributions:
    """The value, and by how much it changes with a row of mean weight in each cell, per unit of weight.

    0 where a cell has no rows, and NaN where the value is undefined without a row of it.
    """
    weights, (size, _) = side.weights, side.weights.shape
    steps = ratio(side.squares, weights)
    without = np.repeat(weights[None], 1 + _CELLS, axis=0)
    for cell in range(_CELLS):
        less = weights[:, cell] - np.nan_to_num(steps[:, cell])
        without[1 + cell, :, cell] = np.where(less > _LEFT * weights[:, cell], less, 0.0)
    values = _result(metric, without.reshape(-1, _CELLS)).reshape(1 + _CELLS, size)
    with np.errstate(all="ignore"):
        slopes = (values[:1] - values[1:]).T / steps
    return Contributions(values[0], np.where(weights == 0, 0.0, slopes))


def _result(metric: Metric, weights: Array) -> Array:
    """The values of cells, float64[n, 4]."""
    cells = Cells(len(weights), _CELLS, weights.reshape(-1), None)
    with np.errstate(all="ignore"):
        return np.asarray(metric.result(cells), np.float64)


def _variance(state: CellCounts, side: Marginal, part: Contributions) -> Array:
    """The variance of a value, float64[S]."""
    slopes = part.slopes
    second = (side.squares * slopes**2).sum(axis=1)
    by_decision = slopes.reshape(-1, 2, 2)
    second = second + 2 * (side.crossed * by_decision.prod(axis=2)).sum(axis=1)
    first = (side.weights * slopes).sum(axis=1)
    variance = _centred(state.rows, second, first, first)
    return np.where(variance <= _NOISE * state.rows * second, 0.0, variance)


def _centred(rows: Array, second: Array, first: Array, other: Array) -> Array:
    """The jackknife's (n - 1) / n times the centred products of n contributions."""
    with np.errstate(all="ignore"):
        return np.asarray((rows - 1) / rows * (second - first * other / rows))


def _covariance(state: CellCounts, own: Contributions, other: Contributions) -> Array:
    """Of the values of two models on the same rows, float64[S]."""
    shape = (len(state.rows), DECISIONS, DECISIONS)
    weights, squares = (
        of.dense().reshape(*shape, 2)[:, :2, :2] for of in (state.weights, state.second)
    )
    crossed = state.crossed.dense().reshape(shape)[:, :2, :2]
    a, b = own.slopes.reshape(-1, 2, 1, 2), other.slopes.reshape(-1, 1, 2, 2)
    second = (squares * a * b).sum(axis=(1, 2, 3))
    products = a[..., 0] * b[..., 1] + a[..., 1] * b[..., 0]
    second = second + (crossed * products).sum(axis=(1, 2))
    firsts = ((weights * of).sum(axis=(1, 2, 3)) for of in (a, b))
    return _centred(state.rows, second, *firsts)


def _degrees(state: CellCounts, side: Marginal) -> Array:
    """(sum w)^2 / sum w^2 - 1, which is n - 1 without weights, float64[S]."""
    fractions = 2 * side.crossed.sum(axis=1)
    effective = ratio(side.weights.sum(axis=1) ** 2, side.squares.sum(axis=1) + fractions)
    return np.minimum(effective, state.rows) - 1


@dataclasses.dataclass(frozen=True)
class ShareOfCells:
    """A share: rows in some cells among rows in more of them, float64[4] of 0 and 1 each."""

    hits: Array
    among: Array

    @property
    def is_of_equal_rows(self) -> bool:
        """Whether decisions make no difference to which rows are the whole."""
        return bool(np.array_equal(self.among[:2], self.among[2:]))

    def in_order(self, won: Array, lost: Array) -> tuple[Array | None, Array | None]:
        """The rows that only the candidate, and only the baseline has right; None if hits are neither."""
        wrong = self.hits[1:3].any()  # cells are 2 * decision + label
        if wrong and self.hits[::3].any():
            return None, None
        return (lost, won) if wrong else (won, lost)


@functools.lru_cache(maxsize=256)
def share_of(metric: Metric) -> ShareOfCells | None:
    """The share of rows that a metric is; None where it is another formula.

    It is one if every set of cells, with a prime number of rows in each, has the value of that share.
    """
    chosen = np.array([*itertools.product((0.0, 1.0), repeat=_CELLS)])
    counts = chosen * np.array([2.0, 3.0, 5.0, 7.0])
    values = _result(metric, counts)
    single = values[chosen.sum(axis=1) == 1][::-1]
    hits, among = np.nan_to_num(single), np.asarray(~np.isnan(single), np.float64)
    expected = ratio(counts @ (hits * among), counts @ among)
    same: Mask = np.isclose(values, expected, equal_nan=True)
    is_share = same.all() and np.isin(hits, (0.0, 1.0)).all() and among.any()
    return ShareOfCells(hits, among) if is_share else None


def _discordant(state: CellCounts, share: ShareOfCells) -> tuple[Array, Array, Array]:
    """The rows that are hits of the candidate alone, of the baseline alone, and all: float64[S] each."""
    shape = (len(state.rows), DECISIONS, DECISIONS, 2)
    counts = state.weights.dense().reshape(shape)
    missing = (counts[:, 2] != 0).any(axis=(1, 2)) | (counts[:, :, 2] != 0).any(axis=(1, 2))
    counts = counts[:, :2, :2]
    hits, among = share.hits.reshape(2, 2), share.among.reshape(2, 2)
    won, lost = (
        (counts * a * b).sum(axis=(1, 2, 3))
        for a, b in ((hits[:, None], 1 - hits), (1 - hits[:, None], hits))
    )
    total = (counts * among).sum(axis=(1, 2, 3))
    return won, lost, np.where(missing, np.nan, total)
