# SPDX-License-Identifier: Apache-2.0
"""The recorder that writes to ML Metadata what TFX's Evaluator would have written there.

Two calls make a record, each of which the store does wholly or not at all: RUNNING with outputs that are
PENDING, before anything is computed; COMPLETE with outputs that are LIVE, when the files are whole. Only LIVE
outputs are found by resolvers.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from benison.errors import MetadataError
from benison.lineage import Finding, ModelFiles, Run, history, key_of
from benison.lineage.inputs import examples_id, model_id, put, run_contexts, serving_path, standard
from benison.lineage.store import Store
from benison.lineage.types import (
    EVALUATOR,
    artifact,
    check_spelling,
    event,
    execution,
    set_properties,
    text,
)
from benison.version import VERSION

_REASON_CHARACTERS = 20_000


@dataclasses.dataclass(frozen=True)
class MetadataRecorder:
    """Records runs in a store of ML Metadata, in whichever process calls it."""

    store: Store

    def begin(self, run: Run) -> dict[str, Any]:
        """Record a run as RUNNING; its ids in the store.

        Raises:
            MetadataError: The key was used for other inputs, or the store cannot be written.
        """
        from ml_metadata import errors

        found = self._found(run)
        if found is None:
            # Another process may begin the same run just now.
            with contextlib.suppress(errors.AlreadyExistsError):
                self._put_running(run)
            found = self._found(run)
        elif found.last_known_state != found.COMPLETE:
            self._restart(found)
        return self._ids(run, found)

    def complete(self, run: Run, finding: Finding) -> None:
        """Record a run as COMPLETE and publish its evaluation and blessing, in one transaction.

        Raises:
            MetadataError: The run was not begun, or the store cannot be written.
        """
        from ml_metadata import errors

        found = self._found(run)
        if found is None:
            raise MetadataError(
                f"The run {run.key} was not begun in {self.store.connection.shown}."
            )
        if found.last_known_state == found.COMPLETE:
            return
        found.last_known_state = found.COMPLETE
        set_properties(found, {"benison_status": finding.status})
        models, outputs = self._models(run, found), self._outputs(found)
        for key, output in outputs.items():
            output.state = output.LIVE
            set_properties(output, _said(finding))
            if key == "blessing":
                set_properties(output, _decided(run, finding) | models)
        published = [
            (output, event("OUTPUT", key, artifact_id=output.id)) for key, output in outputs.items()
        ]
        # Another process of the same run, with the same inputs, may have been first.
        with contextlib.suppress(errors.AlreadyExistsError):
            self.store.put_execution(found, published, run_contexts(self.store, run))

    def fail(self, run: Run, reason: str) -> None:
        """Record a run as FAILED, unless another process has completed it."""
        found = self._found(run)
        if found is None or found.last_known_state == found.COMPLETE:
            return
        found.last_known_state = found.FAILED
        set_properties(found, {"benison_error": reason[:_REASON_CHARACTERS].replace("\0", "")})
        outputs = self._outputs(found).values()
        for output in outputs:
            output.state = output.ABANDONED
        self.store.put_execution(found, [(output, None) for output in outputs], [])

    def latest_blessed(self, pipeline: str, run: str = "") -> ModelFiles | None:
        """The model that TFX's LatestBlessedModelStrategy would find in this pipeline.

        For a run that was begun before: the baseline that it began with.
        """
        begun = run and self.store.get_execution_by_type_and_name(EVALUATOR, key_of(pipeline, run))
        if begun:
            path = text(begun, "benison_baseline")
            return ModelFiles(path, "") if path else None  # its bytes are of the key of the run
        history.withdraw_expired(self.store, pipeline)
        found = history.latest_blessed(self.store, pipeline)
        return found and ModelFiles(serving_path(found.uri), text(found, "benison_digest"))

    def _found(self, run: Run) -> Any:
        """The execution of this run, if there is one, and it is of these inputs."""
        found = self.store.get_execution_by_type_and_name(EVALUATOR, run.key)
        if found is not None:
            check_spelling(run.key, found)
            if text(found, "benison_inputs") != _inputs(run):
                raise MetadataError(
                    f"The run {run.id!r} of {run.pipeline!r} was of other data, models or config, or for "
                    "another output. Choose another --run."
                )
        return found

    def _put_running(self, run: Run) -> None:
        inputs = [("examples", examples_id(self.store, path, run)) for path in run.examples]
        models = {"model": run.model, "baseline_model": run.baseline}
        inputs += [
            (key, model_id(self.store, files, run)) for key, files in models.items() if files
        ]
        # The artifact itself is left out: what is put is written over whatever another process has put.
        events: list[Any] = [
            (None, event("INPUT", key, index, artifact_id=found))
            for index, (key, found) in _numbered(_first_of_each(inputs))
        ]
        for key, kind in (("evaluation", "ModelEvaluation"), ("blessing", "ModelBlessing")):
            output = artifact(self.store, kind, run.output, "PENDING", **standard(run, "Evaluator"))
            output.external_id = f"{run.key}#{key}"
            events.append((output, event("PENDING_OUTPUT", key)))
        begun = execution(
            self.store,
            EVALUATOR,
            run.key,
            "RUNNING",
            eval_config=run.config,
            example_splits="null",
            fairness_indicator_thresholds="null",
            benison_inputs=_inputs(run),
            benison_baseline=run.baseline.path if run.baseline else "",
            benison_version=VERSION,
        )
        put(self.store, begun, events, run)

    def _restart(self, found: Any) -> None:
        """Take up again a run that was killed or has failed."""
        found.last_known_state = found.RUNNING
        outputs = self._outputs(found).values()
        for output in outputs:
            output.state = output.PENDING
        self.store.put_execution(found, [(output, None) for output in outputs], [])

    def _outputs(self, found: Any) -> dict[str, Any]:
        """The outputs that a run announced, by their keys."""
        events = self.store.get_events_by_execution_ids([found.id])
        keys = {e.artifact_id: e.path.steps[0].key for e in events if e.type == e.PENDING_OUTPUT}
        return {keys[output.id]: output for output in self.store.get_artifacts_by_id(list(keys))}

    def _ids(self, run: Run, found: Any) -> dict[str, Any]:
        """What a manifest says of the record."""
        events = self.store.get_events_by_execution_ids([found.id])
        ids = {e.path.steps[0].key: e.artifact_id for e in events if e.path.steps[1].index == 0}
        place = {"store": self.store.connection.shown, "pipeline": run.pipeline, "run": run.id}
        return {**place, "execution": found.id, **dict(sorted(ids.items()))}

    def _models(self, run: Run, found: Any) -> dict[str, str | int | None]:
        """The models that a run began with, as TFX's Pusher and resolvers read them from a blessing."""
        events = self.store.get_events_by_execution_ids([found.id])
        ids = {e.path.steps[0].key: e.artifact_id for e in events if e.type == e.INPUT}
        said: dict[str, str | int | None] = {}
        for key, files in (("model", run.model), ("baseline_model", run.baseline)):
            if files is not None:
                (model,) = self.store.get_artifacts_by_id([ids.get(key) or ids["model"]])
                name = {"model": "current_model"}.get(key, key)
                said |= {name: model.uri, f"{name}_id": model.id}
        return said


