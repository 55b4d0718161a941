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


IDLE = """
import pytest

pytestmark = pytest.mark.benison_gate(examples="eval.parquet")

@pytest.mark.benison_gate(config="good.json")
def test_without_the_fixture():
    pass

def test_that_never_calls_it(benison_gate):
    pass

def test_that_fails_before(benison_gate):
    assert 1 == 2

def test_beside():
    pass
"""


def test_a_test_that_judges_nothing_fails(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_models=IDLE)
    done = pytester.runpytest_inprocess("--strict-markers", *_plugin(pytester))
    done.assert_outcomes(passed=1, failed=3)
    done.stdout.fnmatch_lines(["*assert 1 == 2"])
    for words in ("The marker benison_gate judges nothing", "taken the fixture benison_gate and"):
        assert words in done.stdout.str()


def _plugin(pytester: pytest.Pytester) -> tuple[str, ...]:
    """What loads the plugin where the environment was installed before it was there."""
    known = pytester._request.config.pluginmanager.hasplugin("benison")
    return () if known else ("-p", "benison_orchestration.pytest_plugin")
