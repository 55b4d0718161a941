# SPDX-License-Identifier: Apache-2.0
"""The contestants of the benchmark, each the same task in its own way, in its own process.

Prints one JSON line: seconds without imports, processor time of the whole process, peak memory, and some
values for the check of agreement.
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.benchmarks.peak import peak_mb  # noqa: E402

Values = dict[str, float]
Task = Callable[[str], Values]
SPECS: tuple[tuple[str, ...], ...] = ((), ("hour",), ("payment",), ("company",))
METRICS = (
    "ExampleCount",
    "AUC",
    "BinaryAccuracy",
    "Precision",
    "Recall",
    "MeanLabel",
    "MeanPrediction",
)
SHOWN = ("example_count", "auc", "binary_accuracy", "precision", "recall", "mean_prediction")


def eval_config(specs: tuple[tuple[str, ...], ...] = SPECS) -> dict[str, Any]:
    return {
        "model_specs": [{"label_key": "label", "prediction_key": "prediction"}],
        "slicing_specs": [{"feature_keys": list(spec)} for spec in specs],
        "metrics_specs": [{"metrics": [{"class_name": name} for name in METRICS]}],
    }


def benison(specs: tuple[tuple[str, ...], ...] = SPECS, **changes: Any) -> Task:
    import benison

    evaluate = benison.evaluate  # imports what it needs, which is not timed for others either
    config = eval_config(specs) | changes
    model = config["model_specs"][0].get("name", "")

    def task(path: str) -> Values:
        with tempfile.TemporaryDirectory() as folder:
            result = evaluate(path, config, output=Path(folder) / "out")
        chosen = "Overall" if () in specs else result.slices()[0]
        shown = [name for name in SHOWN if name in result.metric_names()]
        return {name: result.value(name, slice=chosen, model=model) for name in shown}

    return task


def command() -> Task:
    """By the command, in this process."""
    from benison.__main__ import main

    def task(path: str) -> Values:
        with tempfile.TemporaryDirectory() as folder, contextlib.suppress(SystemExit):
            config = Path(folder) / "eval.json"
            config.write_text(json.dumps(eval_config()), encoding="utf-8")
            words = {"--examples": path, "--config": config, "--output": Path(folder) / "out"}
            sys.argv = ["benison", "evaluate", *(str(w) for pair in words.items() for w in pair)]
            main()
        return {}

    return task


def adding_up() -> Task:
    """Without the metric of ranks, whose states grow with the number of scores."""
    metrics = [{"class_name": name} for name in METRICS if name != "AUC"]
    return benison(metrics_specs=[{"metrics": metrics}])


def resampled(method: str) -> Task:
    """With intervals by one of TFMA's methods."""
    intervals = {"compute_confidence_intervals": True, "confidence_intervals": {"method": method}}
    return benison(options=intervals)


def compared(confidence: Any) -> Task:
    """With a baseline, whose predictions are the candidate's own."""
    keys = {"label_key": "label", "prediction_key": "prediction"}
    models = [{"name": "candidate", **keys}, {"name": "baseline", "is_baseline": True, **keys}]
    return benison(model_specs=models, options={"confidence": confidence})


def scan() -> Task:
    """Only reading the columns, texts as codes: the least that anyone can do."""
    import pyarrow.parquet as pq

    def task(path: str) -> Values:
        with pq.ParquetFile(path, read_dictionary=["payment", "company"], pre_buffer=True) as file:
            rows = sum(batch.num_rows for batch in file.iter_batches(2**19))
        return {"example_count": float(rows)}

    return task


def bare_csv() -> Task:
    """Only reading the rows of CSV."""
    from pyarrow import csv

    def task(path: str) -> Values:
        with csv.open_csv(path, csv.ReadOptions(block_size=2**24)) as reader:
            return {"example_count": float(sum(batch.num_rows for batch in reader))}

    return task


def bare_json() -> Task:
    """Only reading the rows of JSON Lines."""
    from pyarrow import json as arrow_json

    options = arrow_json.ReadOptions(block_size=2**24)
    return lambda path: {"example_count": float(arrow_json.read_json(path, options).num_rows)}


def bare_tfrecord() -> Task:
    """Only reading and parsing the rows of TFRecord, as tf.data does it."""
    import tensorflow as tf

    def task(path: str) -> Values:
        number, text = tf.io.FixedLenFeature([], tf.float32), tf.io.FixedLenFeature([], tf.string)
        kinds = {"label": number, "prediction": number, "payment": text, "company": text}
        kinds["hour"] = tf.io.FixedLenFeature([], tf.int64)
        batches = tf.data.TFRecordDataset(path).batch(2**14)
        parsed = batches.map(lambda rows: tf.io.parse_example(rows, kinds))
        return {"example_count": float(sum(len(batch["label"]) for batch in parsed))}

    return task


def importing() -> Task:
    """Only what the argument imports."""

    def task(statement: str) -> Values:
        exec(statement, {})  # noqa: S102
        return {}

    return task


def area(positive: Any, negative: Any) -> float:
    import numpy as np

    tp, fp = np.cumsum(positive[::-1]), np.cumsum(negative[::-1])
    return float(np.trapezoid(np.r_[0, tp] / tp[-1], np.r_[0, fp] / fp[-1]))


