# SPDX-License-Identifier: Apache-2.0
"""The wheel as a user gets it: in an environment with nothing but what it asks for."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("benison", "benison_orchestration")
# How pip names a network that is not there, as opposed to a package that is not there.
OFFLINE = ("NewConnectionError", "ConnectTimeoutError", "NameResolutionError", "ProxyError")
# Besides what only the process of a container needs.
OF_AIRFLOW = [
    *("base", "decorator", "docker", "evaluator", "gates", "hook", "kubernetes", "process", "sdk"),
    *("docker_trigger", "monitor", "pods", "trigger"),
]
# What subclasses the classes of a host cannot be imported without the host.
HOSTED = {
    "benison.beam": "beam",
    "benison.engine.beam_fns": "beam",
    "benison.spark": "spark",
    "benison.evaluator.component": "tfx",
    "benison.evaluator.driver": "tfx",
    "benison.evaluator.executor": "tfx",
    "benison.evaluator.monitor_component": "tfx",
    **{
        f"benison.lineage.{name}": "sql"
        for name in ("database", "database_errors", "sql", "statements", "tables")
    },
    "benison.sinks.openlineage": "openlineage",
    "benison_orchestration.airflow": "airflow",
    **{f"benison_orchestration.airflow_{name}": "airflow" for name in OF_AIRFLOW},
    "benison_orchestration.airflow_openlineage": "airflow-openlineage",
    "benison_orchestration.dagster": "dagster",
    "benison_orchestration.kubeflow": "kfp",
    "benison_orchestration.prefect": "prefect",
    "benison_orchestration.pytest_plugin": "pytest",
}
IMPORT_ALL = """
import importlib, pkgutil, sys
from benison import MissingExtraError
for package in sys.argv[1:]:
    found = importlib.import_module(package)
    for module in pkgutil.walk_packages(found.__path__, package + "."):
        try:
            importlib.import_module(module.name)
            print(module.name)
        except MissingExtraError as error:
            print(module.name, "needs", error.extra)
        except ModuleNotFoundError as error:
            # What keeps a SQL store is imported by the store alone, which says what to install.
            if error.name != "sqlalchemy":
                raise
            print(module.name, "needs sql")
"""

pytestmark = pytest.mark.slow


def run(*command: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=300,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the checkout by the hatchling of this environment."""
    folder = tmp_path_factory.mktemp("wheel")
    built = run(
        sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, folder=ROOT
    )
    assert built.returncode == 0, built.stderr
    (file,) = folder.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that holds the wheel and its base dependencies, without pip itself."""
    folder = tmp_path_factory.mktemp("environment") / "with a space"
    made = run(sys.executable, "-m", "venv", "--without-pip", folder, folder=ROOT)
    assert made.returncode == 0, made.stderr
    pip = (sys.executable, "-m", "pip", "--python", folder / "bin/python")
    pins = ("--constraint", ROOT / "requirements/test.txt")
    patience = ("--no-input", "--retries", "1", "--timeout", "30")
    installed = run(*pip, "install", "--quiet", *patience, *pins, wheel, folder=ROOT)
    if "CI" not in os.environ and any(sign in installed.stderr for sign in OFFLINE):
        pytest.skip("no package registry can be reached")
    assert installed.returncode == 0, installed.stderr
    return folder


def test_the_wheel_holds_the_two_packages_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == set(PACKAGES)
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(names)


def test_the_wheel_holds_every_module(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    sources = (ROOT / "component", ROOT / "orchestration")
    files = {path.relative_to(top).as_posix() for top in sources for path in top.rglob("*.py")}
    assert files <= set(names)


def test_the_wheel_holds_the_licence(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (name,) = [name for name in archive.namelist() if name.endswith("licenses/LICENSE")]
    assert archive.read(name) == (ROOT / "LICENSE").read_bytes()
    (metadata,) = [name for name in archive.namelist() if name.endswith("/METADATA")]
    assert b"\nLicense-Expression: Apache-2.0\n" in archive.read(metadata)


def test_every_module_is_imported_without_any_extra(environment: Path) -> None:
    python = environment / "bin/python"
    imported = run(python, "-W", "error", "-c", IMPORT_ALL, *PACKAGES, folder=environment)
    assert imported.returncode == 0, imported.stderr
    lines = imported.stdout.splitlines()
    assert {"benison.cli", "benison.engine.beam_jobs", "benison.errors"} <= set(lines)
    assert {line for line in lines if " needs " in line} == {
        f"{module} needs {extra}" for module, extra in HOSTED.items()
    }


@pytest.mark.parametrize("words", [("benison",), ("python", "-m", "benison")])
def test_the_command_starts(environment: Path, words: tuple[str, ...]) -> None:
    command = run(environment / "bin" / words[0], *words[1:], "--help", folder=environment)
    assert command.returncode == 0, command.stderr
    assert "evaluate" in command.stdout
