# SPDX-License-Identifier: Apache-2.0
"""What TFMA's own tests of thresholds, slices, defaults, matrices and plots expect, asked of Benison.

The inputs and expectations are facts of github.com/tensorflow/model-analysis: metrics_validator_test,
slicer_test, config_util_test, sql_slice_key_extractor_test and the tests of plots; TFMA itself does not run.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

import benison
from benison.config import EvalConfig
from benison.errors import ConfigError, DataError

HIGHER, LOWER = "HIGHER_IS_BETTER", "LOWER_IS_BETTER"
SPEC = {"label_key": "label", "prediction_key": "prediction"}


def change(direction: str, **bounds: float) -> dict[str, Any]:
    return {"change_threshold": {"direction": direction, **bounds}}


def bound(**bounds: float) -> dict[str, Any]:
    return {"value_threshold": bounds}


# Metric, the value, the baseline's, the threshold, and whether it holds.
THRESHOLDS: list[tuple[str, float, float | None, dict[str, Any], bool]] = [
    ("WeightedExampleCount", 1.5, None, bound(upper_bound=1), False),
    # TFMA blesses it, though no row weighs anything; here a value that rests on no row is no evidence.
    ("WeightedExampleCount", 0.0, None, bound(upper_bound=1), False),
    ("WeightedExampleCount", 0.5, None, bound(upper_bound=1), True),
    ("WeightedExampleCount", 0.0, None, bound(lower_bound=1), False),
    ("WeightedExampleCount", 2.0, None, bound(lower_bound=1), True),
    ("MeanPrediction", 0.0, 0.333, change(LOWER, absolute=-1), False),
    ("MeanPrediction", 0.0, 0.333, change(LOWER, relative=-2), False),
    ("MeanPrediction", 0.0, 0.333, change(LOWER, absolute=0), True),
    ("MeanPrediction", 0.0, 0.333, change(LOWER, relative=0), True),
    ("MeanPrediction", 0.0, 0.333, change(HIGHER, absolute=-1), True),
    ("MeanPrediction", 0.0, 0.333, change(HIGHER, absolute=0), False),
    ("MeanPrediction", 0.667, 1.0, change(HIGHER, absolute=-0.333, relative=-0.333), True),
    ("MeanPrediction", 0.667, 1.0, change(LOWER, absolute=-0.333, relative=-0.333), True),
    ("MeanPrediction", 1.0, None, bound(lower_bound=1), True),
    ("MeanPrediction", 1.0, None, bound(upper_bound=1), True),
    ("MeanPrediction", 0.1, 0.0, change(HIGHER, relative=0.1), False),
    # A value that is a comparison of the models already: the bound is on it.
    ("PosToPosFlipRate", 0.9, 0.9, change(HIGHER, absolute=0.9), True),
]
SLICES: dict[str, list[dict[str, Any]]] = {
    "no slice": [],
    "global slice": [{}],
    "feature slice": [{"feature_keys": ["feature1"]}],
    "feature value slice": [{"feature_values": {"feature1": "value1"}}],
    "multiple slices": [
        {"feature_values": {"feature1": "value1"}},
        {"feature_values": {"feature2": "value2"}},
    ],
}


def judged(
    metric: str, value: float, old: float | None, threshold: dict[str, Any], slices: Any
) -> benison.EvalResult:
    counts = metric == "WeightedExampleCount"
    table = pa.table(
        {
            "label": [0.0],
            "prediction": [value],
            "old": [0.0 if old is None else old],
            "weight": [value if counts else 1.0],
            "feature1": ["value1"],
            "feature2": ["value2"],
        }
    )
    spec = {**SPEC, "example_weight_key": "weight"} if counts else SPEC
    specs = [spec]
    if old is not None:
        base = {**SPEC, "prediction_key": "old", "name": "baseline", "is_baseline": True}
        specs = [{**spec, "name": "candidate"}, base]
    narrow = {"per_slice_thresholds": [{"slicing_specs": slices, "threshold": threshold}]}
    own = narrow if slices else {"threshold": threshold}
    config = {
        "model_specs": specs,
        "slicing_specs": slices,
        "metrics_specs": [{"metrics": [{"class_name": metric, **own}]}],
    }
    return benison.evaluate(table, config)


@pytest.mark.parametrize("slices", SLICES)
@pytest.mark.parametrize("case", THRESHOLDS, ids=str)
def test_a_threshold_holds_where_tfmas_does(case: Any, slices: str) -> None:
    *given, holds = case
    result = judged(*given, SLICES[slices])
    assert result.verdict.blessed == holds
    assert result.verdict.total in (n := max(1, len(SLICES[slices])), 2 * n)


def test_a_threshold_on_a_metric_that_is_not_computed_never_holds() -> None:
    """TFMA's message is "Metric not found."; here no data are read."""
    spec = {"thresholds": {"invalid_threshold": bound(lower_bound=0.2)}}
    config = {
        "model_specs": [SPEC],
        "metrics_specs": [{"metrics": [{"class_name": "AUC"}], **spec}],
    }
    with pytest.raises(ConfigError, match="invalid_threshold"):
        benison.evaluate(pa.table({"label": [0.0], "prediction": [0.0]}), config)


