# SPDX-License-Identifier: Apache-2.0
"""The fake of Kubernetes answers Kubernetes' own client as a cluster does."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.orchestration.kubernetes_api import serving
from tests.orchestration.kubernetes_pods import Cluster

kubernetes = pytest.importorskip("kubernetes")


@dataclasses.dataclass
class Asked:
    """A cluster, and the client that asks it."""

    cluster: Cluster
    api: Any

    def create(self, name: str = "a-pod", program: str = "print('done')", **spec: Any) -> Any:
        container = {"name": "base", "image": "any", "command": [sys.executable, "-c", program]}
        body = {"metadata": {"name": name, "labels": {"of": name}}}
        return self.api.create_namespaced_pod(
            "default", {**body, "spec": {"containers": [container | spec]}}
        )

    def phases(self, since: str, last: str) -> list[tuple[str, str]]:
        """What is seen of pods after a version, until a phase."""
        seen = []
        watch = kubernetes.watch.Watch()
        for event in watch.stream(
            self.api.list_namespaced_pod, "default", resource_version=since, timeout_seconds=60
        ):
            seen.append((event["type"], event["object"].status.phase))
            if last in seen[-1]:
                watch.stop()
        return seen


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Asked]:
    cluster = Cluster()
    path = tmp_path / "kubeconfig"
    with serving(cluster, path), kubernetes.config.new_client_from_config(str(path)) as client:
        yield Asked(cluster, kubernetes.client.CoreV1Api(client))


def refused(act: Any, *words: Any, **more: Any) -> tuple[int, str]:
    """The code and the reason of an answer that is no success."""
    with pytest.raises(kubernetes.client.ApiException) as error:
        act(*words, **more)
    return error.value.status, error.value.reason


def test_a_pod_lives_and_its_log_and_events_are_kept(asked: Asked) -> None:
    since = asked.api.list_namespaced_pod("default").metadata.resource_version
    asked.create()
    phases = asked.phases(since, "Succeeded")
    assert (phases[0], phases[-1]) == (("ADDED", "Pending"), ("MODIFIED", "Succeeded"))
    assert ("MODIFIED", "Running") in phases
    assert asked.api.read_namespaced_pod_log("a-pod", "default", follow=True) == "done\n"
    events = asked.api.list_namespaced_event("default", field_selector="involvedObject.name=a-pod")
    assert [event.reason for event in events.items] == ["Scheduled", "Started"]
    selected = {
        selector: len(asked.api.list_namespaced_pod("default", label_selector=selector).items)
        for selector in ("of=a-pod", "of!=a-pod", "!of", "of=another,!more")
    }
    assert selected == {"of=a-pod": 1, "of!=a-pod": 0, "!of": 0, "of=another,!more": 0}


def test_what_a_cluster_refuses(asked: Asked) -> None:
    program = "import time; time.sleep(60)"
    asked.create(program=program)
    assert refused(asked.create)[0] == 409
    assert refused(asked.create, "No Name")[0] == 422
    assert refused(asked.api.read_namespaced_pod, "another", "default")[0] == 404
    asked.api.delete_namespaced_pod("a-pod", "default")
    assert asked.phases("0", "DELETED")[-1][0] == "DELETED"
    assert refused(asked.api.delete_namespaced_pod, "a-pod", "default")[0] == 404
    asked.cluster.compact()
    assert refused(asked.phases, "1", "never")[0] == 410
    asked.api.api_client.configuration.api_key = {}
    assert refused(asked.api.list_namespaced_pod, "default")[0] == 401


def test_a_secret_that_is_not_there_starts_nothing(asked: Asked) -> None:
    source = {"secretKeyRef": {"name": "none", "key": "none"}}
    asked.create(env=[{"name": "PASSWORD", "valueFrom": source}])
    asked.phases("0", "Pending")
    events = asked.api.list_namespaced_event("default").items
    assert [event.type for event in events if event.reason == "Started"] == []
