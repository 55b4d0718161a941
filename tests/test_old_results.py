# SPDX-License-Identifier: Apache-2.0
"""Results of every schema that a release has written are loaded, shown, compared and verified."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

import benison
from benison.cli import app

DATA = Path(__file__).parent / "data"
SCHEMAS = ("result-schema-1", "result-schema-2")


@pytest.mark.parametrize("name", SCHEMAS)
def test_values_are_where_they_were(name: str) -> None:
    result = benison.load_result(DATA / name)
    assert result.value("auc") == pytest.approx(0.864000716492768)
    assert result.value("auc", kind="change") == result.value("auc_diff") > 0.05
    assert result.value("auc", slice="Overall vs company=company 0") == pytest.approx(
        result.value("auc") - result.value("auc", slice={"company": "company 0"})
    )
    ratio = result.value("auc", slice="Overall vs company=company 0", kind="slice_ratio")
    assert ratio == result.value("auc_ratio", slice="Overall vs company=company 0")
    assert result.verdict.blessed
    assert result.plots["plot"].to_pylist()[0] == "calibration_plot"
    assert len(result.slices()) == 9


def test_what_schema_1_did_not_know_is_not_made_up() -> None:
    metrics = benison.load_result(DATA / SCHEMAS[0]).metrics
    assert set(metrics["evaluated"].to_pylist()) == {None}
    assert metrics["std_error"].is_null(nan_is_null=True).to_pylist() == [True] * len(metrics)


def test_both_schemas_hold_the_same() -> None:
    old, new = (benison.load_result(DATA / name) for name in SCHEMAS)
    compared = old.compare(new).to_pylist()
    known = [row for row in compared if row["kind"] != "slice_ratio" or row["metric"] == "auc"]
    assert {row["difference"] for row in known if row["value"] == row["value"]} == {0.0}


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_commands_take_them(name: str, tmp_path: Path) -> None:
    for arguments in (
        ["show", str(DATA / name)],
        ["show", str(DATA / name), "--compare", str(DATA / SCHEMAS[0])],
        ["verify", str(DATA / name)],
        ["gate", str(DATA / name)],
        ["report", str(DATA / name), "--output", str(tmp_path / "page.html")],
    ):
        run = CliRunner().invoke(app, arguments)
        assert run.exit_code == 0, run.output
