# SPDX-License-Identifier: Apache-2.0
"""A short form of `tests.statistics.gates`, with limits as wide as so few runs need."""

from __future__ import annotations

from tests.statistics.gates import errors, powers

RUNS = 150


def test_gates_err_seldom() -> None:
    """The error may be 5 %: the lower limit of what is measured is not above it."""
    assert [str(each) for each in errors(RUNS) if each.limit(is_upper=False) > 0.05] == []


def test_falls_are_refused() -> None:
    measured = list(powers(RUNS))
    assert [str(each) for each, least in measured if each.limit(is_upper=True) < least] == []
