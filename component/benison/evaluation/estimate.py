# SPDX-License-Identifier: Apache-2.0
"""Says what an evaluation would read and about what it would cost, before a row is read.

The model is a sum of nanoseconds of processor time: for a row, for each slicing spec that it is coded for,
and for each state that it is added to in each spec; measured on a busy server, where a million rows with 7
metrics on 147 slices took 0.44 s of one core. What is not known before the pass, the number of slices and
what a model takes, is said apart.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from benison.data.shards import BATCH_ROWS
from benison.engine.cores import threads_of
from benison.engine.extract import extractors_of
from benison.engine.plan import Plan
from benison.errors import ConfigError
from benison.evaluation.defaults import evaluators_of, probe_evaluators
from benison.evaluation.job import Job
from benison.evaluation.progress import silent
from benison.evaluation.recording import LATEST_BLESSED
from benison.evaluation.resolve import Request, resolve
from benison.evaluation.weak_slice_search import searched_features
from benison.metrics import modules
from benison.metrics.statistics.ranks import ScoreRanks
from benison.models import local_copies
from benison.table.words import counted
from benison.weak_slices.layout import counted_depth

if TYPE_CHECKING:
    from benison.evaluation.probe_costs import ProbeCost

_ROW, _SPEC, _STATE, _RANKS = 10, 8, 1.5, 15  # nanoseconds
_FEATURE, _COMBINATION = 40, 8  # of weak slices; nanoseconds
_CELLS = 220  # MB of these, where there are many
_BYTE = 9  # of text or TFRecord, which is parsed; nanoseconds
_BASE = 150  # MB that are there before any row
_SLICES = "Each 1,000 slices take about 0.01 s and 1 MB more, with metrics of ranks 0.05 s"


@dataclasses.dataclass(frozen=True)
class CostEstimate:
    """What an evaluation reads, and about what it costs on this machine.

    Attributes:
        columns: The columns that are read; None is all of them.
        slices: The slicing specs, as configs write them.
        rows: How many the data have; None where only reading them tells.
        threads: On how many they are added up.
        seconds: About how long reading and adding up take, beside what models take.
        megabytes: About how much memory at most, with few slices.
        models: The models that are called.
        weak_slice_features: The features of which weak slices are looked for.
        examples_per_slice: How many rows of each failed slice a second pass keeps.
        probes: How many rows probes have predicted, of each output that is probed.
    """

    columns: list[str] | None
    slices: list[str]
    rows: int | None
    threads: int
    seconds: float
    megabytes: float
    models: list[str]
    weak_slice_features: list[str]
    examples_per_slice: int = 0
    probes: list[ProbeCost] = dataclasses.field(default_factory=list)

    def sentences(self) -> Iterator[str]:
        """What a command prints."""
        rows = "rows that only reading counts" if self.rows is None else f"{self.rows:,} rows"
        columns = "all columns" if self.columns is None else ", ".join(self.columns) or "no columns"
        yield f"Reads {columns} of {rows}."
        yield f"Slices: {'; '.join(self.slices)}."
        yield (
            f"About {self.seconds:.1f} s on {counted(self.threads, 'thread')} and {self.megabytes:,.0f} MB. "
            f"{_SLICES}; these also hold up to 32 bytes for each distinct score of each slice."
        )
        if self.weak_slice_features:
            count = counted(len(self.weak_slice_features), "feature")
            yield f"Looks for weak slices of {count}, whose values a scan before the pass finds."
        if self.examples_per_slice:
            yield "If slices fail, all columns are read a second time for their worst rows."
        yield from (each.sentence for each in self.probes)
        if self.models:
            yield f"What calling {', '.join(self.models)} takes is not in it."


def estimate(arguments: Mapping[str, Any]) -> CostEstimate:
    """The cost of `benison.evaluate(**arguments)`: models are loaded, and no row is read.

    Raises:
        BenisonError: As `evaluate` does, where config, data and models do not fit each other.
    """
    asked = dict(arguments)
    if asked.get("baseline") == LATEST_BLESSED:
        raise ConfigError([("baseline", "is looked up by a run; estimate with the path of one.")])
    with modules.importable(asked.get("module_path")) as folder:
        request = Request(
            asked["config"],
            asked.get("baseline") is not None or None,
            asked.get("model"),
            asked.get("baseline"),
            asked["examples"],
            asked.get("format"),
            module_path=folder,
            examples_per_slice=asked.get("examples_per_slice"),
        )
        resolved = resolve(request)
        with local_copies(resolved.paths) as copies:
            trusted = bool(asked.get("trust_pickle")), bool(asked.get("trust_ops"))
            stages = extractors_of(resolved.plan, copies, *trusted)
            probes = probe_evaluators(resolved.plan, resolved.data, resolved.paths)
            evaluators = [*evaluators_of(resolved.plan), *probes]
            job = Job(
                resolved.plan,
                resolved.data,
                resolved.paths,
                copies,
                stages,
                evaluators,
                False,
                silent,
            )
            return _of_job(job, threads_of(asked.get("threads")))


def _of_job(job: Job, threads: int) -> CostEstimate:
    columns, data = job.columns(), job.dataset
    features = searched_features(job.plan, data)
    if columns is not None:
        columns = sorted({*columns, *features})
    size = sum(file.facts.st_size for file in data.files)
    row_cost = _row_cost(job.plan) + _search_cost(job.plan, len(features))
    seconds = (data.num_rows or 0) * row_cost / 1e9
    if data.format not in ("parquet", "arrow", "memory"):
        seconds += size * _BYTE / 1e9
    width = 8 * (len(data.names if columns is None else columns) + len(job.plan.slots))
    batches = 2 * threads + 2
    batch = min(BATCH_ROWS, data.num_rows or BATCH_ROWS)
    return CostEstimate(
        columns,
        [str(spec) for spec in job.plan.slicing_specs],
        data.num_rows,
        threads,
        seconds,
        _BASE + batches * batch * width / 1e6 + _CELLS * bool(features),
        sorted(job.paths),
        features,
        job.config.options.examples_per_slice,
        _probe_costs(job),
    )


def _probe_costs(job: Job) -> list[ProbeCost]:
    if job.config.debugging is None:
        return []
    from benison.evaluation.probe_costs import probe_costs  # of no use to other runs

    return probe_costs(job.plan, job.dataset, job.extractors)


def _search_cost(plan: Plan, features: int) -> float:
    """Nanoseconds for a row of a search of weak slices, for each candidate and output."""
    options = plan.config.weak_slices
    if options is None or not features:
        return 0.0
    targets = sum(len(plan.outputs[spec.name]) for spec in plan.config.candidate_specs)
    combinations = math.comb(features, counted_depth(features, options.depth))
    return features * _FEATURE + targets * combinations * _COMBINATION


def _row_cost(plan: Plan) -> float:
    """Nanoseconds for a row."""
    ranks = sum(isinstance(statistic, ScoreRanks) for _, statistic in plan.slots)
    states = _STATE * (len(plan.slots) - ranks) + _RANKS * ranks
    return _ROW + len(plan.slicing_specs) * (_SPEC + states)
