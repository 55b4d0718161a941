# SPDX-License-Identifier: Apache-2.0
"""Defines the identity of a slice: its (feature, value) pairs sorted by feature; `()` is Overall."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from benison.config import SlicingSpec
from benison.config.slicing_specs import period_of

SliceKey: TypeAlias = tuple[tuple[str, str], ...]


OVERALL: SliceKey = ()

BIN = "bin"
"""The kind of a value that is a bin of numbers, such as `[10, 20)`; bins are compared as text."""
PERIOD = "period"
"""The kind of a value that is a period of time, such as `2026-01-31`; periods are compared as text."""
ZONED_PERIOD = "zoned period"
"""The kind of such a value within a pass, where it is of texts with zones: that of a time in UTC."""

# Numbers that Arrow reads, and the beginning of whatever else may be one.
_PLAIN = r"^-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]{1,2})?$"
_PERHAPS = r"^[^A-Za-z]"

_BIN = re.compile(r"\[([^,]+), [^,]+[)\]]")


# The text 1e999999999 is short, but written out it has a gigabyte.
_MOST_DIGITS = 400


SLICE_KEY = pa.list_(
    pa.struct([("feature", pa.string()), ("value", pa.string()), ("type", pa.string())])
)
"""A key as Arrow has it; `type` is how values of the feature are compared, null where it is not
known: what `benison.data.values.kind_of` says of its column, or `BIN`."""


def slice_name(key: SliceKey) -> str:
    """The text form of a key.

    >>> slice_name((("company", "Flash Cab"), ("hour", "5")))
    'company=Flash Cab, hour=5'
    >>> slice_name(OVERALL)
    'Overall'
    """
    return ", ".join(f"{feature}={value}" for feature, value in key) or "Overall"


def matches(spec: SlicingSpec, key: SliceKey, kinds: Mapping[str, str] | None = None) -> bool:
    """Whether `key` is one of the slices of `spec`; `kinds` are those of its features, where known.

    >>> matches(SlicingSpec(feature_keys=("hour",)), (("hour", "5"),))
    True
    >>> matches(SlicingSpec(feature_values={"hour": "6"}), (("hour", "5"),))
    False
    >>> matches(SlicingSpec(bins={"fare": [10]}), (("fare", "[10, inf]"),), {"fare": BIN})
    True
    """
    values, known = dict(key), kinds or {}
    return {*values} == {*spec.features} and all(
        has_value(spec, feature, value, known.get(feature)) for feature, value in values.items()
    )


def has_value(spec: SlicingSpec, feature: str, value: str, kind: str | None) -> bool:
    """Whether a slice of `spec` may have this value, of this kind if it is known, of one of its features."""
    if feature in spec.fixed:
        return same_value(value, spec.fixed[feature], kind)
    if kind == PERIOD or (kind is None and feature in spec.bins and spec.bins[feature].every):
        return feature in spec.bins and spec.bins[feature].has(value)
    is_bin = kind == BIN or (kind is None and _BIN.fullmatch(value) is not None)
    return is_bin and spec.bins[feature].has(value) if feature in spec.bins else not is_bin


def are_bins(values: pa.Array, kinds: pa.Array) -> pa.BooleanArray:
    """Which values are bins: by their kinds, string[n], where these are not null, else by their form."""
    by_kind = pc.is_in(kinds, pa.array([BIN, PERIOD]))
    by_kind = pc.if_else(pc.is_valid(kinds), by_kind, None)
    return pc.coalesce(by_kind, pc.match_substring_regex(values, f"^{_BIN.pattern}$"))


def same_value(value: str, wanted: str, kind: str | None = None) -> bool:
    """Whether the value of a slice is the one that a config or a caller asked for.

    Text is compared as text, integers as integers, floats as floats. Where the kind is not known,
    as in results of older versions, `wanted` may be any spelling of the number that `value` is the
    shortest form of.

    Args:
        value: The value in the key of a slice.
        wanted: The value as the config or the caller wrote it.
        kind: The type of the column, as `benison.data.values.kind_of` calls it; None if it is not known.

    >>> same_value("5", "5.0", "int"), same_value("3.1", "3.10", "string"), same_value("3.1", "3.10", "float")
    (True, False, True)
    >>> same_value("1234567890123456789", "1234567890123456788", "int")
    False
    """
    if value == wanted:
        return True
    if kind == "bool":
        return value == wanted.lower()
    if kind == "float":
        return _float(wanted) is not None and _float(value) == _float(wanted)
    if kind is None:
        return (exact := _decimal(wanted)) is not None and value == _written(exact)
    if kind == "int" or kind.startswith("decimal"):
        return (exact := _decimal(wanted)) is not None and _decimal(value) == exact
    return False


def _float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _decimal(text: str) -> Decimal | None:
    """The exact number that a text spells; None for other text, and for numbers that no column can hold."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number.adjusted()) < _MOST_DIGITS else None


