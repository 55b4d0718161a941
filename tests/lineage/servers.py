# SPDX-License-Identifier: Apache-2.0
"""Real database servers for tests, each in a folder and on a port of its own: MariaDB with TLS, PostgreSQL."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import stat
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PROGRAMS = ("mariadbd", "mariadb-install-db", "mariadb", "openssl")
PASSWORD = "p w/d"  # with characters that have a meaning in URLs


class NotInstalledError(Exception):
    """A program is missing."""


@contextlib.contextmanager
def mariadb(folder: Path) -> Iterator[str]:
    """The URL of a server that takes TCP connections with TLS alone, up to its database's name."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        raise NotInstalledError(
            f"{', '.join(missing)}: not installed (Debian's mariadb-server, openssl)"
        )
    port = _free_port()
    certificate(folder)
    data, sock = folder / "data", folder / "s"
    as_root = ["--user=root"] if os.geteuid() == 0 else []
    run(
        "mariadb-install-db",
        "--no-defaults",
        f"--datadir={data}",
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
        *as_root,
    )
    options = {
        "datadir": data,
        "socket": sock,
        "port": port,
        "bind-address": "127.0.0.1",
        "ssl-ca": folder / "ca.pem",
        "ssl-cert": folder / "cert.pem",
        "ssl-key": folder / "key.pem",
        "require-secure-transport": "ON",
        "pid-file": folder / "pid",
        "log-error": folder / "log",
    }
    given = [f"--{name}={value}" for name, value in options.items()]
    server = subprocess.Popen(
        ["mariadbd", "--no-defaults", *given, *as_root],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _await(server, sock, folder / "log")
        sql = "CREATE USER 'ben'@'127.0.0.1' IDENTIFIED VIA mysql_native_password USING PASSWORD('p w/d') REQUIRE SSL; GRANT ALL ON *.* TO 'ben'@'127.0.0.1';"
        run("mariadb", "--no-defaults", f"--socket={sock}", "--user=root", "-e", sql)
        yield f"mysql://ben@127.0.0.1:{port}/{{}}?ssl_ca={folder}/ca.pem"
    finally:
        server.kill()
        server.wait()


@contextlib.contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """The URL of a server that takes TCP connections with a password, up to its database's name."""
    folders = [Path(each) for each in ("/usr/lib/postgresql", "/usr/local/pgsql")]
    programs = [path.parent for each in folders for path in sorted(each.glob("**/bin/initdb"))]
    if not programs:
        raise NotInstalledError("initdb: not installed (Debian's postgresql)")
    data, port, secret = folder / "data", _free_port(), folder / "secret"
    secret.write_text("p w/d")
    as_other: dict[str, Any] = {}
    if os.geteuid() == 0:  # as whom it does not run
        _let_in("postgres", folder)
        as_other = {"user": "postgres", "group": "postgres", "extra_groups": [], "cwd": folder}
    init = (
        "--auth=scram-sha-256",
        "--username=ben",
        f"--pwfile={secret}",
        "--no-sync",
        "-E",
        "UTF8",
    )
    run(f"{programs[-1]}/initdb", f"--pgdata={data}", *init, **as_other)
    options = ("-p", str(port), "-k", str(folder), "-c", "listen_addresses=127.0.0.1", "-F")
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            [f"{programs[-1]}/postgres", "-D", str(data), *options],
            stdout=log,
            stderr=log,
            **as_other,
        )
    try:
        _await(server, folder / f".s.PGSQL.{port}", folder / "log")
        yield f"sql+postgresql://ben@127.0.0.1:{port}/{{}}?create=true"
    finally:
        server.terminate()
        server.wait(30)


def _let_in(user: str, folder: Path) -> None:
    """Let another user write into a folder, and pass those above it."""
    shutil.chown(folder, user, user)
    for file in folder.iterdir():
        shutil.chown(file, user, user)
    for above in folder.parents:
        if not above.stat().st_mode & stat.S_IXOTH:
            above.chmod(above.stat().st_mode | stat.S_IXOTH)


def certificate(folder: Path) -> None:
    """A key, and a certificate for 127.0.0.1 that is its own authority."""
    run(
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=127.0.0.1",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-keyout",
        str(folder / "key.pem"),
        "-out",
        str(folder / "cert.pem"),
    )
    shutil.copy(folder / "cert.pem", folder / "ca.pem")


def run(*command: str, **options: Any) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, (command[0], done.stderr, done.stdout[-500:])


def _await(server: subprocess.Popen[bytes], sock: Path, log: Path) -> None:
    for _ in range(300):
        assert server.poll() is None, log.read_text()[-2000:]
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(sock))
            return
        time.sleep(0.1)
    raise AssertionError(log.read_text()[-2000:])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def make_database(url: str) -> None:
    """A new database of a SQL server, which has to be there before the tables are made."""
    import sqlalchemy

    server, _, name = url.partition("?")[0].removeprefix("sql+").rpartition("/")
    if server.startswith("postgresql"):
        where = server.replace("postgresql://ben@", "postgresql+psycopg://ben:p%20w%2Fd@")
        arguments: dict[str, Any] = {}
    else:
        where = server.replace("mysql://ben@", "mysql+pymysql://ben:p%20w%2Fd@")
        arguments = {"ssl_ca": url.partition("ssl_ca=")[2]}
    where += "/postgres" if "postgresql" in where else "/mysql"
    engine = sqlalchemy.create_engine(where, connect_args=arguments, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()


def new_store(kind: str, server: str) -> str:
    """The URL of an empty store on a server.

    Args:
        kind: mysql, sql+mysql or sql+postgresql.
        server: What `mariadb` or `postgresql` gave.
    """
    url = server.format(f"b{uuid.uuid4().hex}")
    if kind == "mysql":
        return url
    if kind == "sql+mysql":
        url = url.replace("mysql://", "sql+mysql://").replace("?", "?create=true&")
    make_database(url)
    return url


@contextlib.contextmanager
def store(kind: str, folder: Path) -> Iterator[str]:
    """The URL of an empty store, with the server that it needs; the password is in the environment."""
    if kind.endswith("sqlite"):
        yield f"{kind}:///{folder}/{kind}.db?create=true"
        return
    own = folder / kind.replace("+", "-")
    own.mkdir()
    before = os.environ.get("BENISON_METADATA_PASSWORD")
    os.environ["BENISON_METADATA_PASSWORD"] = PASSWORD
    try:
        with (postgresql if "postgresql" in kind else mariadb)(own) as server:
            yield new_store(kind, server)
    finally:
        os.environ.pop("BENISON_METADATA_PASSWORD")
        if before is not None:
            os.environ["BENISON_METADATA_PASSWORD"] = before
