# SPDX-License-Identifier: Apache-2.0
"""Packs the page's numbers: columns of bytes behind a JSON header, compressed, in base64.

A page holds float64 values while they fit. A page with many slices holds six significant digits, which
its table shows: a mantissa and an exponent in four bytes. Of the ends of an interval it then holds three
digits of their distance from the middle; both distances are often equal, and equal columns are stored once.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

from benison.data.batch import Array

_UNDEFINED, _INFINITE, _MINUS_INFINITE = -(2**31), -(2**31) + 1, -(2**31) + 2
_EXPONENTS = 2**10  # room for the exponents of a float64 in six digits: 10**-329 to 10**303

_TYPES = {"f8": np.float64, "i4": np.int32, "d6": np.int32}


@dataclasses.dataclass
class Payload:
    """A growing list of columns; `add` returns where in the page a column is."""

    exact: bool = True
    """Whether values are float64; else they have six digits."""
    _parts: dict[bytes, list[Any]] = dataclasses.field(default_factory=dict)
    _size: int = 0

    def values(self, numbers: Array, short: bool = False) -> list[Any]:
        """Values of metrics, float64[S], NaN where undefined; three digits of `short` ones will do."""
        if self.exact:
            return self.add(numbers, "f8")
        return self.add(packed(numbers, 3 if short else 6), "d6")

    def sums(self, numbers: Array) -> list[Any]:
        """Counts, or weights."""
        whole = np.array_equal(numbers, np.rint(numbers)) and np.all(np.abs(numbers) < 2**31)
        return self.add(numbers, "i4" if whole else "f8")

    def add(self, numbers: npt.ArrayLike, kind: str) -> list[Any]:
        """Add a column; returns its first byte, its length and its kind.

        Bytes are stored by significance (all first bytes, all second bytes, ...), which compresses better,
        because bytes of one significance resemble each other.
        """
        column = np.ascontiguousarray(numbers, _TYPES[kind]).ravel()
        column = column.astype(column.dtype.newbyteorder("<"), copy=False)
        shuffled = column.view(np.uint8).reshape(len(column), column.itemsize).T.tobytes()
        known = self._parts.get(shuffled)
        if known is not None and known[2] == kind:
            return known
        location = self._parts[shuffled] = [self._size, len(column), kind]
        self._size += len(shuffled)
        return location

    def text(self, header: dict[str, Any]) -> str:
        """The length of the header, the header and the columns: deflated, in base64."""
        document = json.dumps(header, separators=(",", ":"), allow_nan=False).encode()
        whole = b"".join([len(document).to_bytes(4, "little"), document, *self._parts])
        return base64.b64encode(zlib.compress(whole, 6)).decode()


def packed(numbers: Array, digits: int = 6) -> npt.NDArray[np.int64]:
    """Encode numbers as `mantissa * 1024 + exponent + 329`.

    Three codes that no mantissa reaches stand for undefined and the infinities.

    >>> (packed(np.array([0.25, -12345678.0])) >> 10).tolist()
    [250000, -123457]
    >>> (packed(np.array([0.25, -12345678.0]), 3) >> 10).tolist()
    [250, -123]
    """
    finite = np.isfinite(numbers)
    plain = np.where(finite & (np.abs(numbers) >= 1e-300), numbers, 0.0)
    exponent = np.floor(np.log10(np.abs(plain), where=plain != 0, out=np.zeros(len(plain))))
    exponent += 1 - digits
    mantissa = _mantissa(plain, exponent)
    exponent += np.abs(mantissa) >= 10**digits  # rounding has added a digit
    codes = _mantissa(plain, exponent) * _EXPONENTS + exponent + 329
    infinite = np.where(numbers > 0, _INFINITE, _MINUS_INFINITE)
    codes = np.where(finite, codes, np.where(np.isnan(numbers), _UNDEFINED, infinite))
    return codes.astype(np.int64)


def _mantissa(numbers: Array, exponent: Array) -> Array:
    # Powers of ten up to 10**22 are exact in float64, so that most numbers are rounded only once.
    down = numbers / 10.0 ** np.maximum(exponent, 0)
    mantissa: Array = np.rint(down * 10.0 ** np.maximum(-exponent, 0))
    return mantissa
