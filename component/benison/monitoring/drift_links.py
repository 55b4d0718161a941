# SPDX-License-Identifier: Apache-2.0
"""Links a drift of columns to the slice that became worse: what is distributed otherwise there since then."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from typing import Any, Protocol, TypeAlias

from benison.config import Bins, EvalConfig, SlicingSpec
from benison.config.slicing_specs import period_of
from benison.data.dataset import Dataset
from benison.drift.comparison import DriftRule
from benison.drift.drift_sides import Side
from benison.drift.left_out import left_out_over_time, times_of
from benison.drift.profiles import Profile, Profiles, merged, profiles_of
from benison.errors import BenisonError
from benison.evaluation.examples import open_examples
from benison.monitoring.alerts import Alert, MonitorReport
from benison.monitoring.timeline import Timeline
from benison.results.result import EvalResult
from benison.slicing.keys import OVERALL, SliceKey

_LOGGER = logging.getLogger("benison")
_UNSEEN = "Drift of columns is not looked at: %s"
_MOST_ALERTS, _MOST_COLUMNS = 5, 3


InBuckets: TypeAlias = "dict[str, Profile]"
"""The profile of each bucket."""


class SliceProfiles(Protocol):
    """Knows how columns are distributed in a slice in each bucket."""

    def of(self, keys: Sequence[SliceKey], buckets: Sequence[str]) -> dict[SliceKey, InBuckets]:
        """The profiles of slices, by bucket.

        Raises:
            BenisonError: The data cannot be read.
        """


def with_drift(
    report: MonitorReport, timeline: Timeline, examples: Any = None, format_: str | None = None
) -> MonitorReport:
    """The report with the columns that drifted in the slices of its alerts, where the data are there.

    Args:
        report: Of the timeline.
        timeline: Of results, whose data are opened where they were.
        examples: The data, where these are not those of the results.
        format_: Their format, where names do not tell it.
    """
    latest = timeline.latest
    if not report.alerts or (examples is None and not latest.manifest.get("examples")):
        return report
    if timeline.time_key is None:
        results = dict(zip(timeline.buckets, timeline.results, strict=True))
        return linked(report, ProfilesOfRuns(results))
    try:
        dataset = (
            examples_of(latest)
            if examples is None
            else open_examples(examples, format_, latest.config)
        )
    except BenisonError as error:
        _LOGGER.warning(_UNSEEN, error)
        return report
    return linked(report, ProfilesOfPeriods(dataset, latest.config, timeline.time_key))


def linked(report: MonitorReport, known: SliceProfiles) -> MonitorReport:
    """The report with the drifted columns of the slices of its first alerts.

    Where the data cannot be read a warning says so.
    """
    chosen = report.alerts[:_MOST_ALERTS]
    names = [*report.reference, *report.buckets]
    try:
        profiles = known.of([*{alert.slice_key: None for alert in chosen}], names)
        alerts = [_linked(alert, profiles[alert.slice_key], names) for alert in chosen]
    except BenisonError as error:
        _LOGGER.warning(_UNSEEN, error)
        return report
    return dataclasses.replace(report, alerts=(*alerts, *report.alerts[_MOST_ALERTS:]))


def _linked(alert: Alert, profiles: InBuckets, names: Sequence[str]) -> Alert:
    start, end = names.index(alert.since), names.index((alert.raised, *alert.again)[-1])
    before, now = (_together(profiles, of) for of in (names[:start], names[start : end + 1]))
    own = {feature for feature, _ in alert.slice_key}
    known = [name for name in before if name in now and name not in own]
    every = [profiles[each] for each in names if each in profiles]
    unlike = left_out_over_time(before, known, every)
    columns = [name for name in known if name not in unlike]
    if not columns:
        return alert
    rule = DriftRule.of("jensen_shannon", None, 0.99)
    checks = rule.report({OVERALL: before}, {OVERALL: now}, columns, is_chosen=True).checks
    drifted = [check for check in checks if check.outcome == "drift"][:_MOST_COLUMNS]
    return dataclasses.replace(
        alert,
        drifted=tuple(check.feature for check in drifted),
        drift=tuple(check.reason for check in drifted),
    )


def _together(profiles: InBuckets, buckets: Iterable[str]) -> Profile:
    """The profile over several buckets; nothing where none has rows."""
    parts: list[Profiles] = [{OVERALL: profiles[each]} for each in buckets if each in profiles]
    return reduce(merged, parts)[OVERALL] if parts else {}


@dataclasses.dataclass(frozen=True)
class ProfilesOfPeriods:
    """Of one stream of data, in periods of a time."""

    dataset: Dataset
    config: EvalConfig
    time_key: str

    def of(self, keys: Sequence[SliceKey], buckets: Sequence[str]) -> dict[SliceKey, InBuckets]:
        """As `SliceProfiles` has it, in one pass."""
        every: Any = period_of(buckets[-1])  # the first ones may be a reference
        specs = [_spec_of(key, self.config, {self.time_key: Bins(every=every)}) for key in keys]
        columns = [name for name in columns_of(self.dataset) if name != self.time_key]
        made = profiles_of(self.dataset, columns, specs)
        named = {
            (key, bucket): tuple(sorted((*key, (self.time_key, bucket))))
            for key in keys
            for bucket in buckets
        }
        return {
            key: {b: made[named[key, b]] for b in buckets if named[key, b] in made} for key in keys
        }


@dataclasses.dataclass(frozen=True)
class ProfilesOfRuns:
    """Of the data of several results, which are opened again where they were."""

    results: Mapping[str, EvalResult]
    """By the names of the buckets."""

    def of(self, keys: Sequence[SliceKey], buckets: Sequence[str]) -> dict[SliceKey, InBuckets]:
        """As `SliceProfiles` has it, in one pass over the data of each result."""
        made: dict[SliceKey, InBuckets] = {key: {} for key in keys}
        for bucket in buckets:
            result = self.results[bucket]
            if not result.manifest.get("examples"):
                continue  # a table in memory
            dataset = examples_of(result)
            specs = [_spec_of(key, result.config, {}) for key in keys if key]
            profiles = profiles_of(dataset, columns_of(dataset), specs)
            for key in keys:
                if key in profiles:
                    made[key][bucket] = profiles[key]
        return made


def columns_of(dataset: Dataset) -> list[str]:
    """The columns that may drift: numbers and texts, and no times, which always do."""
    times = times_of(dataset.schema)
    return [name for name in Side(dataset).columns() if name not in times]


def examples_of(result: EvalResult) -> Dataset:
    """The data of a result, opened again; raises DataError where they are gone."""
    sources = result.manifest["examples"]
    return open_examples(sources if len(sources) > 1 else sources[0], None, result.config)


def _spec_of(key: SliceKey, config: EvalConfig, more: Mapping[str, Bins]) -> SlicingSpec:
    """The spec of one slice of a config, of bins and conditions the one that makes them."""
    features = {feature for feature, _ in key}
    specs = [spec for spec in config.slicing_specs if {*spec.features} - more.keys() == features]
    made = specs[0] if specs else SlicingSpec()
    derived = {*made.bins, *made.where}
    return SlicingSpec(
        feature_values={name: value for name, value in key if name not in derived},
        bins={**made.bins, **more},
        where=made.where,
    )
