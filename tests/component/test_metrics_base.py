# SPDX-License-Identifier: Apache-2.0
"""The tests of the registry and of what every metric says about itself."""

from __future__ import annotations

import dataclasses
import inspect
import math
import re
import runpy
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benison.data.batch import Array, Inputs
from benison.errors import ConfigError
from benison.metrics import (
    Metric,
    Statistic,
    describe,
    from_config,
    register,
    registered,
    registry,
)
from benison.metrics.counts import ExampleCount, ones
from benison.metrics.custom import FunctionMetric
from benison.metrics.disparities import DemographicParityDifference
from benison.metrics.families import FAMILIES, GROUP_NAMES, OWNERS
from benison.metrics.groups import GROUPS, members
from benison.metrics.margin_density import MarginDensity
from benison.metrics.row_samples import FalsePositiveFeatureSampler
from benison.metrics.statistics.sums import Arrays, Total
from benison.testing import flat, value_of
from tests.test_laws import build, inputs_for

METRICS = Path(registry.__file__).parent


@pytest.mark.parametrize("name", registered())
def test_every_metric_explains_itself_in_one_sentence(name: str) -> None:
    sentence = describe(name).sentence
    assert re.fullmatch(r"[A-Z1-9].{10,120}[.]", sentence), sentence


@pytest.mark.parametrize("name", registered())
def test_values_lie_in_the_range_that_is_told(name: str) -> None:
    rng = np.random.default_rng(7)
    about = describe(name)
    for _ in range(20):
        rows = inputs_for(name, rng, 12, True)
        value = value_of(build(name), rows, rng.integers(0, 3, 12), 3)
        actual = flat(value)
        if not isinstance(value, dict):
            actual = actual[~np.isnan(actual)]
            assert np.all((actual >= about.low - 1e-12) & (actual <= about.high + 1e-12))


@pytest.mark.parametrize("name", registered())
def test_the_better_end_is_where_a_better_model_is(name: str) -> None:
    about = describe(name)
    ends = about.higher_is_better is not None and not build(name).needs_baseline
    ends = ends and not any(statistic.columns() for statistic in build(name).statistics())
    ends = ends and not build(name).label_names()
    if not ends or not build(name).accepts & {"binary", "real"}:
        pytest.skip("neither end is better, or it is of classes, texts, columns or two models")
    labels = np.array([0.0, 0, 0, 0, 1, 1, 1, 1])
    good = np.array([0.1, 0.2, 0.1, 0.6, 0.9, 0.8, 0.4, 0.9])
    bad = np.array([0.1, 0.7, 0.6, 0.9, 0.6, 0.3, 0.4, 0.9])
    if name in ("Accuracy", "ExactMatch"):  # which are of classes, not of scores
        good, bad = good.round(), bad.round()
    better, worse = (
        flat(value_of(build(name), Inputs(labels, p), np.zeros(8), 1)) for p in (good, bad)
    )
    difference = better - worse if about.higher_is_better else worse - better
    # Both models find all positives somewhere and one of them first, and no bucket holds two of their scores.
    equal = {
        "MaxRecall",
        "RecallAtPrecision",
        "MinLabelPosition",
        "HitRateAtK",
        "BrierWithinBuckets",
    }
    assert np.all(difference >= -1e-12 if name in equal else difference > 0)


@pytest.mark.parametrize("family", FAMILIES)
def test_each_name_leads_to_the_family_that_registers_it(family: str) -> None:
    names = set(FAMILIES[family].split())
    registry._REGISTRY.clear()
    runpy.run_path(str(METRICS / f"{family}.py"))
    assert set(registry._REGISTRY) == names


def test_every_family_and_group_has_its_names_in_the_table() -> None:
    texts = {p.stem: p.read_text(encoding="utf-8") for p in METRICS.glob("*.py")}
    registering = {n for n, text in texts.items() if re.search(r"^(    )*register\(", text, re.M)}
    assert registering - {"custom"} == {*FAMILIES}
    assert len(OWNERS) == sum(len(names.split()) for names in FAMILIES.values())
    assert {*GROUPS} == GROUP_NAMES


@dataclasses.dataclass(frozen=True)
class RowsTwice(Metric):
    """Twice the number of rows."""

    name: str = "rows_twice"

    def statistics(self) -> tuple[Statistic[Any], ...]:
        return (Total(ones),)

    def result(self, total: Arrays) -> Array:
        return 2 * total[0]


@pytest.mark.parametrize("test", ["one", "another"])
def test_what_a_test_registers_is_gone_for_the_next(test: str) -> None:
    assert "Passing" not in registered()
    register("Passing", RowsTwice)


