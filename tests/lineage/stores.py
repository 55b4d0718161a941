# SPDX-License-Identifier: Apache-2.0
"""The stores of the lineage tests: SQLite in a file, and a real MariaDB with TLS."""

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

import pytest

from benison.lineage import DataContent, Finding, ModelFiles, Run, RunKey

PROGRAMS = ("mariadbd", "mariadb-install-db", "mariadb", "openssl")


@pytest.fixture(scope="session")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server that takes TCP connections with TLS alone, up to its database's name."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        _missing(f"{', '.join(missing)}: not installed (Debian's mariadb-server and openssl)")
    folder = tmp_path_factory.mktemp("mariadb")
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


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server that takes TCP connections with a password, up to its database's name."""
    folders = [Path(each) for each in ("/usr/lib/postgresql", "/usr/local/pgsql")]
    programs = [path.parent for each in folders for path in sorted(each.glob("**/bin/initdb"))]
    if not programs:
        _missing("initdb: not installed (Debian's postgresql)")
    folder = tmp_path_factory.mktemp("postgresql")
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


def _missing(message: str) -> None:
    pytest.fail(message) if "CI" in os.environ else pytest.skip(message)


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


@pytest.fixture(params=["sqlite", "mariadb"])
def mlmd_url(request: pytest.FixtureRequest) -> str:
    """An empty store of ML Metadata on each of its databases."""
    return _url_of(request, request.param)


@pytest.fixture(params=["sqlite", "mariadb", "sql+sqlite", "sql+mysql", "sql+postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """An empty store of each kind, or of those that a test names."""
    return _url_of(request, request.param)


def _url_of(request: pytest.FixtureRequest, kind: str) -> str:
    if kind.endswith("sqlite"):
        folder: Path = request.getfixturevalue("tmp_path")
        return f"{kind}:///{folder}/meta data.db?create=true"
    request.getfixturevalue("monkeypatch").setenv("BENISON_METADATA_PASSWORD", "p w/d")
    name = f"b{uuid.uuid4().hex}"
    if kind == "sql+postgresql":
        found: str = request.getfixturevalue("postgresql").format(name)
        make_database(found)
        return found
    server: str = request.getfixturevalue("mariadb").format(name)
    if kind == "mariadb":
        return server
    found = server.replace("mysql://", "sql+mysql://").replace("?", "?create=true&")
    make_database(found)
    return found


def make_run(
    folder: Path, id_: str = "r1", pipeline: str = "taxi", digest: str = "d1", data: str = "data"
) -> Run:
    """A run that judged the model `folder/model` of these bytes."""
    return Run(
        RunKey(pipeline, id_),
        (str(folder / "eval.parquet"),),
        DataContent(f"{data} at noon", lambda: data),
        ModelFiles(str(folder / "model"), digest),
        None,
        "{}",
        str(folder / "out"),
    )


BLESSED = Finding("blessed", "BLESSED: 0 of 1 checks failed.")
NOT_BLESSED = Finding(
    "not_blessed", "NOT BLESSED: 1 of 1 checks failed.", ("auc is 0.4, below 0.5.",)
)
