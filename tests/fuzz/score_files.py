# SPDX-License-Identifier: Apache-2.0
"""Files of Inspect, promptfoo and lm-evaluation-harness: as those tools wrote them, and damaged.

The oracle: a file that is read has a row for each sample that Python's own readers see in it.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from random import Random
from typing import Any

import benison
from tests.fuzz import tables, texts
from tests.fuzz.cases import Case, WrongError
from tests.fuzz.results import damaged_tree

_FILES = sorted((Path(__file__).resolve().parents[1] / "data" / "scores").iterdir())
_LOG = next(path for path in _FILES if path.name == "sums.json")
_EVALUATED = 0.1


def attempt(form: str, case: Case) -> None:
    """Read a file, as it was or damaged."""
    source = case.random.choice(_FILES)
    whole = source.read_bytes()
    data = whole if case.chance(0.1) else _damaged(case.random, source.suffix, whole)
    path = case.folder / source.name
    path.write_bytes(data)
    rows = tables.check_batches(str(path), None, "scores")
    samples = _samples(path, data)
    if rows != samples:
        raise WrongError(f"{rows} rows of {samples} samples")
    if case.chance(_EVALUATED):
        _evaluate(path, rows)


def _damaged(random: Random, ending: str, data: bytes) -> bytes:
    if random.random() < 0.15:
        return texts.damaged_bytes(random, data)
    if ending == ".eval":
        return _damaged_archive(random)
    if random.random() < 0.2:
        return texts.damaged(random, data.decode()).encode("utf-8", "surrogatepass")
    documents = [data] if ending == ".json" else data.splitlines()
    return b"\n".join(_damaged_document(random, each, len(documents)) for each in documents)


def _damaged_document(random: Random, data: bytes, beside: int = 1) -> bytes:
    """JSON with one value or two changed; of several documents most stay."""
    tree = json.loads(data)
    for _ in range(random.choice((1, 1, 2)) if random.random() < 2 / (1 + beside) else 0):
        tree = damaged_tree(random, tree)
    return json.dumps(tree).encode()


def _damaged_archive(random: Random) -> bytes:
    """A log of which a member is damaged or left out, with checksums that are right."""
    log = json.loads(_LOG.read_bytes())
    members = {f"samples/{i}.json": sample for i, sample in enumerate(log.pop("samples"))}
    members["header.json"] = log
    chosen, is_left_out = random.choice([*members]), random.random() < 0.1
    sink = io.BytesIO()
    kind = random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA))
    with zipfile.ZipFile(sink, "w", kind) as archive:
        for name, member in members.items():
            content = json.dumps(member).encode()
            if name != chosen:
                archive.writestr(name, content)
            elif not is_left_out:
                archive.writestr(name, _damaged_document(random, content))
    return sink.getvalue()


def _samples(path: Path, data: bytes) -> int:
    """How many samples a file has that was read."""
    if data.startswith(b"PK"):
        return sum(name.startswith("samples/") for name in zipfile.ZipFile(path).namelist())
    try:
        document = json.loads(data)
    except ValueError:
        return sum(bool(line.strip()) for line in data.splitlines())
    if "samples" in document and "eval" in document:
        return len(document["samples"])
    results: Any = document.get("results")
    return len(results["results"]) if isinstance(results, dict) else 1


def _evaluate(path: Path, rows: int) -> None:
    made = {"model_specs": [{}], "metrics_specs": [{"metrics": ["ExampleCount"]}]}
    result = benison.evaluate(str(path), made, format="scores")
    if result.value("example_count") != rows:
        raise WrongError(f"{result.value('example_count')} examples of {rows} rows")
