# SPDX-License-Identifier: Apache-2.0
"""An evaluation whose rows are the elements of a collection, as of Beam, and not a dataset on disk."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from benison.data import elements as of_elements
from benison.data.dataset import Dataset
from benison.data.elements import SOURCE, Kinds
from benison.data.identity import Identity
from benison.data.row_keys import key_numbers
from benison.data.shards import ROW_NUMBER, conformed
from benison.engine import local
from benison.engine.extract import PredictionsExtractor, extractors_of
from benison.engine.outcome import MetricsEvaluator
from benison.engine.plan import Plan
from benison.engine.row_key_sample import RowKeyEvaluator
from benison.engine.stages import Evaluator, Extractor
from benison.engine.tally import Tally, check_rows_read
from benison.engine.work import Piece, Work
from benison.errors import ConfigError, OutputError
from benison.evaluation.defaults import default_writers
from benison.evaluation.examples import open_examples
from benison.evaluation.job import Job, PathLike
from benison.evaluation.progress import silent
from benison.evaluation.provenance import digests_of, model_record
from benison.evaluation.resolve import UNKNOWN, Request, Resolved, resolve
from benison.metrics import modules
from benison.metrics.modules import UserMetrics
from benison.models import local_copies
from benison.output import blessing
from benison.paths import locate
from benison.results.result import EvalResult, load_result
from benison.slicing.bin_edges import open_quantiles


@dataclasses.dataclass(frozen=True)
class CollectionRequest:
    """What a user gives; as the arguments of `benison.evaluate`.

    Attributes:
        config: A path, a mapping, a TFMA EvalConfig, or an EvalConfig.
        model: The path of the candidate, or several by the names of their model_specs.
        baseline: The path of the model to compare with.
        schema: The columns and types of the rows; without it they are found out of all elements.
        row_key: The columns that tell rows apart, for what needs a number of each; without it
            `options.row_key`.
        trust_pickle: Allow models whose loading runs code that the file holds.
        trust_ops: Allow graphs of TensorFlow that read or write files, or run Python.
        module_path: A folder in which modules of metrics and models are looked for.
    """

    config: Any
    model: PathLike | Mapping[str, PathLike] | None = None
    baseline: PathLike | None = None
    schema: pa.Schema | None = None
    row_key: Sequence[str] = ()
    trust_pickle: bool = False
    trust_ops: bool = False
    module_path: PathLike | None = None


@dataclasses.dataclass(frozen=True)
class CollectionEvaluation:
    """A checked evaluation; it can be pickled. `user_metrics` come first, as in `Work`."""

    user_metrics: UserMetrics
    plan: Plan
    paths: dict[str, str]
    extractors: tuple[Extractor, ...]
    models: list[dict[str, Any]]
    words: tuple[str, ...]
    name: str
    """Of this evaluation and no other, by which one that is written again knows its own output."""

    @classmethod
    def of(cls, asked: CollectionRequest) -> CollectionEvaluation:
        """Check what was asked for.

        Raises:
            ConfigError: The config is wrong, or asks for what a collection does not have.
            ModelError: A model is not there.
        """
        schema = asked.schema
        examples = UNKNOWN if schema is None else schema.empty_table()
        baseline = None if asked.baseline is None else True
        row_key = (asked.row_key,) if isinstance(asked.row_key, str) else tuple(asked.row_key)
        with modules.importable(asked.module_path) as folder:
            resolved = resolve(
                Request(
                    asked.config,
                    baseline,
                    asked.model,
                    asked.baseline,
                    examples,
                    module_path=folder,
                    row_key=row_key,
                )
            )
        _check(resolved.plan)
        stages = extractors_of(resolved.plan, resolved.paths, asked.trust_pickle, asked.trust_ops)
        models = _records(resolved)
        for stage in stages:
            if isinstance(stage, PredictionsExtractor):
                stage.expected = digests_of(models)
        return cls(
            resolved.metrics,
            resolved.plan,
            resolved.paths,
            tuple(stages),
            models,
            resolved.words,
            uuid.uuid4().hex,
        )

    @property
    def evaluators(self) -> tuple[Evaluator, ...]:
        """What adds up."""
        keys = (RowKeyEvaluator(),) if self.row_key else ()
        return (MetricsEvaluator(self.plan), *keys)

    @property
    def row_key(self) -> tuple[str, ...]:
        """The columns that tell rows apart."""
        return self.plan.config.options.row_key

    @property
    def merging(self) -> Work:
        """What merges states."""
        return Work(self.user_metrics, (), self.evaluators, None, False, False)

    def job(self, kinds: Kinds, output: PathLike | None = None, overwrite: bool = False) -> Job:
        """The evaluation of rows of these kinds."""
        called = list(self.paths)
        dataset = open_examples(kinds.schema.empty_table(), None, self.plan.config, called)
        dataset = dataclasses.replace(dataset, refused=kinds.refused)
        if kinds.serialized:
            dataset = dataclasses.replace(dataset, format="tfrecord")
        stages = list(self.extractors)
        job = Job(self.plan, dataset, self.paths, {}, stages, [*self.evaluators], overwrite, silent)
        job.user_metrics, job.words = self.user_metrics, self.words
        job.models, job.data = self.models, Elements(kinds)
        return job

    def result(
        self, kinds: Kinds, piece: Piece, rows: int, output: PathLike | None, overwrite: bool
    ) -> EvalResult:
        """Judge, and write if there is an output.

        Args:
            kinds: Of the rows.
            piece: The states of all rows.
            rows: How many there are.
            output: A directory to write.
            overwrite: Replace an output of another evaluation.

        Raises:
            DataError: Not all rows are in the states.
        """
        path = None if output is None else locate(output, OutputError)
        if path is not None and self._has_written(path):  # and the runner tries again
            return load_result(path)
        job = self.job(kinds, output, overwrite)
        job.lineage = {"evaluation": self.name}
        results = job.results(self.evaluators, piece.states)
        check_rows_read(SOURCE, job.rows, rows)
        with local_copies(self.paths) as copies:
            job.copies = copies
            job.data = Elements(kinds, rows)
            return job.save(results, output, default_writers())

    def _has_written(self, path: Any) -> bool:
        try:
            manifest = blessing.read_manifest(path)
        except OutputError:
            return False
        return (manifest.get("lineage") or {}).get("evaluation") == self.name


class Prepared:
    """An evaluation on a worker, with its models loaded: adds up elements."""

    def __init__(self, evaluation: CollectionEvaluation, kinds: Kinds) -> None:
        job = evaluation.job(kinds)
        self._work = job.work(evaluation.evaluators).loaded()
        job.prepare()
        dataset, row_key = job.dataset, evaluation.row_key
        columns = dataset.names if self._work.columns is None else self._work.columns
        dataset.check(columns)
        self._rules, self._row_key = dataset.rules, row_key if self._work.number else ()
        self._schema = pa.schema([dataset.schema.field(name) for name in columns])
        self._read = [*dict.fromkeys([*columns, *self._row_key])]

    def add_up(self, elements: Iterable[Any]) -> Piece:
        """The states of some elements."""
        work = self._work
        with local.begun(work.evaluators) as states:
            for batch in of_elements.as_batches(elements, self._read):
                extracts = local.extract(self._conformed(batch), work.extractors)
                local.add(work.evaluators, states, extracts)
            return Piece(Tally(), local.finished(work.evaluators, states))

    def _conformed(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        whole = conformed(batch, self._schema, self._rules, SOURCE)
        if not self._row_key:
            return whole
        numbers = key_numbers(batch, self._row_key, SOURCE)
        return whole.append_column(ROW_NUMBER, pa.array(numbers))


class Elements(Identity):
    """The identity of data of which nothing remains to compare with."""

    def __init__(self, kinds: Kinds, rows: int | None = None) -> None:
        self._kinds = kinds
        self._rows = rows

    def start(self) -> None:
        """Nothing is digested."""

    def check_unchanged(self) -> None:
        """Nothing can have changed."""

    def close(self) -> None:
        """Nothing is open."""

    def record(self, dataset: Dataset) -> dict[str, Any]:
        """What a manifest says of the data."""
        return {
            "format": "memory",
            "rows": self._rows,
            "schema": {field.name: str(field.type) for field in self._kinds.schema},
            "columns": None,
            "files": [],
            "digest": None,
            "covers": "no content: the rows were the elements of a collection, which are nowhere kept",
        }


def _records(resolved: Resolved) -> list[dict[str, Any]]:
    with local_copies(resolved.paths) as copies:
        return [
            model_record(spec, resolved.paths.get(spec.name), copies.get(spec.name))
            for spec in resolved.plan.config.model_specs
        ]


def _check(plan: Plan) -> None:
    """Refuse what the elements of a collection do not have."""
    faults = []
    if wanted := open_quantiles(plan.slicing_specs):
        text = f"asks for quantiles of {sorted(wanted)[0]!r}, for which only files are scanned; give edges."
        faults.append(("slicing_specs", text))
    if plan.config.options.analysis_columns:
        text = "asks for rows to be written, which no step of a pipeline does; write the collection itself."
        faults.append(("options.analysis_columns", text))
    if plan.config.options.profile_columns:
        text = "asks for a profile, which no step of a pipeline makes; make it of the files themselves."
        faults.append(("options.profile_columns", text))
    if plan.config.options.examples_per_slice:
        text = (
            "needs a second pass over the rows, and those of a collection are gone after the first; write "
            "them to files and evaluate these."
        )
        faults.append(("options.examples_per_slice", text))
    numbered = plan.needs_row_numbers or plan.config.options.compute_confidence_intervals
    if numbered and not plan.config.options.row_key:
        text = (
            "is missing. Intervals and samples need to tell rows apart, and a collection has no order: name "
            "the columns that do."
        )
        faults.append(("row_key", text))
    if faults:
        raise ConfigError(faults)
