# SPDX-License-Identifier: Apache-2.0
"""The state behind the fake of Kubernetes: pods, whose first container is a process of this machine, and events.

The process has the pod's environment and no other; the containers beside it only wait until they are killed.
"""

from __future__ import annotations

import contextlib
import copy
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benison_orchestration.host_permission import ASKS, PERMISSION
from tests.orchestration.airflow_host import wait_for

Json = dict[str, Any]
FATES = ("answer lost", "let go", "gone", "evicted", "swept", "slow", "pulling", "endless")
"""What may befall the first pod of a DAG: it is made but the answer is lost, also after it was let publish, its
node goes, it is evicted, it is swept away as soon as somebody has seen its end, its process begins its work late, its
image is pulled for long, or its process never begins."""
LOST = ("answer lost", "let go")
_LATE_SECONDS = {"slow": 4, "endless": 3_600}
_PULL_SECONDS = 6
_NAME = r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?"
_LABEL = r"(([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9])?"


class RefusedError(Exception):
    """An answer that is no success."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        failed = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        self.status = {**failed, "code": code, "reason": reason, "message": message}


class Pod:
    """A pod, and the process in it."""

    def __init__(self, body: Json, fate: str) -> None:
        self.body, self.fate = body, fate
        self.metadata: Json = body["metadata"]
        self.base, *self.beside = body["spec"]["containers"]
        self.folder = Path(tempfile.mkdtemp(prefix="benison-pod-"))
        self.lines: list[tuple[float, str]] = []
        self.process: subprocess.Popen[str] | None = None
        self.ended, self.killed = threading.Event(), threading.Event()
        """Whether the first container has ended, and whether those beside it have."""

    def here(self, text: str) -> str:
        """A text of the pod's, with folders of this machine in place of its empty volumes."""
        for mount in self.base.get("volumeMounts", ()):
            folder = self.folder / mount["name"]
            folder.mkdir(exist_ok=True)
            text = text.replace(mount["mountPath"], str(folder))
        return text

    def run(self, env: Mapping[str, str]) -> int:
        """Run the first container to its end; its exit code."""
        seconds = _LATE_SECONDS.get(self.fate, 0)
        command = [*self.base.get("command", ()), *self.base.get("args", ())]
        if seconds:
            command = ["sh", "-c", f'sleep {seconds}; exec "$@"', "sh", *command]
        self.process = subprocess.Popen(
            command,
            env={name: self.here(value) for name, value in env.items()},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        return self._end_of(self.process)

    def _end_of(self, process: subprocess.Popen[str]) -> int:
        assert process.stdout is not None
        with process.stdout as stdout:
            for line in stdout:
                self.lines.append((time.time(), line))
        code = process.wait()
        return 128 - code if code < 0 else code

    def asks(self) -> bool:
        """Whether it has evaluated, and asks whether it may publish."""
        return any(ASKS in line for _, line in self.lines)

    def evaluate(self) -> None:
        """Wait until it has evaluated; until its end, if somebody has let it publish."""
        wait_for(lambda: self.asks() or self.ended.is_set(), 60)
        if self.fate == "let go" and not self.ended.is_set():
            (file,) = (each["value"] for each in self.base["env"] if each["name"] == PERMISSION)
            Path(self.here(file)).touch()
            self.ended.wait(60)

    def kill(self, number: int = signal.SIGKILL) -> None:
        if self.process is not None and self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)

    def message(self) -> str:
        """The last of its words, as a kubelet keeps them of a container that has failed."""
        if self.base.get("terminationMessagePolicy") != "FallbackToLogsOnError":
            return ""
        return "".join(line for _, line in self.lines)[-2048:]