def test_a_slice_that_is_in_no_row_does_not_bless() -> None:
    slices = [{"feature_values": {"feature1": "value1"}}, {"feature_values": {"feature2": "other"}}]
    result = judged("MeanPrediction", 0.0, None, bound(upper_bound=1), slices)
    assert not result.verdict.blessed
    assert any("feature2=other" in check.reason for check in result.verdict.checks)


# The comparison of slices, and whether the difference, 0 or 1.5, is at most 1.
CROSSED: dict[str, Any] = {
    "single slice": [{"feature_keys": ["feature1"]}, [{"feature_values": {"feature2": "value2"}}]],
    "global slice": [{}, [{"feature_values": {"feature2": "value2"}}]],
    "multiple slicing specs": [
        {"feature_keys": ["feature1"]},
        [{"feature_values": {"feature2": "value2"}}, {"feature_keys": ["feature3"]}],
    ],
}


@pytest.mark.parametrize("name", CROSSED)
@pytest.mark.parametrize("difference", [0.0, 1.5])
def test_a_threshold_between_slices_is_judged(name: str, difference: float) -> None:
    """TFMA's own tests judge it by one function; its whole run lists each comparison as missing."""
    baseline, others = CROSSED[name]
    crossed = {"baseline_spec": baseline, "slicing_specs": others}
    threshold = {"cross_slicing_specs": [crossed], "threshold": bound(upper_bound=1)}
    # One row is in the baseline's slice alone, the other in the compared ones too.
    table = pa.table(
        {
            "label": [0.0, 0.0],
            "prediction": [0.0, 0.0],
            "weight": [difference, 1.0],
            "feature1": ["value1", "value1"],
            "feature2": [None, "value2"],
            "feature3": [None, "value3"],
        }
    )
    metric = {"class_name": "WeightedExampleCount", "cross_slice_thresholds": [threshold]}
    config = {
        "model_specs": [{**SPEC, "example_weight_key": "weight"}],
        "cross_slicing_specs": [crossed],
        "metrics_specs": [{"metrics": [metric]}],
    }
    assert benison.evaluate(table, config).verdict.blessed == (difference == 0.0)


