# SPDX-License-Identifier: Apache-2.0
"""This folder is lineage: what a blessing was made from, recorded where resolvers find it.

A `Recorder` hears of a run twice: before anything is computed (`begin`) and when the files of the output
are complete (`complete`, or `fail`). Nothing that it recorded at first is visible to a resolver, so that
a run that was killed has blessed nothing; the same run again completes the record. ML Metadata is the one
recorder that Benison has; another is a class with these methods.
"""

from __future__ import annotations

import dataclasses
import datetime
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Protocol


@dataclasses.dataclass(frozen=True)
class ModelFiles:
    """A model by where it is and which bytes it is."""

    path: str
    digest: str
    """"" when it is not known, as of a model that TFX recorded."""


@dataclasses.dataclass(frozen=True)
class Run:
    """What an evaluation reads and writes; the pair of pipeline and run is its key.

    A key that was recorded may be used again for the same inputs, which then completes or repeats the
    record, and for no others.
    """

    pipeline: str
    id: str
    examples: tuple[str, ...]
    """Absolute paths or URIs; none for a table in memory."""
    data: str
    """The digest of the data's identity."""
    model: ModelFiles | None
    """None when the predictions are in the data."""
    baseline: ModelFiles | None
    config: str
    """The evaluation config as JSON."""
    output: str

    @property
    def key(self) -> str:
        """The name of the run in a store, unique there."""
        return key_of(self.pipeline, self.id)


@dataclasses.dataclass(frozen=True)
class Finding:
    """The verdict as a record holds it."""

    status: str
    """blessed, not_blessed or not_evaluated."""
    summary: str
    reasons: Sequence[str] = ()
    rubber_stamped: bool = False


class Recorder(Protocol):
    """Keeps the history of a pipeline's evaluations.

    Every method raises MetadataError when the store cannot be reached or refuses a record.
    """

    def begin(self, run: Run) -> Mapping[str, Any]:
        """Note that a run has begun; what to write of it into the manifest, such as its ids."""

    def complete(self, run: Run, finding: Finding) -> None:
        """Note that a run's files are complete, and publish its verdict, in one step."""

    def fail(self, run: Run, reason: str) -> None:
        """Note that a run has failed; its outputs will never be published."""

    def latest_blessed(self, pipeline: str, run: str = "") -> ModelFiles | None:
        """The newest model of a pipeline that is blessed, as it was then, or None.

        A run that was begun before keeps the baseline that it began with, or it would be of other inputs.
        """


def key_of(pipeline: str, run: str) -> str:
    """The name of a run in a store."""
    return f"{pipeline}.{run}.Evaluator"


def connect(url: str) -> Recorder:
    """The recorder of a metadata store.

    Args:
        url: `sqlite:///relative.db`, `sqlite:////absolute.db`, `mysql://user:password@host:3306/database` or
            `grpc://host:port`.

    Raises:
        MetadataError: The URL is not one of these; says what is missing.
        MissingExtraError: ML Metadata is not installed.
    """
    from benison.lineage.mlmd import MetadataRecorder
    from benison.lineage.store import Store

    return MetadataRecorder(Store.open(url))


def new_run_id() -> str:
    """An id for a run that was given none: the time in UTC, and a part that makes it unique."""
    now = datetime.datetime.now(datetime.timezone.utc)
    return f"{now:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}"
