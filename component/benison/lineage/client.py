# SPDX-License-Identifier: Apache-2.0
"""The calls to ML Metadata that Benison makes, each with its types.

ML Metadata's own client has no annotations. Its messages (Artifact, Execution, Context, Event) are protobuf
classes that are made when they are imported, so they stay `Any` here.
"""

from __future__ import annotations

import abc
from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypeAlias

Kind: TypeAlias = Literal["artifact", "execution", "context"]


class Client(abc.ABC):
    """ML Metadata's methods by their own names; a subclass says how one is called.

    Raises:
        MetadataError: The store cannot be reached, or refuses a call.
    """

    @abc.abstractmethod
    def _call(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call a method of ML Metadata's client."""

    def get_type(self, kind: Kind, name: str) -> Any:
        """The ArtifactType, ExecutionType or ContextType of a name; NotFoundError if there is none."""
        return self._call(f"get_{kind}_type", (name,), {})

    def put_type(self, kind: Kind, message: Any) -> int:
        """Register a type, or add to the one of its name; its id."""
        fields = {"can_add_fields": True, "can_omit_fields": True}
        return int(self._call(f"put_{kind}_type", (message,), fields))

    def get_artifacts(self) -> list[Any]:
        """All artifacts."""
        return list(self._call("get_artifacts", (), {}))

    def get_artifacts_by_id(self, ids: Iterable[int]) -> list[Any]:
        """The artifacts of these ids; ids that are not there are left out."""
        return list(self._call("get_artifacts_by_id", (list(ids),), {}))

    def get_artifacts_by_uri(self, uri: str) -> list[Any]:
        """The artifacts at an address."""
        return list(self._call("get_artifacts_by_uri", (uri,), {}))

    def get_artifacts_by_external_ids(self, ids: Iterable[str]) -> list[Any]:
        """The artifacts of ids that a writer gave; ids that are not there are left out."""
        return list(self._call("get_artifacts_by_external_ids", (list(ids),), {}))

    def get_artifacts_by_context(self, context: int, list_options: Any = None) -> list[Any]:
        """The artifacts in a context, by its id, as many and in the order that ListOptions say."""
        options = {"list_options": list_options}
        return list(self._call("get_artifacts_by_context", (context,), options))

    def put_artifacts(self, artifacts: Sequence[Any]) -> list[int]:
        """Write artifacts, all or none; their ids."""
        return list(self._call("put_artifacts", (artifacts,), {}))

    def get_executions(self) -> list[Any]:
        """All executions."""
        return list(self._call("get_executions", (), {}))

    def get_executions_by_id(self, ids: Iterable[int]) -> list[Any]:
        """The executions of these ids; ids that are not there are left out."""
        return list(self._call("get_executions_by_id", (list(ids),), {}))

    def get_executions_by_type(self, name: str) -> list[Any]:
        """The executions of a type; NotFoundError if there is no such type."""
        return list(self._call("get_executions_by_type", (name,), {}))

    def get_executions_by_context(self, context: int) -> list[Any]:
        """The executions in a context, by its id."""
        return list(self._call("get_executions_by_context", (context,), {}))

    def get_execution_by_type_and_name(self, kind: str, name: str) -> Any:
        """The execution of a type with a name; None if there is none."""
        return self._call("get_execution_by_type_and_name", (kind, name), {})

    def put_executions(self, executions: Sequence[Any], field_mask_paths: Sequence[str]) -> None:
        """Write these fields of executions, and leave the others as they are."""
        self._call("put_executions", (executions,), {"field_mask_paths": field_mask_paths})

    def put_execution(
        self,
        execution: Any,
        artifact_and_events: Sequence[tuple[Any, Any]],
        contexts: Sequence[Any],
        reuse_context_if_already_exist: bool = False,
        reuse_artifact_if_already_exist_by_external_id: bool = False,
    ) -> tuple[int, list[int], list[int]]:
        """Write an execution with artifacts, events and contexts, all or none.

        Returns:
            The ids of the execution, of the artifacts and of the contexts.
        """
        reuse = {
            "reuse_context_if_already_exist": reuse_context_if_already_exist,
            "reuse_artifact_if_already_exist_by_external_id": (
                reuse_artifact_if_already_exist_by_external_id
            ),
        }
        ids = self._call("put_execution", (execution, artifact_and_events, contexts), reuse)
        return int(ids[0]), list(ids[1]), list(ids[2])

    def get_events_by_artifact_ids(self, ids: Iterable[int]) -> list[Any]:
        """The events of artifacts: which executions read or wrote them."""
        return list(self._call("get_events_by_artifact_ids", (list(ids),), {}))

    def get_events_by_execution_ids(self, ids: Iterable[int]) -> list[Any]:
        """The events of executions: which artifacts they read or wrote."""
        return list(self._call("get_events_by_execution_ids", (list(ids),), {}))

    def get_context_by_type_and_name(self, kind: str, name: str) -> Any:
        """The context of a type with a name; None if there is none."""
        return self._call("get_context_by_type_and_name", (kind, name), {})

    def get_contexts_by_type(self, kind: str) -> list[Any]:
        """The contexts of a type; none if there is no such type."""
        return list(self._call("get_contexts_by_type", (kind,), {}))

    def get_contexts_by_execution(self, execution: int) -> list[Any]:
        """The contexts that an execution is in, by its id."""
        return list(self._call("get_contexts_by_execution", (execution,), {}))
