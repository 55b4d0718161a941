# SPDX-License-Identifier: Apache-2.0
"""This file times the Evaluator step of a TFX pipeline: TFX's own and Benison's, on the same data and model.

    python tests/benchmarks/tfx_step.py --rows 5000 100000 --repeat 3

A step's time is what ML Metadata has of it, from the start of the execution to its end, without imports.
Both steps run in one process, in turn, and their values are compared.
"""

from __future__ import annotations

import argparse
import json
import logging
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import benison
from benison.evaluator.tfx_v1 import import_tfx
from benison.lineage.store import Store

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "pipelines"))

JUDGED = {"class_name": "AUC", "threshold": {"value_threshold": {"lower_bound": 0.5}}}
METRICS = (
    "ExampleCount",
    "BinaryAccuracy",
    "Precision",
    "Recall",
    "MeanLabel",
    "MeanPrediction",
    "CalibrationPlot",
    "ConfusionMatrixPlot",
)
CONFIG: dict[str, Any] = {
    "model_specs": [{"label_key": "big_tipper"}],
    "slicing_specs": [{}, {"feature_keys": ["trip_start_hour"]}],
    "metrics_specs": [{"metrics": [JUDGED, *({"class_name": name} for name in METRICS)]}],
}


def prepare(rows: int, folder: Path) -> None:
    """Examples as an ExampleGen leaves them, and a model as a Trainer does."""
    from taxi_local import read_trips, train, write_examples

    trips = read_trips()
    train(trips, True, folder / "model" / "Format-Serving")
    drawn = np.random.default_rng(0).integers(0, len(trips), rows)
    path = folder / "examples" / "Split-eval" / "data_tfrecord-00000-of-00001.gz"
    write_examples((trips[i] for i in drawn), path)


def step(tfx: Any, folder: Path, evaluator: Any, eval_config: Any) -> tuple[float, Any]:
    """Seconds of the Evaluator's execution, and its evaluation."""
    kinds = tfx.types.standard_artifacts
    examples = tfx.dsl.Importer(
        source_uri=str(folder / "examples"),
        artifact_type=kinds.Examples,
        properties={"split_names": '["eval"]'},
    ).with_id("examples")
    model = tfx.dsl.Importer(source_uri=str(folder / "model"), artifact_type=kinds.Model).with_id(
        "model"
    )
    judge = evaluator(
        examples=examples.outputs["result"], model=model.outputs["result"], eval_config=eval_config
    )
    root = Path(tempfile.mkdtemp(dir=folder))
    metadata = tfx.orchestration.metadata.sqlite_metadata_connection_config(str(root / "m.db"))
    pipeline = tfx.dsl.Pipeline("bench", str(root), metadata, [examples, model, judge])
    tfx.orchestration.LocalDagRunner().run(pipeline)
    return seconds_of_evaluator(root / "m.db"), next((root / "Evaluator/evaluation").iterdir())


def seconds_of_evaluator(path: Path) -> float:
    store = Store.open(f"sqlite:///{path}")
    (actual,) = (e for e in store.get_executions() if e.type.endswith("Evaluator"))
    return float(actual.last_update_time_since_epoch - actual.create_time_since_epoch) / 1000


def check_equal(ours: Path, theirs: Path) -> None:
    """Every value of TFX's on every slice is ours."""
    import tensorflow_model_analysis as tfma

    result = benison.load_result(ours)
    compared = 0
    for key, metrics in tfma.load_eval_result(str(theirs)).slicing_metrics:
        for name, value in metrics[""][""].items():
            if "doubleValue" in value:
                actual = result.value(name, slice={k: str(v) for k, v in key})
                np.testing.assert_allclose(actual, value["doubleValue"], rtol=1e-6, err_msg=name)
                compared += 1
    assert compared > 50, compared


def main() -> None:
    """Print a row for each number of rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[5_000, 100_000])
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    tfx = import_tfx()
    logging.disable(logging.WARNING)
    import tensorflow_model_analysis as tfma
    from google.protobuf import json_format

    from benison.evaluator.component import Evaluator

    contestants = {
        "TFX": (tfx.components.Evaluator, json_format.ParseDict(CONFIG, tfma.EvalConfig())),
        "Benison": (Evaluator, CONFIG),
    }
    table = Table("rows", "TFX, seconds", "Benison, seconds", "TFX / Benison")
    for rows in arguments.rows:
        with tempfile.TemporaryDirectory() as name:
            prepare(rows, Path(name))
            times: dict[str, list[float]] = {who: [] for who in contestants}
            evaluations = {}
            for _ in range(arguments.repeat):
                for who, choice in contestants.items():
                    seconds, evaluations[who] = step(tfx, Path(name), *choice)
                    times[who].append(seconds)
            check_equal(evaluations["Benison"], evaluations["TFX"])
        theirs, ours = (statistics.median(times[who]) for who in contestants)
        table.add_row(f"{rows:,}", f"{theirs:.2f}", f"{ours:.2f}", f"{theirs / ours:.1f} x")
        print(json.dumps({"rows": rows, **times}), file=sys.stderr)
    Console().print(table)


if __name__ == "__main__":
    main()
