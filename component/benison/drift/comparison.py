# SPDX-License-Identifier: Apache-2.0
"""Compares the columns of two data sets and says which drifted."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa

from benison.data.dataset import Dataset
from benison.drift.distances import DISTANCES
from benison.drift.profiles import CellRows, Column, Numbers, cells_of, distribution_gap, profile_of
from benison.errors import ConfigError, DataError, suggestion
from benison.evidence.correction import holm


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

    @property
    def reason(self) -> str:
        """One sentence."""
        was, is_now = (f"{100 * share:.3g} %" for share in self.shares)
        moved = f"rows with {self.cell} went from {was} to {is_now}"
        if self.outcome == "drift":
            return (
                f"{self.feature} drifted: its distance is {self.distance:.3g}, above {self.threshold:.3g} "
                f"with confidence (p = {self.p_adjusted:.2g}); {moved}."
            )
        if self.distance > self.threshold:
            return (
                f"{self.feature} is {self.distance:.3g} apart, which so few rows do not show to be above "
                f"{self.threshold:.3g}; {moved}."
            )
        return f"{self.feature} is {self.distance:.3g} apart, within {self.threshold:.3g}."


@dataclasses.dataclass(frozen=True)
class DriftReport:
    """The drift of each column, the farthest first, over so many rows of both data sets."""

    checks: tuple[DriftCheck, ...]
    reference_rows: int
    current_rows: int
    measure: str
    level: float

    @property
    def drifted(self) -> list[str]:
        """The columns that drifted."""
        return [check.feature for check in self.checks if check.outcome == "drift"]

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


def compare(
    reference: Any,
    current: Any,
    *,
    columns: Iterable[str] | None = None,
    measure: str = "jensen_shannon",
    threshold: float | None = None,
    level: float = 0.99,
) -> DriftReport:
    """Compare the distribution of each column of `current` with that of `reference`, in one pass over each.

    A column drifted where its true distance is above the threshold at this level of confidence, corrected
    for the number of columns: with data that did not drift there is one alarm in 100 comparisons at most,
    however few or many rows there are.

    Args:
        reference: What was expected, such as the training data: whatever `benison.evaluate` reads.
        current: What is there now.
        columns: Those to compare; by default all that both have and that are numbers, text or booleans.
        measure: `jensen_shannon` (the root of the divergence in nats, 0 to 0.83), `hellinger` (0 to 1) or
            `psi` (0 up).
        threshold: What is called drift; by default 0.1 of each.
        level: The confidence, between 0.5 and 1.

    Raises:
        ConfigError: A measure, threshold or level is none.
        DataError: A column is missing or of another type in the other data, or there are no rows.

    >>> import pyarrow as pa
    >>> before = pa.table({"fare": list(range(1000)), "cash": ["yes", "no"] * 500})
    >>> now = pa.table({"fare": list(range(500, 1500)), "cash": ["yes", "no"] * 500})
    >>> compare(before, now)
    DriftReport(1 of 2 columns drifted)
    """
    distance = DISTANCES.get(measure)
    if distance is None:
        raise ConfigError(f"There is no measure {measure!r}. {suggestion(measure, DISTANCES)}")
    limit = distance.threshold if threshold is None else threshold
    _check(limit, level)
    datasets = Dataset.open(reference), Dataset.open(current)
    names = _columns(*datasets) if columns is None else [*dict.fromkeys(columns)]
    if not names:
        raise DataError("The two data sets have no column in common that could be compared.")
    before, now = (profile_of(dataset, names) for dataset in datasets)
    cells = {name: cells_of(name, before[name], now[name]) for name in names}
    first = cells[names[0]]
    raw = [_check_of(n, cells[n], before[n], now[n], measure, limit) for n in names]
    adjusted = holm(np.array([check.p_value for check in raw]))
    checks = (
        dataclasses.replace(
            c, p_adjusted=float(p), outcome="drift" if p <= 1 - level else "no_drift"
        )
        for c, p in zip(raw, adjusted, strict=True)
    )
    ordered = sorted(checks, key=lambda check: (check.p_adjusted, -check.debiased, check.feature))
    return DriftReport(
        tuple(ordered), int(first.reference.sum()), int(first.current.sum()), measure, level
    )


def _check(threshold: float, level: float) -> None:
    if not threshold >= 0 or not np.isfinite(threshold):
        raise ConfigError(f"A threshold of drift is a number from 0 up, not {threshold}.")
    if not 0.5 < level < 1:
        raise ConfigError(f"A level of confidence is between 0.5 and 1, such as 0.99, not {level}.")


_BYTES = (
    pa.types.is_binary,
    pa.types.is_large_binary,
    pa.types.is_fixed_size_binary,
    pa.types.is_binary_view,
)


def _columns(reference: Dataset, current: Dataset) -> list[str]:
    """The columns of both of which each value is one number or text."""

    def is_plain(kind: pa.DataType) -> bool:
        return not pa.types.is_nested(kind) and not any(is_bytes(kind) for is_bytes in _BYTES)

    both = [name for name in reference.schema.names if name in current.schema.names]
    return [
        name
        for name in both
        if is_plain(reference.schema.field(name).type) and is_plain(current.schema.field(name).type)
    ]


def _check_of(
    name: str, cells: CellRows, before: Column, now: Column, measure: str, threshold: float
) -> DriftCheck:
    totals = [max(int(of.sum()), 1) for of in (cells.reference, cells.current)]
    h = 1 / totals[0] + 1 / totals[1]
    distance = DISTANCES[measure]
    pooled = cells.pooled(distance.least)
    p, q = pooled.reference / totals[0], pooled.current / totals[1]
    largest = int(np.abs(q - p).argmax())
    gap = None
    if isinstance(before, Numbers) and isinstance(now, Numbers):
        gap = float(np.abs(distribution_gap(before, now)).max(initial=0.0))
    return DriftCheck(
        name,
        distance.of(p, q),
        distance.debiased(p, q, h),
        threshold,
        distance.p_value(p, q, h, threshold),
        1.0,
        gap,
        (int(cells.reference[-1]) / totals[0], int(cells.current[-1]) / totals[1]),
        "no_drift",
        pooled.names[largest],
        (float(p[largest]), float(q[largest])),
    )
