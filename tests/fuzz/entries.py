# SPDX-License-Identifier: Apache-2.0
"""The entries of the fuzzer, in the order in which they are run."""

from __future__ import annotations

from tests.fuzz.cases import Entry

_ALL = (
    Entry("mapping", "configs", 340_000, "mapping"),
    Entry("json", "configs", 200_000, "json"),
    Entry("yaml", "configs", 40_000, "yaml"),
    Entry("textproto", "configs", 120_000, "textproto"),
    *(
        Entry(name, "files", 20_000, name)
        for name in ("parquet", "arrow", "stream", "csv", "jsonl", "tfrecord")
    ),
    *(Entry(name, "frames", 20_000, name) for name in ("pandas", "table", "polars")),
    Entry("scores", "score_files", 20_000),
    Entry("slices", "slices", 20_000),
    Entry("results", "results", 20_000),
    Entry("models", "model_files", 20_000),
    Entry("savedmodel", "saved_models", 2_000, of_a_child=100),
)

ENTRIES = {entry.name: entry for entry in _ALL}
