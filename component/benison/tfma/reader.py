# SPDX-License-Identifier: Apache-2.0
"""Reads TFMA's files, or those of our writer, into our tables."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benison.config import EvalConfig
from benison.data.tf_records import records
from benison.errors import MissingExtraError, OutputError
from benison.output.directory import MANIFEST, MARKERS
from benison.paths import Location
from benison.table.key import CHANGE, SLICE_DIFFERENCE, SLICE_RATIO, VALUE, Key
from benison.table.schema import METRICS_SCHEMA, PLOTS_SCHEMA
from benison.table.slice_columns import Interval, SliceColumns
from benison.table.slices import Sides, sort_key
from benison.tfma.eval_run import EVAL_CONFIG, UNKNOWN
from benison.tfma.messages import messages
from benison.tfma.metric_keys import read_key, read_slice
from benison.tfma.metric_values import DEFAULT_PLOTS, Columns, MetricResult, read_plots, read_value
from benison.tfma.validations import read_verdict
from benison.validation.rows import Values as Judged
from benison.validation.rows import values_of
from benison.validation.verdict import Verdict

_EXAMPLE_COUNT = "example_count"
_RECORDS = 2**10
_ORDER = (VALUE, SLICE_DIFFERENCE, SLICE_RATIO, CHANGE)  # as our own tables have them
_NOT_RECORDED = "not recorded"
_OURS = (MANIFEST, "metrics.parquet", "verdict.json", *MARKERS.values())


class Parts(NamedTuple):
    """What an EvalResult is made of."""

    metrics: pa.Table
    plots: pa.Table
    verdict: Verdict
    config: EvalConfig
    manifest: dict[str, Any]


def is_output(directory: Location) -> bool:
    """Whether a directory is an output of TFMA alone, and not what is left of one of ours."""
    names = [path.name for path in directory.iterdir()]
    metrics = any(map(_name_of("metrics").fullmatch, names))
    return not {*_OURS} & {*names} and EVAL_CONFIG in names and metrics


def read(directory: Path) -> Parts:
    """The output of TFMA in a directory. Attributions are not read.

    Raises:
        OutputError: A file is damaged or missing; the message names it.
        MissingExtraError: protobuf or google-crc32c is not installed.
    """
    run, config = _eval_run(directory / EVAL_CONFIG)
    values = _metric_values(directory)
    examples = _examples(directory, values)
    metrics = _metrics_table(values, examples)
    plots = _plots_table(directory, examples)
    verdict = _verdict(directory, config, values, examples)
    manifest = _manifest(directory, run, config, verdict)
    manifest["rows"] = examples.get(((), None), 0)
    return Parts(metrics, plots, verdict, config, manifest)


def _files(directory: Path, key: str) -> list[Path]:
    """The files of an output key: TFRecord or Parquet, in shards or, as of old, without an ending."""
    return sorted(path for path in directory.glob(f"{key}*") if _name_of(key).fullmatch(path.name))


def _name_of(key: str) -> re.Pattern[str]:
    return re.compile(rf"{key}(-\d+-of-\d+)?(\.tfrecord|\.parquet)?")


def _messages(directory: Path, key: str, kind: Any) -> Iterator[Any]:
    files = _files(directory, key)
    for path in files:
        shards = re.search(r"-of-(\d+)", path.name)
        if shards and len(files) != int(shards[1]):
            count = f"{len(files)} of its {int(shards[1])} files"
            raise OutputError(f"{directory} has {count} of {key}; copy or evaluate it again.")
        with _reading(path):
            yield from (kind.FromString(record) for record in _records(path))


def _records(path: Path) -> Iterable[bytes]:
    if path.suffix == ".parquet":
        column: list[bytes] = pq.read_table(path)["serialized_value"].to_pylist()
        return column
    return (record for batch in records(str(path), _RECORDS) for record in batch)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Whatever is wrong with a file is said with its name."""
    try:
        yield
    except (OutputError, MissingExtraError):
        raise
    except Exception as error:
        # protobuf's DecodeError and Arrow's errors have no base of their own in common.
        text = str(error).removeprefix(f"{path}: ").rstrip(".")
        raise OutputError(f"{path} cannot be read as a result of TFMA: {text}.") from error


def _eval_run(path: Path) -> tuple[dict[str, Any], EvalConfig]:
    with _reading(path):
        run = json.loads(path.read_text(encoding="utf-8"))
        return run, EvalConfig.load(run)


Values = dict[tuple[Sides, Key], MetricResult]


def _metric_values(directory: Path) -> Values:
    """Every value; a slice that TFMA left out for having too few examples has none."""
    values: Values = {}
    for message in _messages(directory, "metrics", messages().MetricsForSlice):
        sides = read_slice(message)
        for pair in message.metric_keys_and_values:
            key = read_key(pair.key, pair.key.name, sides[1] is not None)
            values[sides, key] = read_value(pair)
    return values


def _examples(directory: Path, values: Values) -> dict[Sides, int]:
    """Rows in each slice: as our writer noted them, else as ExampleCount counted, else 0."""
    counted = {
        sides: int(result.value)
        for (sides, key), result in values.items()
        if key == Key(_EXAMPLE_COUNT, key.model) and result.value == result.value
    }
    for sides, _ in values:
        both = [counted.get((key, None), 0) for key in sides if key is not None]
        counted[sides] = min(both)
    for message in _messages(directory, "metrics", messages().MetricsForSlice):
        if message.HasField("examples"):
            counted[read_slice(message)] = message.examples
    return counted


