# SPDX-License-Identifier: Apache-2.0
"""Calls a command that scores: Arrow on standard input, Arrow on standard output."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pyarrow as pa

from benison.data.values import is_list, is_number
from benison.errors import ModelError, visible
from benison.models.arrays import Input, as_input, single_values_of
from benison.models.calls import BatchedCalls
from benison.models.descriptions import ModelDescription
from benison.models.predictor import LoadOptions, Outputs

# Each call starts the program once.
CALL_ROWS = 2**18


class CommandPredictor:
    """A program that gets rows as a stream of Arrow, and answers with a stream of as many rows."""

    takes_examples = False

    def __init__(self, folder: Path, described: ModelDescription, options: LoadOptions) -> None:
        self._folder, self._command = folder, list(described.command)
        self._title = f"The command {' '.join(self._command)!r} in {folder}"
        self.columns: tuple[str, ...] | None = described.columns or options.names or None
        self._calls = BatchedCalls(options.rows or CALL_ROWS)

    def predict(self, features: pa.RecordBatch, serialized: pa.Array | None) -> Outputs:
        """The columns of the answer that are numbers or lists of numbers."""
        rows = features if self.columns is None else features.select(list(self.columns))
        plain = pa.RecordBatch.from_arrays(list(map(_decoded, rows.columns)), rows.schema.names)

        def call(part: slice) -> dict[str, Any]:
            return self._answer(plain.slice(part.start, part.stop - part.start))

        return self._calls.run(features.num_rows, call)

    def _answer(self, rows: pa.RecordBatch) -> dict[str, Any]:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, rows.schema) as stream:
            stream.write_batch(rows)
        sent = sink.getvalue().to_pybytes()
        try:
            done = subprocess.run(
                self._command, input=sent, capture_output=True, cwd=self._folder, check=False
            )
        except OSError as error:
            raise ModelError(f"{self._title} cannot be run: {error.strerror or error}.") from error
        if done.returncode:
            raise ModelError(f"{self._title} ended with {done.returncode}: {_last(done.stderr)}")
        try:
            answer = pa.ipc.open_stream(done.stdout).read_all()
        except pa.ArrowException as error:
            raise ModelError(
                f"{self._title} has not written a stream of Arrow to standard output: {error}. What it "
                "prints for people belongs on standard error."
            ) from error
        return _scores(answer)


def _scores(answer: pa.Table) -> dict[str, Any]:
    """The columns that can be predictions."""
    batches = answer.combine_chunks().to_batches()
    batch = batches[0] if batches else pa.RecordBatch.from_pylist([], answer.schema)
    fields = [f for f in batch.schema if is_number(f.type) or is_list(f.type)]
    return {field.name: as_input(batch, Input(field.name, "float64")) for field in fields}


def _decoded(column: pa.Array) -> pa.Array:
    """A column as any reader of Arrow understands it; of tf.Examples the value of each list."""
    single = single_values_of(column)
    if single is not None:
        return single
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _last(output: bytes) -> str:
    """The last line that a program has printed."""
    lines = output.decode(errors="replace").strip().splitlines()
    return visible(lines[-1][:300]) if lines else "it says nothing on standard error."
