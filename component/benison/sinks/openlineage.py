# SPDX-License-Identifier: Apache-2.0
"""OpenLineage: an evaluation as an event, and the facets that hosts put into theirs; imported where used."""

from __future__ import annotations

import dataclasses
import os
import uuid
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from benison.errors import MissingExtraError, PublishError, visible
from benison.results.overall import headline
from benison.results.result import EvalResult
from benison.sinks.result_names import identity_of, model_of
from benison.sinks.web import checked_address, host_of
from benison.validation.terms import FAIL

try:
    import attrs
    from openlineage.client import OpenLineageClient
    from openlineage.client.event_v2 import (
        InputDataset,
        Job,
        OutputDataset,
        Run,
        RunEvent,
        RunState,
    )
    from openlineage.client.facet_v2 import RunFacet, data_quality_metrics_input_dataset, test_run
    from openlineage.client.transport.http import HttpConfig, HttpTransport
except ImportError as error:
    raise MissingExtraError("OpenLineage's client", "openlineage") from error

_STATUS = {"blessed": "pass", "not_blessed": "fail", "not_evaluated": "skip"}
_PRODUCER = "https://pypi.org/project/benison"
_NAMESPACE = "benison"
_MOST = 20  # checks, and files
_MOST_METRICS = 200
_SECONDS = 10.0


@attrs.define
class VerdictRunFacet(RunFacet):
    """The verdict of a run, and the candidates' values on all data."""

    status: str
    summary: str
    metrics: dict[str, float]
    output: str
    model: Any = None


@dataclasses.dataclass(frozen=True)
class OpenLineageEvent:
    """A server of OpenLineage, such as Marquez; a `Publisher`."""

    address: str
    """The server; "" is what OPENLINEAGE_URL or openlineage.yml says, and OPENLINEAGE_API_KEY its key."""

    def __post_init__(self) -> None:
        if self.address:
            checked_address(self.address)

    def publish(self, result: EvalResult) -> None:
        try:
            self._client().emit(event_of(result))
        except Exception as error:  # of the client, or of the transport that its own settings name
            # Its text has the address, and so would the text of a cause.
            where = f" at {host_of(self.address)}" if self.address else ""
            status = getattr(getattr(error, "response", None), "status_code", "")
            raise PublishError(
                f"OpenLineage's server{where} did not take the event: {type(error).__name__} {status}".strip()
                + ". Its log says why; OPENLINEAGE_API_KEY is the key to it."
            ) from None

    def _client(self) -> Any:
        if not self.address:
            return OpenLineageClient()
        config = HttpConfig(url=self.address, timeout=_SECONDS, retry={"total": 0})
        transport = HttpTransport(config)
        transport.session.max_redirects = 0  # on which a POST becomes a GET, and the event is lost
        return OpenLineageClient(transport=transport)


def event_of(result: EvalResult) -> Any:
    """The evaluation as an event that completes a run; published again it is the same run."""
    outcome = _outcome(result)
    recorded = result.manifest.get("lineage") or {}
    name = f"{identity_of(result)} {result.manifest['created']}"
    return RunEvent(
        eventType=RunState.COMPLETE,
        eventTime=result.manifest["created"],
        run=Run(str(uuid.uuid5(uuid.NAMESPACE_URL, name)), facets=run_facets(outcome)),
        job=Job(
            os.environ.get("OPENLINEAGE_NAMESPACE", _NAMESPACE),
            f"{recorded.get('pipeline') or model_of(result)}.evaluate",
        ),
        producer=_PRODUCER,
        inputs=inputs(outcome),
        outputs=outputs(outcome),
    )


def _outcome(result: EvalResult) -> dict[str, Any]:
    """A result with the names by which hosts know it."""
    manifest, verdict = result.manifest, result.verdict
    candidates = {m["name"]: m["path"] for m in manifest["models"] if not m["is_baseline"]}
    baselines = [m["path"] for m in manifest["models"] if m["is_baseline"]]
    failed = verdict.of_outcome(FAIL, most=_MOST)
    return {
        "status": verdict.status,
        "summary": verdict.summary(),
        "failed_checks": [_document(check.to_dict()) for check in failed],
        "metrics": dict(list(headline(result).items())[:_MOST_METRICS]),
        "rows": manifest["rows"],
        "output": "" if result.path is None else str(result.path),
        "examples": (manifest.get("examples") or [])[:_MOST],
        "model": candidates if len(candidates) > 1 else next(iter(candidates.values()), None),
        "baseline": next(iter(baselines), None),
    }


def _document(check: Mapping[str, Any]) -> dict[str, Any]:
    fields = {name: value for name, value in check.items() if value not in (None, "")}
    return {name: value for name, value in fields.items() if not name.endswith("slice_key")}


def run_facets(outcome: Mapping[str, Any]) -> dict[str, Any]:
    """The verdict, and the blessing and each check that failed as tests."""
    fields = {
        field.name for field in attrs.fields(VerdictRunFacet) if not field.name.startswith("_")
    }
    verdict = VerdictRunFacet(**{name: outcome[name] for name in fields})
    return {"benison": verdict, "test": test_run.TestRunFacet(list(_tests(outcome)))}


def inputs(outcome: Mapping[str, Any]) -> list[Any]:
    """The data and the models that were read."""
    return [*_data(outcome), *_models(outcome)]


def outputs(outcome: Mapping[str, Any]) -> list[Any]:
    """The directory of the results, if they were written."""
    return [OutputDataset(*_name_of(outcome["output"]))] if outcome["output"] else []


def _data(outcome: Mapping[str, Any]) -> Iterator[Any]:
    examples = outcome["examples"]
    facet = data_quality_metrics_input_dataset.DataQualityMetricsInputDatasetFacet
    for path in examples:
        # How many rows are in which of several paths was not counted.
        rows: dict[str, Any] = {}
        if len(examples) == 1:
            rows = {"dataQualityMetrics": facet({}, outcome["rows"])}
        yield InputDataset(*_name_of(path), inputFacets=rows)


def _models(outcome: Mapping[str, Any]) -> Iterator[Any]:
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
        name = visible(f"{check['metric']} ({check['slice']})")
        reason = visible(check["reason"])
        value = str(check["value"]) if "value" in check else None
        yield test_run.TestExecution(
            name, "fail", "error", check["kind"], reason, actual=value, params=dict(check)
        )


def _name_of(path: str) -> tuple[str, str]:
    """Namespace and name of what is at a path, as OpenLineage's rules have them."""
    parts = urlsplit(path)
    if len(parts.scheme) > 1 and parts.netloc:
        return f"{parts.scheme}://{parts.netloc}", parts.path.lstrip("/") or "/"
    return "file", os.path.abspath(path.removeprefix("file://"))
