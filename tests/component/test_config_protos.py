# SPDX-License-Identifier: Apache-2.0
"""Configs as TFMA's messages, their JSON and their text."""

from __future__ import annotations

import copy
import json
import pathlib
import warnings
from typing import Any

import pytest

from benison.config import (
    ConfidenceIntervalMethod,
    EvalConfig,
    MetricDirection,
)
from benison.config.protos import eval_config_messages
from benison.errors import ConfigError
from tests.component.test_config import WHOLE


@pytest.fixture(scope="module")
def config_pb2() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they are TensorFlow's
        return pytest.importorskip(
            "tensorflow_model_analysis.proto.config_pb2", exc_type=ImportError
        )


@pytest.fixture(scope="module")
def message(config_pb2: Any) -> Any:
    """WHOLE as TFMA's own message."""
    from google.protobuf import json_format

    plain = copy.deepcopy(WHOLE)
    del plain["version"]
    spec = plain["metrics_specs"][0]
    spec["metrics"][0]["config"] = json.dumps(spec["metrics"][0]["config"])
    for options, field in (
        (spec["binarize"], "class_ids"),
        (spec["binarize"], "k_list"),
        (spec["binarize"], "top_k_list"),
        (plain["options"], "disabled_outputs"),
    ):
        options[field] = {"values": options[field]}
    return json_format.ParseDict(plain, config_pb2.EvalConfig())


def test_a_message_is_a_config(message: Any, config_pb2: Any) -> None:
    assert EvalConfig.load(message) == EvalConfig.load(WHOLE)
    assert EvalConfig.load(config_pb2.EvalRun(eval_config=message)) == EvalConfig.load(WHOLE)


@pytest.mark.parametrize("keep_names", [True, False])
def test_the_json_of_a_message_is_a_config(
    message: Any, tmp_path: pathlib.Path, keep_names: bool
) -> None:
    from google.protobuf import json_format

    path = tmp_path / "eval_config.json"
    path.write_text(json_format.MessageToJson(message, preserving_proto_field_name=keep_names))
    assert EvalConfig.load(path) == EvalConfig.load(WHOLE)


def test_text_proto_is_a_config(message: Any, tmp_path: pathlib.Path) -> None:
    from google.protobuf import text_format

    path = tmp_path / "eval.pbtxt"
    path.write_text(text_format.MessageToString(message))
    assert EvalConfig.load(path) == EvalConfig.load(WHOLE)


def test_text_proto_is_checked_with_line_and_column(
    config_pb2: Any, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "eval.pbtxt"
    path.write_text("options {\n  qqq: 3\n}")
    with pytest.raises(ConfigError) as raised:
        EvalConfig.load(path)
    assert str(raised.value) == (
        f"{path} is not an EvalConfig in text proto: Message type "
        '"tensorflow_model_analysis.Options" has no field named "qqq" at line 2, column 3.'
    )


def test_text_proto_gives_no_key_of_a_map_twice(tmp_path: pathlib.Path) -> None:
    """JSON and YAML refuse it too; protobuf itself takes the last, and a gate would be gone."""
    path = tmp_path / "eval.pbtxt"
    bound = 'thresholds { key: "auc" value { value_threshold { lower_bound { value: %s } } } }'
    path.write_text(f"metrics_specs {{ {bound % 0.9} {bound % 0.1} }}")
    with pytest.raises(ConfigError, match="the key 'auc' of thresholds is given twice"):
        EvalConfig.load(path)
    path.write_text(f"metrics_specs {{ {bound % 0.9} }} metrics_specs {{ {bound % 0.1} }}")
    specs = EvalConfig.load(path).metrics_specs
    assert [spec.thresholds["auc"].value_threshold.lower_bound for spec in specs] == [0.9, 0.1]


def test_binary_proto_with_fields_of_another_version_is_refused(tmp_path: pathlib.Path) -> None:
    messages = eval_config_messages()
    config = messages.EvalConfig(metrics_specs=[messages.MetricsSpec(query_key="q")])
    config.metrics_specs[0].MergeFromString(b"\xa0\x06\x01")  # field 100
    path = tmp_path / "eval.pb"
    path.write_bytes(config.SerializeToString())
    for source in (path, config):
        with pytest.raises(ConfigError, match="has fields that are not those of EvalConfig"):
            EvalConfig.load(source)
    config.DiscardUnknownFields()
    path.write_bytes(config.SerializeToString())
    assert EvalConfig.load(path) == EvalConfig.load(config)


def test_the_messages_have_the_fields_of_tfmas(config_pb2: Any) -> None:
    def described(message: Any) -> dict[str, Any]:
        return {
            field.name: (
                field.number,
                field.type,
                field.is_repeated,
                field.containing_oneof and field.containing_oneof.name,
                field.message_type and field.message_type.full_name,
            )
            for field in message.DESCRIPTOR.fields
        }

    ours = vars(eval_config_messages())
    theirs = {name: vars(config_pb2)[name] for name in ours if "." not in name}
    assert theirs
    for name, message in theirs.items():
        assert described(ours[name]) == described(message), name


def test_a_message_of_another_kind_is_refused(config_pb2: Any) -> None:
    with pytest.raises(ConfigError) as raised:
        EvalConfig.load(config_pb2.ModelSpec())
    assert str(raised.value) == (
        "A message ModelSpec is not a config; "
        "expected one of EvalConfig, EvalConfigAndVersion, EvalRun."
    )


def test_the_fields_and_numbers_are_those_of_tfma(config_pb2: Any) -> None:
    assert {name: int(m) for name, m in MetricDirection.__members__.items()} == dict(
        config_pb2.MetricDirection.items()
    )
    methods = config_pb2.ConfidenceIntervalOptions.ConfidenceIntervalMethod
    assert {name: int(m) for name, m in ConfidenceIntervalMethod.__members__.items()} == dict(
        methods.items()
    )
    parts = {"EvalConfig": EvalConfig.json_schema(), **EvalConfig.json_schema()["$defs"]}
    messages = config_pb2.DESCRIPTOR.message_types_by_name
    assert set(messages) - set(parts) <= NOT_OURS
    for name in set(messages) & set(parts):
        theirs = {field.name for field in messages[name].fields}
        assert theirs <= set(parts[name]["properties"]), name


# Messages that only wrap a list, or an EvalConfig.
NOT_OURS = {
    "RepeatedInt32Value",
    "RepeatedStringValue",
    "EvalRun",
    "EvalConfigAndVersion",
    "Metadata",
}
