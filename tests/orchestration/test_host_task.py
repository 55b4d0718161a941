# SPDX-License-Identifier: Apache-2.0
"""The process that evaluates for a task of Airflow or Argo: what goes in, what comes out, how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq
import pytest

import benison
from benison import lineage
from benison.validation.terms import OUTCOMES
from benison_orchestration import host_outcome, host_permission, host_task
from benison_orchestration.airflow_spec import COMMAND, packed
from benison_orchestration.host_permission import ASKS
from tests.conftest import config, taxi_like
from tests.orchestration.airflow_host import wait_for

Run = Callable[..., tuple[int, Any, str]]
BOUND = {"class_name": "AUC", "threshold": {"value_threshold": {"lower_bound": 0.99}}}


def start(folder: Path, *command: str, **environment: str) -> subprocess.Popen[str]:
    """The process, which waits for its spec."""
    env = {**os.environ, "BENISON_RETURN": str(folder / "new" / "return.json"), **environment}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    words = [sys.executable, *(command or COMMAND[1:])]
    return subprocess.Popen(words, env=env, text=True, **pipes)  # type: ignore[call-overload,no-any-return]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Evaluate by a spec; the exit code, the outcome and the words."""
    pq.write_table(taxi_like(2_000), tmp_path / "eval.parquet")

    def by(fields: dict[str, Any], **environment: str) -> tuple[int, Any, str]:
        returned = tmp_path / "new" / "return.json"
        returned.unlink(missing_ok=True)
        given = {
            "examples": str(tmp_path / "eval.parquet"),
            "config": config(BOUND, "ExampleCount", slices=[{}, {"feature_keys": ["company"]}]),
            "output": str(tmp_path / "out"),
            **{"pipeline": "dag", "run": "r1", "task": "evaluate"},
            **fields,
        }
        process = start(tmp_path, **environment)
        words = process.communicate(None if "BENISON_SPEC" in environment else json.dumps(given))[0]
        outcome = json.loads(returned.read_text()) if returned.exists() else None
        return process.returncode, outcome, words

    return by


def test_the_outcome_has_the_verdict_and_the_numbers(run: Run, tmp_path: Path) -> None:
    code, outcome, words = run({})
    result = benison.load_result(tmp_path / "out")
    assert code == 0
    assert outcome["status"] == result.verdict.status == "not_blessed"
    assert outcome["reasons"] == list(result.verdict.reasons)
    assert outcome["metrics"] == {"auc": result.value("auc"), "example_count": 2_000}
    assert outcome["failures"] == len(outcome["failed_checks"]) == len(result.verdict.failures)
    first, lowest = outcome["failed_checks"][0], min(c.value for c in result.verdict.failures)
    assert (first["metric"], first["bound"], first["value"]) == ("auc", 0.99, lowest)
    assert (outcome["rows"], outcome["output"]) == (2_000, str(tmp_path / "out"))
    assert outcome["report"] == (tmp_path / "out" / "report.html").as_uri()
    assert outcome["summary"] in words


def test_a_spec_may_come_in_the_environment(run: Run, tmp_path: Path) -> None:
    spec = {
        "examples": [str(tmp_path / "eval.parquet")],
        "config": config(BOUND),
        "output": str(tmp_path / "packed"),
    }
    code, outcome, _ = run({}, **packed(spec))
    assert (code, outcome["output"]) == (0, str(tmp_path / "packed"))


def test_an_outcome_is_small_whatever_the_number_of_checks(run: Run) -> None:
    slices = [{"feature_keys": ["company", "hour"]}, {"feature_keys": ["hour"]}]
    code, outcome, _ = run({"config": config(BOUND, slices=slices)})
    assert code == 0
    assert outcome["failures"] > 100
    assert len(outcome["reasons"]) == len(outcome["failed_checks"]) == 20


def test_a_run_replaces_what_it_wrote_and_nothing_else(run: Run, tmp_path: Path) -> None:
    assert run({})[0] == 0
    assert run({"config": config("AUC")})[0] == 0  # as after a mended config
    assert benison.load_result(tmp_path / "out").verdict.status == "not_evaluated"
    for other in ({"run": "r2"}, {"task": "another"}, {"map_index": 0}, {"pipeline": "else"}):
        code, outcome, words = run(other)
        assert (code, outcome) == (2, None)
        assert "error: The output" in words
    assert benison.load_result(tmp_path / "out").verdict.status == "not_evaluated"


def test_an_output_of_nobody_s_run_is_not_replaced(run: Run, tmp_path: Path) -> None:
    benison.evaluate(tmp_path / "eval.parquet", config("AUC"), output=tmp_path / "out")
    before = (tmp_path / "out" / "manifest.json").read_bytes()
    code, _, words = run({})
    assert (code, "exists already" in words) == (2, True)
    assert (tmp_path / "out" / "manifest.json").read_bytes() == before
    assert run({"overwrite": True})[0] == 0  # unless the spec says so


