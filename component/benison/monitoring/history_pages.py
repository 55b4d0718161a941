# SPDX-License-Identifier: Apache-2.0
"""The page over time of what was watched: its buckets, with the alerts where they are."""

from __future__ import annotations

import dataclasses

import pyarrow as pa
import pyarrow.compute as pc

from benison.config.slicing_specs import period_of
from benison.errors import DataError
from benison.monitoring.alerts import Alert, MonitorReport
from benison.monitoring.periods_of_slices import in_periods, without_periods
from benison.monitoring.timeline import Timeline
from benison.report import history
from benison.results.result import EvalResult
from benison.validation.terms import FAIL, NOT_EVALUATED, PASS, RUBBER_STAMPED, UNDECIDED
from benison.validation.verdict import BLESSED, NOT_BLESSED, Verdict


def history_page(report: MonitorReport, timeline: Timeline) -> str:
    """One HTML file: any metric of any slice in each bucket, and the alerts.

    Args:
        report: Of the timeline.
        timeline: Whose buckets are results, or periods of one.

    Raises:
        DataError: There is nothing to draw.
    """
    names = timeline.buckets
    marks = tuple(_mark(alert, names) for alert in report.alerts)
    noun = "evaluation" if timeline.time_key is None else "period"
    watched = history.Watched(report.summary, report.error_rate, marks, noun)
    return history.render(_results(timeline), as_given=True, names=names, watched=watched)


def _mark(alert: Alert, buckets: list[str]) -> history.Mark:
    at = {name: i for i, name in enumerate(buckets)}
    return history.Mark(alert.key, alert.slice_key, at[alert.since], at[alert.raised], alert.reason)


def _results(timeline: Timeline) -> list[EvalResult]:
    """A result for each bucket."""
    if timeline.time_key is None:
        return [*timeline.results]
    result, key = timeline.latest, timeline.time_key
    periods = _periods(result, key, timeline.buckets[-1])
    return [*_untimed(timeline.reference, key), *periods]


def _untimed(reference: EvalResult | None, time_key: str) -> list[EvalResult]:
    """The reference without its own periods, if there is one."""
    if reference is None:
        return []
    metrics = without_periods(reference.metrics, time_key)
    return [dataclasses.replace(reference, metrics=metrics)]


def _periods(result: EvalResult, time_key: str, last: str) -> list[EvalResult]:
    """The parts of a result, each of a period, which is left out of the names of its slices."""
    every = period_of(last)
    _, names, metrics = in_periods(_uncompared(result.metrics), time_key, every, 0)
    try:
        _, judged, checks = in_periods(_uncompared(result.verdict.table), time_key, every, 0)
    except DataError:  # no check is of a period
        judged, checks = [], result.verdict.table.slice(0, 0)
    return [
        dataclasses.replace(
            result,
            metrics=_of_bucket(metrics, i),
            verdict=_verdict(_of_bucket(checks, judged.index(name) if name in judged else None)),
        )
        for i, name in enumerate(names)
    ]


def _uncompared(rows: pa.Table) -> pa.Table:
    return rows.filter(pc.is_null(rows["other_slice_key"]))


def _of_bucket(rows: pa.Table, bucket: int | None) -> pa.Table:
    """The rows of a bucket, without its column; none of None."""
    if bucket is None:
        return rows.slice(0, 0)
    return rows.filter(pc.equal(rows["bucket"], bucket)).drop_columns("bucket")


def _verdict(checks: pa.Table) -> Verdict:
    """What the checks of a period say; not evaluated where none of them could be judged."""
    outcomes = {*pc.unique(checks["outcome"]).to_pylist()}
    if FAIL in outcomes:
        return Verdict(NOT_BLESSED, checks)
    status = BLESSED if outcomes & {PASS, RUBBER_STAMPED, UNDECIDED} else NOT_EVALUATED
    return Verdict(status, checks, RUBBER_STAMPED in outcomes)
