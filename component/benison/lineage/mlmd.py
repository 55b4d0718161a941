# SPDX-License-Identifier: Apache-2.0
"""Keeps runs in ML Metadata, with the nodes that TFX's Evaluator would write.

Two calls make a record, each of which the store does wholly or not at all: RUNNING with outputs that are
PENDING, before anything is computed; COMPLETE with outputs that are LIVE, when the files are whole. Only LIVE
outputs are found by resolvers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from benison.lineage import decisions, history, revocations
from benison.lineage.decision import Decision, Revocation
from benison.lineage.inputs import examples_id, model_id, put, run_contexts, serving_path, standard
from benison.lineage.run import Finding, ModelFiles, Run, RunKey
from benison.lineage.sink import Attempt, Blessing, Node
from benison.lineage.states import ASKED, IN_ML_METADATA, OPEN, RECORDED, SUPERSEDED
from benison.lineage.store import Store
from benison.lineage.types import (
    DATA,
    EVALUATOR,
    artifact,
    check_spelling,
    contexts,
    event,
    execution,
    set_properties,
    text,
)
from benison.version import VERSION

_REASON_CHARACTERS = 20_000
_BY_COARSE = {"FAILED": "failed", "CANCELED": "abandoned"}


@dataclasses.dataclass(frozen=True)
class MetadataSink:
    """A store of ML Metadata, in whichever process calls it; a `Sink`."""

    store: Store

    @property
    def shown(self) -> str:
        return self.store.connection.shown

    def attempts(self, key: RunKey) -> list[Attempt]:
        attempts: list[Attempt] = []
        while True:
            name = key.attempt(len(attempts) + 1)
            stored = self.store.get_execution_by_type_and_name(EVALUATOR, name)
            if stored is None:
                return attempts
            check_spelling(name, stored)
            attempts.append(_attempt(stored))

    def open(self, run: Run, name: str, token: str) -> bool:
        from ml_metadata import errors

        inputs = [("examples", examples_id(self.store, path, run)) for path in run.examples]
        models = {"model": run.model, "baseline_model": run.baseline}
        inputs += [
            (key, model_id(self.store, files, run)) for key, files in models.items() if files
        ]
        # The artifact itself is left out: what is put is written over whatever another process has put.
        events: list[Any] = [
            (None, event("INPUT", key, index, artifact_id=read))
            for index, (key, read) in _numbered(_first_of_each(inputs))
        ]
        for key, kind in (("evaluation", "ModelEvaluation"), ("blessing", "ModelBlessing")):
            output = artifact(self.store, kind, run.output, "PENDING", **standard(run, "Evaluator"))
            output.external_id = f"{name}#{key}"
            events.append((output, event("PENDING_OUTPUT", key)))
        try:
            put(self.store, self._begun(run, name, token), events, run_contexts(self.store, run))
        except errors.AlreadyExistsError:
            return False
        return True

    def _begun(self, run: Run, name: str, token: str) -> Any:
        return execution(
            self.store,
            EVALUATOR,
            name,
            "RUNNING",
            eval_config=run.config,
            example_splits="null",
            fairness_indicator_thresholds="null",
            benison_state=ASKED,
            benison_token=token,
            benison_inputs=run.inputs,
            benison_fingerprint=run.data.fingerprint,
            benison_baseline=run.baseline.path if run.baseline else "",
            benison_output=run.output,
            benison_version=VERSION,
        )

    def reopen(self, attempt: Attempt, token: str) -> None:
        if attempt.state in OPEN:
            self._set(attempt, benison_state=ASKED, benison_token=token)
            return
        stored = self._execution(attempt)
        stored.last_known_state = stored.RUNNING
        set_properties(stored, {"benison_state": ASKED, "benison_token": token})
        self._put_with_outputs(stored, "PENDING")

    def mark(self, attempt: Attempt, state: str) -> None:
        self._set(attempt, benison_state=state)

    def _set(self, attempt: Attempt, **properties: str) -> None:
        """Write these properties alone: another process may have recorded the run just now."""
        changed = execution(self.store, EVALUATOR, attempt.name, "RUNNING", **properties)
        changed.id = attempt.id
        paths = [f"custom_properties.{name}" for name in properties]
        self.store.put_executions([changed], field_mask_paths=paths)

    def close(self, attempt: Attempt, state: str, reason: str) -> None:
        stored = self._execution(attempt)
        if stored.last_known_state == stored.COMPLETE:
            return
        stored.last_known_state = stored.State.Value(IN_ML_METADATA[state])
        error = reason[:_REASON_CHARACTERS].replace("\0", "")
        set_properties(stored, {"benison_state": state, "benison_error": error})
        self._put_with_outputs(stored, "ABANDONED")

    def publish(
        self, run: Run, attempt: Attempt, finding: Finding, older: Sequence[Attempt]
    ) -> None:
        from ml_metadata import errors

        data = run.data.digest()
        stored, outputs = self._execution(attempt), self._outputs(attempt)
        stored.last_known_state = stored.COMPLETE
        digest = None if run.model is None else run.model.digest
        judged = {"benison_status": finding.status, "benison_data": data}
        set_properties(
            stored, {"benison_state": RECORDED, "benison_model_digest": digest, **judged}
        )
        for output in outputs.values():
            output.state = output.LIVE
            set_properties(output, {**judged, **_explained(finding)})
        blessed = {"blessed": 1, "not_blessed": 0}.get(finding.status)
        decided = {"blessed": blessed, "benison_contents": run.contents}
        set_properties(outputs["blessing"], decided | self._models(run, attempt))
        events = [(o, event("OUTPUT", key, artifact_id=o.id)) for key, o in outputs.items()]
        changed = [(o, None) for o in (*outputs.values(), *self._taken_back(older, attempt.name))]
        events += changed[len(events) :]
        known = [*run_contexts(self.store, run), *contexts(self.store, **{DATA: data})]
        try:
            put(self.store, stored, events, known)
        except errors.AlreadyExistsError:
            # Another process of the same run, with the same inputs, was first to publish; and a third one
            # may have opened again what it had published.
            if self._execution(attempt).last_known_state != stored.COMPLETE:
                self.store.put_execution(stored, changed, [])
        self._close_older(older)

    def supersede(self, older: Sequence[Attempt], by: str) -> None:
        taken = self._taken_back(older, by)
        if taken:
            self.store.put_artifacts(taken)
        self._close_older(older)

    def _taken_back(self, older: Sequence[Attempt], by: str) -> list[Any]:
        """The blessings of executions and the decisions on them, as they are when `by` is recorded."""
        recorded = [each for each in older if each.state == RECORDED]
        verdicts = [self._outputs(each)["blessing"].id for each in recorded]
        ids = [*verdicts, *decisions.overrides_of(self.store, verdicts)]
        taken = self.store.get_artifacts_by_id(ids) if ids else []
        for blessing in taken:
            blessing.state = blessing.ABANDONED
            set_properties(blessing, {"benison_superseded_by": by})
        return list(taken)

    def _close_older(self, older: Sequence[Attempt]) -> None:
        """Say of older executions what they are, which their blessings say already."""
        for each in older:
            if each.state == RECORDED:
                self.mark(each, SUPERSEDED)
            elif each.state in OPEN:
                self.close(each, "abandoned", "Another evaluation has taken its place.")

    def ids(self, run: Run, attempt: Attempt) -> dict[str, Any]:
        events = self.store.get_events_by_execution_ids([attempt.id])
        ids = {e.path.steps[0].key: e.artifact_id for e in events if e.path.steps[1].index == 0}
        return {"execution": attempt.id, **dict(sorted(ids.items()))}

    def blessing_of(self, attempt: Attempt) -> Blessing | None:
        if attempt.state not in (RECORDED, SUPERSEDED):
            return None
        return self._newest_decision(self._outputs(attempt)["blessing"])

    def recorded_at(self, output: str, pipeline: str | None) -> Blessing | None:
        verdict = history.verdict_at(self.store, output)
        if verdict is None or not (
            pipeline is None or history.is_produced_in(self.store, verdict.id, pipeline)
        ):
            return None
        return self._newest_decision(verdict)

    def _newest_decision(self, verdict: Any) -> Blessing:
        decided = decisions.overrides_of(self.store, [verdict.id])
        newest = self.store.get_artifacts_by_id([max(decided)])[0] if decided else verdict
        return history.blessing(newest)

    def candidates(self, data: str) -> list[str]:
        context = self.store.get_context_by_type_and_name(DATA, data)
        judged = self.store.get_executions_by_context(context.id) if context else []
        ordered = sorted((e for e in judged if e.type == EVALUATOR), key=lambda e: int(e.id))
        return list(dict.fromkeys(text(e, "benison_model_digest") for e in ordered))

    def latest_blessed(self, pipeline: str) -> ModelFiles | None:
        history.withdraw_expired(self.store, pipeline)
        model = history.latest_blessed(self.store, pipeline)
        return model and ModelFiles(serving_path(model), text(model, "benison_digest"))

    def blessings(self, pipeline: str, limit: int) -> list[Blessing]:
        history.withdraw_expired(self.store, pipeline)
        return history.blessings(self.store, pipeline, limit)

    def judged(self, pipeline: str, target: str) -> Blessing:
        return decisions.judged(self.store, pipeline, target)

    def override(self, pipeline: str, judged: Blessing, decision: Decision) -> Blessing:
        return decisions.override(self.store, pipeline, judged, decision)

    def revoke(self, pipeline: str, judged: Blessing, decision: Decision) -> list[Blessing]:
        return decisions.revoke(self.store, pipeline, judged, decision)

    def revocation(self, pipeline: str, contents: str) -> Revocation | None:
        return revocations.find(self.store, pipeline, contents)

    def trace(self, target: str, pipeline: str | None) -> Node:
        return history.trace(self.store, target, pipeline)

    def _execution(self, attempt: Attempt) -> Any:
        (stored,) = self.store.get_executions_by_id([attempt.id])
        return stored

    def _put_with_outputs(self, stored: Any, state: str) -> None:
        outputs = self._outputs(_attempt(stored)).values()
        for output in outputs:
            output.state = output.State.Value(state)
        self.store.put_execution(stored, [(output, None) for output in outputs], [])

    def _outputs(self, attempt: Attempt) -> dict[str, Any]:
        """The outputs that an execution announced, by their keys."""
        events = self.store.get_events_by_execution_ids([attempt.id])
        keys = {e.artifact_id: e.path.steps[0].key for e in events if e.type == e.PENDING_OUTPUT}
        return {keys[output.id]: output for output in self.store.get_artifacts_by_id(list(keys))}

    def _models(self, run: Run, attempt: Attempt) -> dict[str, str | int | None]:
        """The models that a run began with, as TFX's Pusher and resolvers read them from a blessing."""
        events = self.store.get_events_by_execution_ids([attempt.id])
        ids = {e.path.steps[0].key: e.artifact_id for e in events if e.type == e.INPUT}
        named: dict[str, str | int | None] = {}
        for key, files in (("model", run.model), ("baseline_model", run.baseline)):
            if files is not None:
                (model,) = self.store.get_artifacts_by_id([ids.get(key) or ids["model"]])
                name = {"model": "current_model"}.get(key, key)
                named |= {name: model.uri, f"{name}_id": model.id}
        return named


