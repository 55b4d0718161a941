# SPDX-License-Identifier: Apache-2.0
"""A flow that evaluates four times; run as a program, it runs it and the page's, and prints what came of it as JSON."""

from __future__ import annotations

import asyncio
import json
import os
import runpy
import sys
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.orchestration import get_client

from benison_orchestration.prefect import NotBlessedError, evaluate

FOLDER = os.environ["PROBES"]
ROOT = f"{FOLDER}/evaluations"
TRIES: list[str] = []


def spec(bound: float, **more: Any) -> dict[str, Any]:
    auc = {"class_name": "AUC", "threshold": {"value_threshold": {"lower_bound": bound}}}
    config = {
        "model_specs": [{"label_key": "label", "prediction_key": "prediction"}],
        "slicing_specs": [{}, {"feature_keys": ["company"]}],
        "metrics_specs": [{"metrics": [auc]}],
    }
    return {"examples": f"{FOLDER}/eval.parquet", "config": config, **more}


@flow(name="taxi")
def judge() -> dict[str, Any]:
    thrice = evaluate.with_options(retries=2, retry_delay_seconds=0)
    states = {
        "good": evaluate(spec(0.6), output_root=ROOT, return_state=True),
        "bad": evaluate(spec(0.999), output_root=ROOT, return_state=True),
        "failed": thrice(spec(0.999), "fail", ROOT, return_state=True),
        "wrong": thrice(json.dumps(spec(0.6, examples="nowhere.parquet")), output_root=ROOT, return_state=True),
    }  # fmt: skip
    mapped = evaluate.map([spec(0.6), spec(0.999)], output_root=ROOT).result()
    return {"states": states, "mapped": mapped}


async def on_server(run_ids: list[Any]) -> dict[str, Any]:
    """What the server has of the tasks: their tries, and the pages."""
    async with get_client() as client:
        runs = [await client.read_task_run(each) for each in run_ids]
        artifacts = await client.read_artifacts()
    pages = [artifact.data for artifact in artifacts if artifact.type == "markdown"]
    keys = {artifact.key for artifact in artifacts}
    return {"keys": sorted(keys), "tries": [run.run_count for run in runs], "pages": pages}


def main() -> None:
    done = judge()
    states = done["states"]
    results = {name: state.result(raise_on_failure=False) for name, state in states.items()}
    shown = {
        name: result if isinstance(result, dict) else [type(result).__name__, str(result)]
        for name, result in results.items()
    }
    assert isinstance(results["failed"], NotBlessedError)
    ids = [state.state_details.task_run_id for state in states.values()]
    server = asyncio.run(on_server(ids))
    document = {"results": shown, "mapped": done["mapped"], "pushed": _pushed(), **server}
    sys.stdout.write("\n" + json.dumps(document) + "\n")


def _pushed() -> list[str]:
    """What the page's flow pushes."""
    runpy.run_path(f"{FOLDER}/flows/train_and_push.py")
    runpy.run_path(f"{FOLDER}/flows/gated_flow.py", run_name="__main__")
    return [path.name for path in Path().glob("pushed for*")]


if __name__ == "__main__":
    main()
