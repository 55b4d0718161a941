# SPDX-License-Identifier: Apache-2.0
"""The pages that are made from the code, for MkDocs: the config, the metrics, the project's own files.

They are not in the repository, so that they cannot fall behind: each build of the site makes them anew.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from benison.cli.catalogue import Entry, documented, family_of, known
from benison.config import EvalConfig

ROOT = Path(__file__).resolve().parents[1]

# The files of the repository that the site shows, and where.
PROJECT = {
    "CONTRIBUTING.md": "contributing",
    "CHANGELOG.md": "changelog",
    "SECURITY.md": "security",
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """MkDocs' hook: add the generated pages to those of the folder."""
    for uri, text in pages().items():
        files.append(File.generated(config, uri, content=text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """MkDocs' hook: put the table of layers where a page asks for it."""
    return re.sub(r"<!-- layers:.*?-->", lambda _: layers(), markdown)


def layers() -> str:
    """The order of the layers, as the tests hold it."""
    tree = ast.parse((ROOT / "tests" / "test_layers.py").read_text(encoding="utf-8"))
    (table,) = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "LAYERS"
    ]
    lines = "\n".join(", ".join(layer) for layer in table)
    return f"```text\n{lines}\n```"


def pages() -> dict[str, str]:
    """The Markdown of each generated page by its path in the site."""
    project = {f"project/{page}.md": project_page(name) for name, page in PROJECT.items()}
    return {"reference/config.md": config_page(), "reference/metrics.md": metrics_page(), **project}


def project_page(name: str) -> str:
    """A file of the repository, with its links as they are in the site."""
    text = (ROOT / name).read_text(encoding="utf-8")
    for file, page in PROJECT.items():
        text = text.replace(f"]({file})", f"]({page}.md)")
    text = text.replace("](LICENSE)", "](https://www.apache.org/licenses/LICENSE-2.0)")
    return text.replace("](docs/", "](../")


def config_page() -> str:
    """A section for each part of a config, in the order in which a reader comes to it."""
    schema = EvalConfig.json_schema()
    parts = {"EvalConfig": schema, **schema["$defs"]}
    sections = [_part(name, parts) for name in _reached("EvalConfig", parts)]
    return "\n\n".join([_CONFIG_INTRODUCTION, *sections]) + "\n"


_CONFIG_INTRODUCTION = """# Config reference

Every field of an `EvalConfig`, made from the code that reads it. The names are TFMA's; a config file is
YAML, JSON or TFMA's text proto, in `snake_case` or `lowerCamelCase`. A field without a default is
required. `benison check-config eval.yaml` finds every fault of a file at once."""


def _reached(name: str, parts: Mapping[str, Any]) -> list[str]:
    """A part and those that its fields refer to, depth first, each once."""
    order = [name]
    for reference in re.findall(r'"#/\$defs/(\w+)"', json.dumps(parts[name].get("properties", {}))):
        order += [part for part in _reached(reference, parts) if part not in order]
    return order


def _part(name: str, parts: Mapping[str, Any]) -> str:
    rows = [
        f"| `{field}` | {_type(value)} | {_default(field, value, parts[name])} | {_meaning(value, parts)} |"
        for field, value in parts[name]["properties"].items()
    ]
    table = "\n".join(["| field | type | default | meaning |", "|---|---|---|---|", *rows])
    about = parts[name].get("description", "").partition("\n\nRaises:")[0]
    return f"## {name}\n\n{_prose(about)}\n\n{table}"


def _type(field: Mapping[str, Any]) -> str:
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "enum" in field:
        return "one of " + ", ".join(f"`{value}`" for value in field["enum"])
    if "anyOf" in field:
        return " or ".join(_type(one) for one in field["anyOf"] if one.get("type") != "null")
    if field.get("type") == "array":
        return f"list of {_type(field['items'])}"
    if field.get("type") == "object":
        values = field.get("additionalProperties")
        return f"map to {_type(values)}" if isinstance(values, Mapping) else "map"
    types = field.get("type", "any")
    return " or ".join([types] if isinstance(types, str) else types)


def _default(name: str, field: Mapping[str, Any], part: Mapping[str, Any]) -> str:
    if name in part.get("required", ()):
        return ""
    default = field.get("default", {})
    if "enum" in field and isinstance(default, int):
        default = field["enum"][default]
    return f"`{json.dumps({} if isinstance(default, Mapping) else default)}`"


def _meaning(field: Mapping[str, Any], parts: Mapping[str, Any]) -> str:
    """What a field says of itself, else the first sentence of the part that it holds."""
    held = parts.get(field.get("$ref", "").rpartition("/")[2], {})
    text = field.get("description") or held.get("description", "").partition("\n\n")[0]
    return " ".join(text.split()).replace("|", "\\|")


def metrics_page() -> str:
    """The catalogue: a table of all metrics, then a section for each, by family."""
    families = {
        family: list(names) for family, names in groupby(sorted(known(), key=_place), _family)
    }
    rows = [_row(name) for names in families.values() for name in names]
    table = "\n".join(["| metric | family | range | better |", "|---|---|---|---|", *rows])
    sections = (
        "\n\n".join([f"## {family}", _introduction(names[0]), *map(_metric, names)])
        for family, names in families.items()
    )
    return "\n\n".join([_METRICS_INTRODUCTION, table, *sections]) + "\n"


_METRICS_INTRODUCTION = """# Metrics

Every `class_name` that a config can name, made from the registry. The tests run the examples. Undefined
values are NaN, and a NaN fails a check. A metric of your own is
[a few sums and a formula](../extending.md#a-metric)."""


def _place(name: str) -> tuple[str, str]:
    return _family(name), name


def _family(name: str) -> str:
    return family_of(known()[name]).capitalize()


def _introduction(name: str) -> str:
    """The first paragraph of the module in which the metrics of a family are."""
    module = inspect.getmodule(documented(known()[name]))
    return _prose((inspect.getdoc(module) or "").partition("\n\n")[0])


def _row(name: str) -> str:
    entry = Entry.of(name)
    return f"| [{name}](#{name.lower()}) | {_family(name)} | {entry.range} | {entry.better} |"


def _metric(name: str) -> str:
    factory, entry = known()[name], Entry.of(name)
    text = inspect.getdoc(factory) if not hasattr(factory, "func") else entry.sentence
    text = f"{text or entry.sentence}\n\n    {entry.formula}" if entry.formula else text
    better = f", {entry.better} is better" if entry.better else ""
    parameters = ", ".join(f"`{name}` (`{text}`)" for name, text in entry.parameter_texts().items())
    return (
        f"### {name}\n\n{_prose(text or entry.sentence)}\n\n"
        f"Range: {entry.range}{better}. Parameters: {parameters}."
    )


def _prose(docstring: str) -> str:
    """A docstring as Markdown, with its examples as code."""
    return "\n".join(_fenced(inspect.cleandoc(docstring).splitlines()))


def _fenced(lines: list[str]) -> Iterator[str]:
    inside = False
    for line in lines:
        if line.startswith(">>>") and not inside:
            yield "```pycon"
            inside = True
        if inside and not line.strip():
            yield "```"
            inside = False
        yield line
    if inside:
        yield "```"
