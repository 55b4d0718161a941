# SPDX-License-Identifier: Apache-2.0
"""The operators in Airflow 3 and 2: what a verdict, an error and a signal lead to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import benison
from benison.terminal import plain
from tests.conftest import taxi_like
from tests.orchestration.airflow_host import (
    ENVIRONMENTS,
    Probed,
    Prober,
    is_running,
    program,
    rows,
    with_long_names,
)

DAGS = Path(__file__).parent / "dags"
SLOW_AND_SURE = """echo $$ >"$PROBES/slow.pid"
sleep 30
touch "$PROBES/finished"
"""
LEAVES_ONE = """sleep 300 &
echo $! >"$PROBES/left.pid"
exec "$BENISON_PYTHON" "$@"
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
