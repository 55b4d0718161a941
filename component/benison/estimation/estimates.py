# SPDX-License-Identifier: Apache-2.0
"""What was estimated: a value with its interval for each slice and metric, in sentences too."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Literal

from benison.estimation.expected_counts import AUC
from benison.estimation.prediction_powered import LEAST_LABELS
from benison.slicing.keys import SliceKey, slice_name

Method = Literal["calibrated_scores", "prediction_powered"]

_FROM = {
    "calibrated_scores": "from scores alone",
    "prediction_powered": "from few labels and the scores of all rows",
}


@dataclasses.dataclass(frozen=True)
class EstimatedMetric:
    """A metric of one slice, as it is estimated to be.

    Attributes:
        slice_key: The slice; nothing is Overall.
        metric: With `estimated_` before its name, so that nobody takes it for a measured one.
        value: NaN where there is none; `reason` says why.
        lower: Where the interval begins.
        upper: Where it ends.
        method: `calibrated_scores`: the interval is of what the labels of these rows will show;
            `prediction_powered`: of what is true of all rows such as these.
        on_reference: What was counted on the reference.
        rows: Rows now that have a score.
        labelled: Of these, rows with a label.
        outside: The share of the rows whose score no row of the reference reaches.
        reason: Why there is no value.
        measured: What the labels show, where all rows with a score have one; else NaN. The AUC is counted
            in cells of the score, to about four digits.
    """

    slice_key: SliceKey
    metric: str
    value: float
    lower: float
    upper: float
    method: Method
    on_reference: float
    rows: int
    labelled: int
    outside: float
    reason: str = ""
    measured: float = math.nan

    @property
    def slice(self) -> str:
        """The name of the slice."""
        return slice_name(self.slice_key)

    @property
    def uncorrected(self) -> str:
        """Why the labels of the slice correct nothing, "" where they do or where there are none."""
        is_few = 0 < self.labelled < min(LEAST_LABELS, self.rows)
        if not is_few or self.reason or self.metric == f"estimated_{AUC}":
            return ""
        return f"too few labels ({self.labelled} < {LEAST_LABELS}), not corrected"

    @property
    def sentence(self) -> str:
        """What is estimated, in words."""
        if self.reason:
            return f"{self.metric} of {self.slice} is not known: {self.reason}.{self._shown}"
        limits = f"between {self.lower:.4g} and {self.upper:.4g}"
        was = f"{self.on_reference:.4g} was measured on the reference"
        how = ", ".join(filter(None, (_FROM[self.method], self.uncorrected)))
        return f"{self.metric} of {self.slice} is {self.value:.4g}, {limits}, {how}; {was}.{self._shown}"

    @property
    def _shown(self) -> str:
        """What the labels say, where they are there."""
        if math.isnan(self.measured):
            return ""
        is_within = self.reason or self.lower <= self.measured <= self.upper
        return f" All labels are there: measured {self.measured:.4g}{'' if is_within else ', outside of it'}."

    def to_dict(self) -> dict[str, Any]:
        """For machines; what is not known is None."""
        fields = dataclasses.asdict(self)
        key = [{"feature": feature, "value": value} for feature, value in self.slice_key]
        known = {k: None if _is_nan(v) else v for k, v in fields.items()}
        return {**known, "slice": self.slice, "slice_key": key, "sentence": self.sentence}


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


@dataclasses.dataclass(frozen=True)
class EstimateReport:
    """Estimates of all slices, Overall first.

    Attributes:
        estimates: One for each slice and metric.
        confidence: Of the intervals.
        reference_rows: Rows of the reference with a label and a score.
        left_out: Rows of the reference without a label or a score.
        unscored: Rows now without a score.
    """

    estimates: tuple[EstimatedMetric, ...]
    confidence: float
    reference_rows: int
    left_out: int
    unscored: int

    def __repr__(self) -> str:
        return f"EstimateReport({len(self.estimates)} estimates)"

    def value(self, metric: str, slice: str = "Overall") -> float:  # noqa: A002 - the field's word
        """The estimate of a metric, by its name with or without `estimated_`.

        Raises:
            KeyError: There is none.
        """
        name = f"estimated_{metric.removeprefix('estimated_')}"
        known = {(each.metric, each.slice): each.value for each in self.estimates}
        return known[name, slice]

    def to_dict(self) -> dict[str, Any]:
        """For machines."""
        rows = [each.to_dict() for each in self.estimates]
        return {**dataclasses.asdict(self), "are_estimates": True, "estimates": rows}
