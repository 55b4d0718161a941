# SPDX-License-Identifier: Apache-2.0
"""Builds one HTML file from several results: any metric of any slice over model versions and data.

As in the report, the numbers are compressed JSON in an inert script element, names are drawn as text
only, and a Content-Security-Policy allows one script and no network.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import zlib
from collections.abc import Iterable, Sequence
from functools import cached_property
from string import Template
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benison.data.batch import Array
from benison.errors import DataError
from benison.metrics.base import Index
from benison.report.kit.document import MAX_BYTES, Document
from benison.report.notebook.view import in_order, run_names
from benison.report.page.columns import distinct, shortened
from benison.results.result import EvalResult, metric_info
from benison.validation.verdict import FAIL, Check

_PAGE = Document("history", scripts=("state", "chart", "tables", "main"), styles=("history",))
_MAX_NUMBERS = 1_200_000  # a number of five digits takes about three bytes of the page
_MAX_REASONS, _MAX_SENTENCE = 5, 500
_KEYS = ("output", "sub_key", "aggregation", "weighted", "metric")
_SEPARATOR = "\x1f"
_SHA256 = 64  # characters in hexadecimal
_DATA_MARK = "\0"  # does not occur in the template, because HTML forbids it


def render(results: Sequence[EvalResult], as_given: bool = False) -> str:
    """The page of several results, ordered by time of evaluation, or as given.

    Raises:
        DataError: There is nothing to draw.
    """
    ordered = list(results) if as_given else in_order(results)
    history = History.of(ordered)
    page = Template(_PAGE.template()).substitute(_PAGE.pieces(), data=_DATA_MARK)
    before, _, after = page.partition(_DATA_MARK)
    return before + _fitting(history, MAX_BYTES - len(page)) + after


def _fitting(history: History, budget: int) -> str:
    """The page's data in at most `budget` characters, with as many slices as fit."""
    size = history.first_size()
    while True:
        text = _packed(history.page(size))
        if len(text) <= budget or size <= 1:
            return text
        size = max(1, min(size - 1, int(size * 0.95 * budget / len(text))))


def _packed(data: dict[str, Any]) -> str:
    document = json.dumps(data, separators=(",", ":"), allow_nan=False).encode()
    return base64.b64encode(zlib.compress(document, 6)).decode()


@dataclasses.dataclass(frozen=True)
class Point:
    """One candidate of one result: a point on the time axis."""

    result: EvalResult
    run: str
    model: str
    """The name of its model spec."""

    def facts(self) -> dict[str, Any]:
        """What the page shows for the point."""
        manifest, verdict = self.result.manifest, self.result.verdict
        return {
            "run": shortened(self.run),
            "created": manifest.get("created", ""),
            "verdict": verdict.status,
            "summary": verdict.summary(),
            "reasons": [
                shortened(reason, _MAX_SENTENCE) for reason in verdict.reasons[:_MAX_REASONS]
            ],
            "failures": len(verdict.failures),
            "rows": manifest.get("rows"),
            "model": self._model(),
            "data": _data(manifest.get("data", {})),
        }

    def _model(self) -> list[str]:
        """The identity of the model, and its label."""
        for record in self.result.manifest.get("models", []):
            if record["name"] == self.model and record["path"] is not None:
                parts = record["path"].replace("\\", "/").split("/")
                return _identity("/".join(parts[-2:]), record["path"], record["digest"])
        name = f"{self.model}: " if self.model else ""
        return [self.model, shortened(f"{name}predictions in the data")]


def _data(data: dict[str, Any]) -> list[str]:
    names = [file["name"] for file in data.get("files", [])]
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    label = f"{names[0]}{more}" if names else "a table in memory"
    return _identity(label, ", ".join(names), data.get("digest"))


def _identity(label: str, location: str, digest: str | None) -> list[str]:
    """The identity of a model or data set, and its label.

    The identity is the digest, or the location in results of TFMA, which records no digest.
    """
    if digest is None or len(digest) != _SHA256:
        return [location, shortened(label)]
    return [digest, shortened(f"{label} ({digest[:8]})")]


