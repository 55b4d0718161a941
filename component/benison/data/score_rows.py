# SPDX-License-Identifier: Apache-2.0
"""The columns of scored samples: what each tool calls them, with nested fields joined by `_`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from benison.errors import DataError

Row: TypeAlias = "dict[str, Any]"
Pairs: TypeAlias = "Iterable[tuple[str, Any]]"

_GRADES = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}  # correct, partly, incorrect, no answer
_TASK = re.compile(r"samples_(.+)_\d{4}-\d\d-\d\dT[^/]*$")


def of_inspect(header: Mapping[str, Any], samples: Iterable[Any]) -> Iterator[Row]:
    """Rows of Inspect's samples, with the names of its own data frames."""
    run = header["eval"]
    rows = [_row(_of_sample(run, sample)) for sample in samples]
    targets = [row["target"] for row in rows]
    if any(isinstance(target, list) for target in targets):  # some samples have several
        for row in rows:
            row["target"] = row["target"] if isinstance(row["target"], list) else [row["target"]]
    yield from rows


def _of_sample(run: Mapping[str, Any], sample: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield from (("task", run["task"]), ("model", run["model"]))
    yield from (("id", sample["id"]), ("epoch", sample["epoch"]))
    yield from (("input", _messages(sample["input"])), ("target", _single(sample["target"])))
    yield "output", _completion(sample.get("output") or {})
    yield "error", (sample.get("error") or {}).get("message")
    yield "limit", (sample.get("limit") or {}).get("type")
    yield "total_time", sample.get("total_time")
    yield from _flat("metadata", sample.get("metadata") or {})
    for name, score in (sample.get("scores") or {}).items():
        for column, value in _flat(f"score_{name}", score["value"]):
            yield column, _graded(value)


def _graded(value: Any) -> Any:
    """A score as a number, where it is one of the words for it; as Inspect's own metrics see it."""
    if isinstance(value, bool):
        return float(value)
    return _GRADES.get(value, value) if isinstance(value, str) else value


def _completion(output: Mapping[str, Any]) -> str | None:
    """What a model has answered; older logs have it in the first choice alone."""
    if output.get("completion") is not None:
        return str(output["completion"])
    choices = output.get("choices") or ()
    return _content(choices[0]["message"]["content"]) if choices else None


def _messages(asked: Any) -> str:
    if isinstance(asked, str):
        return asked
    return "\n\n".join(f"{each['role']}: {_content(each['content'])}" for each in asked)


def _content(content: Any) -> str:
    """The text of a message, which may have parts that are none."""
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content if part.get("type") == "text")


def of_promptfoo(result: Mapping[str, Any]) -> Row:
    """A row of one result of promptfoo: a prompt, a provider and a test."""
    provider = result["provider"]
    known = (
        "success",
        "score",
        "failureReason",
        "error",
        "latencyMs",
        "cost",
        "testIdx",
        "promptIdx",
    )
    pairs: list[tuple[str, Any]] = [(name, result.get(name)) for name in known]
    pairs += [
        ("provider", provider.get("label") or provider["id"]),
        ("prompt", result["prompt"].get("label")),
        ("output", _text((result.get("response") or {}).get("output"))),
        *_flat("vars", result.get("vars") or {}),
        *_flat("score", result.get("namedScores") or {}),
        *_flat("metadata", (result.get("testCase") or {}).get("metadata") or {}),
    ]
    return _row(pairs)


def of_lm_eval(sample: Mapping[str, Any], path: str) -> Row:
    """A row of one sample of lm-evaluation-harness, whose metrics keep their names."""
    task = _TASK.search(path)
    answers = sample["filtered_resps"]
    nested = ("doc", "target", "arguments", "resps", "filtered_resps", "metrics")
    return _row([
        ("task", task[1] if task else None),
        ("target", _text(sample["target"])),
        ("output", _text(_single(answers))),
        *_flat("doc", sample["doc"]),
        *((name, value) for name, value in sample.items() if name not in nested),
    ])  # fmt: skip


def _row(pairs: Pairs) -> Row:
    row: Row = {}
    for name, value in pairs:
        if name in row:
            raise DataError(
                f"Two fields of a sample would be the column {name!r}. Rename one of them."
            )
        row[name] = value
    return row


def _flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """A value by the names of the fields in which it is.

    >>> dict(_flat("score", {"judge": {"fluent": 0.5, "polite": [1, 0]}}))
    {'score_judge_fluent': 0.5, 'score_judge_polite': [1, 0]}
    """
    if isinstance(value, Mapping):
        for inner, each in value.items():
            yield from _flat(f"{name}_{inner}", each)
    else:
        yield name, _plain(value)


def _plain(value: Any) -> Any:
    """A value that a column can hold: what lists hold besides numbers and texts becomes JSON."""
    is_deep = isinstance(value, list) and any(isinstance(each, (list, Mapping)) for each in value)
    return json.dumps(value) if is_deep else value


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _single(values: str | Sequence[Any]) -> Any:
    """The only one of several values, else all of them."""
    return values[0] if isinstance(values, list) and len(values) == 1 else values
