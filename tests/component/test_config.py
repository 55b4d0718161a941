# SPDX-License-Identifier: Apache-2.0
"""The tests of the config: every field, its spellings, its parts, TFMA's messages."""

from __future__ import annotations

import copy
import json
import math
import pathlib
import pickle
from typing import Any

import pytest

from benison.config import (
    AggregationOptions,
    BinarizationOptions,
    EvalConfig,
    ExampleWeightOptions,
    GenericChangeThreshold,
    GenericValueThreshold,
    MetricConfig,
    MetricDirection,
    MetricsSpec,
    MetricThreshold,
    ModelSpec,
    PaddingOptions,
    SlicingSpec,
)

HIGHER = "HIGHER_IS_BETTER"


# One of every field, in the spelling of TFX's exec property.
WHOLE: dict[str, Any] = {
    "version": 1,
    "model_specs": [
        {
            "name": "candidate",
            "model_type": "tf_generic",
            "signature_name": "serving_default",
            "preprocessing_function_names": ["tft_layer"],
            "label_keys": {"ctr": "clicked", "cvr": "bought"},
            "prediction_keys": {"ctr": "p_ctr", "cvr": "p_cvr"},
            "example_weight_keys": {"ctr": "w", "cvr": "w"},
            "padding_options": {"label_int_padding": -1, "prediction_float_padding": 0.5},
            "inference_batch_size": 128,
        },
        {"name": "baseline", "label_key": "clicked", "is_baseline": True},
    ],
    "slicing_specs": [{}, {"feature_keys": ["hour"], "feature_values": {"country": "NO"}}],
    "cross_slicing_specs": [
        {"baseline_spec": {}, "slicing_specs": [{"feature_keys": ["hour"]}]},
    ],
    "metrics_specs": [
        {
            "metrics": [
                {
                    "class_name": "AUC",
                    "module": "my.metrics",
                    "config": {"num_thresholds": 200, "name": "auc"},
                    "threshold": {
                        "value_threshold": {"lower_bound": 0.5, "upper_bound": 1.0},
                        "change_threshold": {
                            "absolute": -1e-10,
                            "relative": -0.1,
                            "direction": HIGHER,
                        },
                    },
                    "per_slice_thresholds": [
                        {
                            "slicing_specs": [{"feature_values": {"country": "NO", "hour": "5"}}],
                            "threshold": {"value_threshold": {"lower_bound": 0.25}},
                        }
                    ],
                    "cross_slice_thresholds": [
                        {
                            "cross_slicing_specs": [
                                {"baseline_spec": {}, "slicing_specs": [{"feature_keys": ["hour"]}]}
                            ],
                            "threshold": {"value_threshold": {"upper_bound": 0.25}},
                        }
                    ],
                }
            ],
            "model_names": ["candidate", "baseline"],
            "output_names": ["ctr", "cvr"],
            "output_weights": {"ctr": 0.75, "cvr": 0.25},
            "binarize": {"class_ids": [0, 1], "k_list": [1], "top_k_list": [2]},
            "aggregate": {"macro_average": True, "class_weights": {"0": 1.0, "1": 0.5}},
            "example_weights": {"weighted": True, "unweighted": True},
            "query_key": "query",
            "thresholds": {"loss": {"value_threshold": {"upper_bound": 1.0}}},
            "per_slice_thresholds": {
                "loss": {
                    "thresholds": [
                        {
                            "slicing_specs": [{}],
                            "threshold": {"value_threshold": {"upper_bound": 2.0}},
                        }
                    ]
                }
            },
            "cross_slice_thresholds": {
                "loss": {
                    "thresholds": [
                        {
                            "cross_slicing_specs": [
                                {"baseline_spec": {}, "slicing_specs": [{"feature_keys": ["hour"]}]}
                            ],
                            "threshold": {"value_threshold": {"upper_bound": 2.0}},
                        }
                    ]
                }
            },
        }
    ],
    "options": {
        "include_default_metrics": True,
        "compute_confidence_intervals": True,
        "confidence_intervals": {"method": "POISSON_BOOTSTRAP"},
        "min_slice_size": 20,
        "disabled_outputs": ["analysis"],
    },
}


def metric(**fields: Any) -> dict[str, Any]:
    """A config with one metric that has `fields`."""
    return {"metrics_specs": [{"metrics": [{"class_name": "AUC", **fields}]}]}


