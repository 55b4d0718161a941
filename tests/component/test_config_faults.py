# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: E501 - a sentence that is expected stays on one line
"""The tests of what a config is refused for: every fault, its place and its sentence."""

from __future__ import annotations

import copy
import math
import pickle
from typing import Any

import pytest

from benison.config import CrossSlicingSpec, EvalConfig, GenericValueThreshold, SlicingSpec
from benison.errors import ConfigError

HIGHER = "HIGHER_IS_BETTER"


def metric(**fields: Any) -> dict[str, Any]:
    """A config with one metric that has `fields`."""
    return {"metrics_specs": [{"metrics": [{"class_name": "AUC", **fields}]}]}


def faults_of(source: Any) -> list[tuple[str, str]]:
    with pytest.raises(ConfigError) as raised:
        EvalConfig.load(source)
    return raised.value.faults


PER_SLICE = {"threshold": {"value_threshold": {"lower_bound": 0.5}}}


SHOWN = {"value_threshold": {"lower_bound": 0.5}}


ON_HOUR = {**PER_SLICE, "slicing_specs": [{"feature_keys": ["hour"]}]}


TWO = [{"name": "a"}, {"name": "b"}]


FAULTS: list[tuple[Any, str, str]] = [
    # unknown and missing fields
    ({"metricSpecs": []}, "metricSpecs", "EvalConfig has no field 'metricSpecs'. Did you mean 'metricsSpecs'?"),
    ({"metric_specs": []}, "metric_specs", "EvalConfig has no field 'metric_specs'. Did you mean 'metrics_specs'?"),
    ({"metrics_specs": [{"metrics": [{"class_name": "RecallAtPrecision", "precision": 0.1}]}]},
     "metrics_specs[0].metrics[0].precision",
     "MetricConfig has no field 'precision'. A parameter of the metric stands in its config: {precision: ...}. "
     "There are: class_name, config, cross_slice_thresholds, module, per_slice_thresholds, threshold."),
    ({"metrics_specs": [{"metrics": [{"class_name": "AUC", "threshold": {"change_threshold": {
        "direction": 1, "absolute": 0, "evidence": "worse"}}}]}]},
     "metrics_specs[0].metrics[0].threshold.change_threshold.evidence",
     "'evidence' stands beside this part, not in it."),
    ({"debugging": None}, "debugging", "has nothing behind it; write {} for the defaults, or leave it out."),
    ({"weak_slices": None}, "weak_slices", "has nothing behind it; write {} for the defaults, or leave it out."),
    ({"options": {"qqq": 1}}, "options.qqq", "Options has no field 'qqq'. There are: analysis_columns, column_types, "
     "compute_confidence_intervals, confidence, confidence_intervals, delimiter, disabled_outputs, "
     "examples_per_slice, include_default_metrics, memory_limit, min_slice_size, null_values, and 2 more."),
    ({"options": {"column_types": {"zip": "str"}}}, "options.column_types.zip",
     "expected one of bool, int64, float64, string, got the text 'str'."),
    ({"options": {3: 1}}, "options['3']", "Options has no field '3'. There are: analysis_columns, column_types, "
     "compute_confidence_intervals, confidence, confidence_intervals, delimiter, disabled_outputs, "
     "examples_per_slice, include_default_metrics, memory_limit, min_slice_size, null_values, and 2 more."),
    ({"model_specs": [{"labelKey": "a", "label_key": "a"}]}, "model_specs[0].label_key",
     "'labelKey' is the same field; give one of them."),
    ({"metrics_specs": [{"metrics": [{}]}]}, "metrics_specs[0].metrics[0].class_name",
     "is missing; a MetricConfig needs it."),
    (metric(class_name=""), "metrics_specs[0].metrics[0].class_name",
     "expected text that is not empty, got the text ''."),
    # wrong types
    ({"model_specs": [{"label_key": 3}]}, "model_specs[0].label_key", "expected text, got the number 3."),
    ({"model_specs": [{"label_key": None}]}, "model_specs[0].label_key", "expected text, got nothing (null)."),
    ({"model_specs": [{"is_baseline": "yes"}]}, "model_specs[0].is_baseline",
     "expected true or false, got the text 'yes'."),
    ({"model_specs": [{"inference_batch_size": 2.5}]}, "model_specs[0].inference_batch_size",
     "expected a whole number, got the number 2.5."),
    ({"model_specs": [{"inference_batch_size": -1}]}, "model_specs[0].inference_batch_size",
     "expected a number that is at least 0, got the number -1."),
    ({"model_specs": {"name": "a"}}, "model_specs", "expected a list, got a mapping."),
    ({"model_specs": ["a"]}, "model_specs[0]", "expected a mapping with the fields of ModelSpec, got the text 'a'."),
    ({"model_specs": [{"label_keys": ["a"]}]}, "model_specs[0].label_keys", "expected a mapping, got a list."),
    ({"model_specs": [{"label_keys": {"out put": 3}}]}, "model_specs[0].label_keys['out put']",
     "expected text, got the number 3."),
    ({"slicing_specs": [{"feature_keys": "hour"}]}, "slicing_specs[0].feature_keys",
     "expected a list, got the text 'hour'. Write ['hour']."),
    ({"slicing_specs": [{"feature_values": {"hour": [5]}}]}, "slicing_specs[0].feature_values.hour",
     "expected text, got a list."),
    ({"metrics_specs": [{"binarize": {"class_ids": [-1]}}]}, "metrics_specs[0].binarize.class_ids[0]",
     "expected a number that is at least 0, got the number -1."),
    ({"metrics_specs": [{"binarize": {"top_k_list": {"values": [0]}}}]}, "metrics_specs[0].binarize.top_k_list[0]",
     "expected a number that is at least 1, got the number 0."),
    ({"metrics_specs": [{"aggregate": {"micro_average": True, "class_weights": {"x": 1}}}]},
     "metrics_specs[0].aggregate.class_weights.x", "expected a whole number, got the text 'x'."),
    ({"metrics_specs": [{"aggregate": {"micro_average": True, "class_weights": {0: math.inf}}}]},
     "metrics_specs[0].aggregate.class_weights['0']", "expected a finite number, got the number inf."),
    ({"options": {"min_slice_size": True}}, "options.min_slice_size", "expected a number, got true."),
    # metrics
    (metric(config="num_thresholds: 5"), "metrics_specs[0].metrics[0].config",
     "'num_thresholds: 5' is not JSON: Expecting property name enclosed in double quotes."),
    (metric(config='"a": 1, "a": 2'), "metrics_specs[0].metrics[0].config", "'\"a\": 1, \"a\": 2' is not JSON: the key 'a' is given twice."),
    (metric(config=[1]), "metrics_specs[0].metrics[0].config", "expected a mapping, got a list."),
    (metric(config={"a": math.nan}), "metrics_specs[0].metrics[0].config",
     "holds NaN or an infinite number, which JSON cannot write."),
    (metric(config={"a": {1}}), "metrics_specs[0].metrics[0].config",
     "expected values that JSON can write: Object of type set is not JSON serializable."),
    ({"metrics_specs": [{"metrics": [{"class_name": "AUC"}, {"class_name": "AUC", "config": {"num_thresholds": 5}}]}]},
     "metrics_specs[0].metrics[1]",
     """'AUC' is computed twice under one name; give this one another name in its config: {"name": ...}."""),
    # thresholds
    (metric(threshold={}), "metrics_specs[0].metrics[0].threshold",
     "has neither value_threshold nor change_threshold, so it would always pass."),
    ({"metrics_specs": [{"thresholds": {"auc": {"value_threshold": {}}}}]},
     "metrics_specs[0].thresholds.auc.value_threshold",
     "has neither lower_bound nor upper_bound, so every number would pass; give one."),
    (metric(threshold={"value_threshold": {"lower_bound": "high"}}),
     "metrics_specs[0].metrics[0].threshold.value_threshold.lower_bound",
     "expected a number, got the text 'high'."),
    (metric(threshold={"value_threshold": {"lower_bound": math.nan}}),
     "metrics_specs[0].metrics[0].threshold.value_threshold.lower_bound",
     "is NaN, and nothing is above or below NaN; give a number."),
    (metric(threshold={"value_threshold": {"lower_bound": 2, "upper_bound": 1}}),
     "metrics_specs[0].metrics[0].threshold.value_threshold.lower_bound",
     "2.0 is above the upper_bound 1.0: no value would pass."),
    (metric(threshold={"change_threshold": {"direction": HIGHER}}),
     "metrics_specs[0].metrics[0].threshold.change_threshold",
     "has neither absolute nor relative, so it would always pass; give one of them."),
    # evidence
    (metric(threshold={**SHOWN, "evidence": "proof"}), "metrics_specs[0].metrics[0].threshold.evidence",
     "expected one of point, worse, not_worse, got the text 'proof'."),
    (metric(threshold={**SHOWN, "evidence": "worse", "weight": 0}), "metrics_specs[0].metrics[0].threshold.weight",
     "expected a number above 0, got 0."),
    (metric(threshold={**SHOWN, "weight": 3}), "metrics_specs[0].metrics[0].threshold.weight",
     "shares out the false alarms of evidence worse; say that, or no weight."),
    (metric(threshold={"change_threshold": {"absolute": 0, "direction": HIGHER}, "evidence": "not_worse"}),
     "metrics_specs[0].metrics[0].threshold.change_threshold.absolute",
     "is 0, and with evidence not_worse only a model that is better could pass. Say how much worse it may be, "
     "for example -0.01, or say evidence: worse."),
    ({**metric(threshold={**SHOWN, "evidence": "worse"}), "options": {"confidence": "off"}},
     "metrics_specs[0].metrics[0].threshold.evidence",
     "needs intervals, and options.confidence is off; take that out, or say point."),
    ({**metric(threshold={**SHOWN, "evidence": "worse", "weight": 3}),
      "options": {"confidence": {"correction": "bh"}}}, "metrics_specs[0].metrics[0].threshold.weight",
     "has a meaning with the correction holm alone; say holm in options.confidence, or no weight."),
    ({"options": {"confidence": {"level": 95}}}, "options.confidence.level",
     "expected a number above 0.5 and below 1, got 95."),
    ({"options": {"confidence": {"correction": "bonferroni"}}}, "options.confidence.correction",
     "expected one of none, holm, bh, got the text 'bonferroni'."),
    ({"options": {"confidence": {"looks": {}}}}, "options.confidence.looks.most",
     "is missing; a LookOptions needs it."),
    ({"options": {"confidence": 0.95}}, "options.confidence",
     "expected a mapping with level, correction, cluster_key and looks, or off, got the number 0.95."),
    (metric(threshold={"change_threshold": {"relative": 0}}),
     "metrics_specs[0].metrics[0].threshold.change_threshold.direction",
     "a bound needs LOWER_IS_BETTER or HIGHER_IS_BETTER to be one."),
    (metric(threshold={"change_threshold": {"relative": "NaN", "direction": HIGHER}}),
     "metrics_specs[0].metrics[0].threshold.change_threshold.relative",
     "is NaN, and nothing is above or below NaN; give a number."),
    (metric(threshold={"change_threshold": {"relative": 0, "direction": "HIGHER_IS_BEST"}}),
     "metrics_specs[0].metrics[0].threshold.change_threshold.direction",
     "expected the name or number of a MetricDirection, got the text 'HIGHER_IS_BEST'. "
     "Did you mean 'HIGHER_IS_BETTER'?"),
    (metric(threshold={"change_threshold": {"relative": 0, "direction": 3}}),
     "metrics_specs[0].metrics[0].threshold.change_threshold.direction",
     "expected the name or number of a MetricDirection, got the number 3. "
     "There are: HIGHER_IS_BETTER, LOWER_IS_BETTER, UNKNOWN."),
    (metric(per_slice_thresholds=[PER_SLICE]), "metrics_specs[0].metrics[0].per_slice_thresholds[0].slicing_specs",
     "names no slice; {} in it stands for Overall."),
    (metric(per_slice_thresholds=[ON_HOUR]),
     "metrics_specs[0].metrics[0].per_slice_thresholds[0].slicing_specs[0]",
     "the slices hour are not computed. Add {'feature_keys': ['hour']} to slicing_specs."),
    ({"slicing_specs": [{"feature_keys": ["hour"]}],
      "metrics_specs": [{"per_slice_thresholds": {"auc": {"thresholds": [{**PER_SLICE, "slicing_specs": [{}]}]}}}]},
     "metrics_specs[0].per_slice_thresholds.auc.thresholds[0].slicing_specs[0]",
     "the slices Overall are not computed. Add {} to slicing_specs."),
    (metric(cross_slice_thresholds=[PER_SLICE]),
     "metrics_specs[0].metrics[0].cross_slice_thresholds[0].cross_slicing_specs",
     "names no comparison of slices."),
    (metric(cross_slice_thresholds=[{**PER_SLICE, "cross_slicing_specs": [{"slicing_specs": [{}]}]}]),
     "metrics_specs[0].metrics[0].cross_slice_thresholds[0].cross_slicing_specs[0]",
     "this comparison is not computed. Add {'slicing_specs': [{}]} to cross_slicing_specs."),
    # slices
    ({"slicing_specs": [{"slice_keys_sql": "SELECT a"}]}, "slicing_specs[0].slice_keys_sql",
     "cannot be read as slices: it does not select one STRUCT(...). Write feature_keys, feature_values, bins and "
     "where in its place."),
    ({"slicing_specs": [{"slice_keys_sql": "SELECT STRUCT(a AS b) FROM example.a"}]},
     "slicing_specs[0].slice_keys_sql",
     "cannot be read as slices: the feature 'a' would be called 'b'. As far as it could be read it is "
     "{'feature_keys': ['a']}. Write feature_keys, feature_values, bins and where in its place."),
    ({"slicing_specs": [{"slice_keys_sql": "SELECT STRUCT(a + 1 AS a), b FROM a LIMIT 3"}]},
     "slicing_specs[0].slice_keys_sql",
     "cannot be read as slices: LIMIT changes which rows there are. Write feature_keys, feature_values, bins and "
     "where in its place."),
    ({"slicing_specs": [{"sliceKeysSql": "SELECT STRUCT(a", "feature_keys": []}]},
     "slicing_specs[0].slice_keys_sql",
     "'SELECT STRUCT(a' is not a statement of SQL: Expecting ) at line 1, column 15."),
    ({"slicing_specs": [{"slice_keys_sql": "SELECT STRUCT(a)", "feature_keys": ["b"]}]},
     "slicing_specs[0].slice_keys_sql", "stands alone; write what is beside it into it."),
    ({"slicing_specs": [{"bins": {"a": [2, 1]}}]}, "slicing_specs[0].bins.a.edges[1]",
     "1 does not ascend from 2 before it."),
    ({"slicing_specs": [{"bins": {"a": [1, 1]}}]}, "slicing_specs[0].bins.a.edges[1]",
     "1 does not ascend from 1 before it."),
    ({"slicing_specs": [{"bins": {"a": []}}]}, "slicing_specs[0].bins.a.edges", "has no edge; one makes two bins."),
    ({"slicing_specs": [{"bins": {"a": {}}}]}, "slicing_specs[0].bins.a",
     "has neither edges nor quantiles; give [0, 10, 20] or {quantiles: 4}, or of a time {every: day}."),
    ({"slicing_specs": [{"bins": {"a": {"quantiles": 1}}}]}, "slicing_specs[0].bins.a.quantiles",
     "expected a number that is at least 2, got the number 1."),
    ({"slicing_specs": [{"bins": {"a": ["1"]}}]}, "slicing_specs[0].bins.a.edges[0]",
     "expected a number, got the text '1'."),
    ({"slicing_specs": [{"bins": {"a": [math.nan]}}]}, "slicing_specs[0].bins.a.edges[0]",
     "expected a number, got the number nan."),
    ({"slicing_specs": [{"bins": {"a": [math.inf]}}]}, "slicing_specs[0].bins.a.edges[0]",
     "is infinite; leave it out, as the first and the last bin are open-ended."),
    ({"slicing_specs": [{"bins": {"a": [10**400]}}]}, "slicing_specs[0].bins.a.edges[0]",
     f"expected a number up to 1.8e308, got the number 1{'0' * 56}...."),
    ({"slicing_specs": [{"bins": {"a": 3}}]}, "slicing_specs[0].bins.a",
     "expected a mapping with the fields of Bins, got the number 3."),
    ({"slicing_specs": [{"bins": {"a": [1]}, "feature_keys": ["a"]}]}, "slicing_specs[0].bins.a",
     "'a' is also in feature_keys; leave it in one of the two."),
    ({"slicing_specs": [{"where": {"a": " "}}]}, "slicing_specs[0].where.a",
     "needs a name and a condition, as cheap: fare < 20."),
    ({"slicing_specs": [{"where": {"a": "b < 1"}}, {"where": {"a": "b < 2"}}]}, "slicing_specs[1].where.a",
     "'a' is 'b < 1' elsewhere; give one of the two another name."),
    ({"slicing_specs": [{"where": {"a": "b < 1"}}, {"feature_keys": ["a"]}]}, "slicing_specs[0].where.a",
     "'a' is a feature elsewhere; give the condition another name."),
    (metric(per_slice_thresholds=[{**PER_SLICE, "slicing_specs": [{"bins": {"a": [1]}}]}]),
     "metrics_specs[0].metrics[0].per_slice_thresholds[0].slicing_specs[0]",
     "the slices bins of a are not computed. Add {'bins': {'a': {'edges': [1]}}} to slicing_specs."),
    ({"slicing_specs": [{"feature_keys": ["a", "b"], "feature_values": {"b": "1"}}]},
     "slicing_specs[0].feature_values.b", "'b' is also in feature_keys; leave it in one of the two."),
    # models and outputs
    ({"model_specs": [{"label_key": "a", "label_keys": {"b": "c"}}]}, "model_specs[0].label_keys",
     "label_key and label_keys exclude each other; give one of them."),
    ({"model_specs": [{"prediction_key": "a", "prediction_keys": {"b": "c"}}]}, "model_specs[0].prediction_keys",
     "prediction_key and prediction_keys exclude each other; give one of them."),
    ({"model_specs": [{"example_weight_key": "a", "example_weight_keys": {"b": "c"}}]},
     "model_specs[0].example_weight_keys",
     "example_weight_key and example_weight_keys exclude each other; give one of them."),
    ({"model_specs": [{"padding_options": {"label_int_padding": 0, "label_float_padding": 0}}]},
     "model_specs[0].padding_options.label_float_padding",
     "label_int_padding and label_float_padding exclude each other; give one of them."),
    ({"model_specs": [{"name": "a"}, {"name": "a"}]}, "model_specs[1].name", "'a' is the name of another model too."),
    ({"model_specs": [{"name": "a"}, {}]}, "model_specs[1].name", "is needed, because there are several models."),
    ({"model_specs": [{"name": "a", "is_baseline": True}, {"name": "b", "is_baseline": True}]},
     "model_specs[1].is_baseline", "'a' is the baseline already; there can be one."),
    ({"model_specs": TWO, "metrics_specs": [{"model_names": ["a", "c"]}]}, "metrics_specs[0].model_names[1]",
     "no model is named 'c'. There are: a, b."),
    ({"model_specs": [{"name": "a"}, {"name": "b", "is_baseline": True}],
      "metrics_specs": [{"model_names": ["b"], "thresholds": {"auc": SHOWN}, "metrics": [{"class_name": "AUC"}]}]},
     "metrics_specs[0].model_names", "the thresholds are on the baseline 'b' alone, and judge candidates; name one of "
     "these, or take out the thresholds."),
    ({"model_specs": [{"label_keys": {"ctr": "x"}}], "metrics_specs": [{"output_names": ["crt"]}]},
     "metrics_specs[0].output_names[0]", "no model has keys for the output 'crt'. Did you mean 'ctr'?"),
    ({"metrics_specs": [{"output_weights": {"ctr": 1}}]}, "metrics_specs[0].output_weights.ctr",
     "'ctr' is not in output_names. Add it there."),
    ({"metrics_specs": [{"output_names": ["ctr"], "output_weights": {"crt": 1}}]},
     "metrics_specs[0].output_weights.crt", "'crt' is not in output_names. Did you mean 'ctr'?"),
    # metrics specs
    ({"metrics_specs": [{"aggregate": {"micro_average": True, "macro_average": True}}]},
     "metrics_specs[0].aggregate.macro_average",
     "micro_average and macro_average exclude each other; give one of them."),
    ({"metrics_specs": [{"aggregate": {"micro_average": False}}]}, "metrics_specs[0].aggregate",
     "names no average; set one of micro_average, macro_average, weighted_macro_average."),
    ({"metrics_specs": [{"aggregate": {"macro_average": True, "class_weights": {0: 1}, "top_k_list": [1]}}]},
     "metrics_specs[0].aggregate.top_k_list",
     "class_weights and top_k_list exclude each other; give one of them."),
    ({"metrics_specs": [{"example_weights": {}}]}, "metrics_specs[0].example_weights",
     "sets neither weighted nor unweighted, so nothing would be computed."),
    # versions
    ({"version": 2, "new_field": 1}, "version", "is 2, this Benison reads up to 1. Install a newer one."),
    ({"version": 0}, "version", "is 0; the first version is 1."),
    # what only Python can write
    ({"version": int}, "version", "expected a whole number, got a value of type type."),
    ({"metrics_specs": [{"query_key": object()}]}, "metrics_specs[0].query_key",
     "expected text, got a value of type object."),
    ({"\ud800": 1}, "", "expected text that UTF-8 can write, got the text '\\ud800'."),
]  # fmt: skip


