# SPDX-License-Identifier: Apache-2.0
"""Renders the header: which model, what was decided and why, on which data and when."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from html import escape
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from benison.results.result import EvalResult
from benison.table.alike import rows_by
from benison.table.key import Key
from benison.table.slices import slice_ids
from benison.table.words import COMPARED, column_text, counted, cut, qualifier, shortened
from benison.validation.misses import misses
from benison.validation.terms import FAIL

_LONGEST = 1_000  # letters of a sentence
_REASONS = 3  # metrics that the sentence of the verdict names


def headline(result: EvalResult) -> dict[str, str]:
    """The pieces of the header by their names in page.html."""
    status = result.verdict.status
    return {
        "status": escape(status),
        "words": escape(status.replace("_", " ").upper()),
        "model": escape(_models(result, is_baseline=False)),
        "summary": escape(_summary(result)),
        "advice": _advice(result),
        "basis": " · ".join(escape(part) for part in _basis(result)),
    }


def _advice(result: EvalResult) -> str:
    """What to do about results that say little."""
    sentences = result.manifest.get("advice", ())
    items = "".join(f"<li>{escape(cut(text, _LONGEST))}</li>" for text in sentences)
    return f'<ul id="advice" class="note">{items}</ul>' if items else ""


def _models(result: EvalResult, is_baseline: bool) -> str:
    """The names of the candidates, or of the baseline."""
    records = result.manifest["models"]
    return ", ".join(_name(model) for model in records if model["is_baseline"] is is_baseline)


def _name(model: dict[str, Any]) -> str:
    """What a model is called: its name, and the end of its path, which often is a version."""
    if model["path"] is None:
        plain = "Baseline in the data" if model["is_baseline"] else "Predictions in the data"
        return shortened(model["name"] or model.get("in_memory") or plain)
    tail = "/".join(model["path"].replace("\\", "/").rstrip("/").split("/")[-2:])
    return shortened(f"{model['name']}: {tail}" if model["name"] else tail)


def _summary(result: EvalResult) -> str:
    """The verdict in one sentence, with the metrics that failed."""
    text = result.verdict.summary().partition(": ")[2]
    counts, _, rest = text.partition(".")
    failed, _, others = counts.partition("; ")
    reasons = [*_reasons(result)]
    more = f"; and {len(reasons) - _REASONS} more" if len(reasons) > _REASONS else ""
    why = f": {'; '.join(reasons[:_REASONS])}{more}" if reasons else ""
    parts = [f"{failed}{why}".removesuffix("."), others] if why else [counts]
    return " ".join(f"{part[:1].upper()}{part[1:]}." for part in parts if part) + rest


def _reasons(result: EvalResult) -> Iterator[str]:
    """Each metric that failed, of which of several models, and in which slice it misses its bound by most."""
    table = result.verdict.table
    failed = table.filter(pc.equal(table["outcome"], FAIL))
    several = len(result.config.candidate_specs) > 1
    for (model, metric, kind), own in rows_by(failed, ["model", "metric", "kind"]).items():
        rows = failed.take(pa.array(own))
        slices = set(slice_ids(rows).to_pylist())
        worst = rows["slice"][int(misses(rows).argmax())].as_py()
        noun = "comparison" if kind in COMPARED else "slice"
        count = f"{counted(len(slices), noun)}, worst in " if len(slices) > 1 else ""
        name = cut(column_text(metric, kind)) + qualifier(Key(metric, model), several)
        yield f"{name} of {count}{shortened(worst, 60)}"


def _basis(result: EvalResult) -> Iterator[str]:
    """What the verdict rests on."""
    manifest = result.manifest
    files = [file["name"] for file in manifest["data"]["files"]]
    more = f" and {len(files) - 1:,} more" if len(files) > 1 else ""
    data = f"{shortened(files[0])}{more}" if files else "a table in memory"
    yield f"{manifest['rows']:,} examples of {data}, all of them read"
    baseline = _models(result, is_baseline=True)
    if baseline:
        yield f"against {baseline}"
    yield f"evaluated {_when(manifest.get('created', ''))}"


def _when(created: str) -> str:
    """A time as people write it.

    >>> _when("2026-01-31T12:00:00+00:00")
    '2026-01-31 12:00 UTC'
    """
    try:
        moment = datetime.datetime.fromisoformat(created)
    except ValueError:
        return created
    if moment.tzinfo is not None:
        return f"{moment.astimezone(datetime.UTC):%Y-%m-%d %H:%M} UTC"
    return f"{moment:%Y-%m-%d %H:%M}"
