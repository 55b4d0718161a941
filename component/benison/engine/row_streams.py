# SPDX-License-Identifier: Apache-2.0
"""Runs an evaluator whose output is rows: each worker streams them to files, of which the names travel."""

from __future__ import annotations

import contextlib
import dataclasses
import uuid
from collections.abc import Iterable
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq

from benison.data.batch import Extracts
from benison.data.values import undictionary
from benison.engine.stages import Evaluator, RowEvaluator, makes_rows
from benison.errors import DataError
from benison.paths import in_arrow, locate
from benison.table.row_files import RowFiles

Written = tuple[tuple[int, str, pa.Schema], ...]
"""Files by the part of the data whose rows they hold, with their columns."""


@dataclasses.dataclass
class Stream:
    """The files that are begun, and the writer of the last where it is not complete."""

    files: Written = ()
    writer: pq.ParquetWriter | None = None


@dataclasses.dataclass(frozen=True)
class RowStream:
    """An evaluator of rows as an evaluator whose states are files in `folder`; merging merges no rows."""

    evaluator: RowEvaluator
    folder: str
    part: int = 0
    """The number of the part of the data that a worker reads, by which files are put in order."""

    @property
    def stage_name(self) -> str:
        return self.evaluator.stage_name

    @property
    def run_after(self) -> str:
        return self.evaluator.run_after

    def zero(self) -> Stream:
        return Stream()

    def add(self, state: Stream, extracts: Extracts) -> Stream:
        """Write the rows of a batch.

        Raises:
            DataError: They have other columns than those of the batches before.
        """
        batch = _decoded(self.evaluator.rows(extracts))
        if not batch.num_rows:
            return state
        if state.writer is None:
            self._open(state, batch.schema)
        assert state.writer is not None
        self._check(state.writer.schema, batch.schema)
        state.writer.write_batch(batch)
        return state

    def _check(self, first: pa.Schema, schema: pa.Schema) -> None:
        if schema != first:
            raise DataError(
                f"{self.stage_name} made rows of {_types(schema)} after rows of "
                f"{_types(first)}. All batches must have the same columns and types."
            )

    def _open(self, state: Stream, schema: pa.Schema) -> None:
        # A part that is tried again must not meet the file of the first try.
        path = locate(self.folder) / f"{self.part:05d}-{uuid.uuid4().hex}.parquet"
        file_system, name = in_arrow(path)
        writer = pq.ParquetWriter(name, schema, filesystem=file_system, compression="zstd")
        state.files, state.writer = (*state.files, (self.part, str(path), schema)), writer

    def finish(self, state: Stream) -> Stream:
        """Complete the file, so that the state can travel."""
        if state.writer is not None:
            state.writer.close()
        return Stream(state.files)

    def abort(self, state: Stream) -> None:
        """Let go of the file that is not complete; nobody reads it."""
        if state.writer is not None:
            with contextlib.suppress(
                OSError
            ):  # what ended the run may be that it cannot be written
                state.writer.close()

    def merge(self, state: Stream, other: Stream) -> Stream:
        return Stream(state.files + other.files)

    def result(self, state: Stream) -> dict[str, Any]:
        """The rows under the output key of the evaluator.

        Raises:
            DataError: Parts of the data have rows of different columns.
        """
        for _, _, schema in state.files[1:]:
            self._check(state.files[0][2], schema)
        ordered = sorted((part, path) for part, path, _ in state.files)
        paths = [locate(path) for _, path in ordered]
        (key,) = self.evaluator.outputs
        return {key: RowFiles(tuple(paths))}


def streamed(evaluators: Iterable[Evaluator | RowEvaluator], folder: str) -> list[Evaluator]:
    """The evaluators as engines run them: those of rows write into `folder`."""
    return [RowStream(e, folder) if makes_rows(e) else cast("Evaluator", e) for e in evaluators]


def of_part(evaluator: Evaluator, part: int) -> Evaluator:
    """The evaluator as the worker of a part of the data runs it."""
    if isinstance(evaluator, RowStream):
        return dataclasses.replace(evaluator, part=part)
    return evaluator


def _decoded(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Without dictionaries, which are others in each batch."""
    return pa.RecordBatch.from_arrays(list(map(undictionary, batch.columns)), batch.schema.names)


def _types(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name}: {field.type}" for field in schema)
