# SPDX-License-Identifier: Apache-2.0
"""Chooses among the verdicts of several evaluations, such as those of a mapped task."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

from benison.errors import ConfigError
from benison.validation.terms import UNDECIDED

WHEN = ("all", "any", "best")
_LOGGER = logging.getLogger("benison")


def check_choice(when: str | None, by: str | None) -> None:
    """Check how verdicts are to be chosen.

    Raises:
        ConfigError: `when` is unknown, or `best` does not say by which metric.
    """
    if when is not None and when not in WHEN:
        raise ConfigError(f"when is {when!r}; it may be {', '.join(WHEN)}.")
    if (when == "best") != (by is not None):
        raise ConfigError("when='best' needs by=, the metric to compare; nothing else takes it.")


def choose(
    verdict: Any,
    when: str | None = None,
    by: str | None = None,
    least: bool = False,
    undecided: bool = True,
) -> Any:
    """What is blessed of a verdict or of several; None when the way is not open.

    Args:
        verdict: The outcome of an evaluation, or a list of them; None is one that gave none.
        when: `all`, `any`, or `best`: the blessed one with the best value of `by`.
        by: A metric's name in the outcomes' `metrics`.
        least: Whether the least value is the best.
        undecided: Whether one is blessed of which checks are undecided. Without it, none is of which that is
            not known, as an older Benison did not count.

    Returns:
        The outcome; the list of all; of `any`, the list of those that are blessed; of `best`, that one.

    Raises:
        ConfigError: There are several, and nobody has said what is to be blessed; or `by` is no metric of
            theirs.
    """
    if verdict is None or isinstance(verdict, Mapping):
        return verdict if _is_blessed(verdict, undecided) else None
    several = list(verdict)
    if when is None:
        raise ConfigError(f"There are {len(several)} verdicts: say when='all', 'any' or 'best'.")
    blessed = [each for each in several if _is_blessed(each, undecided)]
    if not blessed or (when == "all" and len(blessed) < len(several)):
        return None
    return blessed if by is None else _best(blessed, by, least)


def _is_blessed(verdict: Any, undecided: bool) -> bool:
    if not isinstance(verdict, Mapping) or verdict.get("status") != "blessed":
        return False
    return undecided or _is_decided(verdict)


def _is_decided(verdict: Mapping[str, Any]) -> bool:
    count = (verdict.get("counts") or {}).get(UNDECIDED)
    if count is None:
        _LOGGER.warning(
            "A verdict does not say how many checks are undecided, as it is of an older Benison: it is not "
            "taken for blessed where undecided=False. Evaluate again."
        )
    return count == 0


def _best(blessed: Sequence[Mapping[str, Any]], by: str, least: bool) -> Mapping[str, Any]:
    with_value = [each for each in blessed if math.isfinite(each["metrics"].get(by, math.nan))]
    if not with_value:
        names = sorted({name for each in blessed for name in each["metrics"]})
        raise ConfigError(f"No verdict has a value of {by!r}. There are: {', '.join(names[:20])}.")
    sign = -1 if least else 1
    return max(with_value, key=lambda each: sign * each["metrics"][by])
