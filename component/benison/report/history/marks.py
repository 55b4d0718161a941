# SPDX-License-Identifier: Apache-2.0
"""What a page over time says of alerts: where a change began, where it was seen, and the sentence."""

from __future__ import annotations

import dataclasses

from benison.slicing.keys import SliceKey
from benison.table.key import Key


@dataclasses.dataclass(frozen=True)
class Mark:
    """An alert of one metric and slice.

    Attributes:
        key: The metric; of a single candidate without its model.
        slice_key: The slice.
        since: The position of the result in which the change began, and
        raised: that of the one in which it was seen.
        sentence: What happened.
    """

    key: Key
    slice_key: SliceKey
    since: int
    raised: int
    sentence: str


@dataclasses.dataclass(frozen=True)
class Watched:
    """What monitoring says of the results of a page.

    Attributes:
        summary: One sentence on all that was watched.
        error_rate: One sentence on how often it is wrong.
        marks: Of each alert, the strongest first.
        noun: What each result is: an evaluation, or a period of one.
    """

    summary: str
    error_rate: str
    marks: tuple[Mark, ...] = ()
    noun: str = "evaluation"
