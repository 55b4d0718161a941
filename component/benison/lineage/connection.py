# SPDX-License-Identifier: Apache-2.0
"""Parses and checks the URL of a metadata store, and shows it without its password.

ML Metadata ends the process when a server's connection lacks a field, and makes an empty store of a path
that is mistyped. Both are refused here, before its library sees them.
"""

from __future__ import annotations

import dataclasses
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from benison.errors import MetadataError, suggestion

PASSWORD_VARIABLE = "BENISON_METADATA_PASSWORD"  # noqa: S105 - the name of a variable

_FORMS = (
    "Say sqlite:///relative/path.db, sqlite:////absolute/path.db, "
    "mysql://user@host:3306/database or grpc://host:8080."
)
_NO_POSTGRESQL = (
    "ML Metadata is not supported on PostgreSQL: its client does not escape a backslash there, so that a "
    "config or a path can run SQL, and it is built without TLS. Say sql+postgresql://user@host/database, "
    "which is a table of Benison's own; or use SQLite, MySQL or MariaDB."
)
UNREADABLE = (
    "The host or the port in the URL of the metadata store cannot be read. If it has a password, put that "
    f"into the environment variable {PASSWORD_VARIABLE} instead."
)
DAMAGED = (
    "The SQLite file is damaged; restore a backup, or save what can be read: sqlite3 FILE .recover"
)
_SSL = {
    "ssl_ca": "ca",
    "ssl_capath": "capath",
    "ssl_cert": "cert",
    "ssl_key": "key",
    "ssl_cipher": "cipher",
    "ssl_verify": "verify_server_cert",
}
_GRPC_TLS = {"ssl_ca": "custom_ca", "ssl_cert": "server_cert", "ssl_key": "client_key"}
# Another copy of SQLite in this process would drop the locks of ML Metadata's: a process of its own asks.
# It may write: what a killed process has left half written is undone by the first that opens it.
_OPEN = "import sqlite3, sys; c = sqlite3.connect('file:' + sys.argv[1] + '?mode=rw', uri=True);"
_IS_LOCKED = _OPEN + "c.execute('begin immediate')"
_IS_STORE = _OPEN + (
    "names = {r[0] for r in c.execute('select name from sqlite_master where type = \"table\"')};"
    # Damage of a table is seen when it is read; ML Metadata says of it that other processes are in the way.
    "[c.execute(f'select * from \"{name}\" limit 1').fetchall() for name in names];"
    "sys.exit(0 if not names or 'MLMDEnv' in names else 3)"
)


@dataclasses.dataclass(frozen=True)
class Connection:
    """How a metadata store is reached."""

    shown: str
    """The URL without its password."""
    backend: str
    """sqlite, mysql or grpc."""
    fields: Mapping[str, Any]
    """The fields of ML Metadata's connection message."""

    @classmethod
    def parse(cls, url: str, password: str | None = None) -> Connection:
        """Read a URL and check that it is complete.

        Args:
            url: The URL, without a password.
            password: The password of a server; None is that of the environment.

        Raises:
            MetadataError: Something is missing or wrong, or there is a password; the message says what, and
                how it is written.
        """
        try:
            parts = urlsplit(url)
            backend = _BACKENDS.get(parts.scheme)
            if parts.scheme in ("postgresql", "postgres"):
                raise MetadataError(_NO_POSTGRESQL)
            check_no_password(parts)
            if backend is None:
                shown = shown_url(parts) if "@" in url else url
                raise MetadataError(f"{shown!r} is not the URL of a metadata store. {_FORMS}")
            options = dict(parse_qsl(parts.query, keep_blank_values=True))
            connection = backend(parts, options)
            if connection.backend != "mysql":
                return connection
            secret = {"password": password_of(password)} if password_of(password) else {}
            return dataclasses.replace(connection, fields={**connection.fields, **secret})
        except MetadataError:
            raise
        except ValueError:
            raise MetadataError(UNREADABLE) from None  # what it would say may be of the password


def sqlite_path(parts: SplitResult, create: bool, scheme: str, forms: str) -> Path:
    """The file of a SQLite store.

    Raises:
        MetadataError: There is no path, or no file at it and none is to be made.
    """
    path = Path(os.path.abspath(unquote(parts.path.removeprefix("/"))))
    if parts.netloc or parts.path in ("", "/"):
        raise MetadataError(f"'{scheme}:{parts.path}' has no path after three slashes. {forms}")
    if not path.exists() and not create:
        raise MetadataError(
            f"There is no metadata store at {path}. If it is to be made, say "
            f"{scheme}:///{path}?create=true."
        )
    return path


def _sqlite(parts: SplitResult, options: dict[str, str]) -> Connection:
    create = truth(options.pop("create", "false"), "create")
    check_options(options, ["create"])
    path = sqlite_path(parts, create, "sqlite", _FORMS)
    if path.exists():
        _check_is_store(path)
    mode = "READWRITE_OPENCREATE" if create else "READWRITE"
    return Connection(
        f"sqlite:///{path}", "sqlite", {"filename_uri": str(path), "connection_mode": mode}
    )


