# SPDX-License-Identifier: Apache-2.0
"""A short form of `gates`, `whole_runs`, `coverage` and `slice_coverage`, with limits as wide as so few runs need."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.statistics import slice_coverage
from tests.statistics.coverage import LEAST, MOST, coverages
from tests.statistics.gates import errors, powers
from tests.statistics.interval_table import interval_table
from tests.statistics.whole_runs import KINDS, is_refused

RUNS = 150
OF_MANY = 10
"""Runs with 1,000 slices or more."""


def test_gates_err_seldom() -> None:
    """The error may be 5 %: the lower limit of what is measured is not above it."""
    measured = errors(RUNS, OF_MANY)
    assert [str(each) for each in measured if each.limit(is_upper=False) > 0.05] == []


@pytest.mark.parametrize("kind", KINDS)
def test_whole_runs_bless_equal_models_and_refuse_worse_ones(kind: str) -> None:
    """Of 20 runs three are refused once in 13 suites at the nominal 5 %, which is more than is measured."""
    assert sum(is_refused(kind, seed) for seed in range(20)) <= 3
    assert all(is_refused(kind, seed, worse=3.0) for seed in range(3))
    assert all(is_refused(kind, seed, evidence="point") for seed in range(3))


def test_falls_are_refused() -> None:
    measured = list(powers(RUNS))
    assert [str(each) for each, least in measured if each.limit(is_upper=True) < least] == []


def test_intervals_hold_the_true_value() -> None:
    of_slices = slice_coverage.coverages(2 * RUNS, all_users=20_000)
    measured = [*coverages(RUNS, true_rows=15_000), *of_slices]
    within = (each.limit(True) >= LEAST and each.limit(False) <= MOST for each in measured)
    assert [str(each) for each, holds in zip(measured, within, strict=True) if not holds] == []


def test_the_docs_say_which_metric_has_which_interval() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "verdict.md"
    assert f"\n\n{interval_table()}\n\n" in page.read_text(encoding="utf-8")
