# SPDX-License-Identifier: Apache-2.0
"""The same run again, with the same and with other inputs: output, store and exit code agree."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from benison.cli import app
from tests.conftest import config, taxi_like

BOUND = {"class_name": "AUC", "threshold": {"value_threshold": {"lower_bound": 0.5}}}


class Workplace:
    """A pipeline on one machine: data that may be swapped, and commands."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        (folder / "eval.json").write_text(json.dumps(config(BOUND)))
        self.put(good=True)

    def put(self, good: bool, rows: int = 500) -> None:
        """Data on which the model is blessed, or the same with flipped labels."""
        table = taxi_like(rows)
        if not good:
            flipped = 1 - np.asarray(table["label"])
            index = table.schema.get_field_index("label")
            table = table.set_column(index, "label", [flipped])
        pq.write_table(table, self.folder / "eval.parquet")

    def call(self, *words: str) -> Any:
        return CliRunner().invoke(app, [*words], env={"BENISON_METADATA": self.url})

    def evaluate(self, *words: str, output: str = "out") -> int:
        done = self.call(
            *("evaluate", "--gate", "--examples", f"{self.folder}/eval.parquet"),
            *("--config", f"{self.folder}/eval.json", "--output", f"{self.folder}/{output}"),
            *("--pipeline", "taxi", "--run", "r1", *words),
        )
        self.said = " ".join(done.output.split())
        return int(done.exit_code)

    def store(self) -> list[str]:
        """The verdicts that the store has, newest first."""
        done = self.call("blessings", "--pipeline", "taxi", "--json")
        return [blessing["status"] for blessing in json.loads(done.stdout)]

    def output(self) -> str:
        (marker,) = (self.folder / "out").glob("*BLESSED")
        return marker.name

    def verify(self) -> int:
        done = self.call("verify", f"{self.folder}/out", "--metadata", self.url)
        self.said = " ".join(done.output.split())
        return int(done.exit_code)


@pytest.fixture
def workplace(tmp_path: Path, url: str) -> Workplace:
    return Workplace(tmp_path, url)


def test_a_finished_output_of_other_data_is_refused(workplace: Workplace) -> None:
    assert workplace.evaluate() == 0
    workplace.put(good=False, rows=400)
    assert workplace.evaluate() == 2
    assert "was of other data" in workplace.said
    assert workplace.output() == "BLESSED"
    assert workplace.store() == ["blessed"]


@pytest.mark.parametrize("first", [True, False])
def test_a_verdict_on_other_data_takes_the_place_of_the_first(
    workplace: Workplace, first: bool
) -> None:
    workplace.put(good=first)
    assert workplace.evaluate("--overwrite") == (0 if first else 1)
    workplace.put(good=not first)
    assert workplace.evaluate("--overwrite") == (1 if first else 0)
    assert workplace.output() == ("NOT_BLESSED" if first else "BLESSED")
    assert workplace.store() == ["not_blessed" if first else "blessed", "superseded"]
    assert workplace.verify() == (1 if first else 0)


def test_the_same_inputs_evaluated_again_stay_one_record(workplace: Workplace) -> None:
    assert workplace.evaluate() == 0
    assert workplace.evaluate("--overwrite") == 0
    assert workplace.evaluate() == 0
    assert workplace.store() == ["blessed"]
    assert workplace.verify() == 0


def test_a_run_that_failed_takes_mended_data(workplace: Workplace) -> None:
    table = taxi_like(500)
    index = table.schema.get_field_index("label")
    wrong = table.set_column(index, "label", [["x"] * 500])
    pq.write_table(wrong, workplace.folder / "eval.parquet")
    assert workplace.evaluate() == 2
    workplace.put(good=True)
    assert workplace.evaluate() == 0
    assert workplace.store() == ["blessed"]
    assert workplace.verify() == 0


def test_two_tasks_of_a_run_are_two_records(workplace: Workplace) -> None:
    assert workplace.evaluate("--task", "left") == 0
    assert workplace.evaluate("--task", "right", output="out2") == 0
    assert workplace.evaluate("--task", "right", "--map-index", "1", output="out3") == 0
    assert workplace.store() == ["blessed"] * 3


def test_only_what_the_same_run_has_written_is_replaced(workplace: Workplace) -> None:
    assert workplace.evaluate("--task", "left") == 0
    workplace.put(good=False)
    assert workplace.evaluate("--task", "right", "--overwrite") == 2
    assert "was written by the run 'taxi/r1/left'" in workplace.said
    assert workplace.evaluate("--task", "left", "--overwrite") == 1
    assert workplace.output() == "NOT_BLESSED"


def test_an_output_without_its_record_is_said_to_be(workplace: Workplace, tmp_path: Path) -> None:
    assert workplace.evaluate() == 0
    workplace.url = f"sqlite:///{tmp_path}/other.db?create=true"
    assert workplace.verify() == 2
    assert "is not recorded" in workplace.said
    recorded = workplace.call("record", f"{workplace.folder}/out")
    assert recorded.exit_code == 0, recorded.output
    assert workplace.store() == ["blessed"]
    assert workplace.verify() == 0


def test_an_output_of_another_pipeline_is_refused(workplace: Workplace) -> None:
    output = f"{workplace.folder}/out"
    assert workplace.evaluate() == 0
    for words in (("verify", output), ("verify", output, "--metadata", workplace.url)):
        assert workplace.call(*words, "--pipeline", "taxi").exit_code == 0
        refused = workplace.call(*words, "--pipeline", "bikes")
        assert refused.exit_code == 2
        said = " ".join(refused.output.split())
        assert "is of the pipeline 'taxi', not of the pipeline 'bikes'." in said
    assert workplace.call("record", output, "--pipeline", "taxi").exit_code == 0
    assert workplace.call("record", output, "--pipeline", "bikes").exit_code == 2


def test_decisions_are_part_of_what_is_verified(workplace: Workplace) -> None:
    target = f"{workplace.folder}/out"
    decision = ("--by", "ada", "--reason", "labels", "--pipeline", "taxi")
    assert workplace.evaluate() == 0
    assert workplace.call("revoke", target, *decision).exit_code == 0
    assert workplace.verify() == 1
    assert re.search(r"revoked by ada on \S+ at \S+ UTC: labels", workplace.said)
    assert workplace.evaluate() == 2
    assert "was revoked by ada" in workplace.said