ROW = {"gender": ["f"], "age": [5], "interest": ["cars"], "label": [0.0], "prediction": [0.0]}
LISTS = {**ROW, "interests": [["cars", "dogs"]], "fruits": [["apples", "pears"]]}
# Columns, features with one value, and the slices of the row.
OF_ROW: list[tuple[Any, list[str], dict[str, str], list[str]]] = [
    (ROW, [], {}, ["Overall"]),
    (ROW, [], {"age": "99"}, []),
    (ROW, ["age"], {}, ["age=5"]),
    (ROW, [], {"age": "5"}, ["age=5"]),
    (ROW, ["gender"], {"age": "5"}, ["age=5, gender=f"]),
    (ROW, ["interest", "gender"], {"age": "5"}, ["age=5, gender=f, interest=cars"]),
    (LISTS, ["fruits"], {}, ["fruits=apples", "fruits=pears"]),
    (
        LISTS,
        ["fruits", "interests"],
        {},
        [f"fruits={f}, interests={i}" for f in ("apples", "pears") for i in ("cars", "dogs")],
    ),
    (LISTS, [], {"interests": "cars"}, ["interests=cars"]),
    (LISTS, [], {"gender": "f", "interests": "cars"}, ["gender=f, interests=cars"]),
    (
        LISTS,
        ["fruits"],
        {"interests": "cars"},
        [f"fruits={f}, interests=cars" for f in ("apples", "pears")],
    ),
    (
        LISTS,
        ["interests", "fruits"],
        {"gender": "f", "age": "5"},
        [
            f"age=5, fruits={f}, gender=f, interests={i}"
            for f in ("apples", "pears")
            for i in ("cars", "dogs")
        ],
    ),
]


@pytest.mark.parametrize("case", OF_ROW, ids=lambda case: f"{case[1]}-{case[2]}")
def test_a_row_is_in_the_slices_that_tfma_finds(case: Any) -> None:
    row, keys, fixed, expected = case
    assert slices_of(row, {"feature_keys": keys, "feature_values": fixed}) == expected


def slices_of(columns: Any, *specs: dict[str, Any]) -> list[str]:
    config = {
        "model_specs": [SPEC],
        "slicing_specs": list(specs),
        "metrics_specs": [{"metrics": [{"class_name": "ExampleCount"}]}],
    }
    return sorted(benison.evaluate(pa.table(columns), config).metrics["slice"].to_pylist())


def test_several_specs_and_a_column_that_is_not_there() -> None:
    specs = [{}, {"feature_keys": ["age"]}, {"feature_values": {"age": "4"}}]
    fixed = {"feature_keys": ["gender"], "feature_values": {"age": "5"}}
    assert slices_of(ROW, *specs, fixed) == ["Overall", "age=5", "age=5, gender=f"]
    with pytest.raises((ConfigError, DataError), match="no_such_column"):
        slices_of(ROW, {"feature_keys": ["no_such_column"]})
    with pytest.raises(ConfigError, match="leave it in one of the two"):
        slices_of(ROW, {"feature_keys": ["age"], "feature_values": {"age": "5"}})


SQL_ROWS = {
    "fixed_int": [1, 1, 2],
    "fixed_string": ["fixed_string1", "fixed_string2", "fixed_string3"],
    "label": [0.0] * 3,
    "prediction": [0.0] * 3,
}


@pytest.mark.parametrize("selected", ["fixed_string", "fixed_string, fixed_int"])
def test_sql_makes_the_slices_of_tfmas_tests(selected: str) -> None:
    """TFMA 0.52 itself has lost its SQL, and makes no slices."""
    sql = f"""
      SELECT STRUCT({selected})
      FROM example.fixed_string, example.fixed_int
      WHERE fixed_int = 1"""
    made = slices_of(SQL_ROWS, {"slice_keys_sql": sql})
    assert len(made) == 2
    assert all(f"fixed_string=fixed_string{i}" in text for i, text in enumerate(made, 1))
    assert all(("fixed_int=1" in text) == ("fixed_int" in selected) for text in made)


def models(*names: str, **more: Any) -> list[dict[str, Any]]:
    marked = ({"is_baseline": True} if name == "baseline" else {} for name in names)
    return [{"name": name, **mark, **more} for name, mark in zip(names, marked, strict=True)]


