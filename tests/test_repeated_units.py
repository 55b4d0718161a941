# SPDX-License-Identifier: Apache-2.0
"""A column of users or sessions is suggested as the cluster_key."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import benison
from tests.test_newcomer import ROWS, run, with_a_baseline


def test_a_column_of_repeated_units_is_suggested_as_the_cluster_key_and_never_taken(
    in_folder: Path,
) -> None:
    users = pa.array(np.arange(ROWS) % 80)
    pq.write_table(with_a_baseline().append_column("user_id", users), "eval.parquet")
    assert run("init", "eval.parquet").exit_code == 0
    suggested = (
        "# confidence: {level: 0.95, cluster_key: user_id}  # if rows of one are alike: 80 values"
    )
    assert suggested in Path("eval.yaml").read_text()
    config = benison.EvalConfig.load("eval.yaml")
    assert not config.options.certainty.cluster_key
    sentence = "user_id has 80 values in 400 rows."
    checked = run("check-config", "eval.yaml", "-e", "eval.parquet").output
    judged = run("evaluate", "-e", "eval.parquet", "-c", "eval.yaml", "-o", "out").output
    assert (checked.count(sentence), judged.count(sentence)) == (1, 1)
    told = Path("eval.yaml").read_text().replace("  confidence: {level: 0.95}\n", "")
    Path("eval.yaml").write_text(told.replace("  # confidence:", "  confidence:"))
    assert (
        sentence not in run("evaluate", "-e", "eval.parquet", "-c", "eval.yaml", "-o", "b").output
    )
    pq.write_table(with_a_baseline(), "eval.parquet")  # in which each row has a trip_id of its own
    run("init", "eval.parquet", "--overwrite")
    assert "cluster_key" not in Path("eval.yaml").read_text()
