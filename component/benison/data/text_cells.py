# SPDX-License-Identifier: Apache-2.0
"""Cells of text that may be numbers: what type they have, and whether they are written as numbers print.

"3.10" and "01234" are numbers for a model, and texts for slices: printed, they would be 3.1 and 1234.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benison.data.values import WHOLE_FLOATS, text_of
from benison.data.widening import unify

# In columns of numbers; Arrow's and pandas' words. In columns of text NA may be Namibia.
NULL_WORDS = (
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>",
    "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
)  # fmt: skip

_PRINTED = re.compile(r"-?([1-9](\.(0|\d*[1-9]))?[eE][-+]?\d+|(0|[1-9]\d*)(\.(0|\d*[1-9]))?)")


@dataclasses.dataclass(frozen=True)
class CellType:
    """The narrowest type for some cells, and whether each prints as it is written.

    `largest` is the greatest magnitude of the integers.
    """

    type: pa.DataType
    exact: bool = True
    largest: int = 0

    def __or__(self, other: CellType) -> CellType:
        """That of both."""
        kind = unify(self.type, other.type)
        exact = self.exact and other.exact
        both = {t.type for t in (self, other) if not pa.types.is_null(t.type)}
        if pa.bool_() in both and len(both) > 1:
            exact = False
        largest = max(self.largest, other.largest)
        if kind == pa.float64() and largest > WHOLE_FLOATS:
            exact = False
        return CellType(kind or pa.string(), exact, largest)


NO_CELLS = CellType(pa.null())


def type_of(cells: pa.Array, null_values: Sequence[str] = ()) -> CellType:
    """The type of string[N].

    >>> type_of(pa.array(["5", "NA", "-0.5"]))
    CellType(type=DataType(double), exact=True, largest=0)
    >>> type_of(pa.array(["5", "05"])).exact, type_of(pa.array(["5", "x"])).type
    (False, DataType(string))
    """
    distinct = _without_nulls(cells.unique(), null_values)
    if not len(distinct):
        return NO_CELLS
    for kind in (pa.bool_(), pa.int64(), pa.float64()):
        try:
            numbers = as_numbers(distinct, kind, null_values)
        except pa.ArrowInvalid:
            continue
        if pa.types.is_boolean(kind) and {*distinct.to_pylist()} <= {"0", "1"}:
            continue
        largest = max(map(abs, numbers.to_pylist())) if kind == pa.int64() else 0
        return CellType(kind, prints_back(distinct, numbers), largest)
    return CellType(pa.string())


def _without_nulls(cells: pa.Array, null_values: Sequence[str]) -> pa.Array:
    words = pa.array([*NULL_WORDS, *null_values], pa.string())
    return cells.filter(pc.invert(pc.is_in(_trimmed(cells), value_set=words))).drop_null()


def _trimmed(cells: pa.Array) -> pa.Array:
    return pc.utf8_trim_whitespace(cells)


def as_numbers(cells: pa.Array, kind: pa.DataType, null_values: Sequence[str] = ()) -> pa.Array:
    """The numbers that cells are, string[N], as a type of booleans, integers or floats.

    Raises:
        pyarrow.ArrowInvalid: A cell is none.
    """
    words = pa.array([*NULL_WORDS, *null_values], pa.string())
    trimmed = _trimmed(cells)
    numbers = pc.if_else(
        pc.is_in(trimmed, value_set=words), pa.nulls(len(cells), pa.string()), trimmed
    )
    if pa.types.is_boolean(kind):
        return pc.utf8_lower(numbers).cast(kind)
    try:
        return numbers.cast(kind)
    except pa.ArrowInvalid:
        for word, number in (("true", "1"), ("false", "0")):
            numbers = pc.replace_substring_regex(numbers, f"(?i)^{word}$", number)
        return numbers.cast(kind)


def prints_back(cells: pa.Array, numbers: pa.Array) -> bool:
    """Whether each of some distinct cells is how a program prints its number.

    Python, Arrow and others differ in `5` and `5.0`, and in how they write powers of ten.

    >>> cells = pa.array(["5.0", "-0.0", "1e-05", "1E-5", "0.00001", "1e+16", "10000000000000000"])
    >>> prints_back(cells, cells.cast(pa.float64()))
    True
    >>> [prints_back(pa.array([c]), pa.array([float(c)])) for c in ("5.10", "05", "+5", " 5", "1e3", "1_0")]
    [False, False, False, False, True, False]
    """
    if pa.types.is_boolean(numbers.type):
        are_words = pc.is_in(pc.utf8_lower(cells), value_set=pa.array(["true", "false"]))
        return bool(pc.all(are_words, min_count=0).as_py())
    plain = pc.replace_substring_regex(cells, r"^(-?\d+)\.0$", r"\1")
    plain = pc.replace_substring_regex(plain, "^-0$", "0")
    same = pc.equal(plain, text_of(numbers))
    if pc.all(same).as_py():
        return True
    others = np.flatnonzero(~pc.fill_null(same, False).to_numpy(zero_copy_only=False))
    pairs = zip(cells.take(pa.array(others)).to_pylist(), others.tolist(), strict=True)
    return all(_is_shortest(cell, numbers[i].as_py()) for cell, i in pairs)


def _is_shortest(cell: str, number: float) -> bool:
    """Whether a cell has the digits of a number and no others, in one of the forms that programs print."""
    if not np.isfinite(number) or not _PRINTED.fullmatch(cell):
        return False
    return Decimal(cell) == Decimal(repr(number))
