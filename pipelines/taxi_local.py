# SPDX-License-Identifier: Apache-2.0
"""The demo: two candidates against a baseline on the Chicago taxi sample, on one machine.

The question is whether a passenger tips more than a fifth of the fare. The model in use is a small
linear one. The first candidate is larger and as good overall, but its training data lost the tips of
one taxi company, as happens when one source of a join changes: it has learned that this company's
passengers never tip. Benison refuses it on evidence, says which company, and finds the slice that got
worse, company and payment together, of which the config has no word. The second candidate is the same
model trained on whole data.

    python pipelines/taxi_local.py --output demo-output
"""

from __future__ import annotations

import argparse
import csv
import importlib
import importlib.util
import os
import shlex
import shutil
import sys
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

import benison
from benison import terminal
from benison.models.savedmodel import tensorflow
from benison.terminal.weak_slice_table import weak_slices

tf = tensorflow()
# It imports TensorFlow, which is quiet only where it was imported as above.
keras: Any = importlib.import_module("keras")

HERE = Path(__file__).resolve().parent
SAMPLE = "examples/chicago_taxi_pipeline/data/simple/data.csv"
PIPELINE = "taxi"
LOSING_COMPANY = "Blue Ribbon Taxi Association Inc."
NUMBERS = ("fare", "trip_miles", "trip_seconds")
TEXTS = ("payment_type", "company")
SPEC = {
    **{name: tf.io.FixedLenFeature([], tf.float32, default_value=0.0) for name in NUMBERS},
    **{name: tf.io.FixedLenFeature([], tf.string, default_value="") for name in TEXTS},
    "trip_start_hour": tf.io.FixedLenFeature([], tf.int64),
}
Row = dict[str, str]


def read_trips() -> list[Row]:
    """The trips of the sample that the tfx package carries."""
    package = importlib.util.find_spec("tfx")
    if package is None or package.origin is None:
        raise SystemExit("The taxi sample comes with the tfx package; run: make demo")
    with (Path(package.origin).parent / SAMPLE).open(newline="") as file:
        return list(csv.DictReader(file))


def is_for_evaluation(trip: Row) -> bool:
    """A third of the trips, the same ones in each run."""
    return zlib.crc32(repr(sorted(trip.items())).encode()) % 3 == 0


def is_big_tipper(trip: Row) -> bool:
    """The label."""
    return float(trip["tips"]) > 0.2 * float(trip["fare"])


def as_example(trip: Row) -> Any:
    """A trip as a tf.Example, without what is missing."""
    features: dict[str, Any] = {}
    for name in NUMBERS:
        if trip[name]:
            values = tf.train.FloatList(value=[float(trip[name])])
            features[name] = tf.train.Feature(float_list=values)
    for name in TEXTS:
        if trip[name]:
            text = tf.train.BytesList(value=[trip[name].encode()])
            features[name] = tf.train.Feature(bytes_list=text)
    for name, number in (
        ("trip_start_hour", trip["trip_start_hour"]),
        ("big_tipper", is_big_tipper(trip)),
    ):
        whole = tf.train.Int64List(value=[int(number)])
        features[name] = tf.train.Feature(int64_list=whole)
    return tf.train.Example(features=tf.train.Features(feature=features))