# The models of a config and of its metrics, whether there is a baseline, and both as they become.
DEFAULTS: list[tuple[Any, list[str], bool, list[str], list[str]]] = [
    ([], [], False, [""], [""]),
    (models(""), [], False, [""], [""]),
    (models("model1"), [], False, [""], [""]),
    (models("model1"), ["model1"], False, [""], [""]),
    (models("model1", "model2"), [], False, ["model1", "model2"], ["model1", "model2"]),
    (models("model1", "model2"), ["model1"], False, ["model1", "model2"], ["model1"]),
    (
        models("candidate", "baseline"),
        [],
        True,
        ["candidate", "baseline"],
        ["candidate", "baseline"],
    ),
    (
        models("candidate", "baseline"),
        ["candidate"],
        True,
        ["candidate", "baseline"],
        ["candidate"],
    ),
    (
        models("", label_key="my_label"),
        [],
        True,
        ["candidate", "baseline"],
        ["candidate", "baseline"],
    ),
    (models("candidate", "baseline"), [], False, [""], [""]),
]


@pytest.mark.parametrize("case", DEFAULTS, ids=str)
def test_models_get_the_names_that_tfma_gives_them(case: Any) -> None:
    specs, names, has_baseline, models_become, names_become = case
    metrics = {"metrics": [{"class_name": "ExampleCount"}], "model_names": names}
    config = EvalConfig.load({"model_specs": specs, "metrics_specs": [metrics]})
    full = config.with_defaults(has_baseline)
    assert [spec.name for spec in full.model_specs] == models_become
    assert [*full.metrics_specs[0].model_names] == names_become
    assert len({spec.label_key for spec in full.model_specs}) == 1


def test_thresholds_of_slices_need_slices() -> None:
    metric = {
        "class_name": "ExampleCount",
        "per_slice_thresholds": [{"threshold": bound(lower_bound=0.9)}],
    }
    with pytest.raises(ConfigError, match="names no slice"):
        EvalConfig.load({"metrics_specs": [{"metrics": [metric]}]})


OWN_END = {"left": -1.0, "name": "own"}
# The models, the outputs of the metrics, the features of the schema, and the ends of a calibration plot.
LABELS_OF = {"label_keys": {"output1": "label1", "output2": "label2"}}
ENDS: dict[str, tuple[list[dict[str, Any]], list[str], str, dict[str, float]]] = {
    "whole numbers": ([SPEC], [], "label int 5 15", {"left": 5.0, "right": 15.0}),
    "one end": ([SPEC], [], "label int - 15", {"right": 15.0}),
    "no domain": ([SPEC], [], "label", {}),
    "another feature": ([SPEC], [], "other int 5 15", {}),
    "fractions": ([SPEC], [], "label float 5 15", {"left": 5.0, "right": 15.0}),
    "an output": ([LABELS_OF], ["output2"], "label2 float 5 15", {"left": 5.0, "right": 15.0}),
    "another output": ([LABELS_OF], ["output1"], "label2 float 5 15", {}),
}


@pytest.mark.parametrize("name", ENDS)
def test_the_domain_of_a_label_gives_the_ends_of_its_calibration(name: str) -> None:
    """In TFX's pipeline, which hands no schema to TFMA."""
    schema_pb2 = pytest.importorskip("tensorflow_metadata.proto.v0.schema_pb2")
    label_ends = pytest.importorskip("benison.evaluator.label_ends")
    models, outputs, feature, ends = ENDS[name]
    label, kind, *bounds = [*feature.split(), ""]
    schema = schema_pb2.Schema()
    made = schema.feature.add(name=label)
    for side, value in zip(("min", "max"), bounds if kind else (), strict=False):
        if value != "-":
            setattr(getattr(made, f"{kind}_domain"), side, int(value))
    plots = [{"class_name": "CalibrationPlot", "config": c} for c in ({}, OWN_END)]
    spec = {"metrics": plots, "output_names": outputs}
    config = EvalConfig.load({"model_specs": models, "metrics_specs": [spec]}).with_defaults(False)
    free, given = label_ends.with_label_ends(config, schema).metrics_specs[0].metrics
    assert free.config == ends
    assert given.config == OWN_END
