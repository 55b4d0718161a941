# SPDX-License-Identifier: Apache-2.0
"""A result in real notebooks: executed, opened in JupyterLab, and in a sandboxed frame."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import pytest

import benison
from benison import EvalResult
from tests.component.browsing import chromium, opened
from tests.conftest import config, taxi_like

AUC = {"class_name": "AUC", "threshold": {"value_threshold": {"lower_bound": 0.85}}}
CELLS = (
    "import benison\nresult = benison.load_result('out')\nresult",
    "import altair\naltair.renderers.enable('html', template='inline')\nresult.view.plot('roc')",
    "altair.renderers.enable('svg')\nresult.view.slices('auc', worst=5)",
)
EXECUTE = "from nbclient.cli import main; main()"
SERVE = (
    *("--no-browser", "--allow-root", "--IdentityProvider.token=", "--ServerApp.port=0"),
    *("--LabApp.news_url=", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"),
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a notebook that has been executed, and a copy that nobody has signed."""
    chromium()
    for package in ("nbclient", "jupyterlab", "ipykernel"):
        pytest.importorskip(package)
    folder = tmp_path_factory.mktemp("notebook")
    slices = ({}, {"feature_keys": ["hour"]})
    made = config(AUC, "ConfusionMatrixPlot", slices=slices)
    benison.evaluate(taxi_like(2_000), made, output=folder / "out")
    notebook = {
        "cells": [cell(i, source) for i, source in enumerate(CELLS)],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path = folder / "signed.ipynb"
    path.write_text(json.dumps(notebook), encoding="utf-8")
    jupyter(folder, "-c", EXECUTE, "--inplace", str(path))
    executed = json.loads(path.read_text(encoding="utf-8"))
    jupyter(folder, "-m", "jupyter", "trust", str(path))
    executed["cells"].append(cell(9, "'another notebook, which nobody has signed'"))
    (folder / "foreign.ipynb").write_text(json.dumps(executed), encoding="utf-8")
    return folder


def cell(i: int, source: str) -> dict[str, Any]:
    empty: dict[str, Any] = {"metadata": {}, "outputs": [], "execution_count": None}
    return {"cell_type": "code", "id": f"cell-{i}", "source": source, **empty}


def own_home(folder: Path) -> dict[str, str]:
    """An environment in which Jupyter finds nothing of the user's and leaves nothing there."""
    names = ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    return {**os.environ, **{name: str(folder / "home" / name) for name in names}}


def jupyter(folder: Path, *arguments: str) -> None:
    command = [sys.executable, *arguments]
    done = subprocess.run(
        command, cwd=folder, env=own_home(folder), capture_output=True, text=True, timeout=180
    )
    assert done.returncode == 0, done.stderr[-2_000:]


@pytest.fixture(scope="module")
def result(folder: Path) -> EvalResult:
    return benison.load_result(folder / "out")


@pytest.fixture(scope="module")
def lab(folder: Path) -> Iterator[str]:
    """The address of a JupyterLab."""
    command = [sys.executable, "-m", "jupyterlab", *SERVE, f"--ServerApp.root_dir={folder}"]
    with (folder / "lab.log").open("wb") as log:
        server = subprocess.Popen(
            command, env=own_home(folder), cwd=folder, stdout=log, stderr=subprocess.STDOUT
        )
    given = folder / "home" / "JUPYTER_RUNTIME_DIR" / f"jpserver-{server.pid}.json"
    try:
        for _ in range(1_200):
            if given.is_file() and given.stat().st_size:
                break
            assert server.poll() is None, (folder / "lab.log").read_text()[-2_000:]
            time.sleep(0.1)
        yield json.loads(given.read_text(encoding="utf-8"))["url"]
    finally:
        server.terminate()
        server.wait(timeout=60)


def outputs(folder: Path) -> list[dict[str, Any]]:
    cells = json.loads((folder / "signed.ipynb").read_text(encoding="utf-8"))["cells"]
    return [output["data"] for cell in cells for output in cell["outputs"]]


def test_executed_cells_hold_verdict_and_charts(folder: Path, result: EvalResult) -> None:
    shown, interactive, picture = outputs(folder)
    assert "NOT BLESSED" in "".join(shown["text/html"])
    assert "".join(shown["text/plain"]).startswith("<EvalResult not_blessed")
    assert "true positive rate" in "".join(interactive["text/html"])
    assert "".join(picture["image/svg+xml"]).startswith("<svg")


def test_jupyterlab_shows_the_result_the_report_and_the_charts(
    folder: Path, result: EvalResult, lab: str
) -> None:
    with opened(viewport={"width": 1300, "height": 1800}) as (page, heard):
        page.goto(f"{lab}lab/tree/signed.ipynb?reset", timeout=120_000)
        page.wait_for_selector(".jp-OutputArea-output table", timeout=120_000)
        text = page.inner_text(".jp-OutputArea-output >> nth=0")
        assert "NOT BLESSED" in text
        for reason in result.verdict.reasons[:8]:
            assert reason in text
        (worst,) = result.worst("auc", 1).to_pylist()
        few = "≈ " if worst["examples"] < 100 else ""
        assert f"{worst['slice']}\t{few}{worst['examples']:,}\t{worst['value']:.5g} ✗" in text
        page.click("details summary >> text=The whole report")
        report = page.frame_locator(".jp-OutputArea iframe").first
        report.locator("#badge").wait_for()
        assert report.locator("#badge").inner_text() == "NOT BLESSED"
        report.locator("tbody tr >> text=hour=").first.wait_for()
        page.wait_for_selector(".vega-embed canvas, .vega-embed svg", timeout=60_000)
        assert page.locator(".jp-RenderedSVG").count() == 1
        assert not [line for line in heard if line.startswith("http")]
        page.screenshot(path=str(folder / "lab.png"))


def test_jupyterlab_shows_the_verdict_of_a_notebook_that_nobody_trusts(
    folder: Path, result: EvalResult, lab: str
) -> None:
    with opened(viewport={"width": 1300, "height": 1800}) as (page, _):
        page.goto(f"{lab}lab/tree/foreign.ipynb?reset", timeout=120_000)
        page.wait_for_selector(".jp-OutputArea-output table", timeout=120_000)
        text = page.inner_text(".jp-OutputArea-output >> nth=0")
        assert "NOT BLESSED" in text
        assert result.verdict.reasons[0] in text
        assert page.locator(".vega-embed canvas, .vega-embed svg").count() == 0
        page.screenshot(path=str(folder / "foreign.png"))


def test_a_sandboxed_frame_shows_the_report(folder: Path, result: EvalResult) -> None:
    # As Colab does: the output has an origin of its own and may only run scripts.
    frame = f'<iframe sandbox="allow-scripts" srcdoc="{escape(result._repr_html_())}" width="900" height="800">'
    (folder / "sandbox.html").write_text(f"<!doctype html><meta charset=utf-8>{frame}", "utf-8")
    with opened(viewport={"width": 1000, "height": 900}) as (page, heard):
        page.goto((folder / "sandbox.html").as_uri())
        output = page.frame_locator("iframe")
        assert "NOT BLESSED" in output.locator("p").first.inner_text()
        output.locator("summary").click()
        report = output.frame_locator("iframe")
        report.locator("tbody tr >> text=hour=").first.wait_for()
        assert report.locator("#badge").inner_text() == "NOT BLESSED"
        assert heard == []
