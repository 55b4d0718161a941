# SPDX-License-Identifier: Apache-2.0
"""The one job as a function: read, extract, evaluate, validate, write, bless."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from benison.config import EvalConfig
from benison.engine.extract import extractors_of
from benison.engine.outcome import MetricsEvaluator
from benison.engine.stages import Evaluator, Extractor, check_order, check_outputs
from benison.errors import ConfigError, suggestion
from benison.evaluation.check import check_config
from benison.evaluation.examples import open_examples
from benison.evaluation.job import Job, PathLike, Progress, silent
from benison.evaluation.recording import Recording, check_output
from benison.lineage import Recorder
from benison.models import local_copies
from benison.output.writers import Writer, default_writers
from benison.report.page.build import ReportWriter
from benison.results.result import EvalResult
from benison.tfma import TfmaWriter


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
    tfma: bool = False,
    metadata: str | Recorder | None = None,
    pipeline: str | None = None,
    run: str | None = None,
    task: str | None = None,
    map_index: int | None = None,
    progress: Progress = silent,
) -> EvalResult:
    """Evaluate a model over all examples, on every slice, and judge it by the config's thresholds.

    Args:
        examples: Paths, a glob or a directory; or a pandas DataFrame or an Arrow Table.
        config: A path, a mapping, a TFMA EvalConfig, or an EvalConfig.
        model: The candidate, or several by the names of their model_specs; without a model the
            predictions are in the data, where prediction_key says.
        baseline: The model to compare with; "latest-blessed" is looked up in `metadata`.
        output: A directory to write, which must not exist; None writes nothing.
        overwrite: Replace `output` if it exists, when the new results are complete; an evaluation that
            has a `run` replaces only what the same run has written.
        format: Of the examples, when their names do not tell: parquet, csv, jsonl, arrow, tfrecord.
        engine: "local", or "beam" with `beam_options` such as `--runner=FlinkRunner`.
        beam_options: Beam's pipeline options.
        trust_pickle: Allow models whose loading runs code that the file holds.
        extractors: In place of `default_extractors(config)`.
        evaluators: Beside the metrics; their output keys reach the writers.
        writers: In place of `default_writers()`.
        tfma: Write TFMA's files too, for `tfma.load_eval_result` and its views.
        metadata: Where to record data, models and verdict: the URL of an ML Metadata store, as
            `sqlite:///metadata.db` or `mysql://user@host/database`, or a Recorder of your own.
        pipeline: The pipeline in whose history it is recorded, where its resolvers look.
        run: The id of this run in it, one that is stable when a host retries; None makes one. The same
            run again completes what is missing and doubles nothing.
        task: The task of the run, where a run has several evaluations.
        map_index: Which of the instances of a mapped task this is.
        progress: Called with a stage, its rows so far, and the rows in all.

    Returns:
        The metrics, the verdict, and what they were made from.

    Raises:
        ConfigError: The config is wrong, or does not fit the data or the model.
        DataError: The data cannot be read or scored.
        ModelError: A model cannot be loaded or called.
        OutputError: The output exists or cannot be written.
        MissingExtraError: What the data, a model or the output needs is not installed.
        MetadataError: The metadata store cannot be used; the results may be whole then, and are not recorded.
    """
    chosen = _writers(writers, tfma)
    key = {"pipeline": pipeline, "run": run, "task": task, "map_index": map_index}
    recording = Recording.open(metadata, key, output)
    check_output(recording, output, overwrite)
    found = recording.baseline(baseline)
    loaded = EvalConfig.load(config)
    # A baseline that was looked for and is not there yet leaves none, whatever the config says.
    in_data = baseline is None and loaded.baseline_spec is not None
    full = loaded.with_defaults(found is not None or in_data)
    paths = _model_paths(full, model, found)
    dataset = open_examples(examples, format, full, paths)
    plan = check_config(full, dataset.names, called=paths)
    summaries = [MetricsEvaluator(plan), *evaluators]
    check_outputs(summaries)
    with local_copies(paths) as copies:
        # Workers of Beam are on other machines, which copy models themselves.
        called = copies if engine == "local" else paths
        stages = list(extractors or extractors_of(plan, called, trust_pickle))
        check_order(summaries, stages)
        job = Job(plan, dataset, paths, copies, stages, summaries, overwrite, progress)
        return recording.keep(job, output, lambda: job.run(engine, beam_options, output, chosen))


def _writers(writers: Sequence[Writer] | None, tfma: bool) -> list[Writer]:
    """What writes the output; made before any work, because one may lack what it needs."""
    chosen = [*default_writers(), ReportWriter()] if writers is None else [*writers]
    return [*chosen, *([TfmaWriter()] if tfma else [])]


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
