# SPDX-License-Identifier: Apache-2.0
"""Records the inputs of a run as artifacts: known ones by their URI, others as TFX's Importer would.

A model is its place and its bytes. A place that has other bytes than when it was recorded is another model,
and the one that was there is gone: its blessing must not lead to the new bytes.
"""

from __future__ import annotations

import contextlib
import hashlib
from typing import Any

from benison.errors import MetadataError
from benison.lineage import history
from benison.lineage.run import ModelFiles, Run, joined
from benison.lineage.store import Store
from benison.lineage.types import (
    IMPORTER,
    NAME_LENGTH,
    SERVING,
    artifact,
    contexts,
    event,
    execution,
    text,
)
from benison.paths import locate

# The version of TFX whose layout and properties artifacts have; without one TFX takes them for ancient.
TFX_VERSION = "1.21.0"


def examples_id(store: Store, path: str, run: Run) -> int:
    """The artifact of a run's data, by their path or URI."""
    known = [a for a in store.get_artifacts_by_uri(path) if a.type == "Examples"]
    data = run.data.fingerprint
    same = [a for a in known if text(a, "benison_fingerprint") in ("", data)]
    if same:
        return int(same[0].id)
    return _imported(store, "Examples", path, data, run, benison_fingerprint=data)


def model_id(store: Store, files: ModelFiles, run: Run) -> int:
    """The artifact of a model's bytes, produced in the run's pipeline, where resolvers look for it."""
    known = known_model(store, files)
    if known is None:
        properties = {"benison_digest": files.digest, "benison_path": files.path}
        uri = _uris(files)[-1]
        new_id = _imported(store, "Model", uri, files.digest, run, **properties)
        _forget_replaced(store, files, new_id)
        return new_id
    if not history.is_produced_in(store, known.id, run.key.pipeline):
        name = f"{run.key.pipeline}.import.{known.id}"
        importer = execution(store, IMPORTER, name, "COMPLETE")
        _put_once(store, importer, None, event("OUTPUT", "result", artifact_id=known.id), run)
    return int(known.id)


def known_model(store: Store, files: ModelFiles) -> Any:
    """The newest LIVE Model at this place that is of these bytes, or that TFX wrote; None without one."""
    models = [artifact for uri in _uris(files) for artifact in _live_models(store, uri)]
    same = [a for a in models if text(a, "benison_digest") in ("", files.digest)]
    return max(same, key=lambda a: int(a.id), default=None)


def serving_path(model: Any) -> str:
    """Where the files to load are in a Model artifact: where we read them, or where TFX puts them.

    Raises:
        MetadataError: It is at an address that cannot be reached.
    """
    if path := text(model, "benison_path"):
        return path
    try:
        inner = locate(model.uri, MetadataError) / SERVING
        return str(inner) if inner.is_dir() else str(model.uri)
    except OSError as error:
        raise MetadataError(f"The model {model.uri} cannot be reached: {error}.") from error


def put(store: Store, node: Any, events: list[tuple[Any, Any]], contexts: list[Any]) -> None:
    """Write an execution with its events into contexts, in one transaction."""
    store.put_execution(
        node,
        events,
        contexts,
        reuse_context_if_already_exist=True,
        reuse_artifact_if_already_exist_by_external_id=True,
    )


def run_contexts(store: Store, run: Run) -> list[Any]:
    """The pipeline, the run and the node, as TFX names them."""
    key = run.key
    node = f"{key.pipeline}.{key.task}"
    node = node if len(node) <= NAME_LENGTH else joined(key.pipeline, key.task)
    return contexts(store, pipeline=key.pipeline, pipeline_run=key.run, node=node)


def standard(run: Run, producer: str) -> dict[str, str | int]:
    """What TFX sets on every artifact."""
    imported = int(producer == "Importer")
    return {
        "pipeline_name": run.key.pipeline,
        "producer_component": producer,
        "is_external": imported,
        "tfx_version": TFX_VERSION,
    }


def _uris(files: ModelFiles) -> list[str]:
    """Where a model may be recorded: its path, and what TFX's Pusher and Evaluator would look into."""
    folder, _, name = files.path.rpartition("/")
    return [files.path, *([folder] if name == SERVING else [])]


def _live_models(store: Store, uri: str) -> list[Any]:
    artifacts = store.get_artifacts_by_uri(uri)
    return [a for a in artifacts if a.type == "Model" and a.state == a.LIVE]


def _forget_replaced(store: Store, files: ModelFiles, kept: int) -> None:
    for other in (model for uri in _uris(files) for model in _live_models(store, uri)):
        if other.id != kept and text(other, "benison_digest") not in ("", files.digest):
            other.state = other.DELETED
            store.put_artifacts([other])


def _imported(store: Store, kind: str, uri: str, digest: str, run: Run, **properties: str) -> int:
    """The id of an artifact that came from outside, recorded once for all runs of a pipeline."""
    key = hashlib.sha256(f"{run.key.pipeline}\0{kind}\0{uri}\0{digest}".encode()).hexdigest()[:32]
    new = artifact(store, kind, uri, "LIVE", **standard(run, "Importer"), **properties)
    new.external_id = f"benison-import-{key}"
    importer = execution(store, IMPORTER, f"{run.key.pipeline}.import.{key}", "COMPLETE")
    _put_once(store, importer, new, event("OUTPUT", "result"), run)
    (stored,) = store.get_artifacts_by_external_ids([new.external_id])
    if stored.state != stored.LIVE:  # these bytes were here before, and are again
        stored.state = stored.LIVE
        store.put_artifacts([stored])
    return int(stored.id)


def _put_once(store: Store, importer: Any, new: Any, output: Any, run: Run) -> None:
    from ml_metadata import errors

    # An earlier run, or another process just now, may have been first.
    with contextlib.suppress(errors.AlreadyExistsError):
        put(store, importer, [(new, output)], run_contexts(store, run))
