# SPDX-License-Identifier: Apache-2.0
"""The identity of a slice: its (feature, value) pairs sorted by feature; `()` is Overall."""

from __future__ import annotations

import math
from typing import TypeAlias

import pyarrow as pa

from benison.config import SlicingSpec

SliceKey: TypeAlias = tuple[tuple[str, str], ...]


OVERALL: SliceKey = ()


SLICE_KEY = pa.list_(pa.struct([("feature", pa.string()), ("value", pa.string())]))


def slice_name(key: SliceKey) -> str:
    """The text form of a key.

    >>> slice_name((("company", "Flash Cab"), ("hour", "5")))
    'company=Flash Cab, hour=5'
    >>> slice_name(OVERALL)
    'Overall'
    """
    return ", ".join(f"{feature}={value}" for feature, value in key) or "Overall"


def matches(spec: SlicingSpec, key: SliceKey) -> bool:
    """Whether `key` is one of the slices of `spec`.

    >>> matches(SlicingSpec(feature_keys=("hour",)), (("hour", "5"),))
    True
    >>> matches(SlicingSpec(feature_values={"hour": "6"}), (("hour", "5"),))
    False
    """
    values = dict(key)
    fixed = spec.feature_values
    return set(values) == {*spec.feature_keys, *fixed} and all(
        same_value(values[feature], fixed[feature]) for feature in fixed
    )


def same_value(found: str, wanted: str) -> bool:
    """Whether two values are the same text, or the same number written differently.

    >>> same_value("5", "5.0"), same_value("Cash", "cash")
    (True, False)
    """
    if found == wanted:
        return True
    try:
        return float(found) == float(wanted)
    except ValueError:
        return False


def as_number(text: str) -> float:
    """The number that a value is, which is what it sorts by; infinity for text and NaN."""
    try:
        number = float(text)
    except ValueError:
        return math.inf
    return math.inf if math.isnan(number) else number
