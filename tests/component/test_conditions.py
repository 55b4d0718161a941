# SPDX-License-Identifier: Apache-2.0
"""Conditions on rows, held against SQLite and DuckDB: the same expression chooses the same rows."""

from __future__ import annotations

import datetime
import itertools
import pickle
import sqlite3
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from benison.config import SlicingSpec
from benison.errors import ConfigError
from benison.slicing.encode import ColumnCodes, SpecCodes
from benison.slicing.expressions import Condition

ROWS = 300


def random_table(rng: np.random.Generator) -> pa.Table:
    """Numbers, texts and truth values, a fifth of them missing."""

    def column(values: Any, kind: pa.DataType) -> pa.Array:
        return pa.array(values.tolist(), kind, mask=rng.random(ROWS) < 0.2)

    return pa.table(
        {
            "n": column(rng.integers(-3, 4, ROWS), pa.int64()),
            "m": column(rng.integers(0, 3, ROWS), pa.int32()),
            "x": column(rng.integers(-8, 9, ROWS) / 4, pa.float64()),
            "a word": column(
                rng.choice(["", "a", "ab", "Ab", "b%", "é", "a_b"], ROWS), pa.string()
            ),
            "t": column(rng.choice(["a", "ab", "b", "B"], ROWS), pa.large_string()),
            "b": column(rng.integers(0, 2, ROWS).astype(bool), pa.bool_()),
        }
    )


