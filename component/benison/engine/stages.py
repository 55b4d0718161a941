# SPDX-License-Identifier: Apache-2.0
"""The contracts of the stages that a batch passes through: extractors, then evaluators."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, TypeAlias, TypeGuard

import pyarrow as pa

from benison.data.batch import Extracts
from benison.errors import ConfigError, suggestion


class Evaluator(Protocol):
    """A summary that adds up over batches and merges over workers. States must be picklable.

    More attributes may be there: `columns`, the names of the columns of the data that it reads (without it
    all are read); `outputs`, the keys of its result, so that two evaluators with one key are refused before
    any data are read; `needs_row_numbers`, for one that reads `row_numbers`; `sliced`, the columns whose
    values are slices; `finish(state)`, called on a worker or thread after its last batch and before states
    are merged, for one that could not travel otherwise; `abort(state)`, called in its place where a stage
    fails, to let go of open files; and `concurrent`, True if several threads may add to states of their own
    at once, which are merged then. Without it the local engine gives it all batches in their order.

    One with a `ptransform` needs only the names: Beam applies it to the PCollection of all extracts, and it
    gives dicts of output keys and values, each key once.
    """

    @property
    def stage_name(self) -> str:
        """The name of the stage."""

    @property
    def run_after(self) -> str:
        """The extractor whose keys it needs."""

    def zero(self) -> Any:
        """The state before any batch; `add` and `merge` may change the state that they are given."""

    def add(self, state: Any, extracts: Extracts) -> Any:
        """The state with one more batch."""

    def merge(self, state: Any, other: Any) -> Any:
        """The state of both."""

    def result(self, state: Any) -> dict[str, Any]:
        """The output keys and their values."""


class Merging(Protocol):
    """States that add up; it can be pickled."""

    def zero(self) -> Any:
        """Of no rows."""

    def merge(self, states: Any, others: Any, /) -> Any:
        """Of the rows of both."""


class RowEvaluator(Protocol):
    """Makes rows of each batch, which are streamed to files and never merged: they need not fit into memory.

    They are written as `analysis/KEY-*.parquet`, and reach writers as a `RowFiles` under that key. `columns`
    may be there, as in `Evaluator`.
    """

    @property
    def stage_name(self) -> str:
        """The name of the stage."""

    @property
    def run_after(self) -> str:
        """The extractor whose keys it needs."""

    @property
    def outputs(self) -> tuple[str, ...]:
        """Its one output key."""

    def rows(self, extracts: Extracts) -> pa.RecordBatch:
        """The rows of a batch, as many as one likes, of the same columns and types in every batch."""


class Extractor(Protocol):
    """Adds keys to the extracts of a batch, or replaces some; keeps nothing between batches.

    More attributes may be there: `columns`, the names of the columns of the data that it reads (without
    it all are read), `setup()`, called once in each process before the first batch, and `concurrent`, True if
    several threads may call it at once. One with a `ptransform` has no `extract`: Beam applies it to the
    PCollection of extracts, and it gives another.
    """

    @property
    def stage_name(self) -> str:
        """The name by which evaluators say after which stage they run."""

    def extract(self, extracts: Extracts) -> Extracts:
        """The extracts with this stage's keys; the argument is left as it was."""


Stage: TypeAlias = Extractor | Evaluator | RowEvaluator


def makes_rows(evaluator: Evaluator | RowEvaluator) -> TypeGuard[RowEvaluator]:
    """Whether the output of an evaluator is rows."""
    return hasattr(evaluator, "rows") and not hasattr(evaluator, "zero")


def has_transform(stage: Stage) -> bool:
    """Whether a stage brings a PTransform of its own."""
    return getattr(stage, "ptransform", None) is not None


def check_engine(engine: str, stages: Iterable[Stage]) -> None:
    """Refuse stages that only Beam can run where another engine is asked for."""
    for stage in stages if engine != "beam" else ():
        if has_transform(stage):
            raise ConfigError(
                f"{stage.stage_name} brings a ptransform of its own, which only Beam can run. Say "
                "engine='beam', or give the stage without its ptransform."
            )


def is_concurrent(stage: Stage) -> bool:
    """Whether several threads may call a stage at once, evaluators with a state each."""
    concurrent: bool = getattr(stage, "concurrent", False)
    return concurrent


def columns_of(stage: Stage) -> tuple[str, ...] | None:
    """The columns of the data that a stage reads; None is all."""
    columns: tuple[str, ...] | None = getattr(stage, "columns", None)
    return columns


def check_outputs(evaluators: Sequence[Evaluator | RowEvaluator]) -> None:
    """Refuse two evaluators with one output key, of which the second would replace the first."""
    owners: dict[str, str] = {}
    for evaluator in evaluators:
        for key in getattr(evaluator, "outputs", ()):
            check_output_key(owners, key, evaluator.stage_name)


def check_output_key(owners: dict[str, str], key: str, stage: str) -> None:
    """Note who gives an output key; raises ConfigError if another does."""
    owner = owners.setdefault(key, stage)
    if owner != stage:
        raise ConfigError(
            f"{stage} has the output key {key!r}, which {owner} has already. Give it another name."
        )


def check_order(
    evaluators: Sequence[Evaluator | RowEvaluator], extractors: Sequence[Extractor]
) -> None:
    """Refuse an evaluator that waits for a stage that is not there."""
    stages = [extractor.stage_name for extractor in extractors]
    for evaluator in evaluators:
        if evaluator.run_after not in stages:
            raise ConfigError(
                f"{evaluator.stage_name} runs after {evaluator.run_after!r}, which is not one of the "
                f"extractors. {suggestion(evaluator.run_after, stages)}"
            )


class FeatureConsumer(Protocol):
    """What is called on the features: a model, or a preprocessing function."""

    columns: tuple[str, ...] | None
    takes_examples: bool
