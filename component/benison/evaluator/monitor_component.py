# SPDX-License-Identifier: Apache-2.0
"""The TFX component that watches the evaluations of a pipeline over time."""

from __future__ import annotations

import dataclasses
import inspect
import json
from collections.abc import Mapping, Sequence
from typing import Any

from benison.errors import (
    ConfigError,
    DataError,
    MissingExtraError,
    NothingYetError,
    suggestion,
)
from benison.evaluator.tfx_v1 import stand_in_for_gone_modules
from benison.monitoring import Watch, monitor
from benison.paths import locate, write

try:
    stand_in_for_gone_modules()
    from tfx import types
    from tfx.dsl.components.base import base_component, base_executor, executor_spec
    from tfx.types import component_spec, standard_artifacts
except ImportError as error:
    raise MissingExtraError("TFX", "tfx") from error

FILE = "alerts.json"


class Alerts(types.Artifact):  # type: ignore[misc]
    """What monitoring says: `alerts.json`, and how many alerts there are."""

    TYPE_NAME = "BenisonAlerts"
    PROPERTIES = {"alerts": types.artifact.Property(type=types.artifact.PropertyType.INT)}


class MonitorSpec(component_spec.ComponentSpec):  # type: ignore[misc]
    """What goes in and out; choices travel as JSON."""

    PARAMETERS = {
        "choices": component_spec.ExecutionParameter(type=str),
        "fail": component_spec.ExecutionParameter(type=int),
    }
    INPUTS = {
        "evaluations": component_spec.ChannelParameter(type=standard_artifacts.ModelEvaluation)
    }
    OUTPUTS = {"alerts": component_spec.ChannelParameter(type=Alerts)}


class MonitorExecutor(base_executor.BaseExecutor):  # type: ignore[misc]
    """Watches the outputs of evaluations that artifacts are."""

    def Do(  # noqa: N802 - TFX's name
        self,
        input_dict: dict[str, list[Any]],
        output_dict: dict[str, list[Any]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Watch, and write what is seen.

        Raises:
            DataError: There is an alert, and it is to fail at one; or a metric or slice is not there.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        runs = [artifact.uri for artifact in input_dict["evaluations"]]
        report = _report(runs, json.loads(exec_properties["choices"]))
        (output,) = output_dict["alerts"]
        output.alerts = len(report["alerts"])
        write(locate(output.uri) / FILE, json.dumps(report, indent=1).encode())
        if not report["passes"] and exec_properties["fail"]:
            reasons = [alert["reason"] for alert in report["alerts"]]
            raise DataError(" ".join(reasons or [report["summary"]]))


def _report(runs: Sequence[str], choices: Mapping[str, Any]) -> dict[str, Any]:
    """What monitoring says, for machines; after the first evaluation, that there is nothing yet."""
    try:
        return monitor(runs, **choices).to_dict()
    except NothingYetError as error:
        return {"alerts": [], "passes": True, "nothing_yet": True, "summary": str(error)}


def _check(choices: Mapping[str, Any]) -> None:
    """Say while the pipeline is written what monitoring would refuse when it runs."""
    known = [*inspect.signature(monitor).parameters][1:]
    for name in choices:
        if name not in known:
            raise ConfigError(f"Monitor takes no {name!r}. {suggestion(name, known)}")
    named = {"known" if name == "reference_buckets" else name: choices[name] for name in choices}
    fields = {field.name for field in dataclasses.fields(Watch)}
    Watch(**{name: value for name, value in named.items() if name in fields})


class Monitor(base_component.BaseComponent):  # type: ignore[misc]
    """Says which slices have become worse over the evaluations of a pipeline, since when and by how much.

    After the first evaluation there is nothing to hold against it: then `alerts.json` says `nothing_yet`.

    Outputs:
        alerts: An `Alerts`, with `alerts.json` and how many there are.
    """

    SPEC_CLASS = MonitorSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(MonitorExecutor)

    def __init__(
        self, evaluations: types.BaseChannel, fail_on_alert: bool = False, **choices: Any
    ) -> None:
        """Declare a Monitor.

        Args:
            evaluations: ModelEvaluations, such as a Resolver without a strategy gives, which are all of the
                pipeline; each is a bucket of time.
            fail_on_alert: Whether the execution fails where a slice has become worse.
            choices: As `benison.monitoring.monitor` takes them: metrics, slices, detector, ...

        Raises:
            ConfigError: A choice is none.
        """
        _check(choices)
        spec = MonitorSpec(
            evaluations=evaluations,
            choices=json.dumps(choices),
            fail=int(fail_on_alert),
            alerts=types.Channel(type=Alerts),
        )
        super().__init__(spec=spec)
