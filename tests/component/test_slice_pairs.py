# SPDX-License-Identifier: Apache-2.0
"""What a sample says of comparisons of two slices: that share rows, that are below 0, that do not vary."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

import benison
from benison.data.batch import Array
from benison.evidence.block_errors import Replicates
from benison.evidence.slice_ratios import ChangeOfRatios, Quotient
from benison.evidence.spread import Student
from benison.results.result import EvalResult
from benison.validation.verdict import Verdict

TAGS = [["a"], ["b"], ["a", "b"], ["b"]] * 50
KEYS = [{"feature_keys": ["tag"]}]


def evaluated(
    columns: dict[str, Any],
    base: dict[str, Any],
    others: list[dict[str, Any]],
    threshold: dict[str, Any],
    metric: tuple[str, str] = ("MeanSquaredError", "mean_squared_error"),
    slices: list[dict[str, Any]] | None = None,
) -> EvalResult:
    """The result with a threshold on comparisons of the slices `base` with others."""
    crossing = {"baseline_spec": base, "slicing_specs": others}
    crossed = {"cross_slicing_specs": [crossing], "threshold": threshold}
    made = {
        "model_specs": [{"prediction_key": "n", "label_key": "y"}],
        "slicing_specs": slices or [base, *others],
        "cross_slicing_specs": [crossing],
        "metrics_specs": [
            {
                "metrics": [metric[0]],
                "cross_slice_thresholds": {metric[1]: {"thresholds": [crossed]}},
            }
        ],
    }
    return benison.evaluate(pa.table(columns), made)


def judge(*arguments: Any, **more: Any) -> Verdict:
    return evaluated(*arguments, **more).verdict


def below(bound: float, evidence: str) -> dict[str, Any]:
    return {"value_threshold": {"upper_bound": bound}, "evidence": evidence}


def scored(tags: list[list[str]], **more: Any) -> dict[str, Any]:
    """Rows of which those with the first tag alone err by more than 2."""
    noise = np.random.default_rng(2).normal(size=len(tags))
    n = [(3.0 if tag == ["a"] else 0.5) + e / 4 for tag, e in zip(tags, noise, strict=True)]
    return {"y": np.zeros(len(tags)), "n": n, "tag": tags, **more}


@pytest.mark.parametrize(
    "slices",
    [
        KEYS,
        [{"feature_values": {"tag": "a"}}, *KEYS],
        [{"feature_values": {"tag": t}} for t in "ab"],
    ],
    ids=["keys", "values_and_keys", "values"],
)
@pytest.mark.parametrize("evidence", ["worse", "not_worse"])
def test_a_comparison_of_slices_that_share_rows_blesses_nothing(
    evidence: str, slices: list[dict[str, Any]]
) -> None:
    """However the specs name them: others, of one row or apart from the first, make no difference."""
    base = {"feature_values": {"tag": "a"}}
    rows = scored([*TAGS, *[["c"]] * 50, ["a", "d"]])
    verdict = judge(rows, base, KEYS, below(100, evidence), slices=[*slices, *KEYS])
    assert verdict.status == "not_evaluated"
    assert {check.outcome for check in verdict.checks} == {"not_evaluated"}
    assert "is not known, so evidence cannot judge it" in verdict.checks[0].reason


def test_slices_of_other_features_are_told_apart_beside_lists() -> None:
    rows = scored(TAGS, shop=["x", "y"] * 100)
    shops = [{"feature_keys": ["shop"]}]
    base = {"feature_values": {"shop": "x"}}
    verdict = judge(rows, base, shops, below(100, "not_worse"), slices=[*KEYS, *shops])
    assert verdict.status == "blessed"


@pytest.mark.parametrize(
    ("base", "other", "is_apart"),
    [
        ({"bins": {"x": [10]}}, {"bins": {"x": [5]}}, False),
        ({"bins": {"x": [10]}}, {"feature_keys": ["x"]}, False),
        ({"feature_values": {"s": "a"}}, {"feature_keys": ["s", "x"]}, False),
        ({"feature_values": {"s": "a"}}, {"feature_values": {"s": "b"}, "bins": {"x": [5]}}, True),
        ({"feature_values": {"x": "[10, inf]"}}, {"bins": {"x": [10]}}, True),
        ({"feature_values": {"x": "[10, inf]"}}, {"bins": {"x": [5]}}, False),
        (
            {"feature_values": {"s": "a"}, "bins": {"x": [9]}},
            {"feature_keys": ["s"], "bins": {"x": [9]}},
            True,
        ),
    ],
)
def test_slices_that_share_rows_are_compared_by_blocks(
    base: dict[str, Any], other: dict[str, Any], is_apart: bool
) -> None:
    x = np.arange(800) % 20
    n = np.random.default_rng(4).random(800)
    rows = {"y": np.zeros(800), "n": n, "x": x, "s": ["a", "b"] * 400}
    slices = [base, other, {"bins": {"x": [10]}}]
    result = evaluated(rows, base, [other], below(100, "not_worse"), slices=slices)
    assert result.verdict.status == "blessed"
    assert {check.outcome for check in result.verdict.checks} == {"pass"}
    between = [row for row in result.metrics.to_pylist() if row["kind"] == "slice_difference"]
    assert {row["interval_method"] for row in between} == {"welch" if is_apart else "blocks"}


def of_users(opposed: bool) -> tuple[pa.Table, Array]:
    """Rows of 1,500 users, each with one in either slice, and by how much the errors of each differ there."""
    rng = np.random.default_rng(11)
    of_user = rng.normal(size=1_500)
    sides = [of_user, -of_user if opposed else of_user]
    errors = np.stack([2 + side + rng.normal(0, 0.5, 1_500) for side in sides])
    columns = {
        "y": np.zeros(3_000),
        "n": np.sqrt(np.maximum(errors, 0)).ravel(),
        "s": np.repeat(["a", "b"], 1_500),
        "user": np.tile(np.arange(1_500), 2),
    }
    squares = columns["n"] ** 2
    return pa.table(columns), squares[:1_500] - squares[1_500:]


def crossed(base: dict[str, Any], threshold: dict[str, Any] | None = None) -> dict[str, Any]:
    """A config that compares a slice with that of s=b, of which users are the clusters."""
    crossing = {"baseline_spec": base, "slicing_specs": [{"feature_values": {"s": "b"}}]}
    bound = {"cross_slicing_specs": [crossing], "threshold": threshold}
    thresholds = {} if threshold is None else {"mean_squared_error": {"thresholds": [bound]}}
    return {
        "model_specs": [{"prediction_key": "n", "label_key": "y"}],
        "slicing_specs": [{}, {"feature_keys": ["s"]}],
        "cross_slicing_specs": [crossing],
        "metrics_specs": [
            {"metrics": ["MeanSquaredError"], "cross_slice_thresholds": thresholds},
        ],
        "options": {"confidence": {"cluster_key": "user"}},
    }


IN_A: dict[str, Any] = {"feature_values": {"s": "a"}}


@pytest.mark.parametrize(("base", "share"), [(IN_A, 1.0), ({}, 0.5)], ids=["a", "overall"])
@pytest.mark.parametrize("opposed", [False, True])
def test_slices_that_share_clusters_are_compared_user_by_user(
    opposed: bool, base: dict[str, Any], share: float
) -> None:
    """As pairs are; of all rows half are those of the slice, so that half of the difference is left."""
    rows, differences = of_users(opposed)
    error = share * float(differences.std(ddof=1)) / 1_500**0.5
    interval = stats.ttest_1samp(share * differences, 0).confidence_interval()
    kinds = {row["kind"]: row for row in benison.evaluate(rows, crossed(base)).metrics.to_pylist()}
    known = kinds["slice_difference"]
    assert known["value"] == pytest.approx(share * differences.mean())
    # Of 50 blocks an error is known to within a tenth; that of independent slices is 2.2 times as large, or 0.7.
    assert known["std_error"] == pytest.approx(error, rel=0.25)
    assert known["lower"] == pytest.approx(interval.low, abs=0.6 * error)
    assert known["upper"] == pytest.approx(interval.high, abs=0.6 * error)
    assert (known["interval_method"], known["df"]) == ("blocks", 49)
    ratio = kinds["slice_ratio"]
    assert ratio["interval_method"] == "blocks"
    assert ratio["lower"] < ratio["value"] < ratio["upper"]


def test_evidence_judges_slices_that_share_clusters() -> None:
    rows, differences = of_users(opposed=False)
    error = float(differences.std(ddof=1)) / 1_500**0.5
    for far, outcome in ((0.5, "undecided"), (5.0, "fail")):
        bound = below(float(differences.mean()) - far * error, "worse")
        (check,) = benison.evaluate(rows, crossed(IN_A, bound)).verdict.checks
        assert check.outcome == outcome


def test_a_slice_is_compared_with_all_rows_that_it_is_a_part_of() -> None:
    """Half of them are in it, so that half of its difference to the others is left."""
    rows, _ = of_users(opposed=False)
    squares = np.asarray(rows["n"]) ** 2
    known = stats.ttest_ind(squares[:1_500], squares[1_500:], equal_var=False)
    apart = float(squares[:1_500].mean() - squares[1_500:].mean())
    made = {**crossed({}, below(0.0, "worse")), "options": {}}
    result = benison.evaluate(rows, made)
    row = next(r for r in result.metrics.to_pylist() if r["kind"] == "slice_difference")
    assert row["value"] == pytest.approx(apart / 2)
    assert row["std_error"] == pytest.approx(abs(apart / known.statistic) / 2, rel=0.25)
    assert row["interval_method"] == "blocks"
    made["options"] = {"confidence": "off"}
    made["metrics_specs"][0]["cross_slice_thresholds"] = {}
    values = {r["kind"]: r["value"] for r in benison.evaluate(rows, made).metrics.to_pylist()}
    assert values["slice_difference"] == row["value"]


def test_few_shared_clusters_tell_nothing() -> None:
    rows, _ = of_users(opposed=False)
    few = rows.set_column(3, "user", pa.array(np.tile(np.arange(1_500) % 4, 2)))
    (check,) = benison.evaluate(few, crossed(IN_A, below(0.0, "worse"))).verdict.checks
    assert check.outcome in ("undecided", "not_evaluated")


def student(values: list[float], errors: list[float]) -> Student:
    return Student(np.array(values), np.array(errors), np.full(len(values), 49.0))


@pytest.mark.parametrize("bound", [-2.5, -1.5, 0.5])
def test_a_ratio_to_what_is_below_0_is_that_of_both_with_the_other_sign(bound: float) -> None:
    a, b = student([1.0], [0.05]), student([-0.5], [0.02])
    turned = Quotient(student([-1.0], [0.05]), student([0.5], [0.02]))
    ratio = Quotient(a, b)
    for p, same in ((ratio.p_below, turned.p_below), (ratio.p_above, turned.p_above)):
        assert p(bound) == pytest.approx(same(bound))
    samples = np.random.default_rng(1).normal([1.0, -0.5], [0.05, 0.02], (20_000, 2))
    shares: Array = samples[:, 0] / samples[:, 1]
    assert ratio.p_above(bound) == pytest.approx([np.mean(shares < bound)], abs=0.05)
    lower, upper = ratio.limits(0.025)
    assert [*lower, *upper] == pytest.approx(np.quantile(shares, [0.025, 0.975]), abs=0.03)


def test_a_ratio_to_a_mean_below_0_is_shown_to_be_below_its_bound() -> None:
    slices = np.repeat(["a", "b", "c"], 50)
    n = np.repeat([1.0, 0.5, -0.5], 50)
    for noise, p in ((0.1, 0.0), (0.0, None)):
        rows = {"y": np.zeros(150), "tag": slices}
        rows["n"] = n + noise * stats.norm.ppf(np.tile((np.arange(50) + 0.5) / 50, 3))
        verdict = judge(
            rows,
            {"feature_values": {"tag": "a"}},
            KEYS,
            {"value_threshold": {"lower_bound": 0.5}, "evidence": "worse"},
            ("MeanPrediction", "mean_prediction_ratio"),
        )
        assert [check.outcome for check in verdict.checks][-1] == "fail"
        assert verdict.status == "not_blessed"
        shown = verdict.failures[0].p_value
        assert np.isnan(shown) if p is None else shown == pytest.approx(p, abs=1e-9)


def test_a_root_of_rows_without_error_is_known() -> None:
    """Of rows that are all alike, though the root has no slope at 0."""
    rows = {"y": np.zeros(80), "n": np.repeat([0.0, 1.0], 40), "tag": np.repeat(["a", "b"], 40)}
    rows["n"][40:] += np.linspace(-0.1, 0.1, 40)
    bounds = {"value_threshold": {"upper_bound": 2}, "evidence": "worse"}
    verdict = judge(
        rows,
        {"feature_values": {"tag": "a"}},
        KEYS,
        bounds,
        ("RootMeanSquaredError", "root_mean_squared_error"),
    )
    assert (verdict.status, verdict.checks[0].outcome) == ("blessed", "pass")


def of_two_models(n: int, seed: int) -> pa.Table:
    """Rows of two slices, in one of which the candidate is right less often than the baseline."""
    rng = np.random.default_rng(seed)
    slices = rng.permutation(np.repeat(["a", "b"], n // 2))
    y = rng.integers(0, 2, n).astype(float)
    right = rng.random((2, n)) < np.stack([np.where(slices == "a", 0.6, 0.9), np.full(n, 0.85)])
    own, old = 0.1 + 0.8 * np.where(right, y, 1 - y)
    return pa.table({"y": y, "own": own, "old": old, "s": slices})


def ratio_check(
    rows: pa.Table,
    base: dict[str, Any],
    bound: dict[str, float],
    old: str,
    name: str = "binary_accuracy_ratio",
    evidence: str = "worse",
) -> Any:
    """The check of the change of the accuracy's ratio between a slice and s=b."""
    crossing = {"baseline_spec": base, "slicing_specs": [{"feature_values": {"s": "b"}}]}
    change = {"change_threshold": {"direction": "HIGHER_IS_BETTER", **bound}, "evidence": evidence}
    crossed = {"cross_slicing_specs": [crossing], "threshold": change}
    models = [{"name": "new", "prediction_key": "own"}, {"name": "old", "prediction_key": old}]
    made = {
        "model_specs": [{"label_key": "y", "is_baseline": m["name"] == "old", **m} for m in models],
        "slicing_specs": [{}, {"feature_keys": ["s"]}],
        "cross_slicing_specs": [crossing],
        "metrics_specs": [
            {
                "metrics": ["BinaryAccuracy"],
                "cross_slice_thresholds": {name: {"thresholds": [crossed]}},
            }
        ],
    }
    (check,) = benison.evaluate(rows, made).verdict.checks
    return check


