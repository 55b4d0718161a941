# SPDX-License-Identifier: Apache-2.0
"""The documentation: its commands run, its site builds, and the pages made from the code are complete.

Blocks with `>>>` are run as doctests by pytest itself.
"""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import doctest
import io
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from docs.examples import GALLERY, output_text
from lxml import html
from markdown_it import MarkdownIt
from typer.testing import CliRunner

from benison.cli import app
from benison.cli.catalogue import known
from benison.config import EvalConfig
from tests.test_layers import LAYERS

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))
GUIDES = sorted((ROOT / "docs" / "guides").glob("*.md"))
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
TITLE = re.compile(r'title="([^"]+)"')
SOURCES = ("component", "orchestration", "pipelines")
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclasses.dataclass(frozen=True)
class Block:
    """A fenced block of a page; `title` is the name of the file that it is, if it is one."""

    language: str
    title: str
    text: str


def blocks(page: Path) -> list[Block]:
    tokens = MarkdownIt().parse(page.read_text(encoding="utf-8"))
    fences = [(token.info, token.content) for token in tokens if token.type == "fence"]
    return [
        Block(info.partition(" ")[0], "".join(TITLE.findall(info)), text) for info, text in fences
    ]


def commands(text: str) -> Iterator[tuple[str, str]]:
    """Each command of a console block, which follows "$ ", with the output that it is said to have."""
    for entry in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command = re.match(r"(?:.*\\\n)*.*\n", entry)
        assert command is not None
        yield command[0].strip(), entry[command.end() :]


def run(command: str, folder: Path) -> str:
    """The output of a command of a page; it must succeed."""
    shims = folder.parent / "commands"
    shims.mkdir(exist_ok=True)
    environment_link = folder.parent / "environment"  # Kubeflow's runner wants no spaces in a path
    if not environment_link.exists():
        environment_link.symlink_to(sys.prefix)
    python = environment_link / "bin" / "python"
    for name, words in (("benison", "-m benison"), ("python", "")):
        (shims / name).write_text(f'#!/bin/sh\nexec "{python}" {words} "$@"\n')
        (shims / name).chmod(0o755)
    path = f"{shims}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "COLUMNS": "100", "NO_COLOR": "1"}
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, f"$ {command}\n{done.stdout}"
    return done.stdout


def printed_by(command: str, folder: Path) -> str:
    """As `run`, but in this process what needs no shell and no other Python."""
    if not command.startswith("benison ") or set(command) & set("|&<>$"):
        return run(command, folder)
    done = CliRunner().invoke(
        app, shlex.split(command)[1:], env={"COLUMNS": "100", "NO_COLOR": "1"}
    )
    assert done.exit_code == 0, f"$ {command}\n{done.output}"
    return done.output


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_commands_of_a_page_print_what_it_says(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "reader"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for block in blocks(page):
        if block.title:
            (folder / block.title).parent.mkdir(parents=True, exist_ok=True)
            (folder / block.title).write_text(block.text, encoding="utf-8")
        for command, message in commands(block.text) if block.language == "console" else ():
            printed = printed_by(command, folder)
            same = doctest.OutputChecker().check_output(message, printed, FLAGS)
            assert same, f"$ {command}\nThe page says:\n{message}\nIt prints:\n{printed}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_python_block_is_an_example_or_a_file_that_is_used(page: Path) -> None:
    shell = "".join(block.text for block in blocks(page) if block.language == "console")
    for block in blocks(page):
        if block.language == "python":
            used = bool(block.title) and Path(block.title).stem in shell
            used = used or "--module-path" in shell and block.title.endswith(".py")
            used = used or block.title.startswith(("dags/", "flows/"))  # which their hosts load
            assert ">>> " in block.text or used, block.text


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` does, in which a warning is an error."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.stem)
def test_a_notebook_prints_what_it_says(notebook: Path) -> None:
    pytest.importorskip("sklearn")
    names: dict[str, object] = {}
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            *before, last = ast.parse("".join(cell["source"])).body  # whose value is shown
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                exec(compile(ast.Module(before, []), notebook.name, "exec"), names)
                exec(compile(ast.Interactive([last]), notebook.name, "single"), names)
            assert printed.getvalue().strip() == "".join(map(output_text, cell["outputs"])).strip()


def test_the_gallery_has_the_reports_of_the_examples(site: Path) -> None:
    links = html.parse(site / "gallery.html").xpath("//td/a[starts-with(@href, 'gallery/')]/@href")
    assert {f"gallery/{path.name}" for path in (site / "gallery").iterdir()} == {*links}
    assert len(links) == len(GALLERY) + 1  # and the page over time
    for link in links:
        report = html.fromstring((site / link).read_bytes())
        assert re.search(r"(not )?blessed|not evaluated", report.text_content(), re.IGNORECASE)


def test_each_page_is_in_the_site(site: Path) -> None:
    made = {path.relative_to(site).with_suffix("").as_posix() for path in site.rglob("*.html")}
    generated = {"reference/config", "reference/metrics", "project/changelog"}
    notebooks = {f"notebooks/{path.stem}" for path in NOTEBOOKS}
    guides = {f"guides/{path.stem}" for path in GUIDES}
    assert {page.stem for page in PAGES} | generated | notebooks | guides <= made


def test_no_page_asks_another_server_for_anything(site: Path) -> None:
    for path in site.rglob("*.html"):
        page = html.fromstring(path.read_bytes())
        asked = page.xpath(
            "//script/@src | //img/@src | //iframe/@src | //link[not(@rel='canonical')]/@href"
        )
        assert not [address for address in asked if re.match(r"(\w+:)?//", address)], path


def test_the_catalogue_has_each_metric(site: Path) -> None:
    page = html.parse(site / "reference/metrics.html")
    assert set(known()) <= set(page.xpath("//h3/text()"))


def test_the_reference_has_each_field(site: Path) -> None:
    page = html.parse(site / "reference/config.html")
    fields = set(page.xpath("//td[1]/code/text()"))
    parts = EvalConfig.json_schema()["$defs"].values()
    assert {field for part in parts for field in part["properties"]} <= fields
    assert set(EvalConfig.model_fields) <= fields


def test_the_architecture_shows_the_layers(site: Path) -> None:
    page = html.parse(site / "architecture.html")
    shown = [pre.text_content().splitlines() for pre in page.xpath("//pre")]
    assert [", ".join(layer) for layer in LAYERS] in shown


def test_the_files_of_the_walk_exist() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    walk = text.partition("## A walk through the tree")[2].partition("\n## ")[0]
    names = re.findall(r"`([\w/]+(?:/|\.py))`", walk)
    sources = [path for top in SOURCES for path in (ROOT / top).rglob("*.py")]
    known = {f"/{path.relative_to(ROOT).as_posix()}" for path in sources}
    assert names
    missing = [name for name in names if not any(f"/{name}" in f"{path}/" for path in known)]
    assert not missing
