# SPDX-License-Identifier: Apache-2.0
"""Compares the columns of two data sets and says which drifted."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from benison.config import SlicingSpec
from benison.data.batch import Index
from benison.drift.distances import DISTANCES, Measure
from benison.drift.drift_sides import Side, check_names, common_columns
from benison.drift.left_out import left_out, left_out_sentence
from benison.drift.profiles import (
    CellRows,
    Column,
    Numbers,
    Profiles,
    cells_of,
    cells_of_each_number,
)
from benison.errors import ConfigError, suggestion
from benison.evidence.correction import holm
from benison.slicing.keys import OVERALL, SliceKey, slice_name

WHOLE = slice_name(OVERALL)
_MOST = {"jensen_shannon": np.log(2) ** 0.5, "hellinger": 1.0, "l_infinity": 1.0, "ks": 1.0}


@dataclasses.dataclass(frozen=True)
class DriftCheck:
    """What is known of the drift of one column.

    Attributes:
        feature: The column.
        distance: As measured, with what the samples alone make of it.
        debiased: Without that; 0 where it is no more.
        threshold: Above which it is called drift.
        p_value: How often samples are so far apart if the true distance is the threshold.
        p_adjusted: The same over all columns, after Holm.
        ks: Kolmogorov and Smirnov's largest difference of the distribution functions; None for text.
        missing: The share of rows without a value, in the reference and now.
        outcome: `drift` or `no_drift`.
        cell: The values whose share changed most.
        shares: Their share of the rows, in the reference and now.
        slice: The rows that were compared.
    """

    feature: str
    distance: float
    debiased: float
    threshold: float
    p_value: float
    p_adjusted: float
    ks: float | None
    missing: tuple[float, float]
    outcome: str
    cell: str
    shares: tuple[float, float]
    slice: str = WHOLE

    @property
    def name(self) -> str:
        """The column, and the slice where it is not all rows."""
        return self.feature if self.slice == WHOLE else f"{self.feature} of {self.slice}"

    @property
    def reason(self) -> str:
        """One sentence."""
        was, is_now = (f"{100 * share:.3g} %" for share in self.shares)
        moved = f"rows with {self.cell} went from {was} to {is_now}"
        if self.outcome == "drift":
            return (
                f"{self.name} drifted: its distance is {self.distance:.3g}, above {self.threshold:.3g} "
                f"with confidence (p = {self.p_adjusted:.2g}); {moved}."
            )
        if self.distance > self.threshold:
            return (
                f"{self.name} is {self.distance:.3g} apart, which so few rows do not show to be above "
                f"{self.threshold:.3g}; {moved}."
            )
        return f"{self.name} is {self.distance:.3g} apart, within {self.threshold:.3g}."


@dataclasses.dataclass(frozen=True)
class DriftReport:
    """The drift of each column, the farthest first, over so many rows of both data sets."""

    checks: tuple[DriftCheck, ...]
    reference_rows: int
    current_rows: int
    measure: str
    level: float
    left_out: tuple[str, ...] = ()
    """The columns that were not compared, as they are ids or times and nobody named them."""

    @property
    def drifted(self) -> list[str]:
        """The columns that drifted; of slices as `fare of company=Blue`."""
        return [check.name for check in self.checks if check.outcome == "drift"]

    def __repr__(self) -> str:
        return f"DriftReport({len(self.drifted)} of {len(self.checks)} columns drifted)"

    def to_dict(self) -> dict[str, Any]:
        """For machines."""
        checks = [{**_finite(dataclasses.asdict(c)), "reason": c.reason} for c in self.checks]
        return {**dataclasses.asdict(self), "checks": checks, "drifted": self.drifted}


def _finite(values: dict[str, Any]) -> dict[str, Any]:
    """Without infinity, which JSON does not have."""
    return {
        k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in values.items()
    }


def compare(  # noqa: PLR0913 - each by its name
    reference: Any,
    current: Any,
    *,
    columns: Iterable[str] | None = None,
    slices: Sequence[str | SlicingSpec] = (),
    measure: str = "jensen_shannon",
    threshold: float | Mapping[str, float] | None = None,
    level: float = 0.99,
) -> DriftReport:
    """Compare the distribution of each column of `current` with that of `reference`, in one pass over each.

    A column drifted where its true distance is above the threshold at this level of confidence, corrected
    for the number of columns: with data that did not drift there is one alarm in 100 comparisons at most,
    however few or many rows there are.

    Args:
        reference: What was expected, such as the training data: whatever `benison.evaluate` reads, or a
            stored profile: a file whose name ends with `profile.parquet`, or an output that has one.
        current: What is there now, as data or as a profile.
        columns: Those to compare; by default all that both have and that are numbers, text or booleans,
            without ids, which are texts or whole numbers that rows of the reference have of their own, and
            without times.
        slices: Features of which every value is a slice, or slicing specs: the columns are compared in
            each slice that both have, too.
        measure: `jensen_shannon` (the root of the divergence in nats, 0 to 0.83), `hellinger` (0 to 1),
            `psi` (0 up), `l_infinity` (the largest difference of a share, 0 to 1) or `ks` (the largest
            difference of the distribution functions, 0 to 1, of numbers alone).
        threshold: What is called drift, or that of each column; by default 0.1.
        level: The confidence, between 0.5 and 1.

    Raises:
        ConfigError: A measure, threshold or level is none.
        DataError: A column is missing or of another type in the other data, or there are no rows.

    >>> import pyarrow as pa
    >>> before = pa.table({"fare": [i / 4 for i in range(1000)], "cash": ["yes", "no"] * 500})
    >>> now = pa.table({"fare": [i / 4 for i in range(500, 1500)], "cash": ["yes", "no"] * 500})
    >>> compare(before, now)
    DriftReport(1 of 2 columns drifted)
    """
    asked = DriftRule.of(measure, threshold, level)
    specs = [SlicingSpec(feature_keys=(of,)) if isinstance(of, str) else of for of in slices]
    sides = Side.of(reference), Side.of(current)
    names = common_columns(*sides) if columns is None else [*dict.fromkeys(columns)]
    check_names(asked.thresholds, names, "A threshold is of the column")
    before, now = (side.known(names, specs) for side in sides)
    return asked.report(before, now, names, is_chosen=columns is not None)


@dataclasses.dataclass(frozen=True)
class DriftRule:
    """How profiles are compared: the measure, the thresholds of columns and of all others, the level."""

    measure: str
    thresholds: Mapping[str, float]
    threshold: float
    level: float

    @classmethod
    def of(
        cls, measure: str, threshold: float | Mapping[str, float] | None, level: float
    ) -> DriftRule:
        """As `compare` is asked.

        Raises:
            ConfigError: A measure, threshold or level is none.
        """
        if measure not in DISTANCES:
            raise ConfigError(f"There is no measure {measure!r}. {suggestion(measure, DISTANCES)}")
        default = DISTANCES[measure].threshold
        each = threshold if isinstance(threshold, Mapping) else {}
        limit = threshold if isinstance(threshold, (int, float)) else default
        for value in (limit, *each.values()):
            _check(value, level)
            _check_reach(measure, value)
        return cls(measure, each, limit, level)

    def report(
        self, before: Profiles, now: Profiles, names: Sequence[str], is_chosen: bool
    ) -> DriftReport:
        """Of columns over all rows, and in each slice that both profiles have.

        Raises:
            ConfigError: A chosen column is not what the measure is of, or no column is to be compared.
            DataError: A column is of another type in the other data.
        """
        others = [name for name in names if name not in self.thresholds]
        unnamed = () if is_chosen else left_out(before[OVERALL], others, now[OVERALL])
        compared = [name for name in names if name not in unnamed]
        if not compared and unnamed:
            raise ConfigError(f"No column can be compared. {left_out_sentence(unnamed)}")
        shared = [key for key in before if key in now]
        raw = [
            self._check_of(key, name, before[key][name], now[key][name], is_chosen)
            for key in shared
            for name in compared
        ]
        known = [check for check in raw if check is not None]
        if not known:
            raise ConfigError(
                f"No column has what {self.measure} is of, numbers. Take another measure."
            )
        checks = self._judged(known)
        first = cells_of(names[0], before[OVERALL][names[0]], now[OVERALL][names[0]])
        rows = int(first.reference.sum()), int(first.current.sum())
        return DriftReport(checks, *rows, self.measure, self.level, unnamed)

    def _judged(self, checks: Sequence[DriftCheck]) -> tuple[DriftCheck, ...]:
        """With what is shown of all of them together, the farthest first."""
        adjusted = holm(np.array([check.p_value for check in checks]))
        judged = (
            dataclasses.replace(
                check, p_adjusted=float(p), outcome="drift" if p <= 1 - self.level else "no_drift"
            )
            for check, p in zip(checks, adjusted, strict=True)
        )
        ordered = sorted(judged, key=lambda c: (c.p_adjusted, -c.debiased, c.feature, c.slice))
        return tuple(ordered)

    def _check_of(
        self, key: SliceKey, name: str, before: Column, now: Column, is_chosen: bool
    ) -> DriftCheck | None:
        """Of one column; None where the measure is of numbers and it has none."""
        distance, threshold = DISTANCES[self.measure], self.thresholds.get(name, self.threshold)
        cells = cells_of(name, before, now)
        fine = _numbers_of(before, now)
        if distance.is_of_numbers and fine is None:
            if is_chosen:
                raise ConfigError(
                    f"Column {name!r} has no numbers, and {self.measure} is of numbers."
                )
            return None
        totals = [max(int(of.sum()), 1) for of in (cells.reference, cells.current)]
        pooled = cells.pooled(distance.least or DISTANCES["jensen_shannon"].least)
        p, q = pooled.reference / totals[0], pooled.current / totals[1]
        largest = int(np.abs(q - p).argmax())
        measured = _measured(distance, fine if distance.is_of_numbers else None, pooled, threshold)
        return DriftCheck(
            name,
            *measured[:2],
            threshold,
            measured[2],
            1.0,
            None if fine is None else _gap(*fine),
            (int(cells.reference[-1]) / totals[0], int(cells.current[-1]) / totals[1]),
            "no_drift",
            pooled.names[largest],
            (float(p[largest]), float(q[largest])),
            slice_name(key),
        )


def _check_reach(measure: str, threshold: float) -> None:
    most = _MOST.get(measure, np.inf)
    if threshold >= most:
        raise ConfigError(
            f"No distance is above {threshold:g}: {measure} is {most:.3g} at most. Take a lower threshold."
        )


def _check(threshold: float, level: float) -> None:
    if not threshold >= 0 or not np.isfinite(threshold):
        raise ConfigError(f"A threshold of drift is a number from 0 up, not {threshold}.")
    if not 0.5 < level < 1:
        raise ConfigError(f"A level of confidence is between 0.5 and 1, such as 0.99, not {level}.")


def _numbers_of(before: Column, now: Column) -> tuple[Index, Index] | None:
    """The rows of both at each distinct number; None where one side has none."""
    if not isinstance(before, Numbers) or not isinstance(now, Numbers):
        return None
    rows = cells_of_each_number(before, now)
    return rows if all(of.any() for of in rows) else None


def _measured(
    distance: Measure, fine: tuple[Index, Index] | None, pooled: CellRows, threshold: float
) -> tuple[float, float, float]:
    """The distance, without what the samples make of it, and its p-value."""
    rows = (pooled.reference, pooled.current) if fine is None else fine
    totals = [max(int(of.sum()), 1) for of in rows]
    h = 1 / totals[0] + 1 / totals[1]
    p, q = (of / total for of, total in zip(rows, totals, strict=True))
    return distance.of(p, q), distance.debiased(p, q, h), distance.p_value(p, q, h, threshold)


def _gap(before: Index, now: Index) -> float:
    """Kolmogorov and Smirnov's statistic."""
    return DISTANCES["ks"].of(before / before.sum(), now / now.sum())
