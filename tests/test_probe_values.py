# SPDX-License-Identifier: Apache-2.0
"""The value that a bound is held against: of which rows it is, by which weights, and of which sign."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from benison.config import ProbeSpec
from benison.probes.probe_findings import ProbeFinding
from benison.probes.running import probed
from benison.probes.subject import Subject

Model: TypeAlias = "Callable[[pa.RecordBatch], Any]"
ROWS = 240


def zero(rows: pa.RecordBatch) -> Any:
    return np.zeros(rows.num_rows)


def subject_of(model: Model, labels: Any = None, *, options: Any = None, **columns: Any) -> Subject:
    rows = pa.RecordBatch.from_pydict({name: pa.array(column) for name, column in columns.items()})
    known = None if labels is None else np.asarray(labels, np.float64)
    return Subject(model, rows, tuple(columns), known, **(options or {}))


def finding(subject: Subject, name: str, *features: str, **options: Any) -> ProbeFinding:
    spec = ProbeSpec(name=name, features=features, **options)
    ((_, only),) = probed(subject, [spec], 10**6, 0.05)
    return only


def test_the_largest_gap_of_residuals_is_judged_either_way() -> None:
    rng = np.random.default_rng(4)
    city = np.repeat(["few", "low", "high"], [25, 100, 115])
    means = np.repeat([3.0, -1.0, 0.0], [25, 100, 115])
    labels = means + rng.normal(0, np.where(city == "few", 9, 0.3))
    gap = finding(subject_of(zero, labels, city=city), "residuals_by_feature", "city")
    gaps = {each: labels[city == each].mean() - labels[city != each].mean() for each in set(city)}
    largest = max(gaps, key=lambda each: abs(gaps[each]))
    assert gap.detail == largest
    assert np.isclose(gap.value, abs(gaps[largest]))
    assert gap.is_notable  # for the low ones, of which it is clear
    assert "clearest where it is low labels are lower" in gap.words
    below = finding(subject_of(zero, -labels, city=city), "residuals_by_feature", "city")
    assert np.isclose(below.value, gap.value)
    assert "labels are lower" in below.words


def test_residuals_that_a_feature_explains_wholly_are_notable() -> None:
    city = np.repeat(["a", "b"], ROWS // 2)
    gap = finding(subject_of(zero, city == "a", city=city), "residuals_by_feature", "city")
    assert (gap.value, gap.lower, gap.upper, gap.is_notable) == (1, 1, 1, True)
    assert "p = 0 over" in gap.words
