# SPDX-License-Identifier: Apache-2.0
"""The stores of the lineage tests: ML Metadata and SQL tables, in files and on real servers."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benison.lineage import DataContent, Finding, ModelFiles, Run, RunKey
from tests.lineage import servers


@pytest.fixture(scope="session")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that takes TCP connections with TLS alone."""
    yield from _started(servers.mariadb, tmp_path_factory.mktemp("mariadb"))


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """A server that takes TCP connections with a password.

    Its folder is apart: of its own, pytest closes the one above to other users whenever it starts.
    """
    with tempfile.TemporaryDirectory(prefix="benison-postgresql-") as folder:
        yield from _started(servers.postgresql, Path(folder))


def _started(start: Any, folder: Path) -> Iterator[str]:
    try:
        with start(folder) as url:
            yield url
    except servers.NotInstalledError as error:
        pytest.fail(str(error)) if "CI" in os.environ else pytest.skip(str(error))


@pytest.fixture(params=["sqlite", "mysql"])
def mlmd_url(request: pytest.FixtureRequest) -> str:
    """An empty store of ML Metadata on each of its databases."""
    return _url_of(request, request.param)


@pytest.fixture(params=["sqlite", "mysql", "sql+sqlite", "sql+mysql", "sql+postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """An empty store of each kind, or of those that a test names."""
    return _url_of(request, request.param)


def _url_of(request: pytest.FixtureRequest, kind: str) -> str:
    if kind.endswith("sqlite"):
        folder: Path = request.getfixturevalue("tmp_path")
        return f"{kind}:///{folder}/meta data.db?create=true"
    request.getfixturevalue("monkeypatch").setenv("BENISON_METADATA_PASSWORD", servers.PASSWORD)
    name = "postgresql" if "postgresql" in kind else "mariadb"
    return servers.new_store(kind, request.getfixturevalue(name))


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
