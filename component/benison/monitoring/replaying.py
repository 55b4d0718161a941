# SPDX-License-Identifier: Apache-2.0
"""Replays old results to choose a threshold: which alarms each value of it would have given."""

from __future__ import annotations

import dataclasses
from typing import Any

from benison.monitoring.kinds import DETECTORS
from benison.monitoring.timeline import Timeline
from benison.monitoring.watching import Watch


@dataclasses.dataclass(frozen=True)
class Replayed:
    """What a detector would have said of old results.

    Attributes:
        detector: Its name.
        parameter: What its parameter is called, and
        value: its value.
        alarms: Over all slices of metrics and buckets; they are false if nothing had changed.
        streams: The slices of metrics with any, of
        of_streams: so many.
        slices: Names of slices with alerts, the strongest first.
    """

    detector: str
    parameter: str
    value: float
    alarms: int
    streams: int
    of_streams: int
    slices: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """For machines."""
        return dataclasses.asdict(self)


def replayed(watch: Watch, timeline: Timeline) -> list[Replayed]:
    """What the detector would have said with each value of its parameter, most alarms first.

    Raises:
        DataError: A metric or slice is not there, no metric is a rate, or nothing is left to be watched.
    """
    return [_replayed(watch, timeline, value) for value in DETECTORS[watch.detector].levels]


def _replayed(watch: Watch, timeline: Timeline, value: float) -> Replayed:
    kind = DETECTORS[watch.detector]
    chosen = {"false_alarms": value} if kind.is_bounded else {"threshold": value}
    changed = dataclasses.replace(watch, **chosen)  # type: ignore[arg-type]
    raised, report = changed.raised(timeline), changed.report(timeline)
    return Replayed(
        watch.detector,
        kind.parameter,
        value,
        sum(int(each.sum()) for each in raised),
        sum(int(each.any(1).sum()) for each in raised),
        report.streams,
        tuple(dict.fromkeys(alert.slice for alert in report.alerts)),
    )
