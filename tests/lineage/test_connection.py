# SPDX-License-Identifier: Apache-2.0
"""The URL of a store: what is taken, what is refused, and that no password is said."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import benison
from benison import BenisonError, MetadataError, cli, lineage
from benison.lineage.connection import Connection
from benison.lineage.store import Store
from benison_orchestration import local
from tests.conftest import config
from tests.lineage.servers import PASSWORD, certificate
from tests.lineage.stores import BLESSED, make_run


@pytest.mark.parametrize("name", ["meta.db", "a b.db", "ü%.db", "q?uestion#.db"])
def test_a_sqlite_store_is_made_when_asked_and_then_found(tmp_path: Path, name: str) -> None:
    from urllib.parse import quote

    url = f"sqlite:///{quote(str(tmp_path / name))}"
    with pytest.raises(MetadataError, match=r"There is no metadata store at .*create=true"):
        Store.open(url)
    assert not (tmp_path / name).exists()
    assert Store.open(f"{url}?create=true").get_artifacts() == []
    assert Store.open(url).get_artifacts() == []


def test_a_relative_path_has_three_slashes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Store.open("sqlite:///m.db?create=1").get_artifacts()
    assert (tmp_path / "m.db").exists()


def test_a_server_is_said_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = Connection.parse("mysql://ada@db.example:3307/ml", "se/cret")
    assert connection.shown == "mysql://ada@db.example:3307/ml"
    assert dict(connection.fields) == {
        "host": "db.example",
        "port": 3307,
        "database": "ml",
        "user": "ada",
        "password": "se/cret",
    }
    monkeypatch.setenv("BENISON_METADATA_PASSWORD", "from outside")
    assert Connection.parse("mysql://ada@h/ml", "").fields.get("password") is None
    assert Connection.parse("mysql://ada@localhost/ml").fields["password"] == "from outside"
    assert Connection.parse("mysql://ada@localhost/ml").fields["host"] == "127.0.0.1"
    assert "host" not in Connection.parse("mysql://ada@/ml?socket=/run/s").fields


@pytest.mark.parametrize(
    "url",
    [
        "mysq://ada:secret@h/db",
        "mysql:ada:secret@h/db",
        "mysql://ada:secret#1@h/db",
        "mysql://ada:secret/1@h/db",
        "mysql://ada:secret]1@h/db",
        "mysql://ada:1/secret@h/db",
        "mysql://ada:1#secret@h/db",
        "mysql://ada:1?secret@h/db",
        "sql+mysql://ada:1/secret@h/db",
        "sql+oracle://ada:1/secret@h/db",
        "sql+postgresql://ada:secret@h/db",
        "grpc://ada:secret@h:1",
        "[secret",
    ],
)
def test_a_url_that_is_refused_is_said_without_its_password(url: str) -> None:
    with pytest.raises(MetadataError, match="metadata store|lacks the") as error:
        lineage.connect(url)
    assert "secret" not in str(error.value) or url == "[secret"
    assert error.value.__cause__ is None


SECRET = "mysql://ada:open-sesame@db/ml"
# What else a process may be told in its environment.
SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "open-sesame",
    "FSSPEC_S3_SECRET": "open-sesame",
    "HTTPS_PROXY": "http://ada:open-sesame@127.0.0.1:9",
    "MLFLOW_TRACKING_URI": "http://ada:open-sesame@127.0.0.1:9",
}
CURE = "mysql://ada@db/ml holds a password, .* the environment variable BENISON_METADATA_PASSWORD"


@pytest.mark.parametrize(
    "words",
    [
        ("evaluate", "-e", "x.csv", "-c", "c.json", "-o", "out", "--pipeline", "taxi"),
        ("blessings", "--pipeline", "taxi"),
        ("lineage", "out"),
        ("bless", "out", "--override", "--pipeline", "taxi", "--by", "ada", "--reason", "r"),
        ("revoke", "out", "--pipeline", "taxi", "--by", "ada", "--reason", "r"),
        ("record", "done"),
        ("verify", "done"),
    ],
)
def test_a_password_in_a_url_is_refused_by_each_command(in_folder: Path, words: Any) -> None:
    Path("c.json").write_text(json.dumps(config("ExampleCount")))
    Path("x.csv").write_text("label,prediction\n1,0.5\n")
    key = {"pipeline": "taxi", "run": "r1"}
    benison.evaluate("x.csv", "c.json", output="done", **key)  # type: ignore[arg-type]
    answer = CliRunner().invoke(cli.app, [*words, "--metadata", SECRET])
    printed = " ".join(answer.output.replace("│", " ").split())
    assert answer.exit_code == 2
    assert re.search(CURE, printed), printed
    assert "sesame" not in printed
    assert not Path("out").exists()


def test_a_password_in_a_url_is_refused_in_a_spec(in_folder: Path) -> None:
    Path("x.csv").write_text("label,prediction\n1,0.5\n")
    spec = {"examples": "x.csv", "config": config("ExampleCount"), "output": "out"}
    spec |= {"metadata": SECRET, "pipeline": "taxi"}
    with pytest.raises(MetadataError, match=CURE) as error:
        local.run(json.dumps(spec))
    assert "sesame" not in str(error.value)
    assert not Path("out").exists()


@pytest.mark.parametrize("url", ["mysql", "sql+mysql", "sql+postgresql"], indirect=True)
def test_a_password_is_in_nothing_that_is_written(url: str, in_folder: Path) -> None:
    """The manifest, the report, the page for a CI, the log: none repeats what the environment holds."""
    Path("x.csv").write_text("label,prediction\n1,0.5\n")
    Path("c.json").write_text(json.dumps(config("ExampleCount")))
    words = ["-e", "x.csv", "-c", "c.json", "-o", "out", "--summary", "page.md", "--junit", "j.xml"]
    command = [sys.executable, "-m", "benison", "evaluate", *words, "--metadata", url]
    key, env = ["--pipeline", "taxi", "--run", "r1"], {**os.environ, **SECRETS}
    done = subprocess.run([*command, *key], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    texts = [path.read_bytes() for path in Path().rglob("*") if path.is_file()]
    texts += [done.stdout.encode(), done.stderr.encode()]
    assert any(b'"store"' in text for text in texts)
    secret = PASSWORD.encode()
    assert not [text for text in texts if secret in text or b"p%20w" in text or b"sesame" in text]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("metadata.db", "is not the URL of a metadata store. Say sqlite:///"),
        ("sqlite://metadata.db", "has no path after three slashes"),
        ("sqlite:///", "has no path after three slashes"),
        ("sqlite:///x.db?creat=true", "Did you mean 'create'?"),
        ("sqlite:///x.db?create=maybe", "true or false, not 'maybe'"),
        ("mysql://", "lacks the database and the user and the host"),
        ("mysql://u@h", "lacks the database"),
        ("mysql://h/db", "lacks the user"),
        (
            "mysql://u@h:port/db",
            "The host or the port in the URL of the metadata store cannot be read",
        ),
        ("mysql://u@h/db?ssl_ca=/nowhere.pem", "there is no file /nowhere.pem"),
        ("mysql://u@h/db?sslca=x", "Did you mean 'ssl_ca'?"),
        ("grpc://host", "lacks the host or the port"),
        ("grpc://host:1?ssl_ca=/nowhere.pem", "The file /nowhere.pem, which ssl_ca names"),
        ("grpc://host:1?timeout=soon", "The option timeout is a number above 0, not 'soon'"),
        ("grpc://host:1?max_message_bytes=-1", "is a number above 0, not '-1'"),
        ("grpc://host:1?tsl=true", "Did you mean 'tls'?"),
        ("postgresql://u:p@h/db", "Say sql+postgresql://user@host/database"),
        ("sql+sqlite:///x.db", "There is no metadata store at .*/x.db"),
        ("sql+sqlite://x.db", "has no path after three slashes"),
        ("sql+postgresql://h", "lacks the database and the user. Say sql"),
        ("sql+postgresql://u@h/db?sslmod=require", "Did you mean 'sslmode'?"),
        ("sql+postgresql://u@h/db?sslrootcert=/nowhere.pem", "There is no file /nowhere.pem"),
        ("sql+mysql://u@h:port/db", "The host or the port .* cannot be read"),
        ("sql+oracle://u@h/db", "'sql+oracle://u@h/db' is not the URL of a SQL store"),
        ("sql+mysql+nothing://u@h/db", "The driver of mysql is not installed"),
    ],
)
def test_what_would_end_the_process_or_make_a_mess_is_refused(url: str, message: str) -> None:
    with pytest.raises(BenisonError, match=re.sub(r"([?+])", r"\\\1", message)) as raised:
        lineage.connect(url)
    assert ":p@" not in str(raised.value)


def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "shop.db") as other:
        other.execute("create table orders (id int)")
    with pytest.raises(MetadataError, match="a SQLite database of another program"):
        Store.open(f"sqlite:///{tmp_path}/shop.db")
    (tmp_path / "notes.txt").write_text("not a database, but long enough to look at " * 50)
    with pytest.raises(MetadataError, match="file is not a database"):
        Store.open(f"sqlite:///{tmp_path}/notes.txt")


_KILLED_WHILE_IT_WRITES = """
import os, signal, sqlite3, sys
store = sqlite3.connect(sys.argv[1])
store.execute("pragma cache_size = 1")  # so that pages are in the file before there is a commit
store.execute("create table half (of_it blob)")
store.executemany("insert into half values (?)", [(b"x" * 4096,)] * 100)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("url", ["sqlite", "sql+sqlite"], indirect=True)
def test_a_store_whose_writer_was_killed_is_mended_when_it_is_opened(
    url: str, tmp_path: Path
) -> None:
    """By SQLite, from the journal beside the file, which whoever only reads may not do."""
    lineage.connect(url).begin(make_run(tmp_path)).complete(BLESSED)
    file = tmp_path / "meta data.db"
    assert subprocess.run([sys.executable, "-c", _KILLED_WHILE_IT_WRITES, file]).returncode == -9
    assert Path(f"{file}-journal").stat().st_size
    (blessing,) = lineage.connect(url).blessings("taxi")
    assert blessing.status == "blessed"
    with sqlite3.connect(file) as store:
        assert store.execute("select count(*) from half").fetchone() == (0,)


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(MetadataError, match="The folder does not exist, or may not be written"):
        Store.open(f"sqlite:///{tmp_path}/no/m.db?create=true").get_artifacts()


