# SPDX-License-Identifier: Apache-2.0
"""The plugin of pytest, in a test run of its own: what its fixture fails, passes and gives back."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.conftest import config, taxi_like

pytest_plugins = ["pytester"]
AUC = {"class_name": "AUC", "threshold": {"value_threshold": {"lower_bound": 0.5}}}
HIGH = {"class_name": "AUC", "threshold": {"value_threshold": {"lower_bound": 0.999}}}
TESTS = """
import pytest

pytestmark = pytest.mark.benison_gate(examples="eval.parquet")

@pytest.mark.benison_gate(config="good.json")
def test_good(benison_gate):
    result = benison_gate()
    assert result.value("auc") > 0.5
    assert result.path.parent.name.startswith("test_good")

@pytest.mark.benison_gate(config="high.json", output="out")
def test_high(benison_gate):
    benison_gate()

@pytest.mark.benison_gate(config="high.json")
def test_named(benison_gate):
    first = benison_gate(config="good.json")
    second = benison_gate("eval.parquet", "good.json")
    assert first.path != second.path
    assert benison_gate(first) is first
    assert benison_gate(str(second.path)).path == second.path
"""
WRITTEN = """
def test_written(benison_gate):
    benison_gate("out")
"""


def test_a_test_fails_unless_its_model_is_blessed(pytester: pytest.Pytester) -> None:
    pq.write_table(taxi_like(300), "eval.parquet")
    for name, metric in (("good", AUC), ("high", HIGH)):
        Path(f"{name}.json").write_text(json.dumps(config(metric)))
    pytester.makepyfile(test_models=TESTS, test_written=WRITTEN)
    done = pytester.runpytest_inprocess("--strict-markers", *_plugin(pytester))
    done.assert_outcomes(passed=2, failed=2)
    done.stdout.fnmatch_lines(
        ["NOT BLESSED: the check failed.", "  auc of Overall is * below the lower bound 0.999."]
    )
    assert "pytest_plugin.py" not in done.stdout.str()  # no traceback of ours


def _plugin(pytester: pytest.Pytester) -> tuple[str, ...]:
    """What loads the plugin where the environment was installed before it was there."""
    known = pytester._request.config.pluginmanager.hasplugin("benison")
    return () if known else ("-p", "benison_orchestration.pytest_plugin")
