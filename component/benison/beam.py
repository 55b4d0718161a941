# SPDX-License-Identifier: Apache-2.0
"""Evaluations as a step of a Beam pipeline of your own, over rows that need not be on disk.

import benison.beam

_ = examples | benison.beam.EvaluateAndWrite("eval.yaml", "evaluation", model="model")

Elements are `pyarrow.RecordBatch`es, tf.Examples (bytes or messages) or dicts with the values of a row.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from typing import Any

import pyarrow as pa

from benison.data.elements import Kinds, is_example, rows_of
from benison.engine.work import Piece, Work
from benison.errors import MissingExtraError, OutputError
from benison.evaluation.collection import CollectionEvaluation, CollectionRequest, Prepared
from benison.evaluation.job import PathLike
from benison.output.directory import check_output
from benison.paths import locate
from benison.results.result import EvalResult

try:
    import apache_beam as beam
    from apache_beam.pvalue import AsSingleton
    from apache_beam.utils.shared import Shared
except ImportError as error:
    raise MissingExtraError("Apache Beam", "beam") from error

from benison.engine.beam_fns import count

__all__ = ["Evaluate", "EvaluateAndWrite"]

# Rows that wait until they are added up together: a model and grouped sums want many at once.
_ROWS = 2**14


class Evaluate(beam.PTransform[Any, Any]):
    """Evaluates a model over all elements: a PCollection of rows becomes one of one `benison.EvalResult`.

    Args:
        config: A path, a mapping, a TFMA EvalConfig, or an EvalConfig.
        model: The path of the candidate, or paths by the names of model_specs; none where predictions are
            in the rows. Each process of a worker loads it once.
        baseline: The path of the model to compare with.
        schema: The columns and types of the rows, as `pyarrow.Schema`. Without it all elements are looked
            at once before, for the types for all of them.
        row_key: The columns that tell rows apart, which confidence intervals and samples need; without it
            `options.row_key`.
        trust_pickle: Allow models whose loading runs code that the file holds.
        trust_ops: Allow graphs of TensorFlow that read or write files, or run Python.
        module_path: A folder in which modules of metrics and models are looked for, here and on workers.

    Raises:
        ConfigError: The config is wrong, when the transform is made; what depends on the rows is said by the
            worker that sees them.

    >>> made = Evaluate({
    ...     "model_specs": [{"label_key": "label", "prediction_key": "score"}],
    ...     "metrics_specs": [{"metrics": [{"class_name": "BinaryAccuracy"}]}],
    ... })
    >>> rows = [{"label": 1, "score": 0.9}, {"label": 0, "score": 0.2}, {"label": 1, "score": 0.1}]
    >>> with beam.Pipeline("FnApiRunner") as pipeline:
    ...     results = pipeline | beam.Create(rows) | made
    ...     _ = results | beam.Map(lambda result: print(round(result.value("binary_accuracy"), 3)))
    0.667
    """

    def __init__(  # noqa: PLR0913 - as `benison.evaluate`
        self,
        config: Any,
        *,
        model: PathLike | Mapping[str, PathLike] | None = None,
        baseline: PathLike | None = None,
        schema: pa.Schema | None = None,
        row_key: Sequence[str] = (),
        trust_pickle: bool = False,
        trust_ops: bool = False,
        module_path: PathLike | None = None,
    ) -> None:
        super().__init__()
        self._schema = schema
        self._output: PathLike | None = None
        self._overwrite = False
        self._evaluation = CollectionEvaluation.of(
            CollectionRequest(
                config, model, baseline, schema, row_key, trust_pickle, trust_ops, module_path
            )
        )

    def expand(self, elements: Any) -> Any:
        evaluation, on_worker = self._evaluation, OnWorker(self._evaluation)
        kinds = elements | "InferTypes" >> beam.CombineGlobally(KindsFn(self._schema))
        rows = elements | "CountRows" >> beam.Map(rows_of) | "AddRows" >> beam.CombineGlobally(sum)
        merged = (
            elements
            | "Evaluate" >> beam.ParDo(BatchFn(on_worker), AsSingleton(kinds))
            | "AddUp" >> beam.CombineGlobally(RowsFn(on_worker))
        )
        return merged | "Judge" >> beam.Map(
            _result,
            AsSingleton(kinds),
            AsSingleton(rows),
            evaluation,
            self._output,
            self._overwrite,
        )


class EvaluateAndWrite(Evaluate):
    """As `Evaluate`, and writes the output and its blessing.

    Args:
        config: A path, a mapping, a TFMA EvalConfig, or an EvalConfig.
        output: A directory to write, which workers can write to.
        overwrite: Replace `output` if it exists, when the new results are complete.
        more: The other arguments of `Evaluate`.

    Raises:
        OutputError: The output exists, when the transform is made.
    """

    def __init__(
        self, config: Any, output: PathLike, *, overwrite: bool = False, **more: Any
    ) -> None:
        check_output(locate(output, OutputError), overwrite)
        super().__init__(config, **more)
        self._output = output
        self._overwrite = overwrite


class OnWorker:
    """The evaluation, prepared once in a process, whatever threads call it."""

    def __init__(self, evaluation: CollectionEvaluation) -> None:
        self.evaluation = evaluation
        self._shared = Shared()

    def add_up(self, kinds: Kinds, elements: Sequence[Any]) -> Piece:
        """The states of some elements."""
        count("rows", sum(map(rows_of, elements)))
        prepared = self._shared.acquire(lambda: Prepared(self.evaluation, kinds), tag=kinds)
        return prepared.add_up(elements)  # type: ignore[no-any-return]


class KindsFn(beam.CombineFn):
    """The columns and types of all elements, or those that are known."""

    def __init__(self, schema: pa.Schema | None) -> None:
        self._schema = schema

    def create_accumulator(self) -> tuple[Kinds, list[Any]]:
        return Kinds(pa.schema([]) if self._schema is None else self._schema), []

    def add_input(self, known: tuple[Kinds, list[Any]], element: Any) -> tuple[Kinds, list[Any]]:
        kinds, waiting = known
        if self._schema is not None:
            return (
                (dataclasses.replace(kinds, serialized=True), []) if is_example(element) else known
            )
        waiting.append(element)
        return self.compact(known) if len(waiting) >= _ROWS else known

    def compact(self, known: tuple[Kinds, list[Any]]) -> tuple[Kinds, list[Any]]:
        kinds, waiting = known
        return (kinds.merge(Kinds.of(waiting)), []) if waiting else known

    def merge_accumulators(self, accumulators: Iterable[Any]) -> tuple[Kinds, list[Any]]:
        parts = [self.compact(each)[0] for each in accumulators]
        return parts[0].merge(*parts[1:]), []

    def extract_output(self, known: tuple[Kinds, list[Any]]) -> Kinds:
        return self.compact(known)[0]


class BatchFn(beam.DoFn):
    """Adds batches up where they are; passes rows on, with the types of all, to be gathered into batches."""

    def __init__(self, on_worker: OnWorker) -> None:
        self._on_worker = on_worker

    def process(self, element: Any, kinds: Kinds) -> Iterable[Any]:
        if isinstance(element, pa.RecordBatch | pa.Table):
            return [self._on_worker.add_up(kinds, [element])]
        return [(kinds, element)]


class RowsFn(beam.CombineFn):
    """Merges states, and adds rows up when there are many."""

    def __init__(self, on_worker: OnWorker) -> None:
        self._on_worker = on_worker
        self._merging: Work = on_worker.evaluation.merging

    def create_accumulator(self) -> tuple[Piece, list[Any]]:
        return self._merging.zero(), []

    def add_input(self, known: tuple[Piece, list[Any]], item: Any) -> tuple[Piece, list[Any]]:
        piece, waiting = known
        if isinstance(item, Piece):
            return self._merging.merge(piece, item), waiting
        waiting.append(item)
        return self.compact(known) if len(waiting) >= _ROWS else known

    def compact(self, known: tuple[Piece, list[Any]]) -> tuple[Piece, list[Any]]:
        piece, waiting = known
        if not waiting:
            return known
        added = self._on_worker.add_up(waiting[0][0], [element for _, element in waiting])
        return self._merging.merge(piece, added), []

    def merge_accumulators(self, accumulators: Iterable[Any]) -> tuple[Piece, list[Any]]:
        return reduce(self._merging.merge, [self.compact(each)[0] for each in accumulators]), []

    def extract_output(self, known: tuple[Piece, list[Any]]) -> Piece:
        return self.compact(known)[0]


def _result(  # noqa: PLR0913 - side inputs are arguments
    piece: Piece,
    kinds: Kinds,
    rows: int,
    evaluation: CollectionEvaluation,
    output: PathLike | None,
    overwrite: bool,
) -> EvalResult:
    return evaluation.result(kinds, piece, rows, output, overwrite)
