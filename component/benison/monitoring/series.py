# SPDX-License-Identifier: Apache-2.0
"""The rates of one metric by slice and bucket, as failures among rows, and which buckets cannot be judged."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benison.data.batch import Array
from benison.monitoring.detectors import BucketCounts, Mask
from benison.slicing.keys import OVERALL, SliceKey
from benison.table.key import Key
from benison.table.slices import as_key, slice_codes

FALLS, RISES = "fell", "rose"
NUMBERS = ("value", "std_error", "lower", "upper", "examples", "evaluated")
_ASKED = "asked"
_NEARLY = 1.5  # rows: an error that is divided by n - 1 makes one row less
_EXPECTED = 10.0
_ROUNDING = 1e-9


@dataclasses.dataclass(frozen=True)
class Labels:
    """Which share of the rows has labels, and from when on a bucket waits for them.

    Attributes:
        shares: Of each bucket: float64[T], NaN where it is not known.
        least: A bucket waits if it has a smaller share, relative to what was blessed.
        needed: Whether the metric looks at labels.
    """

    shares: Array
    least: float
    needed: bool = True

    def are_late(self, known: int) -> Mask:
        """The buckets in which labels may be why few rows are evaluated: bool[T]."""
        if not self.needed:
            return np.zeros(len(self.shares), np.bool_)
        before = self.shares[:known]
        usual = before[np.isfinite(before)].mean() if np.isfinite(before).any() else 1.0
        return np.asarray(~(self.shares >= self.least * usual))

    @property
    def are_all_in(self) -> Mask:
        """The buckets in which no row waits for a label that the metric looks at: bool[T]."""
        return np.asarray((self.shares == 1) | (not self.needed))


@dataclasses.dataclass(frozen=True)
class Series:
    """One metric of S slices in T buckets after what was blessed.

    Attributes:
        key: The metric, its model, output and class.
        side: `fell` or `rose`: the end that is watched.
        slices: Names of slices, and
        keys: their identities.
        values: float64[S, T], NaN where there is none.
        known: The value of what was blessed: float64[S].
        counts: The same as failures among rows. A bucket that waits for labels has no rows.
        is_pending: Which buckets wait: bool[T].
        is_undefined: In which buckets a slice has rows that are evaluated and others that are not, and no
            value, as where predictions are missing: bool[T].
        is_left_out: Which buckets of what was blessed a slice has no value of though it has rows, as where
            predictions are missing; the reference is the others: bool[known].
        is_share: Whether the rows of `counts` are all that were evaluated, and not equivalents.
        unknown: The names of slices that the reference does not have; they are not watched.
        vanished: Slices of the reference without a row in the last bucket, where as many as ten were to be
            expected, each with the first bucket without one; where small slices are hidden, without so many
            rows as are shown, where clearly more were to be expected.
    """

    key: Key
    side: str
    slices: list[str]
    keys: list[SliceKey]
    values: Array
    known: Array
    counts: BucketCounts
    is_pending: Mask
    is_undefined: Mask
    is_left_out: Mask
    is_share: bool = False
    unknown: tuple[str, ...] = ()
    vanished: tuple[tuple[str, int], ...] = ()

    def value_of(self, rate: float) -> float:
        """The metric of a rate of failures."""
        return 1 - rate if self.side == FALLS else rate


@dataclasses.dataclass(frozen=True)
class SliceNumbers:
    """The numbers of one key by slice and bucket: float64[S, T], NaN where there is no row."""

    key: Key
    slices: list[str]
    keys: list[SliceKey]
    numbers: dict[str, Array]
    level: float
    is_of_rows: bool
    least_rows: int = 1
    """Slices of fewer rows are hidden."""

    @classmethod
    def of(
        cls, rows: pa.Table, buckets: int, level: float, is_of_rows: bool, least_rows: int = 1
    ) -> SliceNumbers:
        """Of the rows of metrics, with `bucket`."""
        ids, codes = slice_codes(rows)
        size, (_, firsts) = len(ids), np.unique(codes, return_index=True)
        heads = rows.take(pa.array(firsts))
        asked = pc.not_equal(rows["interval_method"], "").fill_null(False)
        rows = rows.append_column(_ASKED, asked)
        numbers = {name: np.full((size, buckets), np.nan) for name in (*NUMBERS, _ASKED)}
        for name, dense in numbers.items():
            column = rows[name].cast(pa.float64()).to_numpy()
            dense[codes, rows["bucket"].to_numpy()] = column
        keys = [as_key(pairs) for pairs in heads["slice_key"].to_pylist()]
        key = Key.of(rows.slice(0, 1).to_pylist()[0])
        return cls(key, heads["slice"].to_pylist(), keys, numbers, level, is_of_rows, least_rows)

    def series(self, side: str, known: int, labels: Labels) -> Series:
        """What is watched of it: the slices that the reference and a later bucket have."""
        rows = self.rows
        rates = 1 - self.numbers["value"] if side == FALLS else self.numbers["value"]
        failures = np.where(rows > 0, rates * rows, 0.0)
        undefined, pending = self._unjudged(known, labels)
        rows = np.where(pending, 0.0, rows)
        failures = np.where(rows > 0, failures, 0.0)
        before = [of[:, :known].sum(1) for of in (failures, rows)]
        with np.errstate(invalid="ignore", divide="ignore"):
            rate = before[0] / before[1]
        counts = BucketCounts(failures[:, known:], rows[:, known:], before[0], before[1])
        index = np.flatnonzero((before[1] > 0) & (counts.rows.any(1) | undefined.any()))
        is_new = (before[1] <= 0) & counts.rows.any(1)
        return Series(
            self.key,
            side,
            [self.slices[i] for i in index],
            [self.keys[i] for i in index],
            self.numbers["value"][index, known:],
            (1 - rate if side == FALLS else rate)[index],
            counts.take(index),
            pending[known:],
            undefined[known:],
            self._left_out(known, labels),
            self.is_share,
            tuple(self.slices[i] for i in np.flatnonzero(is_new)),
            self._vanished(known),
        )

    @property
    def is_share(self) -> bool:
        """Whether it is a share of all rows that are evaluated, each of which counts as much."""
        return self.is_of_rows and not self.key.weighted

    @property
    def rows(self) -> Array:
        """On how many rows each rate rests, 0 where it is none: float64[S, T]."""
        rows = rows_of_rates(self.numbers, self.level, self.is_share)
        value, evaluated = self.numbers["value"], self.numbers["evaluated"]
        # Of a perfect value no error is known: it rests on such a part of the rows as others of the slice.
        is_perfect = ((value == 0) | (value == 1)) & (rows == 0) & (self.numbers[_ASKED] == 1)
        if not is_perfect.any():
            return rows
        parts = np.where(rows > 0, rows / np.maximum(evaluated, 1), np.inf).min(1, keepdims=True)
        return np.where(is_perfect, np.minimum(parts, 1) * np.nan_to_num(evaluated), rows)

    def _unjudged(self, known: int, labels: Labels) -> tuple[Mask, Mask]:
        """The buckets in which a slice has rows and no value, and those without labels yet: bool[T] each."""
        is_known = np.isfinite(self.numbers["value"][:, :known]).any(1, keepdims=True)
        undefined = (self._without_value(labels.are_all_in) & is_known).any(0)
        few = self._few_evaluated(known, labels.least)
        undefined |= few & ~labels.are_late(known) & is_known.any()
        undefined[:known] = False
        return undefined, few & ~undefined

    def _without_value(self, is_labelled: Mask) -> Mask:
        """Where rows have no value as not all of them are evaluated, for want of predictions: bool[S, T]."""
        value, evaluated, examples = (self.numbers[n] for n in ("value", "evaluated", "examples"))
        in_part = (evaluated > 0) & (evaluated < examples)
        unpredicted = (evaluated == 0) & (examples > 0) & is_labelled
        return np.asarray(np.isnan(value) & (in_part | unpredicted))

    def _left_out(self, known: int, labels: Labels) -> Mask:
        """The buckets of what was blessed in which a slice that is known has no value: bool[known]."""
        is_known = np.isfinite(self.numbers["value"]).any(1, keepdims=True)
        evaluated = np.nansum(self.numbers["evaluated"], 0)
        is_labelled = labels.are_all_in | (evaluated == 0)
        is_without: Mask = self._without_value(is_labelled) & is_known
        return np.asarray(is_without[:, :known].any(0))

    def _few_evaluated(self, known: int, least: float) -> Mask:
        """The buckets of which fewer rows are evaluated than usual, over all slices: bool[T]."""
        evaluated, examples = (np.nansum(self.numbers[n], 0) for n in ("evaluated", "examples"))
        share = evaluated / np.maximum(examples, 1)
        usual = evaluated[:known].sum() / max(examples[:known].sum(), 1)
        few = (examples > 0) & (share < least * usual)
        few[:known] = False
        return np.asarray(few)

    def _vanished(self, known: int) -> tuple[tuple[str, int], ...]:
        """The slices without rows at the end, and since which bucket; none where all data are no slice."""
        if OVERALL not in self.keys:
            return ()
        examples = np.nan_to_num(self.numbers["examples"])
        whole = examples[self.keys.index(OVERALL)]
        share = examples[:, :known].sum(1) / max(whole[:known].sum(), 1)
        # The root of a Poisson number moves by chance as much whatever the number is.
        least = (math.sqrt(self.least_rows - 1) + math.sqrt(_EXPECTED)) ** 2
        is_gone = (examples[:, -1] == 0) & (share * whole[-1] >= least * (1 - _ROUNDING))
        return tuple(
            (self.slices[i], _after_last(examples[i, known:])) for i in np.flatnonzero(is_gone)
        )


def _after_last(rows: Array) -> int:
    """The first of the empty buckets at the end."""
    return int(np.flatnonzero(rows)[-1]) + 1 if rows.any() else 0


def rows_of_rates(numbers: dict[str, Array], level: float, is_of_rows: bool = False) -> Array:
    """On how many rows each rate rests, 0 for what is no rate: float64 of the shape of the numbers.

    It is what its standard error says, v (1 - v) / n, so that it holds for what rests on a part of the rows,
    as precision, and for weighted rows. A rate of 0 or 1 has no such error, but an interval: one of n rows
    without a failure ends at 1 - (alpha / 2)^(1 / n), after Clopper and Pearson. Without an interval it is
    known of a share of all rows alone.

    >>> numbers = {"value": np.array([0.9]), "std_error": np.array([0.03]), "evaluated": np.array([100.0])}
    >>> rows_of_rates({**numbers, "lower": np.array([0.8]), "upper": np.array([0.95])}, 0.95)
    array([100.])
    """
    value, error, evaluated = (numbers[name] for name in ("value", "std_error", "evaluated"))
    with np.errstate(all="ignore"):
        by_error = value * (1 - value) / error**2
        width = np.clip(numbers["upper"] - numbers["lower"], 0.0, 1.0)
        by_width = math.log((1 - level) / 2) / np.log1p(-width)
    is_end = (value == 0) | (value == 1)
    rows = np.where(is_end, by_width, by_error)
    rows = np.where(np.isnan(rows) & is_of_rows, evaluated, rows)
    rows = np.where(np.abs(rows - evaluated) <= _NEARLY, evaluated, rows)
    is_rate = (value >= 0) & (value <= 1) & np.isfinite(rows) & (rows > 0)
    return np.where(is_rate, np.where(np.isnan(evaluated), rows, np.minimum(rows, evaluated)), 0.0)
