# SPDX-License-Identifier: Apache-2.0
"""Indices that lie one after the other in several places."""

from __future__ import annotations

import numpy as np

from benison.data.batch import Index


def spans(starts: Index, ends: Index) -> Index:
    """All indices from each start to before its end.

    >>> spans(np.array([7, 2]), np.array([9, 3]))
    array([7, 8, 2])
    """
    lengths = ends - starts
    within = np.arange(lengths.sum())
    within += np.repeat(starts - (np.cumsum(lengths) - lengths), lengths)
    return within
