# SPDX-License-Identifier: Apache-2.0
"""Keeps revocations in ML Metadata: a context for the contents that were revoked in a pipeline."""

from __future__ import annotations

import dataclasses
from typing import Any

from benison.lineage.decision import Revocation
from benison.lineage.run import joined
from benison.lineage.store import Store
from benison.lineage.types import REVOCATION, contexts, set_properties, text

_PIPELINE = "pipeline_name"


def find(store: Store, pipeline: str, contents: str) -> Revocation | None:
    """The revocation of contents in a pipeline; None where there is none."""
    stored = store.get_context_by_type_and_name(REVOCATION, joined(pipeline, contents))
    return stored and _read(stored)


def of_pipeline(store: Any, pipeline: str) -> list[Revocation]:
    """All revocations of a pipeline; `store` may be ML Metadata's own client."""
    stored = store.get_contexts_by_type(REVOCATION)
    return [_read(each) for each in stored if text(each, _PIPELINE) == pipeline]


def changed(store: Store, pipeline: str, revocation: Revocation) -> Any:
    """The context of a revocation as it shall be, which is written with the execution that decides it."""
    (context,) = contexts(store, **{REVOCATION: joined(pipeline, revocation.contents)})
    set_properties(context, {_PIPELINE: pipeline, **dataclasses.asdict(revocation)})
    return context


def _read(context: Any) -> Revocation:
    names = [field.name for field in dataclasses.fields(Revocation)]
    return Revocation(**{name: text(context, name) for name in names})
