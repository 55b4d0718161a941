# SPDX-License-Identifier: Apache-2.0
"""Dagster's check of an asset and Prefect's task, each run by its own host in an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.conftest import config, taxi_like
from tests.orchestration.airflow_host import ROOT, SOURCES
from tests.test_docs import blocks

FLOWS = Path(__file__).parent / "flows"
PAGE = {block.title: block.text for block in blocks(ROOT / "docs" / "hosts.md")}
AS_ARGO_READS = """
import json, sys, yaml
from hera.workflows.models import WorkflowTemplate
given = yaml.safe_load(sys.stdin)
# Its models drop what Argo does not know.
known = json.loads(WorkflowTemplate.parse_obj(given).json(by_alias=True, exclude_none=True))
print(json.dumps({"given": given, "known": known}))
"""
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

    def run(self, *words: str | Path, text: str = "") -> str:
        done = subprocess.run(
            [str(PYTHON), *map(str, words)],
            env=self.env, cwd=self.folder, capture_output=True, text=True, check=False, timeout=600,
            input=text,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

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


@pytest.mark.parametrize("title", [title for title in PAGE if title.startswith("flows/")])
def test_the_hosts_load_the_files_of_the_page(host: Host, title: str) -> None:
    file = host.folder / Path(title).name
    file.write_text(PAGE[title], encoding="utf-8")
    host.run("-c", f"import runpy; runpy.run_path({str(file)!r})")


def test_argo_knows_every_field_of_the_template(host: Host) -> None:
    text = PAGE["argo/benison.yaml"]
    read = host.document("-c", AS_ARGO_READS, text=text)
    assert read["known"] == read["given"]
    misspelt = host.document("-c", AS_ARGO_READS, text=text.replace("valueFrom", "valuefrom"))
    assert misspelt["known"] != misspelt["given"]


def test_the_container_of_the_template_leaves_its_outcome(host: Host) -> None:
    read = host.document("-c", AS_ARGO_READS, text=PAGE["argo/benison.yaml"])
    (template,) = [t for t in read["given"]["spec"]["templates"] if t["name"] == "evaluate"]
    metric = {"class_name": "AUC", "threshold": {"value_threshold": {"lower_bound": 0.999}}}
    spec = {"examples": "eval.parquet", "config": config(metric), "output": "of argo"}
    (output,) = template["outputs"]["parameters"]
    for variable in template["container"]["env"]:
        value = variable["value"].replace("{{inputs.parameters.spec}}", json.dumps(spec))
        host.env[variable["name"]] = value.replace("/tmp/", f"{host.folder}/")
    host.run(*template["container"]["command"][1:])
    path = host.folder / Path(output["valueFrom"]["path"]).name
    assert json.loads(path.read_text())["status"] == "not_blessed"
