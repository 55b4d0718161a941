# SPDX-License-Identifier: Apache-2.0
"""The tests of samples of rows: what is in them, how they are drawn, and where they are shown."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import benison
from benison.data.batch import Inputs
from benison.metrics import from_config
from benison.slicing.codes import SliceCodes
from tests.conftest import config

ROWS = 200
LABELS = np.arange(ROWS) % 2 * 1.0
SCORES = np.arange(ROWS) // 2 % 4 / 4 + 0.1
IDS = [f"row {i}" for i in range(ROWS)]
TABLE = pa.table({"label": LABELS, "prediction": SCORES, "id": IDS, "place": ["x", "y"] * 100})
FALSE_POSITIVES = {IDS[i] for i in range(ROWS) if not LABELS[i] and SCORES[i] > 0.5}
FALSE_NEGATIVES = {IDS[i] for i in range(ROWS) if LABELS[i] and SCORES[i] <= 0.5}
SLICES = ({}, {"feature_keys": ["place"]})


def sampled(result: benison.EvalResult, metric: str) -> dict[str, list[Any]]:
    rows = result.rows(metric)
    texts = zip(rows["slice"].to_pylist(), rows["structured"].to_pylist(), strict=True)
    return {where: json.loads(text) for where, text in texts}


def sampler(class_name: str, key: str, size: int, **more: Any) -> dict[str, Any]:
    names = {"FixedSizeSample": ("sampled_key", "size")}.get(
        class_name, ("feature_key", "sample_size")
    )
    return {
        "class_name": class_name,
        "config": {**dict(zip(names, (key, size), strict=True)), **more},
    }


def test_values_are_those_of_the_rows_that_are_meant() -> None:
    metrics = [
        sampler("FixedSizeSample", "id", 30),
        sampler("FalsePositiveFeatureSampler", "id", 20),
        sampler("FalseNegativeFeatureSampler", "id", 500),
    ]
    result = benison.evaluate(TABLE, config(*metrics, slices=SLICES))
    everything = sampled(result, "fixed_size_sample")
    assert {len(set(values)) for values in everything.values()} == {30}
    assert set(everything["place=x"]) <= set(IDS[::2])
    positives = sampled(result, "false_positive_feature_sampler")
    assert len(set(positives["Overall"])) == 20
    assert set(positives["Overall"]) <= FALSE_POSITIVES
    assert positives["place=y"] == []
    assert set(sampled(result, "false_negative_feature_sampler")["Overall"]) == FALSE_NEGATIVES


def test_a_sample_does_not_depend_on_row_groups_threads_or_intervals(tmp_path: Path) -> None:
    made = config(sampler("FixedSizeSample", "id", 10), slices=SLICES)
    expected = None
    for i, (rows, options) in enumerate(
        [(7, {}), (200, {}), (50, {"compute_confidence_intervals": True})]
    ):
        folder = tmp_path / str(i)
        folder.mkdir()
        pq.write_table(TABLE, folder / "rows.parquet", row_group_size=rows)
        result = benison.evaluate(folder / "rows.parquet", {**made, "options": options})
        expected = expected or sampled(result, "fixed_size_sample")
        assert sampled(result, "fixed_size_sample") == expected


def test_another_seed_gives_another_sample() -> None:
    same, other = sampler("FixedSizeSample", "id", 10), sampler("FixedSizeSample", "id", 10)
    other["config"] |= {"random_seed": 7, "name": "other"}
    result = benison.evaluate(TABLE, config(same, other))
    assert sampled(result, "fixed_size_sample") != sampled(result, "other")


def drawn(weights: np.ndarray | None, seed: int, size: int) -> list[str]:
    numbers = np.arange(4, dtype=np.uint64) + np.uint64(1000 * seed)
    batch = pa.record_batch({"id": list("abcd")})
    rows = Inputs(np.zeros(4), np.zeros(4), weights, batch, batch_numbers=numbers)
    return from_config("FixedSizeSample", {"sampled_key": "id", "size": size}).of(rows)


def test_rows_are_drawn_as_often_as_they_weigh() -> None:
    plain = Counter(x for seed in range(2000) for x in drawn(None, seed, 2))
    assert all(0.46 < plain[x] / 2000 < 0.54 for x in "abcd")
    heavy = Counter(x for seed in range(2000) for x in drawn(np.array([1.0, 2, 5, 0]), seed, 1))
    assert heavy["d"] == 0
    assert [heavy[x] / 2000 for x in "abc"] == pytest.approx([1 / 8, 2 / 8, 5 / 8], abs=0.04)


def test_values_of_any_type_are_what_json_has() -> None:
    columns = {
        "whole": [2**60 + 1, None, 3],
        "truth": [True, False, None],
        "real": [0.5, float("nan"), 2.0],
        "list": [["a", "b"], [], None],
        "day": pa.array([0, 1, None], pa.date32()),
        "category": pa.array(["x", None, "y"]).dictionary_encode(),
    }
    table = pa.table({"label": [0.0, 1, 1], "prediction": [0.2, 0.8, 0.4], **columns})
    metrics = [sampler("FixedSizeSample", name, 3, name=name) for name in columns]
    result = benison.evaluate(table, config(*metrics))
    values = {name: sorted(sampled(result, name)["Overall"]) for name in columns}
    assert values == {
        "whole": [3, 2**60 + 1],
        "truth": [False, True],
        "real": [0.5, 2.0],
        "list": ["a, b"],
        "day": ["1970-01-01", "1970-01-02"],
        "category": ["x", "y"],
    }


def test_there_are_no_differences_of_samples(tmp_path: Path) -> None:
    model = {"label_key": "label", "prediction_key": "prediction"}
    made = {
        "model_specs": [{**model, "name": "new"}, {**model, "name": "old", "is_baseline": True}],
        "slicing_specs": SLICES,
        "cross_slicing_specs": [{"baseline_spec": {}, "slicing_specs": [SLICES[1]]}],
        "metrics_specs": [{"metrics": [sampler("FalsePositiveFeatureSampler", "id", 3)]}],
    }
    output = tmp_path / "out"
    result = benison.evaluate(TABLE, made, output=output)
    assert set(result.metrics["kind"].to_pylist()) == {"value"}
    assert sampled(benison.load_result(output), "false_positive_feature_sampler")["place=x"]


def test_a_missing_prediction_makes_the_sample_unknown() -> None:
    metric = from_config("FalsePositiveFeatureSampler", {"feature_key": "id", "sample_size": 2})
    batch = pa.record_batch({"id": ["a", "b", "c"]})
    rows = Inputs(np.zeros(3), np.array([0.9, np.nan, 0.9]), None, batch)
    codes = SliceCodes.of(np.array([0, 0, 1]), 2)
    value = metric.result(*(s.add(rows, codes) for s in metric.statistics()))
    assert [len(row.compressed()) for row in value] == [1, 1]
    assert np.isnan(value[0].compressed()[0])
    assert value[1].compressed().tolist() == ["c"]
    assert dataclasses.replace(metric, threshold=0.95).of(rows.take(np.array([0]))) == [None, None]


def test_a_bound_on_a_sample_is_refused() -> None:
    bound = {"threshold": {"value_threshold": {"lower_bound": 1}}}
    metric = {**sampler("FixedSizeSample", "id", 3), **bound}
    with pytest.raises(benison.ConfigError, match="is a sample of rows and not a number"):
        benison.evaluate(TABLE, config(metric))
