# SPDX-License-Identifier: Apache-2.0
"""The Evaluator in Prefect 3: a task whose result is the verdict.

    @flow
    def train_and_push():
        model = train()
        verdict = evaluate({"examples": "eval.parquet", "config": "eval.yaml", "model": model})
        if verdict["status"] == "blessed":
            push(model)

`evaluate.with_options(retries=2)` tries again what may go better then: neither a verdict, nor a config, data
or a model that is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benison import load_result
from benison.errors import ConfigError, MissingExtraError
from benison.lineage import RunKey
from benison.report.ci import Reports
from benison_orchestration.host_outcome import evaluate_as, may_pass

try:
    from prefect import get_run_logger, runtime, task
    from prefect.artifacts import create_markdown_artifact
except ImportError as error:
    raise MissingExtraError("Prefect", "prefect") from error

ON_NOT_BLESSED = ("continue", "fail")


class NotBlessedError(RuntimeError):
    """The model is not blessed, and the flow shall end with that."""


def _evaluate(
    spec: Mapping[str, Any] | str,
    on_not_blessed: str = "continue",
    output_root: str = "evaluations",
) -> dict[str, Any]:
    """Evaluate a model; the verdict, with its numbers on all data and the first checks that failed.

    The summary is an artifact of the task, which Prefect's page shows.

    Args:
        spec: The arguments of `benison.evaluate`: a mapping, the text of a JSON document, or its path.
        on_not_blessed: `continue` leaves it to the flow, `fail` fails the task.
        output_root: Where outputs are that the spec does not name, each at flow/run/task/`evaluation`.

    Raises:
        NotBlessedError: The model is not blessed, and `on_not_blessed` is `fail`.
        BenisonError: The evaluation cannot be made.
    """
    if on_not_blessed not in ON_NOT_BLESSED:
        raise ConfigError(f"on_not_blessed is {on_not_blessed!r}; it may be continue or fail.")
    run = runtime.flow_run
    key = RunKey(run.flow_name, str(run.id), runtime.task_run.name)
    outcome = evaluate_as(key, spec, output_root)
    log = get_run_logger()
    log.info(outcome["summary"])
    for reason in outcome["reasons"]:
        log.error(reason)
    create_markdown_artifact(
        _page(outcome["output"]),
        _artifact_key(key.pipeline, runtime.task_run.task_name),
        outcome["summary"],
    )
    if on_not_blessed == "fail" and outcome["status"] != "blessed":
        raise NotBlessedError("\n".join([outcome["summary"], *outcome["reasons"]]))
    return outcome


def _page(output: str) -> str:
    with TemporaryDirectory() as folder:
        page = Path(folder, "page.md")
        Reports(None, page).write(load_result(output), gate=False)
        return page.read_text(encoding="utf-8")


def _artifact_key(*names: str) -> str:
    """The name under which Prefect keeps the pages of a task's runs, with the letters that it takes."""
    return "benison-" + re.sub("[^a-z0-9]+", "-", " ".join(names).lower()).strip("-")


def _may_go_better(_task: Any, _run: Any, state: Any) -> bool:
    """Whether another try may end otherwise: a store may be back, a worker have more memory."""
    error = state.result(raise_on_failure=False)
    return may_pass(error) and not isinstance(error, NotBlessedError)


evaluate = task(name="evaluate", retry_condition_fn=_may_go_better)(_evaluate)