def _attempt(stored: Any) -> Attempt:
    return Attempt(
        int(stored.id),
        stored.name,
        _state(stored),
        text(stored, "benison_inputs"),
        text(stored, "benison_fingerprint"),
        text(stored, "benison_data"),
        text(stored, "benison_baseline"),
        text(stored, "benison_status"),
        text(stored, "benison_output"),
        text(stored, "benison_token"),
    )


def _state(stored: Any) -> str:
    """The fine state, as far as it fits the coarse one, which other processes may have changed alone."""
    coarse, fine = stored.State.Name(stored.last_known_state), text(stored, "benison_state")
    if coarse == "COMPLETE":
        return SUPERSEDED if fine == SUPERSEDED else RECORDED
    return _BY_COARSE.get(coarse) or (fine if fine in OPEN else ASKED)


def _explained(finding: Finding) -> dict[str, str | int | None]:
    return {
        "benison_summary": finding.summary,
        "benison_reasons": "\n".join(finding.reasons)[:_REASON_CHARACTERS].replace("\0", ""),
        "benison_rubber_stamped": int(finding.rubber_stamped),
    }


def _first_of_each(inputs: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """A store takes an artifact once: a model that is its own baseline is the model."""
    keys: dict[int, str] = {}
    for key, read in inputs:
        keys.setdefault(read, key)
    return [(key, read) for read, key in keys.items()]


def _numbered(inputs: list[tuple[str, int]]) -> list[tuple[int, tuple[str, int]]]:
    """Each input with its index among those of the same key."""
    counts: dict[str, int] = {}
    numbered = []
    for key, value in inputs:
        counts[key] = counts.get(key, -1) + 1
        numbered.append((counts[key], (key, value)))
    return numbered
