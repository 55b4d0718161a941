# SPDX-License-Identifier: Apache-2.0
"""What was revoked is blessed by no later run, wherever its copies are, until somebody says why."""

from __future__ import annotations

import json
import pickle
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import csv, feather
from typer.testing import CliRunner

import benison
from benison import lineage
from benison.cli import app
from benison.evaluation import written_runs
from tests.conftest import config, taxi_like
from tests.lineage.forks import Echo
from tests.lineage.stores import BLESSED, make_run

LOW = {"class_name": "AUC", "threshold": {"value_threshold": {"lower_bound": 0.1}}}
REVOKED = r"The model was revoked by ada on \d{4}-\d\d-\d\d at \d\d:\d\d UTC: wrong labels"
HOURS = ({"feature_keys": ["hour"]},)
DECISION = {"by": "ada", "reason": "wrong labels"}
EMBEDDED = pytest.mark.parametrize("url", ["sqlite", "sql+sqlite"], indirect=True)


class Pipeline:
    """A pipeline that judges pickled models."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        pq.write_table(taxi_like(300), folder / "eval.parquet")
        for name in ("model", "copy"):
            (folder / name).mkdir()
            (folder / name / "model.pkl").write_bytes(pickle.dumps(Echo()))

    def evaluate(
        self, run: str, model: str | None = "model", data: Any = None, slices: Any = (), **more: Any
    ) -> benison.EvalResult:
        spec = {"label_key": "label", "prediction_key": "" if model else "prediction"}
        return benison.evaluate(
            str(self.folder / "eval.parquet") if data is None else data,
            config(LOW, model=spec, slices=({}, *slices)),
            model=model and str(self.folder / model),
            trust_pickle=True,
            output=str(self.folder / run),
            metadata=self.url,
            pipeline="taxi",
            run=run,
            **more,
        )

    @property
    def ledger(self) -> Any:
        return lineage.connect(self.url)


@pytest.fixture
def taxi(tmp_path: Path, url: str) -> Pipeline:
    return Pipeline(tmp_path, url)


def test_no_run_blesses_a_copy_of_what_was_revoked_until_somebody_says_why(
    taxi: Pipeline, tmp_path: Path
) -> None:
    assert taxi.evaluate("r1").verdict.blessed
    (taken,) = taxi.ledger.revoke("taxi", str(tmp_path / "r1"), **DECISION)
    assert re.fullmatch(r"revoked by ada on [-\d]+ at [:\d]+ UTC: wrong labels", taken.note)
    again = taxi.evaluate("r2", "copy")
    assert again.verdict.status == "not_blessed"
    assert (tmp_path / "r2/NOT_BLESSED").exists()
    (reason,) = again.verdict.reasons
    assert re.match(REVOKED, reason)
    assert "`benison bless OUTPUT --override`" in reason
    assert taxi.ledger.latest_blessed("taxi") is None
    newest, _ = taxi.ledger.blessings("taxi")
    assert (newest.status, newest.reasons) == ("not_blessed", (reason,))
    taxi.ledger.override("taxi", str(tmp_path / "r2"), by="bob", reason="the labels are right.")
    third = taxi.evaluate("r3", "copy")
    assert third.verdict.blessed
    summary = third.verdict.summary()
    assert re.search(
        f"{REVOKED}; that was taken back by bob on .*: the labels are right.$", summary
    )
    assert taxi.ledger.latest_blessed("taxi").path == str(tmp_path / "copy")
    for folder, verdict in (("r2", again.verdict), ("r3", third.verdict)):
        assert benison.load_result(tmp_path / folder).verdict == verdict


@EMBEDDED
def test_a_blessing_for_a_time_does_not_let_later_runs_bless(
    taxi: Pipeline, tmp_path: Path
) -> None:
    taxi.evaluate("r1")
    taxi.ledger.revoke("taxi", str(tmp_path / "r1"), **DECISION)
    taxi.ledger.override("taxi", str(tmp_path / "r1"), by="bob", reason="b", until="2999-01-01")
    assert not taxi.evaluate("r2").verdict.blessed
    assert taxi.ledger.latest_blessed("taxi").path == str(tmp_path / "model")  # by bob, until then


def test_copies_are_revoked_together(taxi: Pipeline, tmp_path: Path) -> None:
    taxi.evaluate("r1")
    taxi.evaluate("r2", "copy")
    taken = taxi.ledger.revoke("taxi", str(tmp_path / "r1"), **DECISION)
    assert len(taken) == 2
    assert taxi.ledger.latest_blessed("taxi") is None
    with pytest.raises(benison.MetadataError, match="What was revoked is not repeated"):
        taxi.evaluate("r2", "copy")


@EMBEDDED
def test_a_revocation_is_of_its_pipeline(taxi: Pipeline, url: str, tmp_path: Path) -> None:
    for pipeline in ("taxi", "bikes"):
        run = make_run(tmp_path / pipeline, pipeline=pipeline)
        taxi.ledger.begin(run).complete(BLESSED)
    taxi.ledger.revoke("taxi", str(tmp_path / "taxi/out"), **DECISION)
    assert taxi.ledger.latest_blessed("bikes") is not None
    assert taxi.ledger.revocation("bikes", "d1") is None
    assert taxi.ledger.revocation("taxi", "d1").stands
    assert taxi.ledger.revocation("taxi", "d2") is None


@EMBEDDED
def test_predictions_in_the_data_are_revoked_with_their_data(
    taxi: Pipeline, tmp_path: Path
) -> None:
    assert taxi.evaluate("r1", None).verdict.blessed
    taxi.ledger.revoke("taxi", str(tmp_path / "r1"), **DECISION)
    assert re.match(REVOKED, taxi.evaluate("r2", None).verdict.reasons[0])
    pq.write_table(taxi_like(299), tmp_path / "eval.parquet")
    assert taxi.evaluate("r3", None).verdict.blessed


def write_arrow(table: pa.Table, path: Path) -> None:
    feather.write_feather(table, path, compression="uncompressed")


WRITERS: dict[str, Any] = {
    "parquet": pq.write_table,
    "arrow": write_arrow,
    "csv": csv.write_csv,
    "jsonl": lambda table, path: table.to_pandas().to_json(path, orient="records", lines=True),
}


def write_halves(rows: pa.Table, folder: Path, suffix: str, names: str = "ab") -> Path:
    folder.mkdir(exist_ok=True)
    for name, start in zip(names, (0, 150), strict=True):
        WRITERS[suffix](rows.slice(start, 150), folder / f"{name}.{suffix}")
    return folder


@pytest.mark.parametrize("url", ["sql+sqlite"], indirect=True)
@pytest.mark.parametrize("suffix", WRITERS)
def test_no_copy_of_revoked_predictions_is_blessed_nor_with_other_slices(
    taxi: Pipeline, tmp_path: Path, suffix: str
) -> None:
    rows = taxi_like(300).drop_columns(["tags"])
    first = write_halves(rows, tmp_path / "first", suffix)
    copies = write_halves(rows, tmp_path / "copies", suffix, "zy")
    assert taxi.evaluate("r1", None, first).verdict.blessed
    taxi.ledger.revoke("taxi", str(tmp_path / "r1"), **DECISION)
    for run, data, slices in (("r2", copies, ()), ("r3", first, HOURS), ("r4", copies, HOURS)):
        assert re.match(REVOKED, taxi.evaluate(run, None, data, slices).verdict.reasons[0]), run
    mended = rows["label"].to_numpy().copy()
    mended[7] = 1 - mended[7]
    others = write_halves(rows.set_column(0, "label", pa.array(mended)), first, suffix)
    assert taxi.evaluate("r5", None, others).verdict.blessed


@pytest.mark.parametrize("url", ["sql+sqlite"], indirect=True)
@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_revoked_predictions_are_known_beside_another_column(
    taxi: Pipeline, tmp_path: Path, suffix: str
) -> None:
    rows = taxi_like(300)
    assert taxi.evaluate("r1", None, write_halves(rows, tmp_path / "a", suffix)).verdict.blessed
    taxi.ledger.revoke("taxi", str(tmp_path / "r1"), **DECISION)
    wider = rows.add_column(0, "id", pa.array(range(300)))
    again = taxi.evaluate("r2", None, write_halves(wider, tmp_path / "b", suffix))
    assert re.match(REVOKED, again.verdict.reasons[0])


@EMBEDDED
def test_revoked_predictions_of_a_table_are_known_with_other_slices(
    taxi: Pipeline, tmp_path: Path
) -> None:
    rows = taxi_like(300)
    assert taxi.evaluate("r1", None, rows).verdict.blessed
    taxi.ledger.revoke("taxi", str(tmp_path / "r1"), **DECISION)
    assert not taxi.evaluate("r2", None, rows.to_pandas(), HOURS).verdict.blessed
    assert taxi.evaluate("r3", None, taxi_like(300, seed=1)).verdict.blessed


@EMBEDDED
def test_a_revocation_of_predictions_in_the_data_is_taken_back_as_its_check_says(
    taxi: Pipeline, tmp_path: Path
) -> None:
    taxi.evaluate("r1", None)
    taxi.ledger.revoke("taxi", str(tmp_path / "r1"), **DECISION)
    (reason,) = taxi.evaluate("r2", None).verdict.reasons
    said = re.search("`benison (bless) OUTPUT (--override)`", reason)
    assert said is not None
    named = ["--by", "bob", "--reason", "they are right", "--metadata", taxi.url]
    words = [said[1], str(tmp_path / "r2"), said[2], *named, "--pipeline", "taxi"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "blessed" in done.output
    assert taxi.evaluate("r3", None).verdict.blessed
    assert taxi.ledger.latest_blessed("taxi") is None  # there is no model
    traced = taxi.ledger.trace(str(taxi.ledger.blessings("taxi")[1].id))
    assert [source.role for source in traced.sources[0].sources] == ["model_blessing"]
    verified = ["verify", str(tmp_path / "r2"), "--metadata", taxi.url]
    assert "bob" in CliRunner().invoke(app, verified).output


@EMBEDDED
def test_what_takes_the_place_of_a_revoked_run_does_not_bless(
    taxi: Pipeline, tmp_path: Path
) -> None:
    taxi.evaluate("r1")
    taxi.ledger.revoke("taxi", str(tmp_path / "r1"), **DECISION)
    pq.write_table(taxi_like(299), tmp_path / "eval.parquet")
    assert not taxi.evaluate("r1", overwrite=True).verdict.blessed
    newest, older = taxi.ledger.blessings("taxi")
    assert (newest.status, older.status) == ("not_blessed", "superseded")


@EMBEDDED
def test_what_is_revoked_while_it_is_judged_is_not_published(
    taxi: Pipeline, tmp_path: Path
) -> None:
    taxi.evaluate("r1")

    def revoke(stage: str, *_: Any, **_more: Any) -> None:
        if stage == "write":
            taxi.ledger.revoke("taxi", str(tmp_path / "r1"), **DECISION)

    with pytest.raises(benison.MetadataError, match=f"must not bless. {REVOKED}"):
        taxi.evaluate("r2", progress=revoke)
    assert not (tmp_path / "r2").exists()
    assert taxi.ledger.latest_blessed("taxi") is None
    assert not taxi.evaluate("r2").verdict.blessed


@EMBEDDED
def test_an_output_that_was_never_recorded_is_not_blessed_after_a_revocation(
    taxi: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taxi.evaluate("r1")

    def unreachable(*_: Any) -> None:
        raise benison.MetadataError("The store is gone.")

    with monkeypatch.context() as patch:
        patch.setattr(type(taxi.ledger.sink), "publish", unreachable)
        with pytest.raises(benison.MetadataError, match="The store is gone"):
            taxi.evaluate("r2")
    taxi.ledger.revoke("taxi", str(tmp_path / "r1"), **DECISION)
    with pytest.raises(benison.MetadataError, match=REVOKED):
        written_runs.record(str(tmp_path / "r2"), taxi.url)
    assert taxi.ledger.latest_blessed("taxi") is None
    assert not taxi.evaluate("r2", overwrite=True).verdict.blessed


@EMBEDDED
def test_what_a_ci_and_people_read_says_who_has_revoked(taxi: Pipeline, tmp_path: Path) -> None:
    taxi.evaluate("r1")
    taxi.ledger.revoke("taxi", str(tmp_path / "r1"), **DECISION)
    taxi.evaluate("r2")
    files = [tmp_path / "out.xml", tmp_path / "out.md", tmp_path / "r2/report.html"]
    words = ["gate", str(tmp_path / "r2"), "--junit", str(files[0]), "--summary", str(files[1])]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 1
    said = [" ".join(done.output.split()), *(file.read_text().replace("\\", "") for file in files)]
    assert [bool(re.search(REVOKED, text)) for text in said] == [True] * 4
    checks = CliRunner().invoke(app, ["explain", str(tmp_path / "r2")])
    assert re.search(REVOKED, " ".join(checks.output.split()))
    verdict = json.loads((tmp_path / "r2/verdict.json").read_text())
    assert verdict["revocation"]["revoked_by"] == "ada"
    assert verdict["checks"][0]["formula"] == "the model is not revoked"


@pytest.mark.parametrize("url", ["sql+sqlite"], indirect=True)
def test_a_store_of_an_older_benison_has_no_table_of_revocations(
    taxi: Pipeline, tmp_path: Path
) -> None:
    import sqlite3

    taxi.evaluate("r1")
    (path,) = tmp_path.glob("*.db")
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE benison_revocations")
    taxi.url = taxi.url.partition("?")[0]
    assert taxi.evaluate("r2").verdict.blessed
    taxi.ledger.revoke("taxi", str(tmp_path / "r1"), **DECISION)
    assert not taxi.evaluate("r3").verdict.blessed


@EMBEDDED
def test_what_a_host_says_is_revoked_counts_beside_a_store(taxi: Pipeline) -> None:
    first = taxi.evaluate("r1")
    contents = written_runs.contents_judged(first)
    stands = lineage.Revocation(contents, "ada", "2030-01-01T00:00:00+00:00", "wrong labels")
    lifted = stands.lifted("bob", "2030-01-02T00:00:00+00:00", "mended")
    for told, is_blessed in (([stands], False), ([lifted, stands], False), ([lifted], True)):
        run = f"r{len(told)}{is_blessed}"
        assert taxi.evaluate(run, revocations=told).verdict.blessed is is_blessed


@EMBEDDED
def test_a_blessing_without_a_store_is_not_handed_out_again_after_a_revocation(
    taxi: Pipeline,
) -> None:
    taxi.url = None  # type: ignore[assignment]
    first = taxi.evaluate("r1")
    assert taxi.evaluate("r1").verdict.blessed
    contents = written_runs.contents_judged(first)
    told = [lineage.Revocation(contents, "ada", "2030-01-01T00:00:00+00:00", "wrong labels")]
    with pytest.raises(benison.OutputError, match="blesses the model, but: .*by ada"):
        taxi.evaluate("r1", revocations=told)
