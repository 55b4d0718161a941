# SPDX-License-Identifier: Apache-2.0
"""Assets of which each has a check; run as a program, it makes them and those of the page, and prints what came of it as JSON."""

from __future__ import annotations

import json
import os
import runpy
from pathlib import Path
from typing import Any

import dagster as dg

from benison_orchestration.dagster import evaluation_check

FOLDER = os.environ["PROBES"]


def spec(bound: float, **more: Any) -> dict[str, Any]:
    auc = {"class_name": "AUC", "threshold": {"value_threshold": {"lower_bound": bound}}}
    config = {
        "model_specs": [{"label_key": "label", "prediction_key": "prediction"}],
        "slicing_specs": [{}, {"feature_keys": ["company"]}],
        "metrics_specs": [{"metrics": [auc]}],
    }
    return {"examples": f"{FOLDER}/eval.parquet", "config": config, **more}


def trained(name: str, given: Any, **options: Any) -> list[Any]:
    """A model, its check, and what is made of it."""

    @dg.asset(name=name)
    def model() -> None: ...

    @dg.asset(name=f"served_{name}", deps=[model])
    def served() -> None: ...

    check = evaluation_check(
        asset=model, spec=given, output_root=f"{FOLDER}/evaluations", **options
    )
    return [model, served, check]


RETRIED = {"retry_policy": dg.RetryPolicy(max_retries=2)}
MODELS = [
    *trained("good", spec(0.6)),
    *trained("bad", lambda _context: spec(0.999)),
    *trained("warned", spec(0.999), blocking=False),
    *trained("wrong", json.dumps(spec(0.6, examples="nowhere.parquet")), **RETRIED),
]
defs = dg.Definitions(
    assets=[each for each in MODELS if not isinstance(each, dg.AssetChecksDefinition)],
    asset_checks=[each for each in MODELS if isinstance(each, dg.AssetChecksDefinition)],
)


def main() -> None:
    runpy.run_path(f"{FOLDER}/flows/assets.py")
    job = defs.resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        done = job.execute_in_process(instance=instance, raise_on_error=False)
    made = [event.asset_key.to_user_string() for event in done.get_asset_materialization_events()]
    checks = [_fields(evaluation) for evaluation in done.get_asset_check_evaluations()]
    failed = [e for e in done.all_events if e.event_type_value == "STEP_FAILURE"]
    errors = {e.step_key: e.step_failure_data.error.to_string() for e in failed}
    pushed = [_pushed(bound) for bound in ("1.1", "0.9")]
    tries = [e.step_key for e in done.all_events if e.event_type_value == "STEP_RESTARTED"]
    print(
        json.dumps(
            {"made": made, "checks": checks, "errors": errors, "again": tries, "pushed": pushed}
        )
    )


def _pushed(bound: str) -> bool:
    """Whether the page's assets push at a bound."""
    os.environ["BOUND"] = bound
    page = runpy.run_path(f"{FOLDER}/flows/gated_assets.py")["defs"]
    job = page.resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        done = job.execute_in_process(instance=instance, raise_on_error=False)
    pushed = Path("pushed.csv").exists()
    assert done.success == pushed
    return pushed


def _fields(evaluation: Any) -> dict[str, Any]:
    metadata = {name: value.value for name, value in evaluation.metadata.items()}
    fields = {"asset": evaluation.asset_key.to_user_string(), "passed": evaluation.passed}
    return {**fields, "text": evaluation.description, "metadata": metadata}


if __name__ == "__main__":
    main()
