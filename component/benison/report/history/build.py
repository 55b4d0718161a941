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
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from string import Template
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benison.data.batch import Array
from benison.errors import DataError
from benison.metrics.base import Index
from benison.report.history.marks import Watched
from benison.report.kit.document import MAX_BYTES, Document
from benison.report.notebook.view import in_order, run_names
from benison.results.result import EvalResult, metric_info
from benison.slicing.keys import OVERALL
from benison.table.key import CHANGE, SLICE_RATIO, VALUE, VIEW_COLUMNS, Key
from benison.table.slices import slice_id, slice_ids
from benison.table.words import distinct, metric_kind, metric_text, model_source, shortened
from benison.validation.terms import FAIL

_PAGE = Document(
    "history", scripts=("state", "alerts", "chart", "tables", "main"), styles=("history",)
)
_MAX_NUMBERS = 1_200_000  # a number of five digits takes about three bytes of the page
_MAX_REASONS, _MAX_SENTENCE = 5, 500
_KEYS = (*(name for name in VIEW_COLUMNS if name != "model"), "metric")
_SEPARATOR = "\x1f"
_SHA256 = 64  # characters in hexadecimal
_DATA_MARK = "\0"  # does not occur in the template, because HTML forbids it


def render(
    results: Sequence[EvalResult],
    as_given: bool = False,
    names: Sequence[str] | None = None,
    watched: Watched | None = None,
) -> str:
    """The page of several results, ordered by time of evaluation, or as given.

    Args:
        results: Of any number.
        as_given: Whether they stay in their order.
        names: What they are called, in their order as given; by default the names of their folders.
        watched: What monitoring says of them, in their order as given.

    Raises:
        DataError: There is nothing to draw.
    """
    ordered = list(results) if as_given else in_order(results)
    history = History.of(ordered, names or run_names(ordered), watched)
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
    at: int
    """The position of the result."""
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
                shortened(reason, _MAX_SENTENCE) for reason in verdict.first_reasons(_MAX_REASONS)
            ],
            "failures": verdict.counts[FAIL],
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
        records = [r for r in self.result.manifest.get("models", []) if r["name"] == self.model]
        source = model_source(records[0] if records else {})
        name = f"{self.model}: " if self.model else ""
        return [self.model, shortened(f"{name}{source}")]


def _data(data: dict[str, Any]) -> list[str]:
    names = [file["name"] for file in data.get("files", [])]
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    label = f"{names[0]}{more}" if names else "a table in memory"
    return _identity(label, ", ".join(names), data.get("digest") or data.get("fingerprint"))


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

    `rows` are those of all results: `key` int64 is the position of the metric in `keys`, `slice` that of the
    slice in `ids`, `point` that of the point, negative for the baseline of point `-1 - point`. `slices` are
    the names of `ids`.
    """

    points: list[Point]
    keys: list[str]
    ids: list[str]
    slices: list[str]
    rows: dict[str, Any]
    watched: Watched | None

    @classmethod
    def of(
        cls, results: Sequence[EvalResult], names: Sequence[str], watched: Watched | None
    ) -> History:
        """Every number of every candidate and baseline; changes are left to the page to subtract."""
        points = [
            Point(result, i, name, spec.name)
            for i, (result, name) in enumerate(zip(results, names, strict=True))
            for spec in result.config.candidate_specs
        ]
        parts = [part for i, point in enumerate(points) for part in _rows(i, point)]
        table = pa.concat_tables(parts)
        if not table.num_rows:
            raise DataError("The results have no metric that is one number.")
        keys, key = _codes(pc.binary_join_element_wise(*_texts(table), _SEPARATOR))
        ids, slice_code = _codes(table["slice_id"])
        order, rank = _by_size(ids, slice_code, table["examples"].to_numpy())
        known = dict(zip(table["slice_id"].to_pylist(), table["slice"].to_pylist(), strict=True))
        numbers = ("point", "value", "lower", "upper", "examples")
        rows: dict[str, Any] = {name: table[name].to_numpy() for name in numbers}
        slices = [known[identity] for identity in order]
        rows |= {"key": key, "slice": rank[slice_code]}
        return cls(points, keys, order, slices, rows, watched)

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
            "failed": [where for where, _ in self._checks(size, _has_failed)],
            "bounds": [[*where, bound] for where, bound in self._checks(size, _bounds_a_value)],
            "watched": None if self.watched is None else self._watched(self.watched, size),
        }

    def _watched(self, watched: Watched, size: int) -> dict[str, Any]:
        """What monitoring says, by the places of metrics, slices and points, -1 where one is not here."""
        slices = {identity: i for i, identity in enumerate(self.ids[:size])}
        alerts = [
            {
                "metric": self.keys.index(text) if (text := _text(mark.key)) in self.keys else -1,
                "slice": slices.get(slice_id(mark.slice_key), -1),
                "since": self._point(mark.since, mark.key.model),
                "raised": self._point(mark.raised, mark.key.model),
                "sentence": shortened(mark.sentence, _MAX_SENTENCE),
            }
            for mark in watched.marks
        ]
        facts = {"summary": watched.summary, "errorRate": watched.error_rate, "noun": watched.noun}
        return {**facts, "alerts": alerts}

    def _point(self, at: int, model: str) -> int:
        """The point of a result, and of one of its candidates where it has several."""
        own = (i for i, point in enumerate(self.points) if point.at == at)
        return next((i for i in own if model in {"", self.points[i].model}), -1)

    def _first(self) -> int:
        """The place of the metric to show first: the last run's judged one, failures before others."""
        verdict = self.points[-1].result.verdict
        failed = verdict.table.filter(pc.equal(verdict.table["outcome"], FAIL))
        texts = [text for table in (failed, verdict.table) for text in _distinct_keys(table)]
        judged = [text for text in texts if text in self.keys]
        informative = [key for key in self.keys if not key.endswith(f"{_SEPARATOR}example_count")]
        return self.keys.index([*judged, *informative, *self.keys][0])

    def _metric(self, i: int, fields: dict[str, Array]) -> dict[str, Any]:
        *view, name = self.keys[i].split(_SEPARATOR)
        defined = {field: x[i] for field, x in fields.items() if not np.isnan(x[i]).all()}
        judged = self.points[-1].result
        known = metric_kind(name)[0] in judged.metric_names() or name in judged.metric_names()
        return {
            "label": shortened(" ".join((name, *filter(None, view)))),
            "about": self._infos.get(name, ""),
            "badWhenHigh": judged.is_bad_when_high(name) if known else None,
            **{field: _short(column) for field, column in defined.items()},
        }

    @cached_property
    def _infos(self) -> dict[str, str]:
        """What is known of each metric, by its name in the results."""
        known = metric_info(point.result for point in self.points)
        return {name: about.sentence for name, about in known.items()}

    def _checks(
        self, size: int, wanted: Callable[[pa.Table], pa.ChunkedArray]
    ) -> Iterable[tuple[list[int], float]]:
        """Metric, slice and point of each check that is wanted, and its bound."""
        keys = {key: i for i, key in enumerate(self.keys)}
        slices = {identity: i for i, identity in enumerate(self.ids[:size])}
        for i, point in enumerate(self.points):
            table = point.result.verdict.table
            own = table.filter(pc.and_(wanted(table), pc.equal(table["model"], point.model)))
            texts = pc.binary_join_element_wise(*_texts(own), _SEPARATOR).to_pylist()
            bounds = own["bound"].to_pylist()
            for text, identity, bound in zip(
                texts, slice_ids(own).to_pylist(), bounds, strict=True
            ):
                if text in keys and identity in slices:
                    yield [keys[text], slices[identity], i], bound


