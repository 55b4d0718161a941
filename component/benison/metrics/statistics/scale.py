# SPDX-License-Identifier: Apache-2.0
"""The scale of scores: every float has a bin on it, and bins are narrow where scores crowd.

Probabilities of a sure model crowd near 0 and 1, where a fixed width of bins tells nothing apart, and
log-odds have no ends at all. The scale is the same for all data, so that bins of different batches and
workers add up.

=========================  =========================================================================
scores                     bins
=========================  =========================================================================
0.0256 to 0.9744           a ten-thousandth wide
0.0001 to 0.0256           256 in each octave of the score
0.9744 to 0.9999           256 in each octave of 1 - score
below 0.0001, from 0.9999  1024 in each octave of the score, or of 1 - score
below 0, from 1 up         1024 in each octave of the score's size
0, 1, -inf, inf            a bin each, so that it is known that scores there are equal
=========================  =========================================================================

TFMA's 10,000 edges of [0, 1] are edges of bins too, so each bin lies in one of TFMA's buckets, but for
the floats next to an edge: k / 10000 itself is always in the bin above the edge.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from benison.data.batch import Array, Index, Mask

BUCKETS = 10_000
PAGE_BITS = 10
"""So many bits of a bin tell it from the others of its page, neighbours that are kept together."""

_PARTS = float(np.nextafter(BUCKETS, np.inf))  # by which k / 10000 is never less than k
_BLOCK = 2**16  # scores whose parts stay in the processor's cache
_FINE = 256  # where an octave of ten-thousandths has as many bins as it has of them
# Of a float's 52 bits behind the comma 8 tell 256 bins in an octave, and 10 tell 1024.
_WIDE_BITS, _NARROW_BITS = 44, 42
_NEAREST = 2.0**-40  # ten-thousandths from 1, where floats are as far apart
_BITS_OF_1 = int(np.float64(1).view(np.int64))


def _narrow(sizes: Array) -> Index:
    """1024 steps in each octave of floats from 0 up: int64[N].

    The bits of a float, read as a whole number, rise with it: exponent first, then the digits. Without
    the low 42 bits they count the octaves, and 1024 steps in each.
    """
    steps: Index = sizes.view(np.int64) >> _NARROW_BITS
    return steps


def _widening(bits: Index) -> Index:
    """1024 steps in each octave up to 1, and 256 beyond, of floats from 0 up in the form of their bits."""
    more = (_BITS_OF_1 >> _NARROW_BITS) - (_BITS_OF_1 >> _WIDE_BITS)
    return np.where(bits < _BITS_OF_1, bits >> _NARROW_BITS, (bits >> _WIDE_BITS) + more)


def _step(size: float, steps: Callable[[Array], Index]) -> int:
    """The step of one number, for the constants below."""
    return int(steps(np.array([size], np.float64))[0])


def _from_least(parts: Array) -> Index:
    return _widening(parts.view(np.int64))


def _from_nearest(distances: Array) -> Index:
    # A score on an edge is in the bin above it, where its distance from 1 is the longest.
    return _widening(distances.view(np.int64) - 1)


def _pages(bins: int) -> int:
    """The number of bins in as many whole pages as hold `bins`."""
    return -(-bins >> PAGE_BITS) << PAGE_BITS


# Where the bins of each kind start; each kind has pages of its own.
_LEAST = _step(2.0**-1000, _from_least)  # what is less, in ten-thousandths, is in one bin
_ZERO = _pages(_step(np.inf, _narrow) + 1)
_EVEN = _ZERO + _pages(_step(_FINE, _from_least) - _LEAST + 1)
_HIGH = _EVEN + _pages(BUCKETS - 2 * _FINE)
_FROM_1 = _HIGH + _pages(_step(_FINE, _from_nearest) - _step(_NEAREST, _from_nearest) + 1)
BINS = _FROM_1 + _pages(_step(np.inf, _narrow) - _step(1.0, _narrow) + 2)
"""All bins: those of scores are in [0, BINS)."""
BIN_BITS = BINS.bit_length()
PAGES = BINS >> PAGE_BITS


def bins_of(scores: Array) -> Index:
    """The bin of each score, which is not NaN: int64[N], ascending with the score.

    >>> np.diff(bins_of(np.array([0.5, 0.50004, 0.5001, 0.5002])))
    array([0, 1, 1])
    """
    bins = np.empty(len(scores), np.int64)
    for start in range(0, len(scores), _BLOCK):
        bins[start : start + _BLOCK] = _bins_of_block(scores[start : start + _BLOCK])
    return bins


def _bins_of_block(scores: Array) -> Index:
    if scores[0] in (0, 1) and np.all((scores == 0) | (scores == 1)):  # as labels are
        return np.where(scores == 0, _ZERO, _FROM_1)
    with np.errstate(over="ignore"):
        parts = scores * _PARTS
    bins: Index = np.clip(parts, 0, BUCKETS).astype(np.int64)
    bins += _EVEN - _FINE
    ends = np.flatnonzero((parts < _FINE) | (parts >= BUCKETS - _FINE))
    if len(ends):
        bins[ends] = _bins_at_ends(scores[ends], parts[ends])
    return bins


def _bins_at_ends(scores: Array, parts: Array) -> Index:
    """The bins of scores that are below, above, and near the ends of [0, 1]."""
    bins = np.empty(len(scores), np.int64)
    below, above, near_0 = scores < 0, scores >= 1, parts < _FINE
    _put(bins, below, lambda rows: _ZERO - 1 - _narrow(-scores[rows]))
    _put(bins, near_0 & ~below, lambda rows: _ZERO + _from_zero(parts[rows]))
    _put(bins, above, lambda rows: _FROM_1 + _from_1(scores[rows]))
    _put(bins, ~(near_0 | above), lambda rows: _HIGH + _below_1(parts[rows]))
    return bins


def _put(bins: Index, where: Mask, of_rows: Callable[[Index], Index]) -> None:
    rows = np.flatnonzero(where)
    if len(rows):
        bins[rows] = of_rows(rows)


def _from_zero(parts: Array) -> Index:
    return np.where(parts > 0, np.maximum(_from_least(parts) - _LEAST, 0) + 1, 0)


def _below_1(parts: Array) -> Index:
    distances = np.maximum(BUCKETS - parts, _NEAREST)
    return _step(_FINE, _from_nearest) - _from_nearest(distances)


def _from_1(scores: Array) -> Index:
    steps: Index = _narrow(scores) - _step(1.0, _narrow) + (scores > 1)
    return steps


def holds_equal_scores(bins: Index) -> Mask:
    """Whether scores in these bins are equal: bool, as `bins`.

    0, 1 and the infinities are what models that are sure, and scores that were clipped, have in great number.
    """
    equal = np.zeros(bins.shape, np.bool_)
    for each in _SURE_BINS:
        equal |= bins == each
    return equal


_SURE_BINS = bins_of(np.array([-np.inf, 0.0, 1.0, np.inf])).tolist()


def edges_of(bins: Index) -> Array:
    """The lowest float of each bin, or of the next one that has any: float64[N].

    From BINS on this is infinity. Edges are searched for with `bins_of` itself, page by page and kept, so
    that no rounding of a formula of their own puts a score on the wrong side of one.

    >>> edges_of(bins_of(np.array([0.50004])))
    array([0.5])
    """
    pages = bins >> PAGE_BITS
    held = np.flatnonzero(np.bincount(pages, minlength=PAGES))
    ranks = np.zeros(max(PAGES, *held + 1), np.int64)
    ranks[held] = np.arange(len(held)) << PAGE_BITS
    edges = np.concatenate([_edges_of_page(page) for page in held.tolist()] or [np.zeros(0)])
    of_each: Array = edges[ranks[pages] + (bins & ((1 << PAGE_BITS) - 1))]
    return of_each


@lru_cache(maxsize=PAGES)
def _edges_of_page(page: int) -> Array:
    bins = (page << PAGE_BITS) + np.arange(1 << PAGE_BITS)
    low, high = (np.full(bins.shape, _ordered(end)) for end in (-np.inf, np.inf))
    for _ in range(64):  # floats in their order are whole numbers, of which 64 halvings leave one
        middle = (low & high) + ((low ^ high) >> 1)
        reached = bins_of(_float(middle)) >= bins
        low, high = np.where(reached, low, middle + 1), np.where(reached, middle, high)
    return _float(high)


def _ordered(number: float) -> int:
    """The float as a whole number that rises with it, negative for a negative one."""
    bits = int(np.float64(number).view(np.int64))
    return bits if bits >= 0 else -(2**63) - bits


def _float(ordered: Index) -> Array:
    """The floats of such whole numbers."""
    bits = np.where(ordered >= 0, ordered, -(2**63) - ordered)
    return bits.view(np.float64)


def buckets_of(scores: Array, buckets: int = BUCKETS) -> Index:
    """1 + floor(score * buckets), 0 below 0 and `buckets + 1` from 1 up: int64[N]; as TFMA's histogram.

    >>> buckets_of(np.array([-1.0, 0.0, 0.25, 1.0]), 4)
    array([0, 1, 2, 5])
    """
    # Clipped just so far below 0 that truncation gives 0, and added to before it, as TFMA does it.
    scaled = np.clip(scores, -1 / buckets, 1.0)
    scaled *= buckets
    scaled += 1
    return scaled.astype(np.int64)
