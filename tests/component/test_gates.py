# SPDX-License-Identifier: Apache-2.0
"""The tests of verdicts by evidence: what fails, what passes, and what cannot be told."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from benison.config import EvalConfig
from benison.engine.plan import Plan
from benison.evidence.paired_spread import Paired
from benison.evidence.spread import PairedShares, Share, Student
from benison.table.key import CHANGE, VALUE, Key
from benison.table.schema import METRICS_SCHEMA
from benison.table.slice_columns import SliceColumns
from benison.validation.judge import validate
from benison.validation.rows import Errors
from benison.validation.verdict import Verdict

UP, DOWN = "HIGHER_IS_BETTER", "LOWER_IS_BETTER"


def holm(p: Any) -> list[float]:
    """One test after the other, each against what is left of alpha."""
    adjusted, largest = [1.0] * len(p), 0.0
    for step, i in enumerate(np.argsort(p)):
        largest = max(largest, (len(p) - step) * p[i])
        adjusted[i] = min(largest, 1.0)
    return adjusted


@dataclasses.dataclass
class Sample:
    """Two models on the rows of some slices, each row right or wrong."""

    total: Any
    right: Any
    """By the baseline."""
    won: Any
    lost: Any

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            setattr(self, field.name, np.asarray(getattr(self, field.name), float))

    @property
    def paired(self) -> Paired:
        old, new = self.right / self.total, (self.right + self.won - self.lost) / self.total
        both = (self.right - self.lost) / self.total
        covariance = (both - old * new) / self.total
        return Paired(
            Share(self.right + self.won - self.lost, self.total),
            Share(self.right, self.total),
            PairedShares(self.won, self.lost, self.total),
            covariance,
            self.won,
            self.lost,
        )


def batch(model: str, metric: str, values: Any, examples: Any, kind: str = VALUE) -> pa.RecordBatch:
    keys = [((("hour", str(i)),), None) for i in range(len(values))]
    columns = SliceColumns.of(keys, np.asarray(examples, np.int64))
    return columns.metric_rows(Key(metric, model, kind=kind), np.asarray(values, float))


def judge(
    paired: Paired,
    examples: Any,
    threshold: Mapping[str, Any],
    known: bool = True,
    **confidence: Any,
) -> Verdict:
    """The verdict on the accuracy of each of N hours, beside the baseline's."""
    specs = [{"name": "new", "label_key": "l", "prediction_key": "p"}]
    specs.append({**specs[0], "name": "old", "is_baseline": True})  # type: ignore[dict-item]
    metric = {"class_name": "BinaryAccuracy", "threshold": threshold}
    made = {
        "model_specs": specs,
        "slicing_specs": [{"feature_keys": ["hour"]}],
        "metrics_specs": [{"metrics": [metric]}],
        "options": {"confidence": confidence},
    }
    config = EvalConfig.load(made).with_defaults(True)
    name = "binary_accuracy"
    sides = {"new": paired.candidate, "old": paired.baseline}
    batches = [batch(model, name, side.value, examples) for model, side in sides.items()]
    evidence = {Key(name, "new"): Errors(0, paired.candidate, paired)} if known else {}
    change = Key(name, "new", kind=CHANGE)
    batches.append(batch("new", name, paired.change.value, examples, CHANGE))
    evidence |= {change: Errors(0, paired.change, paired)} if known else {}
    table = pa.Table.from_batches(batches, METRICS_SCHEMA)
    return validate(config, Plan.of(config).judged, table, evidence=evidence)


def fall(absolute: float | None = None, evidence: str = "worse", **more: Any) -> dict[str, Any]:
    limits = {} if absolute is None else {"absolute": absolute}
    return {"change_threshold": {"direction": UP, **limits, **more}, "evidence": evidence}


MANY = Sample(
    [2447, 212, 5000, 12000], [2205, 190, 4500, 11000], [48, 3, 60, 200], [99, 7, 58, 205]
)


