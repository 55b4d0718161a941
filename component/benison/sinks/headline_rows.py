# SPDX-License-Identifier: Apache-2.0
"""The candidates' values on all data, with what tells them apart, for tools that keep numbers by labels."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pyarrow.compute as pc

from benison.results.overall import overall
from benison.results.result import EvalResult
from benison.sinks.result_names import evaluation_of, model_of
from benison.table.key import CHANGE, VALUE

LABELS = ("model", "metric", "output", "dataset", "variant", "sub_key", "aggregation", "weighted")
STATUSES = ("blessed", "not_blessed", "not_evaluated")


@dataclasses.dataclass(frozen=True)
class Gauge:
    """One number, with the labels that it has beside its name."""

    name: str
    about: str
    labels: dict[str, str]
    value: float


def gauges(result: EvalResult) -> Iterator[Gauge]:
    """The verdict, the counts of checks and of rows, and each value and change on all data.

    Each has the label `evaluation`, by which the numbers of several are told apart in one system.
    """
    about = {"evaluation": evaluation_of(result)}
    for gauge in _numbers(result):
        yield dataclasses.replace(gauge, labels={**about, **gauge.labels})


def _numbers(result: EvalResult) -> Iterator[Gauge]:
    verdict = result.verdict
    for status in STATUSES:
        about = "1 for the verdict that was reached, 0 for the others."
        yield Gauge("benison_verdict", about, {"status": status}, float(status == verdict.status))
    for outcome, count in verdict.counts.items():
        yield Gauge("benison_checks", "Checks, by their outcome.", {"outcome": outcome}, count)
    yield Gauge("benison_examples", "Rows of data.", {}, result.manifest["rows"])
    about = "When the evaluation was made, in seconds since 1970."
    yield Gauge("benison_created_timestamp_seconds", about, {}, created(result).timestamp())
    yield from _values(result)


def _values(result: EvalResult) -> Iterator[Gauge]:
    for kind, name, of in _KINDS:
        for row in overall(result, result.metrics.filter(pc.equal(result.metrics["kind"], kind))):
            labels = {label: _text(row[label]) for label in LABELS}
            labels["model"] = labels["model"] or model_of(result)
            for suffix, column, what in _ENDS:
                if math.isfinite(row[column]):
                    yield Gauge(name + suffix, f"{of} on all data{what}.", labels, row[column])


def _text(value: str | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else value


_KINDS = (
    (VALUE, "benison_metric", "Value"),
    (CHANGE, "benison_metric_change", "Change from the baseline"),
)
_ENDS = (
    ("", "value", ""),
    ("_lower", "lower", ", lower end of its interval"),
    ("_upper", "upper", ", upper end of its interval"),
)


def created(result: EvalResult) -> datetime:
    """When a result was evaluated."""
    return datetime.fromisoformat(result.manifest["created"])


def attributes(labels: dict[str, Any]) -> dict[str, Any]:
    """Labels without those that say nothing."""
    return {name: value for name, value in labels.items() if value not in ("", "false")}
