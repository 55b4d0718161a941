# SPDX-License-Identifier: Apache-2.0
"""Metrics of the first ranks of queries, against their definitions averaged over all orders of ties."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import benison
from benison.data.batch import Inputs
from benison.metrics import from_config
from benison.testing import value_of
from tests.conftest import config

Ranking = list[int]  # 1 for a positive, best first


def average_precision(hits: Ranking, k: int) -> float:
    at = [sum(hits[: r + 1]) / (r + 1) for r in range(min(k, len(hits))) if hits[r]]
    return sum(at) / min(sum(hits), k)


def reciprocal_rank(hits: Ranking, k: int) -> float:
    first = hits.index(1)
    return 1 / (first + 1) if first < k else 0.0


DEFINITIONS: dict[str, Callable[[Ranking, int], float]] = {
    "PrecisionAtK": lambda hits, k: sum(hits[:k]) / k,
    "RecallAtK": lambda hits, k: sum(hits[:k]) / sum(hits),
    "HitRateAtK": lambda hits, k: float(any(hits[:k])),
    "MRR": reciprocal_rank,
    "MAP": average_precision,
}


def over_all_orders(name: str, labels: Any, scores: Any, k: int) -> float:
    orders = [sorted(order, key=lambda i: -scores[i]) for order in itertools.permutations(range(6))]
    return float(np.mean([DEFINITIONS[name]([int(labels[i]) for i in o], k) for o in orders]))


@pytest.mark.parametrize("k", [1, 3, 9])
@pytest.mark.parametrize("name", DEFINITIONS)
def test_the_mean_over_all_orders_of_what_is_tied(name: str, k: int) -> None:
    rng = np.random.default_rng(k)
    labels, scores = rng.integers(0, 2, (3, 6)), rng.integers(0, 3, (3, 6)) / 4
    labels[:, 0], weights = 1, np.array([1.0, 2.0, 0.5])
    groups = pa.array(np.repeat(["a", "b", "c"], 6).tolist())
    flat = (x.ravel().astype(float) for x in (labels, scores, np.repeat(weights, 6)))
    ours = value_of(from_config(name, {"top_k": k}), Inputs(*flat, groups=groups), np.zeros(18), 1)
    of_queries = [over_all_orders(name, *q, k) for q in zip(labels, scores, strict=True)]
    assert ours[0] == pytest.approx(np.average(of_queries, weights=weights), rel=1e-12)


def test_queries_without_a_positive_count_for_precision_alone() -> None:
    table = pa.table({"label": [1, 0, 0, 0], "prediction": [0.9, 0.8, 0.7, 0.6], "q": list("aabb")})
    metrics = [{"class_name": name, "config": {"top_k": 1}} for name in DEFINITIONS]
    result = benison.evaluate(table, config(*metrics, spec={"query_key": "q"}))
    names = ("precision_at_1", "recall_at_1", "hit_rate_at_1", "mrr", "map")
    assert [result.value(name) for name in names] == [0.5, 1, 1, 1, 1]


def test_a_score_missing_in_one_query_of_many() -> None:
    inputs = Inputs.of([1, 0, 1], [0.9, np.nan, 0.3])
    for name in DEFINITIONS:
        assert np.isnan(from_config(name, {"top_k": 2}).of(inputs))
