# SPDX-License-Identifier: Apache-2.0
"""Files of numbers that other tools read: Prometheus' text format, and a metrics file of DVC."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

from benison.errors import ConfigError, MissingExtraError, OutputError
from benison.paths import Location, check_writable, locate, write_whole
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
        write_file(self.path, _exposition(gauges(result)))

    def check_target(self) -> None:
        check_file(self.path)


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
        write_file(self.path, (json.dumps(document, indent=2, allow_nan=False) + "\n").encode())

    def check_target(self) -> None:
        check_file(self.path)


def _check_named(kind: str, path: str, example: str) -> None:
    if not path:
        raise ConfigError(f"{kind} needs the file to write: {kind}={example}.")


def check_file(path: str) -> None:
    """Find before there is a result what would keep it from being written.

    Raises:
        OutputError: The file cannot be written.
    """
    _at(path, check_writable)


def write_file(path: str, content: bytes) -> None:
    """Write a file whole or not at all, at a local path or an address.

    Raises:
        OutputError: It cannot be written.
    """
    _at(path, lambda location: write_whole(location, content))


def _at(path: str, act: Callable[[Location], None]) -> None:
    location = locate(path, OutputError)
    try:
        act(location)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}.") from error
