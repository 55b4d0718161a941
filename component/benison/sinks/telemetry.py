# SPDX-License-Identifier: Apache-2.0
"""Metrics of OpenTelemetry, sent to a collector over OTLP."""

from __future__ import annotations

import dataclasses
import importlib
import os
from contextlib import ExitStack
from typing import Any

from benison.errors import MissingExtraError, PublishError
from benison.results.result import EvalResult
from benison.sinks.headline_rows import attributes, gauges
from benison.sinks.web import checked_address
from benison.version import VERSION

_SECONDS = 10
_MODULES = (
    "opentelemetry.exporter.otlp.proto.http.metric_exporter",
    "opentelemetry.sdk.metrics",
    "opentelemetry.sdk.metrics.export",
    "opentelemetry.sdk.resources",
    "requests",
)


@dataclasses.dataclass(frozen=True)
class OpenTelemetryMetrics:
    """A collector, by its OTLP address over HTTP; a `Publisher`."""

    endpoint: str
    """Such as http://localhost:4318/v1/metrics; "" is what OTEL_EXPORTER_OTLP_ENDPOINT says."""

    def __post_init__(self) -> None:
        if self.endpoint:
            checked_address(self.endpoint)
        _modules()

    def publish(self, result: EvalResult) -> None:
        try:
            is_sent, why = self._is_sent(result), ""
        except Exception as error:  # of the exporter, or of what its own variables name
            is_sent, why = False, f" ({type(error).__name__})"
        if not is_sent:
            raise PublishError(
                f"The collector of OpenTelemetry cannot be reached, or refuses the metrics{why}. "
                "opentelemetry=http://host:4318/v1/metrics names it; its log says why it refuses."
            )

    def _is_sent(self, result: EvalResult) -> bool:
        exporters, metrics, export, resources, requests = _modules()
        about = resources.Resource.create({"service.name": "benison", "service.version": VERSION})
        reader = export.InMemoryMetricReader()
        with ExitStack() as ended:
            exporter = exporters.OTLPMetricExporter(
                endpoint=self.endpoint or None, timeout=_SECONDS, session=_session(requests)
            )
            ended.callback(exporter.shutdown)
            provider = metrics.MeterProvider([reader], resource=about, shutdown_on_exit=False)
            ended.callback(provider.shutdown)
            _measure(provider.get_meter("benison", VERSION), result)
            sent = exporter.export(reader.get_metrics_data())
            return bool(sent is export.MetricExportResult.SUCCESS)


def _modules() -> list[Any]:
    try:
        return [importlib.import_module(name) for name in _MODULES]
    except ImportError as error:
        raise MissingExtraError("OpenTelemetry's exporter", "opentelemetry") from error


def _session(requests: Any) -> Any:
    """A session on which a POST does not become a GET by a redirect; None where a variable names its own."""
    if any(name.endswith("_CREDENTIAL_PROVIDER") for name in os.environ):
        return None
    session = requests.Session()
    session.max_redirects = 0
    return session


def _measure(meter: Any, result: EvalResult) -> None:
    """Set each number, under its name with dots, as OpenTelemetry has them."""
    instruments: dict[str, Any] = {}
    for gauge in gauges(result):
        name = gauge.name.replace("_", ".", 1)
        if name not in instruments:
            instruments[name] = meter.create_gauge(name, description=gauge.about)
        instruments[name].set(gauge.value, attributes(gauge.labels))
