# SPDX-License-Identifier: Apache-2.0
"""The operators in Airflow 3 and 2: what a verdict, an error and a signal lead to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import benison
from benison.terminal import plain
from tests.conftest import taxi_like
from tests.orchestration.airflow_host import (
    ENVIRONMENTS,
    AirflowHost,
    Probed,
    Prober,
    is_running,
    program,
    rows,
    wait_for,
    with_long_names,
)

DAGS = Path(__file__).parent / "dags"
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
SLOW_AND_SURE = """echo $$ >"$PROBES/slow.pid"
sleep 30
touch "$PROBES/finished"
"""
LEAVES_ONE = """sleep 300 &
echo $! >"$PROBES/left.pid"
exec "$BENISON_PYTHON" "$@"
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

pytestmark = pytest.mark.timeout(1_800)


@pytest.fixture(
    scope="module", params=[pytest.param(v, marks=pytest.mark.slow) for v in ENVIRONMENTS]
)
def probed(
    request: pytest.FixtureRequest, probe: Prober, tmp_path_factory: pytest.TempPathFactory
) -> Probed:
    folder = tmp_path_factory.mktemp("probes")
    pq.write_table(taxi_like(2_000), folder / "eval.parquet")
    program(folder / "slow python", SLOW_AND_SURE)
    program(folder / "killed python", "kill -9 $$")
    program(folder / "left", LEAVES_ONE)
    with_long_names(folder / "eval.parquet", folder)
    return probe(request.param, DAGS / "probes.py", folder)


def test_a_blessed_model_is_pushed(probed: Probed) -> None:
    assert probed.of("blessed") == {"evaluate": "success", "push": "success"}
    verdict = probed.verdict("blessed")
    assert (verdict["status"], verdict["reasons"]) == ("blessed", [])
    assert (Path(verdict["output"]) / "BLESSED").exists()
    assert Path(verdict["output"]).parent == probed.folder / "blessed"
    dag, run, task = verdict["run"].split("/")
    assert (dag, run, task) == ("blessed", Path(verdict["output"]).name, "evaluate")


def test_what_comes_after_a_model_that_is_not_blessed_is_skipped(probed: Probed) -> None:
    assert probed.of("skip") == {"evaluate": "success", "push": "skipped"}
    verdict = probed.verdict("skip")
    assert verdict["status"] == "not_blessed"
    assert verdict["summary"].startswith("NOT BLESSED: all 5 checks failed")
    assert len(verdict["reasons"]) == 5
    assert all(reason in probed.log for reason in verdict["reasons"])
    assert (Path(verdict["output"]) / "NOT_BLESSED").exists()


def test_not_blessed_may_be_a_failure(probed: Probed) -> None:
    assert probed.of("fail") == {"evaluate": "failed", "push": "upstream_failed"}
    assert probed.verdict("fail")["status"] == "not_blessed"


def test_a_branch_follows_the_verdict(probed: Probed) -> None:
    followed = {"evaluate": "success", "gate": "success", "push": "skipped", "alert": "success"}
    assert probed.of("branch") == followed
    blessed = {**followed, "push": "success", "alert": "skipped"}
    assert probed.of("branch_blessed") == blessed


def test_an_evaluation_that_cannot_be_done_fails_at_once_with_its_reason(probed: Probed) -> None:
    assert probed.of("wrong") == {"evaluate": "failed", "push": "upstream_failed"}
    assert probed.tries["wrong", "evaluate"] == 1  # of three
    lines = _lines_after(probed.log, "AirflowFailException: ")
    reason = next(line for line in lines if "eval.parquet" in line)
    with pytest.raises(benison.DataError, match="eval.parquet") as raised:
        benison.evaluate(probed.folder / "eval.parquet", _config(probed), format="csv")
    assert reason in plain(str(raised.value), 10_000)  # with the data's own bytes made printable
    assert not (probed.folder / "wrong").exists()


def test_an_evaluation_that_was_killed_is_tried_again(probed: Probed) -> None:
    assert probed.of("killed") == {"evaluate": "failed"}
    assert probed.tries["killed", "evaluate"] == 3
    assert "was ended by signal 9" in probed.log


def test_a_task_whose_time_is_over_ends_its_evaluation_at_once(probed: Probed) -> None:
    assert probed.of("timed_out") == {"evaluate": "failed"}
    assert not is_running(int((probed.folder / "slow.pid").read_text()))
    assert not (probed.folder / "finished").exists()


def test_what_an_evaluation_has_left_behind_ends_with_it(probed: Probed) -> None:
    assert probed.of("left_over") == {"evaluate": "success"}
    assert not is_running(int((probed.folder / "left.pid").read_text()))


def test_numbers_and_failed_checks_are_in_xcom(probed: Probed) -> None:
    result = benison.load_result(probed.verdict("skip")["output"])
    verdict = probed.verdict("skip")
    assert verdict["metrics"] == {
        "auc": pytest.approx(result.value("auc"), abs=0),
        "example_count": 2_000,
    }
    assert (verdict["rows"], verdict["failures"]) == (2_000, 5)
    checks = [(each["slice"], each["value"]) for each in verdict["failed_checks"]]
    assert checks == [(check.slice, check.value) for check in result.verdict.failures]
    assert {(each["metric"], each["bound"]) for each in verdict["failed_checks"]} == {("auc", 0.99)}
    assert probed.verdict("blessed")["failed_checks"] == []


