# SPDX-License-Identifier: Apache-2.0
"""The stores of the lineage tests: SQLite in a file, and a real MariaDB with TLS."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from benison.lineage import DataContent, Finding, ModelFiles, Run, RunKey

PROGRAMS = ("mariadbd", "mariadb-install-db", "mariadb", "openssl")


@pytest.fixture(scope="session")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server that takes TCP connections with TLS alone, up to its database's name."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        message = f"{', '.join(missing)}: not installed (Debian's mariadb-server and openssl)"
        pytest.fail(message) if "CI" in os.environ else pytest.skip(message)
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
        yield f"mysql://ben:p%20w%2Fd@127.0.0.1:{port}/{{}}?ssl_ca={folder}/ca.pem"
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


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
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


@pytest.fixture(params=["sqlite", "mariadb"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty store on each backend."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/meta data.db?create=true"
    server: str = request.getfixturevalue("mariadb")
    return server.format(f"b{uuid.uuid4().hex}")


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
