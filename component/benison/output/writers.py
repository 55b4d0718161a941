# SPDX-License-Identifier: Apache-2.0
"""Writes the results: tables as Parquet, the rest as JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from benison.table.row_files import ANALYSIS, RowFiles
from benison.table.schema import (
    CHECKS_SCHEMA,
    METRICS_SCHEMA,
    PLOTS_SCHEMA,
    PROBES_SCHEMA,
    PROFILE_SCHEMA,
    SCHEMA_VERSION,
    WEAK_SLICES_SCHEMA,
)

Evaluation: TypeAlias = dict[str, Any]
"""The results by output key: `metrics` (Table), `plots` (RecordBatches), `verdict`, `config` (dicts)."""


class Writer(Protocol):
    """Writes one or more output keys of an evaluation to files."""

    @property
    def stage_name(self) -> str:
        """The name of the stage."""

    def write(self, evaluation: Evaluation, directory: Path) -> None:
        """Write into `directory`, which becomes the output when all writers are done."""


@dataclasses.dataclass(frozen=True)
class TableWriter:
    """Writes a table, or batches while they are made, as Parquet."""

    stage_name: str
    key: str
    file_name: str
    schema: pa.Schema
    reads_files: ClassVar[bool] = False
    optional: bool = False
    """Whether an evaluation may be without it; then no file is written."""

    def write(self, evaluation: Evaluation, directory: Path) -> None:
        """One file; a row group for each batch of a stream."""
        if self.optional and self.key not in evaluation:
            return
        rows = evaluation[self.key]
        versioned = self.schema.with_metadata({"schema_version": str(SCHEMA_VERSION)})
        with pq.ParquetWriter(directory / self.file_name, versioned, compression="zstd") as writer:
            if isinstance(rows, pa.Table):
                writer.write_table(rows.replace_schema_metadata(versioned.metadata))
                return
            for batch in rows:
                writer.write_batch(batch.replace_schema_metadata(versioned.metadata))


@dataclasses.dataclass(frozen=True)
class JsonWriter:
    """Writes plain values as strict JSON."""

    stage_name: str
    key: str
    file_name: str
    reads_files: ClassVar[bool] = False

    def write(self, evaluation: Evaluation, directory: Path) -> None:
        """One file, indented, with its keys in the order of the values."""
        write_json(directory / self.file_name, evaluation[self.key])


@dataclasses.dataclass(frozen=True)
class RowsWriter:
    """Puts the rows of all evaluators of rows into the folder `analysis`."""

    stage_name: str = "WriteAnalysis"
    reads_files: ClassVar[bool] = False

    def write(self, evaluation: Evaluation, directory: Path) -> None:
        """The files of each output key that is rows, `analysis/KEY-00000-of-00001.parquet`."""
        for key, value in evaluation.items():
            if isinstance(value, RowFiles):
                value.put_into(directory / ANALYSIS, key)


def without_disabled(evaluation: Evaluation, disabled: Iterable[str]) -> Evaluation:
    """What is written where `options.disabled_outputs` names some: tables without rows, no rows of the data.

    >>> without_disabled({"metrics": pa.table({"value": [0.5]})}, ["metrics"])["metrics"].num_rows
    0
    """
    names = {*disabled}
    rows = {key for key, value in evaluation.items() if isinstance(value, RowFiles)}
    kept = {
        key: evaluation[key] for key in evaluation.keys() - (rows if ANALYSIS in names else set())
    }
    if "metrics" in names:
        kept["metrics"] = METRICS_SCHEMA.empty_table()
    if "plots" in names:
        kept["plots"] = ()
    return {key: kept[key] for key in evaluation if key in kept}


def table_writers() -> list[Writer]:
    """Tables and rows as Parquet, verdict and config as JSON: what a result is loaded from."""
    return [
        TableWriter("WriteMetrics", "metrics", "metrics.parquet", METRICS_SCHEMA),
        TableWriter("WriteChecks", "checks", "checks.parquet", CHECKS_SCHEMA),
        TableWriter("WritePlots", "plots", "plots.parquet", PLOTS_SCHEMA),
        TableWriter(
            "WriteWeakSlices", "weak_slices", "weak_slices.parquet", WEAK_SLICES_SCHEMA, True
        ),
        TableWriter("WriteProbes", "probes", "probes.parquet", PROBES_SCHEMA, True),
        TableWriter("WriteProfile", "profile", "profile.parquet", PROFILE_SCHEMA, True),
        JsonWriter("WriteVerdict", "verdict", "verdict.json"),
        JsonWriter("WriteConfig", "config", "config.json"),
        RowsWriter(),
    ]


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write strict JSON, a list with one item on each line; raises ValueError for NaN and infinity."""
    parts = (f"  {_json(key)}: {_json_value(value)}" for key, value in values.items())
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


def _json_value(value: Any) -> str:
    if isinstance(value, list) and value:
        # Python's encoder in C, which is ten times as fast, is only used without an indent.
        return "[\n    " + ",\n    ".join(map(_json, value)) + "\n  ]"
    # Line ends within JSON strings are escaped, so each line end here belongs to the indent.
    return _json(value, indent=2).replace("\n", "\n  ")


def _json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, indent=indent, allow_nan=False, ensure_ascii=False)


def run(writers: Iterable[Writer], evaluation: Evaluation, directory: Path) -> None:
    """Let each writer write; tables are written beside what has `reads_files` False, before all others."""
    with ThreadPoolExecutor(1) as pool:
        waiting: list[Future[None]] = []
        for writer in writers:
            if isinstance(writer, TableWriter) and isinstance(evaluation.get(writer.key), pa.Table):
                waiting.append(pool.submit(writer.write, evaluation, directory))
                continue
            if getattr(writer, "reads_files", True):
                _finish(waiting)
            writer.write(evaluation, directory)
        _finish(waiting)


def _finish(waiting: list[Future[None]]) -> None:
    """Wait for tables that are written; raises what ended one of them."""
    for written in waiting:
        written.result()
    waiting.clear()
