# SPDX-License-Identifier: Apache-2.0
"""The subcommand that watches results over time: monitor."""

from __future__ import annotations

import dataclasses
import glob
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated

import typer
from rich.table import Table

from benison.cli.exit_codes import NOT_BLESSED
from benison.cli.options import AsJson, ModulePath, TrustOps, TrustPickle, errors
from benison.cli.show import write_page
from benison.config.slicing_specs import PERIODS
from benison.errors import BenisonError, ConfigError, NothingYetError, OutputError
from benison.monitoring import DETECTORS, MonitorReport
from benison.monitoring.column_drift import monitor_columns
from benison.monitoring.drift_links import with_drift
from benison.monitoring.handing_on import publish_alerts, targets_of, write_junit
from benison.monitoring.history_pages import history_page
from benison.monitoring.kinds import E_DETECTOR, HDDDM
from benison.monitoring.replaying import Replayed, compared
from benison.monitoring.streams import evaluated_in_periods
from benison.monitoring.timeline import Timeline
from benison.monitoring.watching import Watch, timeline_of
from benison.paths import locate, matching
from benison.results.result import EvalResult, load_result
from benison.sinks.publishing import Publisher
from benison.table.words import cut_apart
from benison.terminal import console, plain

_LONG = 10_000  # characters of a sentence; it is wrapped, and its numbers are in its middle too

MONITOR_HELP = """Tell which slices have become worse over time, since when and by how much.

RUNS are output directories of evaluations, or patterns of them, such as
"s3://bucket/evaluations/*"; each of them is a bucket of time.
The first that was blessed is what the others are held against. Or one stream
of data is read once, in buckets of a time that it has. An alarm that a change
of another slice explains is not an alert of its own.

[bold]Examples[/bold]

A job that ends with 1 on an alert, after each day's evaluation:
  benison monitor evaluations/* --gate --junit alerts.xml

A page of all metrics and slices over time, with a mark where a change began:
  benison monitor evaluations/* --page history.html

One metric of two slices, in the order in which they are named:
  benison monitor day-1 day-2 day-3 --as-given --metric recall --slice Overall --slice hour=5

The trips of a month by day, against the run that was blessed:
  benison monitor --examples trips.parquet --config eval.yaml --time-key pickup --reference out

Which alarms each threshold of each detector would have given, to choose one:
  benison monitor evaluations/* --replay
"""


