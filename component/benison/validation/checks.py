# SPDX-License-Identifier: Apache-2.0
"""One check of a verdict: a bound on a metric of one slice, what came of it, and its sentence."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from benison.slicing.keys import SliceKey
from benison.table.key import KEY_COLUMNS, Key
from benison.table.slices import as_key, key_array
from benison.table.words import metric_text, qualifier
from benison.validation.sentences import formula, sentence
from benison.validation.terms import CHANGE_ABSOLUTE, CHANGE_RELATIVE, CROSS


@dataclasses.dataclass(frozen=True)
class Check:
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

    @classmethod
    def of(cls, row: dict[str, Any], several_models: bool = False) -> Check:
        """A row of checks.parquet."""
        other = row["other_slice_key"]
        return cls(
            Key.of(row),
            row["slice"],
            as_key(row["slice_key"]),
            None if other is None else as_key(other),
            **{name: row[name] for name in _OWN},
            several_models=several_models,
        )

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
        return metric_text(self.key.metric, self.key.kind) + qualifier(
            self.key, self.several_models
        )

    @property
    def reason(self) -> str:
        """The outcome as a sentence."""
        return self.note or sentence(self)

    @property
    def formula(self) -> str:
        """What must hold, exactly, such as `(candidate - baseline) / |baseline| >= -0.01`."""
        return formula(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for strict JSON: NaN is null, infinities are "inf" and "-inf"."""
        plain: dict[str, Any] = {**dataclasses.asdict(self.key), "slice": self.slice}
        plain["slice_key"] = [list(pair) for pair in self.slice_key]
        other = self.other_slice_key
        plain["other_slice_key"] = None if other is None else [list(pair) for pair in other]
        plain |= {name: _strict(getattr(self, name)) for name in _OWN}
        return {**plain, "formula": self.formula, "reason": self.reason}

    @classmethod
    def row_of(cls, data: dict[str, Any]) -> dict[str, Any]:
        """The row of checks.parquet of what `to_dict` gave; its sentence is kept as it is."""
        row = {name: data[name] for name in (*KEY_COLUMNS, "slice", *_OWN) if name not in _NUMBERS}
        for name in _NUMBERS:
            row[name] = math.nan if data.get(name) is None else float(data[name])
        keys = [tuple(map(tuple, data["slice_key"]))]
        others = [None if (o := data["other_slice_key"]) is None else tuple(map(tuple, o))]
        row["slice_key"] = key_array(keys)[0].as_py()
        row["other_slice_key"] = key_array(others)[0].as_py()
        return {**row, "note": data["reason"]}


_FIELDS = {field.name: field.type for field in dataclasses.fields(Check)}
_OWN = tuple(
    name
    for name in _FIELDS
    if name not in ("key", "slice", "slice_key", "other_slice_key", "several_models")
)
_NUMBERS = tuple(name for name in _OWN if _FIELDS[name] == "float")


def _strict(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value
