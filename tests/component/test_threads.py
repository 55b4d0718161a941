# SPDX-License-Identifier: Apache-2.0
"""The tests of adding up on several threads: equal results, errors, memory, and how many there are."""

from __future__ import annotations

import functools
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import benison
from benison.data.batch import Extracts
from benison.data.dataset import Dataset
from benison.engine import cores
from tests.conftest import config
from tests.test_evaluation import SLICES, same_results
from tests.test_laws import build, example_config


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    batches = functools.partialmethod(Dataset.batches, batch_size=150)
    monkeypatch.setattr(Dataset, "batches", batches)


def on_trips(name: str, columns: list[str]) -> bool:
    """Whether a metric can be computed of generated trips."""
    metric = build(name)
    reads = {column for statistic in metric.statistics() for column in statistic.columns()}
    fits = metric.accepts & {"binary", "real"} and reads.union(metric.label_names()) <= {*columns}
    return bool(fits) and not metric.needs_groups and name not in ("Accuracy", "ExactMatch")


def compared(metrics: list[Any], **more: Any) -> dict[str, Any]:
    """A config with a baseline, weights and slices of several values."""
    made = config(*metrics, slices=SLICES, **more)
    (spec,) = made["model_specs"]
    old = {**spec, "name": "old", "prediction_key": "old_prediction", "is_baseline": True}
    return {**made, "model_specs": [{**spec, "name": "new"}, old]}


@pytest.mark.parametrize("threads", [2, 5])
def test_every_metric_is_the_same_on_any_number_of_threads(trips: pa.Table, threads: int) -> None:
    names = [name for name in benison.registered() if on_trips(name, trips.column_names)]
    metrics = [{"class_name": name, "config": example_config(name)} for name in names]
    made = compared(metrics, model={"example_weight_key": "weight"})
    expected = benison.evaluate(trips, made, threads=1)
    evaluated = benison.evaluate(trips, made, threads=threads)
    same_results(expected, evaluated)
    assert evaluated.plots.num_rows == expected.plots.num_rows
    assert evaluated.manifest["missing"] == expected.manifest["missing"]
    assert len(expected.metric_names()) > 60


def test_intervals_and_small_slices_are_the_same_on_threads(trips: pa.Table) -> None:
    options = {"compute_confidence_intervals": True, "min_slice_size": 70}
    made = compared(["AUC", "BinaryAccuracy", "MeanSquaredError"], options=options)
    results = [benison.evaluate(trips, made, threads=threads) for threads in (1, 3)]
    same_results(*results)
    again = benison.evaluate(trips, made, threads=3)
    assert again.metrics.equals(results[1].metrics)


class Failing:
    """Fails in a batch, and before it waits until a later one has failed."""

    stage_name = "Failing"
    columns = ("label",)
    concurrent = True

    def __init__(self, failing: dict[int, threading.Event | None], first: list[float]) -> None:
        self.failing, self.first = failing, first

    def extract(self, extracts: Extracts) -> Extracts:
        number = self.first.index(extracts["features"].column("prediction")[0].as_py())
        if number in self.failing:
            before = self.failing[number]
            if before is not None:
                before.wait(5)
            else:
                next(event for event in self.failing.values() if event is not None).set()
            raise benison.DataError(f"batch {number}")
        return extracts


def test_the_first_error_in_the_data_ends_the_run_whichever_thread_is_faster(
    trips: pa.Table,
) -> None:
    made = config("AUC")
    first = [trips["prediction"][i].as_py() for i in range(0, len(trips), 150)]
    stage = Failing({4: threading.Event(), 5: None}, first)
    before = threading.active_count()
    with pytest.raises(benison.DataError, match="batch 4"):
        benison.evaluate(
            trips, made, threads=3, extractors=[*benison.default_extractors(ready(made)), stage]
        )
    assert threading.active_count() == before


def ready(made: dict[str, Any]) -> benison.EvalConfig:
    return benison.EvalConfig.load(made).with_defaults(has_baseline=False)


class RowsInOrder:
    """An evaluator of a user's own, which nobody says threads may share."""

    stage_name = "RowsInOrder"
    run_after = "ExtractSliceKeys"
    columns = ("prediction",)
    outputs = ("order",)

    def zero(self) -> list[float]:
        return []

    def add(self, state: list[float], extracts: Extracts) -> list[float]:
        return state + extracts["features"].column("prediction").to_pylist()

    def merge(self, state: list[float], other: list[float]) -> list[float]:
        raise AssertionError("it is not shared")

    def result(self, state: list[float]) -> dict[str, Any]:
        return {"order": state}


