# SPDX-License-Identifier: Apache-2.0
"""A config of TFMA in each form that it has, written as YAML that means the same."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format, text_format
from typer.testing import CliRunner

from benison.cli import app
from benison.config import EvalConfig
from benison.config.protos import eval_config_messages
from benison.errors import ConfigError
from benison.tfma.conversion import as_yaml, load
from benison.tfma.differences import OF_METRICS
from tests.component.test_config import WHOLE

MIGRATING = Path(__file__).resolve().parents[2] / "docs" / "migrating.md"


def whole() -> Any:
    """Every field as a message."""
    plain: Any = copy.deepcopy(WHOLE)
    del plain["version"]
    spec = plain["metrics_specs"][0]
    spec["metrics"][0]["config"] = json.dumps(spec["metrics"][0]["config"])
    spec["binarize"] = {name: {"values": each} for name, each in spec["binarize"].items()}
    plain["options"]["disabled_outputs"] = {"values": plain["options"]["disabled_outputs"]}
    return json_format.ParseDict(plain, eval_config_messages().EvalConfig())


def run_of(message: Any) -> str:
    run = eval_config_messages().EvalRun(eval_config=message, version="0.52.0")
    return json_format.MessageToJson(run)


FORMS: dict[str, Callable[[Any], str | bytes]] = {
    "eval.pbtxt": text_format.MessageToString,
    "eval.pb": lambda message: message.SerializeToString(),
    "eval.json": lambda message: json_format.MessageToJson(
        message, preserving_proto_field_name=True
    ),
    "eval_config.json": run_of,
    "eval.py": lambda message: f"c = EvalConfig(**{json_format.MessageToDict(message)})",
}


@pytest.mark.parametrize("name", FORMS)
def test_every_field_comes_through_every_form(name: str, tmp_path: Path) -> None:
    content = FORMS[name](whole())
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    target = tmp_path / "eval.yaml"
    ran = CliRunner().invoke(app, ["convert", str(path), "-o", str(target)])
    assert ran.exit_code == 0, ran.output
    assert EvalConfig.load(target) == EvalConfig.load(WHOLE)


AWKWARD = [
    {"slicing_specs": [{"feature_values": {"zip": "01234", "on": "NO", "é: #": "a\n# b"}}]},
    {"slicing_specs": [{"bins": {"fare": [0, 10.5]}, "where": {"cheap": "fare < 20"}}]},
    {
        "metrics_specs": [
            {"metrics": [{"class_name": "AUC", "config": {"name": "1e3", "x": [1e-7, None]}}]}
        ]
    },
    {"model_specs": [{"label_key": "- a"}], "options": {"column_types": {"a": "string"}}},
    {},
]


@pytest.mark.parametrize("data", AWKWARD, ids=lambda data: str(data)[:30])
def test_text_that_yaml_would_read_otherwise_is_quoted(data: Any, tmp_path: Path) -> None:
    config = EvalConfig.load(data)
    path = tmp_path / "eval.yaml"
    path.write_text(as_yaml(config), encoding="utf-8")
    assert EvalConfig.load(path) == config


PROGRAM = '''
import tensorflow_model_analysis as tfma
from google.protobuf import text_format, wrappers_pb2

LABEL: str = "tip"
HOURS = [tfma.SlicingSpec(feature_values={"hour": str_hour}) for str_hour in ("1", "2")]

def pipeline(data, accuracy: float = 0.6):
    names = ["AUC", "Recall"]
    return tfma.EvalConfig(
        model_specs=[tfma.ModelSpec(label_key=f"{LABEL}_xf")],
        slicing_specs=[tfma.SlicingSpec(), *HOURS],
        metrics_specs=[
            tfma.MetricsSpec(
                metrics=[tfma.MetricConfig(class_name=name) for name in names]
                + [
                    tfma.MetricConfig(
                        class_name="BinaryAccuracy",
                        config=json.dumps({"threshold": 0.5 / 2}),
                        threshold=tfma.MetricThreshold(
                            value_threshold=tfma.GenericValueThreshold(lower_bound={"value": accuracy}),
                            change_threshold=tfma.GenericChangeThreshold(
                                direction=tfma.MetricDirection.HIGHER_IS_BETTER,
                                absolute=wrappers_pb2.DoubleValue(value=-1e-10),
                            ),
                        ),
                    )
                ]
            )
        ],
    )

OTHER = text_format.Parse("""
  model_specs { label_key: "%s" }
  metrics_specs { metrics { class_name: "%s" } }
