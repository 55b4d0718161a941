# SPDX-License-Identifier: Apache-2.0
"""Runs stages that bring a PTransform of their own: the pipeline is divided where they stand.

Without such stages a worker runs all stages over a shard, and no extracts travel. With one, the extracts of
each batch are an element of a PCollection, in no order.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from benison.data.batch import Extracts
from benison.data.shards import Shard, read_shard
from benison.engine import local
from benison.engine.stages import Evaluator, Extractor, Stage, has_transform
from benison.engine.tally import Tally
from benison.engine.work import Piece, Work, numbered
from benison.errors import ConfigError


@dataclasses.dataclass(frozen=True)
class BatchWork:
    """A worker's part of `work` where batches are elements."""

    work: Work

    def read(self, part: tuple[int, Shard]) -> Iterator[Extracts]:
        """The batches of a shard, before any extractor."""
        work = self.work
        batches = read_shard(part[1], work.columns, keep_input=work.keep_input, number=work.number)
        return map(local.as_extracts, batches)

    def add_up(self, extracts: Extracts) -> list[Piece]:
        """The states of one batch."""
        evaluators = self.work.evaluators
        with local.begun(evaluators) as states:
            local.add(evaluators, states, extracts)
            finished = local.finished(evaluators, states)
        return [Piece(Tally(), each) for each in self.work.split(finished)]


def read(parts: Any, work: Work) -> Any:
    """The PCollection of extracts, before all extractors."""
    import apache_beam as beam

    plain = dataclasses.replace(work, extractors=(), evaluators=())
    return parts | "Read" >> beam.FlatMap(BatchWork(plain).read)


def rows_of(extracts: Extracts) -> int:
    """The rows of a batch."""
    return int(extracts["features"].num_rows)


def extracts_of(extracts: Any, work: Work) -> Any:
    """The PCollection of extracts, after all extractors."""
    import apache_beam as beam

    for own, group in itertools.groupby(work.extractors, has_transform):
        stages = tuple(group)
        if own:
            for stage in stages:
                extracts = extracts | stage.stage_name >> _transform(stage)
        else:
            names = "/".join(stage.stage_name for stage in stages)
            extracts = extracts | names >> beam.ParDo(_extract_fn(stages))
    return extracts


def pieces_of(extracts: Any, work: Work) -> Any:
    """The PCollection of the numbered states of each batch, of the evaluators without a PTransform."""
    import apache_beam as beam

    batches = BatchWork(dataclasses.replace(work, extractors=()))
    return extracts | "Evaluate" >> beam.FlatMap(lambda batch: numbered(batches.add_up(batch)))


def outputs_of(extracts: Any, evaluators: Sequence[Evaluator]) -> Iterator[tuple[str, Any]]:
    """The name and the PCollection of output dicts of each evaluator with a PTransform."""
    for evaluator in evaluators:
        if has_transform(evaluator):
            yield evaluator.stage_name, extracts | evaluator.stage_name >> _transform(evaluator)


def merged(outputs: Sequence[dict[str, Any]], stage: str) -> dict[str, Any]:
    """The output keys of an evaluator with a PTransform; raises ConfigError if it gave one twice."""
    result: dict[str, Any] = {}
    for output in outputs:
        if both := sorted(output.keys() & result.keys()):
            raise ConfigError(
                f"The ptransform of {stage} gave the output key {both[0]!r} twice; let one element of its "
                "PCollection hold it, as after beam.CombineGlobally."
            )
        result |= output
    return result


def _transform(stage: Stage) -> Any:
    return stage.ptransform  # type: ignore[union-attr]


def _extract_fn(extractors: tuple[Extractor, ...]) -> Any:
    import apache_beam as beam

    class ExtractFn(beam.DoFn):
        def setup(self) -> None:
            local.setup(extractors)

        def process(self, extracts: Extracts) -> Iterator[Extracts]:
            for extractor in extractors:
                extracts = extractor.extract(extracts)
            yield extracts

    return ExtractFn()  # type: ignore[no-untyped-call]
