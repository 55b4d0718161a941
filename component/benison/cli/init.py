# SPDX-License-Identifier: Apache-2.0
"""The subcommand that writes a first config: init."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from benison.cli.late_commands import GIVEN
from benison.cli.options import AsJson, Format, errors
from benison.config import EvalConfig
from benison.config.yaml_text import parse
from benison.data.dataset import Dataset
from benison.errors import BenisonError, ConfigError, OutputError, suggestion, visible
from benison.evaluation.column_facts import FIRST_ROWS, facts_of_columns
from benison.evaluation.first_config import first_config, judged_in, words
from benison.evaluation.first_guess import Columns, Guess, guess
from benison.evaluation.resolve import Request, resolve
from benison.paths import locate, write_whole
from benison.results.result import EvalResult, load_result

_ABOUT_MODEL = "MODEL is a file, a folder or an address."
_ABOUT_BASELINE = "--baseline OLD_MODEL compares it with another."
_ABOUT_PICKLES = """Pickles (.joblib, .pkl) also need
--trust-pickle, because loading one runs what is in it."""

INIT_HELP = """Write a first config for some data: what is predicted, by which metrics, on which slices.

What is guessed of the data is printed with its reason, and stands in the config.

[bold]Examples[/bold]

From a file to a verdict:
  benison init eval.parquet
  benison evaluate --examples eval.parquet --config eval.yaml --output out

With two models, which are pickles that you trust:
  benison init eval.parquet --label tipped --baseline old.joblib
  benison evaluate -e eval.parquet -c eval.yaml -m new.joblib --baseline old.joblib --trust-pickle -o out

With the columns named, and thresholds by what an earlier evaluation reached:
  benison init eval.parquet --label tipped --prediction score --baseline last-week/out
