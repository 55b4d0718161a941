# SPDX-License-Identifier: Apache-2.0
"""The state machine of a run, the same over every store.

An execution is named after the key of its run: `key`, then `key#2`, `key#3`. The same inputs complete or
repeat the newest. Other inputs open the next one after a failure, or with `overwrite`, and are refused else.
What is recorded anew supersedes what was recorded before under the key.
"""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Mapping
from typing import Any

from benison.errors import MetadataError
from benison.lineage.decision import Decision, Revocation
from benison.lineage.run import Finding, ModelFiles, Run, RunKey, RunStateError
from benison.lineage.sink import Attempt, Blessing, Node, Sink
from benison.lineage.states import ABANDONED, CLOSED, EVALUATED, FAILED, OPEN, RECORDED

_TRIES = 20  # to begin, while other processes begin the same key


@dataclasses.dataclass(frozen=True)
class Ledger:
    """The history of pipelines in a store; a `Recorder` that people can ask, and decide with."""

    sink: Sink

    def begin(self, run: Run, overwrite: bool = False) -> LedgerRecord:
        """Note that a run is asked for.

        Raises:
            MetadataError: The key is of other inputs or of another output, or its blessing was revoked;
                or the store cannot be written.
        """
        token = uuid.uuid4().hex
        for _ in range(_TRIES):
            attempts = self.sink.attempts(run.key)
            if attempts and _same(run, attempts[-1]):
                self._take_up(attempts[-1], token)
                return LedgerRecord(self.sink, run, overwrite, token, attempts[-1])
            if attempts and attempts[-1].state not in CLOSED:
                _check_replaced(run, attempts[-1], overwrite)
            name = run.key.attempt(len(attempts) + 1)
            if self.sink.open(run, name, token):
                return LedgerRecord(self.sink, run, overwrite, token, self._named(run.key, name))
        raise MetadataError(
            f"Other processes keep beginning the run {run.key.name}. Give each evaluation a --run of its "
            "own, or try again later."
        )

    def _take_up(self, attempt: Attempt, token: str) -> None:
        if attempt.state != RECORDED:
            self.sink.reopen(attempt, token)
            return
        blessing = self.sink.blessing_of(attempt)
        if blessing is not None and blessing.revoked:
            raise MetadataError(
                f"The blessing of {attempt.name} was {blessing.note}. What was revoked is not repeated. "
                "Another --run judges the model again, but a verdict does not bless it: `benison bless "
                "OUTPUT --override` does, and says who and why."
            )

    def _named(self, key: RunKey, name: str) -> Attempt:
        # By its name: another process may have opened the next one since.
        return next(attempt for attempt in self.sink.attempts(key) if attempt.name == name)

    def latest_blessed(self, pipeline: str, key: RunKey | None = None) -> ModelFiles | None:
        """The newest model of a pipeline that is blessed, or None.

        A run that is going on or recorded keeps the baseline that it began with; its bytes are among its
        inputs, so that the digest is left out.
        """
        attempts = self.sink.attempts(key) if key else []
        if attempts and attempts[-1].state not in CLOSED:
            path = attempts[-1].baseline
            return ModelFiles(path, "") if path else None
        return self.sink.latest_blessed(pipeline)

    def has_recorded(self, run: Run) -> bool:
        """Whether the newest record under the key of a run is of its inputs."""
        recorded = [each for each in self.sink.attempts(run.key) if each.state == RECORDED]
        return bool(recorded) and _same(run, recorded[-1])

    def standing(self, run: Run) -> Blessing:
        """The verdict that is recorded of a run, or the newest decision on it.

        Raises:
            MetadataError: It is not recorded, or superseded; says which, and what to do.
        """
        attempts = self.sink.attempts(run.key)
        same = [attempt for attempt in attempts if _same(run, attempt)]
        if not same:
            other = f"{attempts[-1].name}, of other inputs" if attempts else "nothing"
            why = f"under {run.key.name!r} the store {self.sink.shown} has {other}"
            raise MetadataError(
                f"{run.output} is not recorded: {why}. `benison record` records an output that is newer."
            )
        newest = same[-1]
        if newest.state in OPEN:
            raise MetadataError(
                f"{run.output} is not recorded: {newest.name} is {newest.state}. `benison record` or the "
                "same run again completes it."
            )
        blessing = self.sink.blessing_of(newest)
        if newest.state in CLOSED or blessing is None:
            raise MetadataError(
                f"{run.output} is not recorded: {newest.name} is {newest.state}. Evaluate again."
            )
        if blessing.status == "superseded":
            raise MetadataError(
                f"{run.output} is no longer what is recorded: it is {blessing.note}. `benison blessings` "
                "says which output is."
            )
        return blessing

    def recorded_at(self, output: str, pipeline: str | None = None) -> Blessing:
        """The verdict that a host has recorded of an output that is of no named run, or the newest decision.

        Raises:
            MetadataError: It is not recorded.
        """
        blessing = self.sink.recorded_at(output, pipeline)
        if blessing is None:
            of = "" if pipeline is None else f" of the pipeline {pipeline!r}"
            raise MetadataError(
                f"{output} is not recorded: it is not of a named run, and {self.sink.shown} has no finished "
                f"evaluation{of} there. Evaluate with --pipeline and --run; what TFX has not finished, it "
                "does again."
            )
        return blessing

    def blessings(self, pipeline: str, limit: int = 20) -> list[Blessing]:
        """The newest verdicts of a pipeline and decisions on them, newest first.

        Raises:
            MetadataError: The store has no such pipeline.
        """
        return self.sink.blessings(pipeline, limit)

    def trace(self, target: str, pipeline: str | None = None) -> Node:
        """What an artifact was made from; `target` is its id, URI or path.

        Args:
            target: The id of an artifact, or its URI or path; of several at one place the newest, a
                blessing first.
            pipeline: The pipeline that must have made or read it; None for any.

        Raises:
            MetadataError: The store has no such artifact.
        """
        return self.sink.trace(target, pipeline)

    def look(self, data: str, model: str) -> int:
        """Which candidate a model is, from 1, among those that were judged on the same data.

        Args:
            data: The digest of the data.
            model: The digest of the model.
        """
        judged = self.sink.candidates(data)
        return judged.index(model) + 1 if model in judged else len(judged) + 1

    def revocation(self, pipeline: str, contents: str) -> Revocation | None:
        """What was decided for good on contents in a pipeline; None where they were never revoked.

        Args:
            pipeline: The pipeline.
            contents: Those of a run, as `Run.contents` has them; "" where they are not known.
        """
        return self.sink.revocation(pipeline, contents) if contents else None

    def override(
        self, pipeline: str, target: str, *, by: str, reason: str, until: str | None = None
    ) -> Blessing:
        """Bless what was judged and not blessed; without an end this takes a revocation back too.

        Where the predictions were in the data there is no model, and no resolver finds one.

        Args:
            pipeline: The pipeline whose resolvers will find it.
            target: The output of its evaluation, the model, or the id of either.
            by: Who decides.
            reason: Why.
            until: When the blessing ends: a day such as `2030-01-31`, which is 00:00 UTC of it, or a time
                such as `2030-01-31T18:00+02:00`, in UTC without an offset; None for never. The model is not
                blessed from then on. Benison heeds it at once; TFX's resolvers, which know no time, from
                Benison's next use of the pipeline on.

        Raises:
            MetadataError: Nothing was judged there, it is blessed already, or an argument is wrong.
        """
        decision = Decision.made(by, reason, until)
        judged = self.sink.judged(pipeline, target)
        if judged.status == "blessed":
            raise MetadataError(f"{target} is blessed already.")
        return self.sink.override(pipeline, judged, decision)

    def revoke(self, pipeline: str, target: str, *, by: str, reason: str) -> list[Blessing]:
        """Take back every blessing of a model; resolvers no longer find it, and no verdict blesses it again.

        The model is its contents, wherever they are. An `override` without an end takes the revocation back.

        Args:
            pipeline: The pipeline that blessed it.
            target: The output of its evaluation, the model, or the id of either.
            by: Who decides.
            reason: Why.

        Returns:
            The blessings that were taken back.

        Raises:
            MetadataError: Nothing there is blessed, or an argument is wrong.
        """
        decision = Decision.made(by, reason)
        taken = self.sink.revoke(pipeline, self.sink.judged(pipeline, target), decision)
        if not taken:
            raise MetadataError(
                f"{target} has no blessing in the pipeline {pipeline!r} that could be revoked; `benison "
                "blessings` lists those that there are."
            )
        return taken


