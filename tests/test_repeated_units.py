# SPDX-License-Identifier: Apache-2.0
"""A column of users or sessions is suggested as the cluster_key."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
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


def test_a_column_that_cannot_be_read_is_in_nobodys_way(in_folder: Path) -> None:
    """As of a CSV file whose later values are of another type than the first."""
    table = with_a_baseline()
    pq.write_table(table, "eval.parquet")
    assert run("init", "eval.parquet").exit_code == 0
    for number, last in enumerate(("x", "1.5", "")):
        users = [*map(str, np.arange(ROWS - 1) % 80), last]
        pyarrow.csv.write_csv(table.append_column("user_id", pa.array(users)), "eval.csv")
        text = Path("eval.csv").read_text().replace('"', "")
        Path("eval.csv").write_text(text)
        done = run("evaluate", "-e", "eval.csv", "-c", "eval.yaml", "-o", f"out{number}")
        assert done.exit_code == 0, done.output
