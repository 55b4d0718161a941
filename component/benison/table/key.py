# SPDX-License-Identifier: Apache-2.0
"""The identity of a value: its model, output, class, metric and kind, defined once for the whole package."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

VALUE = "value"
CHANGE = "change"
SLICE_DIFFERENCE = "slice_difference"
SLICE_RATIO = "slice_ratio"
KINDS = (VALUE, CHANGE, SLICE_DIFFERENCE, SLICE_RATIO)
"""`change` is candidate minus baseline, of a slice or of the difference of two slices; the last two compare
a slice with another one."""


@dataclasses.dataclass(frozen=True, order=True)
class Key:
    """The columns of a value beside its slice; "" where one does not apply.

    >>> Key("auc", model="new", sub_key="classId:1").of_model("old").kind
    'value'
    """

    metric: str
    model: str = ""
    output: str = ""
    dataset: str = ""
    variant: str = ""
    sub_key: str = ""
    aggregation: str = ""
    weighted: bool = False
    kind: str = VALUE

    def of_model(self, model: str) -> Key:
        """The same value of another model."""
        return dataclasses.replace(self, model=model)

    def as_kind(self, kind: str) -> Key:
        """The same metric as a value, a change or a comparison of slices."""
        return dataclasses.replace(self, kind=kind)

    @property
    def view(self) -> Key:
        """What the metrics of one table share: all but the metric and its kind."""
        return dataclasses.replace(self, metric="", kind=VALUE)

    @classmethod
    def of(cls, row: Any) -> Key:
        """The key of a row, a mapping with a column for each field."""
        return cls(**{name: row[name] for name in KEY_COLUMNS})


KEY_COLUMNS = tuple(field.name for field in dataclasses.fields(Key))
VIEW_COLUMNS = tuple(name for name in KEY_COLUMNS if name not in ("metric", "kind"))


@dataclasses.dataclass(frozen=True)
class MetricKeys:
    """The values that the thresholds of one metric of the config are about."""

    spec: int
    """The position in `metrics_specs`."""
    metric: int
    """The position in the `metrics` of that spec."""
    name: str
    keys: tuple[Key, ...]
    compares: bool = False
    """Whether each value compares the candidate with the baseline, and so is a change by itself."""
    low: float = -math.inf
    """No value is below it."""
    high: float = math.inf
    """No value is above it."""
