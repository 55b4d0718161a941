# SPDX-License-Identifier: Apache-2.0
"""The contracts of the stages that a batch passes through: extractors, then evaluators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from benison.data.batch import Extracts
from benison.errors import ConfigError, suggestion

if TYPE_CHECKING:
    pass


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


def check_order(evaluators: Sequence[Evaluator], extractors: Sequence[Extractor]) -> None:
    """Refuse an evaluator that waits for a stage that is not there."""
    stages = [extractor.stage_name for extractor in extractors]
    for evaluator in evaluators:
        if evaluator.run_after not in stages:
            raise ConfigError(
                f"{evaluator.stage_name} runs after {evaluator.run_after!r}, which is not one of the "
                f"extractors. {suggestion(evaluator.run_after, stages)}"
            )


class Extractor(Protocol):
    """Adds keys to the extracts of a batch, or replaces some."""

    @property
    def stage_name(self) -> str:
        """The name by which evaluators say after which stage they run."""

    def extract(self, extracts: Extracts) -> Extracts:
        """The extracts with this stage's keys; the argument is left as it was."""


class Reader(Protocol):
    """What is called on the data: a model, or a preprocessing function."""

    columns: tuple[str, ...] | None
    takes_examples: bool
