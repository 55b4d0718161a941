# SPDX-License-Identifier: Apache-2.0
"""The tests of stages: the defaults are what `evaluate` uses, and may be extended."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import benison
from benison.evaluation import job
from tests.conftest import config

SLICES = ({}, {"feature_keys": ["hour"]}, {"feature_keys": ["tags"]})
BOUND = {"value_threshold": {"lower_bound": 0.7}}


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture
def stopped_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    moment = types.SimpleNamespace(isoformat=lambda **_: "2026-01-31T12:00:00+00:00")
    clock = types.SimpleNamespace(now=lambda zone: moment)
    monkeypatch.setattr(
        job, "datetime", types.SimpleNamespace(datetime=clock, timezone=job.datetime.timezone)
    )
    monkeypatch.setattr(job, "time", types.SimpleNamespace(monotonic=lambda: 0.0))


@pytest.mark.usefixtures("stopped_clock")
def test_the_defaults_are_what_an_evaluation_uses(trips: pa.Table, tmp_path: Path) -> None:
    auc = {"class_name": "AUC", "threshold": BOUND}
    made = benison.EvalConfig.load(config(auc, "CalibrationPlot", slices=SLICES))
    full = made.with_defaults(has_baseline=False)
    stages: dict[str, Any] = {
        "extractors": benison.default_extractors(full),
        "evaluators": benison.default_evaluators(full),
        "writers": benison.default_writers(),
    }
    output = tmp_path / "out"
    benison.evaluate(trips, made, output=output)
    unasked = contents(output)
    benison.evaluate(trips, made, output=output, overwrite=True, **stages)
    assert "report.html" in unasked
    assert contents(output) == unasked
