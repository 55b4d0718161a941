# SPDX-License-Identifier: Apache-2.0
"""No test shows a value to be on the side of a bound on which it is not, however alike the rows are."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import benison
from benison.data.batch import Array, Inputs
from benison.evidence.choice import estimator_of
from benison.evidence.paired_spread import Paired
from benison.evidence.skewed import Skewed
from benison.evidence.spread import Share, Spread, Student
from benison.metrics import from_config, registered
from benison.slicing.codes import SliceCodes
from benison.testing import example_config
from tests.component.test_gates import fall, judge

_SIZES = (3, 30, 200)
_KINDS = 6
_STEPS = np.array([0.0, 1e-12, 1e-9, 1e-6, 1e-3, 0.01, 0.1, 1.0, 100.0])


def _scores(rng: np.random.Generator, labels: Array, kind: int) -> Array:
    """Scores of which the errors are alike, alike but for rounding, of two sizes, or very skewed."""
    size, c = len(labels), round(rng.uniform(0.1, 0.4), 2)
    errors = [
        np.full(size, c),
        np.full(size, c) + 1e-15 * rng.random(size),
        np.where(np.arange(size) == 0, 0.9, c),
        rng.choice([c, 0.5 + c], size),
        np.minimum(rng.lognormal(-4, 2, size), 0.99),
        rng.uniform(0.01, 0.99, size),
    ]
    return np.asarray(np.abs(labels - errors[kind]))


def _samples(weighted: bool) -> tuple[Inputs, SliceCodes]:
    """Two models on slices of each kind of rows and size, of one label and of two."""
    rng = np.random.default_rng(11)
    parts = []
    for size in _SIZES:
        for kind in range(_KINDS):
            for labels in (np.ones(size), np.resize([0.0, 1.0], size)):
                own, other = (_scores(rng, labels, kind) for _ in range(2))
                parts.append((labels, own, other))
    codes = np.repeat(np.arange(len(parts)), [len(part[0]) for part in parts])
    labels, own, other = map(np.concatenate, zip(*parts, strict=True))
    weights = np.full(len(labels), 0.1) if weighted else None
    numbers = np.arange(len(labels), dtype=np.uint64)
    inputs = Inputs(labels, own, weights, baseline=other, batch_numbers=numbers)
    return inputs, SliceCodes.of(codes, len(parts))


def _of_a_score() -> list[str]:
    """A metric of labels and scores for each kind of estimator and formula."""
    names = {}
    for name in registered():
        metric = from_config(name, example_config(name))
        known = estimator_of(metric, True, False)
        if known is not None and known.name in ("moments", "cells", "delong"):
            names[name] = metric
    return [name for name, metric in names.items() if _accepts(metric)]


def _accepts(metric: Any) -> bool:
    try:
        return np.ndim(metric.of(Inputs.of([0.0, 1.0, 1.0], [0.2, 0.7, 0.4]))) == 0
    except Exception:  # noqa: BLE001 - of classes, texts or features
        return False


def _hold_sides(spread: Spread) -> None:
    """A bound on the value's other side is shown by p above 0.4, and farther off by no smaller p."""
    value = spread.value
    below = np.stack([spread.p_below(value - step) for step in _STEPS])
    above = np.stack([spread.p_above(value + step) for step in _STEPS])
    for p in (below, above):
        known = p[:, ~np.isnan(p).any(axis=0)]
        assert (known > 0.4).all()
        assert (np.diff(known, axis=0) >= -1e-9).all()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", _of_a_score())
def test_no_sample_shows_the_other_side_of_its_value(name: str, weighted: bool) -> None:
    inputs, codes = _samples(weighted)
    known = estimator_of(from_config(name, example_config(name)), True, weighted)
    assert known is not None
    shared = [statistic.add(inputs, codes) for statistic in known.statistics()]
    alone = [
        statistic.add(dataclasses.replace(inputs, predictions=scores), codes)
        for scores in (inputs.predictions, inputs.baseline)
        for statistic in known.alone()
    ]
    with np.errstate(all="ignore"):
        paired = known.compared(*shared, *alone)
        for spread in (paired.candidate, paired.baseline, paired.change):
            _hold_sides(spread)


