# SPDX-License-Identifier: Apache-2.0
"""Reads a pipeline's history from ML Metadata: its blessings, the latest one, and what it was made from.

TFX's LatestBlessedModelStrategy takes the Model with the highest id among those that the pipeline has
produced, that are LIVE, and that a LIVE ModelBlessing with the whole number `blessed` = 1 names by
`current_model_id`. So does `latest_blessed`, newest first, and the store picks the blessings, so that
neither a long history nor many models that were not blessed take time.
"""

from __future__ import annotations

import contextlib
import datetime
import heapq
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any

from benison.errors import MetadataError
from benison.lineage.run import joined
from benison.lineage.sink import Blessing, Node, is_over, no_artifact, note_of, uris_of
from benison.lineage.store import Store
from benison.lineage.types import OVERRIDE, SERVING, check_spelling, number, set_properties, text

_PAGE = 100
_LAST_ID = 2**63 - 1
_PRODUCED = ("OUTPUT", "INTERNAL_OUTPUT", "DECLARED_OUTPUT")


def blessing(artifact: Any) -> Blessing:
    """A ModelBlessing of TFX's or of ours, as it is now."""
    flag = number(artifact, "blessed")
    status = {1: "blessed", 0: "not_blessed", None: "not_evaluated"}.get(flag, "not_blessed")
    if flag == 1 and is_expired(artifact):
        status = "not_blessed"
    return Blessing(
        int(artifact.id),
        text(artifact, "current_model"),
        number(artifact, "current_model_id"),
        "superseded" if is_superseded(artifact) else status,
        _iso(artifact.create_time_since_epoch),
        tuple(filter(None, text(artifact, "benison_reasons").split("\n"))),
        _note(artifact),
        artifact.uri,
        bool(text(artifact, "benison_revoked_by")),
    )


def blessings(store: Store, pipeline: str, limit: int = 20) -> list[Blessing]:
    """The newest verdicts of a pipeline, newest first.

    Raises:
        MetadataError: The store has no such pipeline.
    """
    artifacts = islice(verdicts(store, pipeline, with_superseded=True), limit)
    return [blessing(each) for each in artifacts]


def latest_blessed(store: Store, pipeline: str) -> Any:
    """The newest Model artifact of a pipeline that is blessed; None when there is none."""
    context = store.get_context_by_type_and_name("pipeline", pipeline)
    check_spelling(pipeline, context)
    waiting: list[int] = []  # a heap of the models that are blessed, each as its negative id
    for verdict in chain(_newest_first(store, context.id) if context else (), [None]):
        # A blessing names a model that was there before it, and so does every older blessing.
        while waiting and (verdict is None or -waiting[0] > verdict.id):
            model = _live_model(store, -heapq.heappop(waiting), pipeline)
            if model is not None:
                return model
        model_id = number(verdict, "current_model_id") if verdict and is_blessing(verdict) else None
        if model_id is not None:
            heapq.heappush(waiting, -model_id)
    return None


def _live_model(store: Store, model_id: int, pipeline: str) -> Any:
    """The artifact, if it is a LIVE Model that this pipeline has produced."""
    for artifact in store.get_artifacts_by_id([model_id]):
        live = artifact.type == "Model" and artifact.state == artifact.LIVE
        if live and is_produced_in(store, model_id, pipeline):
            return artifact
    return None


def is_blessing(artifact: Any) -> bool:
    """Whether a ModelBlessing blesses, now."""
    return bool(
        artifact.state == artifact.LIVE
        and number(artifact, "blessed") == 1
        and not is_expired(artifact)
    )


def is_superseded(artifact: Any) -> bool:
    """Whether a verdict was recorded anew under the same key."""
    return bool(text(artifact, "benison_superseded_by"))


def is_expired(artifact: Any) -> bool:
    """Whether a blessing was an override whose time is over."""
    return is_over(text(artifact, "benison_until"))


