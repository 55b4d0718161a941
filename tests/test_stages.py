# SPDX-License-Identifier: Apache-2.0
"""The tests of stages: the defaults, evaluators whose output is rows, and transforms of Beam."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import types
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import benison
from benison.engine import transforms
from benison.evaluation import job
from benison.output import blessing
from benison.output.writers import JsonWriter
from tests.conftest import config, taxi_like

SLICES = ({}, {"feature_keys": ["hour"]}, {"feature_keys": ["tags"]})
BOUND = {"value_threshold": {"lower_bound": 0.7}}


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture
def stopped_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    moment = types.SimpleNamespace(isoformat=lambda **_: "2026-01-31T12:00:00+00:00")
    clock = types.SimpleNamespace(now=lambda zone: moment)
    zone = job.datetime.UTC
    monkeypatch.setattr(job, "datetime", types.SimpleNamespace(datetime=clock, UTC=zone))
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


# Evaluators whose output is rows.

ASKED = {"options": {"analysis_columns": ["trip", "tags"]}}
ENGINES = ("local", "beam")


def with_trips(rows: int = 300) -> pa.Table:
    return taxi_like(rows).append_column("trip", pa.array(range(rows)))


def run(data: Any, engine: str, made: dict[str, Any], **more: Any) -> benison.EvalResult:
    options = ["--runner=FnApiRunner"] if engine == "beam" else []
    return benison.evaluate(data, made, engine=engine, engine_options=options, **more)


def in_files(table: pa.Table, folder: Path, parts: int) -> str:
    folder.mkdir()
    edges = [table.num_rows * i // parts for i in range(parts + 1)]
    for i, (start, end) in enumerate(itertools.pairwise(edges)):
        pq.write_table(table.slice(start, end - start), folder / f"{i}.parquet", row_group_size=50)
    return str(folder)


@pytest.mark.parametrize("engine", ENGINES)
def test_rows_are_written_with_their_predictions_and_slices(tmp_path: Path, engine: str) -> None:
    trips = with_trips()
    data = in_files(trips, tmp_path / "data", 3)
    run(data, engine, {**config("AUC", slices=SLICES), **ASKED}, output=tmp_path / "out")
    rows = benison.load_result(tmp_path / "out").analysis()
    assert rows.column_names == ["trip", "tags", "labels", "predictions", "slices", "slice_keys"]
    assert rows["trip"].to_pylist() == list(range(trips.num_rows))
    assert rows["tags"].to_pylist() == trips["tags"].to_pylist()
    for ours, theirs in (("labels", "label"), ("predictions", "prediction")):
        np.testing.assert_array_equal(rows[ours].to_numpy(), trips[theirs].to_numpy())
    for i, row in enumerate(trips.select(["hour", "tags"]).to_pylist()):
        names = {"Overall"} | {f"tags={tag}" for tag in row["tags"] or ()}
        names |= set() if row["hour"] is None else {f"hour={row['hour']}"}
        assert set(rows["slices"][i].as_py()) == names
        keys = rows["slice_keys"][i].as_py()
        assert {", ".join(f"{p['feature']}={p['value']}" for p in key) for key in keys} == {
            name.replace("Overall", "") for name in names
        }
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_metrics_of_the_rows_of_a_slice_are_those_of_the_slice(tmp_path: Path) -> None:
    made = {**config("MeanPrediction", "ExampleCount", slices=SLICES), **ASKED}
    result = benison.evaluate(with_trips(), made)
    rows = result.analysis().to_pandas()
    exploded = rows.explode("slices").groupby("slices").predictions.agg(["mean", "size"])
    assert set(exploded.index) == set(result.slices())
    for name, of in exploded.iterrows():
        assert result.value("mean_prediction", name) == pytest.approx(of["mean"])
        assert result.value("example_count", name) == of["size"]


def test_the_rows_are_sealed_with_the_rest(tmp_path: Path) -> None:
    made = {**config("AUC", slices=SLICES), **ASKED}
    result = benison.evaluate(with_trips(), made, output=tmp_path / "out")
    (file,) = (tmp_path / "out" / "analysis").iterdir()
    assert result.analysis().num_rows == 300
    listed = json.loads((tmp_path / "out" / "manifest.json").read_text())["files"]
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert listed[f"analysis/{file.name}"]["sha256"] == digest
    blessing.verify(tmp_path / "out")
    changed = bytearray(file.read_bytes())
    changed[10] ^= 1
    file.write_bytes(bytes(changed))
    with pytest.raises(benison.OutputError, match=r"analysis-00000.* was changed after"):
        blessing.verify(tmp_path / "out")
    with pytest.raises(benison.OutputError, match="not as it was written"):
        benison.load_result(tmp_path / "out").analysis()


@dataclasses.dataclass(frozen=True)
class Misses:
    """The trips that were scored on the wrong side of one half."""

    stage_name: str = "Misses"
    run_after: str = "ExtractSliceKeys"
    columns: tuple[str, ...] = ("trip",)
    outputs: tuple[str, ...] = ("misses",)

    def rows(self, extracts: Any) -> pa.RecordBatch:
        at = ("", "")
        wrong = (extracts["labels"][at] > 0.5) != (extracts["predictions"][at] > 0.5)
        trips = extracts["features"].column("trip").filter(pa.array(wrong))
        return pa.RecordBatch.from_pydict({"trip": trips})


class TripsAsText:
    """Writes the misses as text, a line for each."""

    stage_name = "WriteTrips"

    def write(self, evaluation: Any, directory: Path) -> None:
        numbers = (str(n) for batch in evaluation["misses"] for n in batch["trip"].to_pylist())
        (directory / "misses.txt").write_text("\n".join(numbers))


@pytest.mark.parametrize("engine", ENGINES)
def test_an_evaluator_of_rows_of_ones_own(tmp_path: Path, engine: str) -> None:
    trips = with_trips()
    data = in_files(trips, tmp_path / "data", 2)
    writers = [*benison.default_writers(), TripsAsText()]
    out = tmp_path / "out"
    run(data, engine, config("AUC"), evaluators=[Misses()], writers=writers, output=out)
    frame = trips.to_pandas()
    wrong = frame.trip[(frame.label > 0.5) != (frame.prediction > 0.5)].tolist()
    assert benison.load_result(out).analysis("misses")["trip"].to_pylist() == wrong
    assert (out / "misses.txt").read_text().split() == [str(trip) for trip in wrong]


def test_rows_that_were_not_asked_for(tmp_path: Path) -> None:
    result = benison.evaluate(with_trips(), config("AUC"), output=tmp_path / "out")
    assert not (tmp_path / "out" / "analysis").exists()
    with pytest.raises(benison.DataError, match="have no rows 'analysis'"):
        result.analysis()
    none = benison.evaluate(with_trips(), config("AUC"), evaluators=[Misses()])
    with pytest.raises(benison.DataError, match="There are: misses|mean 'misses'"):
        none.analysis("misse")


def test_a_failed_run_leaves_no_rows(tmp_path: Path) -> None:
    class Broken(Misses):
        def rows(self, extracts: Any) -> pa.RecordBatch:
            raise benison.DataError("no rows today")

    made = {**config("AUC"), **ASKED}
    with pytest.raises(benison.DataError, match="no rows today"):
        benison.evaluate(with_trips(), made, evaluators=[Broken()], output=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_rows_of_other_columns_are_refused(tmp_path: Path) -> None:
    class Fickle(Misses):
        def rows(self, extracts: Any) -> pa.RecordBatch:
            first = extracts["features"].column("trip")[0].as_py() == 0
            return pa.RecordBatch.from_pydict({"a": [1] if first else ["x"]})

    data = in_files(with_trips(), tmp_path / "data", 2)
    with pytest.raises(benison.DataError, match="Misses made rows of a: string after rows of a: i"):
        benison.evaluate(data, config("AUC"), evaluators=[Fickle()])
    with pytest.raises(benison.DataError, match="Misses made rows of a: .* after rows of a: "):
        benison.evaluate(data, config("AUC"), evaluators=[Fickle()], engine="beam")


def test_a_failed_run_leaves_no_file_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(Misses):
        def rows(self, extracts: Any) -> pa.RecordBatch:
            raise benison.DataError("no rows today")

    writers: list[pq.ParquetWriter] = []

    class Kept(pq.ParquetWriter):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            writers.append(self)

    monkeypatch.setattr(pq, "ParquetWriter", Kept)
    broken = Broken(stage_name="Broken", outputs=("broken",))
    with pytest.raises(benison.DataError, match="no rows today"):
        benison.evaluate(with_trips(), config("AUC"), evaluators=[Misses(), broken])
    assert [writer.is_open for writer in writers] == [False]


def test_rows_do_not_show_what_small_slices_hide() -> None:
    hidden = {"options": {"min_slice_size": 5, "analysis_columns": ["trip"]}}
    with pytest.raises(benison.ConfigError, match="slices they are"):
        benison.evaluate(with_trips(), {**config("AUC"), **hidden})
    hidden["options"].pop("analysis_columns")
    with pytest.raises(benison.ConfigError, match="slices they are"):
        benison.evaluate(
            with_trips(),
            {**config("AUC"), **hidden},
            evaluators=[benison.AnalysisEvaluator(["trip"])],
        )


def test_columns_of_the_analysis_are_checked_before_the_data_are_read() -> None:
    unknown = {**config("AUC"), "options": {"analysis_columns": ["tripp"]}}
    with pytest.raises(benison.ConfigError, match=r"analysis_columns\[0\].*mean 'trip'"):
        benison.evaluate(with_trips(), unknown)
    with pytest.raises(
        benison.ConfigError, match="'labels/x' cannot be among.*'labels' or labels/"
    ):
        benison.AnalysisEvaluator(["labels/x"])


def test_all_columns_are_in_an_analysis_that_names_none() -> None:
    data = with_trips()
    every = benison.AnalysisEvaluator(columns=None)
    table = benison.evaluate(data, config("AUC"), evaluators=[every]).analysis()
    assert {*data.column_names} <= {*table.column_names}


def test_rows_of_several_models_classes_and_lists() -> None:
    rows = 40
    rng = np.random.default_rng(0)
    scores = rng.dirichlet(np.ones(3), rows)
    data = pa.table(
        {
            "trip": range(rows),
            "label": rng.integers(0, 3, rows),
            "new": list(scores),
            "old": list(scores[::-1]),
        }
    )
    specs = [
        {"name": "new", "label_key": "label", "prediction_key": "new"},
        {"name": "old", "label_key": "label", "prediction_key": "old", "is_baseline": True},
    ]
    made = {**config("SparseCategoricalAccuracy"), "model_specs": specs}
    written = benison.evaluate(data, made, evaluators=[benison.AnalysisEvaluator(["trip"])])
    table = written.analysis()
    for name in ("new", "old"):
        assert table[f"predictions/{name}"].to_pylist() == data[name].to_pylist()
        np.testing.assert_array_equal(table[f"labels/{name}"], data["label"])


# Stages with a PTransform of their own.


@dataclasses.dataclass(frozen=True)
class Halved:
    """Halves the predictions, by a transform of Beam."""

    stage_name: str = "Halved"
    columns: tuple[str, ...] = ()

    @property
    def ptransform(self) -> Any:
        return beam.Map(halved)


@dataclasses.dataclass(frozen=True)
class LargestTrip:
    """The largest number of a trip, by a transform of Beam."""

    stage_name: str = "LargestTrip"
    run_after: str = "ExtractSliceKeys"
    columns: tuple[str, ...] = ("trip",)
    outputs: tuple[str, ...] = ("largest",)

    @property
    def ptransform(self) -> Any:
        return LargestTransform()


class LargestTransform(beam.PTransform):
    def expand(self, extracts: Any) -> Any:
        numbers = extracts | beam.Map(largest) | beam.CombineGlobally(max)
        return numbers | "AsOutput" >> beam.Map(as_output)


def halved(extracts: Any) -> Any:
    scores = {at: values / 2 for at, values in extracts["predictions"].items()}
    return {**extracts, "predictions": scores}


def largest(extracts: Any) -> int:
    return max(extracts["features"].column("trip").to_pylist())


def as_output(number: int) -> dict[str, Any]:
    return {"largest": {"trip": number}}


def test_stages_bring_their_own_transforms_to_beam(tmp_path: Path) -> None:
    trips = with_trips()
    data = in_files(trips, tmp_path / "data", 2)
    made = benison.EvalConfig.load(config("MeanPrediction", "ExampleCount", slices=SLICES))
    plain = benison.evaluate(trips, made)
    *before, last = benison.default_extractors(made.with_defaults(has_baseline=False))
    writers = [*benison.default_writers(), JsonWriter("WriteLargest", "largest", "largest.json")]
    result = run(
        data,
        "beam",
        made,
        extractors=[*before, Halved(), last],
        evaluators=[LargestTrip(), Misses()],
        writers=writers,
        output=tmp_path / "out",
    )
    assert json.loads((tmp_path / "out" / "largest.json").read_text()) == {"trip": 299}
    for name in plain.slices():
        half = plain.value("mean_prediction", name) / 2
        assert result.value("mean_prediction", name) == pytest.approx(half)
        assert result.value("example_count", name) == plain.value("example_count", name)
    below = trips.to_pandas().query("label == 1").trip.tolist()
    assert sorted(result.analysis("misses")["trip"].to_pylist()) == below


@pytest.mark.parametrize("stage", [Halved(), LargestTrip()])
def test_the_local_engine_refuses_a_transform(stage: Any) -> None:
    made = benison.EvalConfig.load(config("AUC")).with_defaults(has_baseline=False)
    extractors = [*benison.default_extractors(made)]
    more = {"evaluators": [stage]} if hasattr(stage, "outputs") else {}
    extractors += [] if more else [stage]
    words = f"{stage.stage_name} brings a ptransform .* Say engine='beam'"
    with pytest.raises(benison.ConfigError, match=words):
        benison.evaluate(with_trips(), made, extractors=extractors, **more)


def test_an_output_key_that_a_transform_gives_twice() -> None:
    with pytest.raises(
        benison.ConfigError, match="ptransform of Mine gave the output key 'a' twice"
    ):
        transforms.merged([{"a": 1}, {"b": 2}, {"a": 3}], "Mine")
