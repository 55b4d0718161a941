# SPDX-License-Identifier: Apache-2.0
"""Evaluates one shard on a worker of the Beam engine."""

from __future__ import annotations

import dataclasses
from typing import Any

from benison.data.shards import Shard, read_shard
from benison.engine import local
from benison.engine.row_streams import of_part
from benison.engine.stages import Evaluator, Extractor
from benison.metrics.modules import UserMetrics


@dataclasses.dataclass(frozen=True)
class Work:
    """What a worker does with a shard: its rows through the stages, into one state an evaluator.

    `user_metrics` come first: unpickling them imports the modules of what is unpickled after them.
    """

    user_metrics: UserMetrics
    extractors: tuple[Extractor, ...]
    evaluators: tuple[Evaluator, ...]
    columns: tuple[str, ...] | None
    keep_input: bool
    number: bool

    def evaluate(self, part: tuple[int, Shard]) -> list[Any]:
        """The states of the rows of one shard, given with its number."""
        number, shard = part
        batches = read_shard(shard, self.columns, keep_input=self.keep_input, number=self.number)
        evaluators = [of_part(evaluator, number) for evaluator in self.evaluators]
        return local.run(batches, self.extractors, evaluators)

    def zero(self) -> list[Any]:
        """The states of no rows."""
        return [evaluator.zero() for evaluator in self.evaluators]

    def merge(self, states: list[Any], others: list[Any]) -> list[Any]:
        """The states of both."""
        return [e.merge(a, b) for e, a, b in zip(self.evaluators, states, others, strict=True)]