"""


def init(  # noqa: PLR0913, PLR0917 - one parameter an option
    context: typer.Context,
    examples: Annotated[
        list[str], typer.Argument(metavar="DATA", help="The evaluation data.", show_default=False)
    ],
    output: Annotated[
        str, typer.Option("--output", "-o", help="The YAML file to write; - is standard output.")
    ] = "eval.yaml",
    label: Annotated[str, typer.Option(help="The column of the labels.")] = "",
    prediction: Annotated[str, typer.Option(help="The column of the predictions.")] = "",
    baseline: Annotated[
        str,
        typer.Option(
            help="What to compare with: the column of a baseline's predictions; or a model, which evaluate "
            "gets too; or the output of an earlier evaluation, whose values become thresholds."
        ),
    ] = "",
    format: Format = None,  # noqa: A002 - the field's word
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the file if it exists.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """The command behind INIT_HELP."""
    with errors(as_json):
        _check_output(output, overwrite)
        dataset = Dataset.open(examples, format)
        columns = facts_of_columns(dataset)
        is_column = baseline in columns
        old_model = baseline if not is_column and _is_model(baseline) else ""
        result = _earlier(baseline, columns) if baseline and not (is_column or old_model) else None
        made = guess(columns, label, prediction, baseline if is_column else "")
        _check_callable(made, old_model)
        command = shlex.join(["benison", *context.meta[GIVEN]])
        text = first_config(columns, made, command, result, dataset.num_rows, old_model)
        resolve(Request(EvalConfig.load(parse(text)), examples=examples, format=format,
                        called=not made.prediction))  # fmt: skip
        if output == "-":
            print(text, end="")
        else:
            _write(output, text)
    guessed = {**dict(words(made, columns)), **_thresholds(made, result)}
    if old_model:
        guessed["baseline"] = (
            f"{visible(old_model)}: a model; the config holds changes against it, and evaluate calls it"
        )
    _print(guessed, _next(made, examples, output, (baseline, old_model)), output, as_json)


def _check_output(output: str, overwrite: bool) -> None:
    """Refuse what cannot be written, before the data are read."""
    if output == "-":
        return
    location = locate(output, OutputError)
    if location.suffix.lower() not in (".yaml", ".yml"):
        raise OutputError(
            f"{output} does not end in .yaml, and the config is YAML, which has remarks. Write eval.yaml; "
            "benison convert makes JSON of it."
        )
    if isinstance(location, Path) and not location.parent.is_dir():
        raise OutputError(f"There is no folder {location.parent} to write {location.name} into.")
    if not overwrite and location.exists():
        raise OutputError(f"{output} exists. Say --overwrite to replace it, or another --output.")


def _check_callable(made: Guess, old_model: str) -> None:
    """Refuse a model beside predictions, as both models are called or none is."""
    if old_model and made.prediction:
        raise ConfigError(
            f"{visible(old_model)} is no column, and {visible(made.prediction)} holds the candidate's "
            "predictions: both models are called, or both have a column. Name the column of the baseline's "
            "predictions, or give data without any."
        )


def _is_model(path: str) -> bool:
    """Whether something is there that is no output of an evaluation."""
    try:
        there = locate(path, OutputError) if path else None
        return there is not None and there.exists() and not _is_output(there)
    except BenisonError:
        return False


def _is_output(folder: Any) -> bool:
    """Whether a folder is the output of an evaluation, or was meant to be one."""
    return any((folder / name).exists() for name in ("verdict.json", "manifest.json"))


def _earlier(path: str, columns: Columns) -> EvalResult:
    """A result whose values may become thresholds."""
    try:
        result = load_result(path)
    except OutputError as error:
        raise ConfigError(
            f"{visible(path)} is no column, nor the output of an evaluation. {suggestion(path, columns)} "
            f"{error} Nor is there a model of that name to compare with."
        ) from error
    if result.verdict.status == "not_blessed":
        raise ConfigError(
            f"The model of {path} was not blessed, and thresholds from its values would bless as bad a one. "
            "Give the output of a model that was, or none."
        )
    return result


def _write(output: str, text: str) -> None:
    try:
        write_whole(locate(output, OutputError), text.encode())
    except OSError as error:
        raise OutputError(f"{output} cannot be written: {error.strerror or error}.") from error


def _thresholds(made: Guess, result: EvalResult | None) -> dict[str, str]:
    """A word where an earlier result was given and nothing could be taken from it."""
    if result is None or judged_in(made, result):
        return {}
    path = visible(str(result.path))
    return {"thresholds": f"none from {path}, which has no value of what this task is judged by"}


def _print(guessed: dict[str, str], next_steps: str, output: str, as_json: bool) -> None:
    to_stderr = output == "-"
    if as_json and not to_stderr:
        print(json.dumps({"ok": True, "output": output, **guessed}))
        return
    lines = [f"Guessed from the columns and the first {FIRST_ROWS:,} rows:"]
    lines += [f"  {role:<11}{sentence}" for role, sentence in guessed.items()]
    lines += ["Another column: --label, --prediction, --baseline."]
    typer.echo("\n".join(lines), err=to_stderr)
    if not to_stderr:
        print(next_steps)


def _next(made: Guess, examples: list[str], output: str, baselines: tuple[str, str]) -> str:
    """The commands that come next, to copy; of the baselines the first was given, the second is a model."""
    given, old_model = baselines
    data = " ".join(f"--examples {shlex.quote(path)}" for path in examples)
    config = shlex.quote(output)
    check = "" if made.prediction else " --with-model"
    model = "" if made.prediction else " --model MODEL"
    model += f" --baseline {shlex.quote(old_model)}" if old_model else ""
    about = [_ABOUT_MODEL, *([] if given else [_ABOUT_BASELINE]), _ABOUT_PICKLES]
    out = "out" if not Path("out").exists() else "NEW_FOLDER"
    return (
        f"Wrote {output}. Next:\n"
        f"  benison check-config {config} {data}{check}\n"
        f"  benison evaluate {data}{model} --config {config} --output {out}\n"
        f"  benison show {out}" + ("" if made.prediction else "\n" + " ".join(about))
    )
