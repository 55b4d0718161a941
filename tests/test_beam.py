# SPDX-License-Identifier: Apache-2.0
"""The Beam engine: states by ranges of slices, what a runner loses, and errors of workers."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

import benison
import benison.beam
from benison.data.shards import Shard
from benison.engine import beam_jobs, clusters
from benison.engine.extract import PredictionsExtractor
from benison.engine.tally import Tally
from benison.output.blessing import verify
from tests.conftest import config, taxi_like
from tests.fuzz import wire
from tests.test_evaluation import same_results, split

OPTIONS = ["--runner=FnApiRunner"]


def test_many_slices_are_merged_in_ranges(tmp_path: Path) -> None:
    """And what is known of their errors: of cells, moments, and areas, which take a sample of the rows."""
    trips = taxi_like(9_000)
    trips = trips.append_column("trip", pa.array(np.arange(9_000) // 2))
    data = split(trips, tmp_path / "data", 3)
    names = ("AUC", "ExampleCount", "Precision", "MeanSquaredError")
    slices = [{}, {"feature_keys": ["trip"]}]
    made = config(*names, slices=slices, options={"confidence": {"level": 0.9}})
    (new,) = made["model_specs"]
    old = {**new, "name": "old", "prediction_key": "old_prediction", "is_baseline": True}
    made["model_specs"] = [{**new, "name": "new"}, old]
    expected = benison.evaluate(data, made)
    same_results(expected, benison.evaluate(data, made, engine="beam", engine_options=OPTIONS))
    assert {*expected.metrics["interval_method"].to_pylist()} >= {"delong", "johnson", "cells"}


SHARDS = [Shard(path, "parquet", pa.schema([])) for path in ("a", "b", "b")]
WHOLE = ((0, 5, 1), (1, 2, 2), (1, 2, 2), (2, 3, 1))


@pytest.mark.parametrize(
    ("pieces", "rows", "words"),
    [
        (WHOLE[1:], {}, "a: of part 0 of the data 0 of 1 pieces reached the result"),
        (WHOLE[:2] + WHOLE[3:], {}, "b: of part 1 of the data 1 of 2 pieces"),
        (WHOLE + WHOLE[:1], {}, "a: of part 0 of the data 2 of 1 pieces"),
        (WHOLE, {"b": 6}, "b holds 6 rows, of which 5 were read"),
    ],
)
def test_what_a_runner_loses_or_doubles_is_an_error(pieces: Any, rows: Any, words: str) -> None:
    Tally(WHOLE).check(SHARDS, {"a": 5, "b": None})
    with pytest.raises(benison.DataError, match=words):
        Tally(pieces).check(SHARDS, rows)


@dataclasses.dataclass(frozen=True)
class Part:
    """A part of the data whose summary is its number, and which has no types."""

    number: int
    path: str = "/a"  # as workers get them

    def run(self) -> tuple[str, int]:
        return self.path, self.number


class Numbers:
    def of_shard(self, part: Any) -> set[int]:
        return {part.number}

    def zero(self) -> set[int]:
        return set()

    def merge(self, some: set[int], others: set[int], /) -> set[int]:
        return some | others


def types(parts: Any, run: beam_jobs.BeamRun) -> Any:
    return {number for _, number in run.types(parts)}


def summary(parts: Any, run: beam_jobs.BeamRun) -> Any:
    return run.summary(parts, Numbers())


@pytest.mark.parametrize("scan", [types, summary])
@pytest.mark.parametrize(
    ("kept", "words"),
    [
        ([0, 1, 2], ""),
        ([0, 2], "of part 1 of the data 0 of 1 pieces"),
        ([0, 1, 2, 2], "of part 2 of the data 2 of 1 pieces"),
    ],
)
def test_what_a_runner_loses_or_doubles_before_the_pass_is_an_error_too(
    scan: Any, kept: list[int], words: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    parts, run = (
        [Part(number) for number in range(3)],
        beam_jobs.BeamRun(str(tmp_path / "a [b] *"), OPTIONS),
    )
    of_runner = beam.Create([(number, parts[number]) for number in kept])
    monkeypatch.setattr(beam_jobs, "_created", lambda pipeline, _: pipeline | of_runner)
    expected = pytest.raises(benison.DataError, match=words) if words else nullcontext()
    with expected:
        assert scan(parts, run) == {0, 1, 2}
    assert not list((tmp_path / "a [b] *").iterdir())


@pytest.mark.parametrize(
    ("options", "folder"),
    [
        (["--temp_location=/a", "--temp_location=/b"], "/b"),
        (["--temp_location", "/b", "--runner=FnApiRunner"], "/b"),
        (["--runner", "x", "--temp", "/b"], None),
    ],
)
def test_the_folder_of_the_workers_may_be_an_argument_of_its_own(
    options: list[str], folder: str | None
) -> None:
    assert clusters.temp_location(options) == folder


@dataclasses.dataclass(frozen=True)
class Raising:
    error: Exception
    stage_name: str = "Raising"
    columns: tuple[str, ...] = ()

    def extract(self, extracts: benison.Extracts) -> benison.Extracts:
        raise self.error


@pytest.mark.parametrize("error", [ZeroDivisionError("of mine"), benison.DataError("so not")])
def test_an_error_on_a_worker_arrives_as_it_was(
    error: Exception, trips: pa.Table, tmp_path: Path
) -> None:
    made, data = benison.EvalConfig.load(config("AUC")), split(trips, tmp_path / "data", 1)
    stages = [*benison.default_extractors(made.with_defaults(False)), Raising(error)]
    staging = tmp_path / "staging"
    options = [*OPTIONS, f"--temp_location={staging}"]
    with pytest.raises(type(error), match=str(error)):
        benison.evaluate(data, made, engine="beam", engine_options=options, extractors=stages)
    assert not list(staging.iterdir())


def test_a_runner_that_ends_the_job_is_said(
    trips: pa.Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(*_: Any) -> None:
        raise RuntimeError("Traceback ...\nChannel closed prematurely.")

    monkeypatch.setattr(FnApiRunner, "run_pipeline", end)
    with pytest.raises(benison.RunnerError, match=r"ended the job: Channel closed .* was written"):
        benison.evaluate(
            split(trips, tmp_path / "data", 1), config("AUC"), engine="beam", engine_options=OPTIONS
        )


def test_a_model_s_path_holds_in_any_folder(in_folder: Path) -> None:
    Path("m.txt").touch()
    paths = {"local": "m.txt", "remote": "s3://bucket/m.txt"}
    there = pickle.loads(pickle.dumps(PredictionsExtractor((), paths, trust_pickle=False)))
    assert there.paths == {**paths, "local": str(in_folder / "m.txt")}


SLICES = [{}, {"feature_keys": ["hour"]}, {"feature_keys": ["company", "hour"]}]
METRICS = ("AUC", "ExampleCount", "Precision", "MeanPrediction")


def evaluate_and_write(elements: list[Any], output: Path, **more: Any) -> benison.EvalResult:
    made = benison.beam.EvaluateAndWrite(config(*METRICS, slices=SLICES), output, **more)
    with beam.Pipeline("FnApiRunner") as pipeline:
        _ = pipeline | beam.Create(elements) | made
    return benison.load_result(output)


ELEMENTS: dict[str, Callable[[pa.Table], list[Any]]] = {
    "batches": lambda trips: trips.to_batches(300),
    "dicts": pa.Table.to_pylist,
    "examples": lambda trips: [wire.example(row) for row in trips.to_pylist()],
}


@pytest.mark.parametrize("kind", ELEMENTS)
def test_elements_of_a_pipeline_are_evaluated_as_a_table_is(
    kind: str, trips: pa.Table, tmp_path: Path
) -> None:
    trips = trips.select(["label", "prediction", "hour", "company"])
    schema = trips.schema if kind == "batches" else None
    written = evaluate_and_write(ELEMENTS[kind](trips), tmp_path / "out", schema=schema)
    expected = benison.evaluate(trips, config(*METRICS, slices=SLICES))
    tolerance = 1e-6 if kind == "examples" else 1e-12  # whose floats have 32 bits
    same_results(expected, written, tolerance)
    assert verify(tmp_path / "out")["rows"] == len(trips)


def test_types_are_those_of_all_elements(tmp_path: Path) -> None:
    rows = [{"label": 1, "prediction": 0}, {"label": None, "prediction": 0.5}, {"company": "a"}]
    made = benison.beam.EvaluateAndWrite(
        config("ExampleCount", "MeanPrediction", slices=[{}, {"feature_keys": ["company"]}]),
        tmp_path / "out",
    )
    with beam.Pipeline("FnApiRunner") as pipeline:
        _ = pipeline | beam.Create(rows) | made
        pipeline.run().wait_until_finish()  # as a runner does that tries again
    result = benison.load_result(tmp_path / "out")
    assert result.value("example_count") == 3
    assert result.value("example_count", slice={"company": "a"}) == 1


def test_rows_are_told_apart_by_their_key(trips: pa.Table, tmp_path: Path) -> None:
    trips = trips.append_column("trip", pa.array(range(len(trips))))
    options = {
        "compute_confidence_intervals": True,
        "confidence_intervals": {"method": "JACKKNIFE"},
    }
    made = {**config("AUC"), "options": options}
    with pytest.raises(benison.ConfigError, match="row_key: is missing. Intervals"):
        benison.beam.Evaluate(made)
    with pytest.raises(benison.ConfigError, match=r"row_key.*'trap'.*Did you mean 'trip'"):
        benison.beam.Evaluate(made, row_key="trap", schema=trips.schema)
    bounds = []
    for name, order in (("a", 1), ("b", -1)):
        batches = trips.to_batches(300)[::order]
        with beam.Pipeline("FnApiRunner") as pipeline:
            to = benison.beam.EvaluateAndWrite(made, tmp_path / name, row_key="trip")
            _ = pipeline | beam.Create(batches) | to
        bounds.append(benison.load_result(tmp_path / name).metrics["lower"].to_pylist())
    np.testing.assert_allclose(bounds[0], bounds[1], rtol=1e-12)
    assert np.isfinite(bounds[0]).all()
    with beam.Pipeline("FnApiRunner") as pipeline:
        to = benison.beam.EvaluateAndWrite(made, tmp_path / "c", row_key="hour")
        _ = pipeline | beam.Create(trips.to_batches()) | to
    (advice,) = benison.load_result(tmp_path / "c").manifest["advice"]
    assert "rows that were looked at share their options.row_key (hour)" in advice


def test_what_is_wrong_with_elements_is_said() -> None:
    wrong = [{"label": 1, "prediction": "high"}, {"label": 0, "prediction": 0.5}]
    pipeline = beam.Pipeline("FnApiRunner")
    _ = pipeline | beam.Create(wrong) | benison.beam.Evaluate(config("AUC"))
    with pytest.raises(benison.DataError, match="'prediction' holds float, str"):
        pipeline.run().wait_until_finish()
