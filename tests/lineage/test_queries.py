# SPDX-License-Identifier: Apache-2.0
"""Rows of a real PostgreSQL, by a query through ADBC: the numbers of the same rows as a table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import benison
from benison.data.dataset import Dataset
from benison.output import blessing
from tests.conftest import config, taxi_like
from tests.lineage import servers

TRIPS = taxi_like(400).select(["label", "prediction", "company", "hour"])
MADE = config(
    "AUC", "MeanPrediction", slices=({}, {"feature_keys": ["company"]}, {"feature_keys": ["hour"]})
)


@pytest.fixture(scope="module")
def address(postgresql: str) -> Iterator[str]:
    """A database with the table `trips`; the password is in the environment."""
    psycopg = pytest.importorskip("psycopg")
    pytest.importorskip("adbc_driver_postgresql")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENISON_METADATA_PASSWORD", servers.PASSWORD)
        patch.setenv("PGPASSWORD", servers.PASSWORD)
        url = servers.new_store("sql+postgresql", postgresql).partition("?")[0]
        address = url.removeprefix("sql+")
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(
                "CREATE TABLE trips (label real, prediction double precision, company text, hour bigint)"
            )
            with connection.cursor().copy("COPY trips FROM STDIN") as copy:
                for row in TRIPS.to_pylist():
                    copy.write_row([*row.values()])
        yield address


def compared(result: benison.EvalResult) -> dict[tuple[str, str], tuple[float, int]]:
    rows = result.metrics.to_pylist()
    return {(row["metric"], row["slice"]): (row["value"], row["examples"]) for row in rows}


def test_a_query_gives_the_rows(address: str, tmp_path: Path) -> None:
    expected = {k: pytest.approx(v) for k, v in compared(benison.evaluate(TRIPS, MADE)).items()}
    query = "SELECT * FROM trips WHERE ';' <> '' ; -- all of them"
    result = benison.evaluate(f"{address}#{query}", MADE, output=tmp_path / "out")
    assert compared(result) == expected
    blessing.verify(tmp_path / "out")
    exact = "SELECT label::numeric(3, 1), prediction::numeric, company, hour::smallint FROM trips"
    assert compared(benison.evaluate(f"{address}#{exact}", MADE)) == expected


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("SELECT nothing FROM trips", 'refuses the query: .*column "nothing" does not exist'),
        ("SELECT 1 AS label; DROP TABLE trips", "more than one statement"),
        ("DELETE FROM trips", "gives no rows"),
    ],
)
def test_a_query_that_gives_no_rows(query: str, sentence: str, address: str) -> None:
    with pytest.raises(benison.DataError, match=sentence):
        benison.evaluate(f"{address}#{query}", MADE)
    assert benison.evaluate(f"{address}#SELECT * FROM trips", MADE).manifest["rows"] == len(TRIPS)


def test_types_of_postgresql(address: str) -> None:
    columns = {
        "p": "ARRAY[0.25, 0.75]::float8[]",
        "day": "now()",
        "is_new": "true",
        "whole": "7::numeric",
        "part": "avg(label)::numeric",
        "id": "12345678901234567890::numeric",
        "ends": "'Infinity'::numeric",
    }
    selected = ", ".join(f"{value} AS {name}" for name, value in columns.items())
    schema = Dataset.open(f"{address}#SELECT {selected} FROM trips").schema
    assert {name: str(schema.field(name).type) for name in columns} == {
        "p": "list<item: double>",
        "day": "timestamp[us, tz=UTC]",
        "is_new": "bool",
        "whole": "int64",
        "part": "double",
        "id": "string",
        "ends": "double",
    }