def test_worse_fails_only_what_is_shown_worse_over_all_checks() -> None:
    verdict = judge(MANY.paired, MANY.total, fall(0.0))
    exact = [stats.binomtest(3, 10, alternative="less").pvalue - stats.binom.pmf(3, 10, 0.5) / 2]
    score = [
        stats.norm.sf((lost - won) / np.sqrt(lost + won))
        for won, lost in ((48, 99), (60, 58), (200, 205))
    ]
    expected = [score[0], *exact, *score[1:]]
    table = verdict.table
    assert table["p_value"].to_pylist() == pytest.approx(expected, rel=1e-9)
    assert table["p_adjusted"].to_pylist() == pytest.approx(holm(expected), rel=1e-9)
    assert table["family_size"].to_pylist() == [4] * 4
    assert table["outcome"].to_pylist() == ["fail", "undecided", "undecided", "undecided"]
    assert table["zone"].to_pylist() == ["worse", "undecided", "undecided", "undecided"]
    assert verdict.status == "not_blessed"
    assert verdict.summary() == "NOT BLESSED: 1 of 4 checks failed; 3 are undecided."


@pytest.mark.parametrize("correction", ["none", "holm", "bh"])
def test_a_correction_is_that_of_its_name(correction: str) -> None:
    rng = np.random.default_rng(1)
    lost = rng.integers(20, 60, 30)
    sample = Sample(np.full(30, 3000), np.full(30, 2700), np.full(30, 25), lost)
    table = judge(sample.paired, sample.total, fall(0.0), correction=correction).table
    p = table["p_value"].to_numpy()
    known = {"none": p, "holm": np.array(holm(p)), "bh": stats.false_discovery_control(p)}
    expected = known[correction]
    assert table["p_adjusted"].to_numpy() == pytest.approx(expected)
    assert [o == "fail" for o in table["outcome"].to_pylist()] == [*(expected <= 0.05)]


@pytest.mark.parametrize("correction", ["holm", "bh"])
def test_what_a_correction_leaves_undecided_says_what_that_asks_for(correction: str) -> None:
    """A p-value just below what is asked for would be shown worse, and one just above it would not."""
    rng = np.random.default_rng(1)
    lost = rng.integers(20, 60, 100)
    sample = Sample(np.full(100, 3000), np.full(100, 2700), np.full(100, 25), lost)
    verdict = judge(sample.paired, sample.total, fall(0.0), correction=correction)
    adjusted = {"holm": lambda p: np.array(holm(p)), "bh": stats.false_discovery_control}
    p = verdict.table["p_value"].to_numpy()
    open_ = [i for i, c in enumerate(verdict.checks) if c.outcome == "undecided" and c.change < 0]
    assert {i for i, c in enumerate(verdict.checks) if np.isfinite(c.p_asked)} == {*open_}
    for i in open_:
        for factor, is_shown in ((1 - 1e-9, True), (1 + 1e-9, False)):
            instead = p.copy()
            instead[i] = verdict.checks[i].p_asked * factor
            assert (adjusted[correction](instead)[i] <= 0.05) is np.bool_(is_shown)
    alone = [verdict.checks[i] for i in open_ if p[i] <= 0.05]
    assert alone
    for check in alone:
        assert re.search(
            r"undecided; 3,000 examples show that it fell where it is looked at alone, p = [\d.]+, but over all "
            rf"100 checks the correction asks for p = {check.p_asked:.2g}; about [\d,]+ could\.$",
            check.reason,
        )


def test_undecided_checks_bless_and_are_counted() -> None:
    sample = Sample([212, 300], [190, 270], [3, 5], [6, 7])
    verdict = judge(sample.paired, sample.total, fall(-0.01))
    assert verdict.blessed
    assert verdict.summary() == "BLESSED: all 2 checks are undecided."


def test_not_worse_passes_only_what_is_shown_not_worse() -> None:
    sample = Sample([212, 12000], [190, 11000], [3, 200], [4, 205])
    verdict = judge(sample.paired, sample.total, fall(-0.01, "not_worse"))
    assert verdict.table["outcome"].to_pylist() == ["fail", "pass"]
    assert verdict.table["zone"].to_pylist() == ["undecided", "not_worse"]
    assert verdict.table["family_size"].to_pylist() == [None, None]
    lower, _ = sample.paired.change.limits(0.05)
    assert [*(lower > -0.01)] == [False, True]