@pytest.mark.parametrize("skew", [-0.99, -0.3, 0.3, 0.99])
def test_p_falls_the_farther_a_value_is_from_its_bound(skew: float) -> None:
    bounds = np.linspace(-20, 20, 401)
    several = [np.full(401, x) for x in (0.0, 1.0, 20.0)]
    spread = Skewed(*several, skew=np.full(401, skew))
    assert (np.diff(spread.p_below(bounds)) <= 0).all()
    assert (np.diff(spread.p_above(bounds)) >= 0).all()


@pytest.mark.parametrize(
    ("metric", "kind", "options"),
    [
        ("BinaryCrossentropy", "value", {}),
        ("BinaryCrossentropy", "change", {}),
        ("MeanSquaredError", "change", {"cluster_key": "row"}),
        ("RootMeanSquaredError", "value", {}),
    ],
)
def test_slices_of_rows_that_are_alike_are_what_they_are(
    metric: str, kind: str, options: dict[str, str]
) -> None:
    """Each slice has one score, far beyond the bound; of a slice of fewer than 30 rows nothing is known."""
    sizes = np.tile([20, 60], 12)
    codes = np.repeat(np.arange(24), sizes)
    new = np.concatenate([np.repeat(np.linspace(0.3, 0.75, 24).round(2), sizes), np.full(200, 0.1)])
    groups = [f"g{i}" for i in codes] + ["rest"] * 200
    old = np.append(np.full(len(codes), 0.9), new[len(codes) :])
    columns = {"y": np.ones(len(new)), "n": new, "o": old, "g": groups}
    columns["row"] = [str(i) for i in range(len(new))]
    bound = {"value_threshold": {"upper_bound": 0.01}}
    if kind == "change":
        bound = {"change_threshold": {"absolute": 0.01, "direction": "LOWER_IS_BETTER"}}  # type: ignore[dict-item]
    for evidence in ("worse", "not_worse"):
        checks = _checks(columns, metric, {**bound, "evidence": evidence}, options)
        of_slices = [check for check in checks if check.slice != "g=rest"]
        assert len(of_slices) == 24
        for check in of_slices:
            few = evidence == "worse" and check.examples == 20
            assert check.outcome == ("undecided" if few else "fail"), check
            assert check.zone != "not_worse"


def _checks(columns: Any, metric: str, threshold: Any, options: Any) -> list[Any]:
    specs = [{"name": n, "prediction_key": n, "label_key": "y"} for n in "no"]
    specs[1]["is_baseline"] = True  # type: ignore[assignment]
    made = {
        "model_specs": specs,
        "slicing_specs": [{"feature_keys": ["g"]}],
        "metrics_specs": [{"metrics": [{"class_name": metric, "threshold": threshold}]}],
        "options": {"confidence": {"level": 0.95, **options}},
    }
    return list(benison.evaluate(pa.table(columns), made).verdict.checks)


@dataclasses.dataclass(frozen=True)
class Sure(Student):
    """A change that is shown to be on either side of any bound."""

    def p_below(self, bound: Any) -> Array:
        return np.zeros(len(self.value))

    p_above = p_below


@pytest.mark.parametrize("evidence", ["worse", "not_worse"])
def test_whatever_a_test_shows_a_value_is_on_its_own_side(evidence: str) -> None:
    n = np.full(2, 1000.0)
    own, old = Share(np.array([890.0, 910.0]), n), Share(np.array([900.0, 900.0]), n)
    sure = Sure(own.value - old.value, np.full(2, 0.01), n - 1)
    verdict = judge(Paired(own, old, sure, np.zeros(2)), n, fall(-0.001, evidence))
    assert verdict.table["zone"].to_pylist() == ["worse", "not_worse"]
    assert verdict.table["outcome"].to_pylist() == ["fail", "pass"]


@pytest.mark.parametrize("evidence", ["point", "worse", "not_worse"])
def test_a_value_beyond_the_end_of_its_range_fails_a_bound_there(evidence: str) -> None:
    """Scores that add up to more than 1 have a divergence below 0, which no distribution has."""
    rows = np.random.default_rng(2).dirichlet([1, 1, 1], 200).tolist()
    columns = {"y": rows, "n": [[1.0, 1.0, 1.0]] * 200, "o": rows, "g": ["all"] * 200}
    threshold = {"value_threshold": {"lower_bound": 0}, "evidence": evidence}
    (check,) = _checks(columns, "KLDivergence", threshold, {})
    assert (check.outcome, check.value < 0) == ("fail", True)
