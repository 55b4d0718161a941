# SPDX-License-Identifier: Apache-2.0
"""The house rules that a program can hold: sizes, names, docstrings."""

from __future__ import annotations

import ast
import functools
import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = ROOT / "component" / "benison"
SOURCES = (LIBRARY, ROOT / "orchestration" / "benison_orchestration", ROOT / "pipelines")
FILES = sorted(path for folder in SOURCES for path in folder.rglob("*.py"))

Function: TypeAlias = "ast.FunctionDef | ast.AsyncFunctionDef"

# Each folder may have one of these.
SHARED_FILES = {"__init__", "__main__", "base", "build", "main", "local"}
# TFX's component and TFMA's stage, both of which have users.
SHARED_CLASSES = {"Evaluator"}

# Words that fit anything, so that a name made of them says nothing of the thing.
EMPTY_WORDS = {"found", "told", "said", "one", "place"}
# A term of the field, and names that others gave: SQLAlchemy, Arrow, and version 0.1 of ours.
GIVEN_NAMES = {"one_hot", "one", "scalar_one", "allow_not_found", "place"}
GIVEN_BY = {
    "one": {"lineage/sql.py", "lineage/statements.py"},
    "place": {"metrics/base.py"},
}


DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


@functools.cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(path: Path) -> Iterator[Function]:
    nodes = ast.walk(tree(path))
    return (node for node in nodes if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))


def length(function: Function) -> int:
    """Lines of the body, without the docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def identifiers(module: ast.Module) -> Iterator[str]:
    """The names of variables, parameters, attributes, functions, classes and imports."""
    for node in ast.walk(module):
        match node:
            case ast.Name(id=name) | ast.arg(arg=name) | ast.Attribute(attr=name):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.ClassDef(name=name) | ast.keyword(arg=str(name)) | ast.alias(asname=str(name)):
                yield name


def docstrings(module: ast.Module) -> Iterator[ast.Constant]:
    """Those of modules, classes and functions, and the texts below constants and fields."""
    for node in ast.walk(module):
        for statement in getattr(node, "body", []) if isinstance(node, DOCUMENTED) else []:
            match statement:
                case ast.Expr(value=ast.Constant(value=str()) as text):
                    yield text


def docstring_share(sources: Iterable[str]) -> float:
    """The lines of docstrings over all lines; blank lines and comments count on neither side."""
    documented = lines = 0
    for source in sources:
        written = [bool(line.strip()) and line.strip()[0] != "#" for line in source.splitlines()]
        lines += sum(written)
        for text in docstrings(ast.parse(source)):
            documented += sum(written[text.lineno - 1 : text.end_lineno])
    return documented / lines


def empty_names(module: ast.Module, file: str = "") -> set[str]:
    """The identifiers with a word of EMPTY_WORDS, but for those that are given."""
    names = {n for n in identifiers(module) if EMPTY_WORDS & {*n.lower().strip("_").split("_")}}
    return {n for n in names if n not in GIVEN_NAMES or file not in GIVEN_BY.get(n, {file})}


def twice(names: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """The paths of each name that has several."""
    paths = defaultdict(list)
    for name, path in names:
        paths[name].append(path)
    return {name: several for name, several in paths.items() if len(several) > 1}


def test_a_file_and_its_functions_are_short() -> None:
    files = [*FILES, *(ROOT / "tests").rglob("test_*.py")]
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert [path for path, count in lines.items() if count > 400] == []
    assert [(path, f.name) for path in FILES for f in functions(path) if length(f) > 40] == []


def test_half_of_all_functions_have_at_most_six_lines() -> None:
    assert statistics.median(length(f) for path in FILES for f in functions(path)) <= 6


def test_no_two_classes_have_one_name() -> None:
    classes = [
        (node.name, path.name)
        for path in LIBRARY.rglob("*.py")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ClassDef)
    ]
    assert twice(classes).keys() == SHARED_CLASSES


def test_no_two_files_have_one_name() -> None:
    names = [(path.stem, str(path.relative_to(LIBRARY))) for path in LIBRARY.rglob("*.py")]
    assert {name: at for name, at in twice(names).items() if name not in SHARED_FILES} == {}


def test_a_module_says_what_it_does() -> None:
    assert [path for path in FILES if not ast.get_docstring(tree(path))] == [], "give a docstring"
    texts = [(path, str(text.value)) for path in FILES for text in docstrings(tree(path))]
    empty = ("This file", "This module", "This folder")
    assert [(path, text) for path, text in texts if text.startswith(empty)] == []


def test_metrics_are_explained() -> None:
    metrics = (LIBRARY / "metrics").rglob("*.py")
    share = docstring_share(path.read_text(encoding="utf-8") for path in metrics)
    assert share >= 0.3, (
        f"{share:.1%} of metrics/ are docstrings. A metric's docstring has its formula, range and unit, when "
        "it is undefined, the source of the formula, and an example."
    )


def test_the_share_of_docstrings_is_that_of_lines() -> None:
    code = '"""What."""\n\nRATE = 1\n"""In\n\npercent."""\n# why\ndef f():\n    return "x"\n'
    assert docstring_share([code]) == 3 / 6


def test_names_say_what_the_thing_is() -> None:
    names = {path: empty_names(tree(path), "/".join(path.parts[-2:])) for path in FILES}
    empty = {path: sorted(those) for path, those in names.items() if those}
    assert not empty, f"{empty} fit anything; name the thing: columns, error, index, path"


def test_empty_names_would_be_seen() -> None:
    code = """
def first_found(said, *, two=1):
    place: int = said.told
    return lambda one: one(one_hot=place)
class Found: pass
import os as One
"""
    names = {"first_found", "said", "place", "told", "one", "Found", "One"}
    assert empty_names(ast.parse(code)) == names
    assert empty_names(ast.parse("row = query.one()"), "lineage/sql.py") == set()


def test_a_name_that_stands_twice_would_be_seen() -> None:
    assert twice([("View", "a.py"), ("Key", "a.py"), ("View", "b.py")]) == {
        "View": ["a.py", "b.py"]
    }