def test_a_task_that_is_cleared_takes_what_was_mended(run: Run, tmp_path: Path) -> None:
    store = {"metadata": f"sql+sqlite:///{tmp_path}/m.db?create=true"}
    table = pq.read_table(tmp_path / "eval.parquet")
    labels = pa.array(["yes", "no"] * 1_000)
    at = table.schema.get_field_index("label")
    pq.write_table(table.set_column(at, "label", labels), tmp_path / "eval.parquet")
    code, _, words = run(store)
    assert (code, "label" in words) == (2, True)
    pq.write_table(table, tmp_path / "eval.parquet")
    code, outcome, words = run(store)
    assert code == 0, words
    assert outcome["status"] == "not_blessed"
    # Mended once more, after a verdict: it is recorded beside the first, which it supersedes.
    pq.write_table(table.slice(0, 1_000), tmp_path / "eval.parquet")
    assert run(store)[0] == 0
    kept = lineage.connect(store["metadata"]).blessings("dag")
    assert [blessing.status for blessing in kept] == ["not_blessed", "superseded"]


def test_what_is_wrong_is_told_from_what_may_pass(run: Run, tmp_path: Path) -> None:
    code, outcome, words = run({"examples": str(tmp_path / "nothing.parquet")})
    assert (code, outcome) == (2, None)
    assert "error: " in words
    away = "gs://anonymous@b/x?endpoint_override=127.0.0.1:9&scheme=http&retry_limit_seconds=1"
    for more in ({"metadata": "sql+postgresql://me@127.0.0.1:9/runs"}, {"examples": away}):
        code, outcome, words = run(more)
        assert (code, outcome) == (75, None)
        assert "error: " in words


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("AWS Error NETWORK_CONNECTION during HeadObject operation: curlCode: 7", True),
        ("AWS Error SLOW_DOWN during PutObject operation: Please reduce your request rate.", True),
        ("google::cloud::Status(UNAVAILABLE: Retry policy exhausted", True),
        ("AWS Error ACCESS_DENIED during HeadObject operation: No response body.", False),
        ("google::cloud::Status(PERMISSION_DENIED: Permanent error", False),
        ("there is no such file", False),
    ],
)
def test_a_store_that_is_away_may_be_back(reason: str, expected: bool) -> None:
    error = benison.DataError(f"s3://bucket/eval cannot be read: {reason}.")
    assert host_outcome.may_pass(error) is expected
    error.__cause__ = ConnectionResetError("by peer")
    assert host_outcome.may_pass(error)


def test_the_outcome_says_what_is_undecided(tmp_path: Path) -> None:
    pq.write_table(taxi_like(200), tmp_path / "eval.parquet")
    bound = {"value_threshold": {"lower_bound": 0.85}, "evidence": "worse"}
    given = {
        "examples": str(tmp_path / "eval.parquet"),
        "config": config({"class_name": "AUC", "threshold": bound}),
        "output": str(tmp_path / "out"),
        "metadata": f"sql+sqlite:///{tmp_path}/m.db?create=true",
    }
    key = lineage.RunKey("dag", "r1", "evaluate")
    outcome = host_outcome.evaluate_as(key, given, "")
    assert (outcome["status"], outcome["failures"]) == ("blessed", 0)
    assert outcome["counts"] == dict.fromkeys(OUTCOMES, 0) | {"undecided": 1}
    assert outcome["look"] == 1
    # A task that is cleared, or tried again, is no other candidate.
    assert host_outcome.evaluate_as(key, given, "")["look"] == 1


def weaker(folder: Path, gate: str) -> dict[str, Any]:
    """A spec with data on which a model became worse in a slice that nobody named."""
    table = taxi_like(3_000)
    worse = pa.compute.equal(table["company"].fill_null(""), "company 1")
    flipped = pa.compute.if_else(
        worse, pa.compute.subtract(1.0, table["label"]), table["prediction"]
    )
    at = table.schema.get_field_index("prediction")
    table = table.set_column(at, "prediction", flipped)
    fares = pa.array([n * 37 % 3_000 / 100 for n in range(3_000)])  # binned by quantiles
    pq.write_table(table.append_column("fare", fares), folder / "eval.parquet")
    baseline = {"label_key": "label", "prediction_key": "old_prediction", "name": "old"}
    low = {"class_name": "AUC", "threshold": {"value_threshold": {"lower_bound": 0.1}}}
    asked = config(low, model={"name": "new"}, weak_slices={"loss": "change", "gate": gate})
    asked["model_specs"].append({**baseline, "is_baseline": True})
    store = f"sql+sqlite:///{folder}/m.db?create=true"
    key = {"pipeline": "dag", "run": "r1", "task": "evaluate"}
    data = {"examples": str(folder / "eval.parquet"), "output": str(folder / "out")}
    return {**data, **key, "config": asked, "metadata": store}


