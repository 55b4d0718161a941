# SPDX-License-Identifier: Apache-2.0
"""The value that a bound is held against: of which rows it is, by which weights, and of which sign."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

import benison
from benison.config import ProbeSpec
from benison.probes import changes
from benison.probes.benchmarks import bins_of
from benison.probes.metamorphic import frequent_values
from benison.probes.probe_findings import ProbeFinding
from benison.probes.running import probed
from benison.probes.subject import Gain, Subject

Model: TypeAlias = "Callable[[pa.RecordBatch], Any]"
ROWS = 240


def zero(rows: pa.RecordBatch) -> Any:
    return np.zeros(rows.num_rows)


def subject_of(model: Model, labels: Any = None, *, options: Any = None, **columns: Any) -> Subject:
    rows = pa.RecordBatch.from_pydict({name: pa.array(column) for name, column in columns.items()})
    known = None if labels is None else np.asarray(labels, np.float64)
    return Subject(model, rows, tuple(columns), known, **(options or {}))


def finding(subject: Subject, name: str, *features: str, **options: Any) -> ProbeFinding:
    spec = ProbeSpec(name=name, features=features, **options)
    ((_, only),) = probed(subject, [spec], 10**6, 0.05)
    return only


def test_the_largest_gap_of_residuals_is_judged_either_way() -> None:
    rng = np.random.default_rng(4)
    city = np.repeat(["few", "low", "high"], [25, 100, 115])
    means = np.repeat([3.0, -1.0, 0.0], [25, 100, 115])
    labels = means + rng.normal(0, np.where(city == "few", 9, 0.3))
    gap = finding(subject_of(zero, labels, city=city), "residuals_by_feature", "city")
    gaps = {each: labels[city == each].mean() - labels[city != each].mean() for each in set(city)}
    largest = max(gaps, key=lambda each: abs(gaps[each]))
    assert gap.detail == largest
    assert np.isclose(gap.value, abs(gaps[largest]))
    assert gap.is_notable  # for the low ones, of which it is clear
    assert "clearest where it is low, labels are lower" in gap.words
    below = finding(subject_of(zero, -labels, city=city), "residuals_by_feature", "city")
    assert np.isclose(below.value, gap.value)
    assert "labels are lower" in below.words


def test_residuals_that_a_feature_explains_wholly_are_notable() -> None:
    city = np.repeat(["a", "b"], ROWS // 2)
    gap = finding(subject_of(zero, city == "a", city=city), "residuals_by_feature", "city")
    assert (gap.value, gap.lower, gap.upper, gap.is_notable) == (1, 1, 1, True)
    assert "p = 0 over" in gap.words


def against(subject: Subject, name: str) -> ProbeFinding:
    """With the weighted mean squared error as the only metric."""
    weights = np.ones(ROWS) if subject.weights is None else subject.weights

    def compare(scores: Any, benchmark: Any) -> list[Gain]:
        own, other = (
            np.average((subject.labels - each) ** 2, weights=weights)
            for each in (scores, benchmark)
        )
        weighted = subject.weights is not None
        return [Gain("loss", own, other, other - own, other - own, other - own, weighted)]

    subject.compare = compare
    features = ("city",) if name in ("better_than_slice_mean", "better_than_linear") else ()
    return finding(subject, name, *features)


CITY = np.repeat(["a", "b"], ROWS // 2)
YES = (np.arange(ROWS) % 2).astype(float)


@pytest.mark.parametrize(
    ("name", "scores"),
    [
        ("better_than_prior", np.average(YES, weights=np.where(YES, 0.1, 1))),
        ("better_than_majority", 0.0),
        ("better_than_slice_mean", 1 / 11),
    ],
)
def test_benchmarks_learn_with_the_weights_of_the_metric(name: str, scores: float) -> None:
    weights = np.where(YES, 0.1, 1.0)
    subject = subject_of(
        lambda rows: np.full(rows.num_rows, scores), YES, options={"weights": weights}, city=CITY
    )
    assert np.isclose(against(subject, name).value, 0, atol=1e-4)


def test_linear_benchmarks_are_those_of_scikit_learn_with_weights() -> None:
    rng = np.random.default_rng(1)
    weights, x = rng.uniform(0, 2, ROWS), rng.normal(size=ROWS)
    for labels, estimator in (
        (YES, LogisticRegression()),
        (x + rng.exponential(size=ROWS), LinearRegression()),
    ):
        subject = subject_of(zero, labels, options={"weights": weights}, city=x)
        design = np.stack([x / x.std(), np.zeros(ROWS)], axis=1)
        scores = np.empty(ROWS)
        for fold in range(5):
            inside = np.arange(ROWS) % 5 == fold
            fitted = estimator.fit(design[~inside], labels[~inside], weights[~inside])
            scores[inside] = (
                fitted.predict_proba(design[inside])[:, 1]
                if labels is YES
                else fitted.predict(design[inside])
            )
        loss = np.average((labels - scores) ** 2, weights=weights)
        own = np.average(labels**2, weights=weights)
        assert np.isclose(against(subject, "better_than_linear").value, loss - own, rtol=1e-3)


def test_a_decision_threshold_makes_no_classes_of_labels_that_are_numbers() -> None:
    labels = np.random.default_rng(2).normal(50, 11, ROWS)
    off = subject_of(
        lambda rows: np.full(rows.num_rows, 20.0), labels, options={"threshold": 50.0}, city=CITY
    )
    median = against(off, "better_than_majority")
    best = ((labels - np.median(labels)) ** 2).mean()
    assert np.isclose(median.value, best - ((labels - 20) ** 2).mean())
    assert "that of the median label" in median.words


@pytest.mark.parametrize(
    ("model", "trained", "words"),
    [
        (lambda rows: np.full(rows.num_rows, -2.0), YES, "no probabilities"),
        (lambda rows: np.full(rows.num_rows, 0.5), YES + 1, "none of the 2 classes"),
    ],
)
def test_losses_that_are_none_are_not_measured(model: Model, trained: Any, words: str) -> None:
    subject = subject_of(model, YES, options={"threshold": 0.0}, city=CITY)
    subject.training = lambda: (subject.rows, trained)
    assert words in finding(subject, "membership").words


MODEL = {"label_key": "tip", "example_weight_key": "weight"}
AREA = {
    "class_name": "AUC",
    "threshold": {"change_threshold": {"absolute": -1, "direction": "HIGHER_IS_BETTER"}},
}


def test_every_predicted_row_is_within_the_budget() -> None:
    data = pa.table({"fare": np.arange(ROWS) / ROWS, "tip": YES, "weight": YES + 1})
    calls: list[int] = []

    def counted(frame: Any) -> Any:
        calls.append(len(frame))
        return frame["fare"]

    for budget, outcomes in ((ROWS - 1, {"not_evaluated"}), (ROWS, {"pass"})):
        calls.clear()
        config = {
            "model_specs": [
                {**MODEL, "name": "own"},
                {**MODEL, "name": "other", "is_baseline": True},
            ],
            "metrics_specs": [{"metrics": [AREA]}],
            "debugging": {
                "probes": [{"name": "better_than_prior", "at_least": -1}],
                "budget": budget,
            },
        }
        result = benison.evaluate(data, config, model=counted, baseline=lambda frame: frame["fare"])
        assert set(result.probes["outcome"].to_pylist()) == outcomes, result.probes.to_pylist()
        assert sum(calls) == ROWS + budget // ROWS * ROWS


def of_x(rows: pa.RecordBatch) -> Any:
    return rows["x"].fill_null(0).to_numpy(zero_copy_only=False).astype(float)


X = np.random.default_rng(7).normal(size=ROWS)
WITH_NULLS = [None if i % 3 == 0 else float(each) for i, each in enumerate(X)]
LARGE = np.where(np.arange(ROWS) == 5, 1e200, X)


def known_alone(rows: pa.RecordBatch) -> Any:
    scores = of_x(rows)
    return np.where(np.isin(scores, X), 1.0 * (scores > 0), np.nan)


def lower_half(rows: pa.RecordBatch) -> Any:
    scores = of_x(rows)
    return np.where(np.abs(scores) < 0.4, np.nan, 1.0 * (scores > 0))


@pytest.mark.parametrize("name", ["directional", "monotone"])
def test_a_rule_is_of_the_rows_whose_value_rises(name: str) -> None:
    rule = finding(subject_of(of_x, x=WITH_NULLS), name, "x", by=1)
    assert (rule.value, rule.rows) == (0, ROWS * 2 // 3)


@pytest.mark.parametrize(
    ("model", "name", "column", "by", "words"),
    [
        (of_x, "directional", np.arange(ROWS), 1.5, "do not rise by 1.5"),
        (known_alone, "random_attack", X, 5, "no row has"),
        (known_alone, "boundary_distance", X, 0.5, "no row has a score"),
    ],
)
def test_rows_that_have_no_score_are_not_measured(
    model: Model, name: str, column: Any, by: float, words: str
) -> None:
    assert words in finding(subject_of(model, YES, x=column), name, "x", by=by).words


def test_one_outlier_is_not_the_scale_of_all() -> None:
    subject = subject_of(lambda rows: -of_x(rows), X * 3, x=LARGE)
    flips = finding(subject, "permutation_flips", "x")
    assert flips.value > 0.5
    assert finding(subject, "monotone", "x").value > 0.9
    apart = subject_of(lambda rows: 1e200 * (of_x(rows) > 1e9), X * 3, x=LARGE)
    assert "too large" in finding(apart, "permutation_flips", "x").words


def test_rows_without_a_score_are_left_out_of_swaps_and_distances() -> None:
    city = np.where(np.arange(ROWS) < 200, "a", "b")
    halves = subject_of(
        lambda rows: np.where(np.arange(rows.num_rows) % 2, np.equal(rows["city"], "b"), np.nan),
        city=city,
    )
    swaps = finding(halves, "feature_swaps", "city")
    assert (swaps.value, swaps.rows, dict(swaps.curve)["b"]) == (1, ROWS // 2, 100 / 120)
    distance = finding(subject_of(lower_half, YES, x=X), "boundary_distance", by=0.1)
    assert distance.rows is None or distance.rows < (np.abs(X[:200]) >= 0.4).sum() + 1


def test_the_largest_number_of_64_bits_is_a_value() -> None:
    column = np.where(np.arange(ROWS) < 20, 2**63 - 1, np.arange(ROWS))
    assert np.isfinite(finding(subject_of(of_x, x=column), "partial_dependence", "x").value)


@pytest.mark.parametrize("kind", [pa.float16(), pa.float32(), pa.float64()], ids=str)
def test_signed_zeros_are_one_value_and_nan_is_missing(kind: pa.DataType) -> None:
    column = pa.array(np.array([0.0, -0.0, np.nan, 0.1, 0.1], kind.to_pandas_dtype()))
    column = pa.concat_arrays([column, pa.nulls(1, kind)])
    codes, names = bins_of(column)
    assert codes.tolist() == [1, 1, 0, 2, 2, 0]
    assert names == ["missing", "0", "0.1" if kind != pa.float16() else "0.099975586"]
    assert len(frequent_values(column)) == 2


def test_a_missing_value_is_told_from_the_text() -> None:
    codes, names = bins_of(pa.array(["missing", None, "3.1", "3.10"]))
    assert [names[code] for code in codes] == ["'missing'", "missing", "3.1", "3.10"]
    assert bins_of(pa.array([b"a", None]))[1] == ["missing", "a"]
    assert bins_of(pa.array([b"\xff"]))[1] == ["missing", "b'\\xff'"]
    big = pa.array([2**63 - 1, 2**63 - 2, None])
    assert bins_of(big)[1] == ["missing", str(2**63 - 1), str(2**63 - 2)]
    assert frequent_values(big) == [2**63 - 2, 2**63 - 1]


def test_residuals_are_binned_by_labelled_rows() -> None:
    known = np.arange(ROWS) < 60
    labels = np.where(known, np.where(X > 0, 1.0, -1.0), np.nan)
    gap = finding(
        subject_of(zero, labels, x=np.where(known, X, X + 100)), "residuals_by_feature", "x"
    )
    assert gap.is_notable
    assert len(gap.curve) == 3
    assert [rows for _, rows in gap.curve] == pytest.approx(
        [labels[known][np.argsort(X[known])][i : i + 20].mean() for i in (0, 20, 40)]
    )
    few = np.where(np.arange(ROWS) < 39, YES, np.nan)
    gap = finding(subject_of(zero, few, x=X), "residuals_by_feature", "x")
    assert "none of its values has 20 labelled rows" in gap.words


KINDS = (pa.int64(), pa.uint8(), pa.float16(), pa.float32(), pa.float64(), pa.decimal128(21, 2))


@pytest.mark.parametrize("kind", [*KINDS, pa.list_(pa.int64())], ids=str)
def test_a_number_rises_by_what_its_type_has_room_for(kind: pa.DataType) -> None:
    column = pa.array([[1]] * 2 + [[]] if pa.types.is_list(kind) else [1, 2, None]).cast(kind)
    for by in (1e19, 1e308, np.inf):
        if by == 1e308 and kind == pa.float64() or by == 1e19 and kind in KINDS[3:5]:
            continue
        assert changes.is_same(column, changes.raised(column, by))
    assert changes.changed_rows(column, changes.raised(column, 3)).tolist() == [True, True, False]


def test_the_largest_integers_rise_exactly_or_not_at_all() -> None:
    top = 2**63 - 1
    column = pa.array([top, top - 1, 2**53 + 1])
    assert changes.raised(column, 1.0).to_pylist() == [top, top, 2**53 + 2]
    falling = subject_of(
        lambda rows: -of_x(rows), x=np.where(np.arange(ROWS) < 40, top, (X * 100).astype(int))
    )
    rule = finding(falling, "monotone", "x")
    assert (rule.value, rule.rows) == (1, ROWS - 40)
    assert "too large for the type" in finding(falling, "directional", "x", by=1e19).words


def test_noise_of_any_size_warns_of_nothing() -> None:
    for column in (X * 1e306, pa.array([1, 2] * (ROWS // 2)).cast(pa.decimal128(20, 1))):
        finding(
            subject_of(lambda rows: np.zeros(rows.num_rows), x=column), "noise_flips", "x", by=999
        )
