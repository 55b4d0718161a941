# SPDX-License-Identifier: Apache-2.0
"""An evaluation as a run of MLflow: its numbers, its verdict as a tag, its report and its config."""

from __future__ import annotations

import dataclasses
from contextlib import suppress
from typing import Any

from benison.errors import PublishError, visible
from benison.models.registered import failure
from benison.results.result import EvalResult
from benison.sinks.mlflow_registry import MlflowRegistry, log_files, log_numbers
from benison.sinks.result_names import identity_of, model_of

_EXPERIMENT = "benison"
_LONGEST_TAG = 5_000


@dataclasses.dataclass(frozen=True)
class MlflowRun:
    """A tracking server of MLflow, in whose experiment `benison` each result is a run; a `Publisher`."""

    server: str
    """MLflow's tracking URI; "" is what MLFLOW_TRACKING_URI says."""

    def __post_init__(self) -> None:
        MlflowRegistry.of(self.server)  # which refuses passwords, and says what to install

    def publish(self, result: EvalResult) -> None:
        from mlflow import MlflowClient

        try:
            _log(MlflowClient(self.server or None), result)
        except Exception as error:  # of MLflow, or of the client of any store that holds the files
            where = f" at {self.server}" if self.server else ""
            raise PublishError(failure(f"MLflow{where} did not take it", error)) from error


def _log(client: Any, result: EvalResult) -> None:
    known = client.get_experiment_by_name(_EXPERIMENT)
    experiment = known.experiment_id if known else client.create_experiment(_EXPERIMENT)
    run = _run_of(client, experiment, result)
    try:
        log_numbers(client, run, result)
        log_files(client, run, result)
    except BaseException:
        with suppress(Exception):  # of what failed before, which is what is to be seen
            client.set_terminated(run, "FAILED")
        raise
    client.set_terminated(run)


def _run_of(client: Any, experiment: str, result: EvalResult) -> str:
    """The run of a result, which is the one there is where it was published before."""
    output = visible(identity_of(result))
    tags = {
        "benison.created": result.manifest["created"],
        "benison.output": output[-_LONGEST_TAG:],
        "benison.verdict": result.verdict.status,
        "benison.summary": visible(result.verdict.summary())[:_LONGEST_TAG],
    }
    wanted = f"tags.`benison.created` = '{tags['benison.created']}'"
    for run in client.search_runs([experiment], wanted):
        if run.data.tags.get("benison.output") == tags["benison.output"]:
            return str(run.info.run_id)
    return str(client.create_run(experiment, tags=tags, run_name=model_of(result)).info.run_id)
