# SPDX-License-Identifier: Apache-2.0
"""The one job as a function: read, extract, evaluate, validate, write, bless."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping, Sequence
from typing import Any

from benison.data.dataset import Dataset
from benison.engine.analysis import HIDES_SLICES, AnalysisEvaluator
from benison.engine.cores import threads_of
from benison.engine.extract import extractors_of
from benison.engine.plan import Plan
from benison.engine.stages import (
    Evaluator,
    Extractor,
    RowEvaluator,
    check_engine,
    check_order,
    check_outputs,
)
from benison.engine.workers import Workers
from benison.errors import ConfigError
from benison.evaluation.defaults import default_writers, evaluators_of, probe_evaluators
from benison.evaluation.ending import unended
from benison.evaluation.job import Job, PathLike
from benison.evaluation.progress import Progress, silent
from benison.evaluation.quantile_edges import completed, quantile_edges, with_known_edges
from benison.evaluation.recording import Recording, check_output, revocation_of
from benison.evaluation.registering import Announcer, pin
from benison.evaluation.repeated_units import suggested_key
from benison.evaluation.resolve import Request, Resolved, resolve
from benison.lineage import Recorder, Revocation
from benison.metrics import modules
from benison.models import local_copies
from benison.models.in_memory import InMemory
from benison.output.writers import Writer
from benison.results.result import EvalResult
from benison.sinks import Registry


@unended()
def evaluate(  # noqa: PLR0913 - the whole job has this many choices, all but two with defaults
    examples: Any,
    config: Any,
    *,
    model: Any = None,
    baseline: Any = None,
    output: PathLike | None = None,
    overwrite: bool = False,
    format: str | None = None,  # noqa: A002 - the field's word
    engine: str = "local",
    engine_options: Sequence[str] = (),
    threads: int | None = None,
    trust_pickle: bool = False,
    trust_ops: bool = False,
    module_path: PathLike | None = None,
    extractors: Sequence[Extractor] | None = None,
    evaluators: Sequence[Evaluator | RowEvaluator] = (),
    writers: Sequence[Writer] | None = None,
    tfma: bool = False,
    metadata: str | Recorder | None = None,
    pipeline: str | None = None,
    run: str | None = None,
    task: str | None = None,
    map_index: int | None = None,
    mounts: Mapping[str, str] | None = None,
    registry: str | Registry | None = None,
    revocations: Sequence[Revocation] = (),
    examples_per_slice: int | None = None,
    progress: Progress = silent,
) -> EvalResult:
    """Evaluate a model over all examples, on every slice, and judge it by the config's thresholds.

    Args:
        examples: Paths, a glob or a directory; or a DataFrame of pandas or Polars, an Arrow Table or
            dataset, a DuckDB relation; or a query, as `duckdb://eval.duckdb#SELECT * FROM trips`.
        config: A path, a mapping, a TFMA EvalConfig, or an EvalConfig.
        model: The path of the candidate, or several by the names of their model_specs; without a model the
            predictions are in the data, where prediction_key says. `models:/NAME/VERSION` is fetched
            through MLflow. Or a fitted estimator, or a function that takes a pandas DataFrame of all
            columns and returns scores: such a model has no digest, and the result says so.
        baseline: The model to compare with, as `model`; "latest-blessed" is looked up in `metadata`.
        output: A directory to write, which must not exist; None writes nothing.
        overwrite: Replace `output` if it exists, when the new results are complete; an evaluation that
            has a `run` replaces only what the same run has written.
        format: Where names do not tell it: parquet, csv, jsonl, arrow, orc, avro, scores, tfrecord.
        engine: "local"; "spark" or "flink", which run the same plan on a cluster of theirs; or "beam".
        engine_options: What the engine takes: `--master=URL` and `--conf=KEY=VALUE` of Spark's,
            `--jobmanager=HOST:PORT` and `--parallelism=N` of Flink's, Beam's pipeline options.
        threads: On how many the local engine adds up, beside those that read and call models; by default
            what `BENISON_THREADS` says, else 1; 0 is one for each core that this process may use, 8 at
            most. It changes no value but by the rounding of sums.
        trust_pickle: Allow models whose loading runs code that the file holds.
        trust_ops: Allow graphs of TensorFlow that read or write files, or run Python.
        module_path: A folder in which modules are looked for after `sys.path`: those that pickled models
            import, and those of metrics that the config names. Naming one imports it, which runs its code.
        extractors: In place of `default_extractors(config)`.
        evaluators: Beside the metrics, whose evaluator is in `default_evaluators(config)` and is added
            where it is not among them; their output keys reach the writers.
        writers: In place of `default_writers()`.
        tfma: Write TFMA's files too, for `tfma.load_eval_result` and its views.
        metadata: Where to record data, models and verdict: the URL of an ML Metadata store, as
            `sqlite:///metadata.db` or `mysql://user@host/database`, or a Recorder of your own.
        pipeline: The pipeline in whose history it is recorded, where its resolvers look.
        run: The id of this run in it, one that is stable when a host retries; None makes one. The same
            run again completes what is missing and doubles nothing.
        task: The task of the run, where a run has several evaluations.
        map_index: Which of the instances of a mapped task this is.
        mounts: Addresses and where they are mounted here, as {"gs://": "/gcs/"}: what is below is recorded
            by its address, by which the latest blessed model is found on other machines.
        registry: The registry of models whose alias shall stand at the blessed version, such as
            `mlflow:http://host:5000`, of the model `models:/NAME/VERSION`; or a Registry of your own. Its
            failure changes no verdict, and is in the result's `unannounced`.
        revocations: Models that must not be blessed, as `benison.lineage.Revocation`, where the host keeps
            them and not `metadata`, which knows its own.
        examples_per_slice: In place of `options.examples_per_slice`: how many rows of each failed slice are
            kept in `analysis/` and shown in the report, read in a second pass over the same data: those
            with the largest error or, where a change from the baseline failed, those whose error grew most.
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
    chosen, announcer, lanes = _writers(writers, tfma), Announcer(registry), threads_of(threads)
    key = {"pipeline": pipeline, "run": run, "task": task, "map_index": map_index}
    recording = Recording.open(metadata, key, output, mounts)
    check_output(recording, output, overwrite)
    workers = Workers(engine, engine_options)
    with announcer.fetching(), modules.importable(module_path) as folder, workers:
        model = announcer.checked(model)
        baseline_path = recording.baseline(pin(baseline))
        # A baseline that was looked for and is not there yet leaves none, whatever the config says.
        has_baseline = None if baseline is None else baseline_path is not None
        request = Request(
            config,
            has_baseline,
            model,
            baseline_path,
            examples,
            format,
            called=extractors is not None,  # which may bring predictions from anywhere
            module_path=folder,
            examples_per_slice=examples_per_slice,
        )
        resolved = resolve(request)
        started, paths = time.monotonic(), resolved.paths
        _check_portable(paths, engine, recording)
        edges = quantile_edges(resolved.plan, resolved.data, workers)
        plan, scanned = completed(resolved.plan, edges), time.monotonic() - started
        plan, weak = _weak_slice_stages(plan, resolved.data, workers)
        probes = probe_evaluators(plan, resolved.data, paths)
        summaries = _evaluators(plan, [*weak, *probes, *evaluators])
        check_outputs(summaries)
        with local_copies(paths) as copies:
            called = copies if workers.are_local else paths  # other machines copy them themselves
            stages = list(extractors or extractors_of(plan, called, trust_pickle, trust_ops))
            stages = [with_known_edges(stage, edges) for stage in stages]
            check_order(summaries, stages)
            check_engine(engine, [*stages, *summaries])
            job = Job(plan, resolved.data, paths, copies, stages, summaries, overwrite, progress)
            _complete(job, resolved, lanes, scanned if edges else None, revocations)
            evaluate = functools.partial(job.run, workers, output, chosen)
            return announcer.tell(recording.keep(job, output, evaluate), recording)


