# SPDX-License-Identifier: Apache-2.0
"""The subcommand that lists the metrics: metrics."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import json
import math
from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.table import Table

from benison.cli.options import AsJson, errors
from benison.errors import ConfigError
from benison.metrics import About, describe, from_config, registered
from benison.metrics.groups import GROUPS
from benison.terminal import console
from benison.testing import example_config

METRICS_HELP = """List the metrics that a config can name: what they are, their ranges and parameters.

[bold]Examples[/bold]

Every metric whose name or description has a word:
  benison metrics --search calibration

All about one:
  benison metrics AUC
"""


@dataclasses.dataclass(frozen=True)
class Entry:
    """What the catalogue says of a metric.

    Attributes:
        name: The `class_name`.
        family: What it has in common with others.
        sentence: What it is.
        formula: The formula as text, "" where the sentence says it.
        required: The parameters without which it cannot be built.
        parameters: The others with their defaults.
        low: The lower end of the range.
        high: The upper end of the range.
        better: "higher", "lower", or "" where neither end is good.
        needs: What the data and the config must have for it.
    """

    name: str
    family: str
    sentence: str
    formula: str
    required: tuple[str, ...]
    parameters: dict[str, Any]
    low: float
    high: float
    better: str
    needs: tuple[str, ...]

    @classmethod
    def of(cls, name: str) -> Entry:
        """The entry of a registered metric.

        Raises:
            ConfigError: No metric is registered under the name; the message suggests one.

        >>> Entry.of("Recall").range, Entry.of("Recall").better, Entry.of("Recall").family
        ('0 to 1', 'higher', 'confusion')
        """
        about = About.of(GROUPS[name]) if name in GROUPS else describe(name)
        factory = known()[name]
        better = {True: "higher", False: "lower", None: ""}[about.higher_is_better]
        parameters = inspect.signature(factory).parameters.values()
        required = tuple(p.name for p in parameters if p.default is p.empty)
        defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
        family, needs = family_of(factory), _needs(name)
        return cls(
            name,
            family,
            about.sentence,
            about.formula,
            required,
            defaults,
            about.low,
            about.high,
            better,
            needs,
        )

    @property
    def range(self) -> str:
        """The range in words."""
        low, high = (f"{bound:g}" for bound in (self.low, self.high))
        if math.isfinite(self.low):
            return f"{low} to {high}" if math.isfinite(self.high) else f"{low} and up"
        return f"up to {high}" if math.isfinite(self.high) else "any"

    def parameter_texts(self) -> dict[str, str]:
        """The default of each parameter as a config writes it, or that it is required."""
        defaults = {name: json.dumps(value) for name, value in self.parameters.items()}
        return dict.fromkeys(self.required, "required") | defaults

    def matches(self, word: str) -> bool:
        """Whether the name, the family or the description has the word."""
        return word.casefold() in f"{self.name} {self.family} {self.sentence}".casefold()

    def to_dict(self) -> dict[str, Any]:
        """The entry for machines; an end that a range does not have is null."""
        ends = {
            end: None if math.isinf(x) else x for end, x in (("low", self.low), ("high", self.high))
        }
        return {**dataclasses.asdict(self), **ends, "better": self.better or None}


def known() -> dict[str, Callable[..., Any]]:
    """What makes the metric, or the metrics, of each class name."""
    return {**registered(), **GROUPS}


def family_of(factory: Callable[..., Any]) -> str:
    """The family of a metric's factory: the name of its module, in words."""
    module = inspect.getmodule(documented(factory))
    return module.__name__.rpartition(".")[2].replace("_", " ") if module else "other"


def documented(factory: Callable[..., Any]) -> Any:
    """The class or function behind a factory that has some of its arguments already."""
    return getattr(factory, "func", factory)


def _needs(name: str) -> tuple[str, ...]:
    if name in GROUPS:
        members = GROUPS[name](**example_config(name))
        return tuple(dict.fromkeys(n for each, _ in members for n in _needs(each)))
    metric = from_config(name, example_config(name))
    kinds = "labels and predictions: " + " or ".join(sorted(metric.accepts))
    return tuple(
        text
        for text, wanted in (
            (kinds, metric.needs_label or metric.needs_prediction),
            ("query_key", metric.needs_groups),
            ("a baseline", metric.needs_baseline),
            ("no example weights", not metric.takes_weights),
        )
        if wanted
    )


def metrics(
    name: Annotated[
        str | None, typer.Argument(help="The metric to say all about.", show_default=False)
    ] = None,
    search: Annotated[
        str, typer.Option(help="Only metrics with this word in name, family or description.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """The command behind METRICS_HELP."""
    with errors(as_json):
        names = [name] if name is not None else sorted(known())
        entries = [entry for entry in map(Entry.of, names) if entry.matches(search)]
        if not entries:
            raise ConfigError(f"No metric has {search!r} in its name, family or description.")
    if as_json:
        print(json.dumps({"metrics": [entry.to_dict() for entry in entries]}))
    elif name is not None:
        _print_entry(entries[0])
    else:
        _print_table(entries)


def _print_table(entries: list[Entry]) -> None:
    table = Table("metric", "family", "range", "better", "what it is")
    for entry in entries:
        table.add_row(entry.name, entry.family, entry.range, entry.better, entry.sentence)
    console().print(table)
    print("benison metrics NAME says all about one.")


def _print_entry(entry: Entry) -> None:
    factory = known()[entry.name]
    text = entry.sentence if isinstance(factory, functools.partial) else inspect.getdoc(factory)
    print(f"{entry.name} ({entry.family})\n\n{text or entry.sentence}")
    if entry.formula and isinstance(factory, functools.partial):
        print(f"\n    {entry.formula}")
    better = f", {entry.better} is better" if entry.better else ""
    print(f"\nRange: {entry.range}{better}")
    for parameter, default in entry.parameter_texts().items():
        print(f"Parameter: {parameter} ({default})")
    for need in entry.needs:
        print(f"Needs: {need}")
