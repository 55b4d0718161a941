# SPDX-License-Identifier: Apache-2.0
"""What Airflow knows of the provider and its operators without a run, and how a process ends with its task."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.orchestration.airflow_host import (
    ENVIRONMENTS,
    AirflowHost,
    is_running,
    program,
    wait_for,
)
from tests.orchestration.test_airflow import DAGS

pytestmark = pytest.mark.timeout(1_800)


HEAVY = ("tensorflow", "apache_beam", "ml_metadata", "tfx", "pandas")


CONNECTIONS = {
    "sqlite:////var/lib/metadata.db": "sqlite:////var/lib/metadata.db",
    "sqlite:///metadata.db?create=true": "sqlite:///metadata.db?create=true",
    '{"conn_type": "sqlite", "host": "/a b.db"}': "sqlite:////a%20b.db",
    '{"conn_type": "benison_metadata", "schema": "/m.db"}': "sqlite:////m.db",
    "mysql://me:s%40crt%2F@db/m?ssl_ca=/ca.pem": "mysql://me@db/m?ssl_ca=%2Fca.pem s@crt/",
    "mysql://me:x@/m?socket=/s": "mysql://me@/m?socket=%2Fs x",
    "benison-metadata://me:x@db:3307/m": "mysql://me@db:3307/m x",
    "grpc://store:8080": "grpc://store:8080",
    "postgresql://me:x@db/m": "sql+postgresql://me@db/m x",
    "sql+sqlite:////m.db": "sql+sqlite:////m.db",
    '{"conn_type": "benison_metadata", "host": "db", "login": "me", "schema": "m",'
    ' "extra": {"scheme": "sql+mysql", "create": true, "ssl_ca": ""}}': (
        "sql+mysql://me@db/m?create=true"
    ),
}


WHOLE = {"examples": "x", "config": {}, "output": "out"}


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"spec": {"exampels": 1}}, "exampels: there is no such field. Did you mean 'examples'?"),
    ({"spec": {"examples": 1}}, "config: is missing."),
    (
        {"spec": WHOLE, "on_not_blessed": "stop"},
        "on_not_blessed is 'stop'; it may be skip, fail, continue.",
    ),
    (
        {"spec": WHOLE, "env": {"AWS_SECRET_ACCESS_KEY": "x"}, "append_env": True},
        "env.AWS_SECRET_ACCESS_KEY: holds a password or a key, which is shown. Leave it in the worker",
    ),
]


SLOW_PYTHON = """sleep 300 &
echo $! $$ >"$PROBES/pids"
wait
"""


EVALUATE_SLOWLY = """
import os, types
from benison_orchestration.airflow import EvaluatorOperator
operator = EvaluatorOperator(
    task_id="evaluate",
    spec={"examples": "x", "config": {}, "output": "out"},
    python=os.environ["PROBES"] + "/slow python",
)
import signal
signal.signal(signal.SIGTERM, lambda number, frame: operator.on_kill())
ti = types.SimpleNamespace(dag_id="dag", run_id="run", task_id="evaluate", map_index=-1)
operator.evaluate({"ti": ti})
"""


SHOW_ENVIRONMENTS = """
import os, sys, types
from benison_orchestration.airflow import EvaluatorOperator
os.environ["PYTHONHOME"] = sys.base_prefix
ti = types.SimpleNamespace(dag_id="dag", run_id="run", task_id="evaluate", map_index=-1)
spec = {"examples": "x", "config": {}, "output": "out"}
other = os.environ["PROBES"] + "/another python"
for more in ({}, {"env": {"ONE": "1"}}, {"env": {"PYTHONPATH": "/mine"}, "append_env": True}):
    operator = EvaluatorOperator(task_id="evaluate", spec=spec, python=other, **more)
    try:
        operator.evaluate({"ti": ti})
    except Exception as error:
        print("ENDED", error)
"""


SHOW_ONE = """echo "path=$PYTHONPATH home=$PYTHONHOME probes=$PROBES one=$ONE" >>"${0%/*}/environments"
exit 2
"""


@pytest.fixture(params=ENVIRONMENTS)
def host(request: pytest.FixtureRequest, tmp_path: Path) -> AirflowHost:
    return AirflowHost(request.param, tmp_path, DAGS, PROBES=str(tmp_path))


def test_importing_needs_nothing_heavy(host: AirflowHost) -> None:
    program = f"""
import importlib.util, sys
from airflow.providers.common.compat.sdk import BaseOperator
before = set(sys.modules)
import benison_orchestration.airflow
print("HEAVY", *(name for name in {HEAVY} if name in sys.modules.keys() - before))
print("INSTALLED", *(name for name in {HEAVY} if importlib.util.find_spec(name)))
"""
    message = host.run("-c", program)
    assert "HEAVY\n" in message
    assert "INSTALLED\n" in message


def test_airflow_knows_the_provider(host: AirflowHost) -> None:
    program = """
