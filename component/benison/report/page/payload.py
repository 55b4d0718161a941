# SPDX-License-Identifier: Apache-2.0
"""How numbers travel in the page: columns of bytes, compressed, behind a header of JSON.

A page holds the float64 of each value while that fits. A page with many slices holds six significant
digits instead, a mantissa and an exponent in four bytes, which is what its table shows; and of the ends
of an interval three digits of how far they are from the middle, which both ends often have in common.
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
_EXPONENTS = 2**10  # of a float64 in six digits: 10**-329 to 10**303

_TYPES = {"f8": np.float64, "i4": np.int32, "d6": np.int32}


@dataclasses.dataclass
class Payload:
    """Columns that are added one by one; `add` says where in the page each is."""

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
        """The place of a column: its first byte, its length and its kind.

        Bytes of one significance stand together, because they resemble each other.
        """
        column = np.ascontiguousarray(numbers, _TYPES[kind]).ravel()
        column = column.astype(column.dtype.newbyteorder("<"), copy=False)
        shuffled = column.view(np.uint8).reshape(len(column), column.itemsize).T.tobytes()
        known = self._parts.get(shuffled)
        if known is not None and known[2] == kind:
            return known
        place = self._parts[shuffled] = [self._size, len(column), kind]
        self._size += len(shuffled)
        return place

    def text(self, header: dict[str, Any]) -> str:
        """The length of the header, the header and the columns: deflated, in base64."""
        said = json.dumps(header, separators=(",", ":"), allow_nan=False).encode()
        whole = b"".join([len(said).to_bytes(4, "little"), said, *self._parts])
        return base64.b64encode(zlib.compress(whole, 6)).decode()


def packed(numbers: Array, digits: int = 6) -> npt.NDArray[np.int64]:
    """`mantissa * 1024 + exponent + 329`; three values that no mantissa has are undefined and infinite.

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
    found = _mantissa(plain, exponent) * _EXPONENTS + exponent + 329
    infinite = np.where(numbers > 0, _INFINITE, _MINUS_INFINITE)
    found = np.where(finite, found, np.where(np.isnan(numbers), _UNDEFINED, infinite))
    return found.astype(np.int64)


def _mantissa(numbers: Array, exponent: Array) -> Array:
    # Powers of ten are exact up to 22, so that most of these are rounded once.
    down = numbers / 10.0 ** np.maximum(exponent, 0)
    mantissa: Array = np.rint(down * 10.0 ** np.maximum(-exponent, 0))
    return mantissa
