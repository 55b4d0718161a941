# SPDX-License-Identifier: Apache-2.0
"""How sure a verdict must be: the level, the correction for many checks, and how often data are looked at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator

from benison.config.faults import ConfigPart, Fault, described
from benison.config.fields import HOLM, Correction, Finite, Positive

OFF: Literal["off"] = "off"
"""In place of options: no interval is computed."""


class LookOptions(ConfigPart):
    """How many candidates may be judged on the same data."""

    most: Positive
    """Each of so many candidates is judged with that share of the false alarms; one more is refused."""


class ConfidenceOptions(ConfigPart):
    """How sure verdicts must be, and which intervals values get."""

    level: Finite = 0.95
    """The confidence of intervals; 1 - level is the share of false alarms over all checks."""
    correction: Correction = HOLM
    """What keeps many checks from raising false alarms: holm, bh (Benjamini-Hochberg) or none."""
    cluster_key: str = ""
    """The column whose equal values mark rows that are no independent evidence, such as those of a user."""
    looks: LookOptions | None = None
    """Shares the false alarms out over all candidates that are judged on the same data."""

    def _faults(self) -> Iterable[Fault]:
        if not 0.5 < self.level < 1:  # noqa: PLR2004 - at a half, one-sided limits are the value itself
            yield Fault(("level",), f"expected a number above 0.5 and below 1, got {self.level:g}.")

    @property
    def alpha(self) -> float:
        """The share of false alarms that one candidate has."""
        return (1 - self.level) / (1 if self.looks is None else self.looks.most)


def _or_off(value: Any) -> Any:
    """YAML 1.1 reads off as false."""
    if value is False or isinstance(value, str) and value == OFF:
        return OFF
    if isinstance(value, Mapping):
        return ConfidenceOptions(**value)
    if value is None or isinstance(value, ConfidenceOptions):
        return value
    raise ValueError(
        f"expected a mapping with level, correction, cluster_key and looks, or off, got {described(value)}."
    )


OrOff: TypeAlias = Annotated[ConfidenceOptions | Literal["off"] | None, BeforeValidator(_or_off)]
