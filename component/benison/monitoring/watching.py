# SPDX-License-Identifier: Apache-2.0
"""Watches results over time: the rates of every slice go through a detector, and alarms become alerts."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence

from benison.errors import ConfigError, DataError, NothingYetError, suggestion
from benison.monitoring.alerts import Alert, MonitorReport, OtherRate
from benison.monitoring.causes import in_causes, smallest_falls
from benison.monitoring.detectors import Detector, Mask
from benison.monitoring.drift_links import with_drift
from benison.monitoring.e_detector import EDetector
from benison.monitoring.explanations import Change, explained
from benison.monitoring.kinds import DETECTORS, E_DETECTOR, LFR, MD3
from benison.monitoring.series import Series
from benison.monitoring.timeline import Timeline
from benison.results.result import EvalResult, load_result

OWN_METRICS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    LFR: {
        "Recall": ("recall", "tpr"),
        "Specificity": ("specificity", "tnr"),
        "Precision": ("precision", "ppv"),
        "NegativePredictiveValue": ("negative_predictive_value", "npv"),
    },
    MD3: {"MarginDensity": ("margin_density",)},
}
"""What a detector is of, each class with what results call it: the four rates of LFR (Wang and Abraham,
"Concept drift detection for streaming data", 2015), and the share of scores near the threshold of MD3."""


def own_metrics(detector: str, timeline: Timeline) -> list[str]:
    """What a detector is of, as the results call it, else by class: names may be those of a config."""
    known = timeline.latest.metric_names()
    return [
        next((name for name in names if name in known), of_class)
        for of_class, names in OWN_METRICS[detector].items()
    ]


@dataclasses.dataclass(frozen=True)
class Watch:
    """What is watched, and how.

    Attributes:
        detector: One of `DETECTORS`.
        metrics: Names; None is what has thresholds.
        slices: Names; None is all.
        known: How many of the first buckets are what was blessed.
        horizon: In buckets.
        false_alarms: How many alarms there may be within the horizon, over all slices and metrics, while
            nothing changes.
        labelled: A bucket waits for labels if a smaller share of its rows has them, relative to what was
            blessed.
        threshold: What the detector's own parameter is, where its false alarms have no bound; None is the
            usual one of the literature.
    """

    detector: str = E_DETECTOR
    metrics: Sequence[str] | None = None
    slices: Sequence[str] | None = None
    known: int = 1
    horizon: int = 60
    false_alarms: float = 0.02
    labelled: float = 0.9
    threshold: float | None = None

    def __post_init__(self) -> None:
        if self.detector not in DETECTORS:
            raise ConfigError(
                f"There is no detector {self.detector!r}. {suggestion(self.detector, DETECTORS)}"
            )
        if self.known < 1:
            raise ConfigError("The reference is one bucket or more.")
        EDetector(self.horizon, self.false_alarms)
        if not 0 < self.labelled <= 1:
            raise ConfigError(f"The share of labels is above 0 and at most 1, not {self.labelled}.")
        self._check_threshold()

    def _check_threshold(self) -> None:
        kind = DETECTORS[self.detector]
        if self.threshold is None:
            return
        if kind.is_bounded:
            raise ConfigError(
                f"The threshold of {self.detector} is horizon / false alarms; give these in its place."
            )
        if not kind.low < self.threshold < kind.high:
            raise ConfigError(
                f"The {kind.parameter} of {self.detector} is above {kind.low:g} and below {kind.high:g}, "
                f"usually {kind.usual:g}, not {self.threshold}."
            )

    def report(self, timeline: Timeline) -> MonitorReport:
        """Of a timeline.

        Raises:
            DataError: A metric or slice is not there, or nothing can be watched.
        """
        every = self._every(timeline)
        series, chosen = self._watched(every, timeline), timeline.slices(self.slices)
        streams = len(_reference_rows(series, chosen))
        detector, names = self.made(streams), timeline.buckets[self.known :]
        watched = tuple(dict.fromkeys(each.key.metric for each in series))
        own = (change for each in series for change in explained(each, detector))
        causes = in_causes(change for each in own for change in each.of(chosen))
        kind = DETECTORS[self.detector]
        measured, simulated = kind.simulated(_reference_rows(series, chosen))
        return MonitorReport(
            tuple(_alert(cause, names) for cause in causes),
            tuple(names),
            tuple(timeline.buckets[: self.known]),
            watched,
            streams,
            _where([each.is_pending for each in series], series, names),
            _where([each.is_undefined for each in series], series, names),
            tuple(name for name in self.names(timeline) if name not in watched),
            tuple(dict.fromkeys(name for each in series for name in each.unknown)),
            self.detector,
            self.horizon,
            self.false_alarms if kind.is_bounded else None,
            measured,
            _vanished(series, names),
            timeline.untimed,
            smallest_falls(series, detector, chosen) if isinstance(detector, EDetector) else (),
            simulated,
            timeline.least_rows,
            timeline.unblessed(self.known),
            _where([each.is_left_out for each in every], every, timeline.buckets[: self.known]),
        )

    def raised(self, timeline: Timeline) -> list[Mask]:
        """All alarms of each series, whatever explains them: bool[S, T] each."""
        series = self._watched(self._every(timeline), timeline)
        detector = self.made(len(_reference_rows(series, timeline.slices(self.slices))))
        return [detector.watch(each.counts).raised for each in series]

    def made(self, streams: int) -> Detector:
        """The detector for so many slices of metrics, over which false alarms add up."""
        kind = DETECTORS[self.detector]
        if kind.is_bounded:
            return kind.make(self.false_alarms / max(streams, 1), self.horizon)
        return kind.make(kind.usual if self.threshold is None else self.threshold, self.horizon)

    def names(self, timeline: Timeline) -> list[str]:
        """The metrics that are asked for, or that the detector is of, or that a gate judges.

        Raises:
            DataError: The results do not have one.
        """
        own = OWN_METRICS.get(self.detector)
        if self.metrics or own is None:
            return timeline.metrics(self.metrics)
        try:
            return timeline.metrics(own_metrics(self.detector, timeline))
        except DataError as error:
            classes = ", ".join(own)
            raise DataError(
                f"{self.detector} watches {classes}. {error} Add what is missing to metrics_specs."
            ) from error

    def _every(self, timeline: Timeline) -> list[Series]:
        """The series of every metric that is a rate."""
        if len(timeline.buckets) <= self.known:
            raise NothingYetError(
                f"There are {len(timeline.buckets)} buckets, of which {self.known} are the reference, so "
                "none is left to be watched."
            )
        return [
            series
            for name in self.names(timeline)
            for series in timeline.series(name, self.known, self.labelled)
        ]

    def _watched(self, every: Sequence[Series], timeline: Timeline) -> list[Series]:
        """Those of slices that the reference and a later bucket have.

        Raises:
            DataError: There is none.
        """
        made = [series for series in every if len(series.slices)]
        if not made and any(series.is_pending.any() for series in every):
            masks, later = [each.is_pending for each in every], timeline.buckets[self.known :]
            waiting = ", ".join(_where(masks, every, later))
            raise NothingYetError(
                f"Nothing can be watched, as few rows have a label and a prediction: {waiting}."
            )
        if not made:
            names = self.names(timeline)
            why = [timeline.why_unwatched(name, self.known) for name in names]
            text = "; ".join(why) or "of no metric of the results one end is good; name some"
            raise DataError(f"Nothing can be watched: {text}.")
        return made


def _reference_rows(series: Iterable[Series], chosen: Sequence[str] | None) -> list[float]:
    """The rows of the reference of each rate that is watched: those of the chosen slices, or of all."""
    return [
        float(rows)
        for each in series
        for name, rows in zip(each.slices, each.counts.known_rows, strict=True)
        if chosen is None or name in chosen
    ]


def _where(
    masks: Sequence[Mask], series: Sequence[Series], buckets: Sequence[str]
) -> tuple[str, ...]:
    """The buckets of masks over the series; with the metrics, where not all are of them."""
    named = []
    for i, bucket in enumerate(buckets):
        metrics = dict.fromkeys(
            each.key.metric for mask, each in zip(masks, series, strict=True) if mask[i]
        )
        if metrics and all(mask[i] for mask in masks):
            named.append(bucket)
        elif metrics:
            named.append(f"{bucket} of {', '.join(metrics)}")
    return tuple(named)


def _vanished(series: Sequence[Series], buckets: Sequence[str]) -> tuple[str, ...]:
    """The slices without rows at the end, each with the bucket since which."""
    since = {name: at for each in series for name, at in each.vanished}
    return tuple(f"{name} since {buckets[at]}" for name, at in since.items())


def _alert(cause: Sequence[Change], buckets: Sequence[str]) -> Alert:
    """Of the change that is clearest, with those of other metrics in the same slice."""
    change, *others = cause
    series, i = change.series, change.slice
    return Alert(
        series.key.metric,
        series.slices[i],
        series.keys[i],
        series.key,
        buckets[change.since],
        buckets[change.raised[0]],
        tuple(buckets[at] for at in change.raised[1:]),
        series.side,
        series.value_of(change.before),
        series.value_of(change.after),
        round(change.rows),
        change.statistic,
        change.threshold,
        tuple(dict.fromkeys(name for each in cause for name in each.explains)),
        also=tuple(_other(each, buckets) for each in others),
        explained_by=tuple(dict.fromkeys(each.cause.name for each in cause if each.cause)),
        rows_before=round(change.rows_before),
        is_share=series.is_share,
    )


def _other(change: Change, buckets: Sequence[str]) -> OtherRate:
    series = change.series
    return OtherRate(
        series.key.metric,
        series.key,
        series.side,
        series.value_of(change.before),
        series.value_of(change.after),
        round(change.rows),
        buckets[change.since],
        round(change.rows_before),
        buckets[change.raised[-1]],
        series.is_share,
    )


def monitor(  # noqa: PLR0913 - the whole job has this many choices, all with defaults
    results: Iterable[EvalResult | str | os.PathLike[str]],
    *,
    reference: EvalResult | str | os.PathLike[str] | None = None,
    as_given: bool = False,
    detector: str = E_DETECTOR,
    metrics: Sequence[str] | None = None,
    slices: Sequence[str] | None = None,
    reference_buckets: int = 1,
    horizon: int = 60,
    false_alarms: float = 0.02,
    labelled: float = 0.9,
    threshold: float | None = None,
    time_key: str | None = None,
) -> MonitorReport:
    """Say which slices have become worse over several results, since when and by how much.

    Args:
        results: Results, or their folders; each is a bucket of time. Or one whose slices are of periods of
            a time, as `bins: {pickup: {every: day}}` makes them; each period is a bucket.
        reference: What was blessed; by default the first blessed result, from which on the others are
            watched, or the first where none is blessed.
        as_given: Keep the order; by default it is that of the evaluations.
        detector: One of `DETECTORS`: "e-detector", "lfr", "md3", "ddm", "eddm", "adwin".
        metrics: Names of metrics that are rates from 0 to 1; by default those with thresholds, else all whose
            good end is known. One without a good end is watched on both sides.
        slices: Names of slices, such as "Overall"; by default all.
        reference_buckets: How many of the first results together are the reference.
        horizon: In buckets: within so many
        false_alarms: so many alarms at most may be by chance, over all slices and metrics together, as far as
            the detector bounds them: `e-detector`, `lfr` and `md3` do.
        labelled: A bucket waits for its labels, and is not judged, where the share of its rows that have
            them is less than this share of the reference's.
        threshold: The parameter of a detector whose false alarms have no bound: `deviations` of ddm, `beta`
            of eddm, `delta` of adwin.
        time_key: The column of the periods of one result; by default the only one that it has.

    Raises:
        ConfigError: A choice is none.
        DataError: A metric or slice is not there, or nothing is a rate.
        NothingYetError: Nothing is left to be watched, as of one result, or where only the last is blessed.
        OutputError: A folder holds no whole result.
    """
    loaded = [_loaded(each) for each in results]
    first = None if reference is None else _loaded(reference)
    watch = Watch(
        detector, metrics, slices, reference_buckets, horizon, false_alarms, labelled, threshold
    )
    timeline = timeline_of(loaded, as_given, first, time_key)
    return with_drift(watch.report(timeline), timeline)


def timeline_of(
    results: Sequence[EvalResult],
    as_given: bool = False,
    reference: EvalResult | None = None,
    time_key: str | None = None,
) -> Timeline:
    """The timeline of several results, or of one by the periods of its slices.

    Raises:
        DataError: There are no buckets.
    """
    if time_key is not None and len(results) > 1:
        raise ConfigError(
            f"time_key looks at the periods of one result; there are {len(results)} results, each of "
            "which is a bucket."
        )
    is_single = len(results) == 1 and (reference is None or time_key is not None)
    if is_single:
        return Timeline.of_periods(results[0], time_key, reference)
    return Timeline.of(results, as_given, reference)


def _loaded(result: EvalResult | str | os.PathLike[str]) -> EvalResult:
    return result if isinstance(result, EvalResult) else load_result(result)