def write_examples(trips: Iterable[Row], path: Path) -> None:
    """Trips as a gzip TFRecord file, as TFX's ExampleGen writes them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path), tf.io.TFRecordOptions("GZIP")) as writer:
        for trip in trips:
            writer.write(as_example(trip).SerializeToString())


def lose_tips(trips: Iterable[Row]) -> list[Row]:
    """What a changed source did to the training data of the first candidate."""
    return [{**t, "tips": "0"} if t["company"] == LOSING_COMPANY else t for t in trips]


def feature_columns(trips: list[Row], wide: bool) -> list[Any]:
    """Keras layers that turn raw features into numbers, fitted to the trips."""
    layers = keras.layers
    encoded = []
    for name in TEXTS if wide else TEXTS[:1]:
        lookup = layers.StringLookup(output_mode="one_hot", num_oov_indices=1)
        lookup.adapt(np.array(sorted({t[name] for t in trips})))
        encoded.append((name, tf.string, lookup))
    for name in NUMBERS if wide else NUMBERS[:1]:
        numbers = np.log1p([float(t[name] or 0) for t in trips])
        scale = layers.Normalization(mean=numbers.mean(), variance=numbers.var())
        encoded.append((name, tf.float32, lambda x, scale=scale: scale(keras.ops.log1p(x))))
    hours = layers.CategoryEncoding(24, output_mode="one_hot")
    return [*encoded, ("trip_start_hour", tf.int64, hours)]


def build(trips: list[Row], wide: bool) -> Any:
    """A linear model on three features, or a network on all."""
    inputs, parts = {}, []
    for name, dtype, encode in feature_columns(trips, wide):
        inputs[name] = keras.Input((1,), name=name, dtype=dtype)
        parts.append(encode(inputs[name]))
    hidden = keras.layers.Concatenate()(parts)
    for units in (64, 32) if wide else ():
        hidden = keras.layers.Dense(units, activation="relu")(hidden)
    score = keras.layers.Dense(1, activation="sigmoid")(hidden)
    return keras.Model(inputs, score)


def arrays(trips: list[Row], names: Iterable[str]) -> dict[str, Any]:
    """The features of all trips as columns."""
    columns: dict[str, Any] = {}
    for name in names:
        values = [t[name] for t in trips]
        if name in TEXTS:
            columns[name] = tf.constant(values)[:, None]
        elif name in NUMBERS:
            columns[name] = tf.constant([float(v or 0) for v in values])[:, None]
        else:
            columns[name] = tf.constant([int(v) for v in values], tf.int64)[:, None]
    return columns


def train(trips: list[Row], wide: bool, path: Path) -> None:
    """Train a model in a few seconds and save it with a signature on serialized tf.Examples."""
    keras.utils.set_random_seed(7)
    model = build(trips, wide)
    # More epochs on this little data teach the network the noise of the rarer hours.
    rate, epochs = (0.002, 5) if wide else (0.01, 12)
    model.compile(keras.optimizers.Adam(rate), "binary_crossentropy")
    labels = np.array([is_big_tipper(t) for t in trips], np.float32)
    model.fit(arrays(trips, model.input), labels, batch_size=256, epochs=epochs, verbose=0)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])  # type: ignore[untyped-decorator]
    def serve(examples: Any) -> Any:
        parsed = tf.io.parse_example(examples, SPEC)
        return {"probabilities": model({name: parsed[name][:, None] for name in model.input})}

    tf.saved_model.save(model, str(path), signatures={"serving_default": serve})


def judge(name: str, output: Path, console: Console) -> benison.EvalResult:
    """Evaluate one candidate against the baseline and print the verdict."""
    console.rule(f"{name} against the baseline")
    with terminal.progress() as progress:
        result = benison.evaluate(
            str(output / "eval" / "*.gz"),
            HERE / "taxi_config.yaml",
            model=output / "models" / name,
            baseline=output / "models" / "baseline",
            output=output / name,
            metadata=f"sqlite:///{output.resolve()}/metadata.db?create=true",
            pipeline=PIPELINE,
            run=name,
            progress=progress,
        )
    terminal.verdict(result, console)
    weak_slices(result)
    return result


def prepare(output: Path) -> None:
    """Empty the folder of an earlier run; a folder of anything else is left alone."""
    mark = output / ".taxi-demo"
    if output.is_file() or (output.is_dir() and any(output.iterdir()) and not mark.exists()):
        raise SystemExit(f"{output} is not a demo's; name another folder with --output.")
    if output.exists():
        shutil.rmtree(output)
    output.mkdir(parents=True)
    mark.touch()


def say_what_next(output: Path, console: Console) -> None:
    """Where the results are, and commands that run as they are printed."""
    installed = shutil.which("benison")
    python = shlex.quote(os.path.relpath(sys.executable))
    command = "benison" if installed else f"{python} -m benison"
    first, second = (shlex.quote(str(output / name)) for name in ("candidate-1", "candidate-2"))
    store = shlex.quote(f"sqlite:///{output}/metadata.db")
    console.rule("what to try next")
    console.print(
        f"""The reports, to open in a browser:
  {output}/candidate-1/report.html
  {output}/candidate-2/report.html

Try:
  {command} show {first} --metric binary_accuracy
  {command} verify {second}
  {command} blessings --metadata {store} --pipeline {PIPELINE}
  {command} lineage {second} --metadata {store}
  {command} evaluate --help""",
        markup=False,
    )


def main() -> None:
    """Prepare the data, train three models, judge two."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--output", type=Path, default=Path("demo-output"), help="folder of this demo alone"
    )
    output: Path = parser.parse_args().output
    terminal.own_the_log()
    console = Console(soft_wrap=True)
    prepare(output)

    trips = read_trips()
    training = [trip for trip in trips if not is_for_evaluation(trip)]
    held_out = [trip for trip in trips if is_for_evaluation(trip)]
    write_examples(held_out, output / "eval" / "data_tfrecord-00000-of-00001.gz")
    jobs = {
        "baseline": (training, False),
        "candidate-1": (lose_tips(training), True),
        "candidate-2": (training, True),
    }
    for name, (rows, wide) in jobs.items():
        with console.status(f"training {name} on {len(rows):,} trips"):
            train(rows, wide, output / "models" / name)
        console.print(f"trained {name} on {len(rows):,} trips")

    judge("candidate-1", output, console)
    judge("candidate-2", output, console)
    say_what_next(output, console)


if __name__ == "__main__":
    main()
