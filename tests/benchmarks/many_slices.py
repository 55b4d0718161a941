# SPDX-License-Identifier: Apache-2.0
"""A value and a change threshold on every one of many slices: what judging and writing cost.

Prints one JSON line: seconds of the stages, bytes of the files, and the number of checks.

    python tests/benchmarks/many_slices.py --slices 100000 --rows 1000000
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import benison

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.benchmarks.peak import peak_mb  # noqa: E402

# Each slice has both checks; with `fails` about half of them fail.
THRESHOLDS = {
    "value_threshold": {"lower_bound": 0.0},
    "change_threshold": {"direction": "HIGHER_IS_BETTER", "absolute": -2.0},
}
FAILING = {
    "value_threshold": {"lower_bound": 0.5},
    "change_threshold": {"direction": "HIGHER_IS_BETTER", "absolute": 0.0},
}


def generate(path: Path, rows: int, slices: int) -> None:
    """Labels, two predictions, and the slice of each row."""
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, rows).astype(np.float64)
    columns = {
        "label": label,
        "new": np.clip(0.25 * label + 0.75 * rng.random(rows), 0, 1),
        "old": np.clip(0.25 * label + 0.75 * rng.random(rows), 0, 1),
        "store": np.arange(rows) % slices,
    }
    pq.write_table(pa.table(columns), path)


def eval_config(fails: bool) -> dict[str, Any]:
    models = [
        {"name": name, "label_key": "label", "prediction_key": name, "is_baseline": name == "old"}
        for name in ("new", "old")
    ]
    accuracy = {"class_name": "BinaryAccuracy", "threshold": FAILING if fails else THRESHOLDS}
    return {
        "model_specs": models,
        "slicing_specs": [{}, {"feature_keys": ["store"]}],
        "metrics_specs": [{"metrics": [accuracy]}],
    }


def main() -> None:
    """Generate, evaluate, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--slices", type=int, default=100_000)
    parser.add_argument("--fails", action="store_true", help="bounds that half of the slices break")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data, output = Path(folder) / "trips.parquet", Path(folder) / "out"
        generate(data, options.rows, options.slices)
        config = eval_config(options.fails)
        benison.evaluate(data, config)  # the first run pays for imports
        started, cpu = time.monotonic(), time.process_time()
        result = benison.evaluate(data, config, output=output)
        seconds, cpu = time.monotonic() - started, time.process_time() - cpu
        peak = peak_mb()
        manifest = json.loads((output / "manifest.json").read_text())
        sizes = {name: file["bytes"] for name, file in manifest["files"].items()}
    figures = {
        "checks": result.verdict.total,
        "verdict": result.verdict.summary(),
        "seconds": {**manifest["seconds"], "all": round(seconds, 3), "cpu": round(cpu, 3)},
        "bytes": sizes,
        "peak_mb": round(peak),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
