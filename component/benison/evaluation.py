# SPDX-License-Identifier: Apache-2.0
"""This file is the one job as a function: read, extract, evaluate, validate, write, bless."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import logging
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import pyarrow as pa

from benison import blessing
from benison.config import EvalConfig, ModelSpec
from benison.engine import beam, local, write
from benison.engine.check import check_config
from benison.engine.evaluate import Evaluator, MetricsEvaluator, check_order
from benison.engine.extract import (
    Extractor,
    PredictionsExtractor,
    default_extractors,
    slicing_specs,
)
from benison.engine.read import Dataset
from benison.engine.tables import PLOTS_SCHEMA
from benison.engine.write import Writer, default_writers
from benison.errors import ConfigError, ModelError, suggestion
from benison.models import Predictor
from benison.report.html import ReportWriter
from benison.results import EvalResult
from benison.validation import Verdict, validate

VERSION = "0.1.0"
PathLike: TypeAlias = "str | os.PathLike[str]"


_LOGGED_REASONS = 100
_LOGGER = logging.getLogger("benison")
# A library is silent until the program that uses it configures logging.
_LOGGER.addHandler(logging.NullHandler())


class Progress(Protocol):
    """Hears how far an evaluation has come."""

    def __call__(self, stage: str, rows: int, total: int | None) -> None:
        """`stage` has taken in `rows` of `total` rows; `total` is None while it is not known."""


def _silent(stage: str, rows: int, total: int | None) -> None:
    """The progress of a program that did not ask for it."""


def evaluate(  # noqa: PLR0913 - the whole job has this many choices, all but two with defaults
    examples: Any,
    config: Any,
    *,
    model: PathLike | Mapping[str, PathLike] | None = None,
    baseline: PathLike | None = None,
    output: PathLike | None = None,
    overwrite: bool = False,
    format: str | None = None,  # noqa: A002 - the field's word
    engine: str = "local",
    beam_options: Sequence[str] = (),
    trust_pickle: bool = False,
    extractors: Sequence[Extractor] | None = None,
    evaluators: Sequence[Evaluator] = (),
    writers: Sequence[Writer] | None = None,
    progress: Progress = _silent,
) -> EvalResult:
    """Evaluate a model over all examples, on every slice, and judge it by the config's thresholds.

    Args:
        examples: Paths, a glob or a directory; or a pandas DataFrame or an Arrow Table.
        config: A path, a mapping, a TFMA EvalConfig, or an EvalConfig.
        model: The candidate, or several by the names of their model_specs; without a model the
            predictions are in the data, where prediction_key says.
        baseline: The model to compare with.
        output: A directory to write, which must not exist; None writes nothing.
        overwrite: Replace `output` if it exists, when the new results are complete.
        format: Of the examples, when their names do not tell: parquet, csv, jsonl, arrow, tfrecord.
        engine: "local", or "beam" with `beam_options` such as `--runner=FlinkRunner`.
        beam_options: Beam's pipeline options.
        trust_pickle: Allow models whose loading runs code that the file holds.
        extractors: In place of `default_extractors(config)`.
        evaluators: Beside the metrics; their output keys reach the writers.
        writers: In place of `default_writers()`.
        progress: Called with a stage, its rows so far, and the rows in all.

    Returns:
        The metrics, the verdict, and what they were made from.

    Raises:
        ConfigError: The config is wrong, or does not fit the data or the model.
        DataError: The data cannot be read or scored.
        ModelError: A model cannot be loaded or called.
        OutputError: The output exists or cannot be written.
    """
    if output is not None:
        write.check_output(Path(output), overwrite)
    loaded = EvalConfig.load(config)
    full = loaded.with_defaults(baseline is not None or loaded.baseline_spec is not None)
    paths = _model_paths(full, model, baseline)
    dataset = Dataset.open(examples, format)
    plan = check_config(full, dataset.schema.names, called=paths)
    stages = list(extractors or default_extractors(full, paths, trust_pickle))
    summaries = [MetricsEvaluator(full, plan), *evaluators]
    check_order(summaries, stages)
    job = Job(full, dataset, paths, stages, summaries, progress)
    states = job.run_local() if engine == "local" else job.run_beam(engine, beam_options)
    found = job.results(states)
    return job.save(found, output, overwrite, writers)


@dataclasses.dataclass
class Job:
    """An evaluation whose config, data and models fit each other; what is left is to do it."""

    config: EvalConfig
    dataset: Dataset
    paths: dict[str, str]
    extractors: list[Extractor]
    evaluators: list[Evaluator]
    progress: Progress
    seconds: dict[str, float] = dataclasses.field(default_factory=dict)
    rows: int = 0
    models: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    missing: dict[str, int] = dataclasses.field(default_factory=dict)

    def run_local(self) -> list[Any]:
        """The evaluators' states, made in this process."""
        total = self.dataset.num_rows
        self._load()

        with self._timed("evaluate"):
            batches = self.dataset.batches(self._columns(), keep_input=self._wants_input())
            seen = functools.partial(self.progress, "evaluate", total=total)
            return local.run(batches, self.extractors, self.evaluators, seen)

    def run_beam(self, engine: str, options: Sequence[str]) -> list[Any]:
        """The evaluators' states, made by a Beam runner."""
        if engine != "beam":
            raise ConfigError(f"There is no engine {engine!r}. There are: beam, local.")
        if self.dataset.table is not None:
            raise ConfigError(
                "The Beam engine reads files; write the table to Parquet, or use the local engine."
            )
        self._load()
        columns = self._columns()
        work = beam.Work(
            tuple(self.extractors),
            tuple(self.evaluators),
            None if columns is None else tuple(columns),
            self._wants_input(),
        )
        self.progress("evaluate", 0, self.dataset.num_rows)
        with self._timed("evaluate"), tempfile.TemporaryDirectory(prefix="benison-") as folder:
            staging = beam.temp_location(options) or folder
            return beam.run(self.dataset.shards(), work, staging, options)

    def _load(self) -> None:
        """Load the models, and note which bytes they are before anything else could change them."""
        with self._timed("load"):
            self.progress("load", 0, self.dataset.num_rows)
            self.models = self._model_records()
            local.setup(self.extractors)

    def results(self, states: list[Any]) -> dict[str, Any]:
        """The output keys of all evaluators, and the verdict."""
        with self._timed("results"):
            self.progress("results", 0, None)
            found: dict[str, Any] = {}
            for evaluator, state in zip(self.evaluators, states, strict=True):
                found |= evaluator.result(state)
            self.rows, self.missing = found["rows"], found["missing"]
            verdict = validate(self.config, found["metrics"], found["small_slices"])
        _log(verdict)
        return {**found, "verdict": verdict}

    def save(
        self,
        found: dict[str, Any],
        output: PathLike | None,
        overwrite: bool,
        writers: Sequence[Writer] | None,
    ) -> EvalResult:
        """Write and bless, if there is an output; the result in any case."""
        verdict = found["verdict"]
        manifest = self._manifest(verdict.status)
        if output is None:
            plots = pa.Table.from_batches(found["plots"], PLOTS_SCHEMA)
            return EvalResult(found["metrics"], verdict, self.config, manifest, None, plots)
        self.progress("write", 0, None)
        if self._model_records() != self.models:
            raise ModelError("A model was changed while it was evaluated; evaluate it again.")
        result = EvalResult(found["metrics"], verdict, self.config, manifest, Path(output))
        plain = {
            "result": result,
            **found,
            "verdict": verdict.to_dict(),
            "config": self.config.to_dict(),
            "manifest": manifest,
        }
        with write.output_directory(Path(output), overwrite) as directory:
            write.run(
                [*default_writers(), ReportWriter()] if writers is None else writers,
                plain,
                directory,
            )
            blessing.seal(directory, manifest)
        return result

    def _manifest(self, status: str) -> dict[str, Any]:
        return {
            "benison": VERSION,
            "created": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "verdict": status,
            "rows": self.rows,
            "missing": self.missing,
            "seconds": {stage: round(seconds, 3) for stage, seconds in self.seconds.items()},
            "models": self.models,
            "config": self.config.digest(),
            "data": self.dataset.identity(),
        }

    def _model_records(self) -> list[dict[str, Any]]:
        return [self._model_record(spec) for spec in self.config.model_specs]

    def _model_record(self, spec: ModelSpec) -> dict[str, Any]:
        path = self.paths.get(spec.name)
        files = {} if path is None else blessing.digest_model(Path(path))
        return {
            "name": spec.name,
            "is_baseline": spec.is_baseline,
            "path": None if path is None else os.path.abspath(path),
            "digest": None if path is None else blessing.digest_of(files),
            "files": files,
        }

    def _columns(self) -> list[str] | None:
        """The columns to read; None is all, when it is not known what a model reads."""
        wanted = {feature for spec in slicing_specs(self.config) for feature in spec.features}
        for spec in self.config.model_specs:
            wanted |= spec.columns(with_predictions=spec.name not in self.paths)
        for predictor in self._predictors():
            if predictor.columns is None:
                return None
            wanted.update(predictor.columns)
        custom = [
            e
            for e in (*self.extractors, *self.evaluators)
            if not type(e).__module__.startswith("benison.")
        ]
        return None if custom else sorted(wanted)

    def _wants_input(self) -> bool:
        return any(predictor.wants_input for predictor in self._predictors())

    def _predictors(self) -> list[Predictor]:
        stages = [e for e in self.extractors if isinstance(e, PredictionsExtractor)]
        return [predictor for stage in stages for predictor in stage.predictors.values()]

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        self.seconds[stage] = time.monotonic() - started


