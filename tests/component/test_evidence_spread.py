# SPDX-License-Identifier: Apache-2.0
"""Tails, corrections and tests of values on samples: against SciPy, and against what is known of the true values."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, stats

from benison.data.batch import Array
from benison.evidence import correction, power, tails
from benison.evidence.paired_spread import Paired
from benison.evidence.skewed import Skewed
from benison.evidence.spread import PairedShares, Share, Spread, Student

RNG = np.random.default_rng(5)


def test_the_tails_are_those_of_scipy() -> None:
    t, df = RNG.normal(size=3000) * 5, np.exp(RNG.uniform(0, 15, 3000))
    np.testing.assert_allclose(tails.student_tail(t, df), stats.t.sf(t, df), rtol=1e-6)
    np.testing.assert_allclose(tails.normal_tail(t), stats.norm.sf(t), rtol=1e-12)
    for alpha in (0.4, 0.025, 1e-8):
        expected = stats.t.isf(alpha, df)
        np.testing.assert_allclose(tails.student_quantile(alpha, df), expected, rtol=1e-9)
    total = RNG.integers(1, 200, 500).astype(float)
    successes, share = np.floor(total * RNG.random(500)), RNG.random(500)
    actual = tails.binomial_tail(successes, total, share)
    np.testing.assert_allclose(actual, stats.binom.cdf(successes, total, share), atol=1e-12)


def test_what_no_sample_can_tell_is_nan() -> None:
    spread = Student(np.array([0.5, 0.5, 0.5]), np.array([0.0, 0.1, np.nan]), np.array([9, 0, 9.0]))
    for bounds in (spread.limits(0.05), (spread.p_below(1.0), spread.p_above(0.0))):
        assert np.isnan(np.stack(bounds)).all()
    nothing = np.zeros(1)
    assert np.isnan(Share(nothing, nothing).limits(0.05)).all()
    assert np.isnan(PairedShares(nothing, nothing, nothing).p_below(0.0)).all()


def test_shares_have_exact_limits_below_200_rows_and_wilsons_above() -> None:
    total = np.array([10.0, 10.0, 50.0, 199.0, 200.0, 3000.0])
    spread = Share(np.array([0.0, 10.0, 20.0, 3.0, 3.0, 2000.0]), total)
    for i, method in enumerate(spread.method):
        test = stats.binomtest(int(spread.successes[i]), int(total[i]))
        name = {"clopper_pearson": "exact", "wilson": "wilson"}[method]
        expected = test.proportion_ci(0.95, name)
        assert [limit[i] for limit in spread.limits(0.025)] == pytest.approx([*expected], abs=1e-9)
    assert spread.method == ["clopper_pearson"] * 4 + ["wilson"] * 2


def test_mcnemars_exact_test_where_models_seldom_differ() -> None:
    spread = PairedShares(np.array([3.0]), np.array([11.0]), np.array([4000.0]))
    expected = stats.binom.cdf(2, 14, 0.5) + stats.binom.pmf(3, 14, 0.5) / 2
    assert spread.p_below(0.0) == pytest.approx([expected])
    assert spread.p_above(0.0) == pytest.approx([1 - expected])


def score_by_likelihood(won: int, lost: int, n: int, change: float) -> float:
    """The score of a change, at the chance of a loss that makes the counts most likely under it."""

    def against(loss: float) -> float:
        ways = np.array([loss + change, loss, 1 - 2 * loss - change])
        return -float(np.dot([won, lost, n - won - lost], np.log(ways)))

    range_ = (max(0.0, -change) + 1e-12, (1 - change) / 2 - 1e-12)
    loss = optimize.minimize_scalar(
        against, bounds=range_, method="bounded", options={"xatol": 1e-12}
    ).x
    return float((won - lost - n * change) / np.sqrt(n * (2 * loss + change - change**2)))


@pytest.mark.parametrize(("won", "lost", "n"), [(9, 1, 44), (48, 99, 2447), (30, 2, 100)])
def test_tangos_score_is_at_the_most_likely_chances(won: int, lost: int, n: int) -> None:
    spread = PairedShares(*(np.array([float(count)]) for count in (won, lost, n)))
    for bound in (-0.05, 0.02, 0.3):
        expected = stats.norm.sf(-score_by_likelihood(won, lost, n, bound))
        assert spread.p_below(bound) == pytest.approx([expected], rel=1e-4, abs=1e-12)


SPREADS = [
    Student(np.array([0.3]), np.array([0.02]), np.array([40.0])),
    *(
        Skewed(np.array([0.3]), np.array([0.02]), np.array([40.0]), skew=np.array([g]))
        for g in (0.3, -0.3)
    ),
    Share(np.array([30.0]), np.array([100.0])),
    Share(np.array([3000.0]), np.array([10000.0])),
    PairedShares(np.array([90.0]), np.array([60.0]), np.array([1000.0])),
]


@pytest.mark.parametrize("spread", SPREADS, ids=lambda spread: spread.method[0])
def test_limits_are_where_the_tests_turn(spread: Spread) -> None:
    lower, upper = spread.limits(0.05)
    assert lower < spread.value < upper
    assert spread.p_above(lower) == pytest.approx([0.05], abs=1e-6)
    assert spread.p_below(upper) == pytest.approx([0.05], abs=1e-6)
    bounds = np.linspace(-0.9, 0.9, 181)
    for p, direction in ((spread.p_below, 1), (spread.p_above, -1)):
        values = np.array([p(bound)[0] for bound in bounds])
        assert (direction * np.diff(values) <= 1e-9).all()


def test_a_skewed_mean_is_bounded_where_students_t_errs() -> None:
    """One-sided limits at 5 % of the mean of a lognormal: the share of samples that they miss."""
    n, runs = 100, 4000
    rows = RNG.lognormal(sigma=1.0, size=(runs, n))
    mean, deviation = rows.mean(axis=1), rows.std(axis=1, ddof=1)
    third = ((rows - mean[:, None]) ** 3).mean(axis=1) / rows.std(axis=1) ** 3 / np.sqrt(n)
    error, df = deviation / np.sqrt(n), np.full(runs, n - 1.0)
    missed = [
        (spread.limits(0.05)[1] < np.exp(0.5)).mean()
        for spread in (Student(mean, error, df), Skewed(mean, error, df, skew=third))
    ]
    assert missed[0] > 0.11
    assert missed[1] < 0.08


def test_holm_and_benjamini_hochberg() -> None:
    p = RNG.random(50) ** 3
    expected = stats.false_discovery_control(p)
    np.testing.assert_allclose(correction.benjamini_hochberg(p), expected, rtol=1e-12)
    order = np.argsort(p)
    steps = np.maximum.accumulate(p[order] * np.arange(50, 0, -1))
    np.testing.assert_allclose(correction.holm(p)[order], np.minimum(steps, 1), rtol=1e-12)
    with_nan: Array = np.array([0.01, np.nan])
    np.testing.assert_allclose(correction.holm(with_nan), [0.02, np.nan])
    weighted = correction.holm(np.array([0.03, 0.01]), np.array([3.0, 1.0]))
    np.testing.assert_allclose(weighted, [0.04, 0.04])


def test_a_relative_change_varies_as_a_combination() -> None:
    rows = RNG.normal(size=(400, 2)) @ np.array([[1.0, 0.6], [0.0, 0.8]]) + 5
    n = len(rows)

    def mean(values: Array) -> Student:
        error = values.std(ddof=1) / np.sqrt(n)
        return Student(np.array([values.mean()]), np.array([error]), np.array([n - 1.0]))

    covariance = np.array([np.cov(rows.T)[0, 1] / n])
    pair = Paired(mean(rows[:, 0]), mean(rows[:, 1]), mean(rows[:, 0] - rows[:, 1]), covariance)
    expected = stats.ttest_1samp(rows[:, 0] - 0.95 * rows[:, 1], 0.2, alternative="less").pvalue
    assert pair.combined(0.95).p_below(0.2) == pytest.approx([expected])
    assert pair.take(np.array([0])).combined(1.0).std_error == pytest.approx(pair.change.std_error)


def test_as_many_rows_as_are_needed_show_a_fall_in_80_percent_of_samples() -> None:
    error, fall = 0.02, 0.03
    sample = np.array([212.0]), np.array([error])
    rows = power.needed_examples(*sample, np.array([fall]), 0.05, 0.05)
    then = error * np.sqrt(212 / rows)
    assert power.detectable(then, 0.05) == pytest.approx([fall], rel=1e-3)
    shown = stats.norm.sf(stats.norm.isf(0.05) - fall / then)
    assert shown == pytest.approx([0.8], abs=1e-3)  # of whole rows


def test_no_number_of_rows_is_named_for_what_is_within_its_own_error_of_the_bound() -> None:
    distances = np.array([0.019, -0.019, 0.021, -0.021, 0.0, np.inf])
    rows = power.needed_examples(np.full(6, 212.0), np.full(6, 0.02), distances, 0.05, 0.001)
    near = [0, 1, 4, 5]
    assert np.isnan(rows[near]).all()
    assert rows[3] > rows[2] > 212


@pytest.mark.parametrize(("rows", "share"), [(200, 0.97), (300, 0.99), (1000, 0.03), (5000, 0.97)])
def test_shares_at_their_bound_are_rarely_shown_to_be_off_it(rows: int, share: float) -> None:
    """Over all counts there are, each as often as it is."""
    counts = np.arange(rows + 1.0)
    spread = Share(counts, np.full(rows + 1, float(rows)))
    often = stats.binom.pmf(counts, rows, share)
    for alpha in (0.05, 5e-5):
        for p in (spread.p_below(share), spread.p_above(share)):
            assert often[p <= alpha].sum() <= alpha * (1 + 1e-9)


def test_quantiles_of_the_beta_distribution_are_those_of_scipy() -> None:
    hits, rows = np.meshgrid(np.arange(1.0, 60.0), [60.0, 199.0])
    a, b = hits.ravel(), (rows - hits + 1).ravel()
    for share in (1e-12, 0.0005, 0.025, 0.4, 0.9):
        actual = tails.beta_quantile(a, b, share)
        np.testing.assert_allclose(actual, stats.beta.ppf(share, a, b), rtol=1e-11)
