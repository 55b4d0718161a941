# SPDX-License-Identifier: Apache-2.0
"""The JSON documents of an output, manifest.json and verdict.json: which fields they have, of which type.

They are read by programs on other machines, years later, from stores that many can write to. So what is
read from them is what they are held against here, and other fields may stand beside it.
"""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Status = Literal["blessed", "not_blessed", "not_evaluated"]


class _Document(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow", protected_namespaces=(), defer_build=True)


class _File(_Document):
    bytes: int
    sha256: str


class _Graph(_Document):
    name: str
    path: str
    files: dict[str, str]


class _Model(_Document):
    name: str
    is_baseline: bool
    path: str | None
    digest: str | None = None
    in_memory: str = ""
    files: dict[str, str]
    graphs: list[_Graph] = Field(default_factory=list)


class _DataFile(_Document):
    name: str
    rows: int | None = None
    sha256: str | None = None


class _Data(_Document):
    format: str
    rows: int | None = None
    schema_: dict[str, str] = Field(alias="schema", default_factory=dict)
    columns: list[str] | None = None
    files: list[_DataFile]
    digest: str | None
    fingerprint: str | None = None
    covers: str = ""
    column_digests: dict[str, str] = Field(default_factory=dict)


class _Manifest(_Document):
    """manifest.json, as `Job` makes it and `seal` completes it."""

    schema_version: int
    created: str
    verdict: Status
    rows: int
    missing: dict[str, int] = Field(default_factory=dict)
    advice: list[str] = Field(default_factory=list)
    seconds: dict[str, float] = Field(default_factory=dict)
    lineage: dict[str, Any] | None = None
    examples: list[str] = Field(default_factory=list)
    models: list[_Model]
    config: str
    user_metrics: list[dict[str, str]] = Field(default_factory=list)
    directions: dict[str, bool] = Field(default_factory=dict)
    data: _Data
    training: _Data | None = None
    files: dict[str, _File]


class _Change(_Document):
    metric: str
    slice: str
    baseline: float
    value: float
    change: float
    lower: float
    upper: float
    p_adjusted: float
    examples: int


class _Ungated(_Document):
    tested: int
    significant: int
    largest: list[_Change]


class _Revocation(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", defer_build=True)

    contents: str
    revoked_by: str
    revoked_at: str
    revoked_reason: str
    lifted_by: str
    lifted_at: str
    lifted_reason: str


class _Verdict(_Document):
    """verdict.json, as `Verdict.to_dict` makes it."""

    version: int
    status: Status
    rubber_stamped: bool
    counts: dict[str, int] = Field(default_factory=dict)
    checks: list[dict[str, Any]] = Field(default_factory=list)
    look: int | None = None
    ungated: _Ungated | None = None
    revocation: _Revocation | None = None


def manifest_fault(data: Any) -> str:
    """What is wrong with a manifest, as the end of a sentence; "" if it can be read."""
    return _fault(_Manifest, data)


def verdict_fault(data: Any) -> str:
    """What is wrong with a verdict.json, as the end of a sentence; "" if it can be read."""
    return _fault(_Verdict, data)


def _fault(kind: type[_Document], data: Any) -> str:
    try:
        kind.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        path = ".".join(map(str, first["loc"])) or "it"
        return f"{path}: {first['msg'][:1].lower()}{first['msg'][1:]}"
    return ""


def read_json(content: bytes) -> Any:
    """The data of a JSON document in UTF-8.

    Raises:
        ValueError: It is not JSON, is nested deeper than any output is, or escapes half a character.
    """
    try:
        document = json.loads(content)
        # No page and no terminal can show a lone surrogate, which JSON can write.
        json.dumps(document, ensure_ascii=False).encode()
        return document
    except UnicodeEncodeError as error:
        raise ValueError(f"it holds {error.object[error.start]!r}, which is no character") from None
    except RecursionError:
        raise ValueError("it is nested too deep for a document of Benison") from None