@pytest.mark.parametrize("evidence", ["worse", "not_worse"])
@pytest.mark.parametrize("kind", ["absolute", "relative"])
@pytest.mark.parametrize("direction", [UP, DOWN])
def test_a_refusal_says_with_which_bound_it_would_have_passed(
    evidence: str, kind: str, direction: str
) -> None:
    won, lost = ([48, 150], [99, 160]) if direction == UP else ([99, 160], [48, 150])
    sample = Sample([2447, 9000], [2205, 8000], won, lost)
    sign = -1 if direction == UP else 1

    def verdict(bound: float) -> Verdict:
        limits = {"direction": direction, kind: bound}
        return judge(
            sample.paired, sample.total, {"change_threshold": limits, "evidence": evidence}
        )

    first = verdict(sign * 0.001)
    failed = np.array([o == "fail" for o in first.table["outcome"].to_pylist()])
    assert failed[0]
    passing = first.table["passing"].to_numpy()
    assert np.isfinite(passing[failed]).all()
    assert verdict(passing[0] + sign * 1e-6).table["outcome"][0].as_py() != "fail"
    assert verdict(passing[0] - sign * 1e-6).table["outcome"][0].as_py() == "fail"


def test_a_relative_change_is_tested_without_a_quotient() -> None:
    """Against draws: at the edge of the bound, a candidate is found worse as often as alpha says."""
    rng = np.random.default_rng(3)
    n, old, share = 2000, 0.6, 0.95
    runs = 1500
    cells = [0.53, old - 0.53, share * old - 0.53]
    both, only_old, only_new, _ = rng.multinomial(n, [*cells, 1 - sum(cells)], size=runs).T
    sample = Sample(np.full(runs, n), both + only_old, only_new, only_old)
    verdict = judge(sample.paired, sample.total, fall(relative=-0.05), correction="none")
    failed = verdict.counts["fail"] / runs
    assert 0.05 - 3 * 0.0057 < failed < 0.05 + 3 * 0.0057


def test_a_weight_is_a_share_of_the_false_alarms() -> None:
    sample = Sample([3000], [2700], [30], [60])
    values = {"value_threshold": {"lower_bound": 0.9}, "evidence": "worse", "weight": 3.0}
    both = {**values, "change_threshold": fall(0.0)["change_threshold"]}
    table = judge(sample.paired, sample.total, both).table
    assert table["p_adjusted"].to_numpy() == pytest.approx(holm(table["p_value"].to_numpy()))
    assert table["family_size"].to_pylist() == [2, 2]


def test_bounds_on_values_are_shares_shown_to_be_below() -> None:
    sample = Sample([1000, 1000, 1000], [900] * 3, [10] * 3, [10, 40, 110])
    threshold = {"value_threshold": {"lower_bound": 0.88}, "evidence": "worse"}
    table = judge(sample.paired, sample.total, threshold, correction="none").table
    exact = stats.binom.cdf([900, 870, 800], 1000, 0.88)
    assert table["p_value"].to_numpy() == pytest.approx(exact)
    assert table["outcome"].to_pylist() == ["pass", "undecided", "fail"]


def test_what_has_no_value_fails_where_the_baseline_has_one() -> None:
    nan = np.nan
    new = Student(np.array([nan, nan, 0.9]), np.array([nan, nan, 0.01]), np.full(3, 99.0))
    old = Student(np.array([0.9, nan, nan]), np.array([0.01, nan, nan]), np.full(3, 99.0))
    nothing = np.full(3, nan)
    paired = Paired(new, old, Student(nothing, nothing, nothing), nothing)
    verdict = judge(paired, [100] * 3, fall(-0.01))
    assert verdict.table["outcome"].to_pylist() == ["fail", "undecided", "fail"]
    verdict = judge(paired, [100] * 3, fall(-0.01, "not_worse"))
    assert verdict.table["outcome"].to_pylist() == ["fail", "fail", "fail"]


def test_evidence_that_is_not_there_blesses_nothing() -> None:
    verdict = judge(MANY.paired, MANY.total, fall(-0.01), known=False)
    assert verdict.status == "not_evaluated"
    assert verdict.counts["not_evaluated"] == 4
    assert "is not known, so evidence cannot judge it" in verdict.checks[0].reason


@pytest.mark.parametrize("evidence", ["worse", "not_worse"])
@pytest.mark.parametrize(
    ("degrees", "outcome", "status"),
    [(99.0, "not_evaluated", "not_evaluated"), (0.0, "undecided", "blessed")],
    ids=["unknown", "few"],
)
def test_a_value_of_which_no_rows_could_tell_blesses_nothing(
    evidence: str, degrees: float, outcome: str, status: str
) -> None:
    """An error beyond all numbers, beside a value that is judged; of too few rows others could tell."""
    new, error = np.array([0.9, 0.5]), np.array([0.01, np.inf])
    paired = Paired(
        Student(new, error, np.array([99.0, degrees])),
        Student(np.array([0.9, 0.6]), error, np.array([99.0, degrees])),
        Student(new - [0.9, 0.6], error, np.array([99.0, degrees])),
        np.zeros(2),
    )
    verdict = judge(paired, [100, 100], fall(-0.05, evidence))
    if evidence == "not_worse" and outcome == "undecided":
        outcome, status = "fail", "not_blessed"
    assert (verdict.table["outcome"].to_pylist()[1], verdict.status) == (outcome, status)