def rates(n: float, y: float, p: float, tp: float, pp: float, auc: float) -> Values:
    right = tp + (n - y) - (pp - tp)
    values = (n, auc, right / n, tp / pp, tp / y, p / n)
    return dict(zip(SHOWN, values, strict=True))


def polars() -> Task:
    import polars as pl

    above, label, p = pl.col("prediction") > 0.5, pl.col("label"), pl.col("prediction")
    sums = [pl.len().alias("n"), label.sum().alias("y"), p.sum().alias("p")]
    counts = [(above & (label == 1)).sum().alias("tp"), above.sum().alias("pp")]

    def one_spec(frame: Any, keys: list[str]) -> list[Values]:
        rows = {
            tuple(r[k] for k in keys): r for r in frame.group_by(keys).agg(sums + counts).to_dicts()
        }
        bins = frame.group_by([*keys, "bin"]).agg(sums[:2]).sort([*keys, "bin"])
        values = []
        for key, group in bins.group_by(keys, maintain_order=True):
            y, n = group["y"].to_numpy(), group["n"].to_numpy()
            values.append(
                rates(**{k: rows[key][k] for k in ("n", "y", "p", "tp", "pp")}, auc=area(y, n - y))
            )
        return values

    def task(path: str) -> Values:
        binned = (p * 10_000).floor().cast(pl.Int32).alias("bin")
        frame = pl.read_parquet(path).with_columns(binned, pl.lit(0).alias("all"))
        return [one_spec(frame, list(spec) or ["all"]) for spec in SPECS][0][0]

    return task


def duckdb() -> Task:
    import duckdb as db
    import numpy as np

    query = """
        SELECT hour, payment, company, GROUPING_ID(hour, payment, company) AS level, bin,
               COUNT(*) AS n, SUM(label) AS y, SUM(prediction) AS p,
               COUNT(*) FILTER (prediction > 0.5 AND label = 1) AS tp,
               COUNT(*) FILTER (prediction > 0.5) AS pp
        FROM (SELECT *, CAST(FLOOR(prediction * 10000) AS INTEGER) AS bin FROM read_parquet(?))
        GROUP BY GROUPING SETS ((bin), (hour, bin), (payment, bin), (company, bin))
    """

    def task(path: str) -> Values:
        actual = db.execute(query, [path]).fetchnumpy()
        overall = actual["level"] == 7
        order = np.argsort(actual["bin"][overall])
        sums = {
            k: np.asarray(actual[k][overall], float)[order] for k in ("n", "y", "p", "tp", "pp")
        }
        auc = area(sums["y"], sums["n"] - sums["y"])
        return rates(**{k: float(v.sum()) for k, v in sums.items()}, auc=auc)

    return task


def fairlearn() -> Task:
    import pandas as pd
    from fairlearn.metrics import MetricFrame, count
    from sklearn import metrics as sk

    judged = {
        "binary_accuracy": sk.accuracy_score,
        "precision": sk.precision_score,
        "recall": sk.recall_score,
    }

    def task(path: str) -> Values:
        frame = pd.read_parquet(path)
        hard = (frame.prediction > 0.5).astype(int)
        values: Values = {}
        for spec in SPECS[1:]:
            groups = {"y_true": frame.label, "sensitive_features": frame[list(spec)]}
            rates = MetricFrame(metrics={"example_count": count, **judged}, y_pred=hard, **groups)
            auc = MetricFrame(metrics={"auc": sk.roc_auc_score}, y_pred=frame.prediction, **groups)
            values = {**rates.overall.to_dict(), **auc.overall.to_dict()}
        return values

    return task


def tfma() -> Task:
    import pandas as pd
    import tensorflow_model_analysis as tfma
    from google.protobuf import json_format
    from tensorflow_model_analysis.proto import config_pb2

    def task(path: str) -> Values:
        config = json_format.ParseDict(eval_config(), config_pb2.EvalConfig())
        result = tfma.analyze_raw_data(pd.read_parquet(path), config)
        overall = dict(result.slicing_metrics)[()][""][""]
        return {name: overall[name]["doubleValue"] for name in SHOWN}

    return task


CONTESTANTS: dict[str, Callable[[], Task]] = {
    "benison": benison,
    "command": command,
    "benison-overall": lambda: benison(((),)),
    "benison-company": lambda: benison((("company",),)),
    "benison-adding-up": adding_up,
    "benison-jackknife": lambda: resampled("JACKKNIFE"),
    "benison-bootstrap": lambda: resampled("POISSON_BOOTSTRAP"),
    "benison-compared": lambda: compared("off"),
    "benison-evidence": lambda: compared({"level": 0.95}),
    "scan": scan,
    "bare-tfrecord": bare_tfrecord,
    "bare-csv": bare_csv,
    "bare-jsonl": bare_json,
    "import": importing,
    "polars": polars,
    "duckdb": duckdb,
    "fairlearn": fairlearn,
    "tfma": tfma,
}


def main() -> None:
    task = CONTESTANTS[sys.argv[1]]()
    started = time.monotonic()
    values = task(sys.argv[2])
    seconds, cpu = time.monotonic() - started, time.process_time()
    peak = peak_mb()
    values = {name: float(value) for name, value in values.items()}
    print(json.dumps({"seconds": seconds, "cpu": cpu, "peak_mb": peak, "values": values}))


if __name__ == "__main__":
    main()
