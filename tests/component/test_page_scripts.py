# SPDX-License-Identifier: Apache-2.0
"""The scripts and style sheets of the pages, as the checks of each file alone cannot see them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benison.report import look
from benison.report.history import build as history
from benison.report.kit.document import Document
from benison.report.page import build as page

PAGES = {"page": page._PAGE, "history": history._PAGE}
REPORT = Path(look.__file__).parent
DECLARED = re.compile(r"^(?:async )?(?:function|const|let) (\w+)", re.MULTILINE)


def declared(folder: str) -> list[str]:
    """The names that the files of a folder share with all others of the page."""
    files = sorted(REPORT.glob(f"{folder}/*.js"))
    return [name for file in files for name in DECLARED.findall(file.read_text(encoding="utf-8"))]


def uses(name: str, script: str) -> int:
    return len(re.findall(rf"\b{name}\b", script))


@pytest.fixture(params=PAGES)
def document(request: pytest.FixtureRequest) -> Document:
    return PAGES[request.param]


def test_each_file_of_a_folder_is_in_its_page(document: Document) -> None:
    for kind, names in (("js", document.scripts), ("css", document.styles)):
        assert {path.stem for path in REPORT.glob(f"{document.folder}/*.{kind}")} == {*names}


def test_no_name_is_declared_twice_or_for_nothing(document: Document) -> None:
    own, kit = declared(document.folder), declared("kit")
    assert len(own + kit) == len({*own, *kit})
    script = document.pieces()["script"]
    assert [name for name in own if uses(name, script) < 2] == []


def test_what_all_pages_have_is_used_by_one() -> None:
    scripts = [document.pieces()["script"] for document in PAGES.values()]
    unused = [name for name in declared("kit") if all(uses(name, text) < 2 for text in scripts)]
    assert unused == []


def test_no_comment_travels(document: Document) -> None:
    pieces = document.pieces()
    for text in (pieces["script"], pieces["style"]):
        assert "/*" not in text
        assert not re.search(r"^\s*//", text, re.MULTILINE)
        assert "SPDX" not in text


def test_each_colour_has_a_value_and_a_use() -> None:
    styles = "".join(path.read_text(encoding="utf-8") for path in REPORT.rglob("*.css"))
    used = set(re.findall(r"var\(--(\w+)", styles))
    declared = set(re.findall(r"--(\w+):", styles)) | {"charts"}  # which a script sets
    assert look.LIGHT.keys() == look.DARK.keys()
    assert used - declared == {*look.LIGHT}
