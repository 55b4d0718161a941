# SPDX-License-Identifier: Apache-2.0
"""What an evaluation costs beside its model: against a bare loop that only predicts.

The model is a network of three layers of 256 on 17 taxi-like features. Both sides load the model, read
the same files and predict batches of one size, in turn in one process; the bare loop then throws the
predictions away, and Benison computes seven metrics on 147 slices and writes its results.

    python tests/benchmarks/model_bound.py savedmodel-examples FOLDER ROWS     prints one JSON line
"""

from __future__ import annotations

import gzip
import json
import os
import statistics
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import benison
from benison.models import onnx
from benison.models.arrays import as_examples
from benison.models.savedmodel import CALL_ROWS, tensorflow

FLOATS = [f"number_{i}" for i in range(9)]
WHOLE = {"hour": 24, "day": 7, "month": 12, "pickup": 77, "dropoff": 77, "passengers": 6}
TEXTS = {"payment": 8, "company": 114}
METRICS = [
    "ExampleCount",
    "AUC",
    "BinaryAccuracy",
    "Precision",
    "Recall",
    "MeanLabel",
    "MeanPrediction",
]
UNITS, RUNS = 256, 5
Loop = Callable[[], int]


class Model:
    """Counts the seconds that calls take."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self.call = call
        self.seconds = 0.0

    def __call__(self, **columns: Any) -> int:
        started = time.monotonic()
        rows = len(self.call(**columns))
        self.seconds += time.monotonic() - started
        return rows


def trips(rows: int) -> Iterator[pa.RecordBatch]:
    """Generated trips with a label."""
    rng = np.random.default_rng(0)
    names = {name: pa.array([f"{name} {i}" for i in range(n)]) for name, n in TEXTS.items()}
    for start in range(0, rows, 50_000):
        n = min(50_000, rows - start)
        label = rng.integers(0, 2, n)
        columns: dict[str, Any] = {"label": label}
        columns |= {name: (rng.gamma(2, 5, n) + label).astype(np.float32) for name in FLOATS}
        columns |= {name: rng.integers(0, size, n) for name, size in WHOLE.items()}
        chosen = {name: pa.array(rng.integers(0, size, n)) for name, size in TEXTS.items()}
        columns |= {name: names[name].take(chosen[name]) for name in TEXTS}
        yield pa.RecordBatch.from_pydict(columns)


def write_parquet(rows: int, path: Path) -> None:
    batches = list(trips(rows))
    with pq.ParquetWriter(path, batches[0].schema) as writer:
        for batch in batches:
            writer.write_batch(batch)


def write_tfrecord(rows: int, path: Path) -> None:
    """As TFX's ExampleGen writes them; TensorFlow's own writer takes ten times as long."""
    import google_crc32c

    def check(data: bytes) -> bytes:
        crc = google_crc32c.value(data)
        return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)

    with gzip.open(path, "wb", compresslevel=6) as file:
        for batch in trips(rows):
            for record in as_examples(batch):
                length = struct.pack("<Q", len(record))
                file.write(length + check(length) + record + check(record))


def write_saved_model(folder: Path) -> None:
    """The network behind two signatures: serialized tf.Examples, and features by name."""
    tf = tensorflow()
    layers = tf.keras.layers
    inputs = {name: tf.keras.Input((1,), name=name) for name in FLOATS}
    parts = [layers.Rescaling(0.1)(inputs[name]) for name in FLOATS]
    for name, size in WHOLE.items():
        inputs[name] = tf.keras.Input((1,), name=name, dtype="int64")
        parts.append(layers.Flatten()(layers.Embedding(size, 4)(inputs[name])))
    for name, size in TEXTS.items():
        inputs[name] = tf.keras.Input((1,), name=name, dtype="string")
        number = layers.StringLookup(vocabulary=[f"{name} {i}" for i in range(size)])
        parts.append(layers.Flatten()(layers.Embedding(size + 1, 4)(number(inputs[name]))))
    hidden = layers.Concatenate()(parts)
    for _ in range(3):
        hidden = layers.Dense(UNITS, activation="relu")(hidden)
    model = tf.keras.Model(inputs, layers.Dense(1, activation="sigmoid")(hidden))
    features = {name: tf.io.FixedLenFeature([1], x.dtype) for name, x in inputs.items()}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serialized(examples: Any) -> Any:
        return {"outputs": model(tf.io.parse_example(examples, features))}

    @tf.function(
        input_signature=[
            {name: tf.TensorSpec([None, 1], x.dtype, name) for name, x in inputs.items()}
        ]
    )
    def named(columns: Any) -> Any:
        return {"outputs": model(columns)}

    signatures = {"serving_default": serialized, "named": named}
    tf.saved_model.save(model, str(folder), signatures=signatures)


def write_onnx(path: Path) -> None:
    """The same network on the numbers alone, each an input of its own name."""
    from onnx import TensorProto, helper, numpy_helper, save

    rng = np.random.default_rng(0)
    inputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [None, 1]) for n in FLOATS]
    nodes, weights = [helper.make_node("Concat", FLOATS, ["hidden0"], axis=1)], []
    sizes = [len(FLOATS), UNITS, UNITS, UNITS, 1]
    for i in range(4):
        table = (rng.normal(size=sizes[i : i + 2]) / np.sqrt(sizes[i])).astype(np.float32)
        zeros = np.zeros(sizes[i + 1], np.float32)
        weights += [numpy_helper.from_array(x, f"{n}{i}") for x, n in ((table, "w"), (zeros, "b"))]
        nodes.append(helper.make_node("Gemm", [f"hidden{i}", f"w{i}", f"b{i}"], [f"sum{i}"]))
        last = ("Sigmoid", "outputs") if i == 3 else ("Relu", f"hidden{i + 1}")
        nodes.append(helper.make_node(last[0], [f"sum{i}"], [last[1]]))
    outputs = [helper.make_tensor_value_info("outputs", TensorProto.FLOAT, [None, 1])]
    graph = helper.make_graph(nodes, "taxi", inputs, outputs, weights)
    opset = [helper.make_opsetid("", 17)]
    save(helper.make_model(graph, opset_imports=opset, ir_version=9), path)


def signature_of(model: Path, name: str) -> Model:
    signature = tensorflow().saved_model.load(str(model)).signatures[name]
    return Model(lambda **columns: signature(**columns)["outputs"].numpy())


def examples_loop(examples: Path, model: Path) -> tuple[int, Model]:
    """TensorFlow reads and predicts."""
    predict = signature_of(model, "serving_default")
    files = tensorflow().data.TFRecordDataset(str(examples), "GZIP", buffer_size=2**20)
    return sum(predict(examples=batch) for batch in files.batch(CALL_ROWS)), predict


def named_loop(examples: Path, model: Path) -> tuple[int, Model]:
    """Arrow reads the columns, TensorFlow predicts."""
    predict, constant = signature_of(model, "named"), tensorflow().constant
    batches = columns(examples, [*FLOATS, *WHOLE, *TEXTS], CALL_ROWS)
    return sum(predict(**{n: constant(c) for n, c in x.items()}) for x in batches), predict


def onnx_loop(examples: Path, model: Path) -> tuple[int, Model]:
    """Arrow reads the columns, ONNX Runtime predicts."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(model))
    predict = Model(lambda **inputs: session.run(["outputs"], inputs)[0])
    return sum(predict(**batch) for batch in columns(examples, FLOATS, onnx.CALL_ROWS)), predict


