# SPDX-License-Identifier: Apache-2.0
"""The tests of the errors: what they say is on the lines that Benison meant, whatever names hold."""

from __future__ import annotations

import logging
import pickle

import pytest

import benison
from benison.errors import (
    BenisonError,
    ConfigError,
    DataError,
    MissingExtraError,
    OutputError,
    suggestion,
)
from tests.conftest import config, taxi_like

HOSTILE = "x\n::stop-commands::me\r\x1b[2J\u202e"


def test_a_name_in_an_error_stays_on_its_line() -> None:
    for error in (
        DataError(f"no column {HOSTILE}"),
        ConfigError([(HOSTILE, f"is not {HOSTILE}")]),
        OutputError(f"{HOSTILE} was changed."),
        MissingExtraError(HOSTILE, "x"),
    ):
        assert len(str(error).splitlines()) == 1
        assert str(error).isprintable()
        assert "\\n::stop-commands::me\\r\\x1b[2J\\u202e" in str(error)
    assert str(OutputError("a", "b")) == "a\nb"
    assert str(ConfigError([("a", "b"), ("", "c")])) == "a: b\nc"


def test_hints_are_printable() -> None:
    assert suggestion("zzz", [HOSTILE, "b"]).isprintable()
    assert suggestion(HOSTILE + "1", [HOSTILE, "b"]).isprintable()


@pytest.mark.parametrize(
    "error",
    [
        BenisonError("a", "b"),
        ConfigError([("a", "b"), ("c", "d\ne")]),
        MissingExtraError("pandas", "pandas"),
        DataError("a\nb"),
    ],
)
def test_an_error_travels_from_another_process(error: BenisonError) -> None:
    arrived = pickle.loads(pickle.dumps(error))
    assert (type(arrived), str(arrived), vars(arrived)) == (type(error), str(error), vars(error))


def test_the_log_keeps_a_slice_on_one_line(caplog: pytest.LogCaptureFixture) -> None:
    trips = taxi_like(100)
    trips = trips.set_column(
        trips.schema.get_field_index("company"), "company", [[HOSTILE] * trips.num_rows]
    )
    bound = {"value_threshold": {"lower_bound": {"value": 2.0}}}
    metric = {"class_name": "BinaryAccuracy", "threshold": bound}
    with caplog.at_level(logging.INFO, "benison"):
        result = benison.evaluate(trips, config(metric, slices=[{"feature_keys": ["company"]}]))
    assert not result.verdict.blessed
    assert caplog.messages
    assert all(message.isprintable() for message in caplog.messages)
    assert any("stop-commands" in message for message in caplog.messages)