FINISHED = -1


class Waiting:
    """An evaluator whose states wait until a thread says that its last batch has come."""

    stage_name = "Waiting"
    run_after = "ExtractSliceKeys"
    columns = ("prediction",)
    outputs = ("threads",)
    concurrent = True

    def zero(self) -> list[int]:
        return []

    def add(self, state: list[int], extracts: Extracts) -> list[int]:
        return [*state, threading.get_ident()]

    def finish(self, state: list[int]) -> list[int]:
        assert {*state} == {threading.get_ident()}
        return [FINISHED, *state]

    def merge(self, state: list[int], other: list[int]) -> list[int]:
        assert state[0] == other[0] == FINISHED
        return state + other

    def result(self, state: list[int]) -> dict[str, Any]:
        return {"threads": state}


class Kept:
    stage_name = "Kept"

    def write(self, evaluation: dict[str, Any], directory: Path) -> None:
        self.order = evaluation.get("order") or evaluation["threads"]


def test_each_thread_finishes_its_states_before_they_are_merged(
    trips: pa.Table, tmp_path: Path
) -> None:
    writer = Kept()
    benison.evaluate(
        trips,
        config("AUC"),
        threads=3,
        evaluators=[Waiting()],
        writers=[writer, *benison.default_writers()],
        output=tmp_path / "out",
    )
    assert writer.order.count(FINISHED) == 3
    assert len({*writer.order} - {FINISHED}) == 3


def test_what_is_not_shared_gets_all_rows_in_order(trips: pa.Table, tmp_path: Path) -> None:
    writer = Kept()
    result = benison.evaluate(
        trips,
        config("AUC", options={"analysis_columns": ["prediction"]}),
        threads=3,
        evaluators=[RowsInOrder()],
        writers=[writer, *benison.default_writers()],
        output=tmp_path / "out",
    )
    assert writer.order == trips["prediction"].to_pylist()
    rows = pq.read_table(tmp_path / "out" / "analysis")
    assert rows["prediction"].to_pylist() == writer.order
    assert result.value("auc") == pytest.approx(
        benison.evaluate(trips, config("AUC"), threads=1).value("auc"), rel=1e-12
    )


def test_what_fits_on_one_thread_alone_is_read_again_on_one(
    trips: pa.Table, caplog: pytest.LogCaptureFixture
) -> None:
    made = config("AUC", "ConfusionMatrixPlot")
    rounded = pa.array(np.round(trips["prediction"], 2))
    trips = trips.set_column(1, "prediction", rounded)
    expected = benison.evaluate(trips, made, threads=1)
    for limit in (int(4_000 * 1.2**n) for n in range(40)):
        made["options"] = {"memory_limit": limit}
        try:
            benison.evaluate(trips, made, threads=1)
        except benison.DataError as error:
            assert "of memory" in str(error)  # noqa: PT017
        else:
            break
    same_results(benison.evaluate(trips, made, threads=4), expected)
    assert "all rows are read again on one" in caplog.text


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"cpu.max": "150000 100000\n"}, 2),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({}, None),
    ],
)
def test_there_is_a_thread_for_each_core_of_the_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], expected: int | None
) -> None:
    monkeypatch.setattr(cores.os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert cores.cores(tmp_path) == (expected or 64)


def test_how_many_threads_is_what_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENISON_THREADS", "3")
    assert (cores.threads_of(), cores.threads_of(7)) == (3, 7)
    monkeypatch.delenv("BENISON_THREADS")
    assert cores.threads_of() == 1
    assert 1 <= cores.threads_of(0) <= 8
    for value in (-1, True, 1.5, "2"):
        with pytest.raises(benison.ConfigError, match="threads: is a whole number from 0 up"):
            cores.threads_of(value)  # type: ignore[arg-type]
    monkeypatch.setenv("BENISON_THREADS", "many")
    with pytest.raises(benison.ConfigError, match="BENISON_THREADS: .* not 'many'"):
        cores.threads_of()


def test_rows_of_a_column_are_counted_once_on_threads() -> None:
    rows = pa.table({"label": np.tile([0.0, 1.0], 500), "prediction": np.linspace(0, 1, 1000)})
    result = benison.evaluate(rows, config("ExampleCount"), threads=8)
    assert result.value("example_count") == 1000
