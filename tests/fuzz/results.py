# SPDX-License-Identifier: Apache-2.0
"""Results that were written, then damaged: loaded, shown, verified, compared, made a page of.

Most are sealed again after the damage, as otherwise the digests in the manifest would end every reading.
The oracle: a result that was not damaged has its values, and one that was is not verified.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

import benison
from benison.cli.options import result_document
from benison.errors import OutputError
from benison.output import blessing
from benison.paths import locate
from benison.report import history, page
from benison.results import query
from benison.terminal import result_tables
from tests.fuzz import files, tables, texts, trees
from tests.fuzz.cases import Case, WrongError

_OLD = Path(__file__).resolve().parents[1] / "data"
_MARKERS = ("BLESSED", "NOT_BLESSED")


def prepare(form: str, shared: Path) -> None:
    """Evaluations with and without baselines, plots, intervals, comparisons, and odd names of slices."""
    data = tables.table(Random(3), {"string": tables.PLAIN["string"]}, ("g", "h"))
    while "g" not in data.column_names or data.num_rows < 20:
        data = tables.table(
            Random(data.num_rows * 31 + data.num_columns),
            {"string": tables.PLAIN["string"]},
            ("g", "h"),
        )
    data = data.append_column("old", data["prediction"])
    pq.write_table(data, shared / "data.parquet")
    for number, config in enumerate(_configs()):
        output = shared / f"new-{number}"
        benison.evaluate(str(shared / "data.parquet"), config, output=str(output))
        (output / "report.html").write_text("", encoding="utf-8")  # which is only ever hashed
        manifest = json.loads((output / "manifest.json").read_bytes())
        manifest |= {"created": "2026-01-31T12:00:00+00:00", "seconds": {"load": 0.5}}
        (output / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
        _seal(output)
    for old in sorted(_OLD.glob("result-*")):
        shutil.copytree(old, shared / old.name)


def _configs() -> list[dict[str, Any]]:
    plain = {"label_key": "label", "prediction_key": "prediction"}
    two = [
        {**plain, "name": "new"},
        {"label_key": "label", "prediction_key": "old", "name": "old", "is_baseline": True},
    ]
    bound = {
        "value_threshold": {"lower_bound": 0.4},
        "change_threshold": {"absolute": -0.1, "direction": 2},
    }
    slices = [{}, {"feature_keys": ["g"]}]
    crossed = [{"baseline_spec": {}, "slicing_specs": [{"feature_keys": ["g"]}]}]
    many = ["ExampleCount", "AUC", "ConfusionMatrixPlot", "CalibrationPlot"]
    metrics = [
        *({"class_name": name} for name in many),
        {"class_name": "BinaryAccuracy", "threshold": bound},
    ]
    few = [{"class_name": "MeanLabel", "threshold": {"value_threshold": {"lower_bound": -1}}}]
    return [
        {"model_specs": two, "slicing_specs": slices, "cross_slicing_specs": crossed, "metrics_specs": [{"metrics": metrics}]},
        {"model_specs": [plain], "slicing_specs": slices, "metrics_specs": [{"metrics": few}]},
        {"model_specs": [plain], "metrics_specs": [{"metrics": metrics[:2]}]},
    ]  # fmt: skip


def attempt(form: str, case: Case) -> None:
    """Damage a copy of a result, and use it."""
    original = case.random.choice(sorted(path for path in case.shared.iterdir() if path.is_dir()))
    output = case.folder / "out"
    shutil.rmtree(output, ignore_errors=True)
    shutil.copytree(original, output)
    is_damaged = case.chance(0.9)
    before = _content(output)
    if is_damaged:
        _damage(case, output)
    if case.chance(0.8):
        _seal(output)
    _check_verified(output, is_damaged and _content(output) != before, original, case)
    result = benison.load_result(str(output))
    _use(case, result, original)


def _content(output: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in output.iterdir()}


def _check_verified(output: Path, is_changed: bool, original: Path, case: Case) -> None:
    """Hold that a result is refused if a file is not the one that its manifest has the digest of."""
    manifest = output / "manifest.json"
    try:
        recorded = json.loads(manifest.read_bytes())["files"]
        same = {name: _facts(output / name)["sha256"] for name in recorded}
        is_sealed = {name: file["sha256"] for name, file in recorded.items()} == same
    except (ValueError, TypeError, KeyError, OSError, AttributeError, RecursionError):
        is_sealed = False
    examples = [str(case.shared / "data.parquet")] if case.chance(0.3) else []
    try:
        blessing.verify(locate(str(output)), None, examples)
    except OutputError as error:
        if not is_changed and not examples and "model" not in str(error):
            raise WrongError(f"nothing was changed, and {error}") from error
    else:
        if not is_sealed:
            raise WrongError("verified, although a file is not as it was")


def _seal(output: Path) -> None:
    """Let the manifest, so far as it is one, have the digests of the files, and the marker that of it."""
    try:
        manifest = json.loads((output / "manifest.json").read_bytes())
        names = [
            path.name for path in output.iterdir() if path.name not in ("manifest.json", *_MARKERS)
        ]
        manifest["files"] = {name: _facts(output / name) for name in sorted(names)}
        (output / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
        digest = hashlib.sha256((output / "manifest.json").read_bytes()).hexdigest()
        for marker in _MARKERS:
            if (output / marker).exists():
                judged = json.loads((output / marker).read_bytes())
                changed = {key: manifest[key] for key in judged if key in manifest}
                sealed = json.dumps({**judged, **changed, "manifest": digest})
                (output / marker).write_text(sealed, encoding="utf-8")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OSError):
        return


def _facts(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


# Damage.


def _damage(case: Case, output: Path) -> None:
    names = [path.name for path in sorted(output.iterdir()) if path.name != "report.html"]
    for name in case.random.sample(names, case.random.choice((1, 1, 1, 2))):
        path = output / name
        case.kept[f"damaged-{name}"] = name
        if case.chance(0.03):
            path.unlink()
        elif name.endswith(".parquet"):
            path.write_bytes(_damaged_parquet(case.random, path))
        else:
            path.write_bytes(_damaged_json(case.random, path.read_bytes()))


def _damaged_json(random: Random, content: bytes) -> bytes:
    match random.randrange(6):
        case 0:
            return texts.damaged_bytes(random, content)
        case 1:
            return texts.damaged(random, content.decode()).encode("utf-8", "surrogatepass")
        case _:
            tree = json.loads(content or b"{}")
            for _ in range(random.choice((1, 1, 2))):
                tree = damaged_tree(random, tree)
            return json.dumps(tree).encode()


def damaged_tree(random: Random, tree: Any) -> Any:
    """The tree with one value replaced, left out, doubled, or under another name."""
    if not isinstance(tree, (dict, list)) or not tree or random.random() < 0.1:
        return random.choice((*trees.ODD, *trees.ODD_NUMBERS, *trees.ODD_TEXTS))
    steps = list(tree) if isinstance(tree, dict) else range(len(tree))
    step = random.choice(list(steps))
    changed = dict(tree) if isinstance(tree, dict) else list(tree)
    action = random.random()
    if action < 0.7:
        changed[step] = damaged_tree(random, tree[step])
    elif action < 0.85:
        del changed[step]
    elif isinstance(changed, dict):
        changed[random.choice((*trees.TEXTS, *trees.ODD_TEXTS))] = changed[step]
    else:
        changed += changed[:1]
    return changed


@cache
def _table(content: bytes) -> pa.Table:
    return pq.read_table(pa.BufferReader(content))


def _damaged_parquet(random: Random, path: Path) -> bytes:
    content = path.read_bytes()
    if random.random() < 0.3:
        return files.damaged_parquet(random, content)
    table = _table(content)
    for _ in range(random.choice((1, 1, 2))):
        table = _damaged_table(random, table)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return bytes(sink.getvalue())


def _damaged_table(random: Random, table: pa.Table) -> pa.Table:
    if not table.num_columns:
        return table
    location = random.randrange(table.num_columns)
    name = table.column_names[location]
    match random.randrange(5):
        case 0:
            return table.remove_column(location)
        case 1:
            added = random.choice((name, "x", "\x1b[2J"))
            return table.append_column(added, table.column(location))
        case 2:
            rows = random.randrange(table.num_rows + 1)
            return pa.concat_tables([table.slice(0, rows), table.slice(0, random.randrange(3))])
        case _:
            kind, value = random.choice(list(_KINDS.values()))
            share = random.choice((0.0, 0.3, 1.0))
            if random.random() < 0.6 and name in _VALUES_OF:
                kind, value = _VALUES_OF[name]
            array = tables.column(random, kind, value, table.num_rows, share)
            return table.set_column(location, name, array)


_KEYS = pa.list_(
    pa.struct([("feature", pa.string()), ("value", pa.string()), ("type", pa.string())])
)
_KINDS = {
    k: v for k, v in tables.ALL.items() if k not in ("string_view", "half", "decimal256", "pairs")
}
_WORDS = (
    "",
    "new",
    "old",
    "value",
    "change",
    "pass",
    "fail",
    "undecided",
    "auc",
    "Overall",
    "lower",
    "\x1b[2J",
    "{}",
    "[1]",
)
_VALUES_OF: dict[str, tuple[pa.DataType, Callable[[Random], Any]]] = {
    **{name: (pa.string(), lambda random: random.choice(_WORDS)) for name in (
        "model", "output", "metric", "kind", "slice", "outcome", "check", "side", "structured", "sub_key", "plot", "data",
    )},
    **{name: (pa.float64(), tables.PLAIN["double"][1]) for name in ("value", "lower", "upper", "bound", "baseline")},
    **{name: (_KEYS, lambda random: [
        {"feature": random.choice(("g", "\x1b[2J")), "value": random.choice(tables.WORDS), "type": "string"}
    ]) for name in ("slice_key", "other_slice_key")},
    **{name: (pa.int64(), tables.PLAIN["int64"][1]) for name in ("examples", "evaluated")},
}  # fmt: skip


# Use.


def _use(case: Case, result: Any, original: Path) -> None:
    """Ask for what a program or a command asks for."""
    result.metric_names(), result.slices(), repr(result), repr(result.verdict), result.provenance
    json.dumps(result_document(result))
    if not case.chance(0.3):
        return
    names = query.judged(result)
    if names:
        result.rows(case.random.choice(names))
        result_tables.show(result, names[:2], 3)
    if result.slices():
        result_tables.show_slice(result, case.random.choice(result.slices()), [])
    if case.chance(0.5):
        other = benison.load_result(str(original))
        result_tables.show_changes(result, [other], [], None, 3)
        result_tables.show_changes(other, [result], [], "Overall", 3)
    result.plots  # noqa: B018 - reads them
    if case.chance(0.2):
        page.render(result)
        history.render([result, benison.load_result(str(original))], False)