def is_produced_in(store: Store, artifact_id: int, pipeline: str) -> bool:
    """Whether an execution of this pipeline has this artifact among its outputs."""
    events = store.get_events_by_artifact_ids([artifact_id])
    return pipeline in _pipelines_of(store, (e for e in events if _is(e, *_PRODUCED)))


def _pipelines_of(store: Store, events: Iterable[Any]) -> Iterator[str]:
    """The pipelines that have executions with these events."""
    for execution in {event.execution_id for event in events}:
        contexts = store.get_contexts_by_execution(execution)
        yield from (context.name for context in contexts if context.type == "pipeline")


def withdraw_expired(store: Store, pipeline: str) -> None:
    """Set `blessed` to 0 on overrides whose time is over, for readers that know no time.

    Who may not write leaves it to the next who may: Benison itself sees that they are over.
    """
    from ml_metadata import errors

    try:
        overrides = store.get_executions_by_type(OVERRIDE)
    except errors.NotFoundError:
        return
    mine = [e.id for e in overrides if e.name.startswith(decision_name(pipeline))]
    events = store.get_events_by_execution_ids(mine) if mine else []
    made = [e.artifact_id for e in events if _is(e, "OUTPUT")]
    for artifact in store.get_artifacts_by_id(made) if made else ():
        if number(artifact, "blessed") == 1 and is_expired(artifact):
            set_properties(artifact, {"blessed": 0})
            with contextlib.suppress(MetadataError):
                store.put_artifacts([artifact])


def trace(store: Store, target: str, pipeline: str | None = None) -> Node:
    """What an artifact was made from, back to what came from outside.

    Args:
        store: Where to look.
        target: The id of an artifact, or its URI or path; of several at one place the newest, a blessing
            first.
        pipeline: The pipeline that must have made or read it; None for any.

    Raises:
        MetadataError: The store has no such artifact.
    """
    return _artifact_node(store, find(store, target, pipeline), set())


def find(store: Store, target: str, pipeline: str | None = None) -> Any:
    """The artifact that an id, a URI or a path names, made or read by the pipeline if one is given.

    Raises:
        MetadataError: The store has no such artifact.
    """
    is_id = target.isascii() and target.isdigit() and int(target) <= _LAST_ID
    artifacts = store.get_artifacts_by_id([int(target)]) if is_id else []
    uris = uris_of(target)
    above = [folder for folder, _, name in (uri.rpartition("/") for uri in uris) if name == SERVING]
    for uri in (*uris, *above):
        artifacts = artifacts or store.get_artifacts_by_uri(uri)
    if pipeline is not None:
        events = {each.id: store.get_events_by_artifact_ids([each.id]) for each in artifacts}
        artifacts = [a for a in artifacts if pipeline in _pipelines_of(store, events[a.id])]
    if not artifacts:
        raise no_artifact(store.connection.shown, target, pipeline)
    return max(artifacts, key=lambda a: (a.type == "ModelBlessing", a.id))


def verdict_at(store: Store, output: str) -> Any:
    """The ModelBlessing that the newest evaluation at a path has recorded, as TFX does; None for none."""
    there = [each for uri in uris_of(output) for each in store.get_artifacts_by_uri(uri)]
    evaluations = [a for a in there if a.type == "ModelEvaluation" and a.state == a.LIVE]
    return verdict_beside(store, max(evaluations, key=lambda a: a.id)) if evaluations else None


def verdict_beside(store: Store, evaluation: Any) -> Any:
    """The ModelBlessing of the execution that has made an artifact; TFX gives each a folder of its own."""
    events = store.get_events_by_artifact_ids([evaluation.id])
    makers = [e.execution_id for e in events if _is(e, *_PRODUCED)]
    beside = store.get_events_by_execution_ids(makers) if makers else []
    made = [e.artifact_id for e in beside if _is(e, *_PRODUCED)]
    verdicts = [a for a in store.get_artifacts_by_id(made) if a.type == "ModelBlessing"]
    return max(verdicts, key=lambda a: a.id, default=None)


