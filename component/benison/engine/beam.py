# SPDX-License-Identifier: Apache-2.0
"""This file is the Beam engine: the same plan, run by any Beam runner over the shards of a dataset.

Each shard is read, extracted and added up where it lies; what travels between workers is one
accumulator per shard, never a row. The engine is imported only when it is asked for.
"""

from __future__ import annotations

import pickle
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from benison.engine import local
from benison.engine.evaluate import Accumulator
from benison.engine.extract import Extractor
from benison.engine.plan import Plan
from benison.engine.read import Shard, read_shard
from benison.errors import ConfigError, MissingExtraError


class ShardEvaluator:
    """What a worker does with a shard: one accumulator from all its batches."""

    def __init__(
        self, extractors: Sequence[Extractor], plan: Plan, columns: Sequence[str] | None, keep_input: bool
    ) -> None:
        self.extractors = tuple(extractors)
        self.plan = plan
        self.columns = columns
        self.keep_input = keep_input

    def evaluate(self, shard: Shard) -> Accumulator:
        """The accumulator of one shard's rows."""
        batches = read_shard(shard, self.columns, keep_input=self.keep_input)
        return local.run(batches, self.extractors, self.plan)


def run(
    shards: Sequence[Shard], evaluator: ShardEvaluator, staging: str, options: Sequence[str] = ()
) -> Accumulator:
    """Run the plan on a Beam runner and bring the accumulator back.

    Args:
        shards: What to read; each is the work of one element.
        evaluator: The work.
        staging: A folder that the workers and this process can write and read; the accumulator
            comes back through it.
        options: Beam's pipeline options, such as `--runner=FlinkRunner`.

    Raises:
        MissingExtraError: Beam is not installed.
        ConfigError: An option is not one of Beam's or of the runner's.
    """
    try:
        import apache_beam as beam
    except ImportError as error:
        raise MissingExtraError("Apache Beam", "beam") from error
    target = f"{staging}/accumulator-{uuid.uuid4().hex}.pickle"
    with beam.Pipeline(options=_options(options)) as pipeline:
        _ = (
            pipeline
            | "Shards" >> beam.Create(list(shards), reshuffle=True)
            | "ReadExtractEvaluate" >> beam.Map(evaluator.evaluate)
            | "Merge" >> beam.CombineGlobally(_combine_fn(evaluator.plan))
            | "Write" >> beam.Map(_save, target)
        )
    return _load(target)


def _options(arguments: Sequence[str]) -> Any:
    from apache_beam.options.pipeline_options import PipelineOptions

    options = PipelineOptions(list(arguments))
    known = options.get_all_options(retain_unknown_options=False)
    names = {argument.split("=", 1)[0].lstrip("-") for argument in arguments if argument.startswith("--")}
    unknown = sorted(name for name in names if name not in known and name != "runner")
    if unknown:
        raise ConfigError(f"Beam has no pipeline option --{unknown[0]}.")
    return options


def _combine_fn(plan: Plan) -> Any:
    """Merging is associative and commutative, so Beam may do it in any tree."""
    import apache_beam as beam

    class MergeFn(beam.CombineFn):  # type: ignore[misc]
        def create_accumulator(self) -> Accumulator:
            return Accumulator(plan)

        def add_input(self, merged: Accumulator, shard: Accumulator) -> Accumulator:
            merged.merge(shard)
            return merged

        def merge_accumulators(self, accumulators: Iterator[Accumulator]) -> Accumulator:
            merged = Accumulator(plan)
            for accumulator in accumulators:
                merged.merge(accumulator)
            return merged

        def extract_output(self, merged: Accumulator) -> Accumulator:
            return merged

    return MergeFn()


def _save(accumulator: Accumulator, target: str) -> None:
    from apache_beam.io.filesystems import FileSystems

    with FileSystems.create(target) as file:
        pickle.dump(accumulator, file)


def _load(target: str) -> Accumulator:
    from apache_beam.io.filesystems import FileSystems

    with FileSystems.open(target) as file:
        accumulator = pickle.load(file)
    FileSystems.delete([target])
    assert isinstance(accumulator, Accumulator)
    return accumulator
