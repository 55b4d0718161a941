# SPDX-License-Identifier: Apache-2.0
"""An Airflow to test with: its own Python, home and database, in a temporary folder."""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pyarrow.parquet as pq
import pytest

Found = TypeVar("Found")
ROOT = Path(__file__).resolve().parents[2]
SOURCES = f"{ROOT / 'component'}{os.pathsep}{ROOT / 'orchestration'}"
# Airflow 3 and 2: the environment, and the tables of asset events.
ENVIRONMENTS = {"3": ".venv-airflow", "2": ".venv-airflow2"}
ASSET_EVENTS = {
    "3": "SELECT source_dag_id, uri, asset_event.extra FROM asset_event JOIN asset"
    " ON asset.id = asset_event.asset_id",
    "2": "SELECT source_dag_id, uri, dataset_event.extra FROM dataset_event JOIN dataset"
    " ON dataset.id = dataset_event.dataset_id",
}


class AirflowHost:
    """An Airflow of one version."""

    def __init__(self, version: str, home: Path, dags: Path, **env: str) -> None:
        self.version = version
        self.home = home
        self.python = ROOT / ENVIRONMENTS[version] / "bin/python"
        if not self.python.exists():
            missing = f"there is no {ENVIRONMENTS[version]}; run: make airflow-env"
            (pytest.fail if "CI" in os.environ else pytest.skip)(missing)
        # With its bytecode kept, wherever the shell says not to, Airflow starts in half the time.
        strange = ("AIRFLOW", "PYTEST", "PYTHONDONTWRITEBYTECODE")
        clean = {k: v for k, v in os.environ.items() if not k.startswith(strange)}
        self.env = clean | {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "BENISON_PYTHON": sys.executable,
            "PYTHONPATH": SOURCES,
            "PYTHONWARNINGS": "ignore",
            **env,
        }

    def run(self, *arguments: str | Path, timeout: float = 1_500) -> str:
        """Run Airflow's Python to its end; what it printed, errors included."""
        done = subprocess.run(
            [str(self.python), *map(str, arguments)],
            env=self.env,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of Airflow's database."""
        with sqlite3.connect(self.home / "airflow.db") as database:
            return database.execute(query).fetchall()

    def xcoms(self, key: str = "return_value") -> dict[tuple[str, str, int], Any]:
        """The values of a key by DAG, task and map index."""
        rows = self.ask(f"SELECT dag_id, task_id, map_index, value FROM xcom WHERE key = '{key}'")
        return {row[:3]: json.loads(row[3]) for row in rows}

    def asset_events(self) -> list[tuple[str, str, dict[str, Any]]]:
        """DAG, asset and extra of each event of an asset."""
        rows = self.ask(ASSET_EVENTS[self.version])
        return [(dag, uri, json.loads(extra)) for dag, uri, extra in rows]


@dataclasses.dataclass
class Probed:
    """What the DAGs of a file came to."""

    host: AirflowHost
    folder: Path
    states: dict[tuple[str, str], str]
    tries: dict[tuple[str, str], int]
    log: str

    def of(self, dag: str) -> dict[str, str]:
        return {task: state for (name, task), state in self.states.items() if name == dag}

    def verdict(self, dag: str, map_index: int = -1, task: str = "evaluate") -> dict[str, Any]:
        return self.host.xcoms()[dag, task, map_index]


class AirflowDatabases:
    """Empty databases of Airflow, one for each version, which the workers of a session make once.

    Making it takes Airflow ten seconds, and each test has a copy.

    Args:
        folder: Where the session's workers all look.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def copy_to(self, host: AirflowHost) -> None:
        """Give an Airflow an empty database."""
        home = self._folder / f"airflow {host.version}"
        home.mkdir(exist_ok=True)
        ready = home / "ready.db"
        with (home / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not ready.exists():
                AirflowHost(host.version, home, home).run("-m", "airflow", "db", "migrate")
                (home / "airflow.db").rename(ready)
        shutil.copyfile(ready, host.home / "airflow.db")


@dataclasses.dataclass
class Prober:
    """Runs DAGs in an Airflow of their own."""

    databases: AirflowDatabases
    homes: pytest.TempPathFactory

    def __call__(self, version: str, file: Path, folder: Path, *dags: str, **env: str) -> Probed:
        """Run DAGs of a file, or all; `folder` has their data."""
        home = self.homes.mktemp("airflow home")
        only = home / "dags"  # since Airflow 3 reads all files of a folder for each run
        only.mkdir()
        for path in {file, *file.parent.glob("common.py")}:
            (only / path.name).symlink_to(path)
        host = AirflowHost(version, home, only, PROBES=str(folder), **env)
        self.databases.copy_to(host)
        log = host.run(only / file.name, *dags)
        lines = [line.split()[1:] for line in log.splitlines() if line.startswith("STATE ")]
        states = {(dag, task): state for dag, task, state, _ in lines}
        tries = {(dag, task): int(tried) for dag, task, _, tried in lines}
        return Probed(host, folder, states, tries, log)


def with_long_names(file: Path, folder: Path) -> None:
    """Copy a file to 60 paths, which together are more than a variable takes."""
    parts = folder.joinpath("parts", *["x" * 240] * 10)
    parts.mkdir(parents=True)
    for number in range(60):
        shutil.copyfile(file, parts / f"{number}.parquet")


def program(path: Path, text: str) -> Path:
    """A script that can be run."""
    path.write_text(f"#!/bin/sh\n{text}")
    path.chmod(0o755)
    return path


def rows(output: str | Path) -> list[str]:
    """The rows of the metrics, in which one undefined value is like another."""
    return [repr(row) for row in pq.read_table(Path(output) / "metrics.parquet").to_pylist()]


def is_running(pid: int) -> bool:
    """Whether there is such a process that has not ended, though nobody may have waited for it."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait_for(find: Callable[[], Found | None], seconds: float = 300) -> Found:
    """What `find` finds, as soon as that is something."""
    deadline = time.monotonic() + seconds
    while not (actual := find()):
        assert time.monotonic() < deadline, f"{find} has found nothing in {seconds} s."
        time.sleep(0.2)
    return actual
