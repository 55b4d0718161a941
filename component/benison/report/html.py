# SPDX-License-Identifier: Apache-2.0
"""This file is the report as one HTML file: no server, no network, whatever the number of rows.

The results travel as JSON in an inert script element, and the page's own script builds the tables from
it with text nodes only, so that no name of a slice or model can become markup. A Content-Security-Policy
allows that one script, by its digest, and nothing else.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import math
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from benison.engine.write import Evaluation
from benison.results import EvalResult
from benison.validation import Check

# What a page holds; the rest is in metrics.parquet, and the page says so.
MAX_SLICES = 10_000
MAX_NUMBERS = 200_000
MAX_CHECKS = 2_000


@dataclasses.dataclass(frozen=True)
class ReportWriter:
    """Writes report.html."""

    stage_name: str = "WriteReport"

    def write(self, evaluation: Evaluation, directory: Path) -> None:
        """One file, from the result under the key `result`."""
        (directory / "report.html").write_text(render(evaluation["result"]), encoding="utf-8")


def render(result: EvalResult) -> str:
    """The page of a result."""
    script, style, page = (_asset(name) for name in ("page.js", "page.css", "page.html"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return Template(page).substitute(
        script=script, style=style, script_digest=digest, data=_inert(page_data(result))
    )


def _asset(name: str) -> str:
    return (resources.files("benison.report") / name).read_text(encoding="utf-8")


def _inert(data: Any) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False, ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def page_data(result: EvalResult) -> dict[str, Any]:
    """What the page's script reads."""
    verdict, manifest = result.verdict, result.manifest
    failures = [_check(check) for check in verdict.failures]
    open_ = [_check(check) for check in verdict.checks if check.outcome not in ("fail", "pass")]
    return {
        "verdict": verdict.status,
        "summary": verdict.summary(),
        "failures": failures[:MAX_CHECKS],
        "failureCount": len(failures),
        "open": open_[:MAX_CHECKS],
        "facts": _facts(result, manifest),
        **_slices(result),
    }


def _check(check: Check) -> dict[str, str]:
    return {"slice": check.slice, "metric": check.metric, "reason": check.reason}


def _facts(result: EvalResult, manifest: dict[str, Any]) -> list[tuple[str, str]]:
    files = manifest["data"]["files"]
    names = ", ".join(file["name"] for file in files[:3]) or "a table in memory"
    more = f" and {len(files) - 3} more" if len(files) > 3 else ""
    return [
        ("Data", f"{names}{more} ({manifest['data']['digest'][:12]})"),
        ("Rows", f"{manifest['rows']:,}"),
        *((model["name"] or "model", _model(model)) for model in manifest["models"]),
        ("Config", result.config.digest()[:12]),
        ("Evaluated", result.made),
    ]


def _model(model: dict[str, Any]) -> str:
    if model["path"] is None:
        return "predictions in the data"
    return f"{model['path']} ({model['digest'][:12]})"


def _slices(result: EvalResult) -> dict[str, Any]:
    """The table: a row a slice, a column a metric, the largest slices if there are too many."""
    metrics = result.metrics.filter(pc.is_null(result.metrics["structured"]))
    sizes = metrics.group_by("slice", use_threads=False).aggregate([("examples", "max")])
    examples = dict(zip(sizes["slice"].to_pylist(), sizes["examples_max"].to_pylist(), strict=True))
    most = max(1, min(MAX_SLICES, MAX_NUMBERS // max(1, len(result.metric_names()))))
    shown = sorted(examples, key=lambda name: (name != "Overall", -examples[name]))[:most]
    return {
        "slices": shown,
        "examples": [examples[name] for name in shown],
        "values": _values(metrics.filter(pc.is_in(metrics["slice"], pa.array(shown))), shown),
        "sliceCount": len(examples),
        "baseline": None
        if result.config.baseline_spec is None
        else result.config.baseline_spec.name,
    }


def _values(metrics: pa.Table, shown: list[str]) -> dict[str, dict[str, list[float | None]]]:
    """The values by group of columns, metric and place of the slice; null is undefined."""
    places = pc.index_in(metrics["slice"], value_set=pa.array(shown)).to_numpy()
    keys = metrics.select(_GROUP_KEYS).combine_chunks()
    codes, distinct = _distinct(keys)
    numbers = metrics["value"].to_numpy()
    values: dict[str, dict[str, list[float | None]]] = {}
    for code, key in enumerate(distinct):  # one for each column of the page
        rows = np.flatnonzero(codes == code)
        column = np.full(len(shown), np.nan)
        column[places[rows]] = numbers[rows]
        values.setdefault(_group(key), {})[key["metric"]] = [_short(x) for x in column.tolist()]
    return values


_GROUP_KEYS = ["model", "output", "sub_key", "weighted", "metric"]


def _distinct(keys: pa.Table) -> tuple[npt.NDArray[np.int64], list[dict[str, Any]]]:
    """For each row the number of its key, and the keys."""
    texts = [keys[name].cast(pa.string()) for name in _GROUP_KEYS]
    joined = pc.binary_join_element_wise(*texts, "\x1f").combine_chunks().dictionary_encode()
    codes = joined.indices.to_numpy().astype(np.int64)
    firsts = np.unique(codes, return_index=True)[1]
    return codes, keys.take(pa.array(firsts)).to_pylist()


def _group(key: dict[str, Any]) -> str:
    """The columns that belong together: of a model, output, class and weighting."""
    weighting = "weighted" if key["weighted"] else ""
    parts = (key["model"] or "model", key["output"], key["sub_key"], weighting)
    return " ".join(part for part in parts if part)


def _short(value: float) -> float | None:
    """Six digits, which is what the page can show."""
    return float(f"{value:.6g}") if math.isfinite(value) else None
