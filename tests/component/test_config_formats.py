# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: E501 - a sentence that is expected stays on one line
"""The tests of the files and messages that a config is read from."""

from __future__ import annotations

import pathlib
import sys
from typing import Any

import pytest

from benison.config import EvalConfig
from benison.errors import ConfigError

SMALL = {
    "model_specs": [{"label_key": "tip", "prediction_key": "score"}],
    "slicing_specs": [{}, {"feature_keys": ["hour"]}],
    "metrics_specs": [
        {"metrics": [{"class_name": "AUC", "threshold": {"value_threshold": {"lower_bound": 0.5}}}]}
    ],
}


def faults_of(source: Any) -> list[tuple[str, str]]:
    with pytest.raises(ConfigError) as raised:
        EvalConfig.load(source)
    return raised.value.faults


@pytest.mark.parametrize("name", ["eval.json", "eval.yaml", "eval.yml", "EVAL.YAML"])
def test_files_are_read_by_their_ending(tmp_path: pathlib.Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(EvalConfig.load(SMALL).to_json())  # JSON is YAML too
    assert EvalConfig.load(path) == EvalConfig.load(str(path)) == EvalConfig.load(SMALL)


def test_yaml_is_version_1_2(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "eval.yaml"
    path.write_text(
        "slicing_specs:\n- feature_values: {country: NO, zip: 0123, day: 2020-01-01, at: 12:30}\n"
        "metrics_specs:\n- metrics:\n  - class_name: AUC\n    config: {thresholds: [1e-3]}\n"
    )
    config = EvalConfig.load(path)
    assert config.slicing_specs[0].feature_values == {
        "country": "NO",
        "zip": "0123",
        "day": "2020-01-01",
        "at": "12:30",
    }
    assert config.metrics_specs[0].metrics[0].config == {"thresholds": [0.001]}


def test_yaml_anchors_may_be_merged(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "eval.yaml"
    path.write_text("model_specs:\n- &a {name: a, label_key: tip}\n- {<<: *a, name: b}\n")
    assert [spec.label_key for spec in EvalConfig.load(path).model_specs] == ["tip", "tip"]


BROKEN_FILES = [
    ("eval.json", "", "{path} is empty; a config has at least metrics_specs."),
    (
        "eval.yaml",
        "# nothing\n",
        "{path} is empty; expected a mapping of fields such as metrics_specs.",
    ),
    (
        "eval.json",
        '{"a": 1,\n  "b" 2}',
        "{path} is not JSON: Expecting ':' delimiter at line 2, column 7.",
    ),
    (
        "eval.json",
        '{"options": {}, "options": {}}',
        "{path} is not JSON: the key 'options' is given twice.",
    ),
    ("eval.json", "[1]", "{path} is a list; expected a mapping of fields such as metrics_specs."),
    ("eval.json", '{"evalConfig": 3}', "{path}: eval_config is of type int, expected a mapping."),
    (
        "eval.yaml",
        "a: [1\nb: 2\n",
        "{path} is not YAML: expected ',' or ']', but got ':' at line 2, column 2.",
    ),
    (
        "eval.yaml",
        "options: {}\noptions: {}\n",
        "{path} is not YAML: the key 'options' is given twice at line 2, column 1; leave out one of them.",
    ),
    (
        "eval.toml",
        "a = 1",
        "{path} has the ending '.toml'; a config file ends in .json, .yaml, .yml, .pbtxt, .textproto, .txtpb, "
        ".pb, .binpb.",
    ),
    (
        "eval",
        "a = 1",
        "{path} has no ending; a config file ends in .json, .yaml, .yml, .pbtxt, .textproto, .txtpb, "
        ".pb, .binpb.",
    ),
]


@pytest.mark.parametrize(("name", "text", "sentence"), BROKEN_FILES)
def test_a_broken_file_is_named_with_its_place(
    tmp_path: pathlib.Path, name: str, text: str, sentence: str
) -> None:
    path = tmp_path / name
    path.write_text(text)
    assert faults_of(path) == [("", sentence.format(path=path))]


def test_a_file_that_is_not_text_is_refused(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "eval.json"
    path.write_bytes(b"{\xff}")
    assert faults_of(path) == [("", f"{path} is not UTF-8 text: invalid start byte at byte 1.")]
    folder = tmp_path / "folder.json"
    folder.mkdir()
    assert faults_of(folder) == [("", f"{folder} cannot be read: Is a directory.")]


def test_a_missing_file_is_named_with_a_near_one(tmp_path: pathlib.Path) -> None:
    (tmp_path / "eval.json").touch()
    path = tmp_path / "evl.json"
    assert faults_of(path) == [("", f"{path} is not there. Did you mean 'eval.json'?")]
    path = tmp_path / "no" / "eval.json"
    assert faults_of(path) == [
        ("", f"{path} is not there: there is no directory {str(tmp_path / 'no')!r}.")
    ]


def test_text_is_not_guessed_to_be_json() -> None:
    assert faults_of('{"metrics_specs": []}') == [
        ("", "A text is taken for a path; to give JSON text, give json.loads(text).")
    ]


def test_what_is_no_config_at_all_is_refused() -> None:
    assert faults_of(3) == [
        (
            "",
            "The config is of type int; expected a path, a mapping of fields such as metrics_specs, "
            "or an EvalConfig.",
        )
    ]


def test_text_proto_is_read_without_tfma(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow_model_analysis", None)
    path = tmp_path / "eval.pbtxt"
    path.write_text('model_specs { label_key: "tip" }')
    assert EvalConfig.load(path) == EvalConfig(model_specs=[{"label_key": "tip"}])


@pytest.mark.parametrize("content", [b"\xff\xff", b"\x82\x06\x01a"])
def test_binary_proto_that_is_no_config_is_refused(tmp_path: pathlib.Path, content: bytes) -> None:
    path = tmp_path / "eval.pb"
    path.write_bytes(content)
    ((_, sentence),) = faults_of(path)
    assert "not an EvalConfig" in sentence
