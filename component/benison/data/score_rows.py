# SPDX-License-Identifier: Apache-2.0
"""The columns of scored samples: what each tool calls them, with nested fields joined by `_`."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from benison.errors import DataError

Row: TypeAlias = "dict[str, Any]"
Pairs: TypeAlias = "Iterable[tuple[str, Any]]"

# Correct, partly, incorrect and no answer; of the others the case does not matter.
_GRADES = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0, "yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}
_FINITE = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
_SCORE = "score_"
_TASK = re.compile(r"(?:^|[/\\])samples_([^/\\]+)_\d{4}-\d\d-\d\dT[^/\\]*$")


def of_inspect(header: Mapping[str, Any], samples: Iterable[Any]) -> Iterator[Row]:
    """Rows of Inspect's samples, with the names of its own data frames.

    Raises:
        DataError: There are none, or fewer than the log counts, or a score is a number in one and a word
            without a number in another.
    """
    run = header["eval"]
    rows = [*numbered(lambda sample: _row(_of_sample(run, sample)), samples)]
    if not rows:
        raise DataError("It has no samples. Let Inspect keep them: without --no-log-samples.")
    _check_whole(header, len(rows))
    targets = [row["target"] for row in rows]
    if any(isinstance(target, list) for target in targets):  # some samples have several
        for row in rows:
            row["target"] = row["target"] if isinstance(row["target"], list) else [row["target"]]
    for name in dict.fromkeys(name for row in rows for name in row if name.startswith(_SCORE)):
        _grade(rows, name)
    yield from rows


def _check_whole(header: Mapping[str, Any], count: int) -> None:
    """Refuse a log without some of its samples, which could be the worst."""
    total = (header.get("results") or {}).get("total_samples") or 0
    if count < total:
        raise DataError(
            f"It has {count:,} of the {total:,} samples that it counts itself. Give the log as Inspect "
            "wrote it."
        )


def numbered(make: Callable[[Any], Row], samples: Iterable[Any]) -> Iterator[Row]:
    """The row of each sample.

    Raises:
        DataError: With the number of a sample that lacks something.
    """
    for number, sample in enumerate(samples, 1):
        try:
            yield make(sample)
        except KeyError as error:
            raise DataError(f"Its sample {number:,} has no field {error}.") from error
        except (AttributeError, TypeError, IndexError) as error:
            raise DataError(
                f"Its sample {number:,} has other fields than usual: {error}."
            ) from error


def _grade(rows: list[Row], name: str) -> None:
    """Make a column of scores numbers; one of words alone, of which some stand for no number, stays."""
    graded = [_number(row.get(name)) for row in rows]
    odd = [i for i, value in enumerate(graded) if not isinstance(value, (float, int, type(None)))]
    if odd and any(isinstance(row.get(name), (float, int)) for row in rows):
        row = rows[odd[0]]
        raise DataError(
            f"{name} of the sample {row['id']!r} is {row[name]!r}, which is no number as that of others "
            "is. Let its scorer give numbers, or words such as C and I, alone."
        )
    for row, value in zip(rows, graded, strict=True):
        if not odd and value is not None:
            row[name] = value


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
        yield from _flat(f"{_SCORE}{name}", score["value"])


def _number(value: Any) -> Any:
    """A score as a number, as Inspect's metrics see it; what stands for none as it is.

    >>> [_number(value) for value in ("C", "I", "P", "Yes", "false", True, "0.5", "1e400", "maybe")]
    [1.0, 0.0, 0.5, 1.0, 0.0, 1.0, 0.5, '1e400', 'maybe']
    """
    if isinstance(value, bool):
        return float(value)
    if not isinstance(value, str):
        return value
    number = _GRADES.get(value, _GRADES.get(value.lower()))
    if number is None and re.fullmatch(_FINITE, value.strip()):
        number = float(value)
    return number if number is not None and math.isfinite(number) else value


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
    provider, prompt = result["provider"], result["prompt"]
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
        (
            "provider",
            provider if isinstance(provider, str) else provider.get("label") or provider["id"],
        ),
        ("prompt", prompt if isinstance(prompt, str) else prompt.get("label")),
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
        *(pair for name, value in sample.items() if name not in nested for pair in _flat(name, value)),
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
