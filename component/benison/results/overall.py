# SPDX-License-Identifier: Apache-2.0
"""The candidates' metrics on all data, for other tools that show an evaluation's numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pyarrow.compute as pc

from benison.results.result import EvalResult
from benison.table.key import VALUE


def headline(result: EvalResult) -> dict[str, float]:
    """The candidates' metrics on all data, without those that are undefined, which JSON cannot say."""
    table = result.metrics.filter(pc.equal(result.metrics["kind"], VALUE))
    rows = overall(result, table)
    return {_name(row): row["value"] for row in rows if math.isfinite(row["value"])}


def overall(result: EvalResult, table: Any) -> list[dict[str, Any]]:
    """The rows of a table of results that are of candidates on all data; `model` is "" for a single one."""
    return of_candidates(
        result, table.filter(pc.equal(pc.list_value_length(table["slice_key"]), 0))
    )


def of_candidates(result: EvalResult, table: Any) -> list[dict[str, Any]]:
    """The rows of a table of results that are of candidates; `model` is "" for a single one."""
    names = [spec.name for spec in result.config.candidate_specs]
    rows = table.to_pylist()
    several = len(names) > 1
    return [
        {**row, "model": row["model"] if several else ""} for row in rows if row["model"] in names
    ]


def _name(row: Mapping[str, Any]) -> str:
    """A metric's name, and what tells it from others of its name."""
    columns = ("model", "output", "dataset", "variant", "sub_key", "aggregation")
    parts = [row[name] for name in columns if row[name]] + ["weighted"] * row["weighted"]
    return f"{row['metric']} ({', '.join(parts)})" if parts else str(row["metric"])
