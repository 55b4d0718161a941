# SPDX-License-Identifier: Apache-2.0
"""A whole evaluation with a record: repeated, resumed, and with the latest blessed as baseline."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import benison
from benison import lineage
from benison.evaluation.written_runs import check_recorded
from benison.lineage import Finding, Run, RunKey, history
from benison.lineage.ledger import Ledger
from benison.lineage.store import Store
from benison_orchestration import local
from tests.conftest import config, taxi_like
from tests.lineage.forks import Echo

LOW = {"class_name": "AUC", "threshold": {"value_threshold": {"lower_bound": 0.1}}}
HIGH = {"class_name": "AUC", "threshold": {"value_threshold": {"lower_bound": 0.99}}}


@pytest.fixture
def arguments(tmp_path: Path) -> dict[str, Any]:
    pq.write_table(taxi_like(500), tmp_path / "eval.parquet")
    return {
        "examples": str(tmp_path / "eval.parquet"),
        "config": config(LOW),
        "output": str(tmp_path / "out"),
        "metadata": f"sqlite:///{tmp_path}/m.db?create=true",
        "pipeline": "taxi",
        "run": "r1",
    }


def test_the_same_run_again_computes_and_doubles_nothing(arguments: dict[str, Any]) -> None:
    first = local.run(arguments)
    created = Path(first.path, "manifest.json").stat().st_mtime_ns
    again = local.run(arguments)
    assert Path(again.path, "manifest.json").stat().st_mtime_ns == created
    assert again.verdict == first.verdict
    assert again.manifest["lineage"] == first.manifest["lineage"]
    assert len(history.blessings(Store.open(arguments["metadata"]), "taxi")) == 1


def test_a_run_that_was_killed_before_its_record_is_only_recorded(
    arguments: dict[str, Any], tmp_path: Path
) -> None:
    first = benison.evaluate(**arguments)
    # As if the process had ended before its last call: the files are there, the record is not.
    (tmp_path / "m.db").unlink()
    again = benison.evaluate(**arguments)
    assert again.manifest["created"] == first.manifest["created"]
    (actual,) = history.blessings(Store.open(arguments["metadata"]), "taxi")
    assert actual.status == "blessed"


def test_a_run_without_a_store_is_known_by_its_output(arguments: dict[str, Any]) -> None:
    del arguments["metadata"]
    first = benison.evaluate(**arguments, map_index=2)
    key = {"pipeline": "taxi", "run": "r1", "task": "Evaluator", "map_index": 2}
    assert first.manifest["lineage"] == key
    again = benison.evaluate(**arguments, map_index=2)
    assert again.manifest["created"] == first.manifest["created"]
    with pytest.raises(benison.OutputError, match="exists already"):
        benison.evaluate(**arguments, map_index=3)
    with pytest.raises(benison.OutputError, match="was written by the run 'taxi/r1/Evaluator/2'"):
        benison.evaluate(**arguments, map_index=3, overwrite=True)


def test_an_output_of_another_run_is_not_taken_for_this_one(arguments: dict[str, Any]) -> None:
    benison.evaluate(**arguments)
    with pytest.raises(benison.OutputError, match="exists already"):
        benison.evaluate(**{**arguments, "run": "r2"})
    with pytest.raises(benison.MetadataError, match="was of other data, models or config"):
        benison.evaluate(**{**arguments, "config": config(HIGH)})


def test_a_changed_output_is_not_recorded(arguments: dict[str, Any], tmp_path: Path) -> None:
    benison.evaluate(**arguments)
    (tmp_path / "m.db").unlink()
    (tmp_path / "out" / "verdict.json").write_text("{}")
    with pytest.raises(benison.OutputError, match="evaluate again"):
        benison.evaluate(**arguments)
    store = Store.open(arguments["metadata"])
    assert not [a for a in store.get_artifacts() if history.is_blessing(a)]


def test_an_evaluation_that_fails_is_recorded_as_failed(
    arguments: dict[str, Any], tmp_path: Path
) -> None:
    table = taxi_like(500)
    pq.write_table(table.set_column(0, "label", [["x"] * 500]), tmp_path / "eval.parquet")
    with pytest.raises(benison.DataError):
        benison.evaluate(**arguments)
    store = Store.open(arguments["metadata"])
    (execution,) = (e for e in store.get_executions() if e.type.endswith("Evaluator"))
    assert execution.last_known_state == execution.FAILED
    assert "numbers" in execution.custom_properties["benison_error"].string_value
    assert not (tmp_path / "out").exists()


def test_a_run_that_was_stopped_says_so_in_its_record(arguments: dict[str, Any]) -> None:
    def stop(*_: Any) -> None:
        raise SystemExit(130)

    with pytest.raises(SystemExit):
        benison.evaluate(**arguments, progress=stop)
    (execution,) = (
        e for e in Store.open(arguments["metadata"]).get_executions() if "Evaluator" in e.type
    )
    message = execution.custom_properties["benison_error"].string_value
    assert message == "It was ended: SystemExit 130"
    assert execution.last_known_state == execution.CANCELED


def test_a_run_that_was_stopped_has_not_failed_whatever_ends_it(
    arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the signal comes while a generator runs, whose end then says that it runs already."""

    def stop(*_: Any) -> None:
        raise ValueError("generator already executing")

    monkeypatch.setattr("benison.signals.was_stopped", lambda: 143)
    with pytest.raises(ValueError, match="already executing"):
        benison.evaluate(**arguments, progress=stop)
    executions = Store.open(arguments["metadata"]).get_executions()
    (execution,) = (e for e in executions if "Evaluator" in e.type)
    assert execution.last_known_state == execution.CANCELED


