# SPDX-License-Identifier: Apache-2.0
"""This file is the command `benison`: evaluate, show, check-config, verify."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

import benison
from benison import blessing, terminal
from benison.config import EvalConfig
from benison.engine.check import check_config
from benison.engine.read import Dataset
from benison.errors import BenisonError
from benison.results import EvalResult, load_result

app = typer.Typer(
    name="benison",
    help="The step between trained and served: every metric on every slice, and a blessing that says why.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)

NOT_BLESSED, WRONG = 1, 2  # exit codes; 0 is blessed, or no gate asked

EVALUATE_HELP = """Evaluate a model on every slice and judge it by the config's thresholds.

[bold]Examples[/bold]

Predictions are in the data already:
  benison evaluate --examples eval.parquet --config eval.yaml --output out

A SavedModel against a baseline, failing the build when it is not blessed:
  benison evaluate --examples 'eval/*.tfrecord.gz' --model new/ --baseline old/ --config eval.yaml \\
      --output out --gate

On a Beam runner:
  benison evaluate --examples gs://b/eval --format parquet --config eval.yaml --output out \\
      --engine beam -- --runner=DataflowRunner --temp_location=gs://b/tmp

Exit code: 0 blessed, or no --gate; 1 not blessed under --gate; 2 wrong usage, config or data.
"""

Examples = Annotated[
    list[str],
    typer.Option(
        "--examples",
        "-e",
        help="File, glob or directory of evaluation data; repeatable.",
        show_default=False,
    ),
]
ConfigPath = Annotated[
    Path,
    typer.Option(
        "--config",
        "-c",
        help="The evaluation config: YAML, JSON or text proto.",
        show_default=False,
    ),
]
Format = Annotated[
    str | None,
    typer.Option(
        help="Format of the data when its names do not tell: parquet, csv, jsonl, arrow, tfrecord."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")]
Output = Annotated[
    Path, typer.Argument(help="The output directory of an evaluation.", show_default=False)
]


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        print(f"benison {benison.__version__}")
        raise typer.Exit


@app.command(help=EVALUATE_HELP)
def evaluate(  # noqa: PLR0913, PLR0917 - one parameter an option
    examples: Examples,
    config: ConfigPath,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Directory to write.", show_default=False)
    ],
    model: Annotated[
        Path | None,
        typer.Option(
            "--model", "-m", help="The candidate; leave out when the predictions are in the data."
        ),
    ] = None,
    baseline: Annotated[
        Path | None, typer.Option("--baseline", "-b", help="The model to compare with.")
    ] = None,
    format: Format = None,  # noqa: A002 - the field's word
    engine: Annotated[
        str, typer.Option(help="local, or beam with Beam's options after --.")
    ] = "local",
    gate: Annotated[
        bool, typer.Option("--gate", help="Exit with 1 unless the model is blessed.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the output if it exists.")
    ] = False,
    trust_pickle: Annotated[
        bool,
        typer.Option("--trust-pickle", help="Load pickled models, which runs code that they hold."),
    ] = False,
    as_json: AsJson = False,
    beam_options: Annotated[
        list[str] | None, typer.Argument(help="Beam's pipeline options, after --.")
    ] = None,
) -> None:
    """The command behind EVALUATE_HELP."""
    with _errors(as_json), terminal.progress(quiet=as_json) as progress:
        result = benison.evaluate(
            examples,
            config,
            model=model,
            baseline=baseline,
            output=output,
            overwrite=overwrite,
            format=format,
            engine=engine,
            beam_options=beam_options or (),
            trust_pickle=trust_pickle,
            progress=progress,
        )
    _report(result, as_json)
    raise typer.Exit(NOT_BLESSED if gate and not result.verdict.blessed else 0)


@app.command()
def show(
    output: Output,
    metric: Annotated[list[str] | None, typer.Option(help="Metrics to show; repeatable.")] = None,
    worst: Annotated[
        int, typer.Option(help="How many of the worst slices to show for each metric.")
    ] = 5,
    as_json: AsJson = False,
) -> None:
    """Print the verdict, its reasons, and the worst slices of each metric.

    [bold]Example[/bold]:  benison show out --metric auc --worst 10
    """
    with _errors(as_json):
        result = load_result(output)
        if not as_json:
            terminal.show(result, metric or [], worst)
    if as_json:
        _report(result, as_json)


@app.command("check-config")
def check(
    config: Annotated[Path, typer.Argument(help="The evaluation config.", show_default=False)],
    examples: Annotated[
        list[str] | None,
        typer.Option("--examples", "-e", help="Also check it against the columns of these data."),
    ] = None,
    format: Format = None,  # noqa: A002 - the field's word
    with_model: Annotated[
        bool, typer.Option("--with-model", help="The predictions will come from a model.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Find every fault of a config, without reading the data.

    [bold]Example[/bold]:  benison check-config eval.yaml --examples eval.parquet
    """
    with _errors(as_json):
        loaded = EvalConfig.load(config)
        full = loaded.with_defaults(has_baseline=loaded.baseline_spec is not None)
        columns = Dataset.open(examples, format).schema.names if examples else None
        called = [spec.name for spec in full.model_specs] if with_model else []
        plan = check_config(full, columns, called)
    metrics = len({c.metric.name for c in plan.computations})
    if as_json:
        print(json.dumps({"ok": True, "metrics": metrics, "digest": loaded.digest()}))
    else:
        print(f"{config} is in order: {metrics} metrics, {len(full.slicing_specs)} slicing specs.")


@app.command()
def verify(
    output: Output,
    model: Annotated[
        Path | None,
        typer.Option(
            "--model",
            "-m",
            help="The model that is about to be served; default: where the evaluated one was.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check that an output, and the model it judged, are byte for byte as they were.

    Exit code 0 when nothing differs and the model is blessed, 1 when it is not blessed, 2 when
    something differs.

    [bold]Example[/bold]:  benison verify out --model serving/1700000000
    """
    with _errors(as_json):
        manifest = blessing.verify(output, model)
    if as_json:
        print(json.dumps({"ok": True, "verdict": manifest["verdict"]}))
    else:
        print(f"{output} is whole and unchanged. Verdict: {manifest['verdict'].replace('_', ' ')}.")
    raise typer.Exit(0 if manifest["verdict"] == "blessed" else NOT_BLESSED)


def _report(result: EvalResult, as_json: bool) -> None:
    if as_json:
        verdict = result.verdict.to_dict()
        print(
            json.dumps(
                {"output": str(result.path), "verdict": verdict, "rows": result.manifest["rows"]}
            )
        )
        return
    terminal.verdict(result)
    print(f"Results: {result.path}   Report: {result.path}/report.html")


@contextmanager
def _errors(as_json: bool) -> Iterator[None]:
    """A fault of usage, config, data or model is a sentence and exit code 2, never a traceback."""
    try:
        yield
    except BenisonError as error:
        if as_json:
            print(json.dumps({"ok": False, "error": str(error)}))
        else:
            Console(stderr=True, soft_wrap=True).print(
                f"[bold red]error[/bold red]: {_escaped(str(error))}"
            )
        raise typer.Exit(WRONG) from error


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def main() -> None:
    """Run the command."""
    terminal.own_the_log()
    app()
