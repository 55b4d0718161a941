# SPDX-License-Identifier: Apache-2.0
"""Opens the file system of an address: by Arrow, by fsspec, or by what was added."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import lru_cache
from typing import TypeAlias

import pyarrow as pa
from pyarrow import fs

from benison.errors import BenisonError
from benison.paths.remote import RemotePath

Opener: TypeAlias = "Callable[[str], tuple[fs.FileSystem, str] | None]"
"""Gives the file system of an address and the path in it; None for an address that it does not know."""

OF_ARROW = ("s3", "gs", "gcs", "hdfs", "viewfs", "abfs", "abfss")

_QUERY = re.compile(r"(.*?)(\?\w+=[^/]*)?", re.DOTALL)
_WITHOUT_PORT = ("s3", "gs", "gcs", "abfs", "abfss")
_SECRET = re.compile(r"[?&][^=&]*(key|secret|token|password|sign)[^=&]*=", re.IGNORECASE)
_IN_TEXT = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S*")
_PATIENCE = "retry_limit_seconds"
_SETTINGS = ("AWS_", "GOOGLE_", "AZURE_", "HADOOP_")

_openers: list[Opener] = []


def add_file_systems(opener: Opener) -> None:
    """Ask `opener` too for addresses that neither Arrow nor fsspec opens."""
    if opener not in _openers:
        _openers.append(opener)


def open_address(scheme: str, host: str, rest: str, error: type[BenisonError]) -> RemotePath:
    """The path of an address, whose file system is opened.

    Raises:
        BenisonError: Of the type `error`: it holds a password, or nothing opens it.
    """
    _check_secrets(scheme, host, rest, error)
    matched = _QUERY.fullmatch(rest) if scheme in OF_ARROW else None
    path, query = (matched[1], matched[2] or "") if matched else (rest, "")
    root = f"{scheme}://{host}"
    try:
        file_system, base = _opened(scheme, root, query, _settings())
    except BenisonError as fault:
        raise error(*fault.args) from fault
    names = tuple(filter(None, path.split("/")))
    return RemotePath(root, names, query, file_system, base.rstrip("/"))


def holds_secret(text: str) -> bool:
    """Whether an address in a text has credentials: a login with a password, or a key among its options.

    >>> holds_secret("s3://key:secret@bucket/x"), holds_secret("https://host:8080/x?page=1")
    (True, False)
    """
    addresses = (match[0].partition("://") for match in _IN_TEXT.finditer(text))
    return any(
        _has_secrets(scheme.lower(), *re.split(r"(?=[/?])", rest, maxsplit=1))
        for scheme, _, rest in addresses
    )


def _has_secrets(scheme: str, host: str, rest: str = "") -> bool:
    of_user = ":" in host if scheme in _WITHOUT_PORT else re.search(":.*@", host)
    return bool(of_user or _SECRET.search(rest))


def _check_secrets(scheme: str, host: str, rest: str, error: type[BenisonError]) -> None:
    """Refuse an address with credentials, without repeating them."""
    if _has_secrets(scheme, host, rest):
        raise error(
            f"The {scheme} address holds a password or a key, which results and logs would repeat. Give "
            "it as the store's own programs take it, such as by AWS_SECRET_ACCESS_KEY."
        )


def _settings() -> tuple[tuple[str, str], ...]:
    """What of the environment stores read, such as credentials, which a host may renew."""
    return tuple(item for item in os.environ.items() if item[0].startswith(_SETTINGS))


@lru_cache(maxsize=32)
def _opened(
    scheme: str, root: str, query: str, settings: tuple[tuple[str, str], ...]
) -> tuple[fs.FileSystem, str]:
    """The first file system that opens an address, and what it calls its root."""
    reasons = []
    for opener in (_of_arrow, _of_fsspec, *_openers):
        if opener is _of_arrow and scheme not in OF_ARROW:
            continue
        try:
            if opened := opener(root + query):
                return opened
        except (pa.ArrowException, OSError, ImportError, ValueError) as reason:
            reasons.append(str(reason).strip().split("\n")[0])
    if scheme in OF_ARROW:
        raise BenisonError(f"{root} cannot be opened: {reasons[0]}.")
    why = f" ({'; '.join(reasons)})" if reasons else ""
    raise BenisonError(
        f"{root} cannot be opened: nothing here opens {scheme}:// addresses{why}. Benison itself opens "
        f"s3, gs, hdfs and abfs; for others install fsspec and its package for {scheme}."
    )


def _of_arrow(address: str) -> tuple[fs.FileSystem, str]:
    if address.startswith(("gs:", "gcs:")) and _PATIENCE not in address:
        # Arrow's own limit is a quarter of an hour, which it also waits for a network that is not there.
        address += f"{'&' if '?' in address else '?'}{_PATIENCE}=30"
    opened: tuple[fs.FileSystem, str] = fs.FileSystem.from_uri(address)
    return opened


def _of_fsspec(address: str) -> tuple[fs.FileSystem, str] | None:
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        return None
    file_system, base = url_to_fs(address)
    return fs.PyFileSystem(fs.FSSpecHandler(file_system)), base