@pytest.mark.parametrize("base", [IN_A, {}], ids=["apart", "overall"])
@pytest.mark.parametrize("kind", ["absolute", "relative"])
def test_changes_of_ratios_of_slices_are_judged_with_evidence(
    base: dict[str, Any], kind: str
) -> None:
    """By the error that drawing the rows anew shows: of slices apart in closed form, of others by blocks."""

    def change(rows: pa.Table) -> float:
        right = {name: np.equal(np.asarray(rows[name]) > 0.5, rows["y"]) for name in ("own", "old")}
        in_b = np.equal(rows["s"], "b")
        first = ~in_b if base else np.ones(len(in_b), bool)
        new, old = (of[first].mean() / of[in_b].mean() for of in right.values())
        return float(new / old - 1 if kind == "relative" else new - old)

    rows = of_two_models(3_000, 1)
    error = np.std([change(of_two_models(3_000, seed)) for seed in range(2, 602)])
    for far, outcome in ((0.8, "undecided"), (3.4, "fail"), (-3.4, "pass")):
        check = ratio_check(rows, base, {kind: change(rows) + far * float(error)}, "old")
        assert check.outcome == outcome
        shown = stats.norm.isf(check.p_value) if base else stats.t.isf(check.p_value, 49)
        assert shown == pytest.approx(far, rel=0.08 if base else 0.2)


