# SPDX-License-Identifier: Apache-2.0
"""The taxi DAG under a real scheduler: pushed, skipped, killed and tried again."""

from __future__ import annotations

import dataclasses
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import benison
from benison.lineage import history
from benison.lineage.store import Store
from benison_orchestration.airflow_spec import COMMAND
from tests.conftest import taxi_like
from tests.orchestration.airflow_host import (
    ROOT,
    SOURCES,
    AirflowDatabases,
    is_running,
    program,
    rows,
    wait_for,
)
from tests.orchestration.airflow_services import AirflowServices
from tests.orchestration.kubernetes_api import serving
from tests.orchestration.kubernetes_pods import Cluster

PIPELINES = ROOT / "pipelines"
DAGS = Path(__file__).parent / "dags"
SCHEDULED = ("common.py", "scheduled.py")
# The DAGs whose pods do not end, and in which state of the task they are ended.
PODS = {"pod_slow": "running", "pod_deferred_slow": "deferred"}
# The Python of the evaluations: for the run `stopped` it never comes to its work.
PYTHON = f"""case "$AIRFLOW_CTX_DAG_RUN_ID" in stopped*) sleep 300 & wait ;; esac
export PYTHONPATH={shlex.quote(SOURCES)}
exec {shlex.quote(sys.executable)} "$@"
"""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_800)]


@dataclasses.dataclass
class Taxi:
    """An Airflow with the DAG `taxi`, and a folder with data and models."""

    airflow: AirflowServices
    folder: Path
    metadata: str
    cluster: Cluster

    def trigger(self, run: str, candidate: str) -> None:
        conf = {"folder": str(self.folder), "candidate": candidate, "metadata": "benison_metadata"}
        self.airflow.trigger("taxi", run, **conf)

    def output(self, run: str) -> Path:
        return self.folder / "evaluations" / "taxi" / run / "evaluate" / "evaluation"

    def pushed(self) -> list[str]:
        serving = self.folder / "serving"
        return sorted(path.name for path in serving.iterdir()) if serving.exists() else []

    def evaluation(self, run: str) -> int:
        """The process that evaluates for a run, when there is one."""

        def find() -> int | None:
            for path in Path("/proc").glob("[0-9]*"):
                if self._evaluates(path, run):
                    return int(path.name)
            return None

        return wait_for(find)

    def _evaluates(self, process: Path, run: str) -> bool:
        try:
            is_benison = "\0".join(COMMAND[1:]).encode() in (process / "cmdline").read_bytes()
            of_run = f"\0AIRFLOW_CTX_DAG_RUN_ID={run}\0".encode()
            return is_benison and of_run in (process / "environ").read_bytes()
        except OSError:
            return False

    def slow(self) -> int:
        """The process of an evaluation that takes its time, when there is a new one."""
        pids = self.folder / "pids"

        def find() -> int | None:
            running = [int(pid) for pid in pids.read_text().split()] if pids.exists() else []
            return next(filter(is_running, running), None)

        return wait_for(find)

    def blessings(self, run: str) -> list[str]:
        """The verdicts of a run that the metadata store has."""
        try:
            known = history.blessings(Store.open(self.metadata), "taxi")
        except (
            benison.MetadataError
        ):  # there is no such pipeline: another process has the first tests
            return []
        return [blessing.status for blessing in known if blessing.uri == str(self.output(run))]


