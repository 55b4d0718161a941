# SPDX-License-Identifier: Apache-2.0
"""Requests to web addresses, which may be secrets: no sentence shows more of one than its host."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPException
from typing import Any
from urllib.parse import unquote, urlsplit

from benison.errors import ConfigError, PublishError
from benison.version import VERSION

_SECONDS = 10.0
_MOST_READ, _MOST_SHOWN = 65_536, 300
_IN_AN_ADDRESS = re.compile(r"[!-~]+")
_ADDRESS = re.compile(r"(https?://)(?:[^/\s]*@)?([^/\s?#'\"]+)[^\s'\"]*", re.IGNORECASE)
_LEAST_OF_A_SECRET = 12  # characters


def checked_address(address: str) -> str:
    """The address, if it is one of the web that a request can be sent to and a sentence can name.

    Raises:
        ConfigError: It is not, or holds a login.
    """
    if address and not _IN_AN_ADDRESS.fullmatch(address):
        raise ConfigError(
            "The target has characters that an address cannot have, such as blanks, line ends or umlauts: "
            "write them as %20 and the like."
        )
    try:
        parts = urlsplit(address)
        is_web = parts.scheme in ("http", "https") and bool(parts.hostname)
        (parts.hostname or "").encode("idna")
        _ = parts.port
    except ValueError:
        is_web = False
    if is_web and "@" in parts.netloc:
        raise ConfigError(
            "The target holds a login, which logs would show. Leave it out, and give a key by the "
            "variable that the tool has for it, such as OTEL_EXPORTER_OTLP_HEADERS."
        )
    if not is_web:
        raise ConfigError("The target is not an address of the web, such as https://host/path.")
    return address


def host_of(address: str) -> str:
    """What a sentence may show of an address.

    >>> host_of("https://me:secret@hooks.example.com:8443/services/T0/B0/secret")
    'https://hooks.example.com:8443'
    """
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def without_paths(text: str) -> str:
    """What a library says, with no more of addresses than their hosts.

    >>> without_paths("no answer from 'https://me:pw@hooks.example.com/T0/secret'")
    "no answer from 'https://hooks.example.com'"
    """
    return _ADDRESS.sub(r"\1\2", text)


def send(
    address: str, document: Any, method: str = "POST", headers: Mapping[str, str] | None = None
) -> Any:
    """Send a JSON document, or with None ask; the answer, if it is JSON.

    Raises:
        PublishError: The host cannot be reached within ten seconds, refuses, or redirects.
    """
    body = None if document is None else json.dumps(document, allow_nan=False).encode()
    kind = {"Content-Type": "application/json", "User-Agent": f"benison/{VERSION}"}
    request = urllib.request.Request(address, body, {**kind, **(headers or {})}, method=method)
    opener = urllib.request.build_opener(_NoRedirects)
    try:
        with opener.open(request, timeout=_SECONDS) as answer:
            return _json(answer.read())
    except urllib.error.HTTPError as error:
        why = _shown(_content(error), address) or _shown(str(error.reason), address)
        raise PublishError(
            f"{host_of(address)} refuses it with status {error.code}: {why}"
        ) from None
    except HTTPException as error:  # whose text may be the path
        raise PublishError(
            f"{host_of(address)} does not answer as a web server does: {type(error).__name__}."
        ) from None
    except OSError as error:
        reason = getattr(error, "reason", error)
        raise PublishError(f"{host_of(address)} cannot be reached: {reason}.") from None


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Refuses to go elsewhere: a document would be lost on the way, and a key would go along."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> None:
        fp.close()
        raise PublishError(
            f"{host_of(req.full_url)} answers with a redirect to {host_of(newurl)}; give that address."
        )


def _content(error: urllib.error.HTTPError) -> str:
    """The text of an answer that refuses, as far as it arrives."""
    with error, suppress(OSError, HTTPException):
        return error.read(_MOST_READ).decode("utf-8", "replace").strip()
    return ""


def _shown(text: str, address: str) -> str:
    """What may be shown of an answer, which may repeat the address to which it answers."""
    path = urlsplit(address)._replace(scheme="", netloc="").geturl()
    pieces = [each for each in re.split(r"[/?&=#;]", path) if len(each) >= _LEAST_OF_A_SECRET]
    secrets = {each for piece in (path, *pieces) for each in (piece, unquote(piece))} - {"", "/"}
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "...")
    return text[:_MOST_SHOWN]


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None
