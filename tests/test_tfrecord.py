# SPDX-License-Identifier: Apache-2.0
"""TFRecord files: what TensorFlow wrote, damaged in every place, decoded in both ways."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import benison
from benison.data.dataset import Dataset
from benison.data.tf_records import records

LENGTHS = (5, 0, 300, 70, 5)
FRAME = 16  # bytes around a record: its length (8), the checksum of that (4), and its own (4)


@pytest.fixture(scope="module")
def tf() -> Any:
    pytest.importorskip("tensorflow")
    from benison.models.savedmodel import tensorflow

    return tensorflow()


def write(tf: Any, path: Path, contents: list[bytes]) -> Path:
    options = tf.io.TFRecordOptions("GZIP" if path.suffix == ".gz" else "")
    with tf.io.TFRecordWriter(str(path), options) as writer:
        for record in contents:
            writer.write(record)
    return path


def random_records(*lengths: int) -> list[bytes]:
    rng = np.random.default_rng(0)
    return [rng.bytes(length) for length in lengths]


@pytest.mark.parametrize("name", ["a.tfrecord", "a.tfrecord.gz"])
@pytest.mark.parametrize(
    "lengths",
    [LENGTHS, (1,) * 20_000, (10_000_000, 3, 5_000_000), tuple(range(3_000))],
    ids=["few", "many", "large", "growing"],
)
def test_records_are_as_they_were_written(
    tf: Any, tmp_path: Path, name: str, lengths: tuple[int, ...]
) -> None:
    written = random_records(*lengths)
    actual = list(records(str(write(tf, tmp_path / name, written)), 1_000))
    assert np.concatenate(actual).tolist() == written
    assert max(map(len, actual)) <= 1_000


def start_of(record: int) -> int:
    return sum(LENGTHS[:record]) + FRAME * record


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize(
    ("at", "record", "sentence"),
    [
        (start_of(0), 0, "the checksum of its length is wrong"),
        (start_of(2) + 7, 2, "the checksum of its length is wrong"),
        (start_of(1) + 11, 1, "the checksum of its length is wrong"),
        (start_of(2) + 12, 2, "the checksum of its bytes is wrong"),
        (start_of(4) - 1, 3, "the checksum of its bytes is wrong"),
        (start_of(4) + 8, 4, "the checksum of its length is wrong"),
    ],
)
def test_a_flipped_bit(
    tf: Any, tmp_path: Path, packed: bool, at: int, record: int, sentence: str
) -> None:
    path = write(tf, tmp_path / "flipped.tfrecord", random_records(*LENGTHS))
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(gzip.compress(data) if packed else data)
    check_refused(path, record, sentence)


@pytest.mark.parametrize(
    ("size", "record", "sentence"),
    [
        (start_of(3) + 4, 3, "the file ends within a record's length"),
        (start_of(3) + 12, 3, "the file ends within the record"),
        (start_of(3) - 1, 2, "the file ends within the record"),
    ],
)
def test_a_file_that_was_cut(
    tf: Any, tmp_path: Path, size: int, record: int, sentence: str
) -> None:
    path = write(tf, tmp_path / "cut.tfrecord", random_records(*LENGTHS))
    path.write_bytes(path.read_bytes()[:size])
    check_refused(path, record, sentence)


@pytest.mark.parametrize("fault", ["cut", "flipped"])
def test_a_gzip_file_that_was_damaged(tf: Any, tmp_path: Path, fault: str) -> None:
    written = [record.hex().encode() for record in random_records(*(500,) * 30_000)]
    path = write(tf, tmp_path / "damaged.tfrecord.gz", written)
    data = bytearray(path.read_bytes())
    damage = len(data) // 3 * 2
    data[damage : damage + 64] = bytes(64)
    path.write_bytes(data if fault == "flipped" else data[:damage])
    values: list[bytes] = []

    def read() -> None:
        for part in records(str(path), 1_000):
            values.extend(part)

    message = (
        r"record [0-9,]+( or a later one)? is damaged \((Compressed file ended|Error|the check)"
    )
    with pytest.raises(benison.DataError, match=message):
        read()
    assert 5_000 < len(values) < 21_000
    assert values == written[: len(values)]


def check_refused(path: Path, record: int, sentence: str) -> None:
    """The records before it are delivered, and the message names the first that is wrong."""
    actual = records(str(path), 1)
    for _ in range(record):
        next(actual)
    with pytest.raises(benison.DataError) as raised:
        next(actual)
    assert str(raised.value).startswith(f"{path}: record {record} is damaged ({sentence})")


def example(tf: Any, **features: Any) -> bytes:
    def feature(values: list[Any]) -> Any:
        if values and isinstance(values[0], str):
            texts = [value.encode() for value in values]
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=texts))
        if values and isinstance(values[0], int):
            return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
        return tf.train.Feature(float_list=tf.train.FloatList(value=values))

    named = {name: feature(values) for name, values in features.items()}
    made = tf.train.Example(features=tf.train.Features(feature=named))
    return bytes(made.SerializeToString())


def decoded(path: Path) -> list[dict[str, Any]]:
    """The rows, in which a feature that is missing is an empty list."""
    table = pa.Table.from_batches(Dataset.open(str(path)).batches())
    return [{name: value or [] for name, value in row.items()} for row in table.to_pylist()]


def test_both_decoders_read_the_same(
    tf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = [
        example(tf, whole=[1, -(2**63), 3], text=["a", "", "é\0"], share=[0.1, float("nan")]),
        example(tf, whole=[5], share=[]),
        example(tf),
        example(tf, whole=[7], text=["b"], share=[-0.0]),
    ]
    path = write(tf, tmp_path / "a.tfrecord.gz", written)
    with_tensorflow = decoded(path)
    monkeypatch.delitem(sys.modules, "tensorflow")
    assert repr(decoded(path)) == repr(with_tensorflow)
    assert with_tensorflow[0]["whole"] == [1, -(2**63), 3]


def test_a_record_that_is_no_example(
    tf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = example(tf, whole=[1])
    path = write(tf, tmp_path / "a.tfrecord", [good] * 10_000 + [b"\xff\xff\xff"])
    for _ in ("with TensorFlow", "without"):
        with pytest.raises(benison.DataError, match=r"a\.tfrecord: a record is not a tf\.Example"):
            decoded(path)
        monkeypatch.delitem(sys.modules, "tensorflow", raising=False)


def test_a_feature_that_changes_its_type(tf: Any, tmp_path: Path) -> None:
    """TensorFlow's parser wants one type; the reader makes whole numbers fractions as elsewhere."""
    fractions, whole = example(tf, number=[0.5]), example(tf, number=[2])
    path = write(tf, tmp_path / "a.tfrecord", [fractions] * 2**15 + [whole])
    rows = decoded(path)
    assert [row["number"] for row in rows[-2:]] == [[0.5], [2.0]]


def test_a_shard_without_records_is_read_beside_others(tf: Any, tmp_path: Path) -> None:
    """Beam writes as many shards as it was told to, whether there is something for each or not."""
    for shard, rows in enumerate((0, 3, 0)):
        path = tmp_path / f"data_tfrecord-0000{shard}-of-00003.gz"
        write(tf, path, [example(tf, label=[1.0], score=[0.5])] * rows)
    metrics = [{"class_name": "ExampleCount"}]
    asked = {
        "model_specs": [{"label_key": "label", "prediction_key": "score"}],
        "metrics_specs": [{"metrics": metrics}],
    }
    for engine in ("local", "beam"):
        result = benison.evaluate(str(tmp_path), asked, engine=engine)
        assert result.value("example_count") == 3
    (tmp_path / "data_tfrecord-00001-of-00003.gz").unlink()
    with pytest.raises(
        benison.DataError, match=r"00000-of-00003.gz and 1 more: there are no records"
    ):
        benison.evaluate(str(tmp_path), asked)
