# SPDX-License-Identifier: Apache-2.0
"""What probes have in common."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator

import pyarrow as pa

from benison.config import ProbeSpec
from benison.data.values import is_measured
from benison.errors import BenisonError, ModelError, suggestion
from benison.probes.changes import is_same, rolled
from benison.probes.probe_findings import ProbeFinding, unmeasured
from benison.probes.subject import Subject

_LONGEST = 300


@dataclasses.dataclass(frozen=True)
class Probe(ABC):
    """Calls a model on changed rows.

    Attributes:
        spec: What the config says of it.
        alpha: How often its intervals may miss the true value.
    """

    spec: ProbeSpec
    alpha: float = 0.05

    rows = 2**31
    """The most rows that it changes of those that there are."""

    @property
    def name(self) -> str:
        """As the config has it."""
        return self.spec.name

    @abstractmethod
    def calls(self, subject: Subject) -> int:
        """How many times it has each of its rows predicted."""

    @abstractmethod
    def run(self, subject: Subject) -> Iterator[ProbeFinding]:
        """What it says of the model; whatever it raises becomes the reason why nothing was measured."""

    def cost(self, subject: Subject) -> int:
        """How many rows are predicted for it; the rows as they are have been already."""
        return self.calls(subject) * int(self.sample(subject).num_rows)

    def sample(self, subject: Subject) -> pa.RecordBatch:
        """The rows that it changes."""
        return subject.first(self.rows)

    def features(self, subject: Subject) -> tuple[str, ...]:
        """The features that it changes.

        Raises:
            ModelError: The config names a column that was not read.
        """
        for name in self.spec.features:
            if name not in subject.rows.schema.names:
                hint = suggestion(name, subject.features)
                raise ModelError(f"the model does not read the feature {name!r}. {hint}")
        return self.spec.features or subject.features

    def changing(
        self, subject: Subject, change: Callable[[pa.Array], pa.Array] = rolled
    ) -> tuple[str, ...]:
        """Its features, without those that nobody named and that a change leaves as they are."""
        if self.spec.features:
            return self.features(subject)
        rows = self.sample(subject)
        columns = {name: rows.column(name) for name in self.features(subject)}
        return tuple(name for name, c in columns.items() if not is_same(c, change(c)))

    def of_each(
        self, features: Iterable[str], of: Callable[[str], Iterable[ProbeFinding]]
    ) -> Iterator[ProbeFinding]:
        """What `of` says of each feature, or why nothing was measured of it; the others are not lost."""
        for feature in features:
            try:
                yield from of(feature)
            except BenisonError as error:
                yield unmeasured(self.name, str(error)[:_LONGEST], feature)

    def measured(self, subject: Subject) -> tuple[str, ...]:
        """Those of its features that are numbers."""
        schema = subject.rows.schema
        return tuple(n for n in self.features(subject) if is_measured(schema.field(n).type))
