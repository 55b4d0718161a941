# SPDX-License-Identifier: Apache-2.0
"""What Airflow 3 and 2 record, wait for, decide and check: the metadata store, and OpenLineage."""

from __future__ import annotations

import json
import pickle
import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from sklearn.linear_model import LogisticRegression

import benison
from benison import lineage
from tests.conftest import taxi_like
from tests.object_store import Bucket
from tests.orchestration.airflow_host import ENVIRONMENTS, Probed, Prober, program

DAGS = Path(__file__).parent / "dags"
# Both kinds of store, each with one of the versions.
STORES = {"3": "sql+sqlite", "2": "sqlite"}
LOGIN = {"AWS_ACCESS_KEY_ID": "ada", "AWS_SECRET_ACCESS_KEY": "open-sesame"}
SPY = """cat >"$PROBES/given.json"
echo "$BENISON_METADATA_PASSWORD $STORE_PASSWORD" >"$PROBES/given.password"
exit 2
"""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_800)]


def url(version: str, folder: Path) -> str:
    return f"{STORES[version]}:///{folder}/metadata.db?create=true"


@pytest.fixture(scope="module", params=ENVIRONMENTS)
def probed(
    request: pytest.FixtureRequest, probe: Prober, tmp_path_factory: pytest.TempPathFactory
) -> Probed:
    folder = tmp_path_factory.mktemp("store")
    trips = taxi_like(2_000)
    pq.write_table(trips, folder / "eval.parquet")
    frame = trips.to_pandas()
    model = LogisticRegression().fit(frame[["prediction"]], frame["label"])
    (folder / "model.pkl").write_bytes(pickle.dumps(model))
    program(folder / "spy", SPY)
    server, name = request.getfixturevalue("s3"), f"airflow-{request.param}"
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in LOGIN.items():
            patch.setenv(variable, value)
        bucket = Bucket(server, name)
        bucket.upload(folder / "eval.parquet", "eval.parquet")
    env = {
        "STORED": f"{bucket.address}/{{}}{bucket.query}&region=us-east-1",
        "AIRFLOW_CONN_S3": "aws://ada:open-sesame@",
        "AIRFLOW_CONN_STORE": url(request.param, folder),
        "AIRFLOW_CONN_SERVER": "mysql://me:open-sesame@db/metadata",
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(
            {"type": "file", "log_file_path": str(folder / "lineage.json"), "append": True}
        ),
    }
    return probe(request.param, DAGS / "store.py", folder, **env)


def test_a_model_is_waited_for_blessed_verified_and_revoked(probed: Probed) -> None:
    assert probed.of("decided") == {
        "evaluate": "success",
        "refused": "failed",
        "not_yet": "skipped",
        "bless": "success",
        "by_now": "success",
        "verify": "success",
        "revoke": "success",
        "no_more": "failed",
    }
    assert probed.tries["decided", "refused"] == probed.tries["decided", "no_more"] == 1
    assert "is not blessed" in probed.log


def test_decisions_are_on_record_with_who_and_why(probed: Probed) -> None:
    store = lineage.connect(url(probed.host.version, probed.folder))
    newest, judged = store.blessings("decided", 10)
    run = probed.verdict("decided")["run"].split("/")[1]
    overridden = f"overridden by ada until 2999-01-31T00:00:00+00:00: --labels were late in {run}"
    assert probed.host.xcoms()["decided", "bless", -1]["note"] == overridden
    revoked, _, before = newest.note.partition("; before that ")
    assert re.fullmatch(r"revoked by ada on \S+ at \S+ UTC: wrong", revoked)
    assert before == overridden
    assert (newest.status, judged.status) == ("not_blessed", "not_blessed")
    blessing = probed.host.xcoms()["decided", "by_now", -1]
    assert (blessing["status"], blessing["model"]) == ("blessed", str(probed.folder / "model.pkl"))


def test_a_run_is_recorded_under_the_key_of_its_task_instance(probed: Probed) -> None:
    output = probed.verdict("decided")["output"]
    manifest = json.loads((Path(output) / "manifest.json").read_text())
    key = [manifest["lineage"][name] for name in ("pipeline", "run", "task", "map_index")]
    assert key == ["decided", Path(output).name, "evaluate", None]
    assert probed.verdict("decided")["run"] == "/".join(key[:3])


def test_an_output_that_was_changed_is_not_verified(probed: Probed) -> None:
    states = probed.of("changed")
    assert [states[task] for task in ("waited", "whole", "change", "broken")] == [
        *("success", "success", "success", "failed")
    ]
    assert probed.tries["changed", "broken"] == 1
    assert "report.html was changed after it was written" in probed.log


def test_what_is_not_there_yet_is_waited_for(probed: Probed) -> None:
    assert set(probed.of("nobody").values()) == {"skipped"}
    assert len(probed.of("nobody")) == 4


def test_a_password_reaches_the_process_and_no_spec(probed: Probed) -> None:
    assert probed.of("secret") == {"evaluate": "failed"}
    given = (probed.folder / "given.json").read_text()
    assert json.loads(given)["metadata"] == "mysql://me@db/metadata"
    assert (probed.folder / "given.password").read_text() == "open-sesame open-sesame\n"
    assert "open-sesame" not in given + probed.log
    for table in ("rendered_task_instance_fields", "xcom"):
        assert "open-sesame" not in str(probed.host.ask(f"SELECT * FROM {table}"))


def test_data_and_output_may_be_on_a_store_whose_login_is_a_connection(
    probed: Probed, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert probed.of("stored") == {"evaluate": "success"}
    for variable, value in LOGIN.items():
        monkeypatch.setenv(variable, value)
    result = benison.load_result(probed.verdict("stored")["output"])
    ours = benison.evaluate(probed.folder / "eval.parquet", result.config)
    assert str(result.metrics.to_pydict()) == str(ours.metrics.to_pydict())
    rendered = str(probed.host.ask("SELECT * FROM rendered_task_instance_fields"))
    assert "AWS_SECRET_ACCESS_KEY" in rendered
    assert "open-sesame" not in rendered + probed.log


def test_openlineage_hears_of_data_model_checks_and_verdict(probed: Probed) -> None:
    event = _completed(probed, "decided.evaluate")
    verdict = probed.verdict("decided")
    folder = str(probed.folder)
    inputs = {each["name"]: each for each in event["inputs"]}
    assert inputs.keys() == {f"{folder}/eval.parquet", f"{folder}/model.pkl"}
    rows = inputs[f"{folder}/eval.parquet"]["inputFacets"]["dataQualityMetrics"]["rowCount"]
    assert rows == 2_000
    assert verdict["output"] in {each["name"] for each in event["outputs"]}
    facets = event["run"]["facets"]
    assert facets["benison"]["status"] == "not_blessed"
    assert facets["benison"]["metrics"] == verdict["metrics"]
    blessing, *checks = facets["test"]["tests"]
    assert (blessing["name"], blessing["status"]) == ("blessing", "fail")
    result = benison.load_result(verdict["output"])
    assert [each["actual"] for each in checks] == [str(c.value) for c in result.verdict.failures]


def _completed(probed: Probed, job: str) -> Any:
    lines = (probed.folder / "lineage.json").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    return next(
        event
        for event in events
        if event["job"]["name"] == job and event["eventType"] == "COMPLETE"
    )