def _ask_sqlite(program: str, path: str | Path) -> subprocess.CompletedProcess[str]:
    address = str(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    command = [sys.executable, "-I", "-c", program, address]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def is_locked(path: str | Path) -> bool:
    """Whether another process keeps a SQLite file from being written for some seconds now."""
    return "locked" in _ask_sqlite(_IS_LOCKED, path).stderr


def locked(shown: str, path: str | Path) -> str:
    """That a SQLite store is locked, and what to do."""
    return (
        f"The metadata store {shown} is locked: another process is writing its file {path}, or was stopped "
        "while it did. Try again when it has ended; "
        f"`fuser {shlex.quote(str(path))}` says which it is."
    )


def _check_is_store(path: Path) -> None:
    asked = _ask_sqlite(_IS_STORE, path)
    if asked.returncode == 3:
        raise MetadataError(
            f"{path} is a SQLite database of another program, not a metadata store."
        )
    if asked.returncode and "locked" not in asked.stderr:
        why = (asked.stderr.strip().splitlines() or ["unknown"])[-1]
        cure = f" {DAMAGED}" if "malformed" in why else ""
        raise MetadataError(f"{path} cannot be read as a metadata store: {why}.{cure}")


def _mysql(parts: SplitResult, options: dict[str, str]) -> Connection:
    shown = shown_url(parts)
    # To this client the name localhost means a socket at a place of its own.
    host = "127.0.0.1" if parts.hostname == "localhost" else parts.hostname
    fields: dict[str, Any] = {
        "database": unquote(parts.path.removeprefix("/")),
        "user": unquote(parts.username or ""),
        "socket": options.pop("socket", ""),
    }
    missing = [name for name in ("database", "user") if not fields[name]]
    missing += [] if host or fields["socket"] else ["host, or ?socket="]
    if missing:
        raise MetadataError(f"{shown} lacks the {' and the '.join(missing)}. {_FORMS}")
    ssl = {_SSL[name]: options.pop(name) for name in list(options) if name in _SSL}
    check_options(options, ["socket", *_SSL])
    if "verify_server_cert" in ssl:
        ssl["verify_server_cert"] = truth(ssl["verify_server_cert"], "ssl_verify")  # type: ignore[assignment]
    for name in ("ca", "cert", "key"):
        if name in ssl and not Path(ssl[name]).is_file():
            raise MetadataError(f"{shown}: there is no file {ssl[name]}, which ssl_{name} names.")
    fields |= {"host": host, "port": parts.port or 3306} if not fields["socket"] else {}
    fields |= {"ssl_options": ssl} if ssl else {}
    return Connection(shown, "mysql", {name: value for name, value in fields.items() if value})


def _grpc(parts: SplitResult, options: dict[str, str]) -> Connection:
    """A server of ML Metadata, over TLS when that is said, or a certificate is given."""
    shown = shown_url(parts)
    check_options(options, [*_GRPC_TLS, "tls", "timeout", "max_message_bytes"])
    if not parts.hostname or not parts.port:
        raise MetadataError(f"{shown} lacks the host or the port. {_FORMS}")
    fields: dict[str, Any] = {"host": parts.hostname, "port": parts.port}
    ssl = {_GRPC_TLS[name]: _pem(path, name) for name, path in options.items() if name in _GRPC_TLS}
    if ("ssl_cert" in options) != ("ssl_key" in options):
        raise MetadataError(f"{shown}: ssl_cert and ssl_key come together.")
    if ssl or truth(options.get("tls", "false"), "tls"):
        fields["ssl_config"] = ssl
    if "timeout" in options:
        fields["client_timeout_sec"] = _number(options["timeout"], "timeout", float)
    if "max_message_bytes" in options:
        size = _number(options["max_message_bytes"], "max_message_bytes", int)
        fields["channel_arguments"] = {"max_receive_message_length": size}
    return Connection(shown, "grpc", fields)


def _pem(path: str, option: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii")
    except (OSError, ValueError) as error:
        raise MetadataError(
            f"The file {path}, which {option} names, cannot be read: {error}."
        ) from error


def _number(value: str, name: str, kind: type) -> Any:
    try:
        number = kind(value)
    except ValueError:
        number = 0
    if number <= 0:
        raise MetadataError(f"The option {name} is a number above 0, not {value!r}.")
    return number


_BACKENDS = {"sqlite": _sqlite, "mysql": _mysql, "mariadb": _mysql, "grpc": _grpc}


def password_of(given: str | None) -> str:
    """The password of a server: what was given, or else that of the environment; "" for none."""
    return os.environ.get(PASSWORD_VARIABLE, "") if given is None else given


def has_password(url: str) -> bool:
    """Whether the URL of a store holds a password, also where it is not written as one should be."""
    try:
        check_no_password(urlsplit(url))
    except ValueError as error:
        return isinstance(error, MetadataError)
    return False


def check_no_password(parts: SplitResult) -> None:
    """Refuse a password in a URL, which is in the history of a shell and in specs, pods and logs.

    Raises:
        MetadataError: There is one.
    """
    names = "".join(name for name, _ in parse_qsl(parts.query, keep_blank_values=True))
    if (
        parts.netloc and "@" in parts.path + parts.fragment + names
    ):  # one with a / or a ? or a # in it
        raise MetadataError(UNREADABLE)
    if parts.password:
        raise MetadataError(
            f"The URL of the metadata store {shown_url(parts)} holds a password, which specs, logs and "
            "lists of processes would show. Leave it out, and put it into the environment variable "
            f"{PASSWORD_VARIABLE}."
        )


def shown_url(parts: SplitResult) -> str:
    """A URL without its password and its options."""
    user = f"{parts.username}@" if parts.username else ""
    server = (parts.hostname or "") + (f":{parts.port}" if parts.port else "")
    path = parts.path if parts.netloc else parts.path.rpartition("@")[2]
    return f"{parts.scheme}://{user}{server}{path}"


def truth(value: str, name: str) -> bool:
    """The value of an option that is true or false."""
    if value.lower() not in ("true", "false", "1", "0"):
        raise MetadataError(f"The option {name} is true or false, not {value!r}.")
    return value.lower() in ("true", "1")


def check_options(options: Mapping[str, str], known: Sequence[str]) -> None:
    """Refuse what is not among the options of a URL."""
    for name in options:
        if name not in known:
            raise MetadataError(
                f"The URL of the metadata store has no option {name!r}. {suggestion(name, known)}"
            )
