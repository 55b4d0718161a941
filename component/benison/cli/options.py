# SPDX-License-Identifier: Apache-2.0
"""Options, exit codes and output that the subcommands share."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console

from benison import terminal
from benison.cli.exit_codes import WRONG
from benison.errors import AGAIN, BenisonError, NothingYetError, is_away
from benison.report import github
from benison.results.result import EvalResult
from benison.terminal.probe_table import probes
from benison.terminal.weak_slice_table import weak_slices
from benison.validation.terms import RUBBER_STAMPED

_NO_THRESHOLDS = (
    "A gate passes what a threshold has passed. Give a metric of the config one, such as\n"
    "  threshold: {value_threshold: {lower_bound: 0.8}}"
)

Format = Annotated[
    str | None,
    typer.Option(
        help="Format of the data when its names do not tell: parquet, csv, jsonl, arrow, orc, avro, scores, "
        "tfrecord."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")]
Junit = Annotated[
    str | None,
    typer.Option(help="A JUnit file to write, in which each check is a test case."),
]
Summary = Annotated[
    str | None,
    typer.Option(
        help="A Markdown file to write, fit for a CI's summary of a step; what is in it already is kept."
    ),
]
Registry = Annotated[
    str | None,
    typer.Option(
        envvar="BENISON_REGISTRY",
        help="The registry whose alias shall stand at the blessed version: mlflow:http://host:5000; with "
        "?alias=NAME another than `blessed`, with ?log=true metrics and report beside the model.",
    ),
]
ModulePath = Annotated[
    str | None,
    typer.Option(
        "--module-path",
        help="Folder with modules that pickled models import, and those of metrics that the config names; "
        "it runs their code.",
    ),
]
TrustPickle = Annotated[
    bool,
    typer.Option("--trust-pickle", help="Load pickled models, which runs code that they hold."),
]
TrustOps = Annotated[
    bool,
    typer.Option(
        "--trust-ops", help="Run graphs of TensorFlow that read or write files, or run Python."
    ),
]
METADATA = typer.Option(
    envvar="BENISON_METADATA",
    help="The metadata store: sqlite:///metadata.db, with ?create=true if it is to be made; "
    "mysql://user@host/db with its password in BENISON_METADATA_PASSWORD; grpc://host:8080; or "
    "sql+postgresql://user@host/db.",
    show_default=False,
)
PIPELINE = typer.Option(
    envvar="BENISON_PIPELINE",
    help="The pipeline in whose history it is recorded.",
    show_default=False,
)
OfPipeline = Annotated[
    str | None, typer.Option("--pipeline", help="Refuse what is not of this pipeline.")
]
Output = Annotated[
    str, typer.Argument(help="The output directory of an evaluation.", show_default=False)
]


def print_result(result: EvalResult, as_json: bool, gate: bool = False) -> None:
    """Print the verdict and where the results are.

    Args:
        result: What was evaluated.
        as_json: As one document for machines.
        gate: Whether the exit code says it too; without thresholds it is explained.
    """
    if as_json:
        print(json.dumps(result_document(result)))
        return
    terminal.verdict(result)
    weak_slices(result)
    probes(result)
    if gate and not result.verdict.total:
        print(_NO_THRESHOLDS)
    print(locations(result))
    stamped = result.verdict.counts[RUBBER_STAMPED]
    if stamped and stamped == result.verdict.total:
        typer.echo(_all_stamped(stamped), err=True)
    if result.unannounced:
        _print_error(result.unannounced, as_json=False)


def _all_stamped(checks: int) -> str:
    """That a blessing without a baseline says nothing, and what would make it say something."""
    if checks == 1:
        return "! No baseline was given, so the change was not judged. Give --baseline to judge it."
    return (
        f"! No baseline was given, so none of {checks:,} changes was judged. "
        "Give --baseline to judge them."
    )


def result_document(result: EvalResult) -> dict[str, Any]:
    """A result for machines."""
    verdict = result.verdict.to_dict()
    failed = {"unannounced": result.unannounced} if result.unannounced else {}
    rows = result.manifest["rows"]
    return {"output": str(result.path), "verdict": verdict, "rows": rows, **failed}


def locations(result: EvalResult) -> str:
    """Where the results are."""
    report = None if result.path is None else result.path / "report.html"
    return f"Results: {result.path}   Report: {report}"


@contextmanager
def errors(as_json: bool) -> Iterator[None]:
    """Print a BenisonError as a sentence, without a traceback, and exit with 2, or 75 if it may pass."""
    try:
        yield
    except BenisonError as error:
        more = {"nothing_yet": True} if isinstance(error, NothingYetError) else {}
        _print_error(str(error), as_json, **more)
        raise typer.Exit(AGAIN if is_away(error) else WRONG) from error
    except OSError as error:
        if not is_away(error):
            raise
        _print_error(f"{error}.", as_json)
        raise typer.Exit(AGAIN) from error
    except UnicodeEncodeError as error:
        if error.reason != "surrogates not allowed":
            raise
        # Bytes on the command line or in a file name that are not UTF-8 arrive as surrogates.
        near = error.object[max(0, error.start - 60) : error.end + 20]
        _print_error(f"{near!r} is not UTF-8, as names of files and slices have to be.", as_json)
        raise typer.Exit(WRONG) from error


def _print_error(text: str, as_json: bool, **more: bool) -> None:
    github.show_error(text)
    if as_json:
        print(json.dumps({"ok": False, "error": text, **more}))
    else:
        Console(stderr=True, soft_wrap=True).print(
            f"[bold red]error[/bold red]: {terminal.plain_lines(text)}"
        )
