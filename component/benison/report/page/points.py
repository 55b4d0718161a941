# SPDX-License-Identifier: Apache-2.0
"""Collects the points from which the page's script draws plots.

Three plots have the data for all charts: the confusion matrix over thresholds (ROC, precision-recall,
score distribution, gain, lift, rates by slice), the sums by prediction (calibration, residuals), and the
confusion matrix of several classes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benison.data.batch import Array
from benison.metrics.base import ratio
from benison.paths import Location, in_arrow
from benison.report.page.page_columns import ROW_COLUMNS
from benison.report.page.payload import Payload
from benison.results.written_tables import readable
from benison.table.key import VIEW_COLUMNS, Key
from benison.table.row_files import read_rows
from benison.table.schema import PLOTS_SCHEMA, upgraded, whole
from benison.table.slices import slice_ids
from benison.table.words import cut

MAX_SLICES = 500
_ROWS = 64  # rows of plots.parquet to read at a time; a row has about 40 kB
_FINE = ((30, 1000), (150, 200), (MAX_SLICES, 100))
"""Pairs of slices and points: up to that many slices, a curve keeps that many points."""

_CONFUSION = {"threshold", "true_positives", "false_positives", "false_negatives", "true_negatives"}
_CALIBRATION = {"lower", "upper", "label", "prediction", "weight"}
_CLASSES = {"threshold", "actual_class_id", "predicted_class_id", "num_weighted_examples"}
_BUCKETS = 50
_LIMITS = ("recall", "false_positive_rate", "precision")
_UNITS = 10_000
"""Limits are whole numbers of these parts of 1, finer than a pixel; -1 where they are unknown."""
_PAIRS = 1_000


@dataclasses.dataclass(frozen=True)
class Curves:
    """The points of the plots of some slices, thinned.

    `points` has, for each plot and slice, its columns by name; thinned points are points of the plot,
    and merged buckets have the sums of those that they are made of.
    """

    slices: list[str]
    points: dict[Key, dict[str, dict[str, Array]]]

    @classmethod
    def read(cls, plots: Location | pa.Table, slices: list[str]) -> Curves:
        """The plots of slices, from plots.parquet or a table like it."""
        most = next(points for size, points in _FINE if len(slices) <= size)
        points: dict[Key, dict[str, dict[str, Array]]] = {}
        with readable("memory" if isinstance(plots, pa.Table) else plots):
            for key, name, columns in _rows(plots, slices):
                thinned = _thinned(columns, most)
                if thinned:
                    points.setdefault(key, {})[name] = thinned
        return cls(slices, points)

    def first(self, count: int) -> Curves:
        """The points of the first `count` slices."""
        return Curves(self.slices[:count], self.points)

    def page(
        self, payload: Payload, views: list[Key], baseline: str | None
    ) -> list[dict[str, Any]]:
        """The page's data: for each plot of each view, its slices and their columns."""
        plots = []
        for key, by_slice in self.points.items():
            if key.view not in views:
                continue
            theirs = self._of_baseline(key, baseline)
            names = [name for name in self.slices if name in by_slice]
            if not names:
                continue
            plot = {
                "view": views.index(key.view),
                "name": cut(key.metric),
                "slices": [self.slices.index(name) for name in names],
                "axis": _axis(by_slice[names[0]], payload),
                "candidate": _packed([by_slice[name] for name in names], payload),
            }
            if _are_comparable(by_slice, theirs, names):
                plot["baseline"] = _packed([theirs[name] for name in names], payload)
            plots.append(plot)
        return plots

    def _of_baseline(self, key: Key, baseline: str | None) -> dict[str, dict[str, Array]]:
        if baseline is None:
            return {}
        return self.points.get(key.of_model(baseline), {})


def key_columns(plots: Location | pa.Table) -> pa.Table:
    """The columns that identify each plot, without its points."""
    if isinstance(plots, pa.Table):
        return plots.select(ROW_COLUMNS)
    with readable(plots):
        if _is_current(plots):
            return whole(read_rows(plots, ROW_COLUMNS))
        return upgraded(read_rows(plots), PLOTS_SCHEMA).select(ROW_COLUMNS)


def _is_current(plots: Location) -> bool:
    """Whether a file has the columns of today's schema."""
    file_system, name = in_arrow(plots)
    schema = pq.read_schema(name, filesystem=file_system)
    return all(
        schema.get_field_index(f.name) >= 0 and schema.field(f.name) == f for f in PLOTS_SCHEMA
    )


def _rows(
    plots: Location | pa.Table, slices: list[str]
) -> Iterator[tuple[Key, str, dict[str, Array]]]:
    wanted = pa.array(slices, pa.string())
    for batch in _batches(plots):
        kept = batch.filter(pc.is_in(slice_ids(batch), wanted))
        keys = kept.select([*VIEW_COLUMNS, "plot"]).to_pylist()
        for row, (key, identity) in enumerate(zip(keys, slice_ids(kept).to_pylist(), strict=True)):
            yield Key(key.pop("plot"), **key), identity, _columns(kept["columns"][row])