def columns(examples: Path, names: list[str], rows: int) -> Iterator[dict[str, Any]]:
    with pq.ParquetFile(examples) as file:
        for batch in file.iter_batches(rows, columns=names):
            arrays = (batch.column(name).to_numpy(zero_copy_only=False) for name in names)
            yield {name: array.reshape(-1, 1) for name, array in zip(names, arrays, strict=True)}


def evaluation(examples: Path, model: Path, signature: str, **options: Any) -> Loop:
    config = {
        "model_specs": [{"label_key": "label", "signature_name": signature}],
        "slicing_specs": [{}, *({"feature_keys": [n]} for n in ("hour", "payment", "company"))],
        "metrics_specs": [{"metrics": [{"class_name": name} for name in METRICS]}],
    }

    def loop() -> int:
        with tempfile.TemporaryDirectory() as folder:
            output = Path(folder) / "out"
            result = benison.evaluate(examples, config, model=model, output=output, **options)
        return int(result.value("example_count"))

    return loop


Bare = Callable[[Path, Path], tuple[int, Model]]
CASES: dict[str, tuple[str, str, str, Bare]] = {
    "savedmodel-examples": ("trips-{}.tfrecord.gz", "taxi", "serving_default", examples_loop),
    "savedmodel-named": ("trips-{}.parquet", "taxi", "named", named_loop),
    "onnx": ("trips-{}.parquet", "taxi.onnx", "", onnx_loop),
}
MAKERS: dict[str, Callable[..., None]] = {
    ".gz": write_tfrecord,
    ".parquet": write_parquet,
    ".onnx": write_onnx,
    "": write_saved_model,
}


def made(path: Path, *arguments: Any) -> Path:
    """A file of the benchmark, written once and kept."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"partial-{path.name}")
        MAKERS[path.suffix](*arguments, partial)
        partial.rename(path)
    return path


def measured(case: str, folder: Path, rows: int) -> dict[str, float]:
    """Medians of both, which run in turn after a run of each that nobody counts."""
    data, model_name, signature, bare = CASES[case]
    examples = made(folder / data.format(rows), rows)
    model = made(folder / model_name)
    evaluate = evaluation(examples, model, signature)
    values: dict[str, list[float]] = {"bare": [], "model": [], "benison": []}
    for _ in range(RUNS + 1):
        started = time.monotonic()
        seen, predict = bare(examples, model)
        between = time.monotonic()
        assert seen == evaluate() == rows
        values["bare"].append(between - started)
        values["model"].append(predict.seconds)
        values["benison"].append(time.monotonic() - between)
    return {name: statistics.median(times[1:]) for name, times in values.items()}


def workers(folder: Path, rows: int) -> dict[str, float]:
    """Seconds on Beam's direct runner by its processes, and of one that has a single row group to read."""
    # A worker stands for a machine with one core, so that the model must not take the other's.
    os.environ |= {f"TF_NUM_{kind}_THREADS": "1" for kind in ("INTRAOP", "INTEROP")}
    model = made(folder / "taxi")
    values = {}
    # The first run of anything pays for a cold disk, so that it is run twice.
    for name, count, size in (*[("start", 1, 50_000)] * 2, ("1", 1, rows), ("2", 2, rows)):
        examples = made(folder / f"trips-{size}.parquet", size)
        options = ["--direct_running_mode=multi_processing", f"--direct_num_workers={count}"]
        evaluate = evaluation(examples, model, "named", engine="beam", engine_options=options)
        started = time.monotonic()
        assert evaluate() == size
        values[name] = time.monotonic() - started
    return values


if __name__ == "__main__":
    case, folder, rows = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    print(json.dumps(workers(folder, rows) if case == "workers" else measured(case, folder, rows)))