@dataclasses.dataclass(frozen=True)
class History:
    """The numbers of several results by metric, slice and point.

    `rows` has the columns of all rows of all results: `key` is the index of the metric in `keys`, `slice`
    that of the slice in `slices`, and `point` that of the point in `points`, or `-1 - i` for the baseline
    of point i (int64); `value`, `lower`, `upper` and `examples` are those of metrics.parquet.
    """

    points: list[Point]
    keys: list[str]
    slices: list[str]
    rows: dict[str, Any]

    @classmethod
    def of(cls, results: Sequence[EvalResult]) -> History:
        """Collect every number of every candidate and baseline; the page computes the changes itself."""
        names = run_names(results)
        points = [
            Point(result, name, spec.name)
            for result, name in zip(results, names, strict=True)
            for spec in result.config.candidate_specs
        ]
        parts = [part for i, point in enumerate(points) for part in _rows(i, point)]
        table = pa.concat_tables(parts)
        if not table.num_rows:
            raise DataError("The results have no metric that is one number.")
        keys, key = _codes(pc.binary_join_element_wise(*_texts(table), _SEPARATOR))
        slices, slice_code = _codes(table["slice"])
        order, rank = _by_size(slices, slice_code, table["examples"].to_numpy())
        numbers = ("point", "value", "lower", "upper", "examples")
        rows = {name: table[name].to_numpy() for name in numbers}
        return cls(points, keys, order, {**rows, "key": key, "slice": rank[slice_code]})

    def first_size(self) -> int:
        """An upper estimate of how many slices fit."""
        return max(1, min(len(self.slices), _MAX_NUMBERS // self._numbers_of_a_slice))

    @cached_property
    def _numbers_of_a_slice(self) -> int:
        defined = sum(not np.isnan(column).all() for column in self.fields(1).values())
        return defined * len(self.points) * len(self.keys)

    def fields(self, size: int) -> dict[str, Array]:
        """Candidates' values and bounds and the baselines' values, each float64[metrics, size, points]."""
        kept = {name: column[self.rows["slice"] < size] for name, column in self.rows.items()}
        ours = kept["point"] >= 0
        columns = {
            name: self._dense(kept, ours, name, size) for name in ("value", "lower", "upper")
        }
        return {**columns, "baseline": self._dense(kept, ~ours, "value", size)}

    def _dense(self, rows: dict[str, Any], selected: Any, name: str, size: int) -> Array:
        point = np.where(rows["point"] < 0, -1 - rows["point"], rows["point"])
        dense = np.full((len(self.keys), size, len(self.points)), np.nan)
        dense[rows["key"][selected], rows["slice"][selected], point[selected]] = rows[name][
            selected
        ]
        return dense

    def page(self, size: int) -> dict[str, Any]:
        """The data for the page's script, for the first `size` slices."""
        fields = self.fields(size)
        examples = np.full((size, len(self.points)), np.nan)
        kept = (self.rows["slice"] < size) & (self.rows["point"] >= 0)
        cells = (self.rows["slice"][kept], self.rows["point"][kept])
        examples[cells] = self.rows["examples"][kept]
        return {
            "points": [point.facts() for point in self.points],
            "first": self._first(),
            "slices": distinct(map(shortened, self.slices[:size])),
            "sliceCount": len(self.slices),
            "examples": _short(examples),
            "metrics": [self._metric(i, fields) for i in range(len(self.keys))],
            "failed": list(self._failed(size)),
        }

    def _first(self) -> int:
        """The index of the metric to show first: one that the last run judged, failed ones first."""
        checks = self.points[-1].result.verdict.checks
        ordered = sorted(checks, key=lambda check: check.outcome != FAIL)
        judged = [_key_of(check) for check in ordered if _key_of(check) in self.keys]
        candidates = [key for key in self.keys if not key.endswith(f"{_SEPARATOR}example_count")]
        return self.keys.index([*judged, *candidates, *self.keys][0])

    def _metric(self, i: int, fields: dict[str, Array]) -> dict[str, Any]:
        *view, name = self.keys[i].split(_SEPARATOR)
        defined = {field: x[i] for field, x in fields.items() if not np.isnan(x[i]).all()}
        judged = self.points[-1].result
        known = name in judged.metric_names()
        return {
            "label": shortened(" ".join((name, *filter(None, view)))),
            "about": self._infos.get(name, ""),
            "badWhenHigh": judged.is_bad_when_high(name) if known else False,
            **{field: _short(column) for field, column in defined.items()},
        }

    @cached_property
    def _infos(self) -> dict[str, str]:
        """The description of each metric by its name in the results."""
        known = metric_info(point.result for point in self.points)
        return {name: about.sentence for name, about in known.items()}

    def _failed(self, size: int) -> Iterable[list[int]]:
        """Metric, slice and point of each failed check."""
        keys = {key: i for i, key in enumerate(self.keys)}
        slices = {name: i for i, name in enumerate(self.slices[:size])}
        for i, point in enumerate(self.points):
            for check in point.result.verdict.failures:
                key, slice_index = keys.get(_key_of(check)), slices.get(check.slice)
                if check.model == point.model and key is not None and slice_index is not None:
                    yield [key, slice_index, i]


def _rows(i: int, point: Point) -> Iterable[pa.Table]:
    """The numbers of a point's candidate, then of its baseline, each with its `point` column."""
    metrics, spec = point.result.metrics, point.result.config.baseline_spec
    is_number = pc.is_null(metrics["structured"])
    if spec is not None:
        is_number = pc.and_(is_number, pc.invert(pc.ends_with(metrics["metric"], "_diff")))
    wanted = [*_KEYS, "slice", "value", "lower", "upper", "examples"]
    numbers = metrics.filter(is_number)
    models = {i: point.model} | ({} if spec is None else {-1 - i: spec.name})
    for code, model in models.items():
        rows = numbers.filter(pc.equal(numbers["model"], model)).select(wanted)
        yield rows.append_column("point", pa.array(np.full(rows.num_rows, code)))


def _texts(table: pa.Table) -> list[pa.ChunkedArray]:
    weighted = pc.if_else(table["weighted"], "weighted", "")
    return [weighted if key == "weighted" else table[key] for key in _KEYS]


def _key_of(check: Check) -> str:
    weighted = "weighted" if check.weighted else ""
    parts = (check.output, check.sub_key, check.aggregation, weighted, check.metric)
    return _SEPARATOR.join(parts)


def _codes(texts: pa.ChunkedArray) -> tuple[list[str], Index]:
    """The distinct texts, and the index of each text among them."""
    encoded = texts.combine_chunks().dictionary_encode()
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy().astype(np.int64)


def _by_size(names: list[str], code: Index, examples: Array) -> tuple[list[str], Index]:
    """The slices with Overall first, then the largest; and the new index of each."""
    most = np.zeros(len(names))
    np.maximum.at(most, code, examples)
    overall = np.array([name != "Overall" for name in names])
    order = np.lexsort((-most, overall))
    rank = np.empty(len(names), np.int64)
    rank[order] = np.arange(len(names))
    return [names[i] for i in order], rank


def _short(numbers: Array) -> list[list[float | None]]:
    """Numbers rounded to the five digits that the page shows; whole numbers are kept, undefined is null."""
    finite = np.isfinite(numbers)
    plain = np.where(finite, numbers, 0.0)
    size = np.floor(np.log10(np.abs(plain), where=plain != 0, out=np.zeros(plain.shape)))
    # Dividing by a power of ten rounds once, so that JSON has five digits and no more.
    scale = 10.0 ** np.clip(4 - size, 0, 300)
    short = np.where(plain == np.rint(plain), plain, np.rint(plain * scale) / scale)
    return np.where(finite, short, None).tolist()  # type: ignore[call-overload, no-any-return]
