# SPDX-License-Identifier: Apache-2.0
"""The verdict of an evaluation: thresholds on values and changes, and what fails without one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import benison
from tests.conftest import config
from tests.test_evaluation import SLICES, at_least, change, compare_config


def test_verdict_is_not_evaluated_without_thresholds(trips: pa.Table, tmp_path: Path) -> None:
    result = benison.evaluate(trips, config("AUC"), output=tmp_path / "out")
    assert result.verdict.status == "not_evaluated"
    assert not list((tmp_path / "out").glob("*BLESSED"))


def test_blessed_and_not_blessed_with_reasons(trips: pa.Table, tmp_path: Path) -> None:
    good = benison.evaluate(
        trips, config({"class_name": "AUC", **at_least(0.5)}), output=tmp_path / "good"
    )
    assert good.verdict.blessed
    assert (tmp_path / "good" / "BLESSED").is_file()
    seconds = benison.load_result(tmp_path / "good").manifest["seconds"]
    assert list(seconds) == ["load", "evaluate", "results", "digest", "write"]
    bad = benison.evaluate(
        trips, config({"class_name": "AUC", **at_least(0.99)}), output=tmp_path / "bad"
    )
    assert bad.verdict.status == "not_blessed"
    assert (tmp_path / "bad" / "NOT_BLESSED").is_file()
    assert "auc of Overall is" in bad.verdict.reasons[0]
    assert "below the lower bound 0.99" in bad.verdict.reasons[0]
    assert benison.load_result(tmp_path / "bad").verdict == bad.verdict


def test_failures_are_errors_in_the_log(trips: pa.Table, caplog: pytest.LogCaptureFixture) -> None:
    result = benison.evaluate(trips, config({"class_name": "AUC", **at_least(0.99)}))
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert errors == list(result.verdict.reasons)


def test_losses_are_worst_where_they_are_high(trips: pa.Table) -> None:
    made = config("AUC", "BinaryCrossEntropy", slices=SLICES)
    result = benison.evaluate(trips, made)
    losses = result.worst("binary_crossentropy", 3)["value"].to_pylist()
    assert losses == sorted(losses, reverse=True)
    areas = result.worst("auc", 3)["value"].to_pylist()
    assert areas == sorted(areas)


def test_change_needs_a_baseline_or_is_rubber_stamped(trips: pa.Table) -> None:
    first = benison.evaluate(trips, config({"class_name": "AUC", **change(absolute=0.0)}))
    assert first.verdict.blessed
    assert first.verdict.rubber_stamped
    assert "no baseline" in first.verdict.checks[0].reason
    assert benison.evaluate(trips, compare_config(**change(absolute=-0.5))).verdict.blessed
    refused = benison.evaluate(trips, compare_config(**change(absolute=0.5)))
    assert refused.verdict.status == "not_blessed"
    assert "a rise of at least 0.5 is required" in refused.verdict.reasons[0]


def test_relative_change_divides_by_the_magnitude() -> None:
    table = pa.table(
        {"label": [0.0, 0.0], "prediction": [-0.575, -0.575], "old_prediction": [-0.5, -0.5]}
    )
    made = compare_config()
    made["slicing_specs"] = [{}]
    made["metrics_specs"] = [
        {"metrics": [{"class_name": "MeanPrediction", **change(relative=0.0)}]}
    ]
    verdict = benison.evaluate(table, made).verdict
    assert verdict.status == "not_blessed"  # -0.575 is lower than -0.5
    made["metrics_specs"][0]["metrics"][0]["threshold"]["change_threshold"]["direction"] = (
        "LOWER_IS_BETTER"
    )
    assert benison.evaluate(table, made).verdict.blessed


def test_nan_fails() -> None:
    one_class = pa.table({"label": [1.0, 1.0], "prediction": [0.2, 0.7]})
    verdict = benison.evaluate(one_class, config({"class_name": "AUC", **at_least(0.0)})).verdict
    assert verdict.status == "not_blessed"
    assert "undefined" in verdict.reasons[0]


def test_missing_slice_fails_and_says_so(trips: pa.Table) -> None:
    per_slice = {
        "per_slice_thresholds": [
            {"slicing_specs": [{"feature_values": {"hour": "77"}}], **at_least(0.1)}
        ]
    }
    made = config({"class_name": "AUC", **per_slice}, slices=({}, {"feature_keys": ["hour"]}))
    verdict = benison.evaluate(trips, made).verdict
    assert verdict.reasons == ("No row of the data is in hour=77, so auc has no value there.",)


LABELS = [3, 3, 0, 0, 2, 3, 3, 3, 1, 2]
NONE = [1, 0, 3, 1, 3, 2, 2, 3, 0, 1]  # no rank correlation with the labels, by whole numbers


@pytest.mark.parametrize(
    "name", ["SpearmanCorrelation", "PearsonCorrelation", "KendallTau", "ConcordanceCorrelation"]
)
@pytest.mark.parametrize("seed", range(3))
def test_what_is_0_but_for_the_order_of_rows_is_0(name: str, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(10)
    rows = {"label": LABELS, "prediction": NONE, "new": LABELS}
    columns = {column: np.array(values)[order] for column, values in rows.items()}
    at_0 = config({"class_name": name, "threshold": {"value_threshold": {"lower_bound": 0}}})
    assert benison.evaluate(pa.table(columns), at_0).verdict.blessed
    share = {"change_threshold": {"relative": 0.1, "direction": "HIGHER_IS_BETTER"}}
    made = config({"class_name": name, "threshold": share})
    old = {**made["model_specs"][0], "name": "old", "is_baseline": True}
    made["model_specs"] = [
        {**old, "name": "new", "prediction_key": "new", "is_baseline": False},
        old,
    ]
    (reason,) = benison.evaluate(pa.table(columns), made).verdict.reasons
    assert "its relative change is undefined because the baseline's is 0" in reason
