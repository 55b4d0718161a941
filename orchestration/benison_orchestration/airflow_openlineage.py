# SPDX-License-Identifier: Apache-2.0
"""Tells OpenLineage of an evaluation; imported when its provider asks."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from benison.errors import MissingExtraError

try:
    import attrs
    from airflow.providers.openlineage.extractors import OperatorLineage
    from openlineage.client.event_v2 import InputDataset, OutputDataset
    from openlineage.client.facet_v2 import RunFacet, data_quality_metrics_input_dataset, test_run
except ImportError as error:
    raise MissingExtraError("Airflow's OpenLineage provider", "airflow-openlineage") from error

_STATUS = {"blessed": "pass", "not_blessed": "fail", "not_evaluated": "skip"}


@attrs.define
class VerdictRunFacet(RunFacet):
    """The verdict of a run, and the candidates' values on all data."""

    status: str
    summary: str
    metrics: dict[str, float]
    output: str
    model: Any = None


def lineage_of(outcome: Mapping[str, Any] | None) -> OperatorLineage:
    """The lineage of an evaluation that ended with an outcome; nothing of one that did not."""
    if outcome is None:
        return OperatorLineage()
    fields = {
        field.name for field in attrs.fields(VerdictRunFacet) if not field.name.startswith("_")
    }
    verdict = VerdictRunFacet(**{name: outcome[name] for name in fields})
    return OperatorLineage(
        inputs=[*_data(outcome), *_models(outcome)],
        outputs=[OutputDataset(*_name_of(outcome["output"]))],
        run_facets={"benison": verdict, "test": test_run.TestRunFacet(list(_tests(outcome)))},
    )


def _data(outcome: Mapping[str, Any]) -> Iterator[InputDataset]:
    examples = outcome["examples"]
    facet = data_quality_metrics_input_dataset.DataQualityMetricsInputDatasetFacet
    for path in examples:
        # How many rows are in which of several paths was not counted.
        rows: dict[str, Any] = (
            {"dataQualityMetrics": facet({}, outcome["rows"])} if len(examples) == 1 else {}
        )
        yield InputDataset(*_name_of(path), inputFacets=rows)


def _models(outcome: Mapping[str, Any]) -> Iterator[InputDataset]:
    model = outcome["model"]
    several = model.values() if isinstance(model, Mapping) else [model]
    for path in (*several, outcome["baseline"]):
        if path is not None:
            yield InputDataset(*_name_of(path))


def _tests(outcome: Mapping[str, Any]) -> Iterator[Any]:
    """The blessing as a test, and each check that failed as one."""
    text = outcome["summary"]
    yield test_run.TestExecution("blessing", _STATUS[outcome["status"]], "error", description=text)
    for check in outcome["failed_checks"]:
        name = f"{check['metric']} ({check['slice']})"
        value = str(check["value"]) if "value" in check else None
        yield test_run.TestExecution(
            name, "fail", "error", check["kind"], check["reason"], actual=value, params=dict(check)
        )


def _name_of(path: str) -> tuple[str, str]:
    """Namespace and name of what is at a path, as OpenLineage's rules have them."""
    parts = urlsplit(path)
    if len(parts.scheme) > 1 and parts.netloc:
        return f"{parts.scheme}://{parts.netloc}", parts.path.lstrip("/") or "/"
    return "file", os.path.abspath(path.removeprefix("file://"))