from airflow.providers_manager import ProvidersManager as P
print("benison" in P().providers, P().hooks["benison_metadata"].hook_name, P().extra_links_class_names)
print("FORM", *sorted(name for name in P().connection_form_widgets if "benison" in name))
"""
    message = host.run("-c", program)
    assert "True ML Metadata (Benison)" in message
    assert "benison_orchestration.airflow_base.ReportLink" in message
    fields = ("create", "scheme", "socket", "ssl_ca")
    assert " ".join(["FORM", *(f"extra__benison_metadata__{name}" for name in fields)]) in message


def test_a_connection_is_the_url_of_a_store(host: AirflowHost, tmp_path: Path) -> None:
    """And is tried from the page of connections, whose form asks for its options."""
    host.env["AIRFLOW_CONN_GOOD"] = f"sql+sqlite:///{tmp_path}/m.db?create=true"
    host.env["AIRFLOW_CONN_BAD"] = "sql+sqlite:////nowhere/m.db"
    for number, connection in enumerate(CONNECTIONS):
        host.env[f"AIRFLOW_CONN_STORE_{number}"] = connection
    program = f"""
from benison_orchestration.airflow import MetadataHook
for number in range({len(CONNECTIONS)}):
    hook = MetadataHook(f"store_{{number}}")
    print("URL", hook.url, *hook.secrets.values())
for name in ("good", "bad", "store_0"):
    print("TRIED", *MetadataHook(name).test_connection())
print("FORM", *MetadataHook.get_ui_field_behaviour()["relabeling"])
"""
    lines = host.run("-c", program).splitlines()
    urls = [line.removeprefix("URL ") for line in lines if line.startswith("URL ")]
    assert urls == list(CONNECTIONS.values())
    good, bad, elsewhere = (line for line in lines if line.startswith("TRIED "))
    if host.version == "3":
        assert good == f"TRIED True sql+sqlite:///{tmp_path}/m.db?create=true is a metadata store."
        assert bad.startswith("TRIED False ")
        assert "/nowhere/m.db" in bad
    else:  # with an older SQLAlchemy; the process that evaluates has its own
        assert "cannot be tried from here: SQLAlchemy 2 or newer is not installed" in good
    assert elsewhere.startswith(
        "TRIED False sqlite:////var/lib/metadata.db is complete, but cannot"
    )
    assert any(line.startswith("FORM ") and "schema" in line for line in lines)


def test_a_wrong_operator_is_refused_when_the_dag_is_read(host: AirflowHost) -> None:
    program = f"""
from benison import ConfigError
from benison_orchestration.airflow import EvaluatorOperator
for arguments in {[arguments for arguments, _ in REFUSED]}:
    try:
        EvaluatorOperator(task_id="evaluate", **arguments)
    except ConfigError as error:
        print("SAID", "; ".join(str(error).splitlines()))
"""
    lines = host.run("-c", program).splitlines()
    message = [line for line in lines if line.startswith("SAID ")]
    assert len(message) == len(REFUSED)
    for (_, sentence), line in zip(REFUSED, message, strict=True):
        assert sentence in line


def test_another_python_finds_its_own_packages(host: AirflowHost, tmp_path: Path) -> None:
    program(tmp_path / "another python", SHOW_ONE)
    host.run("-c", SHOW_ENVIRONMENTS)
    assert (tmp_path / "environments").read_text().splitlines() == [
        f"path= home= probes={tmp_path} one=",
        "path= home= probes= one=1",
        f"path=/mine home= probes={tmp_path} one=",
    ]


def test_without_airflow_the_extra_is_named() -> None:
    program = "import benison_orchestration.airflow"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (
        "Airflow, or its newer common.compat, is not installed. Run: pip install 'benison[airflow]'"
        in done.stderr
    )


@pytest.fixture
def slow(host: AirflowHost, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], list[int]]]:
    """A task's process that waits for an evaluation, and the processes of the evaluation."""
    program(tmp_path / "slow python", SLOW_PYTHON)
    with subprocess.Popen([host.python, "-c", EVALUATE_SLOWLY], env=host.env, cwd=tmp_path) as task:
        pids = wait_for(
            lambda: [int(pid) for file in tmp_path.glob("pids") for pid in file.read_text().split()]
        )
        yield task, pids
        task.kill()
    for pid in filter(is_running, pids):
        os.kill(pid, signal.SIGKILL)


def test_killing_the_task_ends_every_process_of_the_evaluation(
    slow: tuple[subprocess.Popen[bytes], list[int]],
) -> None:
    task, pids = slow
    assert all(map(is_running, pids))
    task.terminate()
    assert task.wait(300) == 1
    wait_for(lambda: not any(map(is_running, pids)))


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux tells a process of its parent's end"
)
def test_the_evaluation_ends_with_a_task_that_has_no_time_to_end_it(
    slow: tuple[subprocess.Popen[bytes], list[int]],
) -> None:
    task, (_, evaluation) = slow
    task.kill()
    wait_for(lambda: not is_running(evaluation))
