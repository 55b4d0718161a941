# SPDX-License-Identifier: Apache-2.0
"""A TFX pipeline in which Benison's Evaluator stands between Trainer and Pusher.

    CsvExampleGen -> Trainer -> Resolver (latest blessed model) -> Evaluator -> Pusher

It runs three times on the Chicago taxi sample, with TFX's LocalDagRunner and ML Metadata in SQLite:

1. a small linear model, which there is nothing to compare with: blessed if it is good enough, and pushed
2. a network whose training data lost the tips of one company: not blessed, and not pushed
3. the same network on whole data: blessed against the first model, and pushed

    python pipelines/taxi_tfx.py --output tfx-output
"""

from __future__ import annotations

import argparse
import csv
import os
from pathlib import Path
from typing import Any

import tensorflow as tf
from rich.console import Console
from taxi_local import NUMBERS, SPEC, TEXTS, is_big_tipper, lose_tips, prepare, read_trips, train

import benison
from benison import terminal
from benison.evaluator.component import Evaluator
from benison.evaluator.tfx_v1 import import_tfx
from benison_orchestration.local import run_pipeline

tfx = import_tfx()

HERE = Path(__file__).resolve().parent
PIPELINE = "taxi"
RUNS = {
    "linear model": {"wide": False, "lossy": False},
    "network, tips of one company lost": {"wide": True, "lossy": True},
    "network, whole data": {"wide": True, "lossy": False},
}


def run_fn(fn_args: Any) -> None:
    """Train as TFX's Trainer asks: from the examples of the pipeline to a model in its place."""
    trips = [trip for path in fn_args.train_files for trip in _trips(path)]
    choice = fn_args.custom_config
    trips = lose_tips(trips) if choice["lossy"] else trips
    train(trips, choice["wide"], Path(fn_args.serving_model_dir))


def _trips(pattern: str) -> list[dict[str, str]]:
    """The trips of TFRecord files as the rows that they were."""
    records = tf.data.TFRecordDataset(tf.io.gfile.glob(pattern), compression_type="GZIP")
    features = {**SPEC, "tips": tf.io.FixedLenFeature([], tf.float32)}
    columns = tf.io.parse_example(list(records), features)
    values = zip(*(column.numpy().tolist() for column in columns.values()), strict=True)
    return [dict(zip(columns, map(_text, row), strict=True)) for row in values]


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def write_csv(folder: Path) -> None:
    """The sample with its label, as a source of a company would deliver it."""
    names = [*NUMBERS, *TEXTS, "trip_start_hour", "tips", "big_tipper"]
    folder.mkdir()
    with (folder / "trips.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, names, extrasaction="ignore")
        writer.writeheader()
        for trip in read_trips():
            numbers = {name: float(trip[name] or 0) for name in (*NUMBERS, "tips")}
            texts = {name: trip[name] or "unknown" for name in TEXTS}
            writer.writerow({**trip, **numbers, **texts, "big_tipper": int(is_big_tipper(trip))})


def pipeline(output: Path, choice: dict[str, bool], evaluator: type[Any] = Evaluator) -> Any:
    """The pipeline; another Evaluator in place of Benison's is all that would change to compare the two."""
    examples = tfx.components.CsvExampleGen(input_base=str(output / "csv"))
    trainer = tfx.components.Trainer(
        run_fn=f"{Path(__file__).stem}.run_fn",
        examples=examples.outputs["examples"],
        train_args=tfx.proto.TrainArgs(num_steps=1),
        eval_args=tfx.proto.EvalArgs(num_steps=1),
        custom_config=choice,
    )
    resolver = tfx.dsl.Resolver(
        strategy_class=tfx.dsl.experimental.LatestBlessedModelStrategy,
        model=tfx.dsl.Channel(type=tfx.types.standard_artifacts.Model),
        model_blessing=tfx.dsl.Channel(type=tfx.types.standard_artifacts.ModelBlessing),
    ).with_id("latest_blessed_model")
    judge = evaluator(
        examples=examples.outputs["examples"],
        model=trainer.outputs["model"],
        baseline_model=resolver.outputs["model"],
        eval_config=str(HERE / "taxi_config.yaml"),
    )
    pusher = tfx.components.Pusher(
        model=trainer.outputs["model"],
        model_blessing=judge.outputs["blessing"],
        push_destination=tfx.proto.PushDestination(
            filesystem=tfx.proto.PushDestination.Filesystem(base_directory=str(output / "serving"))
        ),
    )
    return tfx.dsl.Pipeline(
        pipeline_name=PIPELINE,
        pipeline_root=str(output / "artifacts"),
        components=[examples, trainer, resolver, judge, pusher],
    )


def newest_evaluation(output: Path) -> benison.EvalResult:
    """What the Evaluator of the latest run wrote."""
    folders = (output / "artifacts" / "Evaluator" / "evaluation").iterdir()
    return benison.load_result(max(folders, key=lambda folder: int(folder.name)))


def main() -> None:
    """Run the pipeline once for each model."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=Path("demo-output-tfx"))
    output: Path = parser.parse_args().output.resolve()
    terminal.own_the_log()
    console = Console(soft_wrap=True)
    prepare(output)
    write_csv(output / "csv")
    for name, choice in RUNS.items():
        console.rule(name)
        run_pipeline(pipeline(output, choice))
        terminal.verdict(newest_evaluation(output), console)
        pushed = sorted(os.listdir(output / "serving")) if (output / "serving").exists() else []
        console.print(f"models that are served: {len(pushed)}")
    console.print(
        f"\nTry:  benison blessings --metadata sqlite:///{output}/artifacts/metadata.db --pipeline {PIPELINE}"
    )


if __name__ == "__main__":
    main()