# The program of a task that is killed in between: when the verdict is known, and before it is recorded.
CUT_OFF = """
import itertools, os, signal
from benison.lineage.ledger import LedgerRecord
from benison_orchestration import host_task
calls, plain = itertools.count(1), LedgerRecord.{method}
def cut_off(*given):
    if next(calls) == {count}:
        os.kill(os.getpid(), signal.SIGKILL)
    return plain(*given)
LedgerRecord.{method} = cut_off
raise SystemExit(host_task.main())
"""


@pytest.mark.parametrize(
    ("gate", "method", "count", "status"),
    [("fail", "note", 2, "not_blessed"), ("warn", "complete", 1, "blessed")],
)
def test_a_task_that_was_cut_off_finds_the_same_weak_slices(
    run: Run, tmp_path: Path, gate: str, method: str, count: int, status: str
) -> None:
    spec = weaker(tmp_path, gate)
    with start(tmp_path, "-c", CUT_OFF.format(method=method, count=count)) as process:
        process.communicate(json.dumps(spec))
    assert process.returncode == -signal.SIGKILL
    ledger = lineage.connect(spec["metadata"])
    assert ledger.latest_blessed("dag") is None
    assert (tmp_path / "out").exists() == (method == "complete")  # as far as it had come
    code, outcome, words = run(spec)
    assert (code, outcome["status"]) == (0, status), words
    assert [blessing.status for blessing in ledger.blessings("dag")] == [status]
    key = {"run": "r2", "output": str(tmp_path / "whole")}
    whole, again = benison.evaluate(**{**spec, **key}), benison.load_result(tmp_path / "out")
    assert whole.weak_slices.num_rows > 0
    assert again.weak_slices.equals(whole.weak_slices)
    assert [*map(repr, again.verdict.checks)] == [*map(repr, whole.verdict.checks)]


def asked_for(folder: Path, **more: Any) -> str:
    """A spec of a run that blesses, as JSON."""
    pq.write_table(taxi_like(200), folder / "eval.parquet")
    low = {**BOUND, "threshold": {"value_threshold": {"lower_bound": 0.1}}}
    given = {"examples": str(folder / "eval.parquet"), "output": str(folder / "out")}
    key = {"pipeline": "dag", "run": "r1", "task": "evaluate"}
    return json.dumps({**given, **key, "config": config(low), **more})


def test_a_process_that_has_to_ask_publishes_when_it_is_still_wanted(tmp_path: Path) -> None:
    permission = tmp_path / "permission"
    with start(tmp_path, BENISON_PERMISSION=str(permission)) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        with process.stdin as stdin:
            stdin.write(asked_for(tmp_path))
        assert any(ASKS in line for line in process.stdout)
        assert not (tmp_path / "out").exists()
        permission.touch()
        process.stdout.read()
    assert process.returncode == 0
    assert (tmp_path / "out" / "BLESSED").exists()


def test_a_process_that_nobody_wants_any_longer_blesses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = f"sql+sqlite:///{tmp_path}/m.db?create=true"
    monkeypatch.setattr(host_permission, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setenv("BENISON_PERMISSION", str(tmp_path / "permission"))
    monkeypatch.setenv("BENISON_RETURN", str(tmp_path / "return.json"))
    monkeypatch.setenv("BENISON_SPEC", asked_for(tmp_path, metadata=store))
    assert host_task.main() == 75
    assert sorted(path.name for path in tmp_path.iterdir()) == ["eval.parquet", "m.db"]
    ledger = lineage.connect(store)
    assert (ledger.latest_blessed("dag"), [*ledger.blessings("dag")]) == (None, [])
    (tmp_path / "permission").touch()
    assert host_task.main() == 0  # as another try does
    assert [blessing.status for blessing in ledger.blessings("dag")] == ["blessed"]


GIVEN = {"examples": "eval.csv", "config": "eval.yaml", "output": "out"}


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ('{"examples": {{workflow.parameters.examples}}}', "cannot be read"),
        ("[1]", "cannot be read"),
        (json.dumps({**GIVEN, "output": 7}), "output: is a text, not 7"),
        (json.dumps({**GIVEN, "metadata": "mysql://ben:pw@db/runs"}), "metadata: holds a password"),
    ],
)
def test_a_spec_that_is_no_spec_is_wrong_and_not_tried_again(
    spec: str, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BENISON_SPEC", spec)
    assert host_task.main() == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert words in " ".join(message.split())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows which signals are handled")
def test_a_process_that_is_ended_says_so(tmp_path: Path) -> None:
    with start(tmp_path) as process:
        wait_for(lambda: _handles(process.pid, signal.SIGTERM))
        process.terminate()
        words = process.communicate(timeout=60)[0]
    assert process.returncode == 128 + signal.SIGTERM
    assert "benison was ended by SIGTERM" in words


def _handles(pid: int, number: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught, 16) >> (number - 1) & 1)
