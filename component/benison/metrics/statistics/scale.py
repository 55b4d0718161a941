# SPDX-License-Identifier: Apache-2.0
"""The scale of scores: every float has a place on it, and places are narrow where scores crowd.

=========================  =========================================================================
scores                     places
=========================  =========================================================================
0.0256 to 0.9744           a ten-thousandth wide
0.0001 to 0.0256           256 in each octave of the score
0.9744 to 0.9999           256 in each octave of 1 - score
below 0.0001, from 0.9999  1024 in each octave of the score, or of 1 - score
below 0, from 1 up         1024 in each octave of the score's size
0, 1, -inf, inf            a place each, so that it is known that scores there are equal
=========================  =========================================================================

TFMA's 10,000 edges of [0, 1] are edges of places too, so each place lies in one of TFMA's buckets, but for
the floats next to an edge: k / 10000 itself is always in the place above the edge.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from benison.data.batch import Array, Index, Mask

BUCKETS = 10_000
PAGE_BITS = 10
"""So many bits of a place tell it from the others of its page, neighbours that are kept together."""

_PARTS = float(np.nextafter(BUCKETS, np.inf))  # by which k / 10000 is never less than k
_FINE = 256  # where an octave of ten-thousandths has as many places as it has of them
# Of a float's 52 bits behind the comma 8 tell 256 places in an octave, and 10 tell 1024.
_WIDE_BITS, _NARROW_BITS = 44, 42
_NEAREST = 2.0**-40  # ten-thousandths from 1, where floats are as far apart
_ONE_BITS = int(np.float64(1).view(np.int64))


def _narrow(sizes: Array) -> Index:
    """1024 steps in each octave of floats from 0 up."""
    steps: Index = sizes.view(np.int64) >> _NARROW_BITS
    return steps


def _widening(bits: Index) -> Index:
    """1024 steps in each octave up to 1, and 256 beyond, of floats from 0 up in the form of their bits."""
    more = (_ONE_BITS >> _NARROW_BITS) - (_ONE_BITS >> _WIDE_BITS)
    return np.where(bits < _ONE_BITS, bits >> _NARROW_BITS, (bits >> _WIDE_BITS) + more)


def _step(size: float, steps: Callable[[Array], Index]) -> int:
    return int(steps(np.array([size], np.float64))[0])


def _from_least(parts: Array) -> Index:
    return _widening(parts.view(np.int64))


def _from_nearest(distances: Array) -> Index:
    # A score on an edge is in the place above it, where its distance from 1 is the longest.
    return _widening(distances.view(np.int64) - 1)


def _pages(places: int) -> int:
    return -(-places >> PAGE_BITS) << PAGE_BITS


# Where the places of each kind start; each kind has pages of its own.
_LEAST = _step(2.0**-1000, _from_least)  # what is less, in ten-thousandths, is in one place
_ZERO = _pages(_step(np.inf, _narrow) + 1)
_EVEN = _ZERO + _pages(_step(_FINE, _from_least) - _LEAST + 1)
_HIGH = _EVEN + _pages(BUCKETS - 2 * _FINE)
_ONE = _HIGH + _pages(_step(_FINE, _from_nearest) - _step(_NEAREST, _from_nearest) + 1)
PLACES = _ONE + _pages(_step(np.inf, _narrow) - _step(1.0, _narrow) + 2)
"""All places: those of scores are in [0, PLACES)."""
PLACE_BITS = PLACES.bit_length()
PAGES = PLACES >> PAGE_BITS


def places_of(scores: Array) -> Index:
    """The place of each score, which is not NaN: int64[N], ascending with the score."""
    with np.errstate(over="ignore"):
        parts = scores * _PARTS
    places: Index = np.clip(parts, 0, BUCKETS).astype(np.int64)
    places += _EVEN - _FINE
    low, high = parts < _FINE, parts >= BUCKETS - _FINE
    if low.any():
        below = scores < 0
        _put(places, below, lambda rows: _ZERO - 1 - _narrow(-scores[rows]))
        _put(places, low & ~below, lambda rows: _ZERO + _from_zero(parts[rows]))
    if high.any():
        above = scores >= 1
        _put(places, above, lambda rows: _ONE + _from_one_up(scores[rows]))
        _put(places, high & ~above, lambda rows: _HIGH + _to_one(parts[rows]))
    return places


def _put(places: Index, where: Mask, of_rows: Callable[[Index], Index]) -> None:
    rows = np.flatnonzero(where)
    if len(rows):
        places[rows] = of_rows(rows)


def _from_zero(parts: Array) -> Index:
    return np.where(parts > 0, np.maximum(_from_least(parts) - _LEAST, 0) + 1, 0)


def _to_one(parts: Array) -> Index:
    distances = np.maximum(BUCKETS - parts, _NEAREST)
    return _step(_FINE, _from_nearest) - _from_nearest(distances)


def _from_one_up(scores: Array) -> Index:
    steps: Index = _narrow(scores) - _step(1.0, _narrow) + (scores > 1)
    return steps


def is_one_score(places: Index) -> Mask:
    """Whether scores in these places are equal: bool, as `places`."""
    return np.isin(places, places_of(np.array([-np.inf, 0.0, 1.0, np.inf])))


def edges_of(places: Index) -> Array:
    """The lowest float of each place, or of the next one that has any: float64[N].

    From PLACES on this is infinity.
    """
    pages = places >> PAGE_BITS
    held = np.flatnonzero(np.bincount(pages, minlength=PAGES))
    ranks = np.zeros(max(PAGES, *held + 1), np.int64)
    ranks[held] = np.arange(len(held)) << PAGE_BITS
    edges = np.concatenate([_edges_of_page(page) for page in held.tolist()] or [np.zeros(0)])
    of_each: Array = edges[ranks[pages] + (places & ((1 << PAGE_BITS) - 1))]
    return of_each


@lru_cache(maxsize=PAGES)
def _edges_of_page(page: int) -> Array:
    places = (page << PAGE_BITS) + np.arange(1 << PAGE_BITS)
    low, high = (np.full(places.shape, _ordered(end)) for end in (-np.inf, np.inf))
    for _ in range(64):  # floats in their order are whole numbers, of which 64 halvings leave one
        middle = (low & high) + ((low ^ high) >> 1)
        reached = places_of(_float(middle)) >= places
        low, high = np.where(reached, low, middle + 1), np.where(reached, middle, high)
    return _float(high)


def _ordered(number: float) -> int:
    bits = int(np.float64(number).view(np.int64))
    return bits if bits >= 0 else -(2**63) - bits


def _float(ordered: Index) -> Array:
    bits = np.where(ordered >= 0, ordered, -(2**63) - ordered)
    return bits.view(np.float64)


def buckets_of(scores: Array, buckets: int = BUCKETS) -> Index:
    """1 + floor(score * buckets), 0 below 0 and `buckets + 1` from 1 up: int64[N]."""
    # Clipped just so far below 0 that truncation gives 0, and added to before it, as TFMA does it.
    scaled = np.clip(scores, -1 / buckets, 1.0)
    scaled *= buckets
    scaled += 1
    return scaled.astype(np.int64)
