# SPDX-License-Identifier: Apache-2.0
"""Collects the page's data about slices: their names, and a column for each metric of each model.

A *view* is what one table of the page shows: a candidate, output, class, aggregation and weighting.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from benison.data.batch import Array
from benison.metrics import About
from benison.report.page.payload import Payload
from benison.results.result import EvalResult, metric_info
from benison.validation.verdict import FAIL, Check

Index = npt.NDArray[np.int64]

MAX_NAME = 200
"""Longer names of slices and metrics are cut in the page."""

_FIELDS = ("value", "lower", "upper")
_ENDS = ("lower", "upper", "changeLower", "changeUpper")  # of intervals


class ViewKey(NamedTuple):
    """The identity of a view, as columns of metrics.parquet."""

    model: str
    output: str
    sub_key: str
    aggregation: str
    weighted: bool

    def label(self, several: bool) -> str:
        """Its name in the page, with the model's name if there are `several`."""
        weighting = "weighted" if self.weighted else ""
        model = (self.model or "model") if several else ""
        parts = (model, self.output, self.sub_key, self.aggregation, weighting)
        return cut(", ".join(part for part in parts if part)) or "all examples"


_KEYS = [*ViewKey._fields, "metric"]
KEY_COLUMNS = [*ViewKey._fields, "slice", "slice_key", "examples"]


def cut(text: str, most: int = MAX_NAME) -> str:
    """The text, or its beginning and the number of characters left out.

    >>> cut("abcdef", 3)
    'abc… (3 more characters)'
    """
    left = len(text) - most
    return text if left <= 0 else f"{text[:most]}… ({left:,} more characters)"


def distinct(names: Iterable[str]) -> list[str]:
    """Number names that became equal when they were cut.

    >>> distinct(["a…", "b", "a…"])
    ['a…', 'b', 'a… (2)']
    """
    names_so_far: dict[str, None] = {}
    for i, name in enumerate(names):
        names_so_far[name if name not in names_so_far else f"{name} ({i})"] = None
    return list(names_so_far)


def shortened(text: str, most: int = MAX_NAME) -> str:
    """A long text without its middle, because the sentences of a verdict end with their numbers.

    >>> shortened("abcdefghijkl", 8)
    'abcdef…kl'
    """
    end = most // 4
    return text if len(text) <= most else f"{text[: most - end]}…{text[-end:]}"