def test_an_output_that_is_not_utf_8_is_refused_before_any_work(arguments: dict[str, Any]) -> None:
    with pytest.raises(benison.OutputError, match="is not UTF-8; choose another name"):
        benison.evaluate(arguments["examples"], arguments["config"], output="o\udcff")


def test_a_result_without_its_record_says_how_to_complete_it(
    arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from benison.lineage.mlmd import MetadataSink

    def unreachable(*_: Any) -> None:
        raise benison.MetadataError("The store is gone.")

    with monkeypatch.context() as patch:
        patch.setattr(MetadataSink, "publish", unreachable)
        with pytest.raises(
            benison.MetadataError, match="`benison record .*out`, or the same .* --run r1"
        ):
            benison.evaluate(**arguments)
    assert benison.evaluate(**arguments).manifest["lineage"]["run"] == "r1"
    assert len(history.blessings(Store.open(arguments["metadata"]), "taxi")) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pipeline": None}, "needs a pipeline"),
        ({"output": None}, "needs a pipeline .* and an output"),
        ({"metadata": None, "pipeline": None}, "needs a pipeline .* and a run"),
        (
            {"metadata": None, "pipeline": None, "run": None, "baseline": "latest-blessed"},
            "looked up in a metadata store",
        ),
        ({"metadata": "postgresql://u@h/d"}, r"is not supported on PostgreSQL: .* sql\+postgresql"),
    ],
)
def test_an_incomplete_record_is_refused_before_any_work(
    arguments: dict[str, Any], tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(benison.BenisonError, match=message):
        benison.evaluate(**{**arguments, **change})
    assert not (tmp_path / "out").exists()


def test_a_recorder_of_ones_own(arguments: dict[str, Any]) -> None:
    class Diary:
        """A recorder, and the record of its one run."""

        ids = {"page": 1}

        def __init__(self) -> None:
            self.said: list[Any] = []

        def begin(self, run: Run, overwrite: bool = False) -> Diary:
            self.said.append(("begin", run.key.name, overwrite))
            return self

        def note(self, state: str, finding: Finding | None = None) -> None:
            self.said.append((state, finding and finding.status))

        def complete(self, finding: Finding) -> None:
            self.said.append(("complete", finding.status))

        def fail(self, reason: str) -> None:
            self.said.append(("fail", reason))

        abandon = fail

        def latest_blessed(self, pipeline: str, key: RunKey | None = None) -> None:
            return None

    diary = Diary()
    result = benison.evaluate(**{**arguments, "metadata": diary, "baseline": "latest-blessed"})
    assert list(dict.fromkeys(diary.said)) == [
        ("begin", "taxi/r1/Evaluator", False),
        ("running", None),
        ("evaluated", "blessed"),
        ("written", "blessed"),
        ("complete", "blessed"),
    ]
    assert result.manifest["lineage"]["page"] == 1


def test_the_latest_blessed_model_is_the_baseline(
    arguments: dict[str, Any], tmp_path: Path
) -> None:
    pytest.importorskip("sklearn")
    import pickle

    from sklearn.linear_model import LogisticRegression

    table = taxi_like(500).to_pandas()
    for name, columns in (("old", ["prediction"]), ("new", ["prediction", "old_prediction"])):
        model = LogisticRegression().fit(table[columns], table["label"])
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.pkl").write_bytes(pickle.dumps(model))
    change = {"change_threshold": {"direction": "HIGHER_IS_BETTER", "absolute": -0.5}}
    judged = {"class_name": "AUC", "threshold": {"value_threshold": {"lower_bound": 0.1}, **change}}
    common = {
        **arguments,
        "config": {**config(judged), "model_specs": [{"label_key": "label"}]},
        "trust_pickle": True,
        "baseline": "latest-blessed",
    }
    first = benison.evaluate(
        **{**common, "model": str(tmp_path / "old"), "run": "first", "output": str(tmp_path / "o1")}
    )
    assert first.verdict.rubber_stamped
    assert first.verdict.blessed
    second = benison.evaluate(
        **{
            **common,
            "model": str(tmp_path / "new"),
            "run": "second",
            "output": str(tmp_path / "o2"),
        }
    )
    assert not second.verdict.rubber_stamped
    # By now each is the latest blessed model itself, or was; a retry is of what the run began with.
    for name, run, output, result in (
        ("old", "first", "o1", first),
        ("new", "second", "o2", second),
    ):
        words = {"model": str(tmp_path / name), "run": run, "output": str(tmp_path / output)}
        again = benison.evaluate(**{**common, **words})
        assert again.manifest["created"] == result.manifest["created"]
    baseline = next(m for m in second.manifest["models"] if m["is_baseline"])
    assert baseline["path"] == str(tmp_path / "old")
    assert lineage.connect(arguments["metadata"]).latest_blessed("taxi").path == str(
        tmp_path / "new"
    )
    (tmp_path / "new" / "notes").write_text("added after the blessing")
    third = {"model": str(tmp_path / "old"), "run": "third", "output": str(tmp_path / "o3")}
    with pytest.raises(benison.ModelError, match="new, was changed after it was blessed"):
        benison.evaluate(**{**common, **third})
    shutil.rmtree(tmp_path / "o2")
    json.loads((tmp_path / "o1" / "BLESSED").read_text())


def test_what_is_mounted_is_recorded_by_its_address(
    arguments: dict[str, Any], tmp_path: Path
) -> None:
    """So that another machine finds the blessed model, wherever it is mounted there."""
    pytest.importorskip("sklearn")
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    (here / "model.pkl").write_bytes(pickle.dumps(Echo()))
    arguments |= {"config": {**config(LOW), "model_specs": [{"label_key": "label"}]}}
    arguments |= {"trust_pickle": True, "model": str(here / "model.pkl")}
    arguments |= {"mounts": {"gs://models/": f"{here}/"}}
    first = benison.evaluate(**arguments)
    assert lineage.connect(arguments["metadata"]).latest_blessed("taxi").path == (
        "gs://models/model.pkl"
    )
    here.rename(there)
    elsewhere = {"mounts": {"gs://models/": f"{there}/"}, "model": str(there / "model.pkl")}
    again = benison.evaluate(**{**arguments, **elsewhere})  # the same inputs, elsewhere
    assert again.manifest["created"] == first.manifest["created"]
    later = {"run": "r2", "output": str(tmp_path / "out2"), "baseline": "latest-blessed"}
    second = benison.evaluate(**{**arguments, **elsewhere, **later})
    baseline = next(m for m in second.manifest["models"] if m["is_baseline"])
    assert baseline["path"] == str(there / "model.pkl")
    moved = tmp_path / "moved"
    (tmp_path / "out2").rename(moved)
    assert check_recorded(moved, arguments["metadata"]).status == "blessed"


def test_the_verdict_says_how_many_candidates_were_judged_on_the_data(
    arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store counts them; that it counts right is held with the stores."""
    monkeypatch.setattr(Ledger, "look", lambda self, data, model: 14)
    verdict = benison.evaluate(**arguments).verdict
    assert verdict.look == 14
    assert verdict.summary().endswith(" It is the 14th candidate judged on these data.")
    assert benison.load_result(arguments["output"]).verdict == verdict


def test_one_look_more_than_allowed_is_refused(
    arguments: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Candidates are counted by the digest of their model, so columns of predictions are refused."""
    pytest.importorskip("sklearn")
    arguments["config"]["options"] = {"confidence": {"looks": {"most": 2}}}
    with pytest.raises(benison.ConfigError, match="by the digest of their model, and this one"):
        benison.evaluate(**arguments)
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(Echo()))
    arguments["config"]["model_specs"] = [{"label_key": "label"}]
    arguments |= {"trust_pickle": True, "model": str(tmp_path / "model.pkl"), "run": "r2"}
    monkeypatch.setattr(Ledger, "look", lambda self, data, model: 3)
    with pytest.raises(benison.ConfigError, match=r"the 3rd candidate .*looks allows 2\."):
        benison.evaluate(**arguments)
    with pytest.raises(benison.ConfigError, match="say metadata"):
        benison.evaluate(
            arguments["examples"], {**config(LOW), "options": arguments["config"]["options"]}
        )
