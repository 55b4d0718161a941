# SPDX-License-Identifier: Apache-2.0
"""The same rows in every form give the same values, slices and verdict."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import benison
from benison.data.tf_records import framed
from benison.models.arrays import as_examples as as_tf_examples
from tests.conftest import config

Rows = list[dict[str, Any]]


def as_frame(rows: Rows, folder: Path) -> Any:
    return pd.DataFrame(rows)


def as_table(rows: Rows, folder: Path) -> Any:
    return pa.Table.from_pylist(rows)


def as_polars(rows: Rows, folder: Path) -> Any:
    return pytest.importorskip("polars").DataFrame(rows, infer_schema_length=None)


def as_parquet(rows: Rows, folder: Path) -> str:
    pq.write_table(pa.Table.from_pylist(rows), folder / "rows.parquet")
    return str(folder / "rows.parquet")


def as_arrow(rows: Rows, folder: Path) -> str:
    table = pa.Table.from_pylist(rows)
    with pa.ipc.new_file(folder / "rows.arrow", table.schema) as writer:
        writer.write_table(table)
    return str(folder / "rows.arrow")


def as_stream(rows: Rows, folder: Path) -> str:
    table = pa.Table.from_pylist(rows)
    with pa.ipc.new_stream(folder / "stream.arrow", table.schema) as writer:
        writer.write_table(table)
    return str(folder / "stream.arrow")


def as_csv(rows: Rows, folder: Path) -> str:
    pd.DataFrame(rows).to_csv(folder / "rows.csv", index=False)
    return str(folder / "rows.csv")


def as_quoted_csv(rows: Rows, folder: Path) -> str:
    with (folder / "quoted.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(rows)
    return str(folder / "quoted.csv")


def as_tsv(rows: Rows, folder: Path) -> str:
    with (folder / "a.tsv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter="\t")
        writer.writeheader()
        writer.writerows(rows)
    return str(folder / "a.tsv")


def as_json(rows: Rows, folder: Path) -> str:
    lines = (json.dumps({k: v for k, v in row.items() if v is not None}) for row in rows)
    (folder / "rows.jsonl").write_text("\n".join(lines))
    return str(folder / "rows.jsonl")


def as_packed_json(rows: Rows, folder: Path) -> str:
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "rows.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    return str(folder / "rows.jsonl.gz")


def as_examples(rows: Rows, folder: Path) -> str:
    return write_examples(rows, folder / "rows.tfrecord")


def write_examples(rows: Rows, path: Path) -> str:
    """The rows as tf.Examples; a missing value is a feature that is left out."""
    pytest.importorskip("tfx_bsl")
    records = [as_tf_examples(pa.RecordBatch.from_pylist([row]))[0] for row in rows]
    path.write_bytes(b"".join(map(framed, records)))
    return str(path)


FORMS: Sequence[Callable[[Rows, Path], Any]] = (
    as_frame, as_table, as_polars, as_parquet, as_arrow, as_stream, as_csv, as_quoted_csv, as_tsv,
    as_json, as_packed_json, as_examples,
)  # fmt: skip


def rows_with_gaps(n: int = 40) -> Rows:
    """Every kind of column, each with missing values, in the last row too."""
    rng = np.random.default_rng(1)
    rows: Rows = []
    for i in range(n):
        rows.append(
            {
                "label": None if i % 10 == 7 else float(rng.integers(0, 2)),
                "prediction": round(float(rng.random()), 3),
                "shop": [None, "a", "NA", "b, c", "É"][i % 5],
                "hour": None if i % 7 == 6 else int(rng.integers(0, 24)),
                "version": ["3.1", "3.10", None, "03"][i % 4],
            }
        )
    rows[-1] |= {"label": None, "shop": None, "hour": None, "version": None}
    return rows


ROWS = rows_with_gaps()


def values_of(result: benison.EvalResult) -> dict[tuple[str, str], tuple[int, str]]:
    """Examples and value of each metric in each slice; a feature of tf.Examples has 24 bits."""
    return {
        (row["slice"], row["metric"]): (row["examples"], f"{row['value']:.6f}")
        for row in result.metrics.to_pylist()
    }


def evaluated(examples: Any, *features: str, **more: Any) -> benison.EvalResult:
    slices = [{}, *({"feature_keys": [feature]} for feature in features)]
    bounded = {
        "class_name": "ExampleCount",
        "per_slice_thresholds": [
            {
                "slicing_specs": [{"feature_values": {"version": "3.10"}}],
                "threshold": {"value_threshold": {"lower_bound": 3, "upper_bound": 11}},
            }
        ],
    }
    metrics = [bounded if "version" in features else "ExampleCount", "MeanPrediction", "AUC"]
    return benison.evaluate(examples, config(*metrics, slices=slices, **more))


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_every_form_of_the_same_rows_gives_the_same(
    form: Callable[[Rows, Path], Any], tmp_path: Path
) -> None:
    result = evaluated(form(ROWS, tmp_path), "shop", "hour", "version")
    expected: dict[str, int] = {"Overall": len(ROWS)}
    for name in ("shop", "hour", "version"):
        for row in ROWS:
            if row[name] is not None:
                key = f"{name}={row[name]}"
                expected[key] = expected.get(key, 0) + 1
    values = values_of(result)
    assert {name: examples for (name, _), (examples, _) in values.items()} == expected
    table = as_table(ROWS, tmp_path)
    assert values == values_of(evaluated(table, "shop", "hour", "version"))
    assert result.verdict.status == "blessed"


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_labels_that_are_text_are_the_same_in_every_form(
    form: Callable[[Rows, Path], Any], tmp_path: Path
) -> None:
    pairs = [("a", "a"), ("b", "c"), (None, "d"), ("e", "e")]
    rows: Rows = [{"label": label, "prediction": score} for label, score in pairs]
    result = benison.evaluate(form(rows, tmp_path), config("ExactMatch"))
    assert result.value("exact_match") == pytest.approx(2 / 3)
    assert result.manifest["missing"] == {"labels": 1, "predictions": 0}
