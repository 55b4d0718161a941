# SPDX-License-Identifier: Apache-2.0
"""Replays old results to choose a threshold: which alarms each value of it would have given."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from benison.errors import DataError
from benison.monitoring.kinds import DETECTORS
from benison.monitoring.timeline import Timeline
from benison.monitoring.watching import OWN_METRICS, Watch, own_metrics


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


def compared(watch: Watch, timeline: Timeline, detectors: Sequence[str] = ()) -> list[Replayed]:
    """What several detectors would have said, each with every value of its parameter.

    Args:
        watch: What is watched.
        timeline: The old results.
        detectors: Names; by default all, but for those of metrics that the results do not have.

    Raises:
        ConfigError: There is no such detector.
        DataError: A metric or slice is not there, no metric is a rate, or nothing is left to be watched.
    """
    watches = [
        dataclasses.replace(watch, detector=name, threshold=None)
        for name in dict.fromkeys(detectors or _watchable(watch, timeline))
    ]
    return [each for own in watches for each in replayed(own, timeline)]


def _watchable(watch: Watch, timeline: Timeline) -> Iterator[str]:
    """The detectors of any rates, and those whose own are there, unless other rates are asked for."""
    for name in DETECTORS:
        if name not in OWN_METRICS or (not watch.metrics and _has(timeline, name)):
            yield name


def _has(timeline: Timeline, detector: str) -> bool:
    try:
        return bool(timeline.metrics(own_metrics(detector, timeline)))
    except DataError:
        return False


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