def test_blocks_move_a_ratio_as_leaving_them_out_does() -> None:
    without = np.random.default_rng(5).normal([[[2.0]], [[5.0]]], 1e-4, (2, 50, 1))
    each = [*without, without[0] / without[1]]
    used = np.ones((50, 1), np.bool_)
    a, b, ratio = (Replicates.of(of.mean(axis=0), of, used) for of in each)
    assert a.over(b).spread.error == pytest.approx(ratio.spread.error, rel=1e-4)
    assert a.over(a).spread.error == 0


def test_the_ratios_of_one_model_twice_do_not_change() -> None:
    for base in (IN_A, {}):
        check = ratio_check(of_two_models(3_000, 1), base, {"absolute": -0.01}, "own")
        assert (check.outcome, check.zone) == ("pass", "not_worse")


def test_a_change_of_ratios_is_shown_as_surely_as_their_denominators_are_not_0() -> None:
    unsure = np.array([0.0, 0.04, np.nan])
    change = ChangeOfRatios(*student([1.0] * 3, [0.1] * 3).__dict__.values(), unsure=unsure)
    assert change.p_above(0.0) == pytest.approx([0.0, 0.04, np.nan], abs=1e-9, nan_ok=True)
    lower, upper = change.limits(0.025)
    assert np.isfinite([lower[0], upper[0]]).all()
    assert np.isinf([lower[1], upper[1]]).all()


@pytest.mark.parametrize("name", ["binary_accuracy_ratio", "binary_accuracy"])
def test_a_change_between_slices_at_its_bound_is_within_it(name: str) -> None:
    """In s=b all are right, so that the change is one of twentieths, but for rounding."""
    count = np.arange(20)
    for old, new in ((18, 17), (14, 11), (7, 1), (19, 12), (20, 3)):
        right = {"own": count < new, "old": count < old, "y": count < 20}
        columns = {name: [*(0.1 + 0.8 * of), *([0.9] * 20)] for name, of in right.items()}
        columns |= {"y": [1.0] * 40, "s": ["a"] * 20 + ["b"] * 20}
        for spare, outcome in ((0.0, "pass"), (0.01, "fail")):
            bound = {"absolute": (new - old) / 20 + spare}
            check = ratio_check(pa.table(columns), IN_A, bound, "old", name, "point")
            assert check.outcome == outcome, (old, new, spare)