class LedgerRecord:
    """What is recorded of one run while it goes on; a `Record`."""

    def __init__(self, sink: Sink, run: Run, overwrite: bool, token: str, attempt: Attempt) -> None:
        self._sink = sink
        self._run = run
        self._overwrite = overwrite
        self._token = token
        self._name = attempt.name
        self._ids = self._ids_of(attempt)

    @property
    def ids(self) -> Mapping[str, Any]:
        """The store, the key, the name of the execution, and numbers in the store."""
        return self._ids

    def _ids_of(self, attempt: Attempt) -> dict[str, Any]:
        named = {"store": self._sink.shown, **self._run.key.to_dict(), "key": attempt.name}
        return {**named, **self._sink.ids(self._run, attempt)}

    def note(self, state: str, finding: Finding | None = None) -> None:
        """Note an open state.

        Raises:
            RunStateError: Another process has begun the same key with other inputs, or the verdict is
                another than what is recorded of the same inputs.
        """
        mine = self._mine()
        if mine.state == RECORDED:
            if state == EVALUATED and finding is not None and finding.status != mine.status:
                self._open_next(mine, finding)
        elif mine.state != state:
            self._sink.mark(mine, state)
        if state == EVALUATED and finding is not None:
            self._check_not_revoked(finding)

    def _check_not_revoked(self, finding: Finding) -> None:
        """Refuse to bless what was revoked after it was judged.

        Raises:
            RunStateError: It was.
        """
        if finding.status != "blessed":
            return
        contents = self._run.contents
        revoked = self._sink.revocation(self._run.key.pipeline, contents) if contents else None
        if revoked is not None and revoked.stands:
            raise RunStateError(
                f"{self._name} must not bless. {revoked.sentence} Evaluate again, with --overwrite if the "
                "output is there."
            )

    def complete(self, finding: Finding) -> None:
        """Record the run and publish its blessing.

        Raises:
            RunStateError: Another process has begun the same key with other inputs, the verdict is another
                than what is recorded of the same inputs, or it blesses what was revoked.
        """
        *older, mine = self._up_to_mine()
        self._check_not_revoked(finding)
        if mine.state == RECORDED:
            if mine.status != finding.status:
                raise RunStateError(_disagreement(mine, finding))
            return
        self._sink.publish(self._run, mine, finding, older)
        newest = self._attempts()[-1]
        if newest.name != mine.name and newest.state == RECORDED:
            self._sink.supersede([mine], newest.name)
            raise RunStateError(_superseded(mine.name, newest.name))

    def fail(self, reason: str) -> None:
        """Note that the run has failed, unless another process has recorded it or taken it up."""
        self._close(FAILED, reason)

    def abandon(self, reason: str) -> None:
        """Note that the run was stopped, unless another process has recorded it or taken it up."""
        self._close(ABANDONED, reason)

    def _close(self, state: str, reason: str) -> None:
        for mine in self._attempts():
            if (mine.name, mine.token) == (self._name, self._token) and mine.state in OPEN:
                self._sink.close(mine, state, reason)

    def _attempts(self) -> list[Attempt]:
        return self._sink.attempts(self._run.key)

    def _mine(self) -> Attempt:
        return self._up_to_mine()[-1]

    def _up_to_mine(self) -> list[Attempt]:
        """The executions of the key, of which mine must be the last."""
        attempts = self._attempts()
        if not attempts:
            raise MetadataError(
                f"{self._sink.shown} has lost the run {self._name}. Evaluate again, in a store that keeps it."
            )
        if attempts[-1].name != self._name:
            raise RunStateError(_superseded(self._name, attempts[-1].name))
        return attempts

    def _open_next(self, mine: Attempt, finding: Finding) -> None:
        """Go on as the next execution: the same inputs have got another verdict than what is recorded."""
        if not self._overwrite:
            raise RunStateError(_disagreement(mine, finding))
        name = self._run.key.attempt(len(self._attempts()) + 1)
        if not self._sink.open(self._run, name, self._token):
            raise RunStateError(_superseded(self._name, name))
        self._name = name
        opened = self._mine()
        self._ids = self._ids_of(opened)
        self._sink.mark(opened, EVALUATED)