def _written(number: Decimal) -> str:
    """The shortest text of a number, without an exponent."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def as_number(text: str) -> float:
    """The number that a value spells or a bin begins with, by which it is sorted; infinity for other text."""
    if begins := _BIN.fullmatch(text):
        text = begins[1]
    try:
        number = float(text)
    except ValueError:
        return math.inf
    return math.inf if math.isnan(number) else number


def as_numbers(texts: pa.Array) -> npt.NDArray[np.float64]:
    """`as_number` of many texts, float64[n].

    >>> as_numbers(pa.array(["10", "[2.5, 3)", "blue", "-1e3"])).tolist()
    [10.0, 2.5, inf, -1000.0]
    """
    numbers = np.full(len(texts), math.inf)
    plain = pc.match_substring_regex(texts, _PLAIN)
    at = np.flatnonzero(plain.to_numpy(zero_copy_only=False))
    numbers[at] = texts.take(pa.array(at)).cast(pa.float64()).to_numpy()
    # Python knows more spellings of numbers than Arrow; what begins with a letter is none or infinite.
    others = pc.and_not(pc.match_substring_regex(texts, _PERHAPS), plain)
    rest = np.flatnonzero(others.to_numpy(zero_copy_only=False))
    numbers[rest] = [as_number(text) for text in texts.take(pa.array(rest)).to_pylist()]
    return numbers


def are_apart(
    a: SliceKey, b: SliceKey, kinds: Mapping[str, str], other_kinds: Mapping[str, str]
) -> bool:
    """Whether no row with one value of a feature can be in both slices.

    >>> day, night = (("hour", "9"),), (("hour", "23"), ("shop", "a"))
    >>> are_apart(day, night, {"hour": "int"}, {"hour": "int"}), are_apart(day, (), {"hour": "int"}, {})
    (True, False)
    """
    others = dict(b)
    common = [
        (value, others[feature], kinds.get(feature))
        for feature, value in a
        if feature in others and kinds.get(feature) == other_kinds.get(feature)
    ]
    return any(_have_nothing_in_common(value, other, kind) for value, other, kind in common)


def _have_nothing_in_common(value: str, other: str, kind: str | None) -> bool:
    if kind == PERIOD:  # a day is in a month
        return period_of(value) == period_of(other) and value != other
    return _bins_apart(value, other) if kind == BIN else value != other


def _bins_apart(a: str, b: str) -> bool:
    """Whether two bins share no number.

    >>> _bins_apart("[0, 10)", "[10, inf]"), _bins_apart("[0, 10]", "[10, 20)")
    (True, False)
    """
    first, second = sorted((a, b), key=lambda text: float(text[1:-1].split(",")[0]))
    end, start = float(first[1:-1].split(",")[1]), float(second[1:-1].split(",")[0])
    return end < start or (end == start and first.endswith(")"))