@pytest.mark.parametrize(("source", "path", "sentence"), FAULTS)
def test_a_fault_is_one_path_and_one_sentence(source: Any, path: str, sentence: str) -> None:
    assert faults_of(source) == [(path, sentence)]


def test_both_spellings_of_a_list() -> None:
    both = {"metrics_specs": [[]], "metricsSpecs": [{"value": {"value": 1}}, b"x"]}
    assert ("metrics_specs", "'metricsSpecs' is the same field; give one of them.") in faults_of(
        both
    )


def test_all_faults_come_at_once_also_those_that_others_hide() -> None:
    """A wrong field hides, from pydantic, all that is compared across the config."""
    source = {
        "modelSpecs": [{"name": "a", "label_kye": "x"}, {"name": "b"}],
        "metricsSpecs": [
            {
                "model_names": ["c"],
                "metrics": [
                    5,
                    {"class_name": "AUC", "threshold": {"change_threshold": {"absolute": 0}}},
                    {"class_name": "AUC", "per_slice_thresholds": [ON_HOUR]},
                ],
            }
        ],
    }
    untouched = copy.deepcopy(source)
    assert [path for path, _ in faults_of(source)] == [
        "model_specs[0].label_kye",
        "metrics_specs[0].metrics[0]",
        "metrics_specs[0].metrics[1].threshold.change_threshold.direction",
        "metrics_specs[0].model_names[0]",
        "metrics_specs[0].metrics[2]",
        "metrics_specs[0].metrics[2].per_slice_thresholds[0].slicing_specs[0]",
    ]
    assert source == untouched