def _columns(points: Any) -> dict[str, Array]:
    struct = points.values
    lists = struct.field(1)
    flat, offsets = lists.values.to_numpy(zero_copy_only=False), lists.offsets.to_numpy()
    names = struct.field(0).to_pylist()
    return {
        name: flat[offsets[i] : offsets[i + 1]]
        for i, name in enumerate(names, start=struct.offset - lists.offset)
    }


def _batches(plots: Location | pa.Table) -> Iterator[pa.RecordBatch]:
    if not isinstance(plots, pa.Table) and not _is_current(plots):
        plots = upgraded(read_rows(plots), PLOTS_SCHEMA)
    if isinstance(plots, pa.Table):
        yield from plots.to_batches(max_chunksize=_ROWS)
        return
    file_system, name = in_arrow(plots)
    with pq.ParquetFile(name, filesystem=file_system) as file:
        if file.num_row_groups:
            yield from file.iter_batches(_ROWS, columns=PLOTS_SCHEMA.names)


def _thinned(columns: dict[str, Array], most: int) -> dict[str, Array]:
    """The points of a plot, thinned; empty for a plot that is undefined or that the page cannot draw."""
    if columns.keys() >= _CONFUSION and not np.isnan(columns["true_positives"]).any():
        return _histogram(columns, most)
    if columns.keys() >= _CLASSES:
        return _confused(columns)
    if columns.keys() >= _CALIBRATION and not np.isnan(columns["weight"]).any():
        return _merged(columns, _BUCKETS)
    return {}


def _histogram(columns: dict[str, Array], most: int) -> dict[str, Array]:
    """Weight of positives and negatives between thresholds, which are at most `most` and two.

    `positives[0]` is what lies at or below the first threshold, `positives[i]` above the threshold
    i - 1 and at or below i.
    """
    # Counted from the end, so that the last threshold is kept.
    count = len(columns["threshold"])
    kept = np.unique(np.r_[0, np.arange(count - 1, 0, -max(1, -(-(count - 2) // most)))])
    above = {name: columns[name][kept] for name in ("true_positives", "false_positives")}
    return {
        "threshold": columns["threshold"][kept],
        "positives": _between(above["true_positives"], columns["false_negatives"][0]),
        "negatives": _between(above["false_positives"], columns["true_negatives"][0]),
        **{
            name: np.nan_to_num(np.rint(_UNITS * columns[name][kept]), nan=-1.0)
            for name in (f"{rate}_{end}" for rate in _LIMITS for end in ("lower", "upper"))
            if name in columns
        },
    }


def _between(above: Array, below_all: float) -> Array:
    return np.concatenate([[below_all], above[:-1] - above[1:], above[-1:]])


def _merged(columns: dict[str, Array], most: int) -> dict[str, Array]:
    """Sums in at most `most` equal buckets, with what lies outside them at the ends, and their upper edges.

    Above the last is its lower edge once more, since infinity says nothing.
    """
    count = len(columns["weight"]) - 2
    starts = np.r_[0, np.arange(1, count + 1, max(1, -(-count // most))), count + 1]
    sums = {n: np.add.reduceat(columns[n], starts) for n in ("label", "prediction", "weight")}
    edges = columns["lower"][np.append(starts[1:], starts[-1])]
    if "effective" in columns:
        squares = np.nan_to_num(ratio(columns["weight"] ** 2, columns["effective"]))
        squares = np.add.reduceat(squares, starts)
        sums["effective"] = np.nan_to_num(ratio(sums["weight"] ** 2, squares))
    return {"edge": edges, **sums}


def _confused(columns: dict[str, Array]) -> dict[str, Array]:
    """Weight of each pair of actual and predicted class by threshold, the heaviest pairs."""
    heaviest = np.sort(np.argsort(-columns["num_weighted_examples"], kind="stable")[:_PAIRS])
    names = ("threshold", "actual_class_id", "predicted_class_id", "num_weighted_examples")
    over, actual, predicted, weight = (columns[name][heaviest] for name in names)
    return {"over": over, "actual": actual, "predicted": predicted, "pairs": weight}


def _are_comparable(
    ours: dict[str, dict[str, Array]], theirs: dict[str, dict[str, Array]], names: list[str]
) -> bool:
    """Whether the baseline has the slices of the candidate, at the same thresholds where it has some.

    A model whose scores lie outside of [0, 1] has more thresholds than one whose do not.
    """
    if not all(name in theirs for name in names):
        return False
    axes = (side[names[0]] for side in (ours, theirs))
    first, second = (side.get("threshold", np.zeros(0)) for side in axes)
    return np.array_equal(first, second)


def _axis(columns: dict[str, Array], payload: Payload) -> list[Any]:
    """The thresholds, which all slices share."""
    return payload.add(columns.get("threshold", np.zeros(0)), "f8")


def _packed(rows: list[dict[str, Array]], payload: Payload) -> dict[str, Any]:
    """The columns of all slices, concatenated, and the length of each slice's part."""
    names = [name for name in rows[0] if name != "threshold"]
    joined = {name: np.concatenate([row[name] for row in rows]) for name in names}
    lengths = np.array([len(row[names[0]]) for row in rows], np.float64)
    return {name: payload.sums(column) for name, column in (joined | {"length": lengths}).items()}