def camel(value: Any) -> Any:
    """WHOLE's own names in lowerCamelCase; none of its map keys has an underscore."""
    if isinstance(value, dict):
        return {
            head + rest.title().replace("_", ""): camel(item)
            for key, item in value.items()
            for head, _, rest in [key.partition("_")]
        }
    return [camel(item) for item in value] if isinstance(value, list) else value


def test_every_field_is_read_and_written_back() -> None:
    expected = copy.deepcopy(WHOLE)
    for specs in (
        expected["cross_slicing_specs"],
        expected["metrics_specs"][0]["metrics"][0]["cross_slice_thresholds"][0][
            "cross_slicing_specs"
        ],
        expected["metrics_specs"][0]["cross_slice_thresholds"]["loss"]["thresholds"][0][
            "cross_slicing_specs"
        ],
    ):
        del specs[0]["baseline_spec"]  # it is the default
    assert EvalConfig.load(WHOLE).to_dict() == expected


def test_lower_camel_case_is_the_same_config() -> None:
    spelled = camel(WHOLE)
    assert (
        "crossSlicingSpecs" in spelled["metricsSpecs"][0]["metrics"][0]["crossSliceThresholds"][0]
    )
    # Parameters belong to the metric and keep their spelling.
    spelled["metricsSpecs"][0]["metrics"][0]["config"] = {"num_thresholds": 200, "name": "auc"}
    assert EvalConfig.load(spelled) == EvalConfig.load(WHOLE)


def test_python_and_plain_data_build_the_same() -> None:
    built = EvalConfig(
        model_specs=(ModelSpec(label_key="tip"),),
        metrics_specs=(
            MetricsSpec(
                metrics=(
                    MetricConfig(
                        class_name="AUC",
                        config={"thresholds": (0.5,)},
                        threshold=MetricThreshold(
                            change_threshold=GenericChangeThreshold(
                                absolute=0.0, direction=MetricDirection.HIGHER_IS_BETTER
                            )
                        ),
                    ),
                ),
                example_weights=ExampleWeightOptions(weighted=True),
                binarize=BinarizationOptions(class_ids=(1,)),
                aggregate=AggregationOptions(micro_average=True),
            ),
        ),
    )
    change = {"change_threshold": {"absolute": 0, "direction": 2}}
    read = metric(config='"thresholds": [0.5]', threshold=change)
    read["metrics_specs"][0] |= {
        "example_weights": {"weighted": True},
        "binarize": {"class_ids": {"values": [1]}},
        "aggregate": {"micro_average": True},
    }
    assert EvalConfig.load({"model_specs": [{"label_key": "tip"}], **read}) == built
    assert EvalConfig.load(built) is built


@pytest.mark.parametrize(
    "text", ['{"num_thresholds": 5}', '"num_thresholds": 5', ' "num_thresholds":5 ']
)
def test_parameters_are_json_text_with_or_without_braces(text: str) -> None:
    assert MetricConfig(class_name="AUC", config=text).config == {"num_thresholds": 5}  # type: ignore[arg-type]


def test_wrapper_types_may_be_bare() -> None:
    bare = {
        "options": {
            "min_slice_size": 5,
            "compute_confidence_intervals": True,
            "disabled_outputs": ["a"],
        }
    }
    wrapped = {
        "options": {
            "minSliceSize": {"value": 5},
            "computeConfidenceIntervals": {"value": True},
            "disabledOutputs": {"values": ["a"]},
        }
    }
    assert EvalConfig.load(bare) == EvalConfig.load(wrapped)


def test_numbers_that_protobuf_writes_as_text_are_numbers() -> None:
    padding = EvalConfig.load({"model_specs": [{"padding_options": {"labelIntPadding": "-1"}}]})
    assert padding.model_specs[0].padding_options == PaddingOptions(label_int_padding=-1)
    bounds = GenericValueThreshold(lower_bound="-Infinity", upper_bound=3)  # type: ignore[arg-type]
    assert bounds.lower_bound == -math.inf


def test_values_of_slices_are_text() -> None:
    spec = SlicingSpec(feature_values={"hour": 5, "night": True, "fare": 2.5})  # type: ignore[dict-item]
    assert spec.feature_values == {"hour": "5", "night": "true", "fare": "2.5"}


@pytest.mark.parametrize("key", ["eval_config", "evalConfig"])
def test_the_file_that_tfma_writes_is_read(key: str) -> None:
    run = {
        key: WHOLE,
        "version": "0.52.0",
        "dataLocation": "eval.tfrecord",
        "modelLocations": {"": "m"},
    }
    assert EvalConfig.load(run) == EvalConfig.load(WHOLE)


