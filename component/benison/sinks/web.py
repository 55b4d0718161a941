# SPDX-License-Identifier: Apache-2.0
"""Requests to web addresses, which may be secrets: no sentence shows more of one than its host."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

from benison.errors import ConfigError, PublishError
from benison.version import VERSION

_SECONDS = 10.0
_MOST_OF_AN_ANSWER = 300


def checked_address(address: str) -> str:
    """The address, if it is one of the web.

    Raises:
        ConfigError: It is not.
    """
    try:
        parts = urlsplit(address)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError("The target is not an address of the web, such as https://host/path.")
    return address


def host_of(address: str) -> str:
    """What a sentence may show of an address.

    >>> host_of("https://me:secret@hooks.example.com:8443/services/T0/B0/secret")
    'https://hooks.example.com:8443'
    """
    parts = urlsplit(address)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}"


def send(
    address: str, document: Any, method: str = "POST", headers: Mapping[str, str] | None = None
) -> Any:
    """Send a JSON document, or with None ask; the answer, if it is JSON.

    Raises:
        PublishError: The host cannot be reached within ten seconds, or refuses.
    """
    body = None if document is None else json.dumps(document).encode()
    kind = {"Content-Type": "application/json", "User-Agent": f"benison/{VERSION}"}
    request = urllib.request.Request(address, body, {**kind, **(headers or {})}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
            return _json(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            why = error.read(_MOST_OF_AN_ANSWER).decode("utf-8", "replace").strip()
        raise PublishError(
            f"{host_of(address)} refuses it with status {error.code}: {why or error.reason}"
        ) from None
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise PublishError(f"{host_of(address)} cannot be reached: {reason}.") from None


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None
