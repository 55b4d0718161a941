# SPDX-License-Identifier: Apache-2.0
"""Words and numbers of weak slices, the same in terminals, on pages and in files for people."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from benison.data.batch import joined_name

NONE_CONFIRMED = "No weak slice was confirmed."
BY_DECISIONS = (
    "Where labels are classes they are looked for by decisions, which hardly move where one class is rare; "
    "measure: log_loss looks at the scores."
)
"""What is said beside it where `measure` was left to the data."""
CONFIRMED = (
    "Half of the examples showed them without their being named; effects, intervals and losses are of the "
    "other half, which confirms them."
)
"""What is said beside a table."""

_COLUMNS = ("effect", "interval", "mean loss", "expected", "confirmed on", "examples")
_CHANGE, _DECISION = "change", "decision"  # as the columns `loss` and `measure` have them


def weak_slice_title(became_worse: bool) -> str:
    """What a table is of.

    >>> weak_slice_title(True)
    'Slices that became worse'
    """
    return "Slices that became worse" if became_worse else "Slices in which the model is weak"


def shared(row: Mapping[str, Any]) -> str:
    """Of what the column `share_of_errors` is a share.

    >>> shared({"loss": "change", "measure": "decision"})
    'all new errors'
    """
    if row["loss"] != _CHANGE:
        return "all errors"
    return "all new errors" if row["measure"] == _DECISION else "all added loss"


def weak_slice_table(
    rows: Sequence[Mapping[str, Any]],
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The headings and the cells of rows of weak_slices.parquet; the first column is the slice.

    Where they are of several models or outputs, the second column says of which.
    """
    of_all = {shared(row) for row in rows}
    columns: tuple[str, ...] = (*_COLUMNS, f"of {of_all.pop()}" if len(of_all) == 1 else "share")
    numbers = [_numbers(row) for row in rows]
    if not any(cells[-1] for cells in numbers):  # of added loss there is no share
        columns, numbers = _COLUMNS, [cells[:-1] for cells in numbers]
    whose = [joined_name(row["model"], row["output"]) for row in rows]
    if len(set(whose)) < 2:  # noqa: PLR2004 - of one there is nothing to tell apart
        return ("slice", *columns), [(r["slice"], *n) for r, n in zip(rows, numbers, strict=True)]
    cells = [(r["slice"], of, *n) for r, of, n in zip(rows, whose, numbers, strict=True)]
    return ("slice", "of", *columns), cells


def _numbers(row: Mapping[str, Any]) -> tuple[str, ...]:
    share = row["share_of_errors"]
    return (
        f"{row['effect']:.3g}",
        f"{row['lower']:.3g} to {row['upper']:.3g}",
        f"{row['mean_loss']:.3g}",
        f"{row['expected']:.3g}",
        f"{row['confirmed_on']:,}",
        f"{row['examples']:,}",
        "" if math.isnan(share) else f"{share:.0%}",
    )