@pytest.fixture(scope="module")
def taxi(
    airflow_databases: AirflowDatabases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Taxi]:
    pytest.importorskip("tensorflow")
    folder, home = tmp_path_factory.mktemp("demo"), tmp_path_factory.mktemp("airflow")
    metadata = f"sqlite:///{home}/metadata.db?create=true"
    python = program(home / "a python", PYTHON)
    dags = home / "dags"
    dags.mkdir()
    for file in (PIPELINES / "taxi_airflow.py", *(DAGS / name for name in SCHEDULED)):
        (dags / file.name).symlink_to(file)
    airflow = AirflowServices(
        home,
        dags,
        AIRFLOW_CONN_BENISON_METADATA=metadata,
        BENISON_PYTHON=str(python),
        KUBECONFIG=str(home / "kubeconfig"),
        PROBES=str(folder),
    )
    cluster = Cluster({}, dict.fromkeys(PODS, "endless"))
    demo = [sys.executable, str(PIPELINES / "taxi_local.py"), "--output", str(folder)]
    making = subprocess.Popen(demo, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    pods = serving(cluster, home / "kubeconfig")
    with making, pods, airflow.running(airflow_databases):
        message = making.communicate(timeout=300)[0]
        assert making.returncode == 0, message.decode()
        # The demo takes no folder that holds anything else.
        pq.write_table(taxi_like(2_000), folder / "eval.parquet")
        program(folder / "slow python", 'echo $$ >>"$PROBES/pids"\nsleep 300 &\nwait\n')
        yield Taxi(airflow, folder, metadata, cluster)


@pytest.fixture(scope="module")
def judged(taxi: Taxi) -> dict[str, dict[str, str]]:
    """The states of the tasks of two runs, each of which judges a candidate."""
    before = taxi.pushed()
    taxi.trigger("worse", "candidate-1")
    taxi.trigger("better", "candidate-2")
    states = {run: taxi.airflow.finished("taxi", run) for run in ("worse", "better")}
    assert len(taxi.pushed()) == len(before) + 1
    return states


def test_push_runs_once_and_is_skipped_once(taxi: Taxi, judged: dict[str, dict[str, str]]) -> None:
    assert judged["worse"] == {"evaluate": "success", "push": "skipped"}
    assert judged["better"] == {"evaluate": "success", "push": "success"}
    pushed = Path(taxi.airflow.xcom("taxi", "better", "push"))
    assert (pushed.parent, pushed.name in taxi.pushed()) == (taxi.folder / "serving", True)

    verdict = taxi.airflow.xcom("taxi", "worse", "evaluate")
    assert verdict["status"] == "not_blessed"
    assert all("Blue Ribbon Taxi Association Inc." in reason for reason in verdict["reasons"])
    blessed = taxi.airflow.xcom("taxi", "better", "evaluate")
    assert (blessed["status"], blessed["run"]) == ("blessed", "taxi/better/evaluate")
    assert blessed["output"] == str(taxi.output("better"))

    events = taxi.airflow.get("assets/events")["asset_events"]
    (event,) = (event for event in events if event["source_run_id"] in judged)
    assert (event["uri"], event["source_run_id"]) == ("file:///models/taxi", "better")
    assert event["extra"]["model"] == str(taxi.folder / "models" / "candidate-2")
    links = taxi.airflow.get("dags/taxi/dagRuns/better/taskInstances/evaluate/links")
    report = (taxi.output("better") / "report.html").as_uri()
    assert links["extra_links"] == {"Benison report": report}


@pytest.mark.usefixtures("judged")
def test_the_metrics_are_those_of_the_demo(taxi: Taxi) -> None:
    # Which is benison.evaluate, on the same data and models.
    assert rows(taxi.output("worse")) == rows(taxi.folder / "candidate-1")
    assert rows(taxi.output("better")) == rows(taxi.folder / "candidate-2")


def test_a_task_that_is_killed_is_tried_again_and_blesses_once(taxi: Taxi) -> None:
    before = taxi.pushed()
    taxi.trigger("killed", "candidate-2")
    evaluation = taxi.evaluation("killed")
    os.kill(parent(evaluation), signal.SIGKILL)
    wait_for(lambda: not is_running(evaluation))
    assert not taxi.output("killed").exists()
    assert taxi.blessings("killed") == []

    assert taxi.evaluation("killed") != evaluation
    assert taxi.airflow.finished("taxi", "killed") == {"evaluate": "success", "push": "success"}
    assert taxi.airflow.xcom("taxi", "killed", "evaluate")["run"] == "taxi/killed/evaluate"
    assert benison.load_result(taxi.output("killed")).verdict.blessed
    assert taxi.blessings("killed") == ["blessed"]
    assert len(taxi.pushed()) == len(before) + 1


def test_a_task_that_is_stopped_ends_its_evaluation(taxi: Taxi) -> None:
    taxi.trigger("stopped", "candidate-2")
    evaluation = taxi.evaluation("stopped")
    taxi.airflow.fail("taxi", "stopped", "evaluate")
    wait_for(lambda: not is_running(evaluation))
    states = taxi.airflow.finished("taxi", "stopped")
    assert states == {"evaluate": "failed", "push": "upstream_failed"}
    assert not taxi.output("stopped").exists()
    assert taxi.blessings("stopped") == []


def test_of_several_candidates_the_best_is_pushed(taxi: Taxi) -> None:
    before = taxi.pushed()
    taxi.airflow.trigger("taxi_candidates", "several", folder=str(taxi.folder))
    assert set(taxi.airflow.finished("taxi_candidates", "several").values()) == {"success"}
    (version,) = set(taxi.pushed()) - set(before)
    pushed, judged = taxi.folder / "serving" / version, taxi.folder / "models" / "candidate-2"
    assert [path.name for path in pushed.rglob("*")] == [path.name for path in judged.rglob("*")]
    output = taxi.folder / "evaluations" / "taxi_candidates" / "several" / "judge"
    assert rows(output / "1") == rows(taxi.folder / "candidate-2")


def test_a_deferred_evaluation_goes_on_where_it_left_off(taxi: Taxi) -> None:
    taxi.airflow.trigger("deferred", "one")
    states = taxi.airflow.finished("deferred", "one")
    assert states == {"evaluate": "success", "push": "success"}
    verdict = taxi.airflow.xcom("deferred", "one", "evaluate")
    assert (verdict["status"], verdict["metrics"]["example_count"]) == ("blessed", 2_000)


def test_a_deferred_task_that_is_stopped_ends_its_evaluation(taxi: Taxi) -> None:
    taxi.airflow.trigger("deferred_slow", "stopped")
    pid = taxi.slow()
    taxi.airflow.fail("deferred_slow", "stopped", "evaluate")
    wait_for(lambda: not is_running(pid))
    assert taxi.airflow.finished("deferred_slow", "stopped") == {"evaluate": "failed"}


@pytest.mark.parametrize(("dag", "state"), PODS.items())
def test_a_task_that_is_stopped_ends_its_pod(taxi: Taxi, dag: str, state: str) -> None:
    """By its worker, or by the triggerer; Kubernetes is a fake that speaks its HTTP API."""
    taxi.airflow.trigger(dag, "stopped")
    task = f"dags/{dag}/dagRuns/stopped/taskInstances/evaluate"
    wait_for(lambda: taxi.cluster.pods and taxi.airflow.get(task)["state"] == state)
    (pod,) = taxi.cluster.pods.values()
    wait_for(lambda: pod.process)
    before = len(taxi.cluster.asked)
    wait_for(lambda: taxi.cluster.asked[before:])  # so that there is somebody who waits for it
    taxi.airflow.fail(dag, "stopped", "evaluate")
    wait_for(lambda: not taxi.cluster.pods)
    assert pod.process is not None
    assert pod.process.poll() is not None
    assert taxi.airflow.finished(dag, "stopped") == {"evaluate": "failed"}


@pytest.mark.parametrize("dag", ["late", "deferred_late"])
def test_a_task_whose_time_is_over_ends_its_evaluation(taxi: Taxi, dag: str) -> None:
    taxi.airflow.trigger(dag, "one")
    pid = taxi.slow()
    assert taxi.airflow.finished(dag, "one") == {"evaluate": "failed"}
    assert not is_running(pid)


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