@pytest.mark.parametrize("dag", ["objects", "text"])
def test_a_spec_may_hold_paths_and_a_config_or_be_a_text(probed: Probed, dag: str) -> None:
    assert probed.of(dag) == {"evaluate": "success"}
    assert rows(probed.verdict(dag)["output"]) == rows(probed.verdict("blessed")["output"])


def test_a_spec_may_be_longer_than_a_variable(probed: Probed) -> None:
    assert probed.of("long") == {"evaluate": "success"}
    assert probed.verdict("long")["rows"] == 60 * 2_000


def test_the_output_of_another_task_is_not_replaced(probed: Probed) -> None:
    assert probed.of("shared") == {"first": "success", "second": "failed"}
    first = probed.verdict("shared", task="first")
    sentence = f"The output {first['output']} was written by the run {first['run']!r}"
    assert sentence in probed.log
    assert benison.load_result(first["output"]).verdict.status == first["status"] == "blessed"
    assert (Path(first["output"]) / "BLESSED").exists()


def test_a_run_that_is_repeated_replaces_what_it_wrote(probed: Probed) -> None:
    # It was run once more than there are outputs, and has not failed.
    assert len(list((probed.folder / "objects").iterdir())) == 2
    assert probed.log.count("STATE objects evaluate success") == 3


def test_an_output_that_the_spec_does_not_name_is_the_task_s_own(probed: Probed) -> None:
    assert set(probed.of("own").values()) == {"success"}
    whole = probed.verdict("own")
    mapped = [probed.verdict("own", index, "mapped") for index in (0, 1)]
    root = probed.folder / "roots" / "own" / "own" / whole["run"].split("/")[1]
    assert Path(whole["output"]) == root / "evaluate" / "evaluation"
    assert [each["output"] for each in mapped] == [
        str(root / "mapped" / "0"),
        str(root / "mapped" / "1"),
    ]


def test_paths_may_be_relative_to_a_folder(probed: Probed) -> None:
    output = Path(probed.verdict("elsewhere")["output"])
    assert output.parent == probed.folder / "relative"
    assert (output / "BLESSED").exists()


def test_an_evaluation_may_be_deferred(probed: Probed) -> None:
    states = {"evaluate": "success", "push": "success", "wrong": "failed"}
    assert probed.of("deferred") == states
    assert probed.tries["deferred", "wrong"] == 1
    verdict = probed.verdict("deferred")
    assert verdict.keys() == probed.verdict("blessed").keys()
    assert rows(verdict["output"]) == rows(probed.verdict("blessed")["output"])


def test_a_function_that_returns_a_spec_is_a_task(probed: Probed) -> None:
    assert set(probed.of("taskflow").values()) == {"success"}
    verdict = probed.verdict("taskflow")
    run = verdict["run"].split("/")[1]
    assert verdict["output"] == str(probed.folder / "taskflow" / run / "evaluate")
    several = [probed.verdict("taskflow", index, "several") for index in (0, 1)]
    assert [each["status"] for each in several] == ["blessed", "not_blessed"]
    assert several[1]["output"] == str(probed.folder / "several" / "1")


def test_the_asset_has_an_event_for_each_blessing_and_only_then(probed: Probed) -> None:
    events = probed.host.asset_events()
    extras = {uri: extra for _, uri, extra in events}
    mapped = [probed.verdict("own", index, "mapped") for index in (0, 1)]
    blessed = {"probe": probed.verdict("blessed"), "own-0": mapped[0], "own-1": mapped[1]}
    assert extras == {
        f"file:///models/{name}": {
            key: verdict[key] for key in ("status", "summary", "output", "report", "run")
        }
        for name, verdict in blessed.items()
    }
    assert len(events) == len(blessed)


def test_the_link_is_the_report(probed: Probed) -> None:
    links = probed.host.xcoms("benison_report")
    report = Path(probed.verdict("blessed")["output"]) / "report.html"
    assert links["blessed", "evaluate", -1] == report.as_uri()
    assert links["fail", "evaluate", -1] == "https://reports/fail"


def test_the_metrics_are_those_of_the_function(probed: Probed) -> None:
    benison.evaluate(
        probed.folder / "eval.parquet",
        _config(probed),
        output=probed.folder / "out",
        overwrite=True,
    )
    ours = rows(probed.folder / "out")
    for dag in ("blessed", "branch_blessed"):
        assert rows(probed.verdict(dag)["output"]) == ours


def _config(probed: Probed) -> Any:
    return json.loads((Path(probed.verdict("blessed")["output"]) / "config.json").read_text())


def _lines_after(log: str, mark: str) -> list[str]:
    return [line.partition(mark)[2] for line in log.splitlines() if mark in line]


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
