# SPDX-License-Identifier: Apache-2.0
"""Small DAGs around a metadata store: what is recorded, waited for, decided and checked there."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import DAG, task
from common import APART, FOLDER, THRICE, run, spec

from benison_orchestration.airflow import (
    AlertSensor,
    BlessedSensor,
    BlessOperator,
    EvaluatorOperator,
    RevokeOperator,
    VerifyOperator,
)

MODEL = str(FOLDER / "model.pkl")
OUTPUT = "{{ ti.xcom_pull('evaluate')['output'] }}"
STORE: dict[str, Any] = {"metadata_conn_id": "store", **APART}
SOON: dict[str, Any] = {"poke_interval": 0.1, "timeout": 600}


def with_model(bound: float) -> dict[str, Any]:
    given = spec(bound, model=MODEL, trust_pickle=True)
    given["config"]["model_specs"] = [{"label_key": "label"}]
    return given


with DAG("decided", schedule=None) as decided:
    evaluate = EvaluatorOperator(
        task_id="evaluate", spec=with_model(0.99), on_not_blessed="continue", **STORE
    )
    refused = VerifyOperator(task_id="refused", evaluation=OUTPUT, **APART, **THRICE)
    not_yet = BlessedSensor(task_id="not_yet", model=MODEL, on_not_blessed="skip", **STORE, **SOON)
    bless = BlessOperator(
        task_id="bless",
        target=OUTPUT,
        by="ada",
        reason="--labels were late in {{ run_id }}",
        until="2999-01-31",
        trigger_rule="all_done",
        **STORE,
    )
    by_now = BlessedSensor(task_id="by_now", model=MODEL, **STORE, **SOON)
    verify = VerifyOperator(task_id="verify", evaluation=OUTPUT, model=MODEL, **STORE)
    revoke = RevokeOperator(task_id="revoke", target=MODEL, by="ada", reason="wrong", **STORE)
    no_more = BlessedSensor(
        task_id="no_more", model=OUTPUT, on_not_blessed="fail", **STORE, **SOON, **THRICE
    )
    evaluate >> [refused, not_yet] >> bless >> by_now >> verify >> revoke >> no_more

with DAG("changed", schedule=None) as changed:

    @task
    def change(output: str) -> None:
        with Path(output, "report.html").open("a") as report:
            report.write("<!-- better -->")

    evaluate = EvaluatorOperator(task_id="evaluate", spec=spec(0.5))
    waited = BlessedSensor(task_id="waited", evaluation=OUTPUT, **SOON)
    whole = VerifyOperator(task_id="whole", evaluation=OUTPUT)
    broken = VerifyOperator(task_id="broken", evaluation=OUTPUT, **THRICE)
    evaluate >> waited >> whole >> change(OUTPUT) >> broken

with DAG("nobody", schedule=None) as nobody:
    once: dict[str, Any] = {"poke_interval": 0.1, "timeout": 0, "soft_fail": True}
    BlessedSensor(task_id="pipeline", model=MODEL, pipeline="nobody", **STORE, **once)
    BlessedSensor(task_id="output", evaluation=str(FOLDER / "nowhere"), **once)
    # A store of no server, which may be back.
    away = "gs://anonymous@b/x?endpoint_override=127.0.0.1:9&scheme=http&retry_limit_seconds=0.1"
    BlessedSensor(task_id="away", evaluation=away, **once)
    AlertSensor(task_id="alert", evaluations=away, **once)

# The process leaves what it was given, and fails.
with DAG("secret", schedule=None) as secret:
    EvaluatorOperator(
        task_id="evaluate",
        spec=spec(0.5),
        metadata_conn_id="server",
        python=str(FOLDER / "spy"),
        env={"STORE_PASSWORD": "{{ conn.server.password }}"},
        append_env=True,
    )

# On an object store, whose login is a connection of Airflow's.
with DAG("stored", schedule=None) as stored:
    at = os.environ["STORED"].format
    login = {
        "AWS_ACCESS_KEY_ID": "{{ conn.s3.login }}",
        "AWS_SECRET_ACCESS_KEY": "{{ conn.s3.password }}",
    }
    EvaluatorOperator(
        task_id="evaluate",
        spec=spec(0.5, examples=at("eval.parquet"), output=at("out")),
        **{**APART, "env": {**APART["env"], **login}},
    )

ALL = (decided, changed, nobody, secret, stored)

if __name__ == "__main__":
    names = sys.argv[1:] or [dag.dag_id for dag in ALL]
    run(*(dag for dag in ALL if dag.dag_id in names))
