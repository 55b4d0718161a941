# SPDX-License-Identifier: Apache-2.0
"""The URL of a store: what is taken, what is refused, and that no password is said."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from benison import MetadataError
from benison.lineage.connection import Connection
from benison.lineage.store import Store


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
    found = Connection.parse("mysql://ada:se%2Fcret@db.example:3307/ml")
    assert found.shown == "mysql://ada@db.example:3307/ml"
    assert dict(found.fields) == {
        "host": "db.example",
        "port": 3307,
        "database": "ml",
        "user": "ada",
        "password": "se/cret",
    }
    monkeypatch.setenv("BENISON_METADATA_PASSWORD", "from outside")
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
        "[secret",
    ],
)
def test_a_url_that_is_refused_is_said_without_its_password(url: str) -> None:
    with pytest.raises(MetadataError, match="metadata store|lacks the") as error:
        Connection.parse(url)
    assert "secret" not in str(error.value) or url == "[secret"
    assert error.value.__cause__ is None


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
        ("postgresql://u:p@h/db", "does not escape a backslash"),
    ],
)
def test_what_would_end_the_process_or_make_a_mess_is_refused(url: str, message: str) -> None:
    with pytest.raises(MetadataError, match=message.replace("?", r"\?")) as raised:
        Store.open(url)
    assert ":p@" not in str(raised.value)


def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "shop.db") as other:
        other.execute("create table orders (id int)")
    with pytest.raises(MetadataError, match="a SQLite database of another program"):
        Store.open(f"sqlite:///{tmp_path}/shop.db")
    (tmp_path / "notes.txt").write_text("not a database, but long enough to look at " * 50)
    with pytest.raises(MetadataError, match="file is not a database"):
        Store.open(f"sqlite:///{tmp_path}/notes.txt")


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(MetadataError, match="The folder does not exist, or may not be written"):
        Store.open(f"sqlite:///{tmp_path}/no/m.db?create=true").get_artifacts()


def test_no_server_is_said_with_its_place() -> None:
    with pytest.raises(MetadataError, match=r"mysql://u@127.0.0.1:1/db cannot be opened"):
        Store.open("mysql://u:p@127.0.0.1:1/db").get_artifacts()


def test_a_wrong_password_is_said(mariadb: str) -> None:
    with pytest.raises(MetadataError, match="User or password are wrong|cannot be opened"):
        Store.open(mariadb.format("x").replace("p%20w%2Fd", "wrong")).get_artifacts()


def test_a_server_that_wants_tls_is_not_talked_to_without(mariadb: str) -> None:
    with pytest.raises(MetadataError):
        Store.open(mariadb.format("x").partition("?")[0]).get_artifacts()


def test_a_store_is_opened_anew_after_a_fork(url: str) -> None:
    store = Store.open(url)
    store.get_artifacts()
    before = store._client
    pid = os.fork()
    if pid == 0:
        os._exit(0 if store.get_artifacts() == [] and store._client is not before else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert store.get_artifacts() == []
