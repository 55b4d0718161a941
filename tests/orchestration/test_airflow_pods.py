# SPDX-License-Identifier: Apache-2.0
"""The operator that evaluates in a pod, in Airflow 3 and 2, against a fake of Kubernetes that speaks its HTTP API.

Airflow's provider and Kubernetes' clients are real, and get to the fake by a kubeconfig; pods are processes of
this machine. What only a cluster has, such as images, nodes and volumes, is not tried here.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import benison
from tests.conftest import taxi_like
from tests.orchestration.airflow_host import (
    ENVIRONMENTS,
    Probed,
    Prober,
    rows,
    wait_for,
    with_long_names,
)
from tests.orchestration.kubernetes_api import serving
from tests.orchestration.kubernetes_pods import Cluster

DAGS = Path(__file__).parent / "dags"
PASSWORD = "open-sesame"
FATES = {
    "pod_again": "answer lost",
    "pod_ended": "let go",
    "pod_unknown": "answer lost",
    "pod_wrong_ended": "answer lost",
    "pod_gone": "gone",
    "pod_gone_deferred": "gone",
    "pod_evicted": "evicted",
    "pod_swept": "swept",
    "pod_late": "slow",
    "pod_late_deferred": "slow",
    "pod_pulled": "pulling",
    "pod_pulled_deferred": "pulling",
    "pod_left_deferred": "slow",
}
PLAIN = (
    "pod",
    "pod_deferred",
    "pod_wrong",
    "pod_wrong_deferred",
    "pod_long",
    "pod_secret",
    "pod_open",
    "pod_unwanted",
)
# The provider is the same on both; on Airflow 2 what goes through Airflow's own code is enough.
ON_2 = (
    *("pod", "pod_deferred", "pod_wrong_deferred", "pod_ended", "pod_secret", "pod_late"),
    "pod_unwanted",
)
RUN = {"3": (*PLAIN, *FATES), "2": ON_2}
ON_BOTH = pytest.mark.parametrize("pods", [*ENVIRONMENTS], indirect=True, scope="module")
ON_3 = pytest.mark.parametrize("pods", ["3"], indirect=True, scope="module")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_800)]


@dataclasses.dataclass
class Pods:
    """What the DAGs of an Airflow came to, and the cluster in which their pods were."""

    probed: Probed
    cluster: Cluster

    def asked_for(self, dag: str) -> list[dict[str, Any]]:
        """The pods of a DAG, as they were asked for."""
        labels = [body["metadata"]["labels"]["dag_id"] for body in self.cluster.created]
        return [body for body, of in zip(self.cluster.created, labels, strict=True) if of == dag]

    def markers(self, dag: str) -> list[str]:
        return [path.name for path in self.probed.folder.glob(f"{dag}/*/*BLESSED")]


@pytest.fixture(scope="module")
def pods(
    request: pytest.FixtureRequest, probe: Prober, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pods]:
    folder = tmp_path_factory.mktemp("data")
    pq.write_table(taxi_like(2_000), folder / "eval.parquet")
    with_long_names(folder / "eval.parquet", folder)
    cluster = Cluster({"the-secret": {"its-key": PASSWORD}}, FATES)
    env = {
        "KUBECONFIG": str(folder / "kubeconfig"),
        "AIRFLOW_CONN_STORE": f"mysql://me:{PASSWORD}@127.0.0.1:9/metadata",
        "AIRFLOW__WORKERS__API_RETRIES": "2",
        "AIRFLOW__WORKERS__API_RETRY_WAIT_MIN": "0.1",
    }
    with serving(cluster, folder / "kubeconfig"):
        version = request.param
        probed = probe(version, DAGS / "contained.py", folder, *RUN[version], **env)
        yield Pods(probed, cluster)


@ON_BOTH
@pytest.mark.parametrize("dag", ["pod", "pod_deferred"])
def test_in_a_pod(pods: Pods, dag: str) -> None:
    assert pods.probed.of(dag) == {"evaluate": "success", "push": "success"}
    verdict = pods.probed.verdict(dag)
    assert (verdict["status"], verdict["metrics"]["example_count"]) == ("blessed", 2_000)
    output, ours = Path(verdict["output"]), pods.probed.folder / "ours"
    data = pods.probed.folder / "eval.parquet"
    benison.evaluate(data, output / "config.json", output=ours, overwrite=True)
    assert rows(output) == rows(ours)
    assert [body["metadata"]["labels"]["dag_id"] for body in pods.asked_for(dag)] == [dag]


@ON_3
@pytest.mark.parametrize("dag", ["pod_wrong", "pod_wrong_deferred", "pod_wrong_ended"])
def test_a_pod_that_cannot_evaluate_fails_with_its_reason(pods: Pods, dag: str) -> None:
    """Whoever comes to know of it, nobody asks for a second pod."""
    assert pods.probed.of(dag) == {"evaluate": "failed", "push": "upstream_failed"}
    assert len(pods.asked_for(dag)) == 1  # of three
    lines = [n for n in pods.probed.log.splitlines() if "AirflowFailException: " in n]
    assert sum("nothing.parquet" in line for line in lines) >= 1


@ON_3
@pytest.mark.parametrize("dag", ["pod_again", "pod_ended"])
def test_a_second_try_goes_on_with_the_pod_of_the_first(pods: Pods, dag: str) -> None:
    """The answer to the first was lost; by the second, its pod has evaluated, or has ended and is not deferred."""
    assert pods.probed.of(dag) == {"evaluate": "success", "push": "success"}
    assert pods.probed.tries[dag, "evaluate"] == 2
    assert (len(pods.asked_for(dag)), pods.markers(dag)) == (1, ["BLESSED"])
    assert pods.probed.verdict(dag)["status"] == "blessed"


@pytest.mark.parametrize("pods", ["2"], indirect=True, scope="module")
def test_on_airflow_2_pods_end_as_on_3(pods: Pods) -> None:
    states = {dag: pods.probed.of(dag)["evaluate"] for dag in ("pod_wrong_deferred", "pod_ended")}
    assert states == {"pod_wrong_deferred": "failed", "pod_ended": "success"}
    assert [len(pods.asked_for(dag)) for dag in states] == [1, 1]
    assert pods.probed.of("pod_late")["evaluate"] == "failed"
    assert pods.markers("pod_late") == []


@ON_3
@pytest.mark.parametrize("dag", ["pod_gone", "pod_gone_deferred", "pod_evicted", "pod_swept"])
def test_a_pod_that_is_lost_is_tried_again(pods: Pods, dag: str) -> None:
    """Also one that had blessed, and was swept away before anybody has read what it says."""
    assert pods.probed.of(dag) == {"evaluate": "success", "push": "success"}
    assert pods.probed.tries[dag, "evaluate"] == 2
    assert (len(pods.asked_for(dag)), pods.markers(dag)) == (2, ["BLESSED"])


@ON_3
@pytest.mark.parametrize(
    "dag",
    [
        "pod_late",
        "pod_late_deferred",
        "pod_pulled",
        "pod_pulled_deferred",
        "pod_left_deferred",
    ],
)
def test_a_pod_for_which_nobody_waits_blesses_nothing(pods: Pods, dag: str) -> None:
    """Also one whose image is still pulled, and one that could not be deferred; all are to be kept."""
    assert pods.probed.of(dag) == {"evaluate": "failed", "push": "upstream_failed"}
    (body,) = pods.asked_for(dag)
    assert body["metadata"]["name"] not in pods.cluster.pods
    assert pods.markers(dag) == []


@ON_BOTH
@pytest.mark.parametrize("dag", ["pod_unwanted"])
def test_a_pod_whose_task_is_stopped_before_it_is_waited_for_blesses_nothing(
    pods: Pods, dag: str
) -> None:
    """It evaluates, and asks; nobody answers."""
    assert pods.probed.of(dag) == {"evaluate": "failed", "push": "upstream_failed"}
    (body,) = pods.asked_for(dag)
    pod = pods.cluster.pods[body["metadata"]["name"]]
    wait_for(pod.asks)
    assert (pod.ended.is_set(), pods.markers(dag)) == (False, [])


@ON_3
@pytest.mark.parametrize("dag", ["pod_unknown"])
def test_a_pod_of_which_its_only_try_does_not_know_is_deleted(pods: Pods, dag: str) -> None:
    assert pods.probed.of(dag) == {"evaluate": "failed", "push": "upstream_failed"}
    (body,) = pods.asked_for(dag)
    assert body["metadata"]["name"] not in pods.cluster.pods
    assert pods.markers(dag) == []


@ON_3
@pytest.mark.parametrize("dag", ["pod_long"])
def test_a_pod_takes_a_spec_that_is_longer_than_a_variable(pods: Pods, dag: str) -> None:
    assert pods.probed.of(dag) == {"evaluate": "success", "push": "success"}
    assert pods.probed.verdict(dag)["rows"] == 60 * 2_000


@ON_BOTH
@pytest.mark.parametrize("dag", ["pod_secret"])
def test_a_password_is_in_no_pod_no_log_and_no_database(pods: Pods, dag: str) -> None:
    (body,) = pods.asked_for(dag)
    assert "mysql://me@127.0.0.1:9/metadata" in json.dumps(body)
    env = {variable["name"]: variable for variable in body["spec"]["containers"][0]["env"]}
    asked = {"secretKeyRef": {"name": "the-secret", "key": "its-key"}}
    assert env["BENISON_METADATA_PASSWORD"]["valueFrom"] == asked
    assert "127.0.0.1:9" in pods.probed.log  # where no server is, so that the store was asked for
    database = (pods.probed.host.home / "airflow.db").read_bytes()
    for text in (json.dumps(body), pods.probed.log, database.decode(errors="replace")):
        assert (PASSWORD in text) is False


@ON_3
@pytest.mark.parametrize("dag", ["pod_open"])
def test_a_password_without_a_secret_starts_no_pod(pods: Pods, dag: str) -> None:
    assert pods.probed.of(dag) == {"evaluate": "failed", "push": "upstream_failed"}
    assert (pods.probed.tries[dag, "evaluate"], pods.asked_for(dag)) == (1, [])
    assert "secrets=[Secret('env', 'BENISON_METADATA_PASSWORD', SECRET, KEY)]" in pods.probed.log