@dataclasses.dataclass(frozen=True)
class PageColumns:
    """The slices of a result and their numbers by metric, in the page's order of slices.

    That order is Overall, then slices that failed a check, then the others from the largest down, so
    that a page that can hold only some of the slices holds the most important ones.
    """

    result: EvalResult
    plots: pa.Table
    """The `KEY_COLUMNS` of plots.parquet, because a result may have plots and no metrics."""

    @cached_property
    def metrics(self) -> pa.Table:
        """The rows whose value is a number."""
        return self.result.metrics.filter(pc.is_null(self.result.metrics["structured"]))

    @cached_property
    def _rows(self) -> pa.Table:
        """The key columns of all metrics and plots."""
        return pa.concat_tables(
            table.select(KEY_COLUMNS) for table in (self.result.metrics, self.plots)
        )

    @cached_property
    def names(self) -> list[str]:
        """The slices, in the page's order."""
        failed = {check.slice for check in self.result.verdict.failures}
        sizes = self._sizes
        return sorted(sizes, key=lambda name: (name != "Overall", name not in failed, -sizes[name]))

    @cached_property
    def examples(self) -> Index:
        """The number of examples of each slice."""
        return np.array([self._sizes[name] for name in self.names], np.int64)

    @cached_property
    def kinds(self) -> list[str]:
        """The features of each slice, such as "company × hour"; "comparison" for a pair of slices."""
        columns = self._rows.select(["slice", "slice_key"]).combine_chunks()
        firsts = np.unique(self._slice_indices(columns), return_index=True)[1]
        rows = columns.take(pa.array(firsts)).to_pylist()
        return [_kind(row["slice"], row["slice_key"]) for row in rows]

    @cached_property
    def views(self) -> list[ViewKey]:
        """The views of the candidates, in the order of the results."""
        candidates = {spec.name for spec in self.result.config.candidate_specs}
        distinct = self._rows.group_by(ViewKey._fields, use_threads=False).aggregate([]).to_pylist()
        keys = [ViewKey(**row) for row in distinct]
        return [key for key in keys if key.model in candidates]

    def baseline_of(self, view: ViewKey) -> ViewKey | None:
        """The same view of the baseline."""
        spec = self.result.config.baseline_spec
        return None if spec is None else view._replace(model=spec.name)

    @cached_property
    def width(self) -> int:
        """How many numbers the page holds for each slice."""
        named = [(view, name) for view in self.views for name in self._names(view)]
        return sum(len(self._fields_of(view, name)) for view, name in named)

    def page(self, payload: Payload, size: int) -> dict[str, Any]:
        """The page's data for the first `size` slices."""
        kinds = list(dict.fromkeys(self.kinds))
        code = {kind: i for i, kind in enumerate(kinds)}
        several = len({view.model for view in self.views}) > 1
        return {
            "names": distinct(map(cut, self.names[:size])),
            "kinds": [cut(kind) for kind in kinds],
            "kind": payload.add([code[kind] for kind in self.kinds[:size]], "i4"),
            "examples": payload.sums(self.examples[:size].astype(np.float64)),
            "views": [self._view(view, several, payload, size) for view in self.views],
            "left": [] if size >= len(self.names) else [*self._left(size)],
        }

    def _view(self, view: ViewKey, several: bool, payload: Payload, size: int) -> dict[str, Any]:
        names = self._names(view)
        return {
            "label": view.label(several),
            "metrics": [self._metric(view, name, payload, size) for name in names],
        }

    def _names(self, view: ViewKey) -> list[str]:
        return [m for key, m in self._columns if key == view and not self._is_change(view, m)]

    def _is_change(self, view: ViewKey, metric: str) -> bool:
        """Whether it is the change of another metric against the baseline."""
        plain = metric.removesuffix("_diff")
        return plain != metric and (view, plain) in self._columns

    def _metric(self, view: ViewKey, name: str, payload: Payload, size: int) -> dict[str, Any]:
        about = self.infos.get(name, About(""))
        columns = {key: column[:size] for key, column in self._fields_of(view, name).items()}
        if not payload.exact:
            columns = {key: _reach(key, x, columns) for key, x in columns.items()}
        return {
            "name": cut(name),
            "about": about.sentence,
            "better": about.higher_is_better,
            "low": about.low if math.isfinite(about.low) else None,
            "high": about.high if math.isfinite(about.high) else None,
            **{key: payload.values(x, short=key in _ENDS) for key, x in columns.items()},
        }

    def _fields_of(self, view: ViewKey, name: str) -> dict[str, Array]:
        """Values and bounds of a metric by slice, without those that are undefined for every slice."""
        baseline = self.baseline_of(view)
        columns = {
            "value": self._numbers(view, name, "value"),
            "lower": self._numbers(view, name, "lower"),
            "upper": self._numbers(view, name, "upper"),
            "baseline": None if baseline is None else self._numbers(baseline, name, "value"),
            "changeLower": self._numbers(view, f"{name}_diff", "lower"),
            "changeUpper": self._numbers(view, f"{name}_diff", "upper"),
        }
        return {key: x for key, x in columns.items() if x is not None and not np.isnan(x).all()}

    def _numbers(self, view: ViewKey, metric: str, field: str) -> Array | None:
        rows = self._columns.get((view, metric))
        if rows is None:
            return None
        column = np.full(len(self.names), np.nan)
        column[self._slice_of_row[rows]] = self._fields[field][rows]
        return column

    def _left(self, size: int) -> Iterator[list[Any]]:
        """The slices that the page leaves out: by features, how many, and the smallest and largest size."""
        kinds, examples = np.array(self.kinds[size:]), self.examples[size:]
        for kind in np.unique(kinds):  # one for each slicing spec
            sizes = examples[kinds == kind]
            yield [cut(str(kind)), len(sizes), int(sizes.min()), int(sizes.max())]

    @cached_property
    def infos(self) -> dict[str, About]:
        """The description of each metric by its name in the results."""
        return metric_info([self.result])

    def failed(self, size: int) -> list[list[Any]]:
        """Slice, view and metric of each failed check; slice and view as indices."""
        slices = {name: i for i, name in enumerate(self.names[:size])}
        views = {view: i for i, view in enumerate(self.views)}
        keys = {
            (slices.get(c.slice), views.get(view_of(c)), cut(c.metric))
            for c in self.result.verdict.checks
            if c.outcome == FAIL
        }
        return [list(key) for key in sorted(keys, key=str) if None not in key]

    @cached_property
    def _sizes(self) -> dict[str, int]:
        grouped = self._rows.group_by("slice", use_threads=False).aggregate([("examples", "max")])
        names, sizes = grouped["slice"].to_pylist(), grouped["examples_max"].to_pylist()
        return dict(zip(names, sizes, strict=True))

    @cached_property
    def _slice_of_row(self) -> Index:
        """For each row of `metrics` the index of its slice."""
        return self._slice_indices(self.metrics)

    def _slice_indices(self, table: pa.Table) -> Index:
        indices = pc.index_in(table["slice"], value_set=pa.array(self.names, pa.string()))
        return np.asarray(indices.to_numpy(), np.int64)

    @cached_property
    def _fields(self) -> dict[str, Array]:
        return {name: self.metrics[name].to_numpy() for name in _FIELDS}

    @cached_property
    def _columns(self) -> dict[tuple[ViewKey, str], Index]:
        """The rows of each metric of each view."""
        keys = self.metrics.select(_KEYS).combine_chunks()
        texts = [keys[name].cast(pa.string()) for name in _KEYS]
        joined = pc.binary_join_element_wise(*texts, "\x1f").combine_chunks().dictionary_encode()
        codes = joined.indices.to_numpy()
        order = np.argsort(codes, kind="stable")
        starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
        rows = np.split(order, starts[1:]) if len(order) else []
        values = keys.take(pa.array([group[0] for group in rows], pa.int64())).to_pylist()
        return {
            (ViewKey(*(key[name] for name in ViewKey._fields)), key["metric"]): group
            for key, group in zip(values, rows, strict=True)
        }


def _reach(key: str, column: Array, columns: dict[str, Array]) -> Array:
    """A column as an inexact page holds it: the end of an interval as its distance from the middle."""
    if key not in _ENDS:
        return column
    value, baseline = (columns.get(name, math.nan) for name in ("value", "baseline"))
    with np.errstate(invalid="ignore"):  # one infinity less another is undefined
        reach: Array = np.abs(column - value + (baseline if key.startswith("change") else 0.0))
    return reach


def _kind(name: str, key: list[dict[str, str]]) -> str:
    plain = ", ".join(f"{pair['feature']}={pair['value']}" for pair in key)
    if name == "Overall" and not key:
        return name
    return " × ".join(pair["feature"] for pair in key) if plain == name else "comparison"


def view_of(check: Check) -> ViewKey:
    """The view whose values a check judges."""
    return ViewKey(check.model, check.output, check.sub_key, check.aggregation, check.weighted)
