# SPDX-License-Identifier: Apache-2.0
"""Writes TFMA's files, which `tfma.load_eval_result` and its views read."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benison.data.tf_records import framed
from benison.output.writers import Evaluation
from benison.table.key import CHANGE, KEY_COLUMNS, VIEW_COLUMNS, Key
from benison.table.slices import Sides, Slices, slice_codes, slice_ids
from benison.tfma.eval_run import EVAL_CONFIG, write_eval_run
from benison.tfma.messages import messages
from benison.tfma.metric_keys import write_key, write_slice
from benison.tfma.metric_values import (
    DEFAULT_PLOTS,
    write_ends,
    write_interval,
    write_plot,
    write_value,
)
from benison.tfma.validations import write_verdict

Types: TypeAlias = Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class TfmaWriter:
    """Writes the results as TFMA 0.52 does, beside ours.

    Its files are `eval_config.json`, `metrics-00000-of-00001.tfrecord`, and so on. It comes after the
    writer of plots.parquet, from which it takes the plots. Plots of a kind that TFMA does not have are
    left out.

    Raises:
        MissingExtraError: protobuf or google-crc32c is not installed.
    """

    stage_name: str = "WriteTfma"

    def __post_init__(self) -> None:
        messages()
        framed(b"")  # what is not installed is better said now than when all is evaluated

    def write(self, evaluation: Evaluation, directory: Path) -> None:
        """Five files, from the result under the key `result`, or four where a config disables that one."""
        result = evaluation["result"]
        config, manifest = result.config, result.manifest
        types = manifest["data"]["schema"]
        metrics = _known_to_tfma(result.metrics)
        slices = _slices(metrics)
        if not {EVAL_CONFIG, "eval_config"} & {*config.options.disabled_outputs}:
            write_eval_run(directory / EVAL_CONFIG, config, manifest)
        _write(directory, "metrics", _metrics(metrics, slices, types))
        _write(directory, "plots", _plots(_plot_batches(evaluation, directory), types))
        _write(directory, "attributions", (_attributions(sides, types) for sides in slices))
        verdict = write_verdict(result.verdict, config, _as_slices(metrics, slices), types)
        (directory / "validations.tfrecord").write_bytes(framed(verdict.SerializeToString()))


def _write(directory: Path, key: str, serialized: Iterable[bytes]) -> None:
    with (directory / f"{key}-00000-of-00001.tfrecord").open("wb") as file:
        file.writelines(map(framed, serialized))


def _sides(table: pa.Table) -> list[Sides]:
    """The slice of each row; a slice is read once."""
    _, codes = slice_codes(table)
    firsts = np.unique(codes, return_index=True)[1]
    distinct = Slices.of_table(table.take(pa.array(firsts))).sides
    return [distinct[code] for code in codes]


def _slices(metrics: pa.Table) -> dict[Sides, list[int]]:
    """The numbers of the rows of each slice."""
    rows: dict[Sides, list[int]] = {}
    for i, sides in enumerate(_sides(metrics)):
        rows.setdefault(sides, []).append(i)
    return rows


def _as_slices(metrics: pa.Table, slices: Mapping[Sides, list[int]]) -> Slices:
    return Slices.of_table(
        metrics.take(pa.array([rows[0] for rows in slices.values()], pa.int64()))
    )


def _known_to_tfma(table: pa.Table) -> pa.Table:
    """The rows that TFMA has a key for: it knows one data set, and no variants of it."""
    plain = (pc.equal(table[name], "") for name in ("dataset", "variant"))
    return table.filter(pc.and_(*plain))


def _metrics(metrics: pa.Table, slices: Mapping[Sides, list[int]], types: Types) -> Iterator[Any]:
    """A serialized MetricsForSlice for each slice."""
    keys = list(map(Key.of, metrics.select(list(KEY_COLUMNS)).to_pylist()))
    metric_keys = {key: _metric_key(key) for key in set(keys)}
    columns = [
        metrics[name].to_pylist() for name in ("value", "structured", "lower", "upper", "std_error")
    ]
    ends = [metrics[name].to_pylist() for name in ("structured_lower", "structured_upper")]
    examples = metrics["examples"].to_pylist()
    for sides, rows in slices.items():
        message = messages().MetricsForSlice(examples=examples[rows[0]])
        write_slice(message, sides, types)
        for i in rows:
            value, structured, *interval = (column[i] for column in columns)
            pair = message.metric_keys_and_values.add(key=metric_keys[keys[i]])
            write_value(pair.value, value, structured)
            if not math.isnan(interval[0]):
                write_interval(pair.confidence_interval, *interval)
            if ends[0][i] is not None:
                write_ends(pair.confidence_interval, ends[0][i], ends[1][i])
        yield message.SerializeToString()


def _metric_key(key: Key) -> Any:
    """The MetricKey; TFMA marks a difference from the baseline by a field, not by another name."""
    message = messages().MetricKey()
    write_key(message, key)
    if key.kind == CHANGE:
        message.is_diff = True
    return message


def _plot_batches(evaluation: Evaluation, directory: Path) -> Iterator[pa.RecordBatch]:
    path = directory / "plots.parquet"
    if not path.is_file():
        yield from evaluation["plots"]
        return
    with pq.ParquetFile(path) as file:
        for i in range(file.num_row_groups):
            yield from file.read_row_group(i).to_batches()


def _plots(batches: Iterable[pa.RecordBatch], types: Types) -> Iterator[bytes]:
    """A record for each slice. All plots of some slices follow each other, batch by batch."""
    # Of plots under one key TFMA's views show the last, which had better be those of the usual names.
    for _, block in groupby(batches, key=lambda batch: slice_ids(batch).to_pylist()):
        table = _known_to_tfma(pa.Table.from_batches(block))
        views = table.select([*VIEW_COLUMNS, "plot"]).to_pylist()
        keys = [Key(view.pop("plot"), **view) for view in views]
        for sides, rows in _slices(table).items():
            message = messages().PlotsForSlice(examples=table["examples"][rows[0]].as_py())
            write_slice(message, sides, types)
            values: dict[Key, Any] = {}
            for i in sorted(rows, key=lambda i: keys[i].metric in DEFAULT_PLOTS.values()):
                _add_plot(message, keys[i], dict(table["columns"][i].as_py()), values)
            yield message.SerializeToString()


def _add_plot(
    message: Any, key: Key, columns: dict[str, list[float]], values: dict[Key, Any]
) -> None:
    data = messages().PlotData()
    field = write_plot(data, columns)
    if field is None:
        return
    if DEFAULT_PLOTS.get(field) == key.metric:
        key = key.view
    if key not in values:
        pair = message.plot_keys_and_values.add()
        write_key(pair.key, key)
        values[key] = pair.value
    values[key].MergeFrom(data)


def _attributions(sides: Sides, types: Types) -> bytes:
    """TFMA writes a record for each slice, whether there are attributions or not."""
    message = messages().AttributionsForSlice()
    write_slice(message, sides, types)
    serialized: bytes = message.SerializeToString()
    return serialized
