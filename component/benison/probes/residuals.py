# SPDX-License-Identifier: Apache-2.0
"""Probes of residuals, label less score: where they are not 0 on average, not normal, or in runs."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from benison.data.batch import Array, Index
from benison.data.values import is_measured
from benison.errors import ModelError
from benison.evidence.correction import holm
from benison.evidence.tails import normal_quantile, student_quantile, student_tail
from benison.metrics.statistics.moments import joined_moments
from benison.probes import changes
from benison.probes.base import Probe
from benison.probes.benchmarks import VALUES, binned, quantiles
from benison.probes.probe_findings import ProbeFinding, unmeasured
from benison.probes.residual_bins import OF_PREDICTION, ResidualMoments
from benison.probes.residual_order import Stretch, residuals_of
from benison.probes.subject import Subject

_LEAST_ROWS, _BINS = 20, 10
_UNPARTED = f"none of its values has {_LEAST_ROWS} labelled rows and leaves as many others"
_POINTS = 20
_STRAIGHT = 0.98
_FOLLOWS = 0.1


def _residuals(subject: Subject) -> Array:
    residuals = residuals_of(subject.labels, subject.before)
    if residuals is None:
        raise ModelError("labels and scores are not one number in each row")
    if np.isfinite(residuals).sum() < _LEAST_ROWS:
        raise ModelError(f"fewer than {_LEAST_ROWS} rows have a label and a score")
    return residuals


@dataclasses.dataclass(frozen=True)
class ResidualProbe(Probe):
    """Looks at the residuals of the rows as they are."""

    def calls(self, subject: Subject) -> int:
        return 0


class _Bin(NamedTuple):
    """The mean residual of rows in a bin, less that of all others, by Welch's test."""

    name: str
    mean: float
    apart: float
    reach: float
    rows: int
    p: float


@dataclasses.dataclass(frozen=True)
class ResidualsByFeature(ResidualProbe):
    """The bin of each feature whose mean residual is farthest from that of all other rows.

    Numbers are in ten bins of equally many rows. P-values are Welch's, after Holm over all bins.
    """

    def run(self, subject: Subject) -> Iterator[ProbeFinding]:
        residuals = _residuals(subject)
        by_feature: dict[str, list[_Bin]] = {}
        rows: dict[str, int] = {}
        for name in self.parting(subject):
            try:
                by_feature[name], rows[name] = self.parted(subject, name, residuals)
            except ModelError as error:
                yield unmeasured(self.name, str(error), name)
        adjusted = iter(holm(np.array([b.p for bins in by_feature.values() for b in bins])))
        for name, bins in by_feature.items():
            own = [float(next(adjusted)) for _ in bins]
            if not bins:
                yield unmeasured(self.name, _UNPARTED, name)
                continue
            yield self._finding(name, bins, own, rows[name])

    def parting(self, subject: Subject) -> tuple[str, ...]:
        """By what the rows are parted."""
        return self.features(subject)

    def parted(self, subject: Subject, name: str, residuals: Array) -> tuple[list[_Bin], int]:
        """The bins of all rows, and how many rows these are.

        They are those of the probes where the pass does not know all, as of labels of text, or where cells of
        all rows are too wide, as those of thousands of numbers far apart are for many in a narrow band.

        Raises:
            ModelError: A row has several values.
        """
        known = subject.residuals.get(name)
        if known is not None and not known.dropped:
            return self._bins(known)
        own = ResidualMoments.of(self.column(subject, name), residuals, most=len(residuals))
        of_own = self._bins(own)
        if known is None:
            return of_own
        of_all = self._bins(known)
        return of_own if 2 * _widest(*of_own) < _widest(*of_all) else of_all

    def _bins(self, moments: ResidualMoments) -> tuple[list[_Bin], int]:
        return [*_bins(moments, self.alpha)], int(moments.rows.sum())

    def column(self, subject: Subject, name: str) -> pa.Array:
        """The single values by which they are parted: [N]; raises ModelError where there are several."""
        return subject.single(name)

    def _finding(
        self, name: str, bins: list[_Bin], adjusted: list[float], rows: int
    ) -> ProbeFinding:
        farthest = int(np.argmax([abs(each.apart) for each in bins]))
        clearest = int(np.argmin(adjusted))
        best, is_notable = bins[farthest], adjusted[clearest] <= self.alpha
        words = f"where {name} is {_gap_words(best, adjusted[farthest])}"
        if is_notable and adjusted[farthest] > self.alpha:
            words += f"; clearest where it is {_gap_words(bins[clearest], adjusted[clearest])}"
        gap = abs(best.apart)
        return ProbeFinding(
            self.name, words, name, best.name, gap, rows=rows, lower=gap - best.reach, upper=gap + best.reach,
            is_notable=is_notable, curve=tuple((each.name, each.mean) for each in bins),
            scale=max(abs(best.mean), abs(best.mean - best.apart)),
        )  # fmt: skip


def _widest(bins: Sequence[_Bin], rows: int) -> float:
    """The share of the rows in the bin of most rows; all where no bin leaves others."""
    return max((each.rows / rows for each in bins), default=1.0)


def _gap_words(each: _Bin, p: float) -> str:
    verb = "higher" if each.apart > 0 else "lower"
    return (
        f"{each.name}, labels are {verb} than predictions by {abs(each.apart):.3g} more than elsewhere "
        f"({each.rows:,} rows, p = {p:.2g} over all bins)"
    )


