# SPDX-License-Identifier: Apache-2.0
"""This file is the evaluators: mergeable summaries of all batches, each the source of output keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from benison.config import EvalConfig
from benison.engine.accumulator import Accumulator, check_rows
from benison.engine.extract import Extractor
from benison.engine.outcome import Outcome
from benison.engine.plan import Plan
from benison.errors import ConfigError, suggestion
from benison.extracts import Extracts


class Evaluator(Protocol):
    """A summary that adds up over batches and merges over workers. States must be picklable."""

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


class MetricsEvaluator:
    """The evaluator behind the output keys `metrics`, `plots`, `small_slices`, `rows` and `missing`."""

    stage_name = "EvaluateMetricsAndPlots"
    run_after = "ExtractSliceKeys"

    def __init__(self, config: EvalConfig, plan: Plan) -> None:
        self.config = config
        self.plan = plan

    def zero(self) -> Accumulator:
        """An accumulator that has seen no rows."""
        return Accumulator(self.plan)

    def add(self, state: Accumulator, extracts: Extracts) -> Accumulator:
        """The accumulator, with one more batch."""
        state.add(extracts)
        return state

    def merge(self, state: Accumulator, other: Accumulator) -> Accumulator:
        """The first accumulator, with all that the other has seen."""
        state.merge(other)
        return state

    def result(self, state: Accumulator) -> dict[str, Any]:
        """The tables, and the slices that are too small to be shown.

        Raises:
            DataError: No row was read, or a label or prediction is missing in every row.
        """
        check_rows(state)
        outcome = Outcome.of(self.config, state)
        return {
            "metrics": outcome.metrics(),
            "plots": outcome.plots(),
            "small_slices": outcome.small,
            "rows": state.rows,
            "missing": state.missing,
        }


def check_order(evaluators: Sequence[Evaluator], extractors: Sequence[Extractor]) -> None:
    """Refuse an evaluator that waits for a stage that is not there."""
    stages = [extractor.stage_name for extractor in extractors]
    for evaluator in evaluators:
        if evaluator.run_after not in stages:
            raise ConfigError(
                f"{evaluator.stage_name} runs after {evaluator.run_after!r}, which is not one of the "
                f"extractors. {suggestion(evaluator.run_after, stages)}"
            )
