# SPDX-License-Identifier: Apache-2.0
"""What people decide against a verdict: an override blesses, a revocation takes back.

Both are recorded with who and why, beside the verdict and never in its place.
"""

from __future__ import annotations

import datetime
import uuid
from typing import Any

from benison.errors import MetadataError
from benison.lineage import history
from benison.lineage.history import Blessing
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


def override(
    store: Store, pipeline: str, target: str, *, by: str, reason: str, until: str | None = None
) -> Blessing:
    """Bless a model that was judged and not blessed.

    Args:
        store: Where its verdict is recorded.
        pipeline: The pipeline whose resolvers will find it.
        target: The output of its evaluation, the model, or the id of either.
        by: Who decides.
        reason: Why.
        until: When the blessing ends, in ISO 8601; a date is its first moment in UTC. Benison heeds it at
            once; TFX's resolvers, which know no time, from Benison's next use of the pipeline on.

    Raises:
        MetadataError: Nothing was judged there, it is blessed already, or an argument is wrong.
    """
    _check(by=by, reason=reason)
    judged = _judged(store, pipeline, target)
    if history.is_blessing(judged):
        raise MetadataError(f"{target} is blessed already.")
    model = number(judged, "current_model_id")
    if model is None:
        raise MetadataError(
            f"The evaluation {judged.uri} judged no model: its predictions were in the data."
        )
    made = artifact(
        store,
        "ModelBlessing",
        judged.uri,
        "LIVE",
        blessed=1,
        current_model=text(judged, "current_model"),
        current_model_id=model,
        benison_model_digest=text(judged, "benison_model_digest") or None,
        benison_status="blessed",
        benison_override_by=by,
        benison_override_reason=reason,
        benison_until=_moment(until) if until else None,
        benison_reasons=text(judged, "benison_reasons"),
        pipeline_name=pipeline,
    )
    name = f"{pipeline}.override.{judged.id}.{uuid.uuid4().hex[:8]}"
    decision = execution(store, OVERRIDE, name, "COMPLETE", by=by, reason=reason)
    inputs = [("model_blessing", int(judged.id)), ("model", model)]
    events: list[Any] = [(None, event("INPUT", key, artifact_id=found)) for key, found in inputs]
    _, ids, _ = store.put_execution(
        decision, [*events, (made, event("OUTPUT", "blessing"))], contexts(store, pipeline=pipeline)
    )
    (stored,) = store.get_artifacts_by_id([ids[-1]])
    return Blessing.of(stored)


def revoke(store: Store, pipeline: str, target: str, *, by: str, reason: str) -> list[Blessing]:
    """Take back every blessing of a model; resolvers no longer find it.

    Args:
        store: Where it is recorded.
        pipeline: The pipeline that blessed it.
        target: The output of its evaluation, the model, or the id of either.
        by: Who decides.
        reason: Why.

    Returns:
        The blessings that were taken back.

    Raises:
        MetadataError: Nothing there is blessed, or an argument is wrong.
    """
    _check(by=by, reason=reason)
    judged = _judged(store, pipeline, target)
    model = number(judged, "current_model_id")
    verdicts = history.of_type(store, pipeline, "ModelBlessing") if model is not None else [judged]
    same = (found for found in verdicts if number(found, "current_model_id") == model)
    taken = [found for found in same if number(found, "blessed") == 1]
    if not taken:
        raise MetadataError(
            f"{target} has no blessing in the pipeline {pipeline!r} that could be revoked."
        )
    for found in taken:
        set_properties(
            found, {"blessed": 0, "benison_revoked_by": by, "benison_revoked_reason": reason}
        )
    store.put_artifacts(taken)
    return [Blessing.of(found) for found in taken]


def _judged(store: Store, pipeline: str, target: str) -> Any:
    """The newest verdict on what an id or a path names."""
    found = history.find(store, target)
    for blessing in history.of_type(store, pipeline, "ModelBlessing"):
        if found.id in (blessing.id, number(blessing, "current_model_id")) or (
            found.type != "Model" and blessing.uri == found.uri
        ):
            return blessing
    raise MetadataError(f"The pipeline {pipeline!r} has no verdict on {target}. Evaluate it first.")


def _moment(until: str) -> str:
    try:
        found = datetime.datetime.fromisoformat(until)
    except ValueError as error:
        raise MetadataError(
            f"{until!r} is not a date or time in ISO 8601, as 2030-01-31."
        ) from error
    found = found if found.tzinfo else found.replace(tzinfo=datetime.timezone.utc)
    if found <= datetime.datetime.now(datetime.timezone.utc):
        raise MetadataError(f"{until} is over already: it is {found.isoformat()}.")
    return found.isoformat()


def _check(**said: str) -> None:
    for name, value in said.items():
        if not value.strip():
            raise MetadataError(
                f"Say --{name}: a decision against a verdict is recorded with who and why."
            )
