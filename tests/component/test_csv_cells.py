# SPDX-License-Identifier: Apache-2.0
"""Cells of CSV files that hold line ends, wherever the blocks end in which the file is read."""

from __future__ import annotations

import collections
import csv
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import benison
from benison.data.csv_files import _Pieces, inspect
from benison.data.dataset import Dataset
from benison.data.reading import Rules
from tests.conftest import config

SHOPS = ['Blue\n1,0.75,"Flash"\n', "1,0.5,x\n0,0.5,y", "\n", "a\r\nb", 'say "hi"\n', "plain", ""]


def write(path: Path, rows: int, line_end: str) -> collections.Counter[str]:
    """Rows of which most hold line ends; and how many there are of each shop."""
    shops = [SHOPS[i] for i in np.random.default_rng(rows).integers(0, len(SHOPS), rows)]
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator=line_end)
        writer.writerow(["label", "prediction", "shop"])
        writer.writerows([i % 2, 0.25 + i % 2 / 2, shop] for i, shop in enumerate(shops))
    return collections.Counter(shop for shop in shops if shop)


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("block", [256, 300, 1_000, 2**24])
def test_a_line_end_in_a_quoted_cell_ends_no_row(
    block: int, line_end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benison.data.csv_files.BLOCK_BYTES", block)
    shops = write(tmp_path / "a.csv", 500, line_end)
    made = config("ExampleCount", "MeanPrediction", slices=[{}, {"feature_keys": ["shop"]}])
    result = benison.evaluate(str(tmp_path / "a.csv"), made)
    assert result.value("example_count") == 500
    assert result.value("mean_prediction") == 0.5
    keys = [key for key in result.metrics["slice_key"].to_pylist() if key]
    counts = result.metrics["examples"].to_pylist()[2:]
    by_shop = {key[0]["value"]: count for key, count in zip(keys, counts, strict=True)}
    assert by_shop == shops


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
@pytest.mark.parametrize("block", [64, 2**24])
@pytest.mark.parametrize("stray", ['"b', '"b""', 'a,"'])
def test_a_quote_that_is_never_closed_swallows_no_rows(
    stray: str, block: int, ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benison.data.csv_files.BLOCK_BYTES", block)
    path, made = tmp_path / "a.csv", config("ExampleCount")
    rows = ["label,prediction,shop", "1,0.5,a", f"0,0.5,{stray}", "1,0.5,c", "0,0.5,d"]
    path.write_text("\n".join(rows) + ending, newline="")
    with pytest.raises(benison.DataError, match=r"a\.csv"):
        benison.evaluate(str(path), made)
    path.write_text("\n".join([*rows[:2], '0,0.5,"b"', *rows[3:]]) + ending, newline="")
    assert benison.evaluate(str(path), made).value("example_count") == 4


@pytest.mark.parametrize("names", ['"label, or so"', '"a\nb",label', "label"])
def test_what_follows_the_last_line_is_no_row(names: str, tmp_path: Path) -> None:
    cells = ",".join(["1"] * (1 + (names.count(",") and "," not in names.split('"')[1])))
    path = tmp_path / "a.csv"
    path.write_text(f"{names}\n{cells}\n{cells}\n")
    (batch,) = Dataset.open(str(path)).batches()
    assert batch.num_rows == 2


def test_a_row_that_fits_nowhere_and_is_no_text_is_refused_without_a_traceback(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.csv").write_bytes(b"label,prediction\n1,0.5,\xe9\n0,0.25\n")
    with pytest.raises(benison.DataError, match="Expected 2 columns, got 3"):
        benison.evaluate(str(tmp_path / "a.csv"), config("ExampleCount", slices=[{}]))


def test_no_thread_reads_on_when_the_columns_are_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A thread that asks Python for more while that ends aborts the process.
    path, reads = tmp_path / "a.csv", []
    write(path, 10_000, "\n")
    monkeypatch.setattr("benison.data.csv_files.BLOCK_BYTES", 1_000)
    monkeypatch.setattr(
        "benison.data.csv_files._Pieces.read", slowed(_Pieces.read, lambda: reads.append(1))
    )
    assert "shop" in inspect(str(path), Rules()).schema.names
    until_now = len(reads)
    time.sleep(0.2)
    assert len(reads) == until_now


def slowed(read: Callable[..., bytes], noted: Callable[[], None]) -> Callable[..., bytes]:
    def slow(pieces: object, size: int) -> bytes:
        time.sleep(0.02)
        noted()
        return read(pieces, size)

    return slow


def test_a_quote_in_a_long_header_that_is_never_closed(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('label,"prediction\n' + "1,0.5\n" * 40_000)
    with pytest.raises(benison.DataError, match=r"a\.csv"):
        benison.evaluate(str(tmp_path / "a.csv"), config("ExampleCount", slices=[{}]))


def test_a_program_that_ends_after_a_file_is_opened_ends_well(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("label,prediction\n1,0.9\n")
    read = f"from benison.data.csv_files import Rules, inspect; inspect({str(tmp_path / 'a.csv')!r}, Rules())"
    ended = [subprocess.run([sys.executable, "-c", read], check=False).returncode for _ in range(5)]
    assert ended == [0] * 5


def test_a_program_that_ends_in_the_midst_of_a_file_waits_for_nothing(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", 100_000, "\n")
    read = (
        "from benison.data import csv_files, dataset;"
        "csv_files.BLOCK_BYTES, csv_files._LONGEST_WAIT = 2**14, 600;"
        f"batches = dataset.Dataset.open({str(tmp_path / 'a.csv')!r}).batches();"
        "first = next(batches);"
        "later = next(batches)"
    )
    subprocess.run([sys.executable, "-c", read], check=True, timeout=120)
