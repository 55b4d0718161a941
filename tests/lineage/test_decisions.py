# SPDX-License-Identifier: Apache-2.0
"""A pipeline's history and what people decide against it, through the command."""

from __future__ import annotations

import dataclasses
import datetime
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from benison import lineage
from benison.cli import app
from benison.lineage import ModelFiles, history
from benison.lineage.store import Store
from benison.lineage.types import set_properties
from tests.lineage.stores import BLESSED, NOT_BLESSED, make_run


@pytest.fixture
def judged(url: str, tmp_path: Path) -> str:
    """The URL of a store with a blessed model, and a newer one that was not blessed."""
    recorder = lineage.connect(url)
    for name, finding in (("good", BLESSED), ("bad", NOT_BLESSED)):
        run = make_run(tmp_path / name, name, digest=name)
        recorder.begin(run).complete(finding)
    return url


def call(url: str, command: str, *words: str | Path, pipeline: bool = True) -> Any:
    location = ["--metadata", url, *(["--pipeline", "taxi"] if pipeline else [])]
    return CliRunner().invoke(app, [command, *map(str, words), *location])


def as_json(url: str, command: str, *words: str | Path, pipeline: bool = True) -> Any:
    done = call(url, command, *words, "--json", pipeline=pipeline)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_the_history_is_newest_first(judged: str, tmp_path: Path) -> None:
    newest, oldest = as_json(judged, "blessings")
    assert (newest["status"], newest["model"]) == ("not_blessed", str(tmp_path / "bad/model"))
    assert newest["reasons"] == ["auc is 0.4, below 0.5."]
    assert oldest["status"] == "blessed"
    assert len(as_json(judged, "blessings", "--limit", "1")) == 1
    assert "auc is" in call(judged, "blessings").stdout


def test_an_override_is_found_by_resolvers_and_shown_with_who_and_why(
    judged: str, tmp_path: Path
) -> None:
    made = as_json(
        judged,
        "bless",
        tmp_path / "bad/out",
        "--override",
        "--by",
        "ada",
        "--reason",
        "late labels",
        "--until",
        "2999-01-01",
    )
    assert made["status"] == "blessed"
    assert lineage.connect(judged).latest_blessed("taxi").path == str(tmp_path / "bad/model")
    notes = [actual["note"] for actual in as_json(judged, "blessings")]
    assert notes == ["overridden by ada until 2999-01-01T00:00:00+00:00: late labels", "", ""]
    tree = as_json(judged, "lineage", made["id"], pipeline=False)
    assert tree["sources"][0]["kind"] == "benison.Override"
    assert {source["kind"] for source in tree["sources"][0]["sources"]} == {
        "Model",
        "ModelBlessing",
    }


def test_lineage_tells_the_model_from_its_baseline(url: str, tmp_path: Path) -> None:
    recorder, run = lineage.connect(url), make_run(tmp_path)
    run = dataclasses.replace(run, baseline=ModelFiles("/models/old", "d0"))
    recorder.begin(run).complete(BLESSED)
    (execution,) = as_json(url, "lineage", run.output, pipeline=False)["sources"]
    roles = {source["role"]: source["name"] for source in execution["sources"]}
    assert roles["model"] == str(tmp_path / "model")
    assert roles["baseline_model"] == "/models/old"
    assert "baseline_model: Model" in call(url, "lineage", run.output, pipeline=False).stdout


def test_each_command_takes_a_pipeline_and_refuses_what_is_not_of_it(
    url: str, tmp_path: Path
) -> None:
    for pipeline in ("taxi", "bikes"):
        run = make_run(tmp_path, pipeline=pipeline)
        lineage.connect(url).begin(run).complete(BLESSED)
    for target in ("out", "model", "eval.parquet"):
        path = tmp_path / target
        assert as_json(url, "lineage", path)["name"] == str(path)
        other = call(url, "lineage", path, "--pipeline", "trams", pipeline=False)
        assert other.exit_code == 2
        assert "in the pipeline 'trams'" in " ".join(other.output.split())
    (mine,) = as_json(url, "blessings")
    assert as_json(url, "lineage", tmp_path / "out")["id"] == mine["id"]  # bikes' is newer
    assert as_json(url, "lineage", mine["id"])["id"] == mine["id"]
    (theirs,) = as_json(url, "blessings", "--pipeline", "bikes", pipeline=False)
    assert call(url, "lineage", theirs["id"]).exit_code == 2


