# SPDX-License-Identifier: Apache-2.0
"""The tests of what a config leaves open, and of what is written and read again."""

from __future__ import annotations

import json
import math
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from benison.config import (
    ConfidenceIntervalMethod,
    CrossSliceMetricThreshold,
    CrossSlicingSpec,
    EvalConfig,
    GenericChangeThreshold,
    GenericValueThreshold,
    MetricConfig,
    MetricDirection,
    MetricsSpec,
    MetricThreshold,
    ModelSpec,
    Options,
    PerSliceMetricThreshold,
    SlicingSpec,
)
from benison.errors import ConfigError

HIGHER = "HIGHER_IS_BETTER"


TWO = [{"name": "a"}, {"name": "b"}]


def names(config: EvalConfig) -> list[tuple[str, bool]]:
    return [(spec.name, spec.is_baseline) for spec in config.model_specs]


NO_BASELINE, BASELINE = ("", False), ("baseline", True)


@pytest.mark.parametrize(
    ("specs", "has_baseline", "expected"),
    [
        ([], False, [NO_BASELINE]),
        ([], True, [("candidate", False), BASELINE]),
        ([{}], False, [NO_BASELINE]),
        ([{}], True, [("candidate", False), BASELINE]),
        ([{"name": "m"}], False, [NO_BASELINE]),
        ([{"name": "m"}], True, [("m", False), BASELINE]),
        ([{"name": "old", "is_baseline": True}], True, [("candidate", False), ("old", True)]),
        ([{"name": "old", "is_baseline": True}], False, [NO_BASELINE]),
        (
            [{"name": "m"}, {"name": "old", "is_baseline": True}],
            True,
            [("m", False), ("old", True)],
        ),
        ([{"name": "m"}, {"name": "old", "is_baseline": True}], False, [NO_BASELINE]),
        (TWO, False, [("a", False), ("b", False)]),
        ([*TWO, {"name": "old", "is_baseline": True}], False, [("a", False), ("b", False)]),
    ],
)  # fmt: skip
def test_which_models_there_are(specs: Any, has_baseline: bool, expected: Any) -> None:
    config = EvalConfig.load({"model_specs": specs}).with_defaults(has_baseline)
    assert names(config) == expected
    assert config.with_defaults(has_baseline) == config
    assert EvalConfig.load(config.to_dict()) == config
    assert config.slicing_specs == (SlicingSpec(),)
    baselines = (spec for spec in config.model_specs if spec.is_baseline)
    assert config.baseline_spec == next(baselines, None)
    assert len(config.candidate_specs) == sum(not is_baseline for _, is_baseline in expected)


def test_the_baseline_has_the_keys_of_the_candidate() -> None:
    config = EvalConfig.load({"model_specs": [{"name": "m", "label_key": "tip"}]}).with_defaults(
        True
    )
    assert [spec.label_key for spec in config.model_specs] == ["tip", "tip"]
    alone = {"model_specs": [{"label_key": "tip", "is_baseline": True}]}
    assert EvalConfig.load(alone).with_defaults(False).model_specs == (ModelSpec(label_key="tip"),)


def test_a_baseline_that_fits_no_spec_is_refused() -> None:
    with pytest.raises(ConfigError) as raised:
        EvalConfig.load({"model_specs": TWO}).with_defaults(True)
    assert raised.value.faults == [
        (
            "model_specs",
            "a baseline is given, but it is none of the 2 models; "
            "set is_baseline on the spec of the baseline.",
        )
    ]
    with pytest.raises(ConfigError) as raised:
        EvalConfig.load({"model_specs": [{"name": "baseline"}]}).with_defaults(True)
    assert raised.value.faults == [
        (
            "model_specs[0].name",
            "'baseline' is the name that the other model gets; give it another name, "
            "or set is_baseline if it is the baseline.",
        )
    ]


CHANGE = {
    "class_name": "AUC",
    "threshold": {"change_threshold": {"absolute": 0, "direction": HIGHER}},
}


@pytest.mark.parametrize(
    ("specs", "chosen", "has_baseline", "expected"),
    [
        ([], [], False, [("",)]),
        ([], [], True, [("candidate", "baseline")]),
        ([], [""], True, [("candidate", "baseline")]),
        ([], ["candidate"], False, [("",)]),
        ([], ["candidate"], True, [("candidate",)]),
        ([], ["baseline"], False, []),
        ([{"name": "m"}], ["m"], False, [("",)]),
        ([{"name": "m"}], ["m"], True, [("m",)]),
        ([{"name": "m"}], ["candidate"], True, [("m",)]),
        ([{"name": "m"}, {"name": "old", "is_baseline": True}], ["old"], False, []),
        ([{"name": "m"}, {"name": "old", "is_baseline": True}], ["m", "old"], False, [("",)]),
        ([*TWO, {"name": "old", "is_baseline": True}], ["b", "old"], False, [("b",)]),
    ],
)  # fmt: skip
def test_which_models_a_metrics_spec_is_for(
    specs: Any, chosen: Any, has_baseline: bool, expected: Any
) -> None:
    source = {"model_specs": specs, "metrics_specs": [{"model_names": chosen}]}
    config = EvalConfig.load(source).with_defaults(has_baseline)
    assert [spec.model_names for spec in config.metrics_specs] == expected