def test_a_fault_brings_no_faults_that_are_not_there() -> None:
    broken = metric(per_slice_thresholds=[ON_HOUR])
    broken["slicing_specs"] = [{"feature_keys": "hour"}]
    assert [path for path, _ in faults_of(broken)] == ["slicing_specs[0].feature_keys"]
    change = metric(threshold={"change_threshold": {"absolut": 0, "direction": HIGHER}})
    assert [path.rsplit(".", 1)[-1] for path, _ in faults_of(change)] == ["absolut"]


def test_a_part_refuses_on_construction_with_config_error() -> None:
    with pytest.raises(ConfigError, match=r"^lower_bound: 2.0 is above") as raised:
        GenericValueThreshold(lower_bound=2, upper_bound=1)
    assert isinstance(pickle.loads(pickle.dumps(raised.value)), ConfigError)
    with pytest.raises(
        ConfigError, match=r"^metrics_specs\[0\].metrics\[0\].class_name: is missing"
    ):
        EvalConfig(metrics_specs=[{"metrics": [{}]}])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wide", "narrow", "expected"),
    [
        ({}, {}, True),
        ({"feature_keys": ["a"]}, {}, False),
        ({"feature_keys": ["a"]}, {"feature_values": {"a": "1"}}, True),
        ({"feature_values": {"a": "1"}}, {"feature_keys": ["a"]}, False),
        ({"feature_keys": ["a", "b"]}, {"feature_keys": ["a"], "feature_values": {"b": "1"}}, True),
        ({"feature_keys": ["a"], "feature_values": {"b": "1"}}, {"feature_values": {"a": "2", "b": "1"}}, True),
        ({"feature_keys": ["a"], "feature_values": {"b": "1"}}, {"feature_values": {"a": "2", "b": "2"}}, False),
    ],
)  # fmt: skip
def test_which_slices_a_spec_includes(wide: Any, narrow: Any, expected: bool) -> None:
    assert SlicingSpec(**wide).includes(SlicingSpec(**narrow)) is expected


