# SPDX-License-Identifier: Apache-2.0
"""HDDDM: the columns whose distribution in a bucket is farther from the reference's than chance explains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any, TypeAlias

from benison.config import Bins, SlicingSpec
from benison.config.slicing_specs import PERIODS
from benison.data.dataset import Dataset
from benison.drift.comparison import DriftCheck, DriftReport, DriftRule
from benison.drift.left_out import left_out_over_time, left_out_sentence, times_of
from benison.drift.profiles import Profile, Profiles, merged, profiles_of
from benison.errors import ConfigError, NothingYetError, suggestion
from benison.monitoring.alerts import DRIFTED, Alert, MonitorReport
from benison.monitoring.drift_links import columns_of
from benison.monitoring.e_detector import EDetector
from benison.monitoring.kinds import HDDDM
from benison.monitoring.streams import check_time_key
from benison.slicing.keys import OVERALL, slice_name
from benison.table.key import Key
from benison.table.words import counted

_Drift: TypeAlias = "tuple[str, DriftCheck, DriftReport]"
"""The bucket in which a column drifted, what is known of it, and of the bucket."""
_MEASURED = 0.0
"""The share of streams without a change with an alarm: tests/statistics/change_detectors.py."""


def monitor_columns(  # noqa: PLR0913 - each by its name
    examples: Any,
    *,
    time_key: str,
    bucket: str = "day",
    columns: Sequence[str] | None = None,
    reference_buckets: int = 1,
    horizon: int = 60,
    false_alarms: float = 0.02,
) -> MonitorReport:
    """Say which columns of a stream are distributed otherwise than in its first buckets; it needs no labels.

    Args:
        examples: As `benison.evaluate` takes them.
        time_key: The column of times.
        bucket: The period: minute, hour, day, week, month or year.
        columns: Those to watch; by default all numbers and texts, without ids, which are texts or whole
            numbers that rows of the reference have of their own, without times, and without whole numbers
            that count up from bucket to bucket. The report names what is left out.
        reference_buckets: How many of the first buckets are the reference.
        horizon: In buckets, within which
        false_alarms: is the chance of any false alarm, over all columns.

    Raises:
        ConfigError: A choice is none, or no column is left to be watched.
        DataError: A column is missing.
        NothingYetError: No bucket is left to be watched.
    """
    limit = _checked(bucket, reference_buckets, horizon, false_alarms)
    dataset = Dataset.open(examples)
    check_time_key(dataset, time_key)
    names = [*(columns_of(dataset) if columns is None else columns)]
    names = [name for name in names if name != time_key]
    if not names:
        raise ConfigError(
            f"No column is left to be watched: name numbers or texts beside {time_key!r}."
        )
    by_bucket = _in_buckets(dataset, names, time_key, bucket)
    known, later = [*by_bucket][:reference_buckets], [*by_bucket][reference_buckets:]
    if not later:
        raise NothingYetError(
            f"The data have {counted(len(by_bucket), bucket)} and the reference is the first "
            f"{counted(reference_buckets, bucket)}, so that none is left to be watched. Give later data too, "
            "a smaller reference, or shorter buckets."
        )
    times = (
        None if columns is not None else tuple(n for n in times_of(dataset.schema) if n != time_key)
    )
    return _report(by_bucket, known, later, times, limit)


def _checked(bucket: str, reference_buckets: int, horizon: int, false_alarms: float) -> EDetector:
    """The horizon and the share of false alarms; raises ConfigError where a choice is none."""
    limit = EDetector(horizon, false_alarms)
    if not 0.5 < 1 - false_alarms / horizon < 1:
        raise ConfigError(
            "The share of false alarms over the horizon, which is that of one bucket, is above 1e-16 and "
            f"below 0.5, not {false_alarms} / {horizon}. Take a longer horizon or another share."
        )
    if reference_buckets < 1:
        raise ConfigError(f"The reference is 1 bucket or more, not {reference_buckets}.")
    if bucket not in PERIODS:
        raise ConfigError(f"There is no period {bucket!r}. {suggestion(bucket, PERIODS)}")
    return limit


def _report(
    by_bucket: Mapping[str, Profile],
    known: Sequence[str],
    later: Sequence[str],
    times: tuple[str, ...] | None,
    limit: EDetector,
) -> MonitorReport:
    """On the columns of the later buckets against those of the known ones.

    Beside `times` others are left out, where columns were not chosen, which None says.
    """
    parts: list[Profiles] = [{OVERALL: by_bucket[each]} for each in known]
    profile = reduce(merged, parts)[OVERALL]
    unnamed = times or ()
    if times is not None:
        unnamed += left_out_over_time(profile, [*profile], [*by_bucket.values()])
    reference = {name: column for name, column in profile.items() if name not in unnamed}
    if not reference:
        raise ConfigError(f"No column is left to be watched. {left_out_sentence(unnamed)}")
    watched = {each: by_bucket[each] for each in later}
    alerts = hellinger_drift(reference, watched, limit.false_alarms, limit.horizon)
    return MonitorReport(
        alerts=tuple(alerts),
        buckets=tuple(later),
        reference=tuple(known),
        metrics=tuple(reference),
        streams=len(reference),
        pending=(),
        undefined=(),
        unwatched=unnamed,
        unknown=(),
        detector=HDDDM,
        horizon=limit.horizon,
        false_alarms=limit.false_alarms,
        measured=_MEASURED,
    )


def _in_buckets(
    dataset: Dataset, names: Sequence[str], time_key: str, bucket: str
) -> dict[str, Profile]:
    """The profile of each bucket, in the order of time."""
    spec = SlicingSpec(bins={time_key: Bins(every=bucket)})  # type: ignore[arg-type]
    profiles = profiles_of(dataset, names, [spec])
    of_buckets = {key[0][1]: of for key, of in profiles.items() if key != OVERALL}
    return dict(sorted(of_buckets.items()))


def hellinger_drift(
    reference: Profile, buckets: Mapping[str, Profile], false_alarms: float, horizon: int
) -> list[Alert]:
    """An alert for each column that drifted in a bucket, by Hellinger's distance above 0.1 with confidence.

    Ditzler and Polikar, "Hellinger distance based drift detection", 2011, whose threshold from the mean and
    the spread of earlier distances is replaced by that of `benison.drift`, which allows for the number of
    rows. Over all columns and `horizon` buckets the chance of a false alarm is `false_alarms`.

    Args:
        reference: How the columns that are watched were distributed.
        buckets: The same of each bucket, in their order.
        false_alarms: Above 0 and below 1.
        horizon: In buckets.
    """
    rule = DriftRule.of("hellinger", None, 1 - false_alarms / horizon)
    names, seen = [*reference], dict[str, list[_Drift]]()
    for bucket, profile in buckets.items():
        report = rule.report({OVERALL: reference}, {OVERALL: profile}, names, is_chosen=True)
        for check in report.checks:
            if check.outcome == "drift":
                seen.setdefault(check.feature, []).append((bucket, check, report))
    return [_alert(name, drifts) for name, drifts in seen.items()]


def _alert(name: str, drifts: Sequence[_Drift]) -> Alert:
    bucket, check, report = drifts[0]
    return Alert(
        name,
        slice_name(OVERALL),
        (),
        Key(name),
        bucket,
        bucket,
        tuple(each for each, _, _ in drifts[1:]),
        DRIFTED,
        *check.shares,
        report.current_rows,
        check.distance,
        check.threshold,
        drifted=(name,),
        drift=(check.reason,),
        rows_before=report.reference_rows,
    )
