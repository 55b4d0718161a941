# SPDX-License-Identifier: Apache-2.0
"""The types of ML Metadata that TFX registers, byte for byte, and nodes of these types.

A declared property too many on `Model` or `ModelBlessing` breaks TFX's resolvers on that store for good,
so everything of ours is in custom properties.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benison.errors import MetadataError
from benison.lineage.client import Kind
from benison.lineage.store import Store

EVALUATOR = "tfx.components.evaluator.component.Evaluator"
IMPORTER = "tfx.dsl.components.common.importer.Importer"
OVERRIDE = "benison.Override"
REVOCATION = "benison.Revocation"
"""The execution by which somebody revokes, and the context that says whether contents are revoked."""
DATA = "benison.Data"
"""The context of all executions that judged the same data; its name is their digest."""
# Where TFX's Trainer keeps what is served, within the place of a Model artifact.
SERVING = "Format-Serving"

# Kind -> name -> (base type, declared properties).
_DECLARED: dict[str, dict[str, tuple[str, dict[str, str]]]] = {
    "artifact": {
        "Examples": ("DATASET", {"span": "INT", "version": "INT", "split_names": "STRING"}),
        "Model": ("MODEL", {}),
        "ModelEvaluation": ("UNSET", {}),
        "ModelBlessing": ("UNSET", {}),
    },
    "execution": {
        EVALUATOR: ("EVALUATE", {}),
        IMPORTER: ("UNSET", {}),
        OVERRIDE: ("UNSET", {}),
        REVOCATION: ("UNSET", {}),
    },
    "context": {
        name: ("UNSET", {}) for name in ("pipeline", "pipeline_run", "node", DATA, REVOCATION)
    },
}
# What the client libraries of the databases take; SQLite takes more.
NAME_LENGTH = 255
_INT = 2**31 - 1
_TEXT_BYTES = 4 * 2**20


def type_id(store: Store, kind: Kind, name: str) -> int:
    """The id of a type, which is registered if it is not there."""
    if (kind, name) not in store.types:
        store.types[kind, name] = _registered(store, kind, name)
    return store.types[kind, name]


def _registered(store: Store, kind: Kind, name: str) -> int:
    from ml_metadata import errors
    from ml_metadata.proto import metadata_store_pb2 as mlmd

    try:
        return int(store.get_type(kind, name).id)
    except errors.NotFoundError:
        pass
    base, properties = _DECLARED[kind][name]
    message = {
        "artifact": mlmd.ArtifactType,
        "execution": mlmd.ExecutionType,
        "context": mlmd.ContextType,
    }[kind](
        name=name,
        properties={key: mlmd.PropertyType.Value(value) for key, value in properties.items()},
    )
    if base != "UNSET":
        message.base_type = type(message).SystemDefinedBaseType.Value(base)
    return store.put_type(kind, message)


def artifact(store: Store, kind: str, uri: str, state: str, **properties: str | int | None) -> Any:
    """A new artifact with custom properties.

    Raises:
        MetadataError: A text is longer than a store can hold, or a number larger.
    """
    from ml_metadata.proto import metadata_store_pb2 as mlmd

    message = mlmd.Artifact(type_id=type_id(store, "artifact", kind), uri=checked(uri))
    message.state = mlmd.Artifact.State.Value(state)
    set_properties(message, properties)
    return message


def execution(
    store: Store, kind: str, name: str, state: str, **properties: str | int | None
) -> Any:
    """A new execution with custom properties.

    Raises:
        MetadataError: A text is longer than a store can hold, or a number larger.
    """
    from ml_metadata.proto import metadata_store_pb2 as mlmd

    message = mlmd.Execution(type_id=type_id(store, "execution", kind), name=checked_name(name))
    message.last_known_state = mlmd.Execution.State.Value(state)
    set_properties(message, properties)
    return message


def contexts(store: Store, **names: str) -> list[Any]:
    """The contexts of these names, by their types; they are made with the first execution in them.

    Raises:
        MetadataError: A name is too long, or differs from one in the store by case alone.
    """
    from ml_metadata.proto import metadata_store_pb2 as mlmd

    messages = []
    for kind, name in names.items():
        stored = store.get_context_by_type_and_name(kind, checked_name(name))
        check_spelling(name, stored)
        messages.append(stored or mlmd.Context(type_id=type_id(store, "context", kind), name=name))
    return messages


def event(kind: str, key: str, index: int = 0, **ids: int) -> Any:
    """An event at a place of an execution's inputs or outputs, as TFX writes them."""
    from ml_metadata.proto import metadata_store_pb2 as mlmd

    message = mlmd.Event(type=mlmd.Event.Type.Value(kind), **ids)
    message.path.steps.add(key=key)
    message.path.steps.add(index=index)
    return message


def set_properties(node: Any, properties: Mapping[str, str | int | None]) -> None:
    """Set custom properties; None leaves one as it is."""
    for key, value in properties.items():
        if isinstance(value, int):
            if abs(value) > _INT:
                raise MetadataError(
                    f"{key} = {value} is more than a metadata store can hold ({_INT})."
                )
            node.custom_properties[key].int_value = value
        elif value is not None:
            node.custom_properties[key].string_value = checked(value)


def text(node: Any, key: str) -> str:
    """A custom property that is a text; "" when it is not there."""
    return str(node.custom_properties[key].string_value) if key in node.custom_properties else ""


def number(node: Any, key: str) -> int | None:
    """A custom property that is a whole number, as TFX's resolvers read it; None when it is not one."""
    value = dict(node.custom_properties).get(key)
    return int(value.int_value) if value is not None and value.HasField("int_value") else None


def checked(value: str) -> str:
    """A text that every store can hold.

    Raises:
        MetadataError: It holds a NUL, at which a store would cut it, or is longer than 4 MiB, or is
            the name of a file that is not UTF-8.
    """
    if "\0" in value:
        raise MetadataError(f"A metadata store cannot hold the NUL in {value[:60]!r}.")
    try:
        size = len(value.encode())
    except UnicodeEncodeError as error:
        raise MetadataError(
            f"A metadata store holds UTF-8, which {value[:60]!r} is not."
        ) from error
    if size > _TEXT_BYTES:
        raise MetadataError(
            f"A metadata store cannot hold {size:,} bytes of text: {value[:60]!r}..."
        )
    return value


def checked_name(name: str) -> str:
    """A name that every store can hold and tell from others.

    Raises:
        MetadataError: It is empty or too long, or starts or ends with a blank, which MySQL ignores.
    """
    if not name or name != name.strip() or len(name) > NAME_LENGTH:
        raise MetadataError(
            f"{name[:60]!r} cannot be a name in a metadata store: 1 to {NAME_LENGTH} characters, with no "
            "blank at either end."
        )
    return checked(name)


def check_spelling(name: str, stored: Any) -> None:
    """Refuse a name that the database takes for another one.

    Raises:
        MetadataError: The stored node has another spelling.
    """
    if stored is not None and stored.name != name:
        raise MetadataError(
            f"The metadata store has {stored.name!r} and does not tell it from {name!r}; spell it the same."
        )