def _falls(allowed: float) -> dict[str, Any]:
    """A threshold on a fall."""
    return {"change_threshold": {"direction": "HIGHER_IS_BETTER", "absolute": -allowed}}


@pytest.mark.parametrize(
    ("threshold", "sentence"),
    [
        (
            fall(0.0),
            "binary_accuracy of hour=0 fell by 0.0208418 against the baseline (0.901103 -> 0.880262, 2,447 "
            "examples; of the 147 on which the models differ 99 were lost, 48 won): shown worse, and no fall is "
            "allowed, p = 1.3e-05, 5.2e-05 over 4 checks. It would have passed with absolute: -0.00991.",
        ),
        (
            fall(-0.005, "not_worse"),
            "binary_accuracy of hour=0 fell by 0.0208418 against the baseline (0.901103 -> 0.880262, 2,447 "
            "examples; of the 147 on which the models differ 99 were lost, 48 won): shown worse, and a fall of "
            "at most 0.005 is allowed. It would have passed with absolute: -0.0292.",
        ),
        (
            fall(-0.02),
            "binary_accuracy of hour=0 fell by 0.0208418 against the baseline (0.901103 -> 0.880262, 2,447 "
            "examples; of the 147 on which the models differ 99 were lost, 48 won): undecided; 2,447 examples "
            "cannot tell whether it fell by more than 0.02, and it is so near the bound that more may not either.",
        ),
        (
            {"value_threshold": {"lower_bound": 0.85}, "evidence": "not_worse"},
            "binary_accuracy of hour=0 is 0.880262 (2,447 examples): shown to be within binary_accuracy >= 0.85, "
            "p = 9.2e-06.",
        ),
    ],
)
def test_sentences_say_what_the_sample_shows(threshold: dict[str, Any], sentence: str) -> None:
    assert judge(MANY.paired, MANY.total, threshold).checks[0].reason == sentence


def test_each_of_several_looks_has_its_share() -> None:
    sample = Sample([3000], [2700], [25], [42])
    p = stats.norm.sf(17 / np.sqrt(67))
    assert 0.05 / 20 < p < 0.05
    assert judge(sample.paired, sample.total, fall(0.0)).status == "not_blessed"
    shared = judge(sample.paired, sample.total, fall(0.0), looks={"most": 20})
    assert shared.status == "blessed"
    assert (
        "but the candidates or gates that share its false alarms leave it p = 0.0025"
        in shared.checks[0].reason
    )


ONE = {"value_threshold": {"lower_bound": 0.5}}


def test_what_changed_without_a_threshold_is_no_chance() -> None:
    rng = np.random.default_rng(2)
    won, lost = rng.binomial(120, 0.5, (2, 200))
    lost[:7] += np.arange(40, 110, 10)
    sample = Sample(np.full(200, 2000), np.full(200, 1700), won, lost)
    verdict = judge(sample.paired, sample.total, ONE)
    changes = verdict.ungated
    assert changes is not None
    p = 2 * stats.norm.sf(np.abs(won - lost) / np.sqrt(won + lost))
    expected = stats.false_discovery_control(np.minimum(p, 1))
    assert (changes.tested, changes.significant) == (200, int((expected <= 0.05).sum()))
    effect = np.abs(sample.paired.change.value / sample.paired.change.std_error)
    order = np.argsort(-np.where(expected <= 0.05, effect, 0))
    assert [each.slice for each in changes.largest] == [f"hour={i}" for i in order[:5]]
    assert changes.largest[0].sentence.startswith("binary_accuracy of hour=")
    assert Verdict.from_dict(verdict.to_dict()).ungated == changes


def test_what_has_a_threshold_on_its_change_is_not_listed() -> None:
    changes = judge(MANY.paired, MANY.total, fall(0.0)).ungated
    assert changes is not None
    assert (changes.tested, changes.significant, changes.largest) == (0, 0, ())
