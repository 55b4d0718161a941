# SPDX-License-Identifier: Apache-2.0
"""Dagster's check of an asset, Prefect's task and Argo's template, with their pages, in an environment of their own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.conftest import taxi_like
from tests.orchestration.airflow_host import ROOT, SOURCES
from tests.test_docs import blocks

FLOWS = Path(__file__).parent / "flows"
PAGES = [ROOT / "docs" / f"{name}.md" for name in ("argo", "dagster", "prefect")]
PAGE = {block.title: block.text for page in PAGES for block in blocks(page)}
AS_ARGO_READS = """
import json, sys, yaml
from hera.workflows import models
def read(given):
    # Its models drop what Argo does not know.
    made = getattr(models, given["kind"]).parse_obj(given)
    return {"given": given, "known": json.loads(made.json(by_alias=True, exclude_none=True))}
print(json.dumps([read(given) for given in yaml.safe_load_all(sys.stdin)]))
"""
WHEN = "{{=jsonpath(tasks.evaluate.outputs.parameters.outcome, '$.status')}} == blessed"
PYTHON = ROOT / ".venv-hosts/bin/python"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


class Host:
    """A folder with data, and a Python with the hosts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        home = {"DAGSTER_HOME": str(folder), "PREFECT_HOME": str(folder / "prefect")}
        quiet = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DAGSTER_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"}  # fmt: skip
        self.env = {**os.environ, **home, **quiet, "PROBES": str(folder), "PYTHONPATH": SOURCES}
        self.env |= {"PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true", "PYTHONWARNINGS": "ignore"}
        self.env["PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS"] = "300"
        pq.write_table(taxi_like(500), folder / "eval.parquet")
        for title, text in PAGE.items():
            if title:
                (folder / title).parent.mkdir(exist_ok=True)
                (folder / title).write_text(text, encoding="utf-8")

    def run(self, *words: str | Path, text: str = "") -> str:
        done = subprocess.run(
            [str(PYTHON), *map(str, words)],
            env=self.env, cwd=self.folder, capture_output=True, text=True, check=False, timeout=600,
            input=text,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def contain(self, container: Any, values: Mapping[str, str]) -> None:
        """Run what a container runs, with values put in."""

        names = re.compile("|".join(map(re.escape, values)))

        def filled(text: str) -> str:
            return names.sub(lambda name: values[name[0]], text)

        for variable in container.get("env", ()):
            self.env[variable["name"]] = filled(variable["value"])
        words = [*container["command"], *container.get("args", ())]
        assert words[0] == "python"
        self.run(*map(filled, words[1:]))

    def document(self, *words: str | Path, text: str = "") -> Any:
        return json.loads(self.run(*words, text=text).strip().splitlines()[-1])


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Host:
    if not PYTHON.exists():
        missing = "there is no .venv-hosts; run: make hosts-env"
        (pytest.fail if "CI" in os.environ else pytest.skip)(missing)
    return Host(tmp_path_factory.mktemp("hosts"))


@pytest.fixture(scope="module")
def dagster(host: Host) -> Any:
    return host.document(FLOWS / "with_dagster.py")


@pytest.fixture(scope="module")
def prefect(host: Host) -> Any:
    return host.document(FLOWS / "with_prefect.py")


def test_dagster_makes_of_a_model_that_is_not_blessed_nothing_more(dagster: Any) -> None:
    assert {"good", "bad", "warned", "wrong"} <= set(dagster["made"])
    assert {"served_good", "served_warned"} == {n for n in dagster["made"] if "served" in n}


def test_dagster_shows_why(dagster: Any, host: Host) -> None:
    checks = {check["asset"]: check for check in dagster["checks"]}
    passed = {name: check["passed"] for name, check in checks.items()}
    assert passed == {"good": True, "bad": False, "warned": False}
    bad = checks["bad"]
    assert bad["text"].startswith("NOT BLESSED: all 5 checks failed")
    assert "auc of Overall is 0.8" in bad["text"]
    assert bad["metadata"]["verdict"] == "not_blessed"
    assert 0.8 < bad["metadata"]["auc"] < 0.9
    assert {failed["slice"] for failed in bad["metadata"]["failed_checks"]} >= {"Overall"}
    output = Path(bad["metadata"]["output"])
    assert output.parts[-5:-3] == ("evaluations", "bad")
    assert output.parts[-2:] == ("blessed", "evaluation")
    assert (output / "NOT_BLESSED").exists()
    assert bad["metadata"]["report"] == (output / "report.html").as_uri()


def test_dagster_fails_for_what_is_wrong_and_does_not_try_again(dagster: Any) -> None:
    (error,) = [text for step, text in dagster["errors"].items() if "wrong" in step]
    assert "nowhere.parquet" in error
    assert dagster["again"] == []


def test_dagster_itself_finds_the_definitions_valid(host: Host) -> None:
    host.run("-m", "dagster", "definitions", "validate", "-f", FLOWS / "with_dagster.py")


def test_prefect_goes_by_the_verdict(prefect: Any) -> None:
    results = prefect["results"]
    assert (results["good"]["status"], results["bad"]["status"]) == ("blessed", "not_blessed")
    assert results["bad"]["failures"] == 5
    assert results["failed"][0] == "NotBlessedError"
    assert "all 5 checks failed" in results["failed"][1]
    assert "nowhere.parquet" in results["wrong"][1]


def test_prefect_tries_neither_a_verdict_nor_what_is_wrong_again(prefect: Any) -> None:
    assert prefect["tries"] == [1, 1, 1, 1]


def test_prefect_shows_the_summary(prefect: Any) -> None:
    assert prefect["keys"] == ["benison-taxi-evaluate"]
    assert any("Benison: blessed" in page for page in prefect["pages"])
    assert any("Benison: not blessed" in page for page in prefect["pages"])


def test_prefect_gives_each_mapped_task_an_output_of_its_own(prefect: Any) -> None:
    outputs = [outcome["output"] for outcome in prefect["mapped"]]
    assert [outcome["status"] for outcome in prefect["mapped"]] == ["blessed", "not_blessed"]
    assert len({*outputs, prefect["results"]["good"]["output"]}) == 3


def test_dagster_pushes_what_the_page_says(dagster: Any) -> None:
    assert dagster["pushed"] == [False, True]


def test_prefect_pushes_what_the_page_says(prefect: Any) -> None:
    assert prefect["pushed"] == ["pushed for 0.9.csv"]


@pytest.fixture(scope="module")
def argo(host: Host) -> Any:
    """The files of Argo's page as they are given, and what its models know of them."""
    texts = [PAGE[title] for title in PAGE if title.startswith("argo/")]
    texts.append(texts[0].replace("valueFrom", "valuefrom"))
    return host.document("-c", AS_ARGO_READS, text="---\n".join(texts))


def test_argo_knows_every_field_of_the_files(argo: Any) -> None:
    *files, misspelt = argo
    assert [file["given"]["kind"] for file in files] == ["WorkflowTemplate", "Workflow"]
    assert all(file["known"] == file["given"] for file in files)
    assert misspelt["known"] != misspelt["given"]


@pytest.fixture(scope="module")
def argo_cli() -> str:
    """The command `argo`, which `make argo` builds."""
    program = shutil.which("argo", path=f"{ROOT / '.argo'}{os.pathsep}{os.environ['PATH']}")
    if program is None:
        pytest.skip(
            "there is no argo; run: make argo (it takes Go, a proxy of its modules, and minutes)"
        )
    return program


def test_argo_itself_finds_nothing_wrong(argo_cli: str, host: Host) -> None:
    lint = [argo_cli, "lint", "--offline", "--no-color", "argo"]
    done = subprocess.run(lint, cwd=host.folder, capture_output=True, text=True, check=False)
    assert (done.returncode, "no linting errors found" in done.stdout) == (0, True), done.stdout


@pytest.mark.parametrize(("bound", "is_pushed"), [("1.1", False), ("0.9", True)])
def test_the_containers_of_argo_push_what_the_page_says(
    argo: Any, host: Host, bound: str, is_pushed: bool
) -> None:
    template, workflow = (file["given"]["spec"] for file in argo[:2])
    steps = {each["name"]: each for each in (*template["templates"], *workflow["templates"])}
    work = host.folder / f"work {bound}"
    work.mkdir()
    outcome = ""
    for task in steps["gated"]["dag"]["tasks"]:
        status = json.loads(outcome)["status"] if outcome else ""
        assert task.get("when", WHEN) == WHEN
        if "when" in task and status != "blessed":
            continue
        step = steps[task["name"]]
        (spec,) = task.get("arguments", {"parameters": [{"value": ""}]})["parameters"]
        given = spec["value"].replace("{{workflow.parameters.bound}}", bound)
        given = given.replace("{{workflow.uid}}", "1")
        values = {"{{inputs.parameters.spec}}": given.replace("/work/", f"{work}/")}
        values |= dict.fromkeys(("/work/", "/tmp/"), f"{work}/")
        host.contain(step["container"], values)
        if "outputs" in step:
            (output,) = step["outputs"]["parameters"]
            outcome = (work / Path(output["valueFrom"]["path"]).name).read_text()
    assert (work / "pushed.csv").exists() == is_pushed