def _decided(run: Run, finding: Finding) -> dict[str, str | int | None]:
    """The decision of a blessing, and on which bytes."""
    blessed = {"blessed": 1, "not_blessed": 0}.get(finding.status)
    digest = None if run.model is None else run.model.digest
    return {"blessed": blessed, "benison_model_digest": digest}


def _inputs(run: Run) -> str:
    """A SHA-256 over what a run reads and where it writes."""
    models = [files and dataclasses.astuple(files) for files in (run.model, run.baseline)]
    found = json.dumps([run.data, models, run.config, run.output])
    return hashlib.sha256(found.encode()).hexdigest()


def _said(finding: Finding) -> Mapping[str, str | int | None]:
    return {
        "benison_status": finding.status,
        "benison_summary": finding.summary,
        "benison_reasons": "\n".join(finding.reasons)[:_REASON_CHARACTERS].replace("\0", ""),
        "benison_rubber_stamped": int(finding.rubber_stamped),
    }


def _first_of_each(inputs: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """A store takes an artifact once: a model that is its own baseline is the model."""
    keys: dict[int, str] = {}
    for key, found in inputs:
        keys.setdefault(found, key)
    return [(key, found) for found, key in keys.items()]


def _numbered(inputs: list[tuple[str, int]]) -> list[tuple[int, tuple[str, int]]]:
    """Each input with its place among those of the same key."""
    counts: dict[str, int] = {}
    found = []
    for key, value in inputs:
        counts[key] = counts.get(key, -1) + 1
        found.append((counts[key], (key, value)))
    return found
