# SPDX-License-Identifier: Apache-2.0
"""HDDDM: the columns whose distribution in a bucket is farther from the reference's than chance explains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

from benison.config import Bins, SlicingSpec
from benison.config.slicing_specs import PERIODS
from benison.data.dataset import Dataset
from benison.drift.comparison import DriftCheck, DriftRule
from benison.drift.profiles import Profile, Profiles, merged, profiles_of
from benison.errors import ConfigError, DataError, suggestion
from benison.monitoring.alerts import DRIFTED, Alert, MonitorReport
from benison.monitoring.drift_links import columns_of
from benison.monitoring.e_detector import EDetector
from benison.monitoring.streams import check_time_key
from benison.slicing.keys import OVERALL, slice_name
from benison.table.key import Key

HDDDM = "hdddm"
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
        columns: Those to watch; by default all numbers and texts.
        reference_buckets: How many of the first buckets are the reference.
        horizon: In buckets, within which
        false_alarms: is the chance of any false alarm, over all columns.

    Raises:
        ConfigError: A choice is none.
        DataError: A column is missing, or no bucket is left to be watched.
    """
    EDetector(horizon, false_alarms)  # checks both
    if bucket not in PERIODS:
        raise ConfigError(f"There is no period {bucket!r}. {suggestion(bucket, PERIODS)}")
    dataset = Dataset.open(examples)
    check_time_key(dataset, time_key)
    names = [*(columns_of(dataset) if columns is None else columns)]
    names = [name for name in names if name != time_key]
    by_bucket = _in_buckets(dataset, names, time_key, bucket)
    known, later = [*by_bucket][:reference_buckets], [*by_bucket][reference_buckets:]
    if reference_buckets < 1 or not later:
        raise DataError(f"Of {len(by_bucket)} buckets {reference_buckets} cannot be the reference.")
    parts: list[Profiles] = [{OVERALL: by_bucket[each]} for each in known]
    watched = {each: by_bucket[each] for each in later}
    alerts = hellinger_drift(reduce(merged, parts)[OVERALL], watched, false_alarms, horizon)
    empty = ((), (), ())
    report = (tuple(alerts), tuple(later), tuple(known), tuple(names), len(names), *empty)
    return MonitorReport(*report, HDDDM, horizon, false_alarms, _MEASURED)


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
        reference: How the columns were distributed.
        buckets: The same of each bucket, in their order.
        false_alarms: Above 0 and below 1.
        horizon: In buckets.
    """
    rule = DriftRule.of("hellinger", None, 1 - false_alarms / horizon)
    names, seen = [*reference], dict[str, list[tuple[str, DriftCheck]]]()
    for bucket, profile in buckets.items():
        report = rule.report({OVERALL: reference}, {OVERALL: profile}, names, is_chosen=False)
        for check in report.checks:
            if check.outcome == "drift":
                seen.setdefault(check.feature, []).append((bucket, check))
    return [_alert(name, drifts) for name, drifts in seen.items()]


def _alert(name: str, drifts: Sequence[tuple[str, DriftCheck]]) -> Alert:
    bucket, check = drifts[0]
    return Alert(
        name,
        slice_name(OVERALL),
        (),
        Key(name),
        bucket,
        bucket,
        tuple(each for each, _ in drifts[1:]),
        DRIFTED,
        *check.shares,
        0,
        check.distance,
        check.threshold,
        drifted=(name,),
        drift=(check.reason,),
    )
