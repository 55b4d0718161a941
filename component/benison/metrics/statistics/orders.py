# SPDX-License-Identifier: Apache-2.0
"""The order of whole numbers, in a fraction of the time of `np.argsort`."""

from __future__ import annotations

from typing import Literal

import numpy as np

from benison.data.batch import Index


def order_of(keys: Index, kind: Literal["quicksort", "stable"] = "quicksort") -> Index:
    """The indices that put keys, which are 0 or more, in ascending order, as a stable sort does: int64[n].

    `kind` is "stable" for keys of which long runs are in order already.

    >>> order_of(np.array([7, 4, 7, 4]))
    array([1, 3, 0, 2])
    """
    return in_order(keys, kind)[0]


def in_order(keys: Index, kind: Literal["quicksort", "stable"]) -> tuple[Index, Index]:
    """The indices of `order_of`, and the keys in that order: int64[n] both."""
    bits = len(keys).bit_length()
    if len(keys) and int(keys.max()) >= 2 ** (63 - bits):
        order = np.argsort(keys, kind="stable")
        return order, keys[order]
    # The index in the low bits of the key makes all numbers distinct, so that any sort of them is a
    # stable one, and sorting numbers takes a fraction of the time of sorting indices by key.
    both = keys << bits
    both |= np.arange(len(keys))
    both.sort(kind=kind)
    return both & ((1 << bits) - 1), both >> bits
