# SPDX-License-Identifier: Apache-2.0
"""What tables leave out in a narrow terminal, and what they keep whole."""

from __future__ import annotations

import dataclasses
import math
import re
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

import benison
from benison import EvalResult
from benison.terminal.probe_table import probes
from benison.terminal.weak_slice_table import weak_slices
from tests.component.test_terminal import AUC, MODELS, show, table_of
from tests.conftest import config, taxi_like

INTERVALS = {"options": {"compute_confidence_intervals": True}}


@pytest.fixture(scope="module")
def with_intervals(tmp_path_factory: pytest.TempPathFactory) -> list[EvalResult]:
    folder = tmp_path_factory.mktemp("narrow")
    slices = ({}, {"feature_keys": ["company"]})
    made = {**config(AUC, "Precision", slices=slices), "model_specs": MODELS, **INTERVALS}
    return [
        benison.evaluate(taxi_like(2_000, seed), made, output=folder / f"run-{seed}")
        for seed in range(2)
    ]


@pytest.mark.parametrize("width", [60, 80, 100, 132, 200])
@pytest.mark.parametrize("way", ["worst", "slice", "compare"])
def test_a_narrow_terminal_leaves_out_columns_and_no_letters(
    with_intervals: list[EvalResult], width: int, way: str
) -> None:
    new, old = with_intervals
    more = {"worst": [], "slice": ["--slice", "Overall"], "compare": ["--compare", old.path]}[way]
    text = show(new.path, *more, COLUMNS=str(width))
    lines = [line for line in text.splitlines() if re.match("[│┃┏┡└]", line)]
    assert lines
    assert all(len(line) <= width for line in lines)
    whole = show(new.path, *more, COLUMNS="250")
    assert {cell for row in table_of(text) for cell in row} <= {
        cell for row in table_of(whole) for cell in row
    }
    assert set(headings_of(text)) <= set(headings_of(whole))
    assert "change" in headings_of(text)
    if way != "compare" and width >= 80:  # what a threshold is held against stays beside the change
        changes = dict.fromkeys(row[-2] for row in table_of(whole) if " to " in row[-2])
        assert changes
        assert [row[-2] for row in table_of(text) if row[-2] in changes] == [*changes]
    left_out = "No room for: " in text
    assert left_out == (len(headings_of(text)) < len(headings_of(whole)))
    assert not left_out or width < 200


NAMES = ("hour=21, station=Harbor", "a_feature_with_a_long_name=[1.54, 2.69), station=Harbor")


WEAK = {
    "model": "", "output": "", "loss": "change", "measure": "decision", "effect": 0.755, "lower": 0.297,
    "upper": 0.926, "mean_loss": 0.7654, "expected": 0.00921, "confirmed_on": 34, "examples": 11_821,
    "share_of_errors": 0.1,
}  # fmt: skip


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_weak_slices_keep_their_names_in_a_narrow_terminal(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    table = pa.Table.from_pylist([{**WEAK, "slice": name} for name in NAMES])
    made = SimpleNamespace(weak_slices=SimpleNamespace(loss="change"))
    weak_slices(SimpleNamespace(config=made, weak_slices=table))  # type: ignore[arg-type]
    text = capsys.readouterr().out
    assert all(len(line) <= width for line in text.splitlines())
    rows = table_of(text)
    assert "".join(row[0] for row in rows).replace(" ", "") == "".join(NAMES).replace(" ", "")
    assert [row[1] for row in rows if row[1]] == ["0.755", "0.755"]
    assert "…" not in text
    assert ("No room for: " in text) == (width < 200)


def finding(outcome: str, notable: bool, bound: float = 0.02, **more: Any) -> dict[str, Any]:
    side = "" if math.isnan(bound) else "upper"
    given = {
        "probe": "permutation_importance",
        "feature": "distance_km",
        "detail": "binary_accuracy",
    }
    numbers = {"count": None, "rows": 1000, "value": 0.118, "lower": 0.099, "upper": 0.137}
    judged = {"bound": bound, "side": side, "outcome": outcome, "notable": notable}
    return {
        **given,
        **numbers,
        **judged,
        "sentence": f"It is {outcome or 'without a bound'}.",
    } | more


def test_probes_have_a_mark_for_what_came_of_them_and_whole_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    given = (("pass", True), ("fail", True), ("undecided", False))
    rows = [finding(*each) for each in given] + [finding("", True, math.nan)]
    probes(SimpleNamespace(probes=pa.Table.from_pylist(rows)))  # type: ignore[arg-type]
    text = capsys.readouterr().out
    cells = [row for row in table_of(text) if row[0]]
    assert [row[-1] for row in cells] == ["", "✗", "~", "!"]
    assert {row[0] for row in cells} == {"permutation_importance"}
    assert {word for row in table_of(text) for word in row[1].split()} == {
        "distance_km",
        "binary_accuracy",
    }
    assert "✗ fails its bound; ~ undecided; ! notable, without a bound" in text
    marked = [line.strip() for line in text.splitlines() if "It is " in line]
    assert marked == [
        "It is pass.",
        "✗ It is fail.",
        "~ It is undecided.",
        "! It is without a bound.",
    ]


def headings_of(text: str) -> list[str]:
    lines = [line for line in text.splitlines() if "┃" in line]
    return [cell.strip() for line in lines for cell in line.split("┃")[1:-1]]


def test_the_history_in_a_narrow_terminal_keeps_its_times_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from benison import terminal
    from benison.lineage.history import Blessing

    monkeypatch.setenv("COLUMNS", "80")
    fields = {field.name: "" for field in dataclasses.fields(Blessing)}
    made = Blessing(**{**fields, "id": 123456, "created": "2030-01-31T12:00:00+00:00",
                       "status": "not_blessed", "model": "m" * 50, "reasons": ("word " * 30,)})  # type: ignore[arg-type]  # fmt: skip
    terminal.blessings([made])
    text = capsys.readouterr().out
    for whole in ("123456", "2030-01-31T12:00:00+00:00", "not blessed"):
        assert whole in text
