# SPDX-License-Identifier: Apache-2.0
"""Records what people decide against a verdict in ML Metadata: an override blesses, a revocation takes back.

Both are recorded with who and why, beside the verdict and never in its place.
"""

from __future__ import annotations

import uuid
from typing import Any

from benison.errors import MetadataError
from benison.lineage import history
from benison.lineage.sink import Blessing, Override
from benison.lineage.store import Store
from benison.lineage.types import (
    OVERRIDE,
    artifact,
    contexts,
    event,
    execution,
    number,
    set_properties,
    text,
)


def override(store: Store, pipeline: str, verdict: Blessing, decision: Override) -> Blessing:
    """Record a blessing against a verdict, as an output of an execution of its own."""
    (judged,) = store.get_artifacts_by_id([verdict.id])
    model = verdict.model_id
    made = artifact(
        store,
        "ModelBlessing",
        judged.uri,
        "LIVE",
        blessed=1,
        current_model=verdict.model,
        current_model_id=model,
        benison_model_digest=text(judged, "benison_model_digest") or None,
        benison_status="blessed",
        benison_override_by=decision.by,
        benison_override_reason=decision.reason,
        benison_until=decision.until,
        benison_reasons=text(judged, "benison_reasons"),
        pipeline_name=pipeline,
    )
    name = history.override_name(pipeline, f"{judged.id}.{uuid.uuid4().hex[:8]}")
    decided = execution(store, OVERRIDE, name, "COMPLETE", by=decision.by, reason=decision.reason)
    inputs = [("model_blessing", judged.id), ("model", model)]
    events: list[Any] = [(None, event("INPUT", key, artifact_id=read)) for key, read in inputs]
    _, ids, _ = store.put_execution(
        decided, [*events, (made, event("OUTPUT", "blessing"))], contexts(store, pipeline=pipeline)
    )
    (stored,) = store.get_artifacts_by_id([ids[-1]])
    return history.blessing(stored)


def revoke(store: Store, pipeline: str, judged: Blessing, by: str, reason: str) -> list[Blessing]:
    """Set `blessed` to 0 on every blessing of the model that was judged."""
    if judged.model_id is None:
        of_model = store.get_artifacts_by_id([judged.id])
    else:
        verdicts = history.verdicts(store, pipeline)
        of_model = [v for v in verdicts if number(v, "current_model_id") == judged.model_id]
    taken = [verdict for verdict in of_model if number(verdict, "blessed") == 1]
    for verdict in taken:
        set_properties(
            verdict, {"blessed": 0, "benison_revoked_by": by, "benison_revoked_reason": reason}
        )
    if taken:
        store.put_artifacts(taken)
    return [history.blessing(verdict) for verdict in taken]


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