def _artifact_node(store: Store, artifact: Any, above: set[int], role: str = "") -> Node:
    events = store.get_events_by_artifact_ids([artifact.id])
    makers = [e.execution_id for e in events if _is(e, *_PRODUCED) and e.execution_id not in above]
    executions = store.get_executions_by_id(makers) if makers else []
    sources = tuple(_execution_node(store, maker, above | {maker.id}) for maker in executions)
    return Node(artifact.type, int(artifact.id), artifact.uri, _properties(artifact), sources, role)


def _execution_node(store: Store, execution: Any, above: set[int]) -> Node:
    events = store.get_events_by_execution_ids([execution.id])
    read = [e for e in events if _is(e, "INPUT", "DECLARED_INPUT")]
    roles = {e.artifact_id: e.path.steps[0].key if e.path.steps else "" for e in read}
    inputs = store.get_artifacts_by_id(list(roles)) if roles else []
    sources = tuple(
        _artifact_node(store, artifact, above, roles[artifact.id]) for artifact in inputs
    )
    return Node(execution.type, int(execution.id), execution.name, _properties(execution), sources)


def verdicts(store: Store, pipeline: str, with_superseded: bool = False) -> Iterator[Any]:
    """The ModelBlessings of a pipeline that are LIVE, newest first.

    Raises:
        MetadataError: The store has no such pipeline.
    """
    context = store.get_context_by_type_and_name("pipeline", pipeline)
    check_spelling(pipeline, context)
    if context is None:
        known = sorted(c.name for c in store.get_contexts_by_type("pipeline"))
        there = f"There are: {', '.join(known[:12])}." if known else "It has none."
        raise MetadataError(f"{store.connection.shown} has no pipeline {pipeline!r}. {there}")
    for artifact in _newest_first(store, context.id):
        if artifact.state == artifact.LIVE or (with_superseded and is_superseded(artifact)):
            yield artifact


def _newest_first(store: Store, context: int) -> Iterator[Any]:
    """The ModelBlessings of a context.

    In pages that grow, since a page can only be asked for from the top. They are picked here, because
    newer versions of ML Metadata have no queries.
    """
    from ml_metadata.metadata_store import ListOptions, OrderByField

    seen, limit = 0, _PAGE
    while True:
        options = ListOptions(limit=limit, order_by=OrderByField.ID, is_asc=False)
        page = store.get_artifacts_by_context(context, list_options=options)
        yield from (artifact for artifact in page[seen:] if artifact.type == "ModelBlessing")
        if len(page) < limit:
            return
        seen, limit = len(page), limit * 4


def _is(event: Any, *kinds: str) -> bool:
    return any(event.type == event.Type.Value(kind) for kind in kinds)


def _properties(node: Any) -> dict[str, str | int]:
    custom = node.custom_properties
    return {
        key: custom[key].string_value
        if custom[key].HasField("string_value")
        else custom[key].int_value
        for key in sorted(custom)
        if custom[key].WhichOneof("value") in ("string_value", "int_value")
    }


def decision_name(pipeline: str, decision: str = "") -> str:
    """The name of a decision's execution, or what all of a pipeline begin with."""
    return f"{joined(pipeline)}/{decision}"


def _note(artifact: Any) -> str:
    def texts(*keys: str) -> tuple[str, ...]:
        return tuple(text(artifact, f"benison_{key}") for key in keys)

    return note_of(
        superseded_by=text(artifact, "benison_superseded_by"),
        revoked=texts("revoked_by", "revoked_at", "revoked_reason"),
        overridden=texts("override_by", "override_reason", "until"),
        rubber_stamped=bool(number(artifact, "benison_rubber_stamped")),
    )


def _iso(milliseconds: int) -> str:
    moment = datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.UTC)
    return moment.isoformat(timespec="seconds")