def monitor(  # noqa: PLR0913, PLR0917 - one parameter an option
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            help="The output directories of evaluations; one may have slices by periods.",
            show_default=False,
        ),
    ] = None,
    examples: Annotated[
        str | None, typer.Option(help="One stream of data, in place of runs.")
    ] = None,
    config: Annotated[str | None, typer.Option(help="Its config, as evaluate takes it.")] = None,
    time_key: Annotated[str | None, typer.Option(help="The column of its times.")] = None,
    bucket: Annotated[
        str | None, typer.Option(help=f"A period: {', '.join(PERIODS)}. Default: day.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="The model to call; else predictions are in the data.")
    ] = None,
    format_: Annotated[
        str | None, typer.Option("--format", help="Of the data, where names do not tell.")
    ] = None,
    trust_pickle: TrustPickle = False,
    trust_ops: TrustOps = False,
    module_path: ModulePath = None,
    reference: Annotated[
        str | None,
        typer.Option(help="The output of what was blessed; default: the first blessed run."),
    ] = None,
    as_given: Annotated[
        bool, typer.Option("--as-given", help="Keep the order; else by time of evaluation.")
    ] = False,
    detector: Annotated[
        list[str] | None,
        typer.Option(
            help=f"How a change is seen: {', '.join([*DETECTORS, HDDDM])}; several to --replay. "
            f"Default: {E_DETECTOR}.",
            show_default=False,
        ),
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(help="Rates to watch; repeatable. Default: those with thresholds."),
    ] = None,
    slice_: Annotated[
        list[str] | None,
        typer.Option("--slice", help="Slices to watch; repeatable. Default: all."),
    ] = None,
    reference_buckets: Annotated[
        int, typer.Option(min=1, help="How many of the first runs are the reference.")
    ] = 1,
    horizon: Annotated[int, typer.Option(help="In buckets, over which false alarms count.")] = 60,
    false_alarms: Annotated[
        float,
        typer.Option(help="The chance of any false alarm within it, of e-detector, lfr and md3."),
    ] = 0.02,
    threshold: Annotated[
        float | None,
        typer.Option(help="The parameter of ddm, eddm or adwin, where it is not the usual one."),
    ] = None,
    labelled: Annotated[
        float | None,
        typer.Option(
            help="The share of the labels that must be in for a bucket to be judged. Default: 0.9."
        ),
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--column",
            "-c",
            help="A column that hdddm watches; repeatable. Default: numbers and texts, but no ids, times or "
            "counters.",
        ),
    ] = None,
    replay: Annotated[
        bool,
        typer.Option(
            "--replay", help="Say which alarms each threshold of each detector would have given."
        ),
    ] = False,
    gate: Annotated[
        bool, typer.Option("--gate", help="Exit with 1 if there is an alert or an undefined value.")
    ] = False,
    junit: Annotated[
        str | None,
        typer.Option(help="A JUnit file to write, in which each alert is a failed case."),
    ] = None,
    page: Annotated[
        str | None,
        typer.Option("--page", help="An HTML file to write: all over time, with the alerts."),
    ] = None,
    publish: Annotated[
        list[str] | None,
        typer.Option(help="Send alerts: webhook=URL or slack=env:NAME; repeatable."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """The command behind MONITOR_HELP."""
    with errors(as_json):
        outputs = AlertOutputs(junit, page, as_json, gate, targets_of(publish or ()))
        detectors = detector or []
        _refuse_several(detectors, replay)
        if HDDDM in detectors:
            asked = (config, reference, model, threshold, format_, labelled)
            several = (runs, metric, slice_, publish, replay, as_given, page)
            _refuse_of_columns(any(each is not None for each in asked) or any(several))
            data, time = _stream(examples, time_key)
            report = monitor_columns(
                data,
                time_key=time,
                bucket=bucket or "day",
                columns=columns or None,
                reference_buckets=reference_buckets,
                horizon=horizon,
                false_alarms=false_alarms,
            )
            outputs.finish(report)
            return
        is_stream_as_given = as_given and examples is not None
        _refuse_together(replay and outputs.are_asked, is_stream_as_given, bool(columns))
        watch = Watch(
            detectors[0] if len(detectors) == 1 else E_DETECTOR,
            metric or None,
            slice_ or None,
            reference_buckets,
            horizon,
            false_alarms,
            Watch.labelled if labelled is None else labelled,
            threshold,
        )
        first = None if reference is None else load_result(reference)
        timeline = StreamOptions(
            examples, config, time_key, bucket, model, format_, trust_pickle, trust_ops, module_path
        ).timeline(runs or [], as_given, first)
        if replay:
            _print_replay(compared(watch, timeline, detectors), as_json)
            return
        outputs.finish(with_drift(watch.report(timeline), timeline, examples, format_), timeline)


@dataclasses.dataclass(frozen=True)
class AlertOutputs:
    """Where a report goes."""

    junit: str | None
    page: str | None
    as_json: bool
    gate: bool
    sinks: Sequence[Publisher]

    @property
    def are_asked(self) -> bool:
        """Whether it is to go anywhere but to the terminal."""
        return self.gate or self.junit is not None or self.page is not None or bool(self.sinks)

    def finish(self, report: MonitorReport, timeline: Timeline | None = None) -> None:
        """Write, print and publish a report, and under the gate exit with 1 if it does not pass."""
        if self.page is not None and timeline is not None:
            write_page(self.page, history_page(report, timeline))
        if self.junit is not None:
            write_junit(report, self.junit)
        _print(report, self.as_json)
        publish_alerts(report, self.sinks)
        if self.gate and not report.passes:
            raise typer.Exit(NOT_BLESSED)


def _refuse_several(detectors: Sequence[str], is_replay: bool) -> None:
    if len(detectors) > 1 and not is_replay:
        raise ConfigError("One --detector watches; several are compared by --replay.")


def _refuse_of_columns(has_others: bool) -> None:
    if has_others:
        raise ConfigError(
            "hdddm looks at the columns of one stream: give --examples and --time-key, and of the others "
            "--bucket, --column, --reference-buckets, --horizon, --false-alarms, --gate, --junit and --json."
        )


def _refuse_together(
    is_replay_with_alerts: bool, is_stream_as_given: bool, has_columns: bool
) -> None:
    if is_replay_with_alerts:
        raise ConfigError(
            "--replay raises no alerts; leave out --gate, --junit, --page and --publish."
        )
    if is_stream_as_given:
        raise ConfigError("--as-given is of runs; a stream is in the order of its times.")
    if has_columns:
        raise ConfigError("--column is of --detector hdddm; other detectors take --metric.")


def _stream(examples: str | None, time_key: str | None) -> tuple[str, str]:
    """The data of hdddm and their time; raises ConfigError without them."""
    if examples is None or time_key is None:
        raise ConfigError("hdddm needs --examples DATA and --time-key COLUMN.")
    return examples, time_key


@dataclasses.dataclass(frozen=True)
class StreamOptions:
    """The options of one stream of data."""

    examples: str | None
    config: str | None
    time_key: str | None
    bucket: str | None
    model: str | None
    format: str | None
    trust_pickle: bool = False
    trust_ops: bool = False
    module_path: str | None = None

    def timeline(self, runs: list[str], as_given: bool, reference: EvalResult | None) -> Timeline:
        """Of the stream, or of runs.

        Raises:
            ConfigError: Both or none are given, or an option is missing.
        """
        if bool(runs) == (self.examples is not None):
            raise ConfigError("Name runs, or one stream of data with --examples; not both.")
        if self.examples is None:
            if self.bucket is not None or self.config is not None or self.model is not None:
                raise ConfigError(
                    "--bucket, --config and --model are of a stream of data, --examples."
                )
            return timeline_of(
                [load_result(run) for run in _outputs(runs)], as_given, reference, self.time_key
            )
        if self.config is None or self.time_key is None:
            raise ConfigError("A stream of data needs --config eval.yaml and --time-key COLUMN.")
        every = self.bucket or "day"
        result = evaluated_in_periods(
            self.examples,
            self.config,
            self.time_key,
            every,
            model=self.model,
            format=self.format,
            trust_pickle=self.trust_pickle,
            trust_ops=self.trust_ops,
            module_path=self.module_path,
        )
        return Timeline.of_periods(result, self.time_key, reference, every)


def _outputs(runs: Iterable[str]) -> Iterator[str]:
    """The outputs of evaluations that names and patterns mean; of a pattern what is being written is none.

    Raises:
        NothingYetError: A pattern has none.
        OutputError: A store cannot be asked, or what is named is not there.
    """
    for run in runs:
        location = locate(run, OutputError)
        try:
            is_there = location.exists()
            files = [] if is_there else matching(location / "verdict.json")
        except OSError as error:
            raise OutputError(f"{run} cannot be read: {error}.") from error
        if is_there:
            yield run
        elif not files:
            raise _nothing_at(run)
        yield from (str(file.parent) for file in files)


def _nothing_at(run: str) -> BenisonError:
    if glob.has_magic(run):
        return NothingYetError(f"Nothing matches {run}, or nothing of it holds a result.")
    return OutputError(f"There is no result at {run}.")


def _print(report: MonitorReport, as_json: bool) -> None:
    if as_json:
        print(json.dumps(report.to_dict()))
        return
    out, names = console(), cut_apart(report.slices)
    for text in (report.summary, *(alert.reason for alert in report.alerts)):
        out.print(plain(_cut(text, names), _LONG))
    if report.sight:
        out.print(plain(_cut(report.sight, names), _LONG), style="dim")
    out.print(plain(report.error_rate), style="dim")


def _cut(text: str, names: Mapping[str, str]) -> str:
    """A text with names as they are shown; the longest first, as others may be a part of one."""
    for name in sorted(names, key=len, reverse=True):
        if name != names[name]:
            text = text.replace(name, names[name])
    return text


def _print_replay(values: list[Replayed], as_json: bool) -> None:
    if as_json:
        print(json.dumps([each.to_dict() for each in values]))
        return
    columns = ("detector", "threshold", "alarms", "slices with any", "alerts")
    table, out = Table(*columns, box=None), console()
    called = cut_apart(name for each in values for name in each.slices)
    for each in values:
        streams = f"{each.streams:,} of {each.of_streams:,}"
        threshold = f"{each.parameter} = {each.value:g}"
        alerts = plain("; ".join(called[name] for name in each.slices), _LONG)
        table.add_row(each.detector, threshold, f"{each.alarms:,}", streams, alerts)
    out.print(table)
    out.print("Where nothing had changed, each of these alarms is a false one.", style="dim")
