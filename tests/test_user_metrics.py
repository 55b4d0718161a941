# SPDX-License-Identifier: Apache-2.0
"""Metrics of one's own, named by a config: evaluated, recorded, shown, and computed by other processes."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import benison
from benison.cli import app
from benison.metrics import registry
from benison.metrics.brier import BrierScore
from benison.report import page
from benison.results import query
from tests.component.pages import Carried
from tests.conftest import config, taxi_like

TRIPS = taxi_like(400)
# It reads a feature, and notes where it was imported.
CODE = '''
import dataclasses, os, pathlib
import numpy as np
from benison.metrics.base import Metric, ratio
from benison.metrics.statistics import Mean

with open(pathlib.Path(__file__).with_name("imported"), "a") as log:
    print(os.getpid(), file=log)

@dataclasses.dataclass(frozen=True)
class Hours:
    column: str
    def __call__(self, inputs):
        return inputs.features[self.column].to_numpy(zero_copy_only=False).astype(float)

@dataclasses.dataclass(frozen=True)
class MeanHour(Metric):
    """Mean of a feature."""
    column: str = "hour"
    name: str = "mean_hour"
    def statistics(self):
        return (MeanOf(Hours(self.column)),)
    def result(self, mean):
        return ratio(*mean)

@dataclasses.dataclass(frozen=True)
class MeanOf(Mean):
    def columns(self):
        return (self.of.column,)
'''


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "my_metrics.py").write_text(CODE)
    pq.write_table(TRIPS, tmp_path / "eval.parquet", row_group_size=100)
    (tmp_path / "eval.json").write_text(json.dumps(made()))
    yield tmp_path
    sys.modules.pop("my_metrics", None)


def made(**more: Any) -> dict[str, Any]:
    metric = {
        "class_name": "MeanHour",
        "module": "my_metrics",
        "threshold": {"value_threshold": {"lower_bound": 1}},
        **more,
    }
    return config(metric, "ExampleCount", slices=({}, {"feature_keys": ["company"]}))


def imports(folder: Path) -> set[str]:
    log = folder / "code" / "imported"
    return set(log.read_text().split()) if log.exists() else set()


HOURS = TRIPS["hour"].to_numpy()


def test_a_metric_of_a_module(folder: Path) -> None:
    result = benison.evaluate(TRIPS, made(), module_path=folder / "code", output=folder / "out")
    assert result.value("mean_hour") == pytest.approx(HOURS.mean())
    first = np.array([c == "company 0" for c in TRIPS["company"].to_pylist()])
    assert result.value("mean_hour", {"company": "company 0"}) == pytest.approx(HOURS[first].mean())
    assert result.verdict.blessed
    digest = hashlib.sha256((folder / "code" / "my_metrics.py").read_bytes()).hexdigest()
    message = [{"class_name": "MeanHour", "module": "my_metrics", "sha256": digest}]
    for name in ("manifest.json", "BLESSED"):
        assert json.loads((folder / "out" / name).read_text())["user_metrics"] == message
    assert str(folder / "code") not in sys.path


# Each command, and then the result, in one process that could import the module.
SHOW = """
import json, sys
import benison
from benison.cli import app
from typer.testing import CliRunner
for words in json.loads(sys.argv[2]):
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, (words, done.output)
print(benison.load_result(sys.argv[1]).value("mean_hour"))
"""


def run(*arguments: Any) -> Any:
    command = [sys.executable, "-m", "benison", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_imports_to_evaluate_and_never_to_show(folder: Path) -> None:
    where = ("--module-path", folder / "code")
    done = run("check-config", folder / "eval.json", *where)
    assert (done.returncode, "in order: 2 metrics" in done.stdout) == (0, True), done.stderr
    done = run("evaluate", "-e", folder / "eval.parquet", "-c", folder / "eval.json", "-o", folder / "out", *where)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(imports(folder)) == 2
    out = str(folder / "out")
    shown = (
        ("show", out, "--metric", "mean_hour"),
        ("verify", out),
        ("report", out, "--output", str(folder / "page.html")),
        ("gate", out),
        ("show", out, "--compare", out),
    )
    command = [sys.executable, "-c", SHOW, out, json.dumps(shown)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder / "code")
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == pytest.approx(HOURS.mean())
    assert len(imports(folder)) == 2


def test_what_cannot_be_loaded_is_a_fault_among_others(folder: Path) -> None:
    asked = {
        "metrics_specs": [
            {"metrics": [
                {"class_name": "MeanHour", "module": "my_metricz"},
                {"class_name": "MeanHours", "module": "my_metrics"},
                {"class_name": "acc"},
            ]},
        ],
        "model_specs": [{"label_key": "lable", "prediction_key": "prediction"}],
    }  # fmt: skip
    with pytest.raises(benison.ConfigError) as raised:
        benison.evaluate(TRIPS, asked, module_path=folder / "code")
    faults = dict(raised.value.faults)
    assert "there is no module 'my_metricz' in sys.path nor in" in faults["metrics_specs[0].metrics[0].module"]  # fmt: skip
    assert "has no 'MeanHours', and registers none. Did you mean 'MeanHour'?" in faults["metrics_specs[0].metrics[1].module"]  # fmt: skip
    assert {*faults} - {"metrics_specs[0].metrics[2]", "model_specs[0].label_key"} == {
        "metrics_specs[0].metrics[0].module",
        "metrics_specs[0].metrics[1].module",
    }


def test_without_the_folder_it_says_what_to_type(folder: Path) -> None:
    result = CliRunner().invoke(app, ["check-config", str(folder / "eval.json")])
    assert result.exit_code == 2
    text = " ".join(result.output.split())
    assert "there is no module 'my_metrics' in sys.path. Name its folder: --module-path" in text


def test_parameters_of_a_users_metric_are_checked(folder: Path) -> None:
    for parameters, sentence in (
        ({"colum": "hour"}, "MeanHour has no parameter 'colum'. Did you mean 'column'?"),
        ({"column": 5}, "MeanHour: column must be text, not the number 5."),
        ({"column": "hours"}, "a metric reads the column 'hours', which the data do not have"),
    ):
        with pytest.raises(benison.ConfigError, match=sentence):
            benison.evaluate(TRIPS, made(config=parameters), module_path=folder / "code")


def test_a_changed_module_is_another_input_of_a_run(folder: Path) -> None:
    where = {"module_path": folder / "code", "output": folder / "out"}
    benison.evaluate(TRIPS, made(), **where)
    before = benison.load_result(folder / "out").manifest["user_metrics"]
    (folder / "code" / "my_metrics.py").write_text(f"{CODE}\n# changed\n")
    sys.modules.pop("my_metrics")
    benison.evaluate(TRIPS, made(), **where, overwrite=True)
    assert benison.load_result(folder / "out").manifest["user_metrics"] != before


@pytest.mark.skipif(" " in sys.executable, reason="Beam's shell takes no interpreter with a blank")
def test_beam_workers_in_other_processes_compute_it(folder: Path) -> None:
    pytest.importorskip("apache_beam")
    mode = ("--direct_running_mode=multi_processing", "--direct_num_workers=2")
    done = run(
        "evaluate", "-e", folder / "eval.parquet", "-c", folder / "eval.json", "-o", folder / "out",
        "--module-path", folder / "code", "--engine", "beam", "--", *mode,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert len(imports(folder)) > 1
    ours = benison.evaluate(TRIPS, made(), module_path=folder / "code")
    theirs = benison.load_result(folder / "out")
    assert theirs.metrics["value"].to_pylist() == pytest.approx(ours.metrics["value"].to_pylist())


def undirected(tmp_path: Path, name: str, better: bool | None) -> benison.EvalResult:
    """A metric of one's own by slice, evaluated; what shows it later does not know its class."""
    made = dataclasses.make_dataclass(
        "Off", [("name", str, "off")], bases=(BrierScore,), namespace={"higher_is_better": better},
        frozen=True,
    )  # fmt: skip
    registry.replace("Off", made)
    asked = config("Off", slices=({"feature_keys": ["hour"]},))
    result = benison.evaluate(TRIPS, asked, output=tmp_path / name)
    registry._REGISTRY.pop("Off")
    return result


@pytest.mark.parametrize("better", [True, False, None])
def test_the_direction_of_a_metric_of_ones_own(tmp_path: Path, better: bool | None) -> None:
    undirected(tmp_path, "out", better)
    result = benison.load_result(tmp_path / "out")
    bad = None if better is None else not better
    assert result.is_bad_when_high("off") is bad
    values = result.ranked("off")["value"].to_pylist()
    assert values == sorted(values, reverse=better is False)
    table = result.metrics
    column = table.schema.get_field_index("value")
    higher = dataclasses.replace(
        result, metrics=table.set_column(column, "value", pc.add(table["value"], 1.0))
    )
    rows = query.changes(higher, [result], ["off"], None)
    assert {row["bad_way"] for row in rows} == {None if bad is None else "higher" if bad else ""}
    shown = CliRunner().invoke(app, ["show", str(tmp_path / "out"), "--metric", "off"]).output
    assert ("worst slices" in shown, "direction unknown" in shown) == (bad is not None, bad is None)
    (metric,) = Carried.of(page.render(result)).header["views"][0]["metrics"]
    assert metric["better"] is better
