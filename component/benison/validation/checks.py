# SPDX-License-Identifier: Apache-2.0
"""One check of a verdict: a bound on a metric of one slice, what came of it, and its sentence."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from benison.table.key import KEY_COLUMNS, Key
from benison.table.slices import as_key, key_array
from benison.validation.check_facts import CheckFacts
from benison.validation.sentences import formula, sentence


@dataclasses.dataclass(frozen=True)
class Check(CheckFacts):
    """A check of a verdict, with its sentence."""

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