def _complete(
    job: Job,
    resolved: Resolved,
    threads: int,
    scanned: float | None,
    revocations: Sequence[Revocation],
) -> None:
    """Give a job what is known beside its stages; `scanned` are the seconds that quantiles took, if any."""
    words = (*resolved.words, *suggested_key(job.config, resolved.dataset))
    job.user_metrics, job.words, job.threads = resolved.metrics, words, threads
    if job.config.options.examples_per_slice:
        from benison.evaluation.slice_examples import with_slice_examples

        job.after = with_slice_examples
    job.revocation = functools.partial(revocation_of, job, revocations)
    if scanned is not None:
        job.seconds["quantiles"] = round(scanned, 3)


def _check_portable(paths: Mapping[str, str], engine: str, recording: Recording) -> None:
    """Refuse a model in memory where another machine or another day would need it."""
    held = next((path for path in paths.values() if isinstance(path, InMemory)), None)
    if held and (engine != "local" or recording.key is not None):
        why = "is recorded as a run" if engine == "local" else "runs in other processes"
        raise ConfigError(
            f"The model is {held}, and an evaluation that {why} needs one that can be loaded again. Save "
            "it and give its path."
        )


# The modules of what few runs ask for are imported by those, because they would delay the start of all.
def _weak_slice_stages(
    plan: Plan, dataset: Dataset, workers: Workers
) -> tuple[Plan, Sequence[Evaluator]]:
    """What looks for weak slices, and the plan with the bins that are searched."""
    if plan.config.weak_slices is None:
        return plan, []
    from benison.evaluation.weak_slice_search import weak_slice_stages

    return weak_slice_stages(plan, dataset, workers)


def _evaluators(
    plan: Plan, asked: Sequence[Evaluator | RowEvaluator]
) -> list[Evaluator | RowEvaluator]:
    """The default evaluators, by the plan that was checked, and those of the user's own."""
    defaults = evaluators_of(plan)
    others = [e for e in asked if not isinstance(e, tuple(map(type, defaults)))]
    is_private = (plan.config.options.min_slice_size or 1) > 1
    if is_private and any(isinstance(e, AnalysisEvaluator) for e in others):
        raise ConfigError(f"Rows cannot be written: {HIDES_SLICES}")
    return [*defaults, *others]


def _writers(writers: Sequence[Writer] | None, tfma: bool) -> list[Writer]:
    """What writes the output; made before any work, because one may lack what it needs."""
    chosen = default_writers() if writers is None else [*writers]
    if tfma:
        from benison.tfma import TfmaWriter

        chosen.append(TfmaWriter())
    return chosen
