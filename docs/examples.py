# SPDX-License-Identifier: Apache-2.0
"""What the site makes of its examples, for MkDocs: the reports of the gallery, and pages of the notebooks.

Nothing of it is in the repository, so that a report always looks as the code of today draws it.
"""

from __future__ import annotations

import contextlib
import doctest
import json
import re
import runpy
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

import benison
from benison.report import page

DOCS = Path(__file__).resolve().parent
GALLERY = (
    "index", "guides/binary", "guides/classes", "guides/regression", "guides/ranking", "guides/fairness",
    "guides/text", "weak_slices", "debugging",
)  # fmt: skip
"""The pages whose first evaluation has its report in the gallery."""

_BLOCK = re.compile(r'^```\w+ title="([^"]+)"\n(.*?)^```', re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"^\$ benison evaluate --examples (\S+) --config (\S+)", re.MULTILINE)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """MkDocs' hook: add the reports and the notebooks."""
    made = {**dict(reports()), **dict(notebooks())}
    for uri, text in made.items():
        files.append(File.generated(config, uri, content=text))
    return files


def reports() -> Iterator[tuple[str, str]]:
    """The report of each page of the gallery by its path in the site."""
    for name in GALLERY:
        yield f"gallery/{Path(name).name}.html", page.render(first_result(DOCS / f"{name}.md"))
    yield "gallery/month.html", month()


def month() -> str:
    """The page over time of the pipeline that watches a month."""
    with tempfile.TemporaryDirectory() as folder:
        runpy.run_path(str(DOCS.parent / "pipelines" / "taxi_month.py"))["run"](Path(folder))
        return (Path(folder) / "history.html").read_text(encoding="utf-8")


def first_result(path: Path) -> benison.EvalResult:
    """What the first evaluation of a page gives: of its files by the command, else of its Python."""
    text = path.read_text(encoding="utf-8")
    command = _COMMAND.search(text)
    if command is None:
        return _of_python(text)
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for title, content in _BLOCK.findall(text):
            Path(title).write_text(content, encoding="utf-8")
            if title.endswith(".py"):
                exec(compile(content, title, "exec"), {"__name__": "__main__"})
        return benison.evaluate(command[1], command[2])


def _of_python(text: str) -> benison.EvalResult:
    names: dict[str, Any] = {}
    for example in doctest.DocTestParser().get_examples(text):
        exec(compile(example.source, "example", "single"), names)
        if isinstance(names.get("result"), benison.EvalResult):
            break
    result: benison.EvalResult = names["result"]
    return result


def notebooks() -> Iterator[tuple[str, str]]:
    """Each notebook as a page of Markdown, beside the file itself."""
    for path in sorted((DOCS / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        download = f"[Download this notebook]({path.name})"
        text = "\n\n".join([*map(_cell, cells), download])
        yield f"notebooks/{path.stem}.md", f"{text}\n"


def _cell(cell: Mapping[str, Any]) -> str:
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        return source
    shown = "".join(map(output_text, cell["outputs"]))
    printed = f"\n\n```text\n{shown.rstrip()}\n```" if shown else ""
    return f"```python\n{source}\n```{printed}"


def output_text(output: Mapping[str, Any]) -> str:
    """What a cell has printed, or the text of its value."""
    return "".join(output.get("text") or output.get("data", {}).get("text/plain", ""))