@dataclasses.dataclass(frozen=True)
class ResidualsByPrediction(ResidualsByFeature):
    """The bin of the prediction whose mean residual is farthest from that of all other rows."""

    def parting(self, subject: Subject) -> tuple[str, ...]:
        return (OF_PREDICTION,)

    def column(self, subject: Subject, name: str) -> pa.Array:
        return pa.array(subject.before)


def _bins(moments: ResidualMoments, alpha: float) -> Iterator[_Bin]:
    """Of numbers at most ten, and each of at least 20 rows."""
    total = int(moments.rows.sum())
    codes, names = _bins_of(moments, min(_BINS, max(2, total // _LEAST_ROWS)))
    parts = np.stack([moments.rows, moments.means, moments.squares])
    inside = joined_moments(codes, len(names), *parts)
    for code, name in enumerate(names):
        if min(inside[0][code], total - inside[0][code]) < _LEAST_ROWS:
            continue
        outer = parts[:, codes != code]
        others = joined_moments(np.zeros(outer.shape[1], np.int64), 1, *outer)
        own = [float(each[code]) for each in inside]
        apart, reach, p = _welch(own, [float(each[0]) for each in others], alpha)
        yield _Bin(name, own[1], apart, reach, int(own[0]), p)


def _bins_of(moments: ResidualMoments, most: int) -> tuple[Index, list[str]]:
    """The bin of each value, as `bins_of` has it of each row: int64[K]."""
    if is_measured(moments.values.type):
        known = changes.numbers(moments.values)
        if np.isfinite(known).sum() > VALUES:
            return binned(known, quantiles(known, moments.rows, most))
    return np.arange(len(moments.values)), changes.names_of(moments.values)


def _welch(
    inside: Sequence[float], others: Sequence[float], alpha: float
) -> tuple[float, float, float]:
    """The difference of the means, how far its interval reaches either way, and the p-value.

    Both sides are rows, mean and squares.
    """
    apart = inside[1] - others[1]
    parts = np.array([squares / (rows - 1) / rows for rows, _, squares in (inside, others)])
    error = math.sqrt(parts.sum())
    if not math.isfinite(error):
        return apart, math.inf, 1.0
    if not error:  # each side has one residual alone: nothing is by chance
        return apart, 0.0, float(not apart)
    shares = parts / parts.sum()
    degrees = 1 / (shares**2 / [inside[0] - 1, others[0] - 1]).sum()
    p = 2 * float(student_tail([abs(apart) / error], [degrees])[0])
    return apart, float(student_quantile(alpha / 2, np.array([degrees]))[0]) * error, p


@dataclasses.dataclass(frozen=True)
class ResidualNormality(ResidualProbe):
    """The correlation of the residuals in their order with normal quantiles; 1 where they are normal.

    Filliben, "The probability plot correlation coefficient test for normality", Technometrics 17, 1975.
    """

    def run(self, subject: Subject) -> Iterator[ProbeFinding]:
        residuals = _residuals(subject)
        ordered = np.sort(residuals[np.isfinite(residuals)])
        quantiles = normal_medians(len(ordered))
        value = float(np.corrcoef(ordered, quantiles)[0, 1]) if ordered.std() else math.nan
        points = np.unique(np.linspace(0, len(ordered) - 1, _POINTS).astype(int))
        curve = tuple((f"{quantiles[i]:.3g}", float(ordered[i])) for i in points)
        kind = "nearly normal" if value >= _STRAIGHT else "not normal"
        if kind == "not normal" and subject.has_classes:
            kind += ", as those of classes never are"
        words = f"residuals are {kind}: they correlate with normal quantiles by {value:.3g}"
        yield ProbeFinding(
            self.name, words, value=value, rows=len(ordered), curve=curve,
            is_notable=value < _STRAIGHT and not subject.has_classes,
        )  # fmt: skip


def normal_medians(count: int) -> Array:
    """Filliben's quantiles of so many ordered normal values: float64[N]."""
    ends = 0.5 ** (1 / count)
    shares = (np.arange(1, count + 1) - 0.3175) / (count + 0.365)
    shares[[0, -1]] = 1 - ends, ends
    return np.array([*map(NormalDist().inv_cdf, shares.tolist())])


@dataclasses.dataclass(frozen=True)
class ResidualAutocorrelation(ResidualProbe):
    """How much a residual says of the next in the order of a time column, over all rows of the data."""

    def run(self, subject: Subject) -> Iterator[ProbeFinding]:
        for name in self.spec.features:
            whole = subject.orders.get(name)
            why = _unordered(whole)
            if whole is None or why:
                yield unmeasured(self.name, why, name)
                continue
            value = whole.autocorrelation
            reach = normal_quantile(self.alpha / 2) / math.sqrt(whole.rows)
            words = (
                f"residuals in the order of {name} have an autocorrelation of {value:.3g} (Durbin-Watson "
                f"{whole.durbin_watson:.3g}, {whole.rows:,} rows)"
            )
            yield ProbeFinding(
                self.name, words, name, value=value, rows=whole.rows, lower=max(value - reach, -1.0),
                upper=min(value + reach, 1.0), is_notable=abs(value) - reach > _FOLLOWS,
            )  # fmt: skip


def _unordered(whole: Stretch | None) -> str:
    """Why rows in their order cannot be measured; "" where they can."""
    if whole is None:
        return (
            "the rows are not in the order of the column from batch to batch; sort the data by it"
        )
    if whole.rows < _LEAST_ROWS:
        return f"fewer than {_LEAST_ROWS} rows have a time, a label and a score"
    if whole.are_equal:
        return "all residuals are equal"
    return "" if math.isfinite(whole.autocorrelation) else "residuals are too large to be squared"