def _has_failed(checks: pa.Table) -> pa.ChunkedArray:
    return pc.equal(checks["outcome"], FAIL)


def _bounds_a_value(checks: pa.Table) -> pa.ChunkedArray:
    """Whether a check bounds the value itself, and so is a place on the value's axis."""
    return pc.and_(pc.equal(checks["kind"], VALUE), pc.is_finite(checks["bound"]))


def _rows(i: int, point: Point) -> Iterable[pa.Table]:
    """The numbers of a point's candidate, then of its baseline, each with its `point` column."""
    metrics, spec = point.result.metrics, point.result.config.baseline_spec
    is_number = pc.is_null(metrics["structured"])
    is_number = pc.and_(is_number, pc.not_equal(metrics["kind"], CHANGE))
    wanted = [*_KEYS, "kind", "slice", "slice_id", "value", "lower", "upper", "examples"]
    numbers = metrics.append_column("slice_id", slice_ids(metrics)).filter(is_number)
    models = {i: point.model} | ({} if spec is None else {-1 - i: spec.name})
    for code, model in models.items():
        rows = numbers.filter(pc.equal(numbers["model"], model)).select(wanted)
        yield rows.append_column("point", pa.array(np.full(rows.num_rows, code)))


def _texts(table: pa.Table) -> list[pa.ChunkedArray]:
    """The parts of the text that tells one metric from another; a ratio of slices has a name of its own."""
    is_ratio = pc.equal(table["kind"], SLICE_RATIO)
    ratio = pc.if_else(is_ratio, metric_text("", SLICE_RATIO), "")
    made = {
        "weighted": pc.if_else(table["weighted"], "weighted", ""),
        "metric": pc.binary_join_element_wise(table["metric"], ratio, ""),
    }
    return [made.get(key, table[key]) for key in _KEYS]


def _text(key: Key) -> str:
    """What `_texts` makes of the key of a value."""
    texts = {**dataclasses.asdict(key), "weighted": "weighted" if key.weighted else ""}
    return _SEPARATOR.join(texts[name] for name in _KEYS)


def _distinct_keys(table: pa.Table) -> list[str]:
    texts = pc.binary_join_element_wise(*_texts(table), _SEPARATOR)
    distinct_texts: list[str] = pc.unique(texts).to_pylist()
    return distinct_texts


def _codes(texts: pa.ChunkedArray) -> tuple[list[str], Index]:
    """The distinct texts, and the index of each text among them."""
    encoded = texts.combine_chunks().dictionary_encode()
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy().astype(np.int64)


def _by_size(names: list[str], code: Index, examples: Array) -> tuple[list[str], Index]:
    """The slices with Overall first, then the largest; and the new index of each."""
    most = np.zeros(len(names))
    np.maximum.at(most, code, examples)
    overall = np.array([name != slice_id(OVERALL) for name in names])
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
