# SPDX-License-Identifier: Apache-2.0
"""What states take is counted, and a run that needs more memory than there is ends with a sentence."""

from __future__ import annotations

import re
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import benison
from benison.config import EvalConfig
from benison.data.batch import Inputs
from benison.data.parquet_files import read
from benison.data.reading import ReadOptions
from benison.engine import local
from benison.engine.accumulator import Accumulator
from benison.engine.memory import bytes_of
from benison.engine.plan import Plan
from benison.metrics.statistics.ranks import ScoreRanks
from benison.slicing.codes import SliceCodes

ROWS = 8000
METHODS = (None, "JACKKNIFE", "POISSON_BOOTSTRAP")
LINES = pa.table(
    {
        "label": np.arange(ROWS) // 8 % 2,
        "prediction": np.random.default_rng(0).permutation(ROWS) / ROWS,
        "shop": np.arange(ROWS) % 8,
    }
)


def config(limit: int, method: str | None, metric: Any = "AUC") -> dict[str, Any]:
    intervals = {"compute_confidence_intervals": True, "confidence_intervals": {"method": method}}
    return {
        "model_specs": [{"label_key": "label", "prediction_key": "prediction"}],
        "slicing_specs": [{"feature_keys": ["shop"]}],
        "metrics_specs": [{"metrics": [{"class_name": metric}]}],
        "options": {"memory_limit": limit, **(intervals if method else {})},
    }


def test_ranks_take_32_bytes_for_each_score_of_each_slice() -> None:
    codes = SliceCodes(3, ((None, np.arange(ROWS) % 2), (None, np.full(ROWS, 2))))
    scores = np.arange(ROWS) // 8 / 1000  # so many in each of the three slices
    state = ScoreRanks().add(Inputs(np.arange(ROWS) % 2 * 1.0, scores), codes)
    assert bytes_of(ScoreRanks().gather(state, np.arange(3)).exact) == 32 * 3 * 1000


@pytest.mark.parametrize(
    ("method", "too_little", "enough"),
    [
        (None, 500_000, 1_000_000),
        ("JACKKNIFE", 1_000_000, 4_000_000),
        ("POISSON_BOOTSTRAP", 2_000_000, 8_000_000),
    ],
)
def test_what_memory_does_not_hold_is_refused_and_what_it_holds_is_computed(
    method: str | None, too_little: int, enough: int
) -> None:
    least = 32 * ROWS / 1000  # kilobytes of the scores alone
    with pytest.raises(benison.DataError, match="most of it for auc, and may take") as refusal:
        benison.evaluate(LINES, config(too_little, method))
    message = re.findall(
        r"metrics of 8 slices need ([\d.]+) (kB|MB) of memory", str(refusal.value)
    )[0]
    assert float(message[0]) * {"kB": 1, "MB": 1000}[message[1]] > max(least, too_little / 1000)
    limits = (0, enough)
    unlimited, limited = (benison.evaluate(LINES, config(x, method)).metrics for x in limits)
    assert limited.select(["slice", "value"]).equals(unlimited.select(["slice", "value"]))


@pytest.mark.parametrize("method", METHODS[1:])
def test_many_scores_in_blocks_take_no_more_than_their_bins(method: str) -> None:
    scores = np.random.default_rng(1).random(60_000)
    inputs = {"label": np.arange(60_000) % 2 * 1.0, "prediction": scores}
    plan = Plan.of(EvalConfig.load(config(0, method)).with_defaults(has_baseline=False))
    codes = SliceCodes.of(np.zeros(60_000), 1)
    groups = list(plan.resampling.rows(np.arange(60_000, dtype=np.uint64)))
    parts = [np.arange(60_000) if rows is None else rows for rows in groups]
    of = [Inputs(inputs["label"][rows], scores[rows]) for rows in parts]
    states = [ScoreRanks().add(x, codes.take(rows)) for x, rows in zip(of, parts, strict=True)]
    held = sum(bytes_of(ScoreRanks().gather(state, np.zeros(1, np.int64))) for state in states)
    assert (
        held <= len(states) * 32 * 14_000
    )  # bins of [0, 1], of which there are 10,000 edges and some more


@pytest.mark.parametrize("group_rows", [2**16, 2**22])
def test_reading_takes_as_much_memory_whatever_the_size_of_row_groups(
    tmp_path: Path, group_rows: int
) -> None:
    numbers = {name: np.random.default_rng(0).random(2**21) for name in ("a", "b")}
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table(numbers), path, row_group_size=group_rows, use_dictionary=False)
    before, most = pa.total_allocated_bytes(), 0
    for batch in read(str(path), ReadOptions(pq.read_schema(path), batch_size=2**15)):
        assert batch.num_rows <= 2**15
        most = max(most, pa.total_allocated_bytes() - before)
    assert most < path.stat().st_size / 3


def test_rows_that_are_kept_are_counted() -> None:
    benison.from_function(_middle, "MemoryOfRows")
    with pytest.raises(benison.DataError, match="most of it for MemoryOfRows"):
        benison.evaluate(LINES, config(100_000, None, "MemoryOfRows"))


def _middle(y_true: Any, y_pred: Any) -> float:
    return float(np.median(y_pred))


def test_states_of_workers_are_counted_where_they_are_merged() -> None:
    plan = Plan.of(EvalConfig.load(config(300_000, None)).with_defaults(has_baseline=False))
    stages = benison.default_extractors(plan.config)
    workers = []
    for start in range(0, ROWS, ROWS // 4):
        workers.append(Accumulator(plan))
        batch = LINES.slice(start, ROWS // 4).to_batches()[0]
        workers[-1].add(local.extract(batch, stages))
    first, *others = workers
    with pytest.raises(benison.DataError, match="rows the metrics of 8 slices need"):
        reduce(_merged, others, first)


def _merged(a: Accumulator, b: Accumulator) -> Accumulator:
    a.merge(b)
    return a