def test_slicing_specs_are_equal_in_any_order_and_hash() -> None:
    first = SlicingSpec(feature_keys=("b", "a", "b"), feature_values={"x": "1", "y": "2"})
    two = SlicingSpec(feature_keys=("a", "b"), feature_values={"y": "2", "x": "1"})
    assert first == two
    assert len({first, two, SlicingSpec()}) == 2
    assert first.features == ("a", "b", "x", "y")
    assert str(first) == "x=1, y=2, a, b"
    assert (SlicingSpec().is_overall, first.is_overall) == (True, False)
    assert str(SlicingSpec()) == "Overall"
    assert hash(EvalConfig.load(WHOLE)) == hash(EvalConfig.load(json.loads(json.dumps(WHOLE))))


def test_the_same_class_for_another_class_id_is_another_metric() -> None:
    parameters: list[dict[str, Any]] = [{}, {"top_k": 1}, {"class_id": 1}]
    metrics = [{"class_name": "Precision", "config": config} for config in parameters]
    config = EvalConfig.load({"metrics_specs": [{"metrics": metrics}]})
    assert len(config.metrics_specs[0].metrics) == 3


def test_keys_of_outputs() -> None:
    model = ModelSpec(label_keys={"b": "y", "a": "x"}, prediction_key="p")
    assert model.outputs == ("a", "b")
    assert (model.label_key_for("a"), model.label_key_for("c"), model.label_key_for("")) == (
        "x",
        None,
        None,
    )
    assert model.prediction_key_for("a") == "p"
    assert model.example_weight_key_for("a") is None
    assert model.columns_of("label") == {"a": "x", "b": "y"}
    assert model.columns_of("prediction") == {"": "p"}
    assert model.columns(with_predictions=True) == {"x", "y", "p"}
    assert model.columns(with_predictions=False) == {"x", "y"}


def test_every_threshold_is_found() -> None:
    (spec,) = EvalConfig.load(WHOLE).metrics_specs
    uppers = [t.value_threshold.upper_bound for t in spec.all_thresholds() if t.value_threshold]
    assert uppers == [1.0, 1.0, None, 0.25, 2.0, 2.0]
    assert spec.has_change_threshold
    assert not MetricsSpec().has_change_threshold


def test_parts_are_frozen_and_travel() -> None:
    config = EvalConfig.load(WHOLE)
    assert pickle.loads(pickle.dumps(config)) == config == copy.deepcopy(config)
    with pytest.raises(ValueError, match="frozen"):
        config.version = 2


def test_the_schema_takes_what_is_read() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = EvalConfig.json_schema(["AUC", "Recall"])
    jsonschema.Draft202012Validator.check_schema(schema)
    check = jsonschema.Draft202012Validator(schema)
    assert schema["$defs"]["MetricConfig"]["properties"]["class_name"]["enum"] == ["AUC", "Recall"]
    assert not list(check.iter_errors(WHOLE))
    for fields, valid in (
        ({"class_name": "AUC"}, True),
        ({"class_name": "Mine", "module": "my.metrics"}, True),
        ({"class_name": "Mine"}, False),
        ({"class_name": "Mine", "module": ""}, False),
        ({"class_name": "AUC", "confg": {}}, False),
        ({}, False),
        ("AUC", True),
        ("Mine", False),
    ):
        assert check.is_valid({"metrics_specs": [{"metrics": [fields]}]}) is valid


def test_a_file_may_name_its_schema(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "eval.json"
    path.write_text(json.dumps({"$schema": "eval.schema.json", **WHOLE}))
    assert EvalConfig.load(path) == EvalConfig.load(WHOLE)


@pytest.mark.parametrize(
    "confidence", ["off", {"level": 0.9, "correction": "bh", "looks": {"most": 20}}]
)
def test_how_sure_verdicts_must_be_is_read_back_as_it_was_written(confidence: Any) -> None:
    config = EvalConfig(options={"confidence": confidence})
    assert config.to_dict()["options"] == {"confidence": confidence}
    assert EvalConfig.load(config.to_dict()) == config
    assert EvalConfig(options={"confidence": config.options.confidence}) == config


def test_yaml_that_reads_off_as_false_means_off() -> None:
    assert EvalConfig(options={"confidence": False}).options.confidence == "off"
