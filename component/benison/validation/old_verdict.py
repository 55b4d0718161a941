# SPDX-License-Identifier: Apache-2.0
"""Reads checks of version 1 of verdict.json, which had one for both bounds, with its sentence."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from benison.table.slices import as_key, key_array, sides
from benison.table.words import metric_kind
from benison.validation.terms import (
    CHANGE_ABSOLUTE,
    CHANGE_RELATIVE,
    CROSS,
    LOWER,
    MISSING,
    SMALL_SLICES,
    UPPER,
    VALUE_LOWER,
    VALUE_UPPER,
)

_CHANGES = {"absolute change": CHANGE_ABSOLUTE, "relative change": CHANGE_RELATIVE}
_UNKNOWN = ("p_value", "p_adjusted", "p_asked", "detectable", "passing", "level")
_OTHERS = {"missing": MISSING, "small slices": SMALL_SLICES}


def upgraded_check(old: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The row of checks.parquet of a check of version 1; it keeps its sentence, and one of its bounds."""
    limits = {side: _number(old[side]) for side in (LOWER, UPPER)}
    side = LOWER if not math.isnan(limits[LOWER]) else UPPER
    pairs = [{"feature": feature, "value": value} for feature, value in old["slice_key"]]
    base, other = sides(old["slice"], pairs)
    check = _CHANGES.get(old["kind"]) or _OTHERS.get(old["kind"])
    check = check or (VALUE_LOWER if side == LOWER else VALUE_UPPER)
    metric, kind = old["metric"], "value"
    if other is not None:
        metric, kind = metric_kind(metric)
        kind = kind if kind == "slice_ratio" else "slice_difference"
        check = CROSS + check
    columns = (
        "model",
        "output",
        "sub_key",
        "aggregation",
        "weighted",
        "slice",
        "outcome",
        "examples",
    )
    yield {
        **{name: old[name] for name in columns},
        **dict.fromkeys(("dataset", "variant", "zone"), ""),
        **dict.fromkeys(_UNKNOWN, math.nan),
        "slice_key": key_array([as_key(base)])[0].as_py(),
        "other_slice_key": None if other is None else key_array([as_key(other)])[0].as_py(),
        "metric": metric,
        "kind": kind,
        "check": check,
        "side": side,
        "bound": limits[side],
        **{name: _number(old[name]) for name in ("value", "baseline", "change")},
        **_interval(old),
        "evidence": "point",
        "note": old["reason"],
    }


def _interval(old: dict[str, Any]) -> dict[str, float]:
    """Both ends; those beside a relative change were of the absolute one."""
    is_relative = _CHANGES.get(old["kind"]) == CHANGE_RELATIVE
    ends = (None, None) if is_relative else (old.get("interval_lower"), old.get("interval_upper"))
    return dict(zip((LOWER, UPPER), map(_number, ends), strict=True))


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)