def test_what_two_pipelines_have_read_is_of_both(url: str, tmp_path: Path) -> None:
    for pipeline in ("taxi", "bikes"):
        run = dataclasses.replace(
            make_run(tmp_path / pipeline, pipeline=pipeline),
            examples=(str(tmp_path / "all.parquet"),),
        )
        lineage.connect(url).begin(run).complete(BLESSED)
    for pipeline in ("taxi", "bikes"):
        words = (tmp_path / "all.parquet", "--pipeline", pipeline)
        assert as_json(url, "lineage", *words, pipeline=False)["name"] == str(words[0])
    unknown = call(url, "lineage", tmp_path / "all.parquet", "--pipeline", "", pipeline=False)
    assert unknown.exit_code == 2


def test_an_override_ends(judged: str, tmp_path: Path) -> None:
    end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=1)
    decision = {"by": "ada", "reason": "r", "until": end.isoformat()}
    ledger = lineage.connect(judged)
    bad = ledger.override("taxi", str(tmp_path / "bad/out"), **decision)
    while datetime.datetime.now(datetime.UTC) <= end:
        time.sleep(0.1)
    assert ledger.latest_blessed("taxi").path == str(tmp_path / "good/model")
    (ended,) = (b for b in ledger.blessings("taxi") if b.id == bad.id)
    assert ended.status == "not_blessed"
    assert ended.note == f"overridden by ada until {end.isoformat()}, which is over: r"


def test_an_override_ends_for_readers_that_know_no_time(tmp_path: Path) -> None:
    judged = f"sqlite:///{tmp_path}/m.db?create=true"
    for name, finding in (("good", BLESSED), ("bad", NOT_BLESSED)):
        run = make_run(tmp_path / name, name, digest=name)
        lineage.connect(judged).begin(run).complete(finding)
    made = as_json(
        judged,
        "bless",
        tmp_path / "bad/out",
        "--override",
        "--by",
        "ada",
        "--reason",
        "r",
        "--until",
        "2999-01-01",
    )
    store = Store.open(judged)
    (actual,) = store.get_artifacts_by_id([made["id"]])
    past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=1)
    set_properties(actual, {"benison_until": past.isoformat()})
    store.put_artifacts([actual])
    reading = {**store.connection.fields, "connection_mode": "READONLY"}
    reader = Store(dataclasses.replace(store.connection, fields=reading))
    assert history.latest_blessed(reader, "taxi").uri == str(tmp_path / "good/model")
    history.withdraw_expired(reader, "taxi")
    assert lineage.connect(judged).latest_blessed("taxi").path == str(tmp_path / "good/model")
    (actual,) = store.get_artifacts_by_id([made["id"]])
    assert history.number(actual, "blessed") == 0


def test_hostile_text_commands_no_terminal_and_long_text_is_not_cut(
    url: str, tmp_path: Path
) -> None:
    recorder, run = lineage.connect(url), make_run(tmp_path / ("\x1b[2J[red]" + "x" * 200), "r\x9b")
    record = recorder.begin(run)
    reasons = tuple(f"reason {i} of \x1b]0;title\x07" for i in range(5))
    record.complete(dataclasses.replace(NOT_BLESSED, reasons=reasons))
    listed = call(url, "blessings").stdout
    traced = call(url, "lineage", run.output, pipeline=False).stdout
    for text in (listed, traced):
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)
        assert text.count("x") >= 200
    last = (line.split("│")[-2] for line in listed.splitlines() if "│" in line)
    given = re.sub(r"\s+", " ", " ".join(last))
    assert "reason 2" in given
    assert "... and 2 more, in --json" in given


def test_a_pipeline_without_verdicts_says_so(url: str, tmp_path: Path) -> None:
    lineage.connect(url).begin(make_run(tmp_path))
    assert call(url, "blessings").stdout == "There are no verdicts yet.\n"


@pytest.mark.parametrize("target", ["99999999999999999999", "²", "", "\udcff"])
def test_what_is_neither_an_id_nor_a_path_is_said(judged: str, target: str) -> None:
    done = call(judged, "lineage", target, pipeline=False)
    assert done.exit_code == 2
    assert "has no artifact" in done.output or "holds UTF-8" in done.output


def test_a_model_is_found_by_the_folder_that_was_evaluated(url: str, tmp_path: Path) -> None:
    recorder, run = lineage.connect(url), make_run(tmp_path)
    served = str(tmp_path / "model" / "Format-Serving")
    run = dataclasses.replace(run, model=ModelFiles(served, "d1"))
    recorder.begin(run).complete(BLESSED)
    (taken,) = as_json(url, "revoke", served, "--by", "ada", "--reason", "r")
    ours = url.startswith("sql+")  # in ML Metadata it is where TFX's Pusher looks into it
    assert taken["model"] == (served if ours else str(tmp_path / "model"))


