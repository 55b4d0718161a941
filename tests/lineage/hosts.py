# SPDX-License-Identifier: Apache-2.0
"""The hosts of the matrix: how each evaluates in a process of its own, and how its verdict is seen.

The command, the function, the process that Airflow's operator starts, the one in its pod, the step of Kubeflow,
and TFX's runner; each is what the host itself runs. A pod is answered here as by Airflow's worker, which is
tried against a fake of Kubernetes elsewhere. An exit code of 0 or 1 stands for the verdict, also where the host says
it otherwise.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.lineage import forks, of_tfx

Act = Callable[[], Any]
Stop = tuple[str, int, str]
CODES = {"blessed": 0, "not_blessed": 1}

STOPS: dict[str, Stop] = {
    "before asked": ("benison.lineage.ledger.Ledger.begin", 1, "before"),
    "asked": ("benison.lineage.ledger.Ledger.begin", 1, "after"),
    "running": ("benison.lineage.ledger.LedgerRecord.note", 1, "after"),
    "evaluated": ("benison.lineage.ledger.LedgerRecord.note", 2, "after"),
    "sealed": ("benison.output.blessing.seal", 1, "after"),
    "published": ("benison.lineage.ledger.LedgerRecord.note", 4, "before"),
    "written": ("benison.lineage.ledger.LedgerRecord.note", 4, "after"),
    "recording": ("benison.lineage.ledger.LedgerRecord.complete", 1, "before"),
    "recorded": ("benison.lineage.ledger.LedgerRecord.complete", 1, "after"),
}
"""Name of a stop -> (where the process is stopped, the count of the call, before or after it)."""
_ASKED = "benison_orchestration.host_permission.PermissionWriter.write"
POD_STOPS: dict[str, Stop] = {
    **STOPS,
    "asking": (_ASKED, 1, "before"),
    "permitted": (_ASKED, 1, "after"),
}


@dataclasses.dataclass(frozen=True)
class Asked:
    """An evaluation of `folder/DATA.parquet` that writes `folder/out`."""

    folder: Path
    url: str
    data: str
    run: str = "out"
    more: Sequence[str] = ()
    """Options of the command; of the others only `--overwrite` means something."""
    pipeline: str = "taxi"

    def words(self) -> list[str | Path]:
        """The command."""
        return [
            *("evaluate", "--gate", "--trust-pickle", "--json"),
            *("--model", self.folder / "model.pkl", "--config", self.folder / "eval.json"),
            *("--examples", self.folder / f"{self.data}.parquet"),
            *("--output", self.folder / self.run),
            *("--metadata", self.url, "--pipeline", self.pipeline, "--run", self.run, *self.more),
        ]

    def spec(self) -> dict[str, Any]:
        """The same as a spec."""
        return {
            "examples": f"{self.folder}/{self.data}.parquet",
            "config": f"{self.folder}/eval.json",
            "model": f"{self.folder}/model.pkl",
            "trust_pickle": True,
            "output": f"{self.folder}/{self.run}",
            "metadata": self.url,
            "pipeline": self.pipeline,
            "run": self.run,
        }


@dataclasses.dataclass(frozen=True)
class Host:
    """How a host evaluates."""

    act: Callable[[Asked], Act]
    """What its process does; it ends by SystemExit with a code, or with a fault."""
    overwrites: bool = True
    """Whether it replaces what the same run has written without being asked to."""
    fault: int = 99
    """The exit code for a fault of the program: `forks` has 99 for one that nobody has caught."""
    stops: Mapping[str, Stop] = dataclasses.field(default_factory=lambda: STOPS)
    stores: tuple[str, ...] = ("sql+", "sqlite", "mysql")
    """What the URLs of its stores begin with."""
    output: Callable[[Path], Path] = lambda folder: folder / "out"
    """Where the newest output is."""
    states: Callable[[Asked], list[str]] | None = None
    """The states of its executions, where it keeps its own records, each of them a run of its own."""


def _command(asked: Asked) -> Act:
    return forks.benison(*asked.words())


def _function(asked: Asked) -> Act:
    def act() -> None:
        import benison

        try:
            result = benison.evaluate(**asked.spec(), overwrite="--overwrite" in asked.more)
        except benison.BenisonError as error:
            print(error)
            sys.exit(2)
        sys.exit(CODES[result.verdict.status])

    return act


def _airflow(asked: Asked) -> Act:
    def act() -> None:
        from benison_orchestration import airflow_spec, host_task

        returned = asked.folder / "return.json"
        os.environ |= {**airflow_spec.packed(asked.spec()), airflow_spec.RETURN: str(returned)}
        code = host_task.main()
        if code:
            sys.exit(2)
        sys.exit(CODES[json.loads(returned.read_text())["status"]])

    return act


def _pod(asked: Asked) -> Act:
    def act() -> None:
        from benison_orchestration.host_permission import PERMISSION

        permission = asked.folder / "permission"
        permission.unlink(missing_ok=True)  # a pod's volumes are empty when it begins
        os.environ[PERMISSION] = str(permission)
        _answered(permission)
        _airflow(asked)()

    return act


def _answered(permission: Path) -> None:
    """Have another process let this one publish, once its log asks for that."""
    from benison_orchestration.host_permission import ASKS

    pod, log = os.getpid(), Path("/proc/self/fd/1").resolve()
    if os.fork():
        return
    with contextlib.suppress(OSError):  # the log goes with the pod
        while os.getppid() == pod and ASKS not in log.read_text():
            time.sleep(0.02)
        if os.getppid() == pod:
            permission.touch()
    os._exit(0)


def _kubeflow(asked: Asked) -> Act:
    def act() -> None:
        from benison_orchestration import kubeflow_task
        from tests.orchestration.kubeflow_host import executor_input

        spec, step = asked.spec(), asked.folder / "step"
        inputs = {name: [spec.pop(name)] for name in ("examples", "model")}
        record = {name: spec[name] for name in ("metadata", "pipeline", "run", "config")}
        given = executor_input(step, inputs, spec={"trust_pickle": True}, **record)
        given["outputs"]["artifacts"]["evaluation"]["artifacts"][0]["uri"] = spec["output"]
        sys.argv = ["kubeflow_task", json.dumps(given)]
        code = kubeflow_task.main()
        if code:
            sys.exit(code)
        sys.exit(CODES[(step / "blessing").read_text().lower()])

    return act


def _tfx(asked: Asked) -> Act:
    def act() -> None:
        of_tfx.run(asked.folder, asked.url, asked.pipeline, asked.data)
        newest = max((asked.folder / "root/Evaluator/blessing").iterdir(), key=of_tfx.number)
        (marker,) = newest.iterdir()
        sys.exit(CODES[marker.name.lower()])

    return act


HOSTS = {
    "command": Host(_command, overwrites=False, fault=3),
    "function": Host(_function, overwrites=False),
    "Airflow": Host(_airflow),
    "pods": Host(_pod, stops=POD_STOPS),
    "Kubeflow": Host(_kubeflow),
    "TFX": Host(
        _tfx,
        stops=of_tfx.STOPS,
        stores=("sqlite", "mysql"),
        output=of_tfx.output,
        states=lambda asked: of_tfx.states(asked.url, asked.pipeline),
    ),
}
