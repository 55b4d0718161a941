# SPDX-License-Identifier: Apache-2.0
"""The Beam engine: states by ranges of slices, what a runner loses, and errors of workers."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import benison
from benison.data.shards import Shard
from benison.engine.tally import Tally
from tests.conftest import config, taxi_like
from tests.test_evaluation import same_results, split

OPTIONS = ["--runner=FnApiRunner"]


def test_many_slices_are_merged_in_ranges(tmp_path: Path) -> None:
    trips = taxi_like(6_000)
    trips = trips.append_column("trip", pa.array(range(6_000)))
    data = split(trips, tmp_path / "data", 3)
    made = config("AUC", "ExampleCount", "Precision", slices=[{}, {"feature_keys": ["trip"]}])
    expected = benison.evaluate(data, made)
    same_results(expected, benison.evaluate(data, made, engine="beam", beam_options=OPTIONS))


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
        benison.evaluate(data, made, engine="beam", beam_options=options, extractors=stages)
    assert not list(staging.iterdir())
