# SPDX-License-Identifier: Apache-2.0
"""Names slices, values, runs and models, the same in every sentence and on every page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benison.slicing.keys import SliceKey, slice_name
from benison.table.key import CHANGE, SLICE_DIFFERENCE, SLICE_RATIO, VALUE, Key

MAX_NAME = 200
"""Longer names of slices and metrics are cut where they are shown."""

FEW_EXAMPLES = 100
"""A value of fewer examples is marked as uncertain wherever values are compared by eye."""

VERSUS = " vs "
COMPARED = {SLICE_DIFFERENCE: "difference", SLICE_RATIO: "ratio"}
"""What a comparison of two slices is, by its kind."""
_SUFFIXES = {CHANGE: "_diff", SLICE_RATIO: "_ratio"}


def slice_text(key: SliceKey, other: SliceKey | None = None) -> str:
    """The name of a slice, or of a comparison of two.

    >>> slice_text((("a", "1"),), ())
    'a=1 vs Overall'
    """
    return slice_name(key) if other is None else slice_name(key) + VERSUS + slice_name(other)


def metric_text(metric: str, kind: str) -> str:
    """The name of a metric of a kind where there is no column for the kind, as in TFMA's files.

    >>> metric_text("auc", "change"), metric_text("auc", "slice_ratio"), metric_text("auc", "value")
    ('auc_diff', 'auc_ratio', 'auc')
    """
    return metric + _SUFFIXES.get(kind, "")


def column_text(metric: str, kind: str) -> str:
    """The name of a metric of a kind for people, among metrics of slices.

    >>> column_text("auc", "slice_difference"), column_text("auc", "change")
    ('difference of auc', 'auc')
    """
    return f"{COMPARED[kind]} of {metric}" if kind in COMPARED else metric


def metric_kind(text: str) -> tuple[str, str]:
    """The metric and the kind that a name with a suffix means, the inverse of `metric_text`.

    >>> metric_kind("auc_diff"), metric_kind("auc")
    (('auc', 'change'), ('auc', 'value'))
    """
    for kind, suffix in _SUFFIXES.items():
        if text.endswith(suffix) and text != suffix:
            return text.removesuffix(suffix), kind
    return text, VALUE


def qualifier(key: Key, several_models: bool) -> str:
    """What tells a value from others of its metric: ` (model b, output ctr, classId:1)`, often "".

    >>> qualifier(Key("auc", model="b", output="ctr"), several_models=True)
    ' (model b, output ctr)'
    """
    parts = [f"model {key.model}"] if several_models else []
    parts += [f"output {key.output}"] if key.output else []
    parts += [f"data {key.dataset}"] if key.dataset else []
    parts += [part for part in (key.variant, key.sub_key, key.aggregation) if part]
    return f" ({', '.join(parts)})" if parts else ""


def view_text(view: Key, several_models: bool) -> str:
    """The name of what a table shows; `several_models` are told apart.

    >>> view_text(Key("", output="ctr", weighted=True), several_models=False)
    'ctr, weighted'
    """
    weighting = "weighted" if view.weighted else ""
    model = (view.model or "model") if several_models else ""
    parts = (model, view.output, view.dataset, view.variant, view.sub_key, view.aggregation)
    return cut(", ".join(part for part in (*parts, weighting) if part)) or "all examples"


def counted(count: int, noun: str) -> str:
    """A number with its noun.

    >>> counted(1, "example"), counted(1234, "example")
    ('1 example', '1,234 examples')
    """
    return f"{count:,} {noun}{'s' * (count != 1)}"


def cut(text: str, most: int = MAX_NAME) -> str:
    """The text, or its beginning and how much is left out.

    >>> cut("abcdef", 3)
    'abc… (3 more characters)'
    """
    left = len(text) - most
    return text if left <= 0 else f"{text[:most]}… ({left:,} more characters)"


def shortened(text: str, most: int = MAX_NAME) -> str:
    """The text without its middle where it is long: sentences end with their numbers.

    >>> shortened("abcdefghijkl", 8)
    'abcdef…kl'
    """
    end = most // 4
    return text if len(text) <= most else f"{text[: most - end]}…{text[-end:]}"


def distinct(names: Iterable[str]) -> list[str]:
    """Names of which no two are equal: one that was there already gets its number.

    >>> distinct(["a…", "b", "a…"])
    ['a…', 'b', 'a… (2)']
    """
    unique: dict[str, None] = {}
    for i, name in enumerate(names):
        unique[name if name not in unique else f"{name} ({i})"] = None
    return list(unique)


def cut_apart(names: Iterable[str], most: int = 290) -> dict[str, str]:
    """What each name is called where it is shown: a long one is `shortened`, and yet no two are equal.

    >>> cut_apart(["ab", "abcdefgh-1", "abcdefgh+1", "ab"], 6)
    {'ab': 'ab', 'abcdefgh-1': 'abcde…1', 'abcdefgh+1': 'abcde…1 (2)'}
    """
    apart = [*dict.fromkeys(names)]
    return dict(zip(apart, distinct(shortened(name, most) for name in apart), strict=True))


def path_names(paths: Sequence[Sequence[str]]) -> list[str]:
    """A name for each path, given by its parts: the last ones, as many as tell them apart.

    >>> path_names([("a", "out"), ("b", "out")])
    ['a/out', 'b/out']
    """
    for depth in range(1, max(map(len, paths), default=0) + 1):
        names = ["/".join(parts[-depth:]) for parts in paths]
        if len(set(names)) == len(names):
            return names
    return [f"{'/'.join(parts)} ({i})" for i, parts in enumerate(paths, start=1)]


def model_source(record: Mapping[str, Any]) -> str:
    """Where the predictions of a model without a path came from, by its record in a manifest.

    >>> model_source({"path": None}), model_source({"in_memory": "Pipeline in memory"})
    ('predictions in the data', 'Pipeline in memory')
    """
    held: str = record.get("in_memory", "")
    return held or "predictions in the data"


def probe_numbers(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Value, interval, what is allowed and rows, of a row of probes; "" where there is none.

    >>> row = {"value": 0.021, "lower": 0.0156, "upper": 0.0282, "bound": 0.05, "side": "upper", "rows": 2000}
    >>> probe_numbers(row)
    ('0.021', '0.0156 to 0.0282', 'at most 0.05', '2,000')
    """
    value, lower, bound = row["value"], row["lower"], row["bound"]
    limit = "at most" if row["side"] == "upper" else "at least"
    return (
        "not measured" if math.isnan(value) else f"{value:.3g}",
        "" if math.isnan(lower) else f"{lower:.3g} to {row['upper']:.3g}",
        "" if math.isnan(bound) else f"{limit} {bound:.15g}",
        "" if row["rows"] is None else f"{row['rows']:,}",
    )