def test_a_metric_of_ones_own() -> None:
    register("RowsTwice", RowsTwice)
    register("RowsTwice", RowsTwice)  # importing a module twice does no harm
    assert from_config("RowsTwice", {}).of(Inputs.of([0, 1], [0, 1])) == 4.0
    assert describe("RowsTwice").sentence == "Twice the number of rows."
    with pytest.raises(ConfigError, match="A metric named 'AUC' is registered already."):
        register("AUC", RowsTwice)


class Unmoved(Total):
    """A statistic that neither scatters nor gathers, by the names of today or of before."""

    scatter, gather = Statistic.scatter, Statistic.gather
    location, take = Statistic.place, Statistic.take


@pytest.mark.parametrize("name", ["scatter", "place", "gather", "take"])
def test_a_statistic_that_cannot_be_moved_says_what_it_lacks(name: str) -> None:
    statistic, index = Unmoved(ones), np.arange(2)
    size = (3,) if name in ("scatter", "place") else ()
    lacking = "scatter" if size else "gather"
    with pytest.raises(NotImplementedError, match=f"Unmoved lacks the method {lacking}."):
        getattr(statistic, name)(statistic.zero(2), index, *size)


def test_an_unknown_metric_is_told_from_its_neighbour() -> None:
    sentence = "There is no metric 'MeanSquareError'. Did you mean 'MeanSquaredError'?"
    for ask in (lambda: from_config("MeanSquareError", {}), lambda: describe("MeanSquareError")):
        with pytest.raises(ConfigError, match=re.escape(sentence)):
            ask()


@pytest.mark.parametrize("name", registered())
def test_the_default_name_is_snake_case_and_can_be_changed(name: str) -> None:
    metric = build(name)
    assert re.fullmatch(r"[a-z0-9_.]+|rouge1/[a-z]+|BLEU", metric.name)
    assert dataclasses.replace(metric, name="mine").name == "mine"


def test_default_names_are_distinct_but_for_spellings() -> None:
    names = [build(name).name for name in registered()]
    twice = {name for name in names if names.count(name) > 1}
    # TFMA calls what is of boxes as what is of rows and queries.
    spellings = {"binary_crossentropy", "categorical_crossentropy"}
    assert twice == spellings | {"confusion_matrix_plot", "mean_average_precision"}


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("Precision", {"class_id": None, "thresholds": None, "top_k": None}),
        ("PrecisionAtRecall", {"class_id": None, "num_thresholds": 200, "recall": 0.5}),
        ("F1Score", {"average": None, "threshold": None}),
        ("BinaryCrossentropy", {"dtype": "float32", "from_logits": False, "label_smoothing": 0}),
        ("CategoricalCrossentropy", {"axis": -1, "dtype": "float32", "from_logits": False}),
        ("SparseCategoricalCrossentropy", {"axis": -1, "ignore_class": None}),
        ("RootMeanSquaredError", {"dtype": "float32"}),
        ("R2Score", {"class_aggregation": "uniform_average", "num_regressors": 0}),
    ],
)
def test_configs_as_tfma_writes_them_for_keras_metrics(name: str, config: dict[str, Any]) -> None:
    assert from_config(name, config | {"name": "mine"}).name == "mine"


def test_other_settings_of_keras_are_refused() -> None:
    with pytest.raises(ConfigError, match="R2Score has no parameter 'num_regressors'"):
        from_config("R2Score", {"num_regressors": 3})


@pytest.mark.parametrize(
    "make",
    [
        MarginDensity,
        partial(DemographicParityDifference, "sex"),
        partial(FalsePositiveFeatureSampler, "company", 1),
        partial(FunctionMetric, max, "max"),
    ],
)
def test_nothing_is_above_a_threshold_that_is_no_number(make: Callable[..., Metric]) -> None:
    with pytest.raises(ValueError, match="thresholds must be numbers"):
        make(threshold=math.nan)


def test_a_metric_with_its_docstring_fits_on_a_screen() -> None:
    classes = {type(build(name)) for name in registered()}
    lines = {made.__name__: len(inspect.getsourcelines(made)[0]) for made in classes}
    assert {name: count for name, count in lines.items() if count > 65} == {}


@dataclasses.dataclass(frozen=True)
class CountInParts(ExampleCount):
    """The examples over how many parts there are."""

    parts: int = 5


def test_a_metric_may_have_a_parameter_called_parts() -> None:
    register("CountInParts", CountInParts)
    ((_, metric),) = members("CountInParts", {"parts": 2})
    assert metric == CountInParts(parts=2)
