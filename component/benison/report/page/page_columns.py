# SPDX-License-Identifier: Apache-2.0
"""Collects the page's data about slices: their names, and a column for each metric of each model.

A *view* is what one table of the page shows: a candidate, output, class, aggregation and weighting.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from benison.data.batch import Array
from benison.metrics import About
from benison.report.page.payload import Payload
from benison.results.result import EvalResult
from benison.slicing.keys import OVERALL
from benison.table.alike import rows_by, rows_by_key
from benison.table.key import (
    CHANGE,
    SLICE_DIFFERENCE,
    SLICE_RATIO,
    VIEW_COLUMNS,
    Key,
)
from benison.table.slices import slice_codes, slice_id, slice_ids
from benison.table.words import COMPARED, column_text, cut, distinct, view_text
from benison.validation.terms import FAIL, MISSING

Index = npt.NDArray[np.int64]

_FIELDS = ("value", "lower", "upper")
_ABOUT = {
    SLICE_DIFFERENCE: "{} of the first slice less that of the second.",
    SLICE_RATIO: "{} of the first slice, divided by that of the second.",
}
_ENDS = ("lower", "upper", "changeLower", "changeUpper")  # of intervals
ROW_COLUMNS = [*VIEW_COLUMNS, "slice", "slice_key", "other_slice_key", "examples"]
"""The columns of metrics and plots that identify a row, with its number of examples."""

COMPARISONS = "comparisons of slices"
"""The kind of what compares two slices, which is no slice."""

MOST_SLICES = 50_000
"""No page has room for more slices, so that nothing is made of the others but their number."""


@dataclasses.dataclass(frozen=True)
class PageColumns:
    """The slices of a result and their numbers by metric, in the order in which the page holds slices.

    That order is Overall, then slices that failed a check, then the others from the largest down, so
    that a page that can hold only some of the slices holds the most important ones.
    """

    result: EvalResult
    plots: pa.Table
    """The columns `ROW_COLUMNS` of plots.parquet, because a result may have plots and no metrics."""

    @cached_property
    def metrics(self) -> pa.Table:
        """The rows whose value is a number."""
        rows = self.result.metrics
        is_number = pc.is_null(rows["structured"])
        # Most results hold nothing else, and to copy the keys of a million slices takes a second.
        return rows if rows["structured"].null_count == len(rows) else rows.filter(is_number)

    @cached_property
    def _rows(self) -> pa.Table:
        """The key columns of all metrics and plots."""
        return pa.concat_tables(
            table.select(ROW_COLUMNS) for table in (self.result.metrics, self.plots)
        )

    @cached_property
    def _encoded(self) -> tuple[pa.Array, Index]:
        """The identities of slices, numbered as they come, and the number of each row of `_rows`."""
        return slice_codes(self._rows)

    @property
    def _codes(self) -> Index:
        return self._encoded[1]

    @cached_property
    def _order(self) -> Index:
        """The codes of all slices in the page's order."""
        known, failed = self._encoded[0], slice_ids(self._failures)
        chosen = pc.equal(known, slice_id(OVERALL)), pc.is_in(known, value_set=failed)
        is_overall, has_failed = (mask.to_numpy(zero_copy_only=False) for mask in chosen)
        sizes = np.zeros(len(known), np.int64)
        np.maximum.at(sizes, self._codes, self._rows["examples"].to_numpy())
        return np.lexsort((-sizes, ~has_failed, ~is_overall))

    @property
    def count(self) -> int:
        """How many slices there are in all, also where the page has no room for some."""
        return len(self._order)

    @cached_property
    def ids(self) -> pa.Array:
        """The identity of each slice, in the page's order: string[count]."""
        return self._encoded[0].take(pa.array(self._order))

    @cached_property
    def names(self) -> list[str]:
        """The names of the first `MOST_SLICES`, no two of them equal."""
        first = self._slices["slice"].take(pa.array(self._order[:MOST_SLICES]))
        return distinct(map(cut, first.to_pylist()))

    @cached_property
    def _slices(self) -> pa.Table:
        """The first row of each slice, as they come."""
        firsts = np.flatnonzero(np.diff(np.maximum.accumulate(self._codes), prepend=-1))
        is_first = len(firsts) and firsts[-1] == len(firsts) - 1
        # Those of a metric that all slices have lie one after the other, and to copy keys takes long.
        return self._rows.slice(0, len(firsts)) if is_first else self._rows.take(pa.array(firsts))

    @cached_property
    def examples(self) -> Index:
        """The examples of each: int64[count]."""
        return np.asarray(self._slices["examples"].to_numpy()[self._order], np.int64)

    @cached_property
    def kinds(self) -> tuple[list[str], Index]:
        """The features of slices, such as "company × hour", or `COMPARISONS`, and the code of each slice."""
        encoded = _kinds(self._slices).dictionary_encode()
        codes = encoded.indices.to_numpy()[self._order]
        return encoded.dictionary.to_pylist(), np.asarray(codes, np.int64)

    @cached_property
    def views(self) -> list[Key]:
        """The views of the candidates, in the order of the results."""
        candidates = {spec.name for spec in self.result.config.candidate_specs}
        keys = [Key("", *values) for values in rows_by(self._rows, VIEW_COLUMNS)]
        return [key for key in keys if key.model in candidates]

    def baseline_of(self, view: Key) -> Key | None:
        """The same view of the baseline."""
        spec = self.result.config.baseline_spec
        return None if spec is None else view.of_model(spec.name)

    @cached_property
    def width(self) -> int:
        """How many numbers the page holds for each slice."""
        return sum(len(self._numbers_of(key)) for view in self.views for key in self._keys(view))

    def page(self, payload: Payload, size: int) -> dict[str, Any]:
        """The page's data for the first `size` slices."""
        kinds, codes = self.kinds
        several = len({view.model for view in self.views}) > 1
        return {
            "names": self.names[:size],
            "kinds": [cut(kind) for kind in kinds],
            "comparisons": COMPARISONS,
            "kind": payload.add(codes[:size], "i4"),
            "examples": payload.sums(self.examples[:size].astype(np.float64)),
            "views": [self._view(view, several, payload, size) for view in self.views],
            "left": [] if size >= self.count else [*self._left(size)],
        }

    def _view(self, view: Key, several: bool, payload: Payload, size: int) -> dict[str, Any]:
        return {
            "label": view_text(view, several),
            "metrics": [self._metric(key, payload, size) for key in self._keys(view)],
        }

    def _keys(self, view: Key) -> list[Key]:
        """Of each metric of a view, by itself and compared between slices."""
        return [key for key in self._columns if key.view == view and key.kind != CHANGE]

    def _metric(self, key: Key, payload: Payload, size: int) -> dict[str, Any]:
        columns = {name: x[:size] for name, x in self._numbers_of(key).items()}
        if not payload.exact:
            columns = {name: _reach(name, x, columns) for name, x in columns.items()}
        return {
            "name": cut(column_text(key.metric, key.kind)),
            **self._about(key),
            **{name: payload.values(x, short=name in _ENDS) for name, x in columns.items()},
        }

    def _about(self, key: Key) -> dict[str, Any]:
        """What is known of a metric; of a comparison neither end is good, and its range is another."""
        if key.kind in COMPARED:
            about, bad = About(_ABOUT[key.kind].format(cut(key.metric))), None
        else:
            about = self.info.get(key.metric, About(""))
            bad = self.result.is_bad_when_high(key.metric)
        return {
            "about": about.sentence,
            "of": cut(key.metric) if key.kind in COMPARED else None,
            "better": None if bad is None else not bad,
            "low": about.low if math.isfinite(about.low) else None,
            "high": about.high if math.isfinite(about.high) else None,
        }

    def _numbers_of(self, key: Key) -> dict[str, Array]:
        """What is known of a metric in the first slices, nothing but its value undefined everywhere."""
        if key not in self._known:
            self._known[key] = self._collected(key)
        return self._known[key]

    @cached_property
    def _known(self) -> dict[Key, dict[str, Array]]:
        return {}

    def _collected(self, key: Key) -> dict[str, Array]:
        baseline, change = self.baseline_of(key), key.as_kind(CHANGE)
        columns = {
            "value": self._numbers(key, "value"),
            "lower": self._numbers(key, "lower"),
            "upper": self._numbers(key, "upper"),
            "baseline": None if baseline is None else self._numbers(baseline, "value"),
        }
        if key.kind != SLICE_RATIO:  # changes are of values and of differences
            is_own = self._are_compared == (key.kind in COMPARED)
            columns |= {
                "changeLower": self._numbers(change, "lower", is_own),
                "changeUpper": self._numbers(change, "upper", is_own),
            }
        known = ((name, x) for name, x in columns.items() if x is not None)
        return {name: x for name, x in known if name == "value" or not np.isnan(x).all()}

    @cached_property
    def _are_compared(self) -> npt.NDArray[np.bool_]:
        """Which of the first slices are comparisons: bool[M]."""
        kinds, codes = self.kinds
        compared = kinds.index(COMPARISONS) if COMPARISONS in kinds else -1
        return np.asarray(codes[:MOST_SLICES] == compared)

    def _numbers(
        self, key: Key, field: str, is_own: npt.NDArray[np.bool_] | None = None
    ) -> Array | None:
        """A column of a metric over the first slices, or over its own ones among these; None without any."""
        rows = self._columns.get(key)
        if rows is None:
            return None
        positions = self._row_positions[rows]
        is_there = positions < MOST_SLICES
        column = np.full(min(self.count, MOST_SLICES), np.nan)
        column[positions[is_there]] = self._fields[field][rows[is_there]]
        return column if is_own is None else np.where(is_own, column, np.nan)

    def _left(self, size: int) -> Iterator[list[Any]]:
        """The slices that the page leaves out: by features, how many, and the smallest and largest size."""
        kinds, codes = self.kinds
        for kind in sorted(kinds):  # one for each slicing spec
            sizes = self.examples[size:][codes[size:] == kinds.index(kind)]
            if len(sizes):
                yield [cut(kind), len(sizes), int(sizes.min()), int(sizes.max())]

    @cached_property
    def info(self) -> dict[str, About]:
        """What is known of each metric, by its name in the results."""
        return self.result.about

    @cached_property
    def _failures(self) -> pa.Table:
        """The failed checks of slices that are there."""
        table = self.result.verdict.table
        is_there = pc.not_equal(table["check"], MISSING)
        return table.filter(pc.and_(is_there, pc.equal(table["outcome"], FAIL)))

    def failed(self, size: int) -> list[list[Any]]:
        """Slice, view and metric of each failed check, by their positions in the page."""
        table = self._failures
        views = {view: i for i, view in enumerate(self.views)}
        positions = self._positions_of(table, size)
        failed = {
            (position, views[key.view], cut(column_text(key.metric, key.kind)))
            for key, rows in rows_by_key(table).items()
            if key.view in views
            for position in positions[rows].tolist()
        }
        return [list(key) for key in sorted(failed) if key[0] >= 0]

    def names_of(self, checks: pa.Table) -> list[str]:
        """How the page calls the slice of each check."""
        positions = self._positions_of(checks, MOST_SLICES).tolist()
        pairs = zip(positions, checks["slice"].to_pylist(), strict=True)
        return [cut(name) if at < 0 else self.names[at] for at, name in pairs]

    @cached_property
    def _row_positions(self) -> Index:
        """For each row of `metrics` the position of its slice."""
        positions = np.empty(self.count, np.int64)
        positions[self._order] = np.arange(self.count)
        is_number = pc.is_null(self.result.metrics["structured"]).to_numpy()
        chosen: Index = positions[self._codes[: len(is_number)][is_number]]
        return chosen

    def _positions_of(self, table: pa.Table, size: int) -> Index:
        """The position of each row's slice among the first `size`; -1 if it is not there."""
        positions = pc.index_in(slice_ids(table), value_set=self.ids[:size])
        return np.asarray(pc.fill_null(positions, -1).to_numpy(), np.int64)

    @cached_property
    def _fields(self) -> dict[str, Array]:
        return {name: self.metrics[name].to_numpy() for name in _FIELDS}

    @cached_property
    def _columns(self) -> dict[Key, Index]:
        """The rows of each key."""
        return rows_by_key(self.metrics)


def _reach(key: str, column: Array, columns: dict[str, Array]) -> Array:
    """A column as an inexact page holds it: the end of an interval as its distance from the middle."""
    if key not in _ENDS:
        return column
    value, baseline = (columns.get(name, math.nan) for name in ("value", "baseline"))
    with np.errstate(invalid="ignore"):  # one infinity less another is undefined
        reach: Array = np.abs(column - value + (baseline if key.startswith("change") else 0.0))
    return reach


def _kinds(slices: pa.Table) -> pa.Array:
    keys = slices["slice_key"].combine_chunks()
    features = pa.ListArray.from_arrays(keys.offsets, keys.values.field("feature"))
    names = pc.binary_join(features, " × ")
    names = pc.if_else(pc.equal(names, ""), "Overall", names)
    is_pair = pc.is_valid(slices["other_slice_key"].combine_chunks())
    return pc.if_else(is_pair, COMPARISONS, names)
