# SPDX-License-Identifier: Apache-2.0
"""Evaluations of a Spark DataFrame, by the workers that have its rows.

result = benison.spark.evaluate(spark.table("predictions"), "eval.yaml", output="evaluation")

Only the states come to the driver, never a row. Nothing but DataFrames is used, as Spark Connect has them.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from benison.data.elements import Kinds
from benison.engine.keyed_jobs import Failure, KeyedMerging, Numbered, loaded_once
from benison.engine.spark_jobs import raising
from benison.engine.tally import Tally
from benison.engine.work import Counted, Piece, numbered
from benison.engine.worker_errors import portable
from benison.errors import MissingExtraError, OutputError
from benison.evaluation.collection import CollectionEvaluation, CollectionRequest, Prepared
from benison.evaluation.job import PathLike
from benison.output.directory import check_output
from benison.paths import locate
from benison.results.result import EvalResult

try:
    from pyspark import TaskContext
    from pyspark.sql import DataFrame
    from pyspark.sql.pandas.types import to_arrow_type
except ImportError as error:
    raise MissingExtraError("Apache Spark", "spark") from error

__all__ = ["evaluate"]

_STATES = pa.schema([("number", pa.int64()), ("state", pa.binary())])
_OF_STATES = "number long, state binary"
_SOURCE = "The DataFrame"
# The states of so many partitions are merged by one task, before those of all are.
_TOGETHER = 16


def evaluate(  # noqa: PLR0913 - as `benison.evaluate`
    frame: DataFrame,
    config: Any,
    *,
    model: PathLike | Mapping[str, PathLike] | None = None,
    baseline: PathLike | None = None,
    output: PathLike | None = None,
    overwrite: bool = False,
    row_key: Sequence[str] = (),
    trust_pickle: bool = False,
    trust_ops: bool = False,
    module_path: PathLike | None = None,
) -> EvalResult:
    """Evaluate a model over all rows of a DataFrame of Spark's.

    Args:
        frame: The rows; only the columns that are needed are read. It is computed once.
        config: A path, a mapping, a TFMA EvalConfig, or an EvalConfig.
        model: The path of the candidate, or paths by the names of model_specs, which all workers reach; none
            where predictions are in the rows.
        baseline: The path of the model to compare with.
        output: A directory that the driver writes, with the blessing; None writes nothing.
        overwrite: Replace `output` if it exists, when the new results are complete.
        row_key: The columns that tell rows apart, which confidence intervals and samples need; without it
            `options.row_key`.
        trust_pickle: Allow models whose loading runs code that the file holds.
        trust_ops: Allow graphs of TensorFlow that read or write files, or run Python.
        module_path: A folder in which modules of metrics are looked for, here and on workers.

    Raises:
        OutputError: The output exists.
        RunnerError: Spark ended the job, for a reason of its own or of the frame's.
        BenisonError: What `benison.evaluate` raises, also from a worker, whose own errors arrive as they are.
    """
    if output is not None:
        check_output(locate(output, OutputError), overwrite)
    kinds = _kinds(frame)
    evaluation = CollectionEvaluation.of(
        CollectionRequest(
            config, model, baseline, kinds.schema, row_key, trust_pickle, trust_ops, module_path
        )
    )
    on_worker = _OnWorker(evaluation, kinds)
    # By place: Spark finds no column whose name has dots or backticks, nor one of two that case tells apart.
    placed = frame.toDF(*(f"c{number}" for number in range(len(frame.columns))))
    columns = [f"c{frame.columns.index(name)}" for name in on_worker.columns]
    states = placed.select(columns).mapInArrow(on_worker.states, _OF_STATES)
    for _ in ("groups of partitions", "ranges of slices"):
        states = states.repartition("number").mapInArrow(on_worker.merged, _OF_STATES)
    with raising():
        rows = states.collect()
    piece = evaluation.merging.merge_all([_piece(row["state"]) for row in rows])
    return evaluation.result(kinds, piece, piece.tally.rows(_SOURCE), output, overwrite)


class _OnWorker:
    """What a worker of Spark's does with a partition; it can be pickled."""

    def __init__(self, evaluation: CollectionEvaluation, kinds: Kinds) -> None:
        self._merging = KeyedMerging(evaluation.merging)  # first, as a user's modules must be there
        self._evaluation = evaluation
        self._kinds = kinds
        self.columns = self._read()

    def _read(self) -> list[str]:
        """Those that are read."""
        job, names = self._evaluation.job(self._kinds), self._kinds.schema.names
        wanted = job.columns()
        known = [name for name in names if wanted is None or name in wanted]
        job.dataset.check(known)
        return known or names[:1]

    def states(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The numbered states of the rows of a partition, or what ended the work on it."""
        number = TaskContext.get().partitionId()
        try:
            return map(_row, numbered(self._pieces(number, batches), number // _TOGETHER))
        except Exception as error:  # of any kind: it is raised where the numbers are waited for
            return map(_row, [(0, Failure(number, portable(error)))])

    def _pieces(self, number: int, batches: Iterator[pa.RecordBatch]) -> list[Piece]:
        evaluation = self._evaluation
        prepared = loaded_once(evaluation.name, lambda: Prepared(evaluation, self._kinds))
        renamed = (batch.rename_columns(self.columns) for batch in batches)
        rows = Counted(renamed)
        states = evaluation.merging.split(prepared.add_up(rows).states)
        return [Piece(Tally(((number, rows.rows, len(states)),)), each) for each in states]

    def merged(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """One state for each number, with the number of its range."""
        merged: dict[int, Any] = {}
        for batch in batches:
            for row in batch.to_pylist():
                number, state = row["number"], pickle.loads(row["state"])  # noqa: S301 - workers' own
                known = merged.get(number)
                merged[number] = state if known is None else self._merging.merge(known, state)
        return map(_row, map(self._merging.in_ranges, merged.items()))


def _row(item: Numbered) -> pa.RecordBatch:
    number, state = item
    return pa.record_batch([pa.array([number]), pa.array([pickle.dumps(state)])], schema=_STATES)


def _piece(state: bytes) -> Piece:
    made = pickle.loads(state)  # noqa: S301 - the workers' own
    if isinstance(made, Failure):
        raise made.error
    return made  # type: ignore[no-any-return]


def _kinds(frame: DataFrame) -> Kinds:
    """The columns; those that cannot be read are there too, so that whoever asks for one is told why."""
    fields: dict[str, pa.Field] = {}
    refused: dict[str, str] = {}
    for field in frame.schema.fields:
        arrow, why = _arrow_type(field.dataType)
        if field.name in fields:
            why = "is there several times; rename or drop all but one"
        if why:
            refused[field.name] = f"{_SOURCE}: column {field.name!r} {why}."
        fields[field.name] = pa.field(field.name, pa.null() if why else arrow)
    return Kinds(pa.schema(fields.values()), refused)


def _arrow_type(kind: Any) -> tuple[pa.DataType | None, str]:
    """The type of a column, or why it cannot be read."""
    name = kind.simpleString()
    if name == "vector":
        return None, "is a vector of Spark's; pyspark.ml.functions.vector_to_array makes a list"
    try:
        return to_arrow_type(kind), ""
    except Exception:  # of a class that depends on Spark's version
        return None, f"is of Spark's type {name}, which Arrow does not have"
