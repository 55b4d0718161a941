# SPDX-License-Identifier: Apache-2.0
"""Configs without end, with text that is none, or with YAML that is more than data: each is one sentence."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from benison.config import EvalConfig, MetricConfig, ModelSpec
from benison.errors import ConfigError

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)  # fmt: skip
HALF = "holds half of a surrogate pair, which UTF-8 cannot write. Write the whole character."
DEEP = "is nested more than 100 deep"


def faults_of(source: Any) -> list[tuple[str, str]]:
    with pytest.raises(ConfigError) as raised:
        EvalConfig.load(source)
    return raised.value.faults


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


YAML = [
    (BOMB, "holds more than 1,000,000 values, where each alias counts as all that it stands for."),
    ("a: &a [*a]", "*a is inside of what it stands for at line 1, column 8; write out what is meant."),
    ("a: *b", "*b has no anchor at line 1, column 4; write &b before what it stands for."),
    ("- " * 3000 + "x", f"a value {DEEP} at line 1, column 201; a config needs a dozen levels."),
    ("[" * 200_000, f"a value {DEEP} at line 1, column 101; a config needs a dozen levels."),
    ("? [a, b]\n: 3", "a key is a list at line 1, column 3; keys are text."),
    ("? {a: b}\n: 3", "a key is a mapping at line 1, column 3; keys are text."),
    ("a: {b: 1, b: 2}", "the key 'b' is given twice at line 1, column 11; leave out one of them."),
    ("5: a\n'5': b", "the key '5' is given twice at line 2, column 1; leave out one of them."),
    ("a: !!python/object:os.system ls", "is not one of plain data at line 1, column 4; leave it out."),
    ("!!set {a, b}", "is not one of plain data at line 1, column 1; leave it out."),
    ("a: !!int x", "'x' is not of the type int, which its tag says at line 1, column 4; leave the tag out."),
    ("a: 1\n---\nb: 2", "there is a second document at line 2, column 1; a file holds one."),
    ("a: \x01", "the character U+0001 is not allowed at line 1, column 4."),
    (f"version: {'9' * 5000}", "a number has 5,000 digits at line 1, column 10; round it."),
    ("<<: 3", "<< has 3 at line 1, column 5; it merges mappings, such as *anchor."),
]  # fmt: skip


@pytest.mark.parametrize(("text", "sentence"), YAML)
def test_yaml_that_is_more_than_data(tmp_path: Path, text: str, sentence: str) -> None:
    path = written(tmp_path, "eval.yaml", text)
    ((_, fault),) = faults_of(path)
    assert fault.startswith(f"{path} is not YAML: ")
    assert sentence in fault


JSON = [
    ("[" * 200_000, f"is not JSON: it {DEEP}; a config needs a dozen levels."),
    (f'{{"version": {"9" * 5000}}}', "is not JSON: Exceeds the limit (4300 digits)"),
    ('{"options": {"a": 1, "a": 2}}', "is not JSON: the key 'a' is given twice."),
]


@pytest.mark.parametrize(("text", "sentence"), JSON)
def test_json_without_end(tmp_path: Path, text: str, sentence: str) -> None:
    path = written(tmp_path, "eval.json", text)
    ((_, fault),) = faults_of(path)
    assert fault.startswith(f"{path} {sentence}")


@pytest.mark.parametrize("name", ["eval.json", "eval.yaml"])
def test_depth_that_the_parser_takes_is_refused_too(tmp_path: Path, name: str) -> None:
    ((location, fault),) = faults_of(
        written(tmp_path, name, '{"options":' * 150 + "{}" + "}" * 150)
    )
    assert DEEP in f"{location}: {fault}"


def endless() -> dict[str, Any]:
    data: dict[str, Any] = {}
    data["options"] = data
    return data


def deep(levels: int) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for _ in range(levels):
        data = {"a": data}
    return data


def test_mappings_of_a_program_have_an_end() -> None:
    cure = "holds itself; write out what is meant."
    assert faults_of(endless()) == [("options.options", cure)]
    several: list[Any] = []
    several.append(several)
    assert faults_of({"metrics_specs": several}) == [("metrics_specs[0]", cure)]
    assert faults_of(deep(5000))[0][1] == f"{DEEP}; a config needs a dozen levels."
    for parameters in (endless(), deep(5000)):
        with pytest.raises(ConfigError, match=f"holds itself|{DEEP}"):
            MetricConfig(class_name="AUC", config=parameters)


def test_what_is_shared_but_ends_is_read(tmp_path: Path) -> None:
    text = "model_specs: [&m {label_key: y, name: a}, {<<: *m, name: b}, {<<: [*m], name: c}]"
    specs = EvalConfig.load(written(tmp_path, "eval.yaml", text)).model_specs
    assert [(spec.name, spec.label_key) for spec in specs] == [("a", "y"), ("b", "y"), ("c", "y")]


HALVES = [
    ({"model_specs": [{"name": "\ud800"}]}, "model_specs[0].name"),
    ({"model_specs": [{"label_keys": {"\ud800": "a"}}]}, "model_specs[0].label_keys['\\ud800']"),
    ({"slicing_specs": [{"feature_keys": ["a", "\udfff"]}]}, "slicing_specs[0].feature_keys[1]"),
    ({"slicing_specs": [{"feature_values": {"a": "\udfff"}}]}, "slicing_specs[0].feature_values.a"),
    ({"metrics_specs": [{"metrics": [{"class_name": "AUC", "config": {"name": "\ud800"}}]}]},
     "metrics_specs[0].metrics[0].config"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "location"), HALVES)
@pytest.mark.parametrize("ending", ["json", "yaml"])
def test_half_of_a_surrogate_pair_is_no_text(
    tmp_path: Path, source: Any, location: str, ending: str
) -> None:
    path = written(tmp_path, f"eval.{ending}", json.dumps(source))  # as \ud800
    assert faults_of(path) == faults_of(source) == [(location, HALF)]


def test_half_of_a_surrogate_pair_in_python() -> None:
    with pytest.raises(ConfigError, match="^name: holds half of a surrogate pair"):
        ModelSpec(name="\ud800")


def test_numbers_that_no_float_holds() -> None:
    bound = {"value_threshold": {"lower_bound": 10**400}}
    ((location, fault),) = faults_of(
        {"metrics_specs": [{"metrics": [{"class_name": "AUC", "threshold": bound}]}]}
    )
    assert location.endswith("lower_bound")
    assert fault.startswith("expected a number up to 1.8e308, got the number 1000")
    ((_, fault),) = faults_of({"options": {"min_slice_size": 1e300}})
    assert fault == "expected a whole number of fewer digits, got the number 1e+300."


def test_a_list_is_advised_where_one_would_do() -> None:
    assert faults_of({"metrics_specs": 3}) == [
        ("metrics_specs", "expected a list, got the number 3.")
    ]


def test_scalars_are_those_of_yaml_1_2(tmp_path: Path) -> None:
    text = "{a: yes, b: 0x1F, c: 0o17, d: 0123, e: 1_000, f: .5, g: -.inf, h: 'true', i: !!str 5, j: 12:30}"
    source = (
        f"metrics_specs: [{{metrics: [{{class_name: X, config: {text.replace('-.inf', '-1.')}}}]}}]"
    )
    (spec,) = EvalConfig.load(written(tmp_path, "eval.yaml", source)).metrics_specs
    assert spec.metrics[0].config == {
        "a": "yes", "b": 31, "c": 15, "d": "0123", "e": "1_000", "f": 0.5, "g": -1.0, "h": "true",
        "i": "5", "j": "12:30",
    }  # fmt: skip


def test_a_bomb_costs_no_time(tmp_path: Path) -> None:
    """Not a measurement: what it stands for would take hours."""
    started = time.monotonic()
    faults_of(written(tmp_path, "eval.yaml", BOMB))
    assert time.monotonic() - started < 60