def test_thresholds_may_be_on_slices_that_are_computed_for_comparison() -> None:
    source = metric(per_slice_thresholds=[ON_HOUR])
    source["slicing_specs"] = [{}]
    source["cross_slicing_specs"] = [{"slicing_specs": [{"feature_keys": ["hour"]}]}]
    assert EvalConfig.load(source).cross_slicing_specs


@pytest.mark.parametrize(
    ("computed", "wanted", "expected"),
    [
        ({}, {}, True),
        ({}, {"slicing_specs": [{"feature_keys": ["a"]}]}, True),
        ({"slicing_specs": [{"feature_keys": ["a"]}]}, {}, False),
        ({"slicing_specs": [{"feature_keys": ["a"]}]}, {"slicing_specs": [{"feature_values": {"a": "1"}}]}, True),
        ({"slicing_specs": [{"feature_keys": ["a"]}]}, {"slicing_specs": [{"feature_keys": ["b"]}]}, False),
        ({"baseline_spec": {"feature_keys": ["a"]}}, {}, False),
    ],
)  # fmt: skip
def test_which_comparisons_a_spec_includes(computed: Any, wanted: Any, expected: bool) -> None:
    assert CrossSlicingSpec(**computed).includes(CrossSlicingSpec(**wanted)) is expected