def _log(verdict: Verdict) -> None:
    """Each failure is an error in the log of whatever host this runs in."""
    _LOGGER.info(verdict.summary())
    for reason in verdict.reasons[:_LOGGED_REASONS]:
        _LOGGER.error(reason)
    if len(verdict.reasons) > _LOGGED_REASONS:
        _LOGGER.error(
            "and %d more failures, in verdict.json", len(verdict.reasons) - _LOGGED_REASONS
        )


def _model_paths(
    config: EvalConfig, model: PathLike | Mapping[str, PathLike] | None, baseline: PathLike | None
) -> dict[str, str]:
    """The path of each model spec that has one.

    Raises:
        ConfigError: A path is given for a model that the config does not have, or is missing.
    """
    candidates = [spec.name for spec in config.candidate_specs]
    if isinstance(model, Mapping):
        paths = {name: os.fspath(path) for name, path in model.items()}
    elif model is None:
        paths = {}
    elif len(candidates) == 1:
        paths = {candidates[0]: os.fspath(model)}
    else:
        raise ConfigError(
            f"The config has the models {', '.join(candidates)}; say which path is whose."
        )
    if baseline is not None and config.baseline_spec is not None:
        paths[config.baseline_spec.name] = os.fspath(baseline)
    known = [spec.name for spec in config.model_specs]
    for name in paths:
        if name not in known:
            raise ConfigError(f"No model_spec is named {name!r}. {suggestion(name, known)}")
    return paths
