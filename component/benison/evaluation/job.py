# SPDX-License-Identifier: Apache-2.0
"""Runs, judges and writes an evaluation whose config, data and models fit each other."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext
from itertools import chain
from typing import Any, TypeAlias

import pyarrow as pa

from benison.config import EvalConfig
from benison.data.dataset import Dataset
from benison.data.identity import Identity
from benison.data.widening import MisfitError
from benison.engine import local
from benison.engine.extract import PredictionsExtractor, TransformedFeaturesExtractor
from benison.engine.named_columns import optional_columns
from benison.engine.plan import Plan
from benison.engine.row_streams import streamed
from benison.engine.stages import (
    Evaluator,
    Extractor,
    FeatureConsumer,
    RowEvaluator,
    check_output_key,
    columns_of,
    has_transform,
    makes_rows,
)
from benison.engine.variants import Variant
from benison.engine.work import Work
from benison.engine.workers import Workers
from benison.errors import ConfigError, ModelError, OutputError, as_visible
from benison.evaluation.advice import advice, only_missing, shared_keys
from benison.evaluation.judgement import directions, judged, log
from benison.evaluation.progress import Progress
from benison.evaluation.provenance import digests_of, model_record, same_models
from benison.evaluation.row_folder import row_folder
from benison.evaluation.training_examples import TrainingExamples
from benison.lineage.decision import Revocation
from benison.metrics.modules import UserMetrics
from benison.output import blessing, directory, writers
from benison.paths import locate
from benison.results.result import EvalResult
from benison.slicing.spec_columns import written_columns
from benison.table.row_files import FAILED_SLICES, RowFiles
from benison.table.schema import PLOTS_SCHEMA
from benison.validation.verdict import Verdict
from benison.version import VERSION

PathLike: TypeAlias = "str | os.PathLike[str]"

_CALLERS = (PredictionsExtractor, TransformedFeaturesExtractor)
_LOGGER = logging.getLogger("benison")
# Reasons name slices, which are anybody's text.
_LOGGER.addFilter(as_visible)
# A library is silent until the program that uses it configures logging.
_LOGGER.addHandler(logging.NullHandler())


@dataclasses.dataclass
class Job:
    """A checked evaluation, ready to run: its config, data and models fit each other."""

    plan: Plan
    dataset: Dataset
    paths: dict[str, str]
    copies: dict[str, str]
    """Where the models are on this machine: `paths`, but for those at an address."""
    extractors: list[Extractor]
    evaluators: list[Evaluator | RowEvaluator]
    overwrite: bool
    progress: Progress
    lineage: dict[str, Any] | None = None
    """What the manifest says of the run and its record in a metadata store."""
    note: Callable[[str, Verdict | None], None] = lambda _state, _verdict: None
    """Called when it is running, evaluated, and written; an error of its ends the evaluation."""
    look: Callable[[], int | None] = lambda: None
    """Which candidate this is that is judged on these data, from 1; None where no store counts."""
    revocation: Callable[[], Revocation | None] = lambda: None
    """Who has revoked the candidate; None where nobody has, or no store knows."""
    after: Callable[[Job, dict[str, Any], Workers, str], dict[str, Any]] = (
        lambda _job, outputs, *_: outputs
    )
    """What is done with the outputs of the pass before they are written, by what workers, in what folder."""
    user_metrics: UserMetrics = UserMetrics()
    """The metrics whose code is not Benison's."""
    threads: int = 1
    """On how many the local engine adds up."""
    seconds: dict[str, float] = dataclasses.field(default_factory=dict)
    rows: int = 0
    missing: dict[str, int] = dataclasses.field(default_factory=dict)
    words: tuple[str, ...] = ()
    """What was taken for something else than was written."""
    advice: list[str] = dataclasses.field(default_factory=list)
    """What to do about results that say little."""
    more: dict[str, Any] = dataclasses.field(default_factory=dict)
    """What else the manifest says."""

    @property
    def config(self) -> EvalConfig:
        """The config, with its defaults filled in."""
        return self.plan.config

    def run(
        self, workers: Workers, output: PathLike | None, chosen: Sequence[writers.Writer]
    ) -> EvalResult:
        """Evaluate, judge, and write if there is an output."""
        self.note("running", None)
        keeps_rows = self.config.options.examples_per_slice or any(map(makes_rows, self.evaluators))
        files = row_folder(workers, output) if keeps_rows else nullcontext("")
        with closing(self.data), files as folder:
            summaries = streamed(self.evaluators, folder)
            results = self.results(summaries, self.states(workers, summaries))
            results = self.after(self, results, workers, folder)
            self.note("evaluated", results["verdict"])
            return self.save(results, output, chosen)

    @functools.cached_property
    def models(self) -> list[dict[str, Any]]:
        """Which bytes the models are, as they were when this was first asked."""
        return self._model_records()

    @functools.cached_property
    def data(self) -> Identity:
        """Which data these are."""
        return Identity(self.dataset, self.columns, self._judged)

    def _judged(self) -> Sequence[str]:
        """The columns of labels, predictions and weights of candidates whose predictions are in the data."""
        specs = [spec for spec in self.config.candidate_specs if spec.name not in self.paths]
        judged = sorted({*chain(*(spec.columns(with_predictions=True) for spec in specs))})
        made = not {*self.dataset.names}.issuperset(judged)  # by stages, of what they read
        return self.columns() or self.dataset.names if made else judged

    @functools.cached_property
    def training(self) -> TrainingExamples:
        """The data that the models were trained on."""
        return TrainingExamples(self.config)

    def is_of(self, manifest: Mapping[str, Any]) -> bool:
        """Whether an output is of these models, this config, this code of metrics, and these data."""
        return (
            same_models(manifest["models"], self.models)
            and manifest["config"] == self.config.digest()
            and manifest.get("user_metrics", []) == self.user_metrics.to_list()
            and self.data.is_of(manifest["data"])
            and self.training.are_of(manifest)
        )

    def run_local(self, summaries: Sequence[Evaluator]) -> list[Any]:
        """The evaluators' states, made in this process."""
        self._load()
        self.prepare()
        with self.timed("evaluate"):
            try:
                return self._pass(summaries)
            except MisfitError as misfit:
                _LOGGER.warning(
                    "%s All rows are read again with types that fit them. Types that options.column_types "
                    "gives are not inferred.",
                    misfit,
                )
                self.progress("types", 0, self.dataset.num_rows)
                self.dataset = self.dataset.refitted(misfit.column, self.columns())
                return self._pass(summaries)

    def _pass(self, summaries: Sequence[Evaluator]) -> list[Any]:
        batches = functools.partial(
            self.dataset.batches,
            self.columns(),
            keep_input=self._keeps_input(),
            number=self._numbers_rows(),
        )
        seen = functools.partial(self.progress, "evaluate", total=self.dataset.num_rows)
        return local.run_within_memory(batches, self.extractors, summaries, seen, self.threads)

    def prepare(self) -> None:
        """Find out how the columns that are read are read."""
        self.data.start()
        sliced = written_columns(self.plan.slicing_specs)
        sliced |= {name for e in self.evaluators for name in getattr(e, "sliced", ())}
        self.dataset = self.dataset.prepared(self.columns(), sliced)

    def states(self, workers: Workers, summaries: Sequence[Evaluator]) -> list[Any]:
        """The evaluators' states of all rows."""
        return self.run_local(summaries) if workers.are_local else self._run_on(workers, summaries)

    def _run_on(self, workers: Workers, summaries: Sequence[Evaluator]) -> list[Any]:
        from benison.engine import clusters

        clusters.check_known(workers.engine)
        if self.dataset.table is not None:
            raise ConfigError(
                f"The engine {workers.engine} reads files; write the table to Parquet, or use the local "
                "engine."
            )
        cluster = workers.cluster  # before models are loaded for nothing
        self._load()
        self.prepare()
        work = self.work(summaries)
        self.progress("evaluate", 0, self.dataset.num_rows)
        with self.timed("evaluate"):
            read = self.dataset.names if work.columns is None else work.columns
            self.dataset = clusters.widened(self.dataset, read, cluster)
            known = {file.path: file.rows for file in self.dataset.files}
            return cluster.states(self.dataset.shards(), work, known)

    def work(self, summaries: Sequence[Evaluator]) -> Work:
        """What a worker of another process does."""
        columns = self.columns()
        return Work(
            self.user_metrics,
            tuple(self.extractors),
            tuple(summaries),
            None if columns is None else tuple(columns),
            self._keeps_input(),
            self._numbers_rows(),
        )

    def _load(self) -> None:
        """Note which bytes the models are, and load them."""
        with self.timed("load"):
            self.progress("load", 0, self.dataset.num_rows)
            expected = digests_of(self.models)
            for extractor in self.extractors:
                if isinstance(extractor, PredictionsExtractor):
                    extractor.expected = expected
                if isinstance(extractor, TransformedFeaturesExtractor):
                    extractor.predictions.expected = expected
            local.setup(self.extractors)

    def results(self, summaries: Sequence[Evaluator], states: list[Any]) -> dict[str, Any]:
        """The output keys of all evaluators, and the verdict."""
        with self.timed("results"):
            self.progress("results", 0, None)
            outputs = self._outputs(summaries, states)
        if self.config.debugging is not None:
            from benison.evaluation.probing import with_probing  # of no use to other runs

            with self.timed("probes"):
                self.progress("probes", 0, None)
                outputs = with_probing(outputs, self.plan, self.extractors, self.training)
        with self.timed("results"):
            self.rows, self.missing = outputs["rows"], outputs["missing"]
            verdict = judged(self.plan, outputs, self.look(), self.revocation())
            hidden = len(outputs["small_slices"]), self.config.options.min_slice_size
            sentences = advice(outputs["metrics"], self.rows, self.missing, *hidden)
            shared = shared_keys(self.config.options.row_key, outputs)
            empty = only_missing(self.dataset, self.columns())
            self.advice = [*self.words, *sentences, *shared, *empty]
        log(verdict)
        for sentence in self.advice:
            _LOGGER.warning("%s", sentence)
        return {**outputs, "verdict": verdict}

    def _outputs(self, summaries: Sequence[Evaluator], states: list[Any]) -> dict[str, Any]:
        """The output keys of all evaluators; raises ConfigError where two have one."""
        outputs: dict[str, Any] = {}
        owners: dict[str, str] = {}
        for evaluator, state in zip(summaries, states, strict=True):
            result = state if has_transform(evaluator) else evaluator.result(state)
            for key in result:
                check_output_key(owners, key, evaluator.stage_name)
            outputs |= result
        return outputs

    def save(
        self,
        results: dict[str, Any],
        output: PathLike | None,
        chosen: Sequence[writers.Writer],
    ) -> EvalResult:
        """Write and bless, if there is an output; the result in any case."""
        verdict = results["verdict"]
        with self.timed("digest"):
            self.data.check_unchanged()
            data = {"data": self.data.record(self.dataset), **self.training.record()}
        manifest = self._manifest(verdict.status, data)
        about, weak = (verdict, self.config, manifest), results.get("weak_slices")
        if output is None:
            plots = pa.Table.from_batches(results["plots"], PLOTS_SCHEMA)
            rows = {key: of.table() for key, of in results.items() if isinstance(of, RowFiles)}
            return EvalResult(
                results["metrics"], *about, None, plots, rows, weak, _probes=results.get("probes")
            )
        self.progress("write", 0, None)
        for was, now in zip(self.models, self._model_records(), strict=True):
            if was != now:
                raise ModelError(
                    f"The model at {was['path']} was changed while it was evaluated; evaluate it again."
                )
        path = locate(output, OutputError)
        results = writers.without_disabled(results, self.config.options.disabled_outputs)
        probes = results.get("probes")
        shown = {k: results[k].table() for k in (FAILED_SLICES,) if k in results}
        result = EvalResult(results["metrics"], *about, path, None, shown, weak, _probes=probes)
        plain = {
            "result": result,
            **results,
            "verdict": verdict.to_dict(),
            "checks": verdict.table,
            "config": self.config.to_dict(),
            "manifest": manifest,
        }
        with directory.output_directory(path, self.overwrite) as folder:
            with self.timed("write"):
                writers.run(chosen, plain, folder)
            blessing.seal(folder, manifest)
            self.note("evaluated", verdict)  # again: it must not be published if it was superseded
        self.note("written", verdict)
        return result

    def _manifest(self, status: str, data: dict[str, Any]) -> dict[str, Any]:
        return {
            "benison": VERSION,
            "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "verdict": status,
            "rows": self.rows,
            "missing": self.missing,
            "advice": self.advice,
            "seconds": self.seconds,  # writing joins them
            "lineage": self.lineage,
            "examples": list(self.dataset.sources),
            "models": self.models,
            "config": self.config.digest(),
            "user_metrics": self.user_metrics.to_list(),
            "directions": directions(self.config),
            **self.more,
            **data,
        }

    def _model_records(self) -> list[dict[str, Any]]:
        return [
            model_record(spec, self.paths.get(spec.name), self.copies.get(spec.name))
            for spec in self.config.model_specs
        ]

    def columns(self) -> list[str] | None:
        """The columns to read; None is all, when it is not known what a model reads."""
        wanted = self.plan.feature_columns | optional_columns(self.plan) & {*self.dataset.names}
        for spec in self.config.model_specs:
            wanted |= spec.columns(with_predictions=spec.name not in self.paths)
        wanted |= {name for variant in self._variants() for name in variant.columns}
        wanted.update(self.config.options.row_key if self._numbers_rows() else ())
        stages: list[Extractor | Evaluator | RowEvaluator] = [*self.extractors, *self.evaluators]
        for stage in stages:
            if not isinstance(stage, _CALLERS):
                columns = columns_of(stage)
                if columns is None:
                    return None
                wanted.update(columns)
        known = self.dataset.names
        if any(isinstance(e, TransformedFeaturesExtractor) and e.called for e in self.extractors):
            wanted.intersection_update(known)  # the others are made
        for reader in self._called():
            serialized = reader.takes_examples and self.dataset.has_serialized
            if reader.columns is None or reader.takes_examples and not serialized:
                return None
            wanted.update(c for c in reader.columns if c in known or not serialized)
        return sorted(wanted) or self.dataset.schema.names[:1]  # only what is read has rows

    def _variants(self) -> list[Variant]:
        stages = [e for e in self.extractors if isinstance(e, PredictionsExtractor)]
        return [variant for stage in stages for variant in stage.variants]

    def _keeps_input(self) -> bool:
        return any(reader.takes_examples for reader in self._called())

    def _numbers_rows(self) -> bool:
        drawn = any(getattr(each, "needs_row_numbers", False) for each in self.evaluators)
        resampled = self.config.options.compute_confidence_intervals
        return drawn or resampled or self.plan.needs_row_numbers

    def _called(self) -> list[FeatureConsumer]:
        """The models and the preprocessing functions."""
        return [r for e in self.extractors if isinstance(e, _CALLERS) for r in e.called]

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add what the block takes to the seconds of a stage."""
        started = time.monotonic()
        yield
        taken = self.seconds.get(stage, 0.0) + time.monotonic() - started
        self.seconds[stage] = round(taken, 3)
