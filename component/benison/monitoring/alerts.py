# SPDX-License-Identifier: Apache-2.0
"""What monitoring says: alerts with their sentences, and the report of all that was watched."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import Any

from benison.drift.left_out import left_out_sentence
from benison.monitoring.kinds import HDDDM
from benison.report.ci import metric_name
from benison.slicing.keys import SliceKey
from benison.table.key import Key
from benison.table.words import counted

DRIFTED = "drifted"
"""The side of an alert that is about the distribution of a column."""
_MOST_NAMED = 3
_SINCE = " since "
_EQUIVALENT = (
    "Equivalent rows are as many as would give a share the same error: v (1 - v) / error^2 of each bucket, "
    "at most its rows; the values before and since are the means of the buckets' values by these."
)
_UNDEFINED = "as the value is undefined, as where predictions"


@dataclasses.dataclass(frozen=True)
class OtherRate:
    """Another metric that changed in the same slice at the same time.

    Attributes:
        metric: Its name.
        key: The metric with its model, output and class.
        side: `fell` or `rose`.
        before: The metric in the reference and all buckets until then, and
        after: since then, until the last alarm.
        rows: Rows since then, on which `after` rests, and
        since: the bucket in which its change began.
        rows_before: On which `before` rests.
        until: The bucket of the last alarm.
        is_share: Whether these are rows, or equivalents of rows, as of an alert.
    """

    metric: str
    key: Key
    side: str
    before: float
    after: float
    rows: int
    since: str
    rows_before: int
    until: str
    is_share: bool

    def words(self, since: str, until: str) -> str:
        """The end of a sentence; it names the first and the last bucket where they are other ones."""
        own = "" if self.since == since else f" since {self.since}"
        end = "" if self.until == until else f", up to {self.until}"
        rows = f"{_rows(self.rows_before, self.is_share)} before, {self.rows:,} since then{end}"
        return f"{metric_name(self.key)} {_change(self)}{own} ({rows})"


@dataclasses.dataclass(frozen=True)
class Fall:
    """How far a rate had to fall or rise in a slice to be seen within the buckets that were watched.

    Attributes:
        metric: Its name.
        slice: The name of the slice.
        size: From 0 to 1; NaN where nothing could be seen, as in few rows.
        key: The metric with its model, output and class.
    """

    metric: str
    slice: str
    size: float
    key: Key

    @property
    def is_possible(self) -> bool:
        """Whether a change could have been seen."""
        return math.isfinite(self.size)

    @property
    def name(self) -> str:
        """The metric, told from others of its name."""
        return metric_name(self.key, several=bool(self.key.model))

    def to_dict(self) -> dict[str, Any]:
        """For machines."""
        key = {name: value for name, value in dataclasses.asdict(self.key).items() if value}
        return {**dataclasses.asdict(self), "size": _plain(self.size), "key": key}


@dataclasses.dataclass(frozen=True)
class Alert:
    """A slice that became worse.

    Attributes:
        metric: Its name; of `hdddm` that of a column.
        slice: The name of the slice, such as "company=Blue".
        slice_key: The identity of the slice.
        key: The metric with its model, output and class.
        since: The bucket in which the change began, as far as the counts show it.
        raised: The bucket in which the alarm was raised, and
        again: those in which it was raised again.
        side: `fell` or `rose`; of a column `drifted`.
        before: The metric in the reference and all buckets until then, and
        after: since then, until the last alarm; of a column the shares of the values that changed most, in
            the reference and in the bucket.
        rows: Rows that were evaluated since then, until the last alarm, on which `after` rests; of what is no
            share of rows, such as AUC, as many as would give a share the same error; of a column those of
            the bucket.
        statistic: Of the detector, where it was first above `threshold`.
        threshold: Of the detector.
        explains: Names of other slices whose alarms this one explains.
        drifted: Columns that drifted in the same slice since then, where the data were given.
        drift: A sentence on each of them.
        also: The other metrics that changed in the same slice at the same time, which are the same alert.
        explained_by: Where some slices were asked for, the others whose change is what is seen in it.
        rows_before: On which `before` rests, as `after` on `rows`.
        is_share: Whether both are rows, and not as many as would give a share the same error.
    """

    metric: str
    slice: str
    slice_key: SliceKey
    key: Key
    since: str
    raised: str
    again: tuple[str, ...]
    side: str
    before: float
    after: float
    rows: int
    statistic: float
    threshold: float
    explains: tuple[str, ...] = ()
    drifted: tuple[str, ...] = ()
    drift: tuple[str, ...] = ()
    also: tuple[OtherRate, ...] = ()
    explained_by: tuple[str, ...] = ()
    rows_before: int = 0
    is_share: bool = True

    @property
    def until(self) -> str:
        """The bucket of the last alarm."""
        return self.again[-1] if self.again else self.raised

    @property
    def metrics(self) -> tuple[str, ...]:
        """All that changed."""
        return tuple(dict.fromkeys([self.metric, *(each.metric for each in self.also)]))

    @property
    def reason(self) -> str:
        """The alert in words."""
        if self.side == DRIFTED:
            return f"At {self.raised} {self.drift[0]}"
        name = metric_name(self.key, several=bool(self.key.model))
        text = f"{name} of {self.slice} {_change(self)} since {self.since} ({self._rests_on})."
        if self.also:
            others = [each.words(self.since, self.until) for each in self.also]
            text += f" With it {_listed(others)}."
        if self.explains:
            text += f" That explains the alarm of {_listed(self.explains)}."
        if self.explained_by:
            text += f" It is explained by the change in {_listed(self.explained_by)}."
        return " ".join([text, *(f"In it {sentence}" for sentence in self.drift)])

    @property
    def _rests_on(self) -> str:
        """The rows on both sides of the change, and from which bucket to which."""
        before = f"{_rows(self.rows_before, self.is_share)} before, the reference included"
        after = f"{self.rows:,} since then, up to the {'last ' if self.again else ''}alarm at {self.until}"
        first = f"; the first at {self.raised}" if self.again else ""
        return f"{before}; {after}{first}"

    def to_dict(self) -> dict[str, Any]:
        """For machines."""
        fields = {**dataclasses.asdict(self), "until": self.until, "reason": self.reason}
        for each in (fields, *fields["also"]):
            each["key"] = {name: value for name, value in each["key"].items() if value}
        return {name: _plain(value) for name, value in fields.items()}


def _change(rate: Alert | OtherRate) -> str:
    return f"{rate.side} from {rate.before:.4g} to {rate.after:.4g}"


def _rows(count: int, is_share: bool) -> str:
    """Rows, or the equivalents of rows of a metric that is no share of them."""
    return counted(count, "row" if is_share else "equivalent row")


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    shown = "; ".join(names[:_MOST_NAMED])
    return f"{shown} and {more:,} more" if more > 0 else shown


@dataclasses.dataclass(frozen=True)
class MonitorReport:
    """What was watched, and the alerts, the strongest first.

    Attributes:
        alerts: One for each slice that is worse for a reason of its own.
        buckets: Their names, those of what was blessed left out.
        reference: The names of those.
        metrics: What was watched.
        streams: How many slices of metrics.
        pending: The buckets that are not judged yet, as their labels are not in; with the metric, where not
            all wait.
        undefined: The buckets, likewise, in which rows have no value though others of them are evaluated, as
            where predictions are missing: a gate does not pass them.
        unwatched: The metrics that are no rates from 0 to 1 whose number of rows is known; of `hdddm` the
            columns that are ids or times.
        unknown: The slices that the reference does not have.
        detector: Its name.
        horizon: In buckets, and
        false_alarms: how many streams may alarm by chance within it; None where the detector has no bound.
        measured: The share of streams without a change in which the detector alarms within 60 buckets, in
            simulations with references like these.
        vanished: The slices of the reference that have no rows any more, though some were to be expected,
            each with the first bucket without one; where slices are hidden, that have fewer than are shown.
        untimed: How many rows of one stream are in no bucket, as they have no time, or are in a hidden one.
        smallest: How far each rate had to change to be seen, the least visible first; nothing of detectors
            without a bound.
        simulated: The references of those simulations.
        least_rows: `min_slice_size`: slices of fewer rows are hidden.
        unblessed: The buckets of the reference that were evaluated and are not blessed.
        left_out: The buckets of the reference, likewise with the metric, in which rows have no value: it is
            the others.
    """

    alerts: tuple[Alert, ...]
    buckets: tuple[str, ...]
    reference: tuple[str, ...]
    metrics: tuple[str, ...]
    streams: int
    pending: tuple[str, ...]
    undefined: tuple[str, ...]
    unwatched: tuple[str, ...]
    unknown: tuple[str, ...]
    detector: str
    horizon: int
    false_alarms: float | None
    measured: float
    vanished: tuple[str, ...] = ()
    untimed: int = 0
    smallest: tuple[Fall, ...] = ()
    simulated: str = "references of 10,000 rows"
    least_rows: int = 1
    unblessed: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def __repr__(self) -> str:
        alerts = f"{len(self.alerts)} alert{'' if len(self.alerts) == 1 else 's'}"
        return f"MonitorReport({alerts} over {len(self.buckets)} buckets)"

    @property
    def summary(self) -> str:
        """One sentence."""
        alerts = counted(len(self.alerts), "alert") if self.alerts else "No alert"
        noun = "column" if self.detector == HDDDM else "rate"
        watched = f"{counted(self.streams, noun)} in {counted(len(self.buckets), 'bucket')}"
        first = f"{alerts}: {watched} after {self.reference[-1]}."
        return " ".join([first, *self._notes()])

    def _notes(self) -> Iterator[str]:
        """What was not judged or not watched, and why."""
        fewer = f"fewer than {self.least_rows:,} rows"
        are_hidden = self.least_rows > 1
        of = {
            "The reference is not blessed": self.unblessed,
            f"Left out of the reference, {_UNDEFINED} or labels are missing": self.left_out,
            "Not judged, as few rows have a label and a prediction": self.pending,
            f"Not judged, {_UNDEFINED} are missing": self.undefined,
            "Not watched, as the reference has no value of them": self.unknown,
            f"With {fewer} now, where more were to be expected"
            if are_hidden
            else "Without rows now, where some were to be expected": self.vanished,
        }
        yield from (f"{why}: {_listed(names)}." for why, names in of.items() if names)
        are_shares = [each.is_share for alert in self.alerts for each in alert.also]
        if not all([*are_shares, *(alert.is_share for alert in self.alerts)]):
            yield _EQUIVALENT
        if self.untimed:
            why = f" or are in one of {fewer}" if are_hidden else ""
            yield f"In no bucket, as they have no time{why}: {counted(self.untimed, 'row')}."
        if self.unwatched and self.detector == HDDDM:
            yield left_out_sentence(self.unwatched)
        elif self.unwatched:
            yield (
                f"Not watched: {_listed(self.unwatched)}; what is watched is a rate from 0 to 1 by its "
                "definition, which does not move with the number of rows, with an interval (options: "
                "{confidence: {level: 0.95}}) or a share of all rows without weights."
            )

    @property
    def sight(self) -> str:
        """What change could have been seen, and where none could; "" where that is not known."""
        possible = [fall for fall in self.smallest if fall.is_possible]
        unseen = [f"{fall.name} in {fall.slice}" for fall in self.smallest if not fall.is_possible]
        sentences = []
        if possible:
            worst, best = possible[0], possible[-1]
            text = (
                f"A change of {best.name} by {best.size:.2g} would have been seen in {best.slice}"
            )
            if worst != best:
                text += f", at worst one of {worst.name} by {worst.size:.2g} in {worst.slice}"
            sentences.append(f"{text} (in 80 % of such streams).")
        if unseen:
            sentences.append(f"In so few rows no change could have been seen of {_listed(unseen)}.")
        return " ".join(sentences)

    @property
    def slices(self) -> tuple[str, ...]:
        """The names of the slices that its sentences are about."""
        named = (name for a in self.alerts for name in (a.slice, *a.explains, *a.explained_by))
        gone = (text.rpartition(_SINCE)[0] for text in self.vanished)
        return tuple(
            dict.fromkeys([*named, *gone, *self.unknown, *(fall.slice for fall in self.smallest)])
        )

    @property
    def passes(self) -> bool:
        """Whether there is no alert, and no value is undefined."""
        return not self.alerts and not self.undefined

    @property
    def error_rate(self) -> str:
        """One sentence on how often the detector is wrong."""
        measured = f"{100 * self.measured:.2g} % of streams in which nothing changed had an alarm"
        measured = f"In simulations with {self.simulated} {measured} within 60 buckets of 250."
        if self.false_alarms is not None:
            held = f"within {self.horizon} buckets the chance of any false alarm is at most"
            return f"{self.detector}: {held} {100 * self.false_alarms:.3g} %. {measured}"
        expected = self.measured * self.streams
        text = f"of {counted(self.streams, 'rate')} that is {expected:.2g} by chance"
        return (
            f"{self.detector} has no bound on false alarms. {measured} {text[0].upper()}{text[1:]}."
        )

    def to_dict(self) -> dict[str, Any]:
        """For machines."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {
            **fields,
            "passes": self.passes,
            "summary": self.summary,
            "error_rate": self.error_rate,
            "smallest": [each.to_dict() for each in self.smallest],
            "alerts": [alert.to_dict() for alert in self.alerts],
        }
