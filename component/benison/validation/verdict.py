# SPDX-License-Identifier: Apache-2.0
"""The records of a verdict: each check, the whole, and their form as strict JSON."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from typing import Any

from benison.errors import OutputError
from benison.slicing.keys import SliceKey

VERDICT_VERSION = 1

BLESSED, NOT_BLESSED, NOT_EVALUATED = "blessed", "not_blessed", "not_evaluated"
PASS, FAIL = "pass", "fail"
VALUE, ABSOLUTE, RELATIVE = "value", "absolute change", "relative change"
MISSING, SMALL = "missing", "small slices"


@dataclasses.dataclass(frozen=True)
class Check:
    """One threshold on one metric of one slice; numbers that do not apply are NaN."""

    slice: str
    slice_key: SliceKey
    metric: str
    model: str
    output: str
    sub_key: str
    aggregation: str
    weighted: bool
    kind: str
    """`value`, `absolute change`, `relative change`; `missing` when there is no slice or no metric to
    judge; `small slices` for all slices of a spec that have fewer than `min_slice_size` examples."""
    value: float
    interval_lower: float
    interval_upper: float
    """Both ends of the 95 % interval of what is judged: of `value`, or of an absolute change."""
    baseline: float
    change: float
    """`candidate - baseline`, divided by `|baseline|` where the kind is `relative change`."""
    lower: float
    upper: float
    """The bounds, inclusive: on `value` or on `change`, whichever `kind` names."""
    examples: int
    formula: str
    """What must hold, exactly, such as `(candidate - baseline) / |baseline| >= -0.01`."""
    outcome: str
    """`pass`, `fail` or `not_evaluated`."""
    reason: str
    """The outcome as a sentence."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for strict JSON: NaN is null, infinities are "inf" and "-inf"."""
        plain = dict(vars(self))
        plain["slice_key"] = [list(pair) for pair in self.slice_key]
        for field in _NUMBERS:
            if not math.isfinite(plain[field]):
                plain[field] = None if math.isnan(plain[field]) else str(plain[field])
        return plain

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Check:
        """The inverse of `to_dict`."""
        values = dict(data)
        values["slice_key"] = tuple((feature, value) for feature, value in data["slice_key"])
        for field in _NUMBERS:
            values[field] = math.nan if data[field] is None else float(data[field])
        return cls(**values)


_NUMBERS = tuple(field.name for field in dataclasses.fields(Check) if field.type == "float")


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What the thresholds say of the model."""

    status: str
    """`blessed`, `not_blessed`, or `not_evaluated` where nothing could be judged."""
    checks: tuple[Check, ...] = ()
    rubber_stamped: bool = False
    """Whether changes went unjudged for want of a baseline."""

    @property
    def blessed(self) -> bool:
        """Whether the model may be served."""
        return self.status == BLESSED

    @property
    def failures(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.outcome == FAIL)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the model is not blessed, a sentence for each failed check."""
        return tuple(check.reason for check in self.failures)

    def summary(self) -> str:
        """The verdict in one sentence."""
        counts = Counter(check.outcome for check in self.checks)
        text = f"{counts[FAIL]:,} of {len(self.checks):,} checks failed"
        if counts[NOT_EVALUATED]:
            text += f", {counts[NOT_EVALUATED]:,} could not be evaluated"
        if not self.checks:
            text = "the config has no thresholds"
        stamped = " There is no baseline, so changes were not judged (rubber-stamped)."
        status = self.status.replace("_", " ").upper()
        return f"{status}: {text}.{stamped if self.rubber_stamped else ''}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for strict JSON, in which an undefined number is null."""
        return {
            "version": VERDICT_VERSION,
            "status": self.status,
            "rubber_stamped": self.rubber_stamped,
            "summary": self.summary(),
            "reasons": list(self.reasons),
            "checks": [check.to_dict() for check in self.checks],
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Verdict:
        """The inverse of `to_dict`.

        Raises:
            OutputError: A newer Benison wrote it.
        """
        if data["version"] > VERDICT_VERSION:
            raise OutputError(
                f"The verdict was written by a newer Benison (version {data['version']}; this one "
                f"reads up to {VERDICT_VERSION}). Upgrade Benison."
            )
        checks = tuple(map(Check.from_dict, data["checks"]))
        return cls(data["status"], checks, data["rubber_stamped"])
