# SPDX-License-Identifier: Apache-2.0
"""Hands alerts on: to a CI as a JUnit file, to a webhook or a channel of Slack as a message."""

from __future__ import annotations

import os
from collections.abc import Iterable

from benison.errors import BenisonError, ConfigError, PublishError, is_away
from benison.monitoring.alerts import Alert, MonitorReport
from benison.report.ci import metric_name, write_cases
from benison.sinks.message import SlackMessage, Webhook, escaped
from benison.sinks.publishing import Publisher, publisher_of
from benison.sinks.web import send
from benison.table.words import shortened

_MOST_SHOWN, _LONG = 10, 400


def write_junit(report: MonitorReport, path: str | os.PathLike[str]) -> None:
    """Write a JUnit file with a failed case for each alert, and a passed one for a metric without any.

    Raises:
        OutputError: It cannot be written.
    """
    alarmed = {name for alert in report.alerts for name in alert.metrics}
    cases = [(alert.metric, _case(alert), alert.reason) for alert in report.alerts]
    cases += [(name, "no alert", "") for name in report.metrics if name not in alarmed]
    cases += [("undefined", bucket, report.summary) for bucket in report.undefined]
    facts = {"Summary": report.summary, "Detector": report.error_rate}
    write_cases(path, cases, facts)


def _case(alert: Alert) -> str:
    return f"{metric_name(alert.key, several=bool(alert.key.model))} of {alert.slice} {alert.side}"


def targets_of(texts: Iterable[str]) -> list[Publisher]:
    """The sinks of lines such as `slack=env:SLACK_URL`, for `publish_alerts`.

    Raises:
        ConfigError: A line is none, or a sink that takes no alerts.
    """
    sinks: list[Publisher] = []
    for text in texts:
        sink = publisher_of(text)
        if not isinstance(sink, Webhook | SlackMessage):
            kind = text.partition("=")[0]
            raise ConfigError(f"{kind} takes results and no alerts; webhook and slack take alerts.")
        sinks.append(sink)
    return sinks


def publish_alerts(report: MonitorReport, sinks: Iterable[Publisher]) -> None:
    """Send the alerts, if there are any, to webhooks as JSON and to Slack as text.

    Raises:
        PublishError: Some cannot be reached or refuse, each with why; the others have them.
    """
    if not report.alerts:
        return
    failures, causes = [], []
    for sink in sinks:
        try:
            _send(report, sink)
        except BenisonError as error:
            failures.append(f"{type(sink).__name__}: {error}")
            causes.append(error)
    if failures:
        raise PublishError(*failures) from min(causes, key=is_away)


def _send(report: MonitorReport, sink: Publisher) -> None:
    if isinstance(sink, Webhook):
        send(sink.address, {"event": "alert", **report.to_dict()})
    elif isinstance(sink, SlackMessage):
        send(sink.address, {"text": _text(report)})


def _text(report: MonitorReport) -> str:
    """What people read in Slack."""
    reasons = [
        f"• {escaped(shortened(each.reason, _LONG))}" for each in report.alerts[:_MOST_SHOWN]
    ]
    more = len(report.alerts) - _MOST_SHOWN
    rest = [f"and {more:,} more"] if more > 0 else []
    return "\n".join([escaped(report.summary), *reasons, *rest])
