# SPDX-License-Identifier: Apache-2.0
"""Metrics of one's own that read columns of every type: a value, or a sentence with the cure."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import benison
from benison.metrics import registry
from benison.metrics.base import ratio
from benison.metrics.statistics import Mean
from benison.metrics.statistics.sums import ArraysStatistic
from tests.conftest import config

ROWS = 4
LABELS, SCORES = [1, 0, 1, 0], [0.9, 0.2, 0.7, 0.4]
Read = Callable[[benison.Inputs], Any]


def as_documented(inputs: benison.Inputs) -> Any:
    return inputs.floats("x")


def without_a_copy(inputs: benison.Inputs) -> Any:
    return inputs.features["x"].to_numpy()


@dataclasses.dataclass(frozen=True)
class Sums(ArraysStatistic):
    read: Read

    def columns(self) -> tuple[str, ...]:
        return ("x",)

    def add(self, inputs: benison.Inputs, codes: Any) -> Any:
        return codes.sum(inputs.weighted(self.read(inputs))), codes.sum(
            inputs.weighted(np.ones(len(inputs)))
        )


@dataclasses.dataclass(frozen=True)
class MeanOfColumn(benison.Metric):
    """Mean of a column."""

    name: str = "mean_of_column"
    read: Read = as_documented

    def statistics(self) -> Any:
        return (Sums(self.read),)

    def result(self, sums: Any) -> Any:
        return ratio(*sums)


@dataclasses.dataclass(frozen=True)
class BadFormula(MeanOfColumn):
    """A formula that fails."""

    name: str = "bad_formula"

    def result(self, sums: Any) -> Any:
        raise KeyError("weights")


@pytest.fixture(autouse=True)
def known() -> Iterator[None]:
    registry.replace("Documented", MeanOfColumn)
    registry.replace("Copied", lambda: MeanOfColumn(read=without_a_copy))
    registry.replace("BadFormula", BadFormula)
    yield
    for name in ("Documented", "Copied", "BadFormula"):
        registry._REGISTRY.pop(name)


def evaluated(column: pa.Array, name: str) -> float:
    table = pa.table({"label": LABELS, "prediction": SCORES, "x": column})
    value: float = benison.evaluate(table, config(name)).value("mean_of_column")
    return value


NUMBERS = [
    pa.array([1, 2, 3, 4], pa.int8()),
    pa.array([1, 2, 3, 4], pa.float32()),
    pa.array([Decimal(1), Decimal(2), Decimal(3), Decimal(4)], pa.decimal128(6, 2)),
    pa.array([[1], [2], [3], [4]]),
    pa.array([1, 2, 3, 4]).dictionary_encode(),
]


@pytest.mark.parametrize("column", NUMBERS, ids=lambda column: str(column.type))
def test_the_documented_way_reads_numbers_of_every_type(column: pa.Array) -> None:
    assert evaluated(column, "Documented") == 2.5


def test_the_documented_way_reads_truth_values_and_missing_ones() -> None:
    assert evaluated(pa.array([True, False, False, False]), "Documented") == 0.25
    assert np.isnan(evaluated(pa.array([1, None, 3, 4]), "Documented"))


DAY = datetime.date(2030, 1, 31)
OTHERS = [
    pa.array(["a", "b", "c", "d"]),
    pa.array([DAY] * ROWS),
    pa.array([datetime.datetime(2030, 1, 31)] * ROWS),
    pa.array([[1, 2]] * ROWS),
    pa.array([{"a": 1}] * ROWS),
]


@pytest.mark.parametrize("column", OTHERS, ids=lambda column: str(column.type))
def test_what_holds_no_numbers_is_refused_with_metric_column_type_and_cure(
    column: pa.Array,
) -> None:
    with pytest.raises(benison.DataError) as raised:
        evaluated(column, "Documented")
    sentence = str(raised.value)
    for part in (
        "The metric mean_of_column fails in line ",
        f"'x' holds {column.type}",
        "Arrow's columns",
    ):
        assert part in sentence


@pytest.mark.parametrize(
    ("column", "cause"),
    [
        (pa.array([1, None, 3, 4]), "zero_copy_only was True"),
        (pa.array([True, False, None, True]), "zero_copy_only was True"),
        (OTHERS[0], "zero_copy_only was True"),
    ],
)
def test_what_a_metric_raises_is_the_users_error_and_names_its_line(
    column: pa.Array, cause: str
) -> None:
    with pytest.raises(benison.DataError) as raised:
        evaluated(column, "Copied")
    sentence = str(raised.value)
    missing = f"'x' holds {column.type}, of which {column.null_count} missing"
    for part in (f"of {__file__}: ArrowInvalid: ", cause, missing, "inputs.floats(name)"):
        assert part in sentence


def test_a_formula_that_fails_names_the_metric() -> None:
    with pytest.raises(
        benison.DataError, match="The metric bad_formula fails in line .*KeyError: 'weights'"
    ):
        evaluated(NUMBERS[0], "BadFormula")


def test_a_function_within_a_statistic_of_ours_is_the_users_too() -> None:
    @dataclasses.dataclass(frozen=True)
    class Broken(benison.Metric):
        """A mean of what cannot be read."""

        name: str = "broken"

        def statistics(self) -> Any:
            return (Mean(without_a_copy),)

        def result(self, mean: Any) -> Any:
            return ratio(*mean)

    registry.replace("Broken", Broken)
    with pytest.raises(benison.DataError, match="The metric broken fails in line"):
        evaluated(OTHERS[0], "Broken")
    registry._REGISTRY.pop("Broken")


def test_a_fault_of_benisons_own_stays_one(monkeypatch: pytest.MonkeyPatch) -> None:
    from benison.metrics.brier import BrierScore

    def result(self: Any, *states: Any) -> Any:
        raise KeyError("ours")

    monkeypatch.setattr(BrierScore, "result", result)
    with pytest.raises(KeyError, match="ours"):
        evaluated(NUMBERS[0], "BrierScore")


def test_a_function_of_sklearns_form_that_fails_is_the_users_error() -> None:
    def broken(y_true: Any, y_pred: Any) -> float:
        raise TypeError("not of this kind")

    benison.from_function(broken, "Functional")
    with pytest.raises(
        benison.DataError, match="The metric Functional fails in line .*not of this kind"
    ):
        evaluated(NUMBERS[0], "Functional")
    registry._REGISTRY.pop("Functional")
