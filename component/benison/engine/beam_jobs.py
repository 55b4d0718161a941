# SPDX-License-Identifier: Apache-2.0
"""The Beam engine: the same plan, run by any Beam runner over the shards of a dataset.

Each shard is read, extracted and added up where it lies; what travels between workers is the
states of a shard, never a row. Beam is imported only when it is asked for.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import math
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from benison.data.reading import Inspected
from benison.data.shards import Scan, Shard
from benison.engine import transforms
from benison.engine.stages import Evaluator, has_transform
from benison.engine.staging import Staging
from benison.engine.summaries import Summary, Tallied, sent, tally_of, types_of
from benison.engine.tally import Tally, check_rows_read
from benison.engine.work import Piece, Work
from benison.errors import ConfigError, MissingExtraError, RunnerError

STATES = "states"
# Where the errors are from that runners raise besides RuntimeError.
_RUNNERS = re.compile(r"(apache_beam\.runners|distributed|grpc)\b")
_ENDED = (
    "Beam's runner ended the job: {} No worker has reported an error; one that was killed reports none, as "
    "the system kills it where memory runs out, nor does one that cannot write to --temp_location. Nothing "
    "was written. Evaluate again, with more memory for each worker if it stays so."
)


@dataclasses.dataclass(frozen=True)
class BeamRun:
    """Where a Beam job runs.

    Attributes:
        folder: One that workers and this process can write and read; states come back through it.
        options: Beam's pipeline options, such as `--runner=FlinkRunner`.

    Raises:
        MissingExtraError: Beam is not installed.
        ConfigError: An option is not one of Beam's or of the runner's.
    """

    folder: str
    options: Sequence[str] = ()

    def __post_init__(self) -> None:
        if importlib.util.find_spec("apache_beam") is None:
            raise MissingExtraError("Apache Beam", "beam")
        _options(self.options)

    @contextmanager
    def pipeline(self) -> Iterator[tuple[Any, Staging]]:
        """A pipeline that runs when the block ends, and the files that it writes for those who read after.

        Raises:
            Exception: What ended a worker, as it was there.
        """
        import apache_beam as beam

        options, staging = _options(self.options), Staging.of_run(self.folder)
        with staging.raising():
            pipeline = beam.Pipeline(options=options)
            yield pipeline, staging

    def states(
        self, shards: Sequence[Shard], work: Work, rows: Mapping[str, int | None]
    ) -> list[Any]:
        """Run the stages on a Beam runner and bring the states of the evaluators back.

        Args:
            shards: What to read; each is one element.
            work: What to do with each.
            rows: Of each file, as it says itself; what was read is held against it.

        Returns:
            The state of each evaluator; for one with a `ptransform` the output keys.

        Raises:
            DataError: The runner lost rows.
            RunnerError: The runner lost a worker, or ended the job for another reason of its own.
        """
        own = [evaluator for evaluator in work.evaluators if has_transform(evaluator)]
        rest = [evaluator for evaluator in work.evaluators if not has_transform(evaluator)]
        plain = dataclasses.replace(work, evaluators=tuple(rest))
        divided = bool(own) or any(map(has_transform, work.extractors))
        with self.pipeline() as (pipeline, staging):
            if divided:
                _build_divided(pipeline, shards, plain, own, staging)
            else:
                _build(pipeline, shards, plain, staging)
            _finish(pipeline)
            piece = plain.merge_all(staging.saved(STATES))
            if divided:
                check_rows_read("The data", sum(staging.saved("rows")), _known(shards, rows))
            else:
                piece.tally.check(shards, rows)
            of_own = [_output(staging, i, evaluator) for i, evaluator in enumerate(own)]
        of_rest, outputs = iter(piece.states), iter(of_own)
        return [next(outputs if has_transform(e) else of_rest) for e in work.evaluators]

    def types(self, scans: Sequence[Scan]) -> list[tuple[str, Inspected]]:
        """Find the types of all files on a Beam runner: each path with the types."""

        def scanned(
            part: tuple[int, Scan], staging: Staging
        ) -> tuple[Tally, tuple[str, Inspected]]:
            with staging.reporting(part[0]):
                return tally_of(part[0]), part[1].run()

        with self.pipeline() as (pipeline, staging):
            import apache_beam as beam
            from apache_beam.transforms.combiners import ToList

            _ = (
                _created(pipeline, scans)
                | "InferTypes" >> beam.Map(scanned, staging)
                | "Collect" >> ToList()
                | "Write" >> beam.Map(_save_as, staging, "types")
            )
            _finish(pipeline)
            (made,) = staging.saved("types")
        return types_of(scans, made)

    def summary(self, shards: Sequence[Shard], summary: Summary) -> Any:
        """The summary of all rows, made on a Beam runner; errors are those of `states`."""
        tallied = Tallied(summary)

        def summarized(part: tuple[int, Shard], staging: Staging) -> Any:
            with staging.reporting(part[0]):
                return tallied.of_part(part)

        with self.pipeline() as (pipeline, staging):
            import apache_beam as beam

            from benison.engine import beam_fns

            _ = (
                _created(pipeline, shards)
                | "Summarize" >> beam.Map(summarized, staging)
                | "Merge" >> beam.CombineGlobally(beam_fns.MergeFn(tallied, staging))
                | "Write" >> beam.Map(_save_as, staging, "summary")
            )
            _finish(pipeline)
            ((tally, made),) = staging.saved("summary")
        tally.check_parts(shards)
        return made


def _build(pipeline: Any, shards: Sequence[Shard], work: Work, staging: Staging) -> None:
    """Each shard through all stages on one worker."""
    import apache_beam as beam

    from benison.engine import beam_fns

    groups = math.isqrt(len(shards)) + 1
    pieces = _created(pipeline, shards) | "ReadExtractEvaluate" >> beam.ParDo(
        beam_fns.EvaluateFn(work, staging, groups)
    )
    _write_states(pieces, work, staging)


def _build_divided(
    pipeline: Any, shards: Sequence[Shard], work: Work, own: Sequence[Evaluator], staging: Staging
) -> None:
    """Stages with a PTransform of their own stand between the others."""
    import apache_beam as beam
    from apache_beam.transforms.combiners import ToList

    read = transforms.read(_created(pipeline, shards), work)
    counted = (
        read | "CountRows" >> beam.Map(transforms.rows_of) | "AddRows" >> beam.CombineGlobally(sum)
    )
    _ = counted | "WriteRows" >> beam.Map(lambda rows: staging.save("rows", rows))
    extracts = transforms.extracts_of(read, work)
    _write_states(transforms.pieces_of(extracts, work), work, staging)
    for i, (name, output) in enumerate(transforms.outputs_of(extracts, own)):
        _ = (
            output
            | f"Collect {name}" >> ToList()
            | f"Write {name}" >> beam.Map(_save_as, staging, _name_of_output(i))
        )


def _created(pipeline: Any, elements: Iterable[Any]) -> Any:
    """The numbered elements, spread over the workers."""
    import apache_beam as beam

    return pipeline | "Shards" >> beam.Create(sent(elements), reshuffle=True)


def _finish(pipeline: Any) -> None:
    """Wait for the end of the job."""
    try:
        pipeline.run().wait_until_finish()
    except Exception as error:
        if type(error) is RuntimeError or _RUNNERS.match(type(error).__module__):
            raise RunnerError(_ENDED.format(str(error).strip().split("\n")[-1][:500])) from error
        raise


def _write_states(pieces: Any, work: Work, staging: Staging) -> None:
    import apache_beam as beam

    from benison.engine import beam_fns

    plain = dataclasses.replace(work, extractors=())
    merged = pieces | "Merge" >> beam_fns.MergeTree(plain, staging)
    _ = merged | "Write" >> beam.Map(_save_range, staging)


def _save_range(merged: tuple[int, Piece], staging: Staging) -> None:
    number, piece = merged
    staging.save(f"{STATES}-{number:05d}", piece)


def _save_as(value: Any, staging: Staging, name: str) -> None:
    staging.save(name, value)


def _name_of_output(number: int) -> str:
    return f"output-{number:05d}"


def _output(staging: Staging, number: int, evaluator: Evaluator) -> dict[str, Any]:
    (outputs,) = staging.saved(_name_of_output(number))
    return transforms.merged(outputs, evaluator.stage_name)


def _known(shards: Sequence[Shard], rows: Mapping[str, int | None]) -> int | None:
    """The rows of all files; None where one does not say it."""
    counts = [rows.get(path) for path in {shard.path for shard in shards}]
    return None if None in counts else sum(count or 0 for count in counts)


def _options(arguments: Sequence[str]) -> Any:
    from apache_beam.options.pipeline_options import PipelineOptions

    if any("DaskRunner" in argument for argument in arguments):
        from apache_beam.runners.dask import dask_runner  # noqa: F401 - makes its options known

    options = PipelineOptions(list(arguments))
    known, all_ = (options.get_all_options(retain_unknown_options=u) for u in (False, True))
    if unknown := sorted(all_.keys() - known.keys()):
        raise ConfigError(f"Beam has no pipeline option --{unknown[0]}.")
    _check_runnable(options)
    return options


def _check_runnable(options: Any) -> None:
    from apache_beam.options.pipeline_options import DirectOptions, TestOptions

    if options.view_as(TestOptions).dry_run:
        raise ConfigError(
            "--dry_run runs nothing, so that there would be no numbers. For the graph of a job give it to a "
            "pipeline of your own with benison.beam.Evaluate."
        )
    is_forking = options.view_as(DirectOptions).direct_running_mode == "multi_processing"
    if is_forking and " " in sys.executable:
        raise ConfigError(
            f"Beam starts its processes by a path without quotes, and {sys.executable!r} has a space, so "
            "that none would start. Call Python by a path without one, such as a link to its environment."
        )
