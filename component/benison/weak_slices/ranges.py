# SPDX-License-Identifier: Apache-2.0
"""Merges slices of bins that lie beside each other into one range, for sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benison.slicing.keys import slice_name

_BIN = "bin"


def ranges(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The range of each row together with the rows whose bins lie beside its own, "" where none does.

    >>> def row(bins):
    ...     pair = {"feature": "fare", "value": bins, "type": "bin"}
    ...     return {"model": "", "output": "", "slice_key": [pair]}
    >>> ranges([row("[20, 30)"), row("[-inf, 10)"), row("[30, 45)")])
    ['fare=[20, 45)', '', 'fare=[20, 45)']
    """
    merged = [""] * len(rows)
    longest = [1] * len(rows)
    for feature in sorted({p["feature"] for row in rows for p in row["slice_key"]}):
        for run in _runs(rows, feature):
            for i in run:
                if len(run) > longest[i]:
                    longest[i], merged[i] = len(run), _name(rows, run, feature)
    return merged


def _runs(rows: Sequence[Mapping[str, Any]], feature: str) -> Iterator[list[int]]:
    """The rows that differ in their bin of a feature alone, as far as these lie beside each other."""
    groups: dict[tuple[Any, ...], list[int]] = {}
    for i, row in enumerate(rows):
        kinds = {p["feature"]: p["type"] for p in row["slice_key"]}
        if kinds.get(feature) == _BIN:
            rest = {f: v for f, v in _values(row).items() if f != feature}
            groups.setdefault((row["model"], row["output"], *rest.items()), []).append(i)
    for group in groups.values():
        run: list[int] = []
        for i in sorted(group, key=lambda i: float(_ends(rows[i], feature)[0])):
            if run and _ends(rows[run[-1]], feature)[1] != _ends(rows[i], feature)[0]:
                yield run
                run = []
            run.append(i)
        yield run


def _values(row: Mapping[str, Any]) -> dict[str, str]:
    return {pair["feature"]: pair["value"] for pair in row["slice_key"]}


def _ends(row: Mapping[str, Any], feature: str) -> tuple[str, str]:
    """The ends of a bin, as they are written."""
    low, high = _values(row)[feature].strip("[])").split(", ")
    return low, high


def _name(rows: Sequence[Mapping[str, Any]], run: Sequence[int], feature: str) -> str:
    first, last = rows[run[0]], rows[run[-1]]
    whole = f"[{_ends(first, feature)[0]}, {_ends(last, feature)[1]}{_values(last)[feature][-1]}"
    return slice_name(tuple((_values(first) | {feature: whole}).items()))