def _metrics_table(values: Values, examples: Mapping[Sides, int]) -> pa.Table:
    """Metric by metric, a ratio of slices after their difference; in each, slice by slice."""
    groups: dict[Key, list[Sides]] = {}
    for sides, key in values:
        groups.setdefault(key, []).append(sides)
    ranks = {key: i for i, key in enumerate(dict.fromkeys(key.as_kind(VALUE) for key in groups))}
    batches: list[pa.RecordBatch] = []
    for key in sorted(groups, key=lambda key: (ranks[key.as_kind(VALUE)], _ORDER.index(key.kind))):
        slices = sorted(groups[key], key=_slice_order)
        batches += _rows(key, slices, [values[sides, key] for sides in slices], examples)
    return pa.Table.from_batches(batches, METRICS_SCHEMA)


def _slice_order(sides: Sides) -> Any:
    return sides[1] is not None, [sort_key(key) for key in sides if key is not None]


def _rows(
    key: Key, slices: list[Sides], values: list[MetricResult], examples: Mapping[Sides, int]
) -> Iterator[pa.RecordBatch]:
    """The rows of one key; how many rows each value rests on is not in TFMA's files."""
    columns = SliceColumns.of(slices, np.array([examples.get(sides, 0) for sides in slices]))
    numbers = np.array([value[:3] for value in values], np.float64).reshape(-1, 3).T
    nothing = np.full(len(slices), np.nan)
    batch = columns.metric_rows(key, numbers[0], Interval(numbers[1], numbers[2], nothing, nothing))
    texts = ("structured", "structured_lower", "structured_upper")
    structured = {name: pa.array([getattr(v, name) for v in values], pa.string()) for name in texts}
    unknown = pa.nulls(len(slices), pa.int64())
    columns_by_name = dict(zip(METRICS_SCHEMA.names, batch.columns, strict=True))
    columns_by_name |= {**structured, "evaluated": unknown}
    yield pa.RecordBatch.from_arrays(list(columns_by_name.values()), schema=METRICS_SCHEMA)


def _plots_table(directory: Path, examples: Mapping[Sides, int]) -> pa.Table:
    batches = []
    for (sides, key), points in dict(_plots(directory)).items():
        columns = SliceColumns.of([sides], np.array([examples.get(sides, 0)]))
        stacked = {name: np.array([column], np.float64) for name, column in points.items()}
        batches.append(columns.plot_rows(key, stacked))
    return pa.Table.from_batches(batches, PLOTS_SCHEMA)


def _plots(directory: Path) -> Iterator[tuple[tuple[Sides, Key], Columns]]:
    for message in _messages(directory, "plots", messages().PlotsForSlice):
        sides = read_slice(message)
        for pair in message.plot_keys_and_values:
            for field, columns in read_plots(pair.value):
                name = pair.key.name or DEFAULT_PLOTS.get(field, field)
                yield (sides, read_key(pair.key, name)), columns


def _verdict(
    directory: Path, config: EvalConfig, values: Values, examples: Mapping[Sides, int]
) -> Verdict:
    written = list(_messages(directory, "validations", messages().ValidationResult))
    if len(written) > 1:
        raise OutputError(f"{directory} has {len(written)} validation results; TFMA writes one.")
    baseline = config.baseline_spec

    def lookup(sides: Sides, key: Key) -> Judged:
        base = None if baseline is None else key.of_model(baseline.name)
        rows = [
            pa.Table.from_batches(
                _rows(each, [sides], [values.get((sides, each), MetricResult())], examples)
            )
            for each in (key, base)
            if each is not None
        ]
        return values_of(key, rows[0], rows[1] if base else None, rows[0].slice(0, 0))

    (path,) = _files(directory, "validations") or [directory]
    with _reading(path):
        return read_verdict(written[0] if written else None, config, lookup)


def _manifest(
    directory: Path, run: Mapping[str, Any], config: EvalConfig, verdict: Verdict
) -> dict[str, Any]:
    """What TFMA says of a run, under the names of our manifest; it records no digests."""
    written = (directory / EVAL_CONFIG).stat().st_mtime
    created = datetime.datetime.fromtimestamp(written, datetime.UTC)
    location = run.get("dataLocation", UNKNOWN)
    locations = run.get("modelLocations", {})
    return {
        "written_by": f"TFMA {run.get('version', UNKNOWN)}",
        "created": created.isoformat(timespec="seconds"),
        "verdict": verdict.status,
        "missing": {},
        "seconds": {},
        "lineage": None,
        "models": [
            _model(spec.name, spec.is_baseline, locations.get(spec.name, UNKNOWN))
            for spec in config.model_specs
        ],
        "config": config.digest(),
        "data": {
            "format": run.get("fileFormat", UNKNOWN),
            "files": [{"name": location, "bytes": None, "rows": None}],
            "rows": None,
            "digest": _NOT_RECORDED,
        },
    }


def _model(name: str, is_baseline: bool, path: str) -> dict[str, Any]:
    known = path != UNKNOWN
    return {
        "name": name,
        "is_baseline": is_baseline,
        "path": path if known else None,
        "digest": _NOT_RECORDED if known else None,
        "files": {},
    }
