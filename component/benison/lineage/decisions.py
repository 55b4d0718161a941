# SPDX-License-Identifier: Apache-2.0
"""Records what people decide against a verdict in ML Metadata: an override blesses, a revocation takes back.

Both are recorded with who and why, beside the verdict and never in its place.
"""

from __future__ import annotations

import uuid
from typing import Any

from benison.errors import MetadataError
from benison.lineage import history, revocations
from benison.lineage.decision import Decision, Revocation
from benison.lineage.sink import Blessing
from benison.lineage.store import Store
from benison.lineage.types import (
    OVERRIDE,
    REVOCATION,
    artifact,
    contexts,
    event,
    execution,
    number,
    set_properties,
    text,
)


def override(store: Store, pipeline: str, verdict: Blessing, decision: Decision) -> Blessing:
    """Record a blessing against a verdict, as an output of an execution of its own.

    One that has no end takes back a revocation of the same contents.
    """
    (judged,) = store.get_artifacts_by_id([verdict.id])
    model = verdict.model_id
    made = artifact(
        store,
        "ModelBlessing",
        judged.uri,
        "LIVE",
        blessed=1,
        current_model=verdict.model or None,
        current_model_id=model,
        benison_contents=_contents(judged) or None,
        benison_status="blessed",
        benison_override_by=decision.by,
        benison_override_reason=decision.reason,
        benison_until=decision.until,
        benison_reasons=text(judged, "benison_reasons"),
        pipeline_name=pipeline,
    )
    decided = _decided(store, OVERRIDE, pipeline, judged.id, decision)
    known = contexts(store, pipeline=pipeline)
    revoked = revocations.find(store, pipeline, _contents(judged))
    if revoked is not None and decision.until is None:
        known.append(revocations.changed(store, pipeline, revoked.lifted(*decision.facts)))
    inputs = {"model_blessing": judged.id, "model": model}
    events: list[Any] = [
        (None, event("INPUT", key, artifact_id=read))
        for key, read in inputs.items()
        if read is not None
    ]
    _, ids, _ = store.put_execution(decided, [*events, (made, event("OUTPUT", "blessing"))], known)
    (stored,) = store.get_artifacts_by_id([ids[-1]])
    return history.blessing(stored)


def _decided(store: Store, kind: str, pipeline: str, verdict: int, decision: Decision) -> Any:
    """The execution of a decision on a verdict."""
    name = history.decision_name(pipeline, f"{verdict}.{uuid.uuid4().hex[:8]}")
    return execution(store, kind, name, "COMPLETE", by=decision.by, reason=decision.reason)


def revoke(store: Store, pipeline: str, judged: Blessing, decision: Decision) -> list[Blessing]:
    """Set `blessed` to 0 on every blessing of the contents that were judged, and revoke these."""
    (verdict,) = store.get_artifacts_by_id([judged.id])
    contents = _contents(verdict)
    taken = [
        each
        for each in history.verdicts(store, pipeline)
        if number(each, "blessed") == 1 and _are_of_same(each, verdict)
    ]
    names = ("revoked_by", "revoked_at", "revoked_reason")
    properties = {
        f"benison_{name}": value for name, value in zip(names, decision.facts, strict=True)
    }
    for each in taken:
        set_properties(each, {"blessed": 0, **properties})
    if taken:
        decided = _decided(store, REVOCATION, pipeline, verdict.id, decision)
        known = contexts(store, pipeline=pipeline)
        if contents:
            known.append(
                revocations.changed(store, pipeline, Revocation(contents, *decision.facts))
            )
        read = event("INPUT", "model_blessing")
        store.put_execution(decided, [(each, read) for each in taken], known)
    return [history.blessing(each) for each in taken]


def _are_of_same(verdict: Any, judged: Any) -> bool:
    """Whether two verdicts are on the same model, or on copies of it."""
    model, contents = number(judged, "current_model_id"), _contents(judged)
    is_same = model is not None and number(verdict, "current_model_id") == model
    return verdict.id == judged.id or is_same or bool(contents) and _contents(verdict) == contents


def _contents(verdict: Any) -> str:
    """The contents that were judged; "" where TFX's own Evaluator did, which does not say."""
    return text(verdict, "benison_contents") or text(verdict, "benison_model_digest")


def judged(store: Store, pipeline: str, target: str) -> Blessing:
    """The newest verdict on what an id or a path names.

    Raises:
        MetadataError: There is none.
    """
    named = history.find(store, target)
    if named.type == "ModelEvaluation":
        named = history.verdict_beside(store, named) or named
    for verdict in history.verdicts(store, pipeline):
        if named.id in (verdict.id, number(verdict, "current_model_id")) or (
            named.type != "Model" and verdict.uri == named.uri
        ):
            return history.blessing(verdict)
    raise MetadataError(f"The pipeline {pipeline!r} has no verdict on {target}. Evaluate it first.")


def overrides_of(store: Store, verdicts: list[int]) -> list[int]:
    """The ids of the blessings that were decided against verdicts."""
    read = store.get_events_by_artifact_ids(verdicts) if verdicts else []
    readers = {e.execution_id for e in read if e.type == e.INPUT}
    executions = store.get_executions_by_id(list(readers)) if readers else []
    deciding = [each.id for each in executions if each.type == OVERRIDE]
    events = store.get_events_by_execution_ids(deciding) if deciding else []
    return [e.artifact_id for e in events if e.type == e.OUTPUT]
