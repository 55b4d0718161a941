# SPDX-License-Identifier: Apache-2.0
"""The order of the layers: a module imports what is above its line, and nothing else."""

from __future__ import annotations

import ast
import graphlib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = (ROOT / "component", ROOT / "orchestration")

# Neighbours on a line do not know each other. `config` is everything in config/;
# `benison` is the package's __init__.py.
LAYERS = (
    ("errors", "late_imports", "signals", "version"),
    ("paths",),
    ("config", "data", "lineage"),
    ("models", "slicing"),
    ("metrics",),
    ("testing", "table", "evidence"),
    ("engine", "validation", "output", "weak_slices", "drift", "estimation", "probes"),
    ("tfma",),
    ("results",),
    ("report",),
    ("sinks",),
    ("evaluation",),
    ("monitoring",),
    ("benison",),
    ("beam", "spark", "terminal", "evaluator"),
    ("cli",),
    ("__main__",),
    ("benison_orchestration",),
    ("pipelines",),
)
OWN = ("benison", "benison_orchestration", "pipelines")


def module_of(path: Path) -> str:
    """The dotted name by which a file of the repository is imported."""
    source = next((source for source in SOURCES if path.is_relative_to(source)), ROOT)
    parts = path.relative_to(source).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def part_of(module: str) -> str:
    """The name in the table to which a module belongs, or the module where it belongs to none."""
    top, _, rest = module.partition(".")
    if top != "benison" or not rest:
        return top
    name = rest.partition(".")[0]
    parts = [part for layer in LAYERS for part in layer]
    return name if name in parts else module


def below(part: str) -> list[str]:
    """What a part may import besides itself."""
    line = next(i for i, layer in enumerate(LAYERS) if part in layer)
    return [name for layer in LAYERS[:line] for name in layer]


def is_module(name: str) -> bool:
    path = name.replace(".", "/")
    places = [source / path for source in (*SOURCES, ROOT)]
    return any(location.with_suffix(".py").is_file() or location.is_dir() for location in places)


def imports(source: str) -> Iterator[tuple[int, str]]:
    """Line and module of each import of our own, wherever in the file it stands."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            full = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if is_module(name) else node.module for name in full]
        else:
            continue
        own = (name for name in dict.fromkeys(names) if name.partition(".")[0] in OWN)
        yield from ((node.lineno, name) for name in own)


def faults(path: Path, source: str) -> list[str]:
    """One sentence for each import of a file that the table does not allow."""
    part = part_of(module_of(path))
    allowed = below(part)
    return [
        f"{path.relative_to(ROOT)}:{line} imports {name}; {part} may import itself"
        + (f" and {', '.join(allowed)}." if allowed else " alone.")
        for line, name in imports(source)
        if part_of(name) not in (part, *allowed)
    ]


FILES = sorted(path for folder in (*SOURCES, ROOT / "pipelines") for path in folder.rglob("*.py"))


def test_the_sources_are_found() -> None:
    assert {part_of(module_of(path)) for path in FILES} >= {"errors", "engine", "benison"}


def test_each_module_has_a_layer() -> None:
    names = [name for layer in LAYERS for name in layer]
    without = [path for path in FILES if part_of(module_of(path)) not in names]
    assert without == [], "Give each a line in LAYERS, or a folder that has one."


def test_no_import_points_back() -> None:
    assert [fault for path in FILES for fault in faults(path, path.read_text("utf-8"))] == []


def test_no_two_modules_import_each_other() -> None:
    """Neither at once nor in a circle, imports for types alone included."""
    modules = {module_of(path): path.read_text(encoding="utf-8") for path in FILES}
    graph = {
        module: {name for _, name in imports(source)} - {module}
        for module, source in modules.items()
    }
    list(graphlib.TopologicalSorter(graph).static_order())  # raises a CycleError that names them


@pytest.mark.parametrize(
    ("file", "source", "imported"),
    [
        ("component/benison/errors.py", "import benison.config", "benison.config"),
        (
            "component/benison/slicing/new.py",
            "from benison.metrics import base",
            "benison.metrics.base",
        ),
        ("component/benison/metrics/new.py", "from benison import engine", "benison.engine"),
        ("component/benison/engine/new.py", "def f():\n  from benison import evaluate", "benison"),
        ("component/benison/config/new.py", "from benison.slicing import x", "benison.slicing"),
        ("component/benison/evaluation/new.py", "from benison.cli import main", "benison.cli"),
        ("component/benison/cli/show.py", "import benison_orchestration", "benison_orchestration"),
        (
            "orchestration/benison_orchestration/new.py",
            "import pipelines.taxi_local",
            "pipelines.taxi_local",
        ),
    ],
)
def test_an_import_that_points_back_is_found(file: str, source: str, imported: str) -> None:
    (fault,) = faults(ROOT / file, source)
    assert f" imports {imported}; " in fault
    assert fault.startswith(f"{file}:")


def test_the_sentence_says_what_is_allowed() -> None:
    source = "from benison.engine import plan"
    assert faults(ROOT / "component/benison/slicing/new.py", source) == [
        "component/benison/slicing/new.py:1 imports benison.engine.plan; "
        "slicing may import itself and errors, late_imports, signals, version, paths, config, data, lineage."
    ]
    assert faults(ROOT / "component/benison/errors.py", source) == [
        "component/benison/errors.py:1 imports benison.engine.plan; errors may import itself alone."
    ]
