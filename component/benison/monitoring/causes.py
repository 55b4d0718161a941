# SPDX-License-Identifier: Apache-2.0
"""Which changes of several metrics have one cause, and how small a change could have been seen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benison.monitoring.alerts import Fall
from benison.monitoring.e_detector import EDetector
from benison.monitoring.explanations import Change
from benison.monitoring.series import Series


def in_causes(changes: Iterable[Change]) -> list[list[Change]]:
    """The changes of each cause, the clearest first, in the order of the clearest.

    Two metrics of one output that changed at the same time have one cause where they changed in the same
    slice.
    """
    causes: list[list[Change]] = []
    for change in sorted(changes, key=lambda each: -each.gain):
        known = (cause for cause in causes if _is_same(cause[0], change))
        cause = next(known, None)
        if cause is None:
            causes.append([change])
        else:
            cause.append(change)
    return causes


def _is_same(a: Change, b: Change) -> bool:
    keys = a.series.key, b.series.key
    if a.series is b.series or (keys[0].model, keys[0].output) != (keys[1].model, keys[1].output):
        return False
    is_at_once = a.since <= b.raised[-1] and b.since <= a.raised[-1]
    return is_at_once and a.series.keys[a.slice] == b.series.keys[b.slice]


def smallest_falls(
    series: Sequence[Series], detector: EDetector, chosen: Sequence[str] | None = None
) -> tuple[Fall, ...]:
    """How far each rate had to change to be seen in 80 % of streams, the largest first, before it NaN.

    Args:
        series: What is watched.
        detector: With the threshold for so many streams.
        chosen: The slices that were asked for; None is all.
    """
    falls = [
        Fall(each.key.metric, name, float(size), each.key)
        for each in series
        for name, size in zip(each.slices, detector.smallest_rise(each.counts), strict=True)
        if chosen is None or name in chosen
    ]
    return tuple(
        sorted(
            falls,
            key=lambda fall: (
                fall.is_possible,
                -fall.size if fall.is_possible else 0.0,
                fall.name,
                fall.slice,
            ),
        )
    )
