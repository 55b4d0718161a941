# SPDX-License-Identifier: Apache-2.0
"""The subcommands that judge: evaluate, gate, check-config, verify."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Annotated, Any

import typer

import benison
from benison import terminal
from benison.cli.exit_codes import NOT_BLESSED
from benison.cli.options import (
    METADATA,
    PIPELINE,
    AsJson,
    Format,
    Junit,
    ModulePath,
    OfPipeline,
    Output,
    Registry,
    Summary,
    TrustOps,
    TrustPickle,
    errors,
    print_result,
)
from benison.cli.publish import To, publish_after
from benison.config import EvalConfig
from benison.errors import BenisonError, ConfigError, OutputError
from benison.evaluation.repeated_units import suggested_key
from benison.evaluation.resolve import UNKNOWN, Request, Resolved, resolve
from benison.evaluation.spec import read_spec
from benison.evaluation.written_runs import check_pipeline, check_recorded
from benison.metrics import modules, names, registered
from benison.models.fetch import readable
from benison.output import blessing
from benison.paths import locate
from benison.report import github
from benison.report.ci import Reports
from benison.results.result import load_result
from benison.sinks import publishing

EVALUATE_HELP = """Evaluate a model on every slice and judge it by the config's thresholds.

[bold]Examples[/bold]

Predictions are in the data already:
  benison evaluate --examples eval.parquet --config eval.yaml --output out

A SavedModel against a baseline, failing the build when it is not blessed:
  benison evaluate --examples 'eval/*.tfrecord.gz' --model new/ --baseline old/ --config eval.yaml \\
      --output out --gate

The same, and files by which a CI shows why; in a step of GitHub Actions annotations and outputs say it too:
  benison evaluate --examples eval.parquet --config eval.yaml --output out \\
      --gate --junit out.xml --summary out.md

Recorded in ML Metadata, against the latest model that was blessed there:
  benison evaluate --examples eval.parquet --model new/ --config eval.yaml --output out \\
      --metadata sqlite:///m.db --pipeline taxi --run 2030-01-31 --baseline latest-blessed

On a cluster of Spark, of Flink, or on a Beam runner:
  benison evaluate --examples s3://b/eval --format parquet --config eval.yaml --output out \\
      --engine spark -- --master=spark://master:7077
  benison evaluate --examples gs://b/eval --format parquet --config eval.yaml --output out \\
      --engine beam -- --runner=DataflowRunner --temp_location=gs://b/tmp

