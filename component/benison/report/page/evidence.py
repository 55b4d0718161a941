# SPDX-License-Identifier: Apache-2.0
"""Renders the evidence: everything that the verdict rests on, for whoever has to check it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator
from html import escape
from typing import Any

from benison.results.result import EvalResult
from benison.table.words import cut, model_source

_MAX_TEXT = 400
_MAX_FILES = 20
_MAX_CONFIG = 20_000
_DIGEST = 64  # characters of a SHA-256


def evidence(result: EvalResult) -> str:
    """A list of terms, and the config."""
    config = cut(json.dumps(result.config.to_dict(), indent=2, default=str), _MAX_CONFIG)
    return (
        f"<dl>{''.join(map(_row, _facts(result)))}</dl>"
        f"<details><summary>Config, with its thresholds</summary>"
        f'<pre tabindex="0">{escape(config)}</pre></details>'
    )


def _row(fact: tuple[str, Iterable[str]]) -> str:
    term, texts = fact
    return f"<div><dt>{escape(cut(term))}</dt>{''.join(map(_description, texts))}</div>"


def _description(text: str) -> str:
    kind = ' class="digest"' if text.startswith(("SHA-256 ", "benison ")) else ""
    return f"<dd{kind}>{escape(cut(text, _MAX_TEXT))}</dd>"


def _facts(result: EvalResult) -> Iterator[tuple[str, Iterable[str]]]:
    """Terms and what is known of each."""
    manifest = result.manifest
    if result.path is not None:
        yield "Verify", [f"benison verify {shlex.quote(str(result.path))}"]
    yield "Examples", [f"{manifest['rows']:,}, all of them read"]
    missing = {name: count for name, count in manifest.get("missing", {}).items() if count}
    if missing:
        yield "Missing", [f"{count:,} of {name}" for name, count in missing.items()]
    yield "Data", _data(manifest["data"])
    for model in manifest["models"]:
        name = model["name"] or ("baseline" if model["is_baseline"] else "candidate")
        in_data = model["path"] is None
        texts = [model_source(model)] if in_data else [model["path"], _digest(model["digest"])]
        yield name, texts
    yield "Config", [_digest(manifest["config"])]
    yield "Evaluated", [result.provenance]
    if manifest.get("seconds"):
        # A page that is made while results are written does not know how long that takes.
        known = {k: seconds for k, seconds in manifest["seconds"].items() if k != "write"}
        stages = (f"{stage} {seconds:,.1f}" for stage, seconds in known.items())
        yield "Seconds", [", ".join(stages)]
    yield from _lineage(manifest.get("lineage") or {})


def _data(data: dict[str, Any]) -> Iterator[str]:
    files = [file["name"] for file in data["files"]]
    more = f" and {len(files) - _MAX_FILES:,} more" if len(files) > _MAX_FILES else ""
    yield f"{', '.join(files[:_MAX_FILES]) or 'a table in memory'}{more}"
    # On object stores there is no digest of the content, but a fingerprint, and it is called so.
    yield _digest(data["digest"]) if data["digest"] else f"fingerprint {data.get('fingerprint')}"
    if "covers" in data:
        yield data["covers"]


def _digest(digest: str) -> str:
    return f"SHA-256 {digest}" if len(digest) == _DIGEST else digest


def _lineage(lineage: dict[str, Any]) -> Iterator[tuple[str, Iterable[str]]]:
    """The names of the lineage, one on each line, then all ids of the store in one line."""
    given = {name: value for name, value in lineage.items() if value is not None}
    values = {name.replace("_", " "): value for name, value in given.items()}
    names = [f"{name} {value}" for name, value in values.items() if not isinstance(value, int)]
    ids = ", ".join(f"{name} {value}" for name, value in values.items() if isinstance(value, int))
    if lineage:
        yield "Lineage", filter(None, [*names, ids])