""" % (LABEL, "AUC"), tfma.EvalConfig())
'''
MADE = {
    "model_specs": [{"label_key": "tip_xf"}],
    "slicing_specs": [{}, *({"feature_values": {"hour": hour}} for hour in "12")],
    "metrics_specs": [
        {
            "metrics": [
                {"class_name": "AUC"},
                {"class_name": "Recall"},
                {
                    "class_name": "BinaryAccuracy",
                    "config": {"threshold": 0.25},
                    "threshold": {
                        "value_threshold": {"lower_bound": 0.6},
                        "change_threshold": {"absolute": -1e-10, "direction": "HIGHER_IS_BETTER"},
                    },
                },
            ]
        }
    ],
}
PARSED = {
    "model_specs": [{"label_key": "tip"}],
    "metrics_specs": [{"metrics": [{"class_name": "AUC"}]}],
}


@pytest.mark.parametrize(("start", "expected"), [("return", MADE), ("OTHER", PARSED)])
@pytest.mark.parametrize("ending", ["py", "ipynb"])
def test_a_program_is_read(ending: str, start: str, expected: Any, tmp_path: Path) -> None:
    line = PROGRAM[: PROGRAM.index(start)].count("\n") + 1
    path = tmp_path / f"pipeline.{ending}"
    cells = [{"cell_type": "code", "source": PROGRAM.splitlines(keepends=True)}]
    path.write_text(PROGRAM if ending == "py" else json.dumps({"cells": cells}))
    assert load(str(path), line) == EvalConfig.load(expected)


PROGRAMS = [
    ("x = 1", "makes no EvalConfig."),
    ("EvalConfig(a=1)\nEvalConfig(a=2)", "makes 2 EvalConfigs, at lines 1, 2; name one's line."),
    (
        "def f(label):\n return EvalConfig(model_specs=[ModelSpec(label_key=label)])",
        "'label' at line 2 is known only when the program runs. Say what it is with --set label=VALUE.",
    ),
    ("c = EvalConfig(options=c)", "is known only when the program runs"),
    ("EvalConfig(metrics_specs=tfma.metrics.specs_from_metrics([]))", "'tfma.metrics.specs_from"),
    (
        "EvalConfig(slicing_specs=[*None])",
        "'None' at line 1 is known only when the program runs. Run",
    ),
    ("EvalConfig(**None)", "'None' at line 1"),
    ("EvalConfig(options={**None})", "known only when the program runs"),
    ("EvalConfig(options=-'a')", "known only when the program runs"),
    ("EvalConfig(metrics_specs=[x for x in 3])", "'3' at line 1"),
    ("c = (", "is not Python: '(' was never closed at line 1."),
    ("Parse('modelspecs {}', EvalConfig())", 'has no field named "modelspecs"'),
]


@pytest.mark.parametrize(("text", "sentence"), PROGRAMS)
def test_a_program_that_computes_its_config_is_refused(
    text: str, sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / "pipeline.py"
    path.write_text(text.replace("Parse(", "text_format.Parse("))
    with pytest.raises(ConfigError) as raised:
        load(str(path))
    assert sentence in str(raised.value)


def test_names_from_elsewhere_are_given(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.py"
    path.write_text(
        "def f(bound, other=1):\n"
        "  bound = bound * other\n"
        "  spec = tfma.ModelSpec(label_key=features.LABEL)\n"
        "  limit = {'value_threshold': {'lower_bound': {'value': bound}}}\n"
        "  auc = tfma.MetricConfig(class_name='AUC' if True else '', threshold=limit)\n"
        "  return tfma.EvalConfig(model_specs=[spec], metrics_specs=[tfma.MetricsSpec(metrics=[auc])])\n"
    )
    given = ("--set", "features.LABEL=big_tipper", "--set", "bound=0.3", "--set", "other=2")
    ran = CliRunner().invoke(app, ["convert", str(path), *given])
    assert ran.exit_code == 0, ran.output
    assert "label_key: big_tipper" in ran.output
    assert "lower_bound: 0.6" in ran.output
    wrong = CliRunner().invoke(app, ["convert", str(path), "--set", "bound"])
    assert "expected NAME=VALUE" in wrong.output


def test_a_cell_that_is_not_python_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "n.ipynb"
    cells = [
        {"cell_type": "code", "source": [line]}
        for line in ("!pip install x", "if", "c = EvalConfig(options=Options())")
    ]
    path.write_text(json.dumps({"cells": cells}))
    assert load(str(path)) == EvalConfig()


def test_the_comments_say_what_differs_and_a_file_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "eval.pbtxt"
    path.write_text('metrics_specs { metrics { class_name: "MeanSquaredError" } }')
    shown = CliRunner().invoke(app, ["convert", str(path)])
    assert "# - MeanSquaredError: each row counts once" in shown.output
    target = tmp_path / "eval.yaml"
    target.write_text("mine")
    again = CliRunner().invoke(app, ["convert", str(path), "-o", str(target)])
    assert again.exit_code == 2
    assert "give another name, or --overwrite" in " ".join(again.output.split())
    assert target.read_text() == "mine"


def test_the_page_of_differences_names_each_metric() -> None:
    page = MIGRATING.read_text(encoding="utf-8")
    assert not [name for name in OF_METRICS if f"`{name}`" not in page]