Exit code: 0 blessed, or no --gate; 1 not blessed under --gate; 2 wrong usage, config or data;
3 a fault of Benison's own; 75 a store or service is away.
"""


def evaluate(  # noqa: PLR0913, PLR0917 - one parameter an option
    examples: Annotated[
        list[str] | None,
        typer.Option(
            "--examples",
            "-e",
            help="File, glob, directory or address of evaluation data; repeatable.",
        ),
    ] = None,
    config: Annotated[
        str | None,
        typer.Option("--config", "-c", help="The evaluation config: YAML, JSON or text proto."),
    ] = None,
    output: Annotated[
        str | None, typer.Option("--output", "-o", help="Directory to write, or its address.")
    ] = None,
    spec: Annotated[
        str | None,
        typer.Option(
            envvar="BENISON_SPEC",
            help="benison.evaluate's arguments: a JSON file, or the JSON; an option overrides its field.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", "-m", help="The candidate; leave out when the predictions are in the data."
        ),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline",
            "-b",
            help="The model to compare with; latest-blessed looks it up in --metadata.",
        ),
    ] = None,
    metadata: Annotated[str | None, METADATA] = None,
    pipeline: Annotated[str | None, PIPELINE] = None,
    run: Annotated[
        str | None,
        typer.Option(help="The id of this run, stable over retries; default: a new one."),
    ] = None,
    task: Annotated[
        str | None, typer.Option(help="The task, where a run has several evaluations.")
    ] = None,
    map_index: Annotated[
        int | None, typer.Option(help="Which of the instances of a mapped task this is.")
    ] = None,
    registry: Registry = None,
    format: Format = None,  # noqa: A002 - the field's word
    engine: Annotated[
        str | None,
        typer.Option(help="local, the default, or spark, flink, beam with options after --."),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            envvar="BENISON_THREADS",
            help="Threads to add up on, by default 1; 0 is one for each core of the container.",
        ),
    ] = None,
    gate: Annotated[
        bool, typer.Option("--gate", help="Exit with 1 unless the model is blessed.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the output if it exists.")
    ] = False,
    trust_pickle: TrustPickle = False,
    trust_ops: TrustOps = False,
    module_path: ModulePath = None,
    tfma: Annotated[
        bool,
        typer.Option(
            "--tfma", help="Write TFMA's files too, for tfma.load_eval_result and its views."
        ),
    ] = False,
    examples_per_slice: Annotated[
        int | None,
        typer.Option(
            help="Read the data a second time if slices fail, and keep N rows of each in the output and "
            "its report: those with the largest error or, where a change from the baseline failed, those "
            "whose error grew most. They are data: off by default.",
            metavar="N",
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Print columns, slices, and about how many seconds and megabytes; read no row.",
        ),
    ] = False,
    junit: Junit = None,
    summary: Summary = None,
    publish: To = None,
    as_json: AsJson = False,
    engine_options: Annotated[
        list[str] | None, typer.Argument(help="Options of the engine, after --.")
    ] = None,
) -> None:
    """The command behind EVALUATE_HELP."""
    reports = Reports() if dry_run else Reports(junit, summary, output)
    with errors(as_json), reports.promised(), terminal.progress(quiet=as_json) as progress:
        arguments = read_spec(
            spec or {},
            examples=examples,
            config=config,
            model=model,
            baseline=baseline,
            output=output,
            overwrite=overwrite or None,
            format=format,
            engine=engine,
            engine_options=engine_options or None,
            threads=threads,
            trust_pickle=trust_pickle or None,
            trust_ops=trust_ops or None,
            module_path=module_path,
            tfma=tfma or None,
            metadata=metadata,
            pipeline=pipeline,
            run=run,
            task=task,
            map_index=map_index,
            registry=registry,
            examples_per_slice=examples_per_slice,
        )
        if dry_run:
            return _print_cost(arguments, as_json)
        sinks = publishing.checked(publish or ())
        result = publish_after(benison.evaluate(**arguments, progress=progress), sinks)
        reports.write(result, gate)
        github.show(result, gate)
    print_result(result, as_json, gate)
    raise typer.Exit(NOT_BLESSED if gate and not result.verdict.blessed else 0)


def _print_cost(arguments: Mapping[str, Any], as_json: bool) -> None:
    """Print what an evaluation would cost."""
    from benison.evaluation.estimate import estimate

    cost = estimate(arguments)
    if as_json:
        print(json.dumps(dataclasses.asdict(cost)))
    else:
        print(*cost.sentences(), sep="\n")


def gate(
    output: Output, junit: Junit = None, summary: Summary = None, as_json: AsJson = False
) -> None:
    """Report a finished evaluation as `evaluate --gate` does: by exit code and files for a CI.

    [bold]Example[/bold]:  benison gate out --junit out.xml --summary out.md
    """
    reports = Reports(junit, summary)
    with errors(as_json), reports.promised():
        result = load_result(output)
        reports.write(result, gate=True)
        github.show(result, gate=True)
    print_result(result, as_json, gate=True)
    raise typer.Exit(0 if result.verdict.blessed else NOT_BLESSED)


def check(
    configs: Annotated[
        list[str],
        typer.Argument(metavar="config", help="The evaluation configs.", show_default=False),
    ],
    examples: Annotated[
        list[str] | None,
        typer.Option("--examples", "-e", help="Also check it against the columns of these data."),
    ] = None,
    format: Format = None,  # noqa: A002 - the field's word
    with_model: Annotated[
        bool, typer.Option("--with-model", help="The predictions will come from a model.")
    ] = False,
    module_path: ModulePath = None,
    as_json: AsJson = False,
) -> None:
    """Find every fault of a config, or of several, without reading the data.

    Where thresholds ask for evidence and --examples are given, rows of slices are counted, and gates named
    that these are too small for.

    [bold]Example[/bold]:  benison check-config eval.yaml --examples eval.parquet
    """
    with errors(as_json), modules.importable(module_path) as folder:
        asked = Request("", called=with_model, examples=examples or UNKNOWN, format=format)
        request = dataclasses.replace(asked, module_path=folder)
        checked = _checked(configs, request)
    if as_json:
        documents = [{"ok": True, **document} for document in checked.values()]
        print(json.dumps(documents[0] if len(documents) == 1 else documents))
        return
    for config, document in checked.items():
        print(*document["notes"], sep="\n", end="\n" if document["notes"] else "")
        counts = f"{document['metrics']} metrics, {document['slicing_specs']} slicing specs"
        print(f"{config} is in order: {counts}.")


def _checked(configs: Sequence[str], request: Request) -> dict[str, dict[str, Any]]:
    """What there is to say of each config.

    Raises:
        BenisonError: The config has faults, or what it is checked against cannot be read.
        ConfigError: Of several configs some have faults; these are all of them.
    """
    checked: dict[str, dict[str, Any]] = {}
    faults: list[str] = []
    for config in configs:
        try:
            checked[config] = _described(dataclasses.replace(request, config=config))
        except BenisonError as error:
            if len(configs) == 1:
                raise
            faults += [f"{config}:", *(f"  {line}" for line in str(error).splitlines())]
    if faults:
        raise ConfigError([("", line) for line in faults])
    return checked


def _described(request: Request) -> dict[str, Any]:
    resolved = resolve(request)
    return {
        "metrics": len({c.metric.name for c in resolved.plan.computations if c.shown}),
        "slicing_specs": len(resolved.plan.config.slicing_specs),
        "digest": EvalConfig.load(request.config).digest(),
        "notes": [
            *resolved.words,
            *suggested_key(resolved.plan.config, resolved.dataset),
            *_gate_notes(resolved, request),
        ],
    }


def _gate_notes(resolved: Resolved, request: Request) -> list[str]:
    """What slices of the data are too small for, where they are known and thresholds ask for evidence."""
    if resolved.dataset is None or not any(
        spec.needs_evidence for spec in resolved.plan.config.metrics_specs
    ):
        return []
    from benison.evaluation.gate_plans import gate_notes

    return gate_notes(resolved.plan, request.examples, request.format)


def schema() -> None:
    """Print the JSON schema of a config, with the names of all metrics, for editors and other tools.

    [bold]Example[/bold]:  benison schema > eval.schema.json
    """
    from benison.metrics.groups import GROUPS

    names_known = {*registered(), *GROUPS, *modules.offered(), *names.ALIASES}
    print(json.dumps(EvalConfig.json_schema(names_known), indent=2))


def verify(
    output: Output,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            help="The model that is about to be served; default: where the evaluated one was.",
        ),
    ] = None,
    examples: Annotated[
        list[str] | None,
        typer.Option(
            "--examples", "-e", help="The data, to be compared with those that were evaluated."
        ),
    ] = None,
    # No variable stands for these two: what is not asked for by name is not asked.
    metadata: Annotated[
        str | None,
        typer.Option(
            help="The metadata store that must have recorded it, and not revoked it since."
        ),
    ] = None,
    pipeline: OfPipeline = None,
    as_json: AsJson = False,
) -> None:
    """Check that an output, the model it judged, and the data if named, are byte for byte as they were.

    Exit code 0 when nothing differs and the model is blessed, 1 when it is not blessed, 2 when
    something differs or is not recorded in --metadata, 75 when a store is away.

    [bold]Example[/bold]:  benison verify out --model serving/1700000000 --examples eval.parquet
    """
    with errors(as_json):
        with nullcontext() if model is None else readable(model) as served:
            manifest = blessing.verify(locate(output, OutputError), served, examples or ())
        verdict, note = _standing(output, metadata, pipeline) or (manifest["verdict"], "")
    if as_json:
        compared = {"data": "unchanged" if examples else "not compared"}
        print(json.dumps({"ok": True, "verdict": verdict, "note": note, **compared}))
    else:
        why = f" ({note})" if note else ""
        print(f"{output} is whole and unchanged. Verdict: {verdict.replace('_', ' ')}{why}.")
        if not examples:
            print("The data were not compared; name them with --examples.")
    raise typer.Exit(0 if verdict == "blessed" else NOT_BLESSED)


def _standing(output: str, metadata: str | None, pipeline: str | None) -> tuple[str, str] | None:
    """The verdict as a store has it now, and why; None without a store.

    Raises:
        BenisonError: It is not recorded there, or is of another pipeline.
    """
    if metadata is not None:
        recorded = check_recorded(output, metadata, pipeline)
        return recorded.status, recorded.note
    if pipeline is not None:
        check_pipeline(output, pipeline)
    return None
