# SPDX-License-Identifier: Apache-2.0
"""Finds what changed although no threshold is on it: of many slices and metrics, only what is no chance."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benison.data.batch import Array, Mask
from benison.evidence.correction import benjamini_hochberg
from benison.evidence.spread import Spread
from benison.table.key import CHANGE, VALUE, Key
from benison.table.slices import slice_ids
from benison.table.words import counted, qualifier
from benison.validation.rows import Aligned, Evidence, MetricRows

SHARE = 0.05
"""The share of chance findings among those that are listed: at most this, on average."""
MOST = 5
ORDER = "The largest, in standard deviations of an example"
"""What is said before those that are listed: changes of metrics of different units are compared by these."""


@dataclasses.dataclass(frozen=True)
class UngatedChange:
    """A change of one metric in one slice that is significant, and that no threshold is on."""

    metric: str
    """With what tells it from others of its name."""
    slice: str
    baseline: float
    value: float
    change: float
    lower: float
    upper: float
    """Both ends of the interval of the change."""
    p_adjusted: float
    examples: int

    @property
    def sentence(self) -> str:
        """What changed, and how sure that is."""
        moved = "rose" if self.change > 0 else "fell"
        interval = (
            f"{100 * (1 - SHARE):g} % interval of the change {self.lower:.4g} to {self.upper:.4g}"
        )
        return (
            f"{self.metric} of {self.slice} {moved} by {abs(self.change):.4g} ({self.baseline:.6g} -> "
            f"{self.value:.6g}, {interval}, {counted(self.examples, 'example')})."
        )


@dataclasses.dataclass(frozen=True)
class Ungated:
    """The changes that no threshold is on: how many were tested, how many are significant, the largest."""

    tested: int
    significant: int
    largest: tuple[UngatedChange, ...]

    @property
    def summary(self) -> str:
        """How many changed, in one sentence."""
        of = f"{self.tested:,} changes without a threshold"
        return (
            f"{self.significant:,} of {of} {'is' if self.significant == 1 else 'are'} no chance "
            f"(Benjamini-Hochberg, {100 * SHARE:g} %)."
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for strict JSON."""
        return {**dataclasses.asdict(self), "largest": [*map(dataclasses.asdict, self.largest)]}

    @classmethod
    def of(cls, data: dict[str, Any]) -> Ungated:
        """The inverse of `to_dict`."""
        changes = tuple(UngatedChange(**each) for each in data["largest"])
        return cls(data["tested"], data["significant"], changes)


@dataclasses.dataclass(frozen=True)
class _Tested:
    """The changes of one key: its rows, the p-values, and the changes in standard deviations of a row."""

    key: Key
    rows: pa.Table
    spread: Spread
    p: Array
    size: Array

    def described(
        self, i: int, rows: MetricRows, baseline: str, adjusted: float, several: bool
    ) -> UngatedChange:
        row = self.rows.slice(i, 1)
        own = self.key.as_kind(VALUE)
        sides = [rows.of(key) for key in (own.of_model(baseline), own)]
        before, after = (float(Aligned(side, row).numbers("value")[0]) for side in sides)
        lower, upper = self.spread.take(np.array([i])).limits(SHARE / 2)
        return UngatedChange(
            f"{own.metric}{qualifier(own, several)}",
            row["slice"][0].as_py(),
            before,
            after,
            row["value"][0].as_py(),
            float(lower[0]),
            float(upper[0]),
            adjusted,
            row["examples"][0].as_py(),
        )


def ungated(
    rows: MetricRows, evidence: Evidence, checks: pa.Table, baseline: str, several: bool
) -> Ungated | None:
    """What changed without a threshold on it; None where no error of a change is known.

    Args:
        rows: Those of metrics.parquet.
        evidence: How far the true values may be.
        checks: The rows of checks.parquet.
        baseline: The name of the baseline.
        several: Whether there are several candidates.
    """
    tested = [*_tested(rows, evidence, checks)]
    if not tested:
        return None
    adjusted = benjamini_hochberg(np.concatenate([each.p for each in tested]))
    sizes = np.concatenate([each.size for each in tested])
    significant = np.flatnonzero(adjusted <= SHARE)
    largest = significant[np.argsort(-sizes[significant], kind="stable")[:MOST]]
    starts = np.cumsum([0, *(len(each.p) for each in tested)])
    changes = []
    for position in largest.tolist():
        of = int(np.searchsorted(starts, position, "right")) - 1
        own = position - int(starts[of])
        p = float(adjusted[position])
        changes.append(tested[of].described(own, rows, baseline, p, several))
    return Ungated(int(np.isfinite(adjusted).sum()), len(significant), tuple(changes))


def _tested(rows: MetricRows, evidence: Evidence, checks: pa.Table) -> Iterator[_Tested]:
    """The changes of plain slices whose errors are known, without those that a threshold is on."""
    judged = checks.filter(pc.starts_with(checks["check"], CHANGE))
    for key, known in evidence.items():
        if key.kind != CHANGE:
            continue
        size = len(known.value.value)
        table = rows.of(key).slice(0, size)
        if not table.num_rows:  # a point of a list, of which there is no row
            continue
        positions = np.flatnonzero(~_is_gated(table, judged, key))
        spread = known.value.take(positions)
        with np.errstate(all="ignore"):
            p = np.minimum(2 * np.fmin(spread.p_below(0.0), spread.p_above(0.0)), 1.0)
            deviation = spread.std_error * np.sqrt(table["evaluated"].to_numpy()[positions])
            in_deviations = np.nan_to_num(np.abs(spread.value) / deviation)
        yield _Tested(key, table.take(pa.array(positions)), spread, p, in_deviations)


def _is_gated(table: pa.Table, judged: pa.Table, key: Key) -> Mask:
    """Which rows of a key have a threshold on their change: bool[n]."""
    own = key.as_kind(VALUE)
    same = pc.equal(judged["metric"], own.metric)
    for name in ("model", "output", "dataset", "variant", "sub_key", "aggregation", "weighted"):
        same = pc.and_(same, pc.equal(judged[name], getattr(own, name)))
    ids = slice_ids(judged.filter(same))
    return np.asarray(pc.is_in(slice_ids(table), value_set=ids).to_numpy(zero_copy_only=False))
