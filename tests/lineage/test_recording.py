# SPDX-License-Identifier: Apache-2.0
"""What a record survives in every store: kills, repetition, company; and what it refuses."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from benison import MetadataError, lineage
from benison.lineage import DataContent, ModelFiles, RunKey, RunStateError
from benison.lineage.ledger import Ledger
from tests.lineage.stores import BLESSED, NOT_BLESSED, make_run

ROOT = Path(__file__).resolve().parents[2]


class Processes:
    """Records runs, each in a process of its own."""

    def __init__(self, server: subprocess.Popen[str]) -> None:
        self._server = server

    def record(self, url: str, folder: Path, *runs: tuple[str, int]) -> list[int]:
        """Record runs at once, each killed before a call, 0 for none: calls that each made, or -9."""
        password = os.environ.get("BENISON_METADATA_PASSWORD", "")
        asked = [(url, str(folder), run, call, password) for run, call in runs]
        assert self._server.stdin
        assert self._server.stdout
        self._server.stdin.write(json.dumps(asked) + "\n")
        self._server.stdin.flush()
        ends = json.loads(self._server.stdout.readline())
        assert {code for code, _ in ends} <= {0, -9}, ends
        return [int(text) if code == 0 else code for code, text in ends]


@pytest.fixture(scope="module")
def processes() -> Iterator[Processes]:
    """They are forked of one, which spares each the start."""
    command = [sys.executable, "-m", "tests.lineage.protocol"]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, **pipes) as server:
        yield Processes(server)


def statuses(url: str, pipeline: str = "taxi") -> list[str]:
    """The verdicts of a pipeline, newest first; none without one."""
    try:
        return [blessing.status for blessing in lineage.connect(url).blessings(pipeline, 1000)]
    except MetadataError:
        return []


def states(url: str, key: RunKey) -> list[str]:
    return [attempt.state for attempt in lineage.connect(url).sink.attempts(key)]


def test_a_killed_run_blesses_nothing_and_the_same_run_completes_it(
    url: str, tmp_path: Path, processes: Processes
) -> None:
    """Killed before one call or another, in one store: a run each.

    Recorded and blessed are the same moment: a run that dies before it shows neither, after it both.
    """
    (tmp_path / "model").mkdir()
    processes.record(url, tmp_path, ("first", 0))  # also makes the tables or registers the types
    (last,) = processes.record(url, tmp_path, ("second", 0))
    recorded = []
    for number, step in enumerate([*range(1, last, 8), last]):
        run = f"r{number}"
        before = statuses(url)
        assert processes.record(url, tmp_path, (run, step)) == [-9]
        recorded.append(states(url, RunKey("taxi", run)) == ["recorded"])
        assert statuses(url) == ["blessed"] * recorded[-1] + before
        # Once more than it takes, in the end: what is recorded is repeated and not doubled.
        for _ in range(2 if step == last else 1):
            assert processes.record(url, tmp_path, (run, 0))[0] > 0
        assert statuses(url) == ["blessed", *before]
        assert states(url, RunKey("taxi", run)) == ["recorded"]
    assert recorded == sorted(recorded)
    assert not recorded[0]


def test_five_processes_of_one_run_make_one_blessing(
    url: str, tmp_path: Path, processes: Processes
) -> None:
    (tmp_path / "model").mkdir()
    assert min(processes.record(url, tmp_path, *[("r1", 0)] * 5)) > 0
    assert statuses(url) == ["blessed"]
    assert states(url, RunKey("taxi", "r1")) == ["recorded"]


@pytest.mark.parametrize("scheme", ["sqlite", "sql+sqlite"])
def test_many_writers_lose_nothing(tmp_path: Path, scheme: str, processes: Processes) -> None:
    url = f"{scheme}:///{tmp_path}/m.db?create=true"
    (tmp_path / "model").mkdir()
    assert min(processes.record(url, tmp_path, *[(f"r{i}", 0) for i in range(16)])) > 0
    assert statuses(url) == ["blessed"] * 16
    models = {blessing.model_id for blessing in lineage.connect(url).blessings("taxi")}
    assert len(models) == 1


@pytest.mark.parametrize("end", ["fail", "abandon"])
def test_a_run_that_ended_early_publishes_nothing_and_can_be_repeated(
    url: str, tmp_path: Path, end: str
) -> None:
    recorder, run = lineage.connect(url), make_run(tmp_path)
    getattr(recorder.begin(run), end)("the disk is full")
    assert states(url, run.key) == [{"fail": "failed", "abandon": "abandoned"}[end]]
    assert statuses(url) == []
    late = recorder.begin(run)
    recorder.begin(run).complete(BLESSED)
    getattr(late, end)("too late")
    assert states(url, run.key) == ["recorded"]
    assert statuses(url) == ["blessed"]


def test_a_process_that_was_replaced_ends_nothing(url: str, tmp_path: Path) -> None:
    recorder, run = lineage.connect(url), make_run(tmp_path)
    late = recorder.begin(run)
    record = recorder.begin(run)
    late.abandon("the machine is needed")
    assert states(url, run.key) == ["asked"]
    record.complete(BLESSED)
    assert statuses(url) == ["blessed"]


def test_the_states_of_a_run_are_seen_in_the_store(url: str, tmp_path: Path) -> None:
    run = make_run(tmp_path)
    record = lineage.connect(url).begin(run)
    seen = states(url, run.key)
    for state in ("running", "evaluated", "written"):
        record.note(state, BLESSED)
        seen += states(url, run.key)
    assert statuses(url) == []
    record.complete(BLESSED)
    assert [*seen, *states(url, run.key)] == [
        "asked",
        "running",
        "evaluated",
        "written",
        "recorded",
    ]
    record.note("running")
    assert states(url, run.key) == ["recorded"]


def test_other_inputs_take_the_place_of_what_is_recorded(url: str, tmp_path: Path) -> None:
    recorder = lineage.connect(url)
    recorder.begin(make_run(tmp_path)).complete(BLESSED)
    other = make_run(tmp_path, data="mended")
    again = recorder.begin(other, overwrite=True)
    assert again.ids["key"] == "taxi/r1/Evaluator#2"
    assert statuses(url) == ["blessed"]
    assert recorder.latest_blessed("taxi") == ModelFiles(str(tmp_path / "model"), "d1")
    again.complete(NOT_BLESSED)
    assert statuses(url) == ["not_blessed", "superseded"]
    assert states(url, other.key) == ["superseded", "recorded"]
    assert recorder.latest_blessed("taxi") is None
    newest, older = recorder.blessings("taxi")
    assert older.note == "superseded by taxi/r1/Evaluator#2"
    with pytest.raises(MetadataError, match="it is superseded by taxi/r1/Evaluator#2"):
        recorder.standing(make_run(tmp_path))
    assert recorder.standing(other) == newest


def test_an_override_falls_with_the_verdict_that_it_was_against(url: str, tmp_path: Path) -> None:
    recorder = lineage.connect(url)
    recorder.begin(make_run(tmp_path)).complete(NOT_BLESSED)
    recorder.override("taxi", str(tmp_path / "out"), by="ada", reason="labels")
    assert recorder.standing(make_run(tmp_path)).note == "overridden by ada: labels"
    recorder.begin(make_run(tmp_path, data="mended"), overwrite=True).complete(NOT_BLESSED)
    assert recorder.latest_blessed("taxi") is None
    assert statuses(url) == ["not_blessed", "superseded", "superseded"]


def test_a_process_whose_place_was_taken_publishes_nothing(url: str, tmp_path: Path) -> None:
    recorder = lineage.connect(url)
    late = recorder.begin(make_run(tmp_path))
    recorder.begin(make_run(tmp_path, data="mended"), overwrite=True).complete(NOT_BLESSED)
    assert states(url, RunKey("taxi", "r1")) == ["abandoned", "recorded"]
    for act in (lambda: late.note("evaluated", BLESSED), lambda: late.complete(BLESSED)):
        with pytest.raises(RunStateError, match="must not be recorded: another process"):
            act()
    late.fail("its place was taken")
    assert statuses(url) == ["not_blessed"]


class Overtaken:
    """A store in which something happens just before it is asked for the n-th time what there is."""

    def __init__(self, sink: Any, call: int, happens: Callable[[], None]) -> None:
        self._sink, self._left, self._happens = sink, call, happens

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sink, name)

    def attempts(self, key: RunKey) -> Any:
        self._left -= 1
        if not self._left:
            self._happens()
        return self._sink.attempts(key)


@pytest.mark.parametrize("call", range(1, 7))
@pytest.mark.parametrize("scheme", ["sqlite", "sql+sqlite"])
def test_of_two_evaluations_of_a_run_the_newer_stands(
    tmp_path: Path, scheme: str, call: int
) -> None:
    """Wherever in the older one the newer one begins."""
    ledger = lineage.connect(f"{scheme}:///{tmp_path}/metadata.db?create=true")
    run = make_run(tmp_path)
    other = dataclasses.replace(run, config='{"a": 1}')
    begun: list[Any] = []
    sink: Any = Overtaken(
        ledger.sink, call, lambda: begun.append(ledger.begin(other, overwrite=True))
    )
    older = Ledger(sink)
    with suppress(RunStateError, MetadataError):
        record = older.begin(run)
        record.note("evaluated", BLESSED)
        record.complete(BLESSED)
    (newer,) = begun or [ledger.begin(other, overwrite=True)]
    newer.complete(NOT_BLESSED)
    assert ledger.latest_blessed("taxi") is None
    states = [attempt.state for attempt in ledger.sink.attempts(run.key)]
    assert states[-1] == "recorded"
    assert "recorded" not in states[:-1]


def test_a_process_that_looked_before_it_was_recorded_does_not_open_it_again(
    url: str, tmp_path: Path
) -> None:
    ledger, run = lineage.connect(url), make_run(tmp_path)
    record = ledger.begin(run)
    (seen,) = ledger.sink.attempts(run.key)
    record.complete(BLESSED)
    ledger.sink.reopen(seen, "token of another process")
    assert states(url, run.key) == ["recorded"]
    assert statuses(url) == ["blessed"]


def test_data_that_were_only_touched_are_the_same(url: str, tmp_path: Path) -> None:
    recorder, run = lineage.connect(url), make_run(tmp_path)
    recorder.begin(run).complete(BLESSED)
    touched = DataContent("data in the evening", run.data.digest)
    recorder.begin(dataclasses.replace(run, data=touched)).complete(BLESSED)
    assert statuses(url) == ["blessed"]


def test_the_same_inputs_with_another_verdict_are_recorded_anew(url: str, tmp_path: Path) -> None:
    recorder, run = lineage.connect(url), make_run(tmp_path)
    recorder.begin(run).complete(BLESSED)
    with pytest.raises(RunStateError, match="is recorded as blessed, and the same inputs are now"):
        recorder.begin(run).note("evaluated", NOT_BLESSED)
    again = recorder.begin(run, overwrite=True)
    again.note("evaluated", NOT_BLESSED)
    assert again.ids["key"] == "taxi/r1/Evaluator#2"
    again.complete(NOT_BLESSED)
    assert statuses(url) == ["not_blessed", "superseded"]


def test_what_was_revoked_is_not_repeated(url: str, tmp_path: Path) -> None:
    recorder, run = lineage.connect(url), make_run(tmp_path)
    recorder.begin(run).complete(BLESSED)
    recorder.revoke("taxi", run.output, by="ada", reason="labels")
    for overwrite in (False, True):
        with pytest.raises(MetadataError, match="was revoked by ada on .*: labels"):
            recorder.begin(run, overwrite)
    assert recorder.standing(run).revoked


@pytest.mark.parametrize(
    ("first", "other"),
    [
        (RunKey("a", "b.c"), RunKey("a.b", "c")),
        (RunKey("a", "b/c"), RunKey("a/b", "c")),
        (RunKey("a", "b"), RunKey("a", "b", "c")),
        (RunKey("a", "b", "c", 1), RunKey("a", "b", "c/1")),
        (RunKey("a", "b", "c#2"), RunKey("a", "b", "c")),
        (RunKey("a" * 200, "b" * 200, "c" * 200), RunKey("a" * 200, "b" * 200, "c" * 199)),
    ],
)
def test_keys_are_not_mixed_up(tmp_path: Path, first: RunKey, other: RunKey) -> None:
    for scheme in ("sqlite", "sql+sqlite"):
        recorder = lineage.connect(f"{scheme}:///{tmp_path}/{scheme}.db?create=true")
        for key in (first, other):
            recorder.begin(dataclasses.replace(make_run(tmp_path), key=key)).complete(BLESSED)
            assert [attempt.name for attempt in recorder.sink.attempts(key)] == [key.name]


def test_the_candidates_on_the_same_data_are_counted(url: str, tmp_path: Path) -> None:
    ledger = lineage.connect(url)
    for number, digest in enumerate(("a", "b", "a", "c")):
        run = make_run(tmp_path / digest, f"r{number}", digest=digest)
        ledger.begin(run).complete(NOT_BLESSED)
    ledger.begin(make_run(tmp_path, "running", digest="d"))
    ledger.begin(make_run(tmp_path, "other", digest="e", data="other")).complete(BLESSED)
    assert [ledger.look("data", digest) for digest in "abcde"] == [1, 2, 3, 4, 4]
    assert ledger.look("other", "a") == 2


def test_the_ids_are_what_a_manifest_says(url: str, tmp_path: Path) -> None:
    ids = lineage.connect(url).begin(make_run(tmp_path)).ids
    assert {"store", "pipeline", "run", "task", "map_index", "key", "execution", "model"} <= {*ids}
    assert "p w" not in str(ids)
    assert "p%20w" not in str(ids)


@pytest.mark.parametrize(
    "change",
    [
        {"data": DataContent("other, at noon", lambda: "other")},
        {"config": '{"a": 1}'},
        {"model": None},
        {"model": ModelFiles("/elsewhere", "d1")},
    ],
)
def test_a_run_id_is_of_one_set_of_inputs(url: str, tmp_path: Path, change: dict[str, Any]) -> None:
    recorder, run = lineage.connect(url), make_run(tmp_path)
    other = dataclasses.replace(run, **change)
    recorder.begin(run).complete(BLESSED)
    with pytest.raises(MetadataError, match="was of other data, models or config"):
        recorder.begin(other)
    with pytest.raises(MetadataError, match=r"is not recorded: .* of other inputs"):
        recorder.standing(other)
    assert recorder.begin(other, overwrite=True).ids["key"] == "taxi/r1/Evaluator#2"


def test_a_run_has_one_output(url: str, tmp_path: Path) -> None:
    """So that two evaluations of a run that nothing tells apart do not take back each other's blessing."""
    recorder, run = lineage.connect(url), make_run(tmp_path)
    other = dataclasses.replace(run, output="/elsewhere")
    recorder.begin(run).complete(BLESSED)
    for overwrite in (False, True):
        with pytest.raises(MetadataError, match=rf"writes {run.output} .* a --task"):
            recorder.begin(other, overwrite)
    recorder.begin(dataclasses.replace(other, key=RunKey("taxi", "r1", "other"))).complete(BLESSED)
    assert statuses(url) == ["blessed", "blessed"]


def test_names_that_differ_by_case_alone_are_not_mixed_up(url: str, tmp_path: Path) -> None:
    recorder = lineage.connect(url)
    recorder.begin(make_run(tmp_path, "r1", "Taxi")).complete(BLESSED)
    if url.startswith("mysql"):
        with pytest.raises(MetadataError, match="does not tell it from 'taxi"):
            recorder.begin(make_run(tmp_path, "r1", "taxi"))
    else:
        recorder.begin(make_run(tmp_path, "r1", "taxi")).complete(NOT_BLESSED)
        assert statuses(url, "taxi") == ["not_blessed"]
        assert statuses(url, "Taxi") == ["blessed"]
