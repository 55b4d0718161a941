# SPDX-License-Identifier: Apache-2.0
"""What is known of one check of a verdict, as a row of checks.parquet has it."""

from __future__ import annotations

import dataclasses

from benison.slicing.keys import SliceKey
from benison.table.key import Key
from benison.table.words import column_text, qualifier
from benison.validation.terms import CHANGE_ABSOLUTE, CHANGE_RELATIVE, CROSS


@dataclasses.dataclass(frozen=True)
class CheckFacts:
    """One bound on one value; numbers that do not apply are NaN, and counts that are not known None."""

    key: Key
    slice: str
    slice_key: SliceKey
    other_slice_key: SliceKey | None
    check: str
    """`value_lower`, `value_upper`, `change_absolute` or `change_relative`, with `cross_` before it for a
    comparison of slices; `missing` where there is nothing to judge; `small_slices`; `weak_slice`."""
    side: str
    """Whether the bound limits from below (`lower`) or from above (`upper`)."""
    bound: float
    value: float
    lower: float
    upper: float
    """Both ends of the interval of what is judged: of `value`, or of `change`, in its unit."""
    baseline: float
    change: float
    """Candidate less baseline, divided by |baseline| for a relative change."""
    outcome: str
    evidence: str
    zone: str
    p_value: float
    p_adjusted: float
    p_asked: float
    """The p-value by which what is undecided beyond its bound would be shown, with all others as they are."""
    family_size: int | None
    detectable: float
    needed_examples: int | None
    lost: int | None
    won: int | None
    passing: float
    """The bound with which a check that failed for its evidence would have passed."""
    level: float
    """The confidence of the interval."""
    examples: int
    evaluated: int | None
    """The rows that the value rests on; None where it is not known."""
    note: str | None
    several_models: bool = False

    @property
    def kind(self) -> str:
        """The check without the mark of comparisons."""
        return self.check.removeprefix(CROSS)

    @property
    def is_change(self) -> bool:
        """Whether it compares with the baseline."""
        return self.kind in (CHANGE_ABSOLUTE, CHANGE_RELATIVE)

    @property
    def metric(self) -> str:
        """The name of the metric."""
        return self.key.metric

    @property
    def model(self) -> str:
        """The name of the candidate."""
        return self.key.model

    @property
    def name(self) -> str:
        """The metric with what tells it from others of its name, such as `auc (classId:1)`."""
        return column_text(self.key.metric, self.key.kind) + qualifier(
            self.key, self.several_models
        )
