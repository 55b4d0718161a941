# SPDX-License-Identifier: Apache-2.0
"""What hears how far an evaluation has come."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Hears how far an evaluation has come."""

    def __call__(self, stage: str, rows: int, total: int | None) -> None:
        """`stage` has taken in `rows` of `total` rows; `total` is None while it is not known."""


def silent(stage: str, rows: int, total: int | None) -> None:
    """The progress of a program that did not ask for it."""
