# SPDX-License-Identifier: Apache-2.0
"""Says how many rows each probe would have predicted, before a row is read."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa

from benison.data.batch import Array, joined_name
from benison.data.dataset import Dataset
from benison.data.values import innermost, is_list
from benison.engine.plan import Plan
from benison.engine.stages import Extractor
from benison.evaluation.probing import Probing
from benison.evaluation.training_examples import TrainingExamples
from benison.probes.running import PROBES
from benison.probes.subject import Subject

_VALUES = 25
"""Of each feature of rows that stand for those that are not read: more than any probe sets."""


@dataclasses.dataclass(frozen=True)
class ProbeCost:
    """How many rows the probes of one output of a model have predicted at most.

    Attributes:
        of: The model and the output, where they have names.
        rows: As they are.
        probes: Changed ones, by probe.
        budget: As `DebuggingOptions.budget` has it.
    """

    of: str
    rows: int
    probes: Mapping[str, int]
    budget: int

    @property
    def total(self) -> int:
        """With the rows as they are."""
        return self.rows + sum(self.probes.values())

    @property
    def sentence(self) -> str:
        """What a command prints."""
        each = ", ".join(f"{name} {rows:,}" for name, rows in self.probes.items())
        of = f" of {self.of}" if self.of else ""
        text = (
            f"Probes{of} have at most {self.total:,} rows predicted, of {self.budget:,} in debugging.budget: "
            f"{self.rows:,} as they are, {each}."
        )
        beyond = [*self._beyond()]
        return f"{text} Beyond it, and not begun: {', '.join(beyond)}." if beyond else text

    def _beyond(self) -> Iterator[str]:
        left = self.budget - self.rows
        for name, rows in self.probes.items():
            if rows > left:
                yield name
            else:
                left -= rows


def probe_costs(plan: Plan, dataset: Dataset, extractors: Sequence[Extractor]) -> list[ProbeCost]:
    """Of each output of each candidate; nothing where no probe is asked for."""
    options = plan.config.debugging
    if options is None:
        return []
    rows = options.rows if dataset.num_rows is None else min(options.rows, dataset.num_rows)
    fields = [dataset.schema.field(name) for name in dataset.schema.names]
    batch = pa.RecordBatch.from_pydict({field.name: _values(field.type) for field in fields})
    probing = Probing(plan, extractors, batch, {}, TrainingExamples(plan.config))
    costs = []
    for model, output in probing.targets():
        subject = Subject(_uncalled, batch, probing.features(model))
        probes: dict[str, int] = {}
        for spec in probing.specs(model):
            probe = PROBES[spec.name](spec)
            count = probe.calls(subject) * min(rows, probe.rows)
            probes[spec.name] = probes.get(spec.name, 0) + count
        costs.append(ProbeCost(joined_name(model, output), rows, probes, options.budget))
    return costs


def _uncalled(rows: pa.RecordBatch) -> Array:
    raise NotImplementedError("nothing is predicted before a run")


def _values(kind: pa.DataType) -> pa.Array:
    """Different values of a type, as far as Arrow makes some of whole numbers."""
    flat = innermost(kind)
    try:
        values = pa.array(np.arange(_VALUES)).cast(flat, safe=False)
        return values if not is_list(kind) else pa.array([[v] for v in values.to_pylist()], kind)
    except pa.ArrowException:
        return pa.nulls(_VALUES, kind)
