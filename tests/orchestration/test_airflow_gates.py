# SPDX-License-Identifier: Apache-2.0
"""What goes on after evaluations in Airflow 3 and 2: trigger rules, teardowns, mapped tasks, choices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import benison
from benison_orchestration.airflow_verdicts import choose
from tests.conftest import taxi_like, write_days
from tests.orchestration.airflow_host import ENVIRONMENTS, Probed, Prober

DAGS = Path(__file__).parent / "dags"
GATES = {
    "choose_all": "push",
    "choose_not_all": "alert",
    "choose_any": "push",
    "choose_none": "alert",
    "choose_best": "push",
}

pytestmark = pytest.mark.timeout(1_800)


@pytest.fixture(
    scope="module", params=[pytest.param(v, marks=pytest.mark.slow) for v in ENVIRONMENTS]
)
def probed(
    request: pytest.FixtureRequest, probe: Prober, tmp_path_factory: pytest.TempPathFactory
) -> Probed:
    folder = tmp_path_factory.mktemp("gates")
    pq.write_table(taxi_like(2_000), folder / "eval.parquet")
    write_days(folder / "days")
    return probe(request.param, DAGS / "gates.py", folder)


def test_what_became_worse_is_an_alert(probed: Probed) -> None:
    assert probed.of("watched") == {
        "alert": "success",
        "too_few": "success",
        "no_match": "success",
        "none": "skipped",
        "monitor": "failed",
    }
    assert probed.tries["watched", "monitor"] == 1
    (alert,) = probed.host.xcoms()["watched", "alert", -1]["alerts"]
    assert alert["slice"].startswith("company=")
    assert "fell from" in alert["reason"]
    assert "Nothing matches " in probed.log


def test_a_skip_leaves_teardowns_and_what_runs_anyway(probed: Probed) -> None:
    assert probed.of("rules") == {
        "setup": "success",
        "evaluate": "success",
        "push": "skipped",
        "behind": "success",
        "anyway": "success",
        "teardown": "success",
    }


def test_a_skip_of_all_that_follows_leaves_teardowns(probed: Probed) -> None:
    assert probed.of("rules_ignored") == {
        "setup": "success",
        "evaluate": "success",
        "push": "skipped",
        "behind": "skipped",
        "anyway": "skipped",
        "teardown": "success",
    }


@pytest.mark.parametrize(
    ("dag", "all_of_them", "any_of_them"),
    [
        ("skip_none", "success", "success"),
        ("skip_one", "skipped", "success"),
        ("skip_both", "skipped", "skipped"),
    ],
)
def test_after_a_mapped_evaluation_tasks_run_by_their_trigger_rule(
    probed: Probed, dag: str, all_of_them: str, any_of_them: str
) -> None:
    states = probed.of(dag)
    assert (states["all"], states["any"]) == (all_of_them, any_of_them)
    for index in (0, 1):
        blessed = probed.verdict(dag, index)["status"] == "blessed"
        assert states[f"evaluate[{index}]"] == ("success" if blessed else "skipped")


def test_in_a_mapped_group_each_evaluation_holds_its_own(probed: Probed) -> None:
    assert probed.of("group") == {
        "each.evaluate[0]": "success",
        "each.evaluate[1]": "skipped",
        "each.push[0]": "success",
        "each.push[1]": "skipped",
        "after": "skipped",
    }


@pytest.mark.parametrize("dag", GATES)
def test_a_branch_on_several_verdicts_follows_the_choice(probed: Probed, dag: str) -> None:
    states = probed.of(dag)
    assert states["gate"] == states["teardown"] == "success"
    followed = {task for task in ("push", "alert") if states[task] == "success"}
    assert followed == {GATES[dag]}


def test_the_tasks_on_a_way_get_the_verdict_that_opened_it(probed: Probed) -> None:
    verdicts = [probed.verdict("choose_best", index) for index in (0, 1)]
    pushed = probed.host.xcoms()["choose_best", "push", -1]
    assert pushed == verdicts[1]["output"]  # the only one that is blessed
    opened = probed.host.xcoms("verdict")
    assert opened["choose_any", "gate", -1] == [probed.verdict("choose_any", 1)]
    assert len(opened["choose_all", "gate", -1]) == 2


def test_several_verdicts_without_a_choice_open_nothing(probed: Probed) -> None:
    states = probed.of("choose_unsaid")
    assert (states["gate"], states["push"]) == ("failed", "upstream_failed")
    assert probed.tries["choose_unsaid", "gate"] == 1
    assert "There are 2 verdicts: say when='all', 'any' or 'best'." in probed.log


def verdict(status: str, **metrics: float) -> dict[str, Any]:
    return {"status": status, "metrics": metrics, "counts": {"pass": 1, "undecided": 0}}


GOOD, BETTER = verdict("blessed", auc=0.8, loss=0.3), verdict("blessed", auc=0.9, loss=0.4)
OPEN = {**GOOD, "counts": {"pass": 1, "undecided": 2}}
OLDER = {"status": "blessed", "metrics": {}}  # of a version that did not count
BAD = verdict("not_blessed", auc=0.99, loss=0.1)


@pytest.mark.parametrize(
    ("verdicts", "how", "opened"),
    [
        (GOOD, {}, GOOD),
        (BAD, {"when": "any"}, None),
        (None, {}, None),
        ([], {"when": "all"}, None),
        ([], {"when": "any"}, None),
        ([GOOD, None], {"when": "all"}, None),
        ([GOOD, None], {"when": "any"}, [GOOD]),
        ([BAD, BAD], {"when": "best", "by": "auc"}, None),
        ([GOOD, BETTER, BAD], {"when": "best", "by": "auc"}, BETTER),
        ([GOOD, BETTER, BAD], {"when": "best", "by": "loss", "least": True}, GOOD),
        ([verdict("blessed"), GOOD], {"when": "best", "by": "auc"}, GOOD),
        (OPEN, {}, OPEN),
        (OPEN, {"undecided": False}, None),
        ([OPEN, GOOD], {"when": "any", "undecided": False}, [GOOD]),
        (OLDER, {}, OLDER),
        ([OLDER, GOOD], {"when": "any", "undecided": False}, [GOOD]),
        ([OPEN, GOOD], {"when": "all", "undecided": False}, None),
    ],
)
def test_what_is_chosen(verdicts: Any, how: dict[str, Any], opened: Any) -> None:
    assert choose(verdicts, **how) == opened


def test_a_metric_that_no_verdict_has_is_named_with_those_that_they_have() -> None:
    with pytest.raises(
        benison.ConfigError, match="No verdict has a value of 'aucc'. There are: auc, loss."
    ):
        choose([GOOD, BAD], "best", "aucc")
