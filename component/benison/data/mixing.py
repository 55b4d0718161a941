# SPDX-License-Identifier: Apache-2.0
"""Numbers that look random and are always the same."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.uint64]


def mixed(numbers: Numbers) -> Numbers:
    """Numbers that look random, always the same for the same; splitmix64 of Steele, Lea and Flood, 2014."""
    z = numbers * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
