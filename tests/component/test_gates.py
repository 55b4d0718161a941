# SPDX-License-Identifier: Apache-2.0
"""The tests of verdicts by evidence: what fails, what passes, and what cannot be told."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats
from typer.testing import CliRunner

import benison
from benison.cli import app
from benison.config import EvalConfig
from benison.engine.plan import Plan
from benison.evidence.paired_spread import Paired
from benison.evidence.spread import PairedShares, Share, Student
from benison.results.sample_sizes import of_churn
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
            "cannot tell whether it fell by more than 0.02, about 800,000 could.",
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
    assert judge(sample.paired, sample.total, fall(0.0), looks={"most": 20}).status == "blessed"


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


def test_power_says_what_slices_can_show(tmp_path: Path) -> None:
    """Rows for 80 % power of a fall of two points, over 100 slices, at three churns."""
    arguments = [
        "power",
        "--slices",
        "100",
        "--fall",
        "0.02",
        "--rows",
        "1000",
        "--json",
        "--churn",
    ]
    needed = []
    for churn in ("0.02", "0.06", "0.12"):
        printed = CliRunner().invoke(app, [*arguments, churn])
        needed.append(json.loads(printed.output)[0]["needed_examples"])
    distance = (stats.norm.isf(0.05 / 100) + stats.norm.isf(0.2)) / 0.02
    assert needed == [int(np.ceil((c - 0.02**2) * distance**2)) for c in (0.02, 0.06, 0.12)]
    label = np.tile([1.0, 0.0], 200)
    data = pa.table(
        {"label": label, "p": np.abs(label - 0.2), "q": np.roll(label, 1), "hour": label}
    )
    specs = [
        {"name": n, "label_key": "label", "prediction_key": c} for n, c in (("a", "p"), ("b", "q"))
    ]
    specs[1]["is_baseline"] = True  # type: ignore[assignment]
    made = {
        "model_specs": specs,
        "slicing_specs": [{}, {"feature_keys": ["hour"]}],
        "metrics_specs": [{"metrics": ["MeanSquaredError", "BinaryAccuracy"]}],
        "options": {"confidence": {"level": 0.95}},
    }
    data = data.set_column(1, "p", pa.array(np.random.default_rng(0).random(400)))
    benison.evaluate(data, made, output=tmp_path / "out")
    more = ["--metric", "mean_squared_error", "--fall", "0.1"]
    printed = CliRunner().invoke(app, ["power", str(tmp_path / "out"), *more, "--json"])
    rows = json.loads(printed.output)
    assert [row["examples"] for row in rows] == [400, 200, 200]
    assert all(row["needed_examples"] > 0 and row["detectable"] > 0 for row in rows)
    _hold_power_against_a_threshold(data, made, rows, tmp_path / "gated")
    refused = CliRunner().invoke(app, ["power", str(tmp_path / "out"), "--metric", "auc"])
    assert refused.exit_code == 2


def _hold_power_against_a_threshold(
    data: pa.Table, made: dict[str, Any], rows: list[dict[str, Any]], out: Path
) -> None:
    """A rise that a threshold allows is added to what can be seen without it."""
    bound = {"change_threshold": {"absolute": 0.05, "direction": "LOWER_IS_BETTER"}}
    gated = {"class_name": "MeanSquaredError", "threshold": {**bound, "evidence": "worse"}}
    benison.evaluate(data, {**made, "metrics_specs": [{"metrics": [gated]}]}, output=out)
    for rise, factor in (("0.15", 1), ("0.05", None), ("0.050000001", None)):
        command = ["power", str(out), "--metric", "mean_squared_error", "--fall", rise]
        again = json.loads(CliRunner().invoke(app, [*command, "--json"]).output)
        for row, free in zip(again, rows, strict=True):
            assert row["detectable"] == pytest.approx(free["detectable"] + 0.05)
            if factor:  # 0.15 beyond 0.05 is as far as 0.1 beyond 0
                assert row["needed_examples"] == pytest.approx(free["needed_examples"], abs=1)
    assert (
        "more than 1,000,000,000" in CliRunner().invoke(app, command, env={"COLUMNS": "120"}).output
    )


def _judged(
    columns: dict[str, Any], metric: str, evidence: str, threshold: dict[str, Any], **more: Any
) -> str:
    """The verdict on the column `n` beside `o`."""
    specs = [
        {"name": "n", "prediction_key": "n", "label_key": "y"},
        {"name": "o", "prediction_key": "o", "label_key": "y", "is_baseline": True},
    ]
    bound = {"class_name": metric, "threshold": {**threshold, "evidence": evidence}}
    made = {
        "model_specs": specs,
        "metrics_specs": [{"metrics": [bound]}],
        "options": {"confidence": {"level": 0.95, **more}},
    }
    return benison.evaluate(pa.table(columns), made).verdict.status


_FALL = {"change_threshold": {"absolute": -0.01, "direction": "HIGHER_IS_BETTER"}}
_RISE = {"change_threshold": {"absolute": 0.01, "direction": "LOWER_IS_BETTER"}}


def _rows(size: int = 600) -> tuple[Any, Any]:
    rng = np.random.default_rng(3)
    y = (rng.random(size) < 0.5).astype(float)
    return y, np.clip(0.6 * y + 0.2 + 0.2 * rng.normal(size=size), 0.01, 0.99)


@pytest.mark.parametrize("evidence", ["worse", "not_worse"])
@pytest.mark.parametrize(
    ("metric", "n", "o", "threshold", "more"),
    [
        ("BinaryAccuracy", lambda y, p: 1 - p, lambda y, p: np.append(np.nan, p[1:]), _FALL, {}),
        (
            "AUC",
            lambda y, p: 0 * p + 0.5,
            lambda y, p: p,
            {"value_threshold": {"lower_bound": 0.7}},
            {},
        ),
        ("AUC", lambda y, p: 1 - y, lambda y, p: y, _FALL, {}),
        (
            "F1Score",
            lambda y, p: 0 * p,
            lambda y, p: p,
            {"value_threshold": {"lower_bound": 0.5}},
            {},
        ),
        ("MeanSquaredError", lambda y, p: 1 - y, lambda y, p: y, _RISE, {}),
        ("MeanSquaredError", lambda y, p: np.append(np.inf, p[1:]), lambda y, p: p, _RISE, {}),
        ("BinaryAccuracy", lambda y, p: 1 - y, lambda y, p: y, _FALL, {"cluster_key": "user"}),
    ],
)
def test_what_no_error_is_known_of_blesses_nothing(
    evidence: str, metric: str, n: Any, o: Any, threshold: dict[str, Any], more: dict[str, Any]
) -> None:
    """Constant or infinite values, a missing prediction of the baseline, and too few clusters."""
    y, p = _rows()
    columns = {"y": y, "n": n(y, p), "o": o(y, p), "user": [f"u{i % 3}" for i in range(len(y))]}
    assert _judged(columns, metric, evidence, threshold, **more) != "blessed"


def test_a_rise_from_no_error_at_all_is_shown() -> None:
    """A root has no slope at 0, where all rows of the baseline are."""
    _, p = _rows()
    nothing = np.zeros(len(p))
    columns = {"y": nothing, "n": p, "o": nothing}
    assert _judged(columns, "RootMeanSquaredError", "worse", _RISE) == "not_blessed"


def test_a_slice_of_one_weighted_row_is_undecided() -> None:
    """More rows could tell, so that others are judged, whatever its weight."""
    y, p = _rows()
    columns = {"y": y, "n": p, "hour": [7, *[8] * (len(y) - 1)]}
    threshold = {"value_threshold": {"upper_bound": 0.5}, "evidence": "worse"}
    model = {"prediction_key": "n", "label_key": "y", "example_weight_key": "w"}
    made = {
        "model_specs": [model],
        "slicing_specs": [{"feature_keys": ["hour"]}],
        "metrics_specs": [
            {"metrics": [{"class_name": "MeanSquaredError", "threshold": threshold}]}
        ],
    }
    for weight in (0.1, 0.7, 3.3):
        weights = np.append(weight, np.linspace(0.1, 1, len(y) - 1))
        verdict = benison.evaluate(pa.table({**columns, "w": weights}), made).verdict
        assert verdict.blessed
        assert {check.slice: check.outcome for check in verdict.checks}["hour=7"] == "undecided"


def test_labels_of_one_class_bless_nothing() -> None:
    _, p = _rows()
    columns = {"y": np.ones(len(p)), "n": p, "o": p}
    assert _judged(columns, "AUC", "worse", _FALL) == "not_evaluated"


def test_a_candidate_that_is_the_baseline_is_blessed() -> None:
    y, p = _rows()
    for metric in ("BinaryAccuracy", "AUC", "F1Score", "BinaryCrossEntropy"):
        threshold = _RISE if metric == "BinaryCrossEntropy" else _FALL
        assert _judged({"y": y, "n": p, "o": p}, metric, "worse", threshold) == "blessed"


@pytest.mark.parametrize(
    "metric",
    ["AUC", "BinaryAccuracy", "F1Score", "MeanSquaredError", "Precision", "SpearmanCorrelation"],
)
@pytest.mark.parametrize("kind", ["absolute", "relative"])
def test_a_candidate_that_is_the_baseline_is_shown_to_be_no_worse(metric: str, kind: str) -> None:
    """The change is 0 in all rows, so that there is nothing to test; of 20 rows that is no evidence."""
    y, p = _rows()
    threshold = (_RISE if metric == "MeanSquaredError" else _FALL)["change_threshold"]
    limits = {"direction": threshold["direction"], kind: threshold["absolute"]}
    few = "not_blessed" if kind == "absolute" else "blessed"  # a share of much is much
    for rows, verdict in ((slice(None), "blessed"), (slice(0, 20), few)):
        columns = {"y": y[rows], "n": p[rows], "o": p[rows]}
        if rows.stop is None or metric == "MeanSquaredError":
            assert _judged(columns, metric, "not_worse", {"change_threshold": limits}) == verdict


@pytest.mark.parametrize("metric", ["BinaryAccuracy", "AUC", "Precision"])
@pytest.mark.parametrize(
    "threshold",
    [
        {"value_threshold": {"upper_bound": 1.0}},
        {"value_threshold": {"lower_bound": 0.0}},
        {"change_threshold": {"absolute": -1.0, "direction": UP}},
        {"change_threshold": {"relative": -1.0, "direction": UP}},
    ],
)
def test_a_bound_at_the_end_of_the_range_is_always_met(
    metric: str, threshold: dict[str, Any]
) -> None:
    y, p = _rows()
    for n in (y, p):
        assert _judged({"y": y, "n": n, "o": y}, metric, "not_worse", threshold) == "blessed"


@pytest.mark.parametrize("evidence", ["point", "worse", "not_worse"])
@pytest.mark.parametrize("kind", ["value", "change"])
def test_a_count_of_no_rows_is_no_value(evidence: str, kind: str) -> None:
    """No row weighs anything, so that there are no false positives, of which nobody knows anything."""
    specs = [
        {"name": n, "prediction_key": n, "label_key": "y", "example_weight_key": "w"} for n in "no"
    ]
    specs[1]["is_baseline"] = True  # type: ignore[assignment]
    threshold = {"value_threshold": {"upper_bound": 5.0}} if kind == "value" else _RISE
    bound = {"class_name": "FalsePositives", "threshold": {**threshold, "evidence": evidence}}
    made = {
        "model_specs": specs,
        "slicing_specs": [{"feature_keys": ["hour"]}],
        "metrics_specs": [{"metrics": [bound]}],
    }
    y, p = _rows()
    columns = {"y": y, "n": p, "o": p, "hour": y, "w": y}
    verdict = benison.evaluate(pa.table(columns), made).verdict
    (check,) = [each for each in verdict.checks if each.slice == "hour=0"]
    assert check.outcome == "fail"
    assert check.reason.startswith("false_positives of hour=0 is undefined because none of its")


@pytest.mark.parametrize("metric", ["AUC", "BinaryAccuracy", "MeanSquaredError"])
@pytest.mark.parametrize("evidence", ["worse", "not_worse"])
def test_a_slice_without_a_label_is_not_blessed(metric: str, evidence: str) -> None:
    y, p = _rows()
    threshold = _RISE if metric == "MeanSquaredError" else _FALL
    bound = {"class_name": metric, "threshold": {**threshold, "evidence": evidence}}
    made = {
        "model_specs": [
            {"name": "n", "prediction_key": "n", "label_key": "y"},
            {"name": "o", "prediction_key": "o", "label_key": "y", "is_baseline": True},
        ],
        "slicing_specs": [{}, {"feature_keys": ["plan"]}],
        "metrics_specs": [{"metrics": [bound]}],
    }
    is_pro = np.arange(len(y)) % 5 == 0
    labels = np.where(is_pro, np.nan, y)
    columns = {"y": labels, "n": p, "o": p, "plan": np.where(is_pro, "pro", "basic")}
    verdict = benison.evaluate(pa.table(columns), made).verdict
    assert verdict.status == "not_blessed"
    assert [check.slice for check in verdict.failures] == ["plan=pro"]


@pytest.mark.parametrize("metric", ["AUC", "BinaryAccuracy", "MeanSquaredError", "Calibration"])
@pytest.mark.parametrize("evidence", ["worse", "not_worse"])
def test_a_row_that_weighs_nothing_is_no_evidence(metric: str, evidence: str) -> None:
    y, p = _rows()
    bound = {"class_name": metric, "threshold": {**_FALL, "evidence": evidence}}
    names = {"label_key": "y", "example_weight_key": "w"}
    made = {
        "model_specs": [
            {"name": "n", "prediction_key": "n", **names},
            {"name": "o", "prediction_key": "o", "is_baseline": True, **names},
        ],
        "metrics_specs": [{"metrics": [bound]}],
    }
    rows = {"y": y, "n": p, "o": np.roll(p, 1) * 0.1 + p * 0.9, "w": np.ones(len(y))}
    more = {"y": 1.0, "n": np.inf, "o": 0.5, "w": 0.0}
    tables = [rows, {name: np.append(column, more[name]) for name, column in rows.items()}]
    (check,), (again,) = (benison.evaluate(pa.table(t), made).verdict.checks for t in tables)
    assert (again.zone, again.p_value) == (check.zone, pytest.approx(check.p_value, abs=1e-12))


def test_three_flagged_rows_do_not_show_that_precision_is_no_worse() -> None:
    y, p = _rows(3000)
    few = np.zeros(3000)
    few[np.flatnonzero(y == 1)[:3]] = 0.9
    assert _judged({"y": y, "n": few, "o": p}, "Precision", "not_worse", _FALL) == "not_blessed"


def test_a_relative_change_of_few_rows_that_differ_is_as_sure_as_an_absolute_one() -> None:
    """Of 60 rows, of which the baseline has 54 right, 1 % is half a row: the candidate may have lost none by chance."""
    y = np.ones(60)
    o = np.append(np.full(54, 0.9), np.full(6, 0.1))
    n = 0.5 + (o - 0.5) / 2  # other scores that decide alike
    relative = {"change_threshold": {"relative": -0.01, "direction": "HIGHER_IS_BETTER"}}
    assert (
        _judged({"y": y, "n": n, "o": o}, "BinaryAccuracy", "not_worse", relative) == "not_blessed"
    )


@pytest.mark.parametrize("evidence", ["worse", "not_worse"])
def test_a_relative_change_of_a_baseline_of_0_is_undefined_and_no_warning(evidence: str) -> None:
    y, p = _rows()
    columns = {"y": y, "n": p, "o": np.full(len(y), 0.1)}
    relative = {"change_threshold": {"relative": -0.01, "direction": "HIGHER_IS_BETTER"}}
    assert _judged(columns, "Recall", evidence, relative) == "not_blessed"


def test_rows_are_lost_where_wrong_decisions_are_counted_too() -> None:
    y, p = _rows()
    worse = np.where((y == 0) & (np.arange(600) % 3 == 0), 0.9, p)
    specs = [
        {"name": "n", "prediction_key": "n", "label_key": "y"},
        {"name": "o", "prediction_key": "o", "label_key": "y", "is_baseline": True},
    ]
    bound = {"class_name": "FallOut", "threshold": {**_RISE, "evidence": "worse"}}
    made = {"model_specs": specs, "metrics_specs": [{"metrics": [bound]}]}
    verdict = benison.evaluate(pa.table({"y": y, "n": worse, "o": p}), made).verdict
    (check,) = verdict.table.to_pylist()
    assert (check["lost"] > 50, check["won"], check["outcome"]) == (True, 0, "fail")


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--fall", "0"], "above 0"),
        (["--fall", "1e-200"], "above 0"),
        (["--fall", "0.3"], "no fall is larger"),
        (["--churn", "0"], "never differ"),
    ],
)
def test_a_fall_that_cannot_be_is_refused(more: list[str], sentence: str) -> None:
    done = CliRunner().invoke(app, ["power", "--rows", "500", "--churn", "0.06", *more])
    assert done.exit_code == 2
    assert sentence in " ".join(done.output.split())


def test_power_plans_for_data_before_there_is_a_model(in_folder: Path) -> None:
    """As many rows as the sizes of the slices, over as many checks as there are slices."""
    company = np.repeat(["Blue", "Red"], [2_400, 100])
    pq.write_table(pa.table({"company": company, "fare": np.ones(2_500)}), "trips.parquet")
    Path("eval.yaml").write_text("slicing_specs: [{}, {feature_keys: [company]}]\n")
    asked = ["power", "trips.parquet", "--churn", "0.06", "--fall", "0.02", "--json"]
    rows = json.loads(CliRunner().invoke(app, [*asked, "--config", "eval.yaml"]).output)
    sizes = [(row["slice"], row["examples"]) for row in rows]
    assert sizes == [("Overall", 2_500), ("company=Blue", 2_400), ("company=Red", 100)]
    expected = of_churn([2_500, 2_400, 100], 0.06, 3, 0.02)
    assert [{**row, "slice": ""} for row in rows] == expected
    assert len(json.loads(CliRunner().invoke(app, asked).output)) == 1  # Overall alone
    for more in (["--rows", "5"], ["--slices", "3"], ["--metric", "auc"]):
        assert CliRunner().invoke(app, [*asked, *more]).exit_code == 2


@pytest.mark.parametrize(
    ("threshold", "sentence"),
    [
        (
            {"evidence": "not_worse", "value_threshold": {"lower_bound": 0.99}},
            "1 of 3 slices has not the 299 rows that could show binary_accuracy to be within its bound 0.99, "
            "however good it is",  # 0.99^299 is below 0.05, and 0.99^298 is not
        ),
        (
            {"evidence": "worse", "value_threshold": {"lower_bound": 0.01}},
            "1 of 3 slices has not the 408 rows",  # 0.99^408 is below 0.05 / 3
        ),
        (
            {"evidence": "not_worse", **_falls(0.0001)},
            "no slice of 3 has the 27,053 rows that could show binary_accuracy to be within its bound "
            "-0.0001, where both models are right on the same rows",
        ),
        ({"evidence": "worse", **_falls(0.01)}, ""),
        ({"evidence": "not_worse", "value_threshold": {"lower_bound": 0.9}}, ""),
    ],
)
def test_check_config_names_gates_that_slices_are_too_small_for(
    in_folder: Path, threshold: dict[str, Any], sentence: str
) -> None:
    columns = {"company": np.repeat(["Blue", "Red"], [2_400, 100]), "y": np.ones(2_500)}
    pq.write_table(pa.table({**columns, "n": np.ones(2_500), "o": np.ones(2_500)}), "trips.parquet")
    made = {
        "model_specs": [
            {"name": "new", "label_key": "y", "prediction_key": "n"},
            {"name": "old", "label_key": "y", "prediction_key": "o", "is_baseline": True},
        ],
        "slicing_specs": [{}, {"feature_keys": ["company"]}],
        "metrics_specs": [{"metrics": [{"class_name": "BinaryAccuracy", "threshold": threshold}]}],
    }
    Path("eval.json").write_text(json.dumps(made))
    asked = ["check-config", "eval.json", "--examples", "trips.parquet", "--json"]
    notes = json.loads(CliRunner().invoke(app, asked).output)["notes"]
    assert len(notes) == bool(sentence)
    assert all(sentence in note for note in notes), notes


def test_clusters_that_are_missing_are_refused() -> None:
    y, p = _rows()
    user = [f"u{i % 50}" if i % 2 else None for i in range(len(y))]
    with pytest.raises(benison.DataError, match="'user', the cluster_key .* is missing"):
        _judged({"y": y, "n": p, "o": p, "user": user}, "AUC", "worse", _FALL, cluster_key="user")


def test_a_column_without_a_name_is_not_overall() -> None:
    y, p = _rows()
    table = pa.table({"y": y, "n": p, "": ["a", "b"] * 300})
    threshold = {"value_threshold": {"lower_bound": 0.0}}
    per_slice = {"slicing_specs": [{}], "threshold": threshold}
    made = {
        "model_specs": [{"prediction_key": "n", "label_key": "y"}],
        "slicing_specs": [{}, {"feature_keys": [""]}],
        "metrics_specs": [
            {"metrics": [{"class_name": "AUC", "per_slice_thresholds": [per_slice]}]}
        ],
    }
    assert benison.evaluate(table, made).verdict.table["slice"].to_pylist() == ["Overall"]


def test_power_tells_candidates_apart(in_folder: Path) -> None:
    rng = np.random.default_rng(3)
    y = np.tile([1.0, 0.0], 60)
    scores = {name: rng.random(120) for name in ("new", "rival", "old")}
    specs = [{"name": name, "label_key": "y", "prediction_key": name} for name in scores]
    specs[2]["is_baseline"] = True  # type: ignore[assignment]
    metrics = [{"metrics": ["BinaryAccuracy"]}]
    made = {"model_specs": specs, "metrics_specs": metrics, "options": {"confidence": {}}}
    benison.evaluate(pa.table({"y": y, **scores}), made, output="out")
    asked = ["power", "out", "--metric", "binary_accuracy"]
    rows = json.loads(CliRunner().invoke(app, [*asked, "--json"]).output)
    assert sorted((row["slice"], row["model"]) for row in rows) == [
        ("Overall", "new"),
        ("Overall", "rival"),
    ]
    shown = CliRunner().invoke(app, [*asked, "--fall", "0.01"])
    assert "rival" in shown.output
    refused = CliRunner().invoke(app, [*asked, "--rows", "500", "--churn", "0.06"])
    assert refused.exit_code == 2
    assert "either an output and --metric" in " ".join(refused.output.split())


@pytest.mark.parametrize("kind", ["slice_difference", "slice_ratio"])
def test_comparisons_of_slices_have_the_errors_of_both(kind: str) -> None:
    """Of shares of two shops, which have no row in common, and of Overall, in which they are."""
    rng = np.random.default_rng(4)
    shop = np.repeat(["a", "b"], [400, 900])
    y = np.ones(1300)
    n = np.where(rng.random(1300) < np.where(shop == "a", 0.8, 0.6), 0.9, 0.1)
    bounds = {"value_threshold": {"lower_bound": 1.1 if kind == "slice_ratio" else 0.1}}
    crossing = {
        "baseline_spec": {"feature_values": {"shop": "a"}},
        "slicing_specs": [{"feature_keys": ["shop"]}],
    }
    crossed = {"cross_slicing_specs": [crossing], "threshold": {**bounds, "evidence": "not_worse"}}
    name = "binary_accuracy" + ("_ratio" if kind == "slice_ratio" else "")
    overall = {"baseline_spec": {}, "slicing_specs": [{"feature_keys": ["shop"]}]}
    made = {
        "model_specs": [{"prediction_key": "n", "label_key": "y"}],
        "slicing_specs": [{}, {"feature_keys": ["shop"]}],
        "cross_slicing_specs": [crossing, overall],
        "metrics_specs": [
            {
                "metrics": ["BinaryAccuracy"],
                "cross_slice_thresholds": {name: {"thresholds": [crossed]}},
            }
        ],
    }
    result = benison.evaluate(pa.table({"y": y, "n": n, "shop": shop}), made)
    rows = {r["slice"]: r for r in result.metrics.to_pylist() if r["kind"] == kind}
    p = [(np.sum(n[shop == s] > 0.5) + 1) / (np.sum(shop == s) + 2) for s in "ab"]
    errors = [np.sqrt(q * (1 - q) / (m + 2)) for q, m in zip(p, (400, 900), strict=True)]
    a, b = (np.mean(n[shop == s] > 0.5) for s in "ab")
    ratio = a / b if kind == "slice_ratio" else 1.0
    expected = np.hypot(errors[0], ratio * errors[1]) / (b if kind == "slice_ratio" else 1.0)
    apart = rows["shop=a vs shop=b"]
    assert apart["std_error"] == pytest.approx(expected)
    assert apart["lower"] < apart["value"] < apart["upper"]
    assert np.isnan(rows["Overall vs shop=a"]["std_error"])
    (check,) = result.verdict.checks
    z = (a - 1.1 * b if kind == "slice_ratio" else a - b - 0.1) / np.hypot(
        errors[0], (1.1 if kind == "slice_ratio" else 1.0) * errors[1]
    )
    assert check.p_value == pytest.approx(stats.norm.sf(z), rel=0.05)
    assert check.outcome == ("pass" if check.p_value <= 0.05 else "fail")


def test_slices_of_lists_may_share_rows_so_that_nothing_is_shown() -> None:
    tags = [["a"], ["b"], ["a", "b"], ["b"]] * 50
    crossing = {
        "baseline_spec": {"feature_values": {"tag": "a"}},
        "slicing_specs": [{"feature_keys": ["tag"]}],
    }
    made = {
        "model_specs": [{"prediction_key": "n", "label_key": "y"}],
        "slicing_specs": [{"feature_keys": ["tag"]}],
        "cross_slicing_specs": [crossing],
        "metrics_specs": [{"metrics": ["BinaryAccuracy"]}],
        "options": {"confidence": {"level": 0.95}},
    }
    columns = {"y": [1.0, 0.0] * 100, "n": [0.9, 0.2, 0.8, 0.7] * 50}
    for tag, is_known in ((tags, False), ([each[:1] for each in tags], True)):
        metrics = benison.evaluate(pa.table({**columns, "tag": tag}), made).metrics.to_pylist()
        (error,) = [r["std_error"] for r in metrics if r["kind"] == "slice_difference"]
        assert np.isfinite(error) == is_known


def test_power_sees_what_the_gate_of_the_same_output_sees(in_folder: Path) -> None:
    """With all checks of the run in the family, weights, relative bounds, and evidence not_worse."""
    rng = np.random.default_rng(5)
    y, shop = np.tile([1.0, 0.0], 200), np.repeat(["a", "b"], [100, 300])
    scores = {name: np.abs(y - (rng.random(400) < 0.2) * 0.9) for name in ("new", "old")}
    specs = [{"name": name, "label_key": "y", "prediction_key": name} for name in scores]
    specs[1]["is_baseline"] = True  # type: ignore[assignment]
    fall = {"direction": "HIGHER_IS_BETTER", "absolute": -0.01}
    rise = {"direction": "LOWER_IS_BETTER", "relative": 0.02}
    gates = {
        "BinaryAccuracy": {"change_threshold": fall, "evidence": "worse", "weight": 3},
        "MeanSquaredError": {"change_threshold": rise, "evidence": "worse"},
        "Recall": {"change_threshold": fall, "evidence": "not_worse"},
    }
    metrics = [{"class_name": name, "threshold": gate} for name, gate in gates.items()]
    slices = [{}, {"feature_keys": ["shop"]}]
    made = {"model_specs": specs, "slicing_specs": slices, "metrics_specs": [{"metrics": metrics}]}
    data = pa.table({"y": y, "shop": shop, **scores})
    checks = benison.evaluate(data, made, output="out").verdict.checks
    for name, metric, family in (
        ("BinaryAccuracy", "binary_accuracy", 6),
        ("MeanSquaredError", "mean_squared_error", 6),
        ("Recall", "recall", 1),
    ):
        asked = ["power", "out", "--metric", name, "--fall", "0.01"]
        rows = json.loads(CliRunner().invoke(app, [*asked, "--json"]).output)
        seen = {
            check.slice: check.detectable
            * (abs(check.baseline) if "relative" in check.check else 1)
            for check in checks
            if check.metric == metric
        }
        assert {row["slice"]: row["detectable"] for row in rows} == pytest.approx(seen)
        assert {row["family_size"] for row in rows} == {family}
        text = " ".join(CliRunner().invoke(app, asked, env={"COLUMNS": "120"}).output.split())
        assert f"Corrected over {family} check" in text
        allows = "A fall of 0.01 has no rows (-) where a threshold of the result allows it."
        assert (allows in text) == any(row["needed_examples"] is None for row in rows)
        assert (allows in text) == (name != "MeanSquaredError")
