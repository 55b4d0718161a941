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

import pytest

import benison
from benison.lineage import history
from benison.lineage.store import Store
from tests.orchestration.airflow_host import ROOT, is_running, rows, wait_for
from tests.orchestration.airflow_services import AirflowServices

PIPELINES = ROOT / "pipelines"
# The Python of the evaluations: for the run `stopped` it never comes to its work.
PYTHON = f"""#!/bin/sh
case "$BENISON_SPEC" in *evaluations/stopped*) sleep 300 & wait ;; esac
exec {shlex.quote(sys.executable)} "$@"
"""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@dataclasses.dataclass
class Taxi:
    """An Airflow with the DAG `taxi`, and a folder with data and models."""

    airflow: AirflowServices
    folder: Path
    metadata: str

    def trigger(self, run: str, candidate: str) -> None:
        conf = {"folder": str(self.folder), "candidate": candidate, "metadata": "benison_metadata"}
        self.airflow.trigger("taxi", run, **conf)

    def output(self, run: str) -> Path:
        return self.folder / "evaluations" / run

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
            is_benison = b"\0-m\0benison\0" in (process / "cmdline").read_bytes()
            return (
                is_benison and str(self.output(run)).encode() in (process / "environ").read_bytes()
            )
        except OSError:
            return False

    def blessings(self, run: str) -> list[str]:
        """The verdicts of a run that the metadata store has."""
        found = history.blessings(Store.open(self.metadata), "taxi")
        return [blessing.status for blessing in found if blessing.uri == str(self.output(run))]


@pytest.fixture(scope="module")
def taxi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Taxi]:
    pytest.importorskip("tensorflow")
    folder, home = tmp_path_factory.mktemp("demo"), tmp_path_factory.mktemp("airflow")
    metadata = f"sqlite:///{home}/metadata.db?create=true"
    python = home / "a python"
    python.write_text(PYTHON)
    python.chmod(0o755)
    airflow = AirflowServices(
        home,
        PIPELINES,
        AIRFLOW_CONN_BENISON_METADATA=metadata,
        BENISON_PYTHON=str(python),
    )
    demo = [sys.executable, str(PIPELINES / "taxi_local.py"), "--output", str(folder)]
    making = subprocess.Popen(demo, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    with making, airflow.running():
        said = making.communicate(timeout=300)[0]
        assert making.returncode == 0, said.decode()
        yield Taxi(airflow, folder, metadata)


def test_push_runs_once_and_is_skipped_once(taxi: Taxi) -> None:
    taxi.trigger("worse", "candidate-1")
    taxi.trigger("better", "candidate-2")
    assert taxi.airflow.finished("taxi", "worse") == {"evaluate": "success", "push": "skipped"}
    assert taxi.airflow.finished("taxi", "better") == {"evaluate": "success", "push": "success"}
    assert taxi.pushed() == ["1"]
    assert taxi.airflow.xcom("taxi", "better", "push") == str(taxi.folder / "serving" / "1")

    verdict = taxi.airflow.xcom("taxi", "worse", "evaluate")
    assert verdict["status"] == "not_blessed"
    assert all("Blue Ribbon Taxi Association Inc." in reason for reason in verdict["reasons"])
    blessed = taxi.airflow.xcom("taxi", "better", "evaluate")
    assert (blessed["status"], blessed["run"]) == ("blessed", "taxi/better/evaluate/-1")
    assert blessed["output"] == str(taxi.output("better"))

    (event,) = taxi.airflow.get("assets/events")["asset_events"]
    assert (event["uri"], event["source_run_id"]) == ("file:///models/taxi", "better")
    assert event["extra"]["model"] == str(taxi.folder / "models" / "candidate-2")
    links = taxi.airflow.get("dags/taxi/dagRuns/better/taskInstances/evaluate/links")
    report = (taxi.output("better") / "report.html").as_uri()
    assert links["extra_links"] == {"Benison report": report}


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
    assert taxi.airflow.xcom("taxi", "killed", "evaluate")["run"] == "taxi/killed/evaluate/-1"
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


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
