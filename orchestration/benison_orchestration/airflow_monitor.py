# SPDX-License-Identifier: Apache-2.0
"""Operators that watch evaluations over time: a sensor that waits for an alert, a task that fails at it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benison.errors import ConfigError, suggestion
from benison_orchestration.airflow_process import AwayException, PythonOperatorBase, failure
from benison_orchestration.airflow_sdk import (
    AirflowFailException,
    BaseSensorOperator,
    PokeReturnValue,
)

_ON_ALERT = ("fail", "continue")


class MonitorOperatorBase(PythonOperatorBase):
    """What an operator that runs `benison monitor` takes.

    Args:
        evaluations: A pattern of outputs of evaluations, such as `/evaluations/taxi/*/evaluate/evaluation` or
            `s3://bucket/taxi/*`; each is a bucket of time, in the order of their evaluation.
        reference: The output of what was blessed; default: the first blessed one among them.
        metrics: Rates to watch; default: those with thresholds.
        slices: Names of slices; default: all.
        detector: How a change is seen.
        kwargs: As `PythonOperatorBase`.
    """

    template_fields: Sequence[str] = (
        *PythonOperatorBase.template_fields,
        "evaluations",
        "reference",
    )

    def __init__(  # noqa: PLR0913 - what the command can be told
        self,
        *,
        evaluations: str,
        reference: str | None = None,
        metrics: Sequence[str] = (),
        slices: Sequence[str] = (),
        detector: str = "e-detector",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.evaluations = evaluations
        self.reference = reference
        self.metrics = metrics
        self.slices = slices
        self.detector = detector

    def report(self) -> dict[str, Any] | None:
        """What the command says; None, and a warning in the log, where there is nothing yet to watch."""
        words = [f"--metric={name}" for name in self.metrics]
        words += [f"--slice={name}" for name in self.slices]
        words += [f"--reference={self.reference}"] if self.reference else []
        words += [f"--detector={self.detector}", "--", self.evaluations]
        code, document = self.run_command("monitor", *words, variables={})
        if document.get("nothing_yet"):
            self.log.warning("There is nothing yet to be watched. %s", document["error"])
            return None
        if code:
            raise failure(code, f"error: {document['error']}")
        for alert in document["alerts"]:
            self.log.warning("%s", alert["reason"])
        return dict(document)


class AlertSensor(BaseSensorOperator, MonitorOperatorBase):
    """Waits until a slice has become worse, for what is to be done then, such as a training.

    With `mode="reschedule"` it holds no worker between two looks. What it returns is the report, whose
    `alerts` say which slices, since when and by how much.

    Args:
        kwargs: As `BaseSensorOperator` and `MonitorOperatorBase`.
    """

    template_fields = MonitorOperatorBase.template_fields

    def poke(self, context: Any) -> Any:
        """Look once; what is away now is looked for another time."""
        try:
            report = self.report()
        except AwayException as error:
            self.log.warning("%s", error)
            return PokeReturnValue(False)
        return PokeReturnValue(bool(report and report["alerts"]), report)


class MonitorOperator(MonitorOperatorBase):
    """Fails, and is not tried again, where a slice is worse or undefined; what it returns is the report.

    Args:
        on_alert: `fail`, or `continue`, for tasks behind it that look at the report.
        kwargs: As `MonitorOperatorBase`.

    Raises:
        ConfigError: `on_alert` is unknown.
    """

    def __init__(self, *, on_alert: str = "fail", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.on_alert = on_alert
        if on_alert not in _ON_ALERT:
            raise ConfigError(f"on_alert is {on_alert!r}. {suggestion(on_alert, _ON_ALERT)}")

    def execute(self, context: Any) -> dict[str, Any] | None:
        """Watch; the report, or None where there is nothing yet to be watched."""
        report = self.report()
        if report and not report["passes"] and self.on_alert == "fail":
            reasons = [alert["reason"] for alert in report["alerts"]]
            raise AirflowFailException("\n".join(reasons or [report["summary"]]))
        return report