class Sentences:
    """Random conditions of the part of SQL that is computed, each with its parentheses."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def _pick(self, *choices: str) -> str:
        return choices[self._rng.integers(len(choices))]

    def number(self, depth: int) -> str:
        if depth <= 0 or self._rng.random() < 0.5:
            return self._pick("n", "m", "x", "x", "0", "1", "-2", "0.25", "1e0", "NULL")
        if self._rng.random() < 0.1:
            return f"(-{self.number(0)})".replace("--", "- -")
        left, right = self.number(depth - 1), self.number(depth - 1)
        sign = self._pick("+", "-", "*", "/")
        # SQLite divides integers without a remainder.
        return f"({left} {sign} {'1.0 * ' if sign == '/' else ''}{right})"

    def text(self) -> str:
        return self._pick("t", '"a word"', "'a'", "'ab'", "'it''s'", "''", "NULL")

    def atom(self, depth: int) -> str:
        negated = self._pick("", "NOT ")
        sign = self._pick("=", "<>", "!=", "<", "<=", ">", ">=")
        values = ", ".join(self.number(0) for _ in range(self._rng.integers(1, 4)))
        word = self._pick("t", '"a word"')
        pattern = self._pick("'a%'", "'%b'", "'_'", "'%'", "'a_b'", "''", "'%B%'")
        truth = self._pick("b", "NOT b", f"b IS {negated}TRUE", "b = FALSE", "TRUE", "NULL")
        return self._pick(
            f"{self.number(depth)} {negated}IN ({values})",
            f"{self.number(depth)} {negated}BETWEEN {self.number(0)} AND {self.number(0)}",
            f"{word} {negated}LIKE {pattern}",
            f"{self._pick('n', 'x', 't', 'b')} IS {negated}NULL",
            f"{self.text()} {sign} {self.text()}",
            f"{self.number(depth)} {sign} {self.number(depth)}",
            truth,
        )

    def condition(self, depth: int) -> str:
        if depth <= 0:
            return self.atom(1)
        kind = self._rng.integers(4)
        if kind == 0:
            return f"NOT ({self.condition(depth - 1)})"
        if kind == 1:
            return self.atom(2)
        word = self._pick(" AND ", " OR ")
        return word.join(f"({self.condition(depth - 1)})" for _ in range(self._rng.integers(2, 4)))


def rows_where(condition: Condition, table: pa.Table) -> list[int]:
    (batch,) = table.combine_chunks().to_batches()
    return [i for i, chosen in enumerate(condition.of(batch).to_pylist()) if chosen]


def sqlite(table: pa.Table) -> sqlite3.Connection:
    database = sqlite3.connect(":memory:")
    database.execute("PRAGMA case_sensitive_like = ON")
    names = ", ".join(f'"{name}"' for name in table.column_names)
    database.execute(f"CREATE TABLE rows (id INTEGER, {names})")
    marks = ", ".join("?" * (1 + table.num_columns))
    rows = [(i, *row.values()) for i, row in enumerate(table.to_pylist())]
    database.executemany(f"INSERT INTO rows VALUES ({marks})", rows)
    return database


@pytest.mark.parametrize("seed", range(4))
def test_a_condition_chooses_the_rows_that_sqlite_chooses(seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = random_table(rng)
    database = sqlite(table)
    sentences = Sentences(rng)
    chosen = 0
    for _ in range(150):
        text = sentences.condition(2)
        query = database.execute(f"SELECT id FROM rows WHERE {text} ORDER BY id")
        expected = [row[0] for row in query]
        assert rows_where(Condition(text), table) == expected, text
        chosen += 0 < len(expected) < ROWS
    assert chosen > 50


def test_a_condition_chooses_the_rows_that_duckdb_chooses() -> None:
    duckdb = pytest.importorskip("duckdb")
    rng = np.random.default_rng(7)
    table = random_table(rng).append_column("id", pa.array(range(ROWS)))
    table = table.append_column("narrow", table["x"].cast(pa.float32()))
    days = [
        datetime.date(2024, 1, 1) + datetime.timedelta(int(d)) for d in rng.integers(0, 60, ROWS)
    ]
    table = table.append_column("day", pa.array(days))
    connection = duckdb.connect()
    connection.register("trips", table)
    for text in (
        "n / 2 > 0.5",
        "m / n = 1",
        "narrow = 0.25 OR narrow IN (0.5, 1)",
        "day >= '2024-01-20' AND day < DATE '2024-02-10'",
        "day BETWEEN '2024-01-20' AND '2024-01-31'",
        "x * n - m >= -0.25",
        "(n < 1) = b",
        "n < 10000000000000000000000",
    ):
        actual = connection.execute(f"SELECT id FROM trips WHERE {text} ORDER BY id").fetchall()
        assert rows_where(Condition(text), table) == [row[0] for row in actual], text


def test_large_integers_are_compared_exactly_and_calculated_with_as_sqlite_does() -> None:
    large = [2**53 - 1, 2**53, 2**53 + 1, 2**53 + 2, 2**62 + 1, 2**63 - 1, 1, 2]
    ids = [*large, *(-number for number in large), -(2**63)]
    near = np.array([float(number) for number in ids])
    table = pa.table({"i": ids, "x": np.roll(near, 1), "y": near})
    database = sqlite(table)
    for text in (
        "i < 1.5",
        "i >= 1.5 OR i = 2.0",
        "i = 9007199254740992.0",
        "i <> 9007199254740992.0",
        "9007199254740992.0 < i",
        "i BETWEEN -9007199254740992.0 AND 9223372036854775807.5",
        "i < 9223372036854775808.0",
        "i > 1e30 OR i < -1e30",
        "i < 1e30",
        "i < 10000000000000000000000",
        "i IN (1.5, 2e0, 9007199254740993)",
        "x < 9007199254740993",
        "x = 9007199254740993",
        "i < y",
        "i = y",
        "i > y",
        "x >= i",
        "y <> i",
        "-i < 1.5 AND i > -9223372036854775808",
        "i - 1 > 5 AND i > 0",
        "i / 2.0 < 10",
        "i * 1.0 > 3",
    ):
        expected = [row[0] for row in database.execute(f"SELECT id FROM rows WHERE {text}")]
        assert rows_where(Condition(text), table) == expected, text


def test_the_largest_integers_are_compared_exactly_with_numbers_of_all_types() -> None:
    values = {
        "u": pa.array([2**64 - 1, 2**64 - 2, 2**53 + 1, 1], pa.uint64()),
        "f": pa.array([2.0**64, 2.0**64, 2.0**53, 1.5], pa.float64()),
        "g": pa.array([2.0**63, 2.0**24, 2.0**24, 1.5], pa.float32()),
        "i": pa.array([2**63 - 1, 2**24 + 1, 2**24, 2], pa.int64()),
    }
    batch = pa.RecordBatch.from_pydict(values)
    python = {name: column.to_pylist() for name, column in values.items()}
    for left, right in itertools.permutations(values, 2):
        expected = [a < b for a, b in zip(python[left], python[right], strict=True)]
        assert Condition(f"{left} < {right}").of(batch).to_pylist() == expected, (left, right)
    assert rows_where(Condition("u = 18446744073709551614"), pa.table(values)) == [1]
    assert rows_where(Condition("u < 1.5"), pa.table(values)) == [3]


def column(values: Any, kind: pa.DataType | None = None) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"v": pa.array(values, kind)})


@pytest.mark.parametrize(
    ("batch", "text", "expected"),
    [
        # 0.7 as a float32 is less than 0.7, and is what a reader of the column calls 0.7.
        (column([0.7, 0.1], pa.float32()), "v = 0.7", [True, False]),
        (column([0.7, 0.1], pa.float32()), "v < 0.7", [False, True]),
        (column([float("nan"), 1.0]), "v < 2", [None, True]),
        (column([float("nan"), 1.0]), "v IS NULL", [True, False]),
        (column([2**64 - 1, 1], pa.uint64()), "v = 18446744073709551615 OR v < 2", [True, True]),
        (column([2**53 + 1, 2**53]), "v = 9007199254740993", [True, False]),
        (column([[1.5], [], None], pa.list_(pa.float64())), "v > 1", [True, None, None]),
        (column(["a", "b", None]).cast(pa.schema([("v", pa.dictionary(pa.int32(), pa.string()))])), "v <> 'a'",
         [False, True, None]),
        (column([None, None], pa.null()), "v = 1", [None, None]),
        (column([1, 0]), "1 / v > 0.5", [True, None]),
        (column([0, 19_000], pa.timestamp("s", "Europe/Berlin")), "v > '1970-01-01 02:00:00'", [False, True]),
    ],
)  # fmt: skip
def test_values_are_compared_as_their_column_holds_them(
    batch: pa.RecordBatch, text: str, expected: list[bool | None]
) -> None:
    assert Condition(text).of(batch).to_pylist() == expected


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("v <", "'v <' is not a condition of SQL: Required keyword: 'expression' missing"),
        ("", "'' is 0 statements of SQL; write one."),
        ("v < 1; v > 2", "'v < 1; v > 2' is 2 statements of SQL; write one."),
        ("v", "v is a number, not a condition; compare it with something."),
        ("v < 'x'", "v is a number and 'x' is text, which are not compared. A text stands in single quotes"),
        ("w = 1", "the data have no column 'w'."),
        ('v = "Blue"', "A text stands in single quotes: 'Blue'."),
        ("upper(v) = 'A'", "UPPER(v) is not computed here; there are = <> < <= > >= IN BETWEEN LIKE"),
        ("v % 2 = 0", "v % 2 is not computed here"),
        ("v IN (SELECT 1)", "v IN (SELECT 1) is not computed here"),
        ("example.v = 1", "example.v names a table; a column is written by its name alone"),
        ("v BETWEEN SYMMETRIC 2 AND 1", "is not computed here"),
        ("v < 1 x", "v < 1 AS x is not computed here"),
        ("'a' LIKE v", "LIKE holds a text against a pattern in quotes."),
        ("'a' + 1 > 0", "'a' is text, not a number to calculate with."),
        ("v IS 3", "after IS stands NULL, TRUE or FALSE."),
        ("(" * 400 + "v < 1" + ")" * 400, "is nested too deep; write less into one condition."),
    ],
)  # fmt: skip
def test_what_is_not_computed_is_refused_with_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as raised:
        Condition(text).of(column([1, 2]))
    assert sentence in str(raised.value)


TIMES = {
    "text": pa.array(["2024-01-31 12:00:00Z", "2024-01-31 12:00:00+01:00", None]),
    "plain": pa.array(["2024-01-31 12:00:00", "2024-01-31", None]),
    "bad": pa.array(["today", None, None]),
    "zoned": pa.array([datetime.datetime(2024, 1, 31, 12)] * 3, pa.timestamp("s", "UTC")),
    "naive": pa.array([datetime.datetime(2024, 1, 31, 12)] * 3, pa.timestamp("us")),
    "length": pa.array([1, 2, 3], pa.duration("s")),
    "clock": pa.array([1, 2, 3], pa.time32("s")),
}


def test_a_column_of_texts_is_compared_with_times() -> None:
    batch = pa.RecordBatch.from_pydict(TIMES)
    for text, expected in (
        ("zoned = text", [True, False, None]),
        ("plain = zoned", [True, False, None]),
        ("naive = plain", [True, False, None]),
        ("clock < '00:00:02'", [True, False, False]),
    ):
        assert Condition(text).of(batch).to_pylist() == expected, text


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("zoned < bad", "The text of bad is not a time of the form of timestamp[s, tz=UTC]; write it as '2024-01-31' "
         "or '2024-01-31 12:00:00'."),
        ("naive < 'today'", "'today' is not a time of the form of timestamp[us]"),
        ("clock < 'noon'", "'noon' is not a time of the form of time32[s]; write it as '12:00:00'."),
        ("length < '2024-01-31'", "length holds duration[s], which is not compared with the text '2024-01-31'"),
        ("plain < length", "length holds duration[s], which is not compared with the text plain"),
    ],
)  # fmt: skip
def test_what_is_no_time_is_refused_by_name(text: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as raised:
        Condition(text).of(pa.RecordBatch.from_pydict(TIMES))
    assert str(raised.value).startswith(sentence)


def test_several_values_in_a_row_are_refused() -> None:
    with pytest.raises(ConfigError, match="column 'v' has several values in a row"):
        Condition("v = 1").of(column([[1, 2], [3]]))


def test_thousands_of_alternatives_are_one_condition() -> None:
    text = " OR ".join(f"v = {i}" for i in range(0, 6_000, 2))
    assert Condition(text).of(column([1, 2, 6_000])).to_pylist() == [False, True, False]


def test_a_condition_is_crossed_with_features_and_values() -> None:
    batch = pa.RecordBatch.from_pydict(
        {
            "fare": [5.0, 25.0, None, 7.0],
            "company": ["Blue", "Blue", "Sun", None],
            "hour": [1, 1, 2, 1],
        }
    )
    spec = SlicingSpec(
        where={"cheap": "fare < 20"}, feature_keys=("company",), feature_values={"hour": "1"}
    )
    codes = SpecCodes.of(pickle.loads(pickle.dumps(spec)), ColumnCodes(batch))  # noqa: S301 - ours
    assert codes.features == ("cheap", "company", "hour")
    assert codes.kinds == ("bool", "string", "int")
    assert codes.values.to_pylist() == ["true\x1fBlue\x1f1"]
    assert codes.rows is not None
    assert codes.rows.tolist() == [0]
