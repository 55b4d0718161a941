# SPDX-License-Identifier: Apache-2.0
"""Files of numbers that other tools read: Prometheus' text format, and a metrics file of DVC."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from benison.errors import ConfigError, MissingExtraError
from benison.output.report_file import DVC, PROMETHEUS, ReportFile
from benison.results.overall import headline
from benison.results.result import EvalResult
from benison.sinks.headline_rows import Gauge, gauges


@dataclasses.dataclass(frozen=True)
class PrometheusMetrics:
    """A file for the textfile collector of Prometheus' node exporter; a `Publisher`."""

    path: str

    def __post_init__(self) -> None:
        _check_named("prometheus", self.path, "benison.prom")
        _client()

    def publish(self, result: EvalResult) -> None:
        ReportFile(self.path, PROMETHEUS).write(_exposition(gauges(result)))

    def check_target(self) -> None:
        ReportFile(self.path, PROMETHEUS).check()


def _client() -> Any:
    try:
        import prometheus_client
    except ImportError as error:
        raise MissingExtraError("Prometheus' client", "prometheus") from error
    return prometheus_client


def _exposition(numbers: Any) -> bytes:
    """The numbers as Prometheus' own client writes them."""
    client = _client()
    registry, families = client.CollectorRegistry(), {}
    gauge: Gauge
    for gauge in numbers:
        if gauge.name not in families:
            families[gauge.name] = client.Gauge(
                gauge.name, gauge.about, list(gauge.labels), registry=registry
            )
        family = families[gauge.name]
        (family.labels(**gauge.labels) if gauge.labels else family).set(gauge.value)
    content: bytes = client.generate_latest(registry)
    return content


@dataclasses.dataclass(frozen=True)
class DvcMetrics:
    """A JSON file for `metrics:` of a stage of DVC, whose `dvc metrics diff` compares it; a `Publisher`."""

    path: str

    def __post_init__(self) -> None:
        _check_named("dvc", self.path, "metrics.json")

    def publish(self, result: EvalResult) -> None:
        verdict = result.verdict
        document = {
            "verdict": {"status": verdict.status, "blessed": int(verdict.blessed)},
            "checks": dict(verdict.counts),
            "examples": result.manifest["rows"],
            "overall": headline(result),
        }
        content = json.dumps(document, indent=2, allow_nan=False) + "\n"
        ReportFile(self.path, DVC).write(content.encode())

    def check_target(self) -> None:
        ReportFile(self.path, DVC).check()


def _check_named(kind: str, path: str, example: str) -> None:
    if not path:
        raise ConfigError(f"{kind} needs the file to write: {kind}={example}.")