def test_a_revoked_model_is_no_longer_found(judged: str, tmp_path: Path) -> None:
    (taken,) = as_json(
        judged, "revoke", tmp_path / "good/model", "--by", "ada", "--reason", "wrong labels"
    )
    assert taken["status"] == "not_blessed"
    assert re.fullmatch(r"revoked by ada on \S+ at \S+ UTC: wrong labels", taken["note"])
    assert lineage.connect(judged).latest_blessed("taxi") is None


def test_a_revoked_override_still_says_who_made_it_and_why(judged: str, tmp_path: Path) -> None:
    said = ["--by", "ada", "--reason", "late labels"]
    as_json(judged, "bless", tmp_path / "bad/out", "--override", *said, "--until", "2999-01-01")
    as_json(judged, "revoke", tmp_path / "bad/out", "--by", "bob", "--reason", "wrong labels")
    overridden = "overridden by ada until 2999-01-01T00:00:00+00:00: late labels"
    newest, *_ = as_json(judged, "blessings")
    revoked, _, before = newest["note"].partition("; before that ")
    assert re.fullmatch(r"revoked by bob on \S+ at \S+ UTC: wrong labels", revoked)
    assert before == overridden
    listed = " ".join(call(judged, "blessings").stdout.split())
    assert "overridden" in listed
    run = make_run(tmp_path / "bad", "bad", digest="other")
    lineage.connect(judged).begin(run, overwrite=True).complete(BLESSED)
    notes = [each["note"] for each in as_json(judged, "blessings")]
    newer = "superseded by taxi/bad/Evaluator#2"
    assert [n for n in notes if newer in n] == [
        f"{newer}; before that {revoked}; before that {overridden}",
        newer,
    ]


def test_lineage_leads_from_a_blessing_to_the_data(judged: str, tmp_path: Path) -> None:
    tree = as_json(judged, "lineage", tmp_path / "good/out", pipeline=False)
    assert tree["kind"] == "ModelBlessing"
    (execution,) = tree["sources"]
    kinds = {source["kind"]: source["name"] for source in execution["sources"]}
    assert kinds == {
        "Model": str(tmp_path / "good/model"),
        "Examples": str(tmp_path / "good/eval.parquet"),
    }
    printed = call(judged, "lineage", tmp_path / "good/out", pipeline=False).stdout
    assert ("Importer" in printed) == (not judged.startswith("sql+"))


@pytest.mark.parametrize(
    ("command", "words", "message"),
    [
        ("bless", ["bad/out", "--by", "a", "--reason", "r"], "against its verdict say --override"),
        ("bless", ["good/out", "--override", "--by", "a", "--reason", "r"], "is blessed already"),
        ("bless", ["bad/out", "--override", "--by", " ", "--reason", "r"], "Say --by"),
        (
            "bless",
            ["bad/out", "--override", "--by", "a", "--reason", "r", "--until", "2001-01-01"],
            "over already: that is 2001-01-01T00:00:00+00:00. A day begins at 00:00 UTC",
        ),
        (
            "bless",
            ["bad/out", "--override", "--by", "a", "--reason", "r", "--until", "soon"],
            "'soon' is neither a day such as 2030-01-31 nor a time such as",
        ),
        ("bless", ["nothing", "--override", "--by", "a", "--reason", "r"], "has no artifact"),
        (
            "bless",
            ["bad/eval.parquet", "--override", "--by", "a", "--reason", "r"],
            "has no verdict on",
        ),
        ("revoke", ["bad/out", "--by", "a", "--reason", "r"], "has no blessing in the pipeline"),
    ],
)
def test_a_decision_that_cannot_be_made_says_why(
    judged: str, tmp_path: Path, command: str, words: list[str], message: str
) -> None:
    before = as_json(judged, "blessings")
    done = call(judged, command, tmp_path / words[0], *words[1:])
    assert done.exit_code == 2
    assert message in " ".join(done.output.split())
    assert as_json(judged, "blessings") == before


def test_an_unknown_pipeline_names_the_known(judged: str) -> None:
    done = CliRunner().invoke(app, ["blessings", "--metadata", judged, "--pipeline", "tax"])
    assert done.exit_code == 2
    assert "There are: taxi." in " ".join(done.output.split())