def test_no_server_is_said_with_its_place() -> None:
    with pytest.raises(MetadataError, match=r"mysql://u@127.0.0.1:1/db cannot be opened"):
        Store.open("mysql://u@127.0.0.1:1/db", "p").get_artifacts()


def test_a_wrong_password_is_said(mariadb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENISON_METADATA_PASSWORD", "wrong")
    with pytest.raises(MetadataError, match="User or password are wrong|cannot be opened"):
        Store.open(mariadb.format("x")).get_artifacts()


def test_a_server_that_wants_tls_is_not_talked_to_without(
    mariadb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENISON_METADATA_PASSWORD", "p w/d")
    with pytest.raises(MetadataError):
        Store.open(mariadb.format("x").partition("?")[0]).get_artifacts()


def test_a_store_is_opened_anew_after_a_fork(mlmd_url: str) -> None:
    store = Store.open(mlmd_url)
    store.get_artifacts()
    before = store._client
    pid = os.fork()
    if pid == 0:
        os._exit(0 if store.get_artifacts() == [] and store._client is not before else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert store.get_artifacts() == []


@pytest.mark.parametrize("url", ["sqlite", "sql+mysql", "sql+postgresql"], indirect=True)
def test_a_password_is_in_no_log(
    url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from absl import logging as absl_logging

    monkeypatch.setenv("BENISON_METADATA_PASSWORD", "p w/d")
    absl_logging.set_verbosity(absl_logging.DEBUG)
    try:
        with caplog.at_level(logging.DEBUG):
            lineage.connect(url).begin(make_run(tmp_path)).complete(BLESSED)
    finally:
        absl_logging.set_verbosity(absl_logging.WARNING)
    assert not re.search("p w/d|p%20w", caplog.text)
    assert "ConnectionConfig" not in caplog.text


def test_sql_tables_are_made_only_when_asked(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "shop.db") as other:
        other.execute("create table orders (id int)")
    url = f"sql+sqlite:///{tmp_path}/shop.db"
    with pytest.raises(MetadataError, match=r"has no tables of Benison\. .*\?create=true"):
        lineage.connect(url).begin(make_run(tmp_path))
    lineage.connect(f"{url}?create=true").begin(make_run(tmp_path))
    assert lineage.connect(url).begin(make_run(tmp_path)).ids["execution"] == 1


def test_a_newer_sql_store_is_left_alone(tmp_path: Path) -> None:
    url = f"sql+sqlite:///{tmp_path}/m.db?create=true"
    lineage.connect(url).begin(make_run(tmp_path))
    with sqlite3.connect(tmp_path / "m.db") as store:
        store.execute("update benison_store set version = 99")
    with pytest.raises(MetadataError, match="was made by a newer Benison"):
        lineage.connect(url).begin(make_run(tmp_path))


@pytest.mark.parametrize("kind", ["mysql", "postgresql"])
def test_no_sql_server_is_said_with_its_address(kind: str, tmp_path: Path) -> None:
    ledger = lineage.connect(f"sql+{kind}://u@127.0.0.1:1/db?connect_timeout=1")
    with pytest.raises(MetadataError, match=rf"sql\+{kind}://u@127.0.0.1:1/db cannot be used"):
        ledger.latest_blessed("taxi")


class TestServer:
    """A server of ML Metadata, plain, over TLS, and over TLS that wants to know its clients."""

    @pytest.fixture
    def serve(self, tmp_path: Path) -> Iterator[Callable[..., int]]:
        if shutil.which("openssl") is None:
            pytest.skip("openssl: not installed")
        certificate(tmp_path)
        servers = []

        def start(tls: bool = False, with_client: bool = False) -> int:
            from tests.lineage import grpc_server

            folder = tmp_path if tls else None
            server, port = grpc_server.serve(tmp_path / "m.db", folder, with_client)
            servers.append(server)
            return int(port)

        yield start
        for server in servers:
            server.stop(None).wait()

    def record(self, url: str, folder: Path) -> None:
        ledger = lineage.connect(url)
        ledger.begin(make_run(folder)).complete(BLESSED)
        assert ledger.latest_blessed("taxi") is not None

    def test_plain(self, serve: Callable[..., int], tmp_path: Path) -> None:
        self.record(f"grpc://127.0.0.1:{serve()}", tmp_path)

    def test_over_tls(self, serve: Callable[..., int], tmp_path: Path) -> None:
        port = serve(tls=True)
        self.record(f"grpc://127.0.0.1:{port}?ssl_ca={tmp_path}/ca.pem&timeout=20", tmp_path)
        for options in ("?timeout=2", "?tls=true&timeout=2"):  # without TLS; of no known authority
            with pytest.raises(MetadataError, match=f"grpc://127.0.0.1:{port} refused"):
                lineage.connect(f"grpc://127.0.0.1:{port}{options}").latest_blessed("taxi")

    def test_over_tls_with_a_certificate_of_the_client(
        self, serve: Callable[..., int], tmp_path: Path
    ) -> None:
        port = serve(tls=True, with_client=True)
        authority = f"grpc://127.0.0.1:{port}?ssl_ca={tmp_path}/ca.pem&timeout=5"
        self.record(
            f"{authority}&ssl_cert={tmp_path}/cert.pem&ssl_key={tmp_path}/key.pem", tmp_path
        )
        with pytest.raises(MetadataError, match="refused"):
            lineage.connect(authority).latest_blessed("taxi")

    def test_messages_of_any_size(self, serve: Callable[..., int], tmp_path: Path) -> None:
        port = serve()
        large = dataclasses.replace(make_run(tmp_path), config="x" * 3_000_000)
        lineage.connect(f"grpc://127.0.0.1:{port}").begin(large)
        few = lineage.connect(f"grpc://127.0.0.1:{port}?max_message_bytes=1000000")
        with pytest.raises(MetadataError, match="larger than max"):
            few.begin(large)


def damaged(store: Path, name: str) -> Path:
    """The store with the first page of a table or an index full of nonsense."""
    with sqlite3.connect(store) as connection:
        (size,) = connection.execute("pragma page_size").fetchone()
        asked = "select rootpage from sqlite_master where name = ?"
        (page,) = connection.execute(asked, [name]).fetchone()
    content = bytearray(store.read_bytes())
    content[size * (page - 1) : size * page] = b"\xff" * size
    copy = store.with_name(f"{name}.db")
    copy.write_bytes(content)
    return copy


@pytest.mark.parametrize("name", ["Type", "Artifact", "ParentType", "MLMDEnv", "Event"])
def test_damage_is_said_and_not_taken_for_other_processes(tmp_path: Path, name: str) -> None:
    Store.open(f"sqlite:///{tmp_path}/m.db?create=true").get_artifacts()
    path = damaged(tmp_path / "m.db", name)
    with pytest.raises(MetadataError, match="malformed.* The SQLite file is damaged; restore"):
        Store.open(f"sqlite:///{path}").get_artifacts()
