# SPDX-License-Identifier: Apache-2.0
"""The contract of a store in which the ledger keeps runs."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Protocol

from benison.errors import BenisonError, MetadataError
from benison.lineage.decision import Decision, Revocation, decision_text
from benison.lineage.run import Finding, ModelFiles, Run, RunKey
from benison.paths import absolute


@dataclasses.dataclass(frozen=True)
class Attempt:
    """One execution under a key, as the store has it."""

    id: int
    name: str
    """`key`, `key#2`, ..."""
    state: str
    """One of `states`."""
    inputs: str
    fingerprint: str
    """Of the data."""
    data: str
    """The digest of the data; "" until it is known."""
    baseline: str
    """The path of the baseline that it began with; "" without one."""
    status: str
    """The verdict; "" until it is recorded."""
    output: str
    token: str
    """Of the process that has begun it or taken it up last."""


@dataclasses.dataclass(frozen=True)
class Blessing:
    """A verdict, or a decision against one, as the store has it."""

    id: int
    model: str
    """The URI of the model; "" when the predictions were in the data."""
    model_id: int | None
    status: str
    """blessed, not_blessed, not_evaluated or superseded, as it is now."""
    created: str
    """UTC, in ISO 8601."""
    reasons: tuple[str, ...]
    note: str
    """Who overrode and revoked it, why and until when; what superseded it; "" for none of these."""
    uri: str
    """The output of the evaluation."""
    revoked: bool = False


@dataclasses.dataclass(frozen=True)
class Node:
    """An artifact or an execution, and what it was made from."""

    kind: str
    id: int
    name: str
    """The URI of an artifact, the name of an execution."""
    properties: dict[str, str | int]
    sources: tuple[Node, ...]
    role: str = ""
    """What an artifact was to the execution it was read by: model, baseline_model, examples; else ""."""


def note_of(
    *,
    superseded_by: str | None,
    revoked: Sequence[str | None],
    overridden: Sequence[str | None],
    rubber_stamped: bool | None,
) -> str:
    """All that has come of a blessing, the last of it first.

    Args:
        superseded_by: The execution that was recorded in its place.
        revoked: Who took it back, when and why.
        overridden: Who made it against a verdict, why, and until when.
        rubber_stamped: Whether a threshold was not judged, for want of a baseline.

    >>> note_of(
    ...     superseded_by=None,
    ...     revoked=("bob", "2030-01-31T10:00:05+00:00", "labels"),
    ...     overridden=("ada", "late", "2020-01-31T00Z"),
    ...     rubber_stamped=False,
    ... )
    'revoked by bob on 2030-01-31 at 10:00 UTC: labels; before that overridden by ada until 2020-01-31T00Z, \
which is over: late'
    """
    (by, at, why), (author, motive, until) = revoked, overridden
    end = f" until {until}" + (", which is over" if is_over(until) else "") if until else ""
    events = {
        f"superseded by {superseded_by}": superseded_by,
        f"revoked {decision_text(by or '', at or '', why or '')}": by,
        f"overridden by {author}{end}: {motive}": author,
        "rubber-stamped": rubber_stamped,
    }
    return "; before that ".join(event for event, is_so in events.items() if is_so)


def no_artifact(store: str, target: str, pipeline: str | None) -> MetadataError:
    """That a store, or a pipeline in it, has nothing of an id, a URI or a path."""
    of = f" in the pipeline {pipeline!r}" if pipeline is not None else ""
    return MetadataError(
        f"{store} has no artifact {target!r}{of}. Say an id, or the path of a model or of an output; "
        "`benison blessings` lists them."
    )


def is_over(until: str | None) -> bool:
    """Whether the time of a blessing has ended; one without an end goes on."""
    now = datetime.datetime.now(datetime.UTC)
    return bool(until) and datetime.datetime.fromisoformat(str(until)) <= now


def uris_of(target: str) -> list[str]:
    """What somebody may mean: the words themselves, or the full name of a path."""
    with suppress(BenisonError):  # of a scheme that is not opened here
        return list(dict.fromkeys((target, absolute(target))))
    return [target]


class Sink(Protocol):
    """A store. Each method is done wholly or not at all, and raises MetadataError when it cannot be done."""

    @property
    def shown(self) -> str:
        """The URL without its password."""

    def attempts(self, key: RunKey) -> list[Attempt]:
        """The executions of a key, oldest first."""

    def open(self, run: Run, name: str, token: str) -> bool:
        """Record a new execution as *asked*; False if another process was first to record that name."""

    def reopen(self, attempt: Attempt, token: str) -> None:
        """Take up again, as *asked*, what was killed, has failed or was abandoned."""

    def mark(self, attempt: Attempt, state: str) -> None:
        """Note an open state, unless the execution is recorded or closed by now."""

    def close(self, attempt: Attempt, state: str, reason: str) -> None:
        """Note that an execution has failed or was abandoned, unless it is recorded by now."""

    def publish(
        self, run: Run, attempt: Attempt, finding: Finding, older: Sequence[Attempt]
    ) -> None:
        """Record an execution, publish its blessing, and supersede the older ones, in one step.

        If another process has recorded it in the meantime, nothing is changed.
        """

    def supersede(self, older: Sequence[Attempt], by: str) -> None:
        """Take the blessings of executions back, with the decisions on them, for that of a newer one."""

    def ids(self, run: Run, attempt: Attempt) -> dict[str, Any]:
        """The numbers of an execution and its artifacts in the store, by their roles."""

    def blessing_of(self, attempt: Attempt) -> Blessing | None:
        """The verdict that an execution has recorded, or the newest decision on it."""

    def recorded_at(self, output: str, pipeline: str | None) -> Blessing | None:
        """What a host that keeps its own records, as TFX, has recorded of an output; None for nothing.

        With a pipeline, what it has recorded there.
        """

    def candidates(self, data: str) -> list[str]:
        """The digests of the models that were judged on data of this digest, in order, each once."""

    def latest_blessed(self, pipeline: str) -> ModelFiles | None:
        """The newest model of a pipeline that is blessed."""

    def blessings(self, pipeline: str, limit: int) -> list[Blessing]:
        """The newest verdicts of a pipeline and decisions on them, newest first.

        Raises:
            MetadataError: The store has no such pipeline.
        """

    def judged(self, pipeline: str, target: str) -> Blessing:
        """The newest verdict on what an id, a path or a URI names.

        Raises:
            MetadataError: There is none.
        """

    def override(self, pipeline: str, judged: Blessing, decision: Decision) -> Blessing:
        """Record a blessing against a verdict; one without an end takes a revocation back too."""

    def revoke(self, pipeline: str, judged: Blessing, decision: Decision) -> list[Blessing]:
        """Take back every blessing of the contents that were judged, and revoke these.

        Returns:
            The blessings that were taken back; without any nothing is revoked.
        """

    def revocation(self, pipeline: str, contents: str) -> Revocation | None:
        """The revocation of contents in a pipeline, also one that was taken back; None for none."""

    def trace(self, target: str, pipeline: str | None) -> Node:
        """What an artifact was made from, back to what came from outside.

        Args:
            target: The id of an artifact, or its URI or path; of several at one place the newest, a
                blessing first.
            pipeline: The pipeline that must have made or read it; None for any.

        Raises:
            MetadataError: The store has no such artifact.
        """
