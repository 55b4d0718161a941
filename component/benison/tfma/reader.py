# SPDX-License-Identifier: Apache-2.0
"""The reader of TFMA's files: what TFMA or our writer wrote, in our tables."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
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
from benison.table.schema import METRICS_SCHEMA, PLOTS_SCHEMA, RATIO, SliceColumns
from benison.table.slices import sort_key
from benison.tfma.eval_run import EVAL_CONFIG, UNKNOWN
from benison.tfma.messages import messages
from benison.tfma.metric_keys import DIFF, Key, Sides, read_key, read_slice
from benison.tfma.metric_values import DEFAULT_PLOTS, Columns, Found, read_plots, read_value
from benison.tfma.validations import read_verdict
from benison.validation.rows import Row
from benison.validation.verdict import Verdict

_EXAMPLE_COUNT = "example_count"
_RECORDS = 2**10
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
    manifest["rows"] = examples.get(Sides.of_keys(((),)), 0)
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
    return (one for found in records(str(path), _RECORDS) for one in found)


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


Values = dict[tuple[Sides, Key], Found]


def _metric_values(directory: Path) -> Values:
    """Every value; a slice that TFMA left out for having too few examples has none."""
    return {
        (read_slice(found), _metric_key(pair.key)): read_value(pair)
        for found in _messages(directory, "metrics", messages().MetricsForSlice)
        for pair in found.metric_keys_and_values
    }


def _metric_key(message: Any) -> Key:
    return read_key(message, message.name + (DIFF if message.is_diff else ""))


def _examples(directory: Path, values: Values) -> dict[Sides, int]:
    """Rows in each slice: as our writer noted them, else as ExampleCount counted, else 0."""
    counted = {
        sides: int(found.value)
        for (sides, key), found in values.items()
        if key.name == _EXAMPLE_COUNT and not key.weighted and found.value == found.value
    }
    for sides, _ in values:
        both = [counted.get(Sides.of_keys((key,)), 0) for key in sides.keys]
        counted[sides] = min(both)
    for found in _messages(directory, "metrics", messages().MetricsForSlice):
        if found.HasField("examples"):
            counted[read_slice(found)] = found.examples
    return counted


def _metrics_table(values: Values, examples: Mapping[Sides, int]) -> pa.Table:
    ordered = _ordered(values)
    found = [values[place] for place in ordered]
    columns = [pa.array([key.name for _, key in ordered], pa.string())]
    for i in range(3):
        columns.append(pa.array([one[i] for one in found], pa.float64()))
    columns.append(pa.array([one.structured for one in found], pa.string()))
    return _table(ordered, columns, examples, METRICS_SCHEMA)


def _ordered(places: Collection[tuple[Sides, Key]]) -> list[tuple[Sides, Key]]:
    """Metric by metric, a ratio of slices after their difference; in each, slice by slice."""
    ranks: dict[Key, int] = {}
    for _, key in places:
        ranks.setdefault(key, len(ranks))
    slices = {sides: [sort_key(key) for key in sides.keys] for sides, _ in places}

    def place(one: tuple[Sides, Key]) -> Any:
        sides, key = one
        base = key._replace(name=key.name.removesuffix(RATIO))
        return ranks.get(base, ranks[key]), base != key, len(sides.keys), slices[sides]

    return sorted(places, key=place)


def _table(
    places: list[tuple[Sides, Key]],
    columns: list[pa.Array],
    examples: Mapping[Sides, int],
    schema: pa.Schema,
) -> pa.Table:
    """The rows of one of our tables: what tells them apart, `columns`, and the rows in their slices."""
    numbers: dict[Sides, int] = {}
    index = [numbers.setdefault(sides, len(numbers)) for sides, _ in places]
    counts = np.array([examples.get(sides, 0) for sides in numbers], np.int64)
    slices = SliceColumns([sides.keys for sides in numbers], counts)
    taken = [
        part.take(pa.array(index, pa.int64()))
        for part in (slices.names, slices.keys, slices.examples)
    ]
    keys = [
        pa.array([key[i] for _, key in places], schema.field(i).type)
        for i in range(len(Key._fields) - 1)
    ]
    return pa.Table.from_arrays([*keys, *taken[:2], *columns, taken[2]], schema=schema)


def _plots_table(directory: Path, examples: Mapping[Sides, int]) -> pa.Table:
    found = dict(_plots(directory))
    ordered = _ordered(found)
    names = pa.array([key.name for _, key in ordered], pa.string())
    points = [list(found[place].items()) for place in ordered]
    columns = pa.array(points, PLOTS_SCHEMA.field("columns").type)
    return _table(ordered, [names, columns], examples, PLOTS_SCHEMA)


def _plots(directory: Path) -> Iterator[tuple[tuple[Sides, Key], Columns]]:
    for found in _messages(directory, "plots", messages().PlotsForSlice):
        sides = read_slice(found)
        for pair in found.plot_keys_and_values:
            for field, columns in read_plots(pair.value):
                name = pair.key.name or DEFAULT_PLOTS.get(field, field)
                yield (sides, read_key(pair.key, name)), columns


def _verdict(
    directory: Path, config: EvalConfig, values: Values, examples: Mapping[Sides, int]
) -> Verdict:
    found = list(_messages(directory, "validations", messages().ValidationResult))
    if len(found) > 1:
        raise OutputError(f"{directory} has {len(found)} validation results; TFMA writes one.")
    baseline = config.baseline_spec

    def lookup(sides: Sides, key: Key) -> Row:
        own = values.get((sides, key), Found())
        base = key._replace(model=baseline.name) if baseline else None
        other = values.get((sides, base), Found()) if base else Found()
        count, is_number = examples.get(sides, 0), own.structured is None
        return Row(sides.name, sides.flat, *own[:3], count, is_number, other.value)

    (path,) = _files(directory, "validations") or [directory]
    with _reading(path):
        return read_verdict(found[0] if found else None, config, lookup)


def _manifest(
    directory: Path, run: Mapping[str, Any], config: EvalConfig, verdict: Verdict
) -> dict[str, Any]:
    """What TFMA says of a run, under the names of our manifest; it records no digests."""
    written = (directory / EVAL_CONFIG).stat().st_mtime
    created = datetime.datetime.fromtimestamp(written, datetime.timezone.utc)
    location = run.get("dataLocation", UNKNOWN)
    places = run.get("modelLocations", {})
    return {
        "written_by": f"TFMA {run.get('version', UNKNOWN)}",
        "created": created.isoformat(timespec="seconds"),
        "verdict": verdict.status,
        "missing": {},
        "seconds": {},
        "lineage": None,
        "models": [
            _model(spec.name, spec.is_baseline, places.get(spec.name, UNKNOWN))
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