class Cluster:
    """The state behind the API.

    Args:
        secrets: Secrets by name, each with its keys.
        fates: What befalls the first pod of a DAG; of `FATES`.
    """

    def __init__(
        self,
        secrets: Mapping[str, Mapping[str, str]] | None = None,
        fates: Mapping[str, str] | None = None,
    ) -> None:
        self.secrets = secrets or {}
        self.fates = dict(fates or {})
        self.pods: dict[str, Pod] = {}
        self.created: list[Json] = []
        """Each pod as it was asked for."""
        self.asked: list[str] = []
        self.events: list[Json] = []
        self._changes: list[tuple[int, str, Json]] = []
        self._version = self._oldest = 0
        self._changed = threading.Condition(threading.RLock())

    def of(self, dag: str) -> list[Json]:
        """The pods that were asked for by a DAG."""
        return [body for body in self.created if body["metadata"]["labels"]["dag_id"] == dag]

    def compact(self) -> None:
        """Forget all changes, as a cluster does after some minutes."""
        with self._changed:
            self._oldest = self._version

    def create(self, namespace: str, body: Json) -> Pod:
        metadata = body["metadata"]
        name = metadata["name"]
        labels = metadata.get("labels", {})
        wrong = [v for v in labels.values() if not re.fullmatch(_LABEL, v)]
        if wrong or not re.fullmatch(_NAME, name):
            raise RefusedError(422, "Invalid", f'Pod "{name}" is invalid: {wrong or name}')
        with self._changed:
            if name in self.pods:
                raise RefusedError(409, "AlreadyExists", f'pods "{name}" already exists')
            self.created.append(copy.deepcopy(body))
            metadata |= {"namespace": namespace, "uid": f"pod-{len(self.created)}"}
            metadata["creationTimestamp"] = now()
            pod = self.pods[name] = Pod(body, self.fates.pop(labels.get("dag_id", ""), ""))
            self._show(pod, "Pending", "ADDED")
        threading.Thread(target=self._live, args=(pod,), daemon=True).start()
        return pod

    def named(self, name: str) -> Pod:
        pod = self.pods.get(name)
        if pod is None:
            raise RefusedError(404, "NotFound", f'pods "{name}" not found')
        return pod

    def delete(self, pod: Pod, grace: float) -> None:
        """End a pod, which is there until its process has ended."""
        pod.metadata["deletionTimestamp"] = now()
        self._note("MODIFIED", pod.body)
        self._say(pod, "Killing", "Stopping container base")
        pod.kill(signal.SIGTERM)
        pod.killed.set()
        timer = threading.Timer(grace, pod.kill)
        timer.daemon = True
        timer.start()
        if pod.process is None or pod.ended.is_set():
            self.remove(pod)

    def remove(self, pod: Pod) -> None:
        """Have a pod no more, nor its process."""
        pod.kill()
        pod.killed.set()
        with self._changed:
            if self.pods.pop(pod.metadata["name"], None) is not None:
                self._note("DELETED", pod.body)
        shutil.rmtree(pod.folder, ignore_errors=True)

    def listed(self, kind: str, selected: Callable[[Json], bool]) -> Json:
        with self._changed:
            items = self.events if kind == "Event" else [p.body for p in self.pods.values()]
            chosen = [copy.deepcopy(item) for item in items if selected(item)]
            version = {"resourceVersion": str(self._version)}
        return {"kind": f"{kind}List", "apiVersion": "v1", "metadata": version, "items": chosen}

    def check_version(self, since: int) -> None:
        """Refuse to tell what happens after a version that is forgotten."""
        if since < self._oldest:
            raise RefusedError(410, "Expired", f"too old resource version: {since}")

    def changes(
        self, since: int, seconds: float, selected: Callable[[Json], bool]
    ) -> Iterator[Json]:
        """What happens after a version, as it happens."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            with self._changed:
                known = [change for change in self._changes if change[0] > since]
                if not known:
                    self._changed.wait(min(left, 0.5))
            since = known[-1][0] if known else since
            yield from ({"type": k, "object": body} for _, k, body in known if selected(body))

    def _note(self, type_: str, body: Json) -> None:
        with self._changed:
            self._version += 1
            body["metadata"]["resourceVersion"] = str(self._version)
            self._changes.append((self._version, type_, copy.deepcopy(body)))
            self._changed.notify_all()

    def _say(self, pod: Pod, reason: str, message: str, type_: str = "Normal") -> None:
        name = pod.metadata["name"]
        about = {"kind": "Pod", "name": name, "namespace": pod.metadata["namespace"]}
        number = len(self.events)
        metadata = {
            "name": f"{name}.{number}",
            "uid": f"event-{number}",
            "namespace": about["namespace"],
        }
        event = {"kind": "Event", "metadata": metadata, "involvedObject": about, "reason": reason}
        event |= {"message": message, "type": type_, "lastTimestamp": now(), "count": 1}
        self.events.append(event)
        self._note("ADDED", event)

    def _show(
        self, pod: Pod, phase: str, type_: str = "MODIFIED", *states: Json, **more: str
    ) -> None:
        """Change the status of a pod: of each container a state, the last also of those that follow."""
        names = [container["name"] for container in (pod.base, *pod.beside)]
        whole = [*states, *states[-1:] * len(names)]
        statuses = [
            {
                "name": name,
                "state": state,
                "image": "",
                "imageID": "",
                "ready": False,
                "restartCount": 0,
            }
            for name, state in zip(names, whole, strict=False)
        ]
        with self._changed:
            pod.body["status"] = {"phase": phase, **more}
            if statuses:
                scheduled = {"type": "PodScheduled", "status": "True"}
                pod.body["status"] |= {"conditions": [scheduled], "containerStatuses": statuses}
            self._note(type_, pod.body)

    def _live(self, pod: Pod) -> None:
        """What a node does with a pod."""
        self._say(pod, "Scheduled", "Successfully assigned it to this machine")
        try:
            env = self._environment(pod)
        except KeyError as missing:
            self._say(pod, "Failed", f"Error: secret or key {missing} not found", "Warning")
            waiting = {"reason": "CreateContainerConfigError", "message": f"{missing} not found"}
            return self._show(pod, "Pending", "MODIFIED", {"waiting": waiting})
        if pod.fate == "pulling":
            self._show(pod, "Pending", "MODIFIED", {"waiting": {"reason": "ContainerCreating"}})
            if pod.killed.wait(_PULL_SECONDS):  # deleted meanwhile
                return None
        running = {"running": {"startedAt": now()}}
        self._show(pod, "Running", "MODIFIED", running)
        self._say(pod, "Started", "Started container base")
        if pod.fate in ("gone", "evicted"):
            return self._lose(pod)
        code = pod.run(env)
        self._show(pod, "Running", "MODIFIED", _terminated(code, pod.message()), running)
        pod.ended.set()
        if "deletionTimestamp" in pod.metadata:
            return self.remove(pod)
        if pod.beside:
            pod.killed.wait()
        phase = "Failed" if code else "Succeeded"
        return self._show(
            pod, phase, "MODIFIED", _terminated(code, pod.message()), _terminated(0, "")
        )

    def _lose(self, pod: Pod) -> None:
        pod.ended.set()
        if pod.fate == "gone":
            return self.remove(pod)
        self._say(pod, "Evicted", "The node was low on resource: memory.", "Warning")
        why = {"reason": "Evicted", "message": "The node was low on resource: memory."}
        return self._show(pod, "Failed", "MODIFIED", _terminated(137, ""), **why)

    def _environment(self, pod: Pod) -> dict[str, str]:
        """The variables of the first container; raises KeyError for a secret that is not there."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        env = {"PATH": path, "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
        for variable in pod.base.get("env", ()):
            if source := variable.get("valueFrom"):
                asked = source["secretKeyRef"]
                env[variable["name"]] = self.secrets[asked["name"]][asked["key"]]
            else:
                env[variable["name"]] = variable.get("value", "")
        return env


def _terminated(code: int, message: str) -> Json:
    why = {"exitCode": code, "reason": "Error" if code else "Completed"}
    return {"terminated": {**why, "message": message if code else "", "finishedAt": now()}}


def now(moment: float | None = None) -> str:
    at = datetime.fromtimestamp(time.time() if moment is None else moment, UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