def test_a_change_threshold_brings_the_baseline_into_its_spec() -> None:
    source = {"metrics_specs": [{"model_names": ["candidate"], "metrics": [CHANGE]}]}
    assert EvalConfig.load(source).with_defaults(True).metrics_specs[0].model_names == (
        "candidate",
        "baseline",
    )


def test_change_thresholds_stay_without_a_baseline() -> None:
    config = EvalConfig.load({"metrics_specs": [{"metrics": [CHANGE]}]}).with_defaults(False)
    assert config.metrics_specs[0].has_change_threshold


def test_options_that_are_not_given() -> None:
    options = EvalConfig().with_defaults(False).options
    assert (options.include_default_metrics, options.compute_confidence_intervals) == (False, False)
    assert options == Options()
    asked = EvalConfig(options=Options(compute_confidence_intervals=True)).with_defaults(False)
    assert asked.options.confidence_intervals.method == ConfidenceIntervalMethod.JACKKNIFE
    bootstrap = {"method": "POISSON_BOOTSTRAP"}
    chosen = EvalConfig.load({"options": {"confidence_intervals": bootstrap}})
    assert chosen.with_defaults(True).options == chosen.options


words = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1, max_size=8)


bounds = st.floats(-1e6, 1e6)


slicing = st.builds(
    SlicingSpec,
    feature_keys=st.lists(words.map("k".__add__), max_size=3).map(tuple),
    feature_values=st.dictionaries(words.map("v".__add__), words, max_size=3),
)


changes = st.builds(
    GenericChangeThreshold,
    absolute=bounds,
    relative=st.none() | bounds,
    direction=st.sampled_from([MetricDirection.LOWER_IS_BETTER, MetricDirection.HIGHER_IS_BETTER]),
)


values = st.builds(
    GenericValueThreshold,
    lower_bound=bounds,
    upper_bound=st.sampled_from([None, math.inf]),
)


thresholds = st.builds(
    MetricThreshold, value_threshold=values, change_threshold=st.none() | changes
)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=5,
)


@st.composite
def configs(draw: st.DrawFn) -> EvalConfig:
    slices = draw(st.lists(slicing, min_size=1, max_size=3))
    comparisons = [CrossSlicingSpec(baseline_spec=spec) for spec in slices]
    metrics = tuple(
        MetricConfig(
            class_name=name,
            config={**draw(st.dictionaries(words, json_values, max_size=2)), "name": name},
            threshold=draw(st.none() | thresholds),
            per_slice_thresholds=(
                PerSliceMetricThreshold(slicing_specs=tuple(slices), threshold=draw(thresholds)),
            ),
            cross_slice_thresholds=(
                CrossSliceMetricThreshold(
                    cross_slicing_specs=tuple(comparisons), threshold=draw(thresholds)
                ),
            ),
        )
        for name in draw(st.lists(words, unique=True, max_size=3))
    )
    model = ModelSpec(label_keys=draw(st.dictionaries(words, words, max_size=2)))
    return EvalConfig(
        model_specs=(model,),
        slicing_specs=tuple(slices),
        cross_slicing_specs=tuple(comparisons),
        metrics_specs=(MetricsSpec(metrics=metrics, thresholds={"loss": draw(thresholds)}),),
        options=Options(min_slice_size=draw(st.integers(0, 100))),
    )


@hypothesis.settings(max_examples=60, deadline=None)
@hypothesis.given(config=configs(), has_baseline=st.booleans())
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, config: EvalConfig, has_baseline: bool
) -> None:
    again = EvalConfig.load(json.loads(config.to_json()))
    assert again == config
    assert hash(again) == hash(config)
    assert (again.to_json(), again.digest()) == (config.to_json(), config.digest())
    path = tmp_path_factory.mktemp("config") / "eval.yaml"
    path.write_text(config.to_json())
    assert EvalConfig.load(path) == config
    filled = config.with_defaults(has_baseline)
    assert EvalConfig.load(filled.to_dict()) == filled == filled.with_defaults(has_baseline)


def test_the_digest_is_of_the_meaning() -> None:
    first = EvalConfig.load(
        {"slicing_specs": [{"feature_keys": ["b", "a"]}], "options": {"min_slice_size": 1}}
    )
    two = EvalConfig.load({"slicingSpecs": [{"featureKeys": ["a", "b"]}]})
    other = EvalConfig.load({"slicingSpecs": [{"featureKeys": ["a"]}]})
    assert first.digest() == two.digest() != other.digest()
    assert len(first.digest()) == 64
    assert two.to_json() == json.dumps(two.to_dict(), indent=2, sort_keys=True)


def test_the_schema_describes_every_field() -> None:
    schema = EvalConfig.json_schema()
    assert list(schema["properties"]) == list(EvalConfig.model_fields)
    assert (
        schema["properties"]["metrics_specs"]["description"] == "The metrics and their thresholds."
    )
    assert schema["additionalProperties"] is False
    parts = schema["$defs"]
    assert all(
        "description" in field for part in parts.values() for field in part["properties"].values()
    )
    direction = parts["GenericChangeThreshold"]["properties"]["direction"]
    assert direction["enum"] == ["UNKNOWN", "LOWER_IS_BETTER", "HIGHER_IS_BETTER"]
    json.dumps(schema)
