# SPDX-License-Identifier: Apache-2.0
"""Numbers that look random and are always the same."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Numbers = npt.NDArray[np.uint64]


_BLOCK = 2**14
"""So many at a time stay in the processor's cache, which takes an eighth of the time."""


def mixed(numbers: Numbers) -> Numbers:
    """Numbers that look random, always the same for the same; splitmix64 of Steele, Lea and Flood, 2014."""
    made = np.empty(len(numbers), np.uint64)
    for start in range(0, len(numbers), _BLOCK):
        made[start : start + _BLOCK] = _mixed_block(numbers[start : start + _BLOCK])
    return made


def _mixed_block(numbers: Numbers) -> Numbers:
    z = numbers * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


# A multiplier of Knuth's, and a number for each byte: equal texts have equal sums on every machine.
_MULTIPLIER = np.uint64(6364136223846793005)
_OF_BYTES = mixed(np.arange(1, 257, dtype=np.uint64))


def text_numbers(texts: pa.Array) -> Numbers:
    """A number that looks random for each text, the same for equal texts; missing is as "": uint64[N].

    >>> numbers = text_numbers(pa.array(["ab", "ba", "ab", ""]))
    >>> len(set(numbers.tolist()))
    3
    """
    array = texts.fill_null("").cast(pa.large_binary())
    _, ends, content = array.buffers()
    offsets = np.frombuffer(ends, np.int64)[array.offset : array.offset + len(array) + 1]
    data = np.frombuffer(content or b"", np.uint8)[offsets[0] : offsets[-1]]
    lengths = np.diff(offsets)
    starts = offsets - offsets[0]
    powers = np.cumprod(np.full(int(lengths.max(initial=0)), _MULTIPLIER, np.uint64))
    within = np.arange(len(data)) - np.repeat(starts[:-1], lengths)
    sums = np.concatenate([[np.uint64(0)], np.cumsum(_OF_BYTES[data] * powers[within])])
    return mixed(sums[starts[1:]] - sums[starts[:-1]] + lengths.astype(np.uint64))