def _same(run: Run, attempt: Attempt) -> bool:
    """Whether a run is of the inputs of an execution; the data are read only if it cannot be told else."""
    if attempt.inputs != run.inputs:
        return False
    if attempt.fingerprint == run.data.fingerprint:
        return True
    return bool(attempt.data) and attempt.data == run.data.digest()


def _check_replaced(run: Run, attempt: Attempt, overwrite: bool) -> None:
    """Refuse other inputs under a key, unless they replace what is there.

    Raises:
        MetadataError: Without `overwrite`; or with it for another output, as of two evaluations in a run
            that nothing tells apart, of which each would take back the blessing of the other.
    """
    if attempt.output != run.output:
        raise MetadataError(
            f"The run {run.key.run!r} of {run.key.pipeline!r} writes {attempt.output} ({attempt.name} is "
            f"{attempt.state}). Give each evaluation of a run a --task, or choose another --run."
        )
    if not overwrite:
        raise MetadataError(
            f"The run {run.key.run!r} of {run.key.pipeline!r} was of other data, models or config "
            f"({attempt.name} is {attempt.state}). Choose another --run; or say --overwrite, by which this "
            "evaluation takes its place."
        )


def _disagreement(attempt: Attempt, finding: Finding) -> str:
    return (
        f"{attempt.name} is recorded as {attempt.status.replace('_', ' ')}, and the same inputs are now "
        f"{finding.status.replace('_', ' ')}. Evaluate again with --overwrite to record that in its place."
    )


def _superseded(name: str, newest: str) -> str:
    return (
        f"{name} must not be recorded: another process has begun the same run with other inputs, as "
        f"{newest}. Give each evaluation a run, or a task, of its own."
    )
