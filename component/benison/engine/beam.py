# SPDX-License-Identifier: Apache-2.0
"""The Beam engine: the same plan, run by any Beam runner over the shards of a dataset.

Each shard is read, extracted and added up where it lies; what travels between workers is the
states of a shard, never a row. The engine is imported only when it is asked for.
"""

from __future__ import annotations

import dataclasses
import pickle
import uuid
from collections.abc import Iterable, Sequence
from functools import reduce
from typing import Any, Protocol

from benison.data.reading import Inspected
from benison.data.shards import Scan, Shard
from benison.engine import transforms
from benison.engine.stages import has_transform
from benison.engine.work import Work
from benison.errors import ConfigError, MissingExtraError


def run(
    shards: Sequence[Shard], work: Work, staging: str, options: Sequence[str] = ()
) -> list[Any]:
    """Run the stages on a Beam runner and bring the states of the evaluators back.

    Args:
        shards: What to read; each is one element.
        work: What to do with each.
        staging: A folder that workers and this process can write and read; the states come back
            through it.
        options: Beam's pipeline options, such as `--runner=FlinkRunner`.

    Returns:
        The state of each evaluator; for one with a `ptransform` the output keys.

    Raises:
        MissingExtraError: Beam is not installed.
        ConfigError: An option is not one of Beam's or of the runner's.
    """
    try:
        import apache_beam as beam
    except ImportError as error:
        raise MissingExtraError("Apache Beam", "beam") from error
    target = f"{staging}/states-{uuid.uuid4().hex}"
    own = [evaluator for evaluator in work.evaluators if has_transform(evaluator)]
    rest = [evaluator for evaluator in work.evaluators if not has_transform(evaluator)]
    plain = dataclasses.replace(work, evaluators=tuple(rest))
    with beam.Pipeline(options=_options(options)) as pipeline:
        parts = pipeline | "Shards" >> beam.Create(list(enumerate(shards)), reshuffle=True)
        if own or any(map(has_transform, work.extractors)):
            extracts = transforms.extracts_of(parts, plain)
            states = transforms.states_of(extracts, plain)
            _save_outputs(transforms.outputs_of(extracts, own), target)
        else:
            states = parts | "ReadExtractEvaluate" >> beam.Map(work.evaluate)
        merged = states | "Merge" >> beam.CombineGlobally(
            _merge_fn(dataclasses.replace(plain, extractors=()))
        )
        _ = merged | "Write" >> beam.Map(_save, target)
    of_rest = iter(_load(target))
    of_own = (transforms.merged(_load(f"{target}-{i}"), e.stage_name) for i, e in enumerate(own))
    return [next(of_own if has_transform(e) else of_rest) for e in work.evaluators]


def _save_outputs(outputs: Iterable[tuple[str, Any]], target: str) -> None:
    import apache_beam as beam
    from apache_beam.transforms.combiners import ToList

    for i, (name, output) in enumerate(outputs):
        collected = output | f"Collect {name}" >> ToList()
        _ = collected | f"Write {name}" >> beam.Map(_save, f"{target}-{i}")


def run_scans(
    scans: Sequence[Scan], staging: str, options: Sequence[str] = ()
) -> list[tuple[str, Inspected]]:
    """Find the types of all files on a Beam runner: each path with the types."""
    import apache_beam as beam
    from apache_beam.transforms.combiners import ToList

    target = f"{staging}/types-{uuid.uuid4().hex}.pickle"
    with beam.Pipeline(options=_options(options)) as pipeline:
        _ = (
            pipeline
            | "Files" >> beam.Create(list(scans), reshuffle=True)
            | "InferTypes" >> beam.Map(Scan.run)
            | "Collect" >> ToList()
            | "Write" >> beam.Map(_save, target)
        )
    return sorted(_load(target), key=lambda pair: pair[0])


class Summary(Protocol):
    """What is made of the rows of a shard, and how two of it become one; it can be pickled."""

    def of_shard(self, shard: Shard) -> Any:
        """Of the rows of one shard."""

    def zero(self) -> Any:
        """Of no rows."""

    def merge(self, states: Any, others: Any, /) -> Any:
        """Of the rows of both."""


def run_summary(
    shards: Sequence[Shard], summary: Summary, staging: str, options: Sequence[str] = ()
) -> Any:
    """The summary of all rows, made on a Beam runner; arguments and errors are those of `run`."""
    try:
        import apache_beam as beam
    except ImportError as error:
        raise MissingExtraError("Apache Beam", "beam") from error
    target = f"{staging}/summary-{uuid.uuid4().hex}.pickle"
    with beam.Pipeline(options=_options(options)) as pipeline:
        _ = (
            pipeline
            | "Shards" >> beam.Create(list(shards), reshuffle=True)
            | "Summarize" >> beam.Map(summary.of_shard)
            | "Merge" >> beam.CombineGlobally(_merge_fn(summary))
            | "Write" >> beam.Map(_save, target)
        )
    return _load(target)


def _options(arguments: Sequence[str]) -> Any:
    from apache_beam.options.pipeline_options import PipelineOptions

    options = PipelineOptions(list(arguments))
    known = options.get_all_options(retain_unknown_options=False)
    names = {
        argument.split("=", 1)[0].lstrip("-") for argument in arguments if argument.startswith("--")
    }
    # What may be repeated, as --extra_package, is kept under its plural.
    unknown = sorted(names - known.keys() - {name.removesuffix("s") for name in known} - {"runner"})
    if unknown:
        raise ConfigError(f"Beam has no pipeline option --{unknown[0]}.")
    return options


def temp_location(options: Sequence[str]) -> str | None:
    """The folder that the options name for what workers leave, such as a bucket's."""
    named = [o.split("=", 1)[1] for o in options if o.startswith("--temp_location=")]
    return named[-1] if named else None


def _merge_fn(work: Work | Summary) -> Any:
    """Merging is associative and commutative, so Beam may do it in any tree."""
    import apache_beam as beam

    class MergeFn(beam.CombineFn):
        def create_accumulator(self) -> Any:
            return work.zero()

        def add_input(self, merged: Any, states: Any) -> Any:
            return work.merge(merged, states)

        def merge_accumulators(self, accumulators: Iterable[Any]) -> Any:
            return reduce(work.merge, accumulators, work.zero())

        def extract_output(self, merged: Any) -> Any:
            return merged

    return MergeFn()  # type: ignore[no-untyped-call]


def _save(states: Any, target: str) -> None:
    from apache_beam.io.filesystems import FileSystems

    with FileSystems.create(target) as file:
        pickle.dump(states, file)


def _load(target: str) -> Any:
    from apache_beam.io.filesystems import FileSystems

    with FileSystems.open(target) as file:
        states = pickle.load(file)  # noqa: S301 - the workers' own file
    FileSystems.delete([target])
    return states
