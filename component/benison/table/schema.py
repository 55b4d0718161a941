# SPDX-License-Identifier: Apache-2.0
"""The columns of metrics.parquet and plots.parquet, and how older tables are brought into them."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from benison.slicing.keys import SLICE_KEY
from benison.table.key import CHANGE, SLICE_DIFFERENCE, SLICE_RATIO, VALUE
from benison.table.words import metric_text

SCHEMA_VERSION = 2


def _text(name: str) -> pa.Field:
    return pa.field(name, pa.string(), nullable=False)


def _number(name: str) -> pa.Field:
    return pa.field(name, pa.float64(), nullable=False)


SLICE_FIELDS = [
    _text("slice"),
    pa.field("slice_key", SLICE_KEY, nullable=False),
    pa.field("other_slice_key", SLICE_KEY),
]
"""The slice: its name for people, its identity, and for a comparison the other slice, else null."""

KEY_FIELDS = [
    *map(_text, ("model", "output", "dataset", "variant", "sub_key", "aggregation")),
    pa.field("weighted", pa.bool_(), nullable=False),
]

METRICS_SCHEMA = pa.schema(
    [
        *KEY_FIELDS,
        *SLICE_FIELDS,
        _text("metric"),
        _text("kind"),
        *map(_number, ("value", "lower", "upper", "std_error", "df", "resolution")),
        _text("interval_method"),
        pa.field("structured", pa.string()),
        pa.field("structured_lower", pa.string()),
        pa.field("structured_upper", pa.string()),
        pa.field("examples", pa.int64(), nullable=False),
        pa.field("evaluated", pa.int64()),
    ]
)
"""One row per key (`table.key.Key`) and slice.

`value` is NaN where undefined and for structured values, whose JSON is `structured`. `lower`, `upper`,
`std_error` and `df` are NaN without an interval; `structured_lower` and `structured_upper` are the ends of
the intervals of points, in the form of `structured`, null without. `examples` are the rows of the data in the
slice, `evaluated` those of them that enter the value; null where it is not known, as in tables of schema 1.
"""

PLOTS_SCHEMA = pa.schema(
    [
        *KEY_FIELDS,
        *SLICE_FIELDS,
        _text("plot"),
        pa.field("columns", pa.map_(pa.string(), pa.list_(pa.float64())), nullable=False),
        pa.field("examples", pa.int64(), nullable=False),
    ]
)
"""One row per plot of a slice; `columns` are its points, each a list of one length."""


CHECKS_SCHEMA = pa.schema(
    [
        *KEY_FIELDS,
        *SLICE_FIELDS,
        *map(_text, ("metric", "kind", "check", "side")),
        *map(_number, ("bound", "value", "lower", "upper", "baseline", "change")),
        *map(_text, ("outcome", "evidence", "zone")),
        *map(_number, ("p_value", "p_adjusted", "p_asked")),
        pa.field("family_size", pa.int64()),
        _number("detectable"),
        pa.field("needed_examples", pa.int64()),
        pa.field("lost", pa.int64()),
        pa.field("won", pa.int64()),
        *map(_number, ("passing", "level")),
        pa.field("examples", pa.int64(), nullable=False),
        pa.field("evaluated", pa.int64()),
        pa.field("note", pa.string()),
    ]
)
"""One row per check: a bound on the value of a key on a slice.

`side` says whether `bound` limits from below (`lower`) or above (`upper`); `lower` and `upper` are the
interval of what is judged, the value or the change, in its unit, of the confidence `level`. `note` is the
sentence where the numbers do not make it.

Where there is evidence: `zone` is what the sample shows; `p_value` and `p_adjusted` are how often it would by
chance, the latter over all `family_size` checks. `p_asked` is the p-value by which what is undecided beyond
its bound would be shown, with all others as they are. `detectable` is the fall (of a bound from above the
rise) that 80 % of such samples show, of a value the distance from its bound. By `needed_examples` rows the
measured distance could be told. With `passing` as its bound a check that failed would have passed.
"""


WEAK_SLICES_SCHEMA = pa.schema(
    [
        *map(_text, ("model", "output", "loss", "measure")),
        *SLICE_FIELDS[:2],
        pa.field("examples", pa.int64(), nullable=False),
        pa.field("confirmed_on", pa.int64(), nullable=False),
        *map(_number, ("mean_loss", "expected", "effect", "lower", "upper", "p_adjusted")),
        _number("share_of_errors"),
        _text("parent"),
    ]
)
"""One row per slice, the strongest first; of changes Overall at the end, where all rows became worse.

`examples` are the rows of the slice that have a loss, `confirmed_on` those of them that did not find it. Of
these `mean_loss` is the mean loss, `expected` what other slices and all examples lead one to expect, `effect`
the difference with its interval `lower` to `upper`, at a confidence that holds for all slices together, and
`p_adjusted` how probable so large a difference is by chance, corrected for the slices that were tried.
`share_of_errors` is the slice's share of the sum of the losses, of changes by decisions its share of what is
newly wrong; NaN where that is no share. `parent` is the slice of this table that it is a part of, "" without.
"""


PROBES_SCHEMA = pa.schema(
    [
        *map(_text, ("model", "output", "probe", "feature", "detail")),
        pa.field("count", pa.int64()),
        pa.field("rows", pa.int64()),
        *map(_number, ("value", "lower", "upper", "bound")),
        *map(_text, ("side", "outcome")),
        *(pa.field(name, pa.string()) for name in ("evidence", "zone")),
        *(pa.field(name, pa.float64()) for name in ("p_value", "p_adjusted")),
        *(pa.field(name, pa.int64()) for name in ("family_size", "needed_examples")),
        pa.field("notable", pa.bool_(), nullable=False),
        _text("sentence"),
        pa.field("curve", pa.list_(pa.struct([_text("at"), _number("value")])), nullable=False),
        pa.field("lines", pa.list_(pa.list_(pa.float64()))),
    ]
)
"""One row per finding of a probe, in the order in which they ran.

`feature` is the one that was changed, "" where all were, `detail` what tells findings of a feature apart. A
share is `count` of `rows`; `count` is null where the value is no share, and `rows` where it rests on none.
`value` has the interval `lower` to `upper`. `side` says whether `bound` limits from below (`lower`) or above
(`upper`), "" without a bound, and `outcome` what came of it: pass, fail, undecided, not_evaluated, or ""
without one; `evidence` to `needed_examples` are those of checks.parquet, null of a bound without evidence.
`notable` is what a person should look at, bound or not. `curve` are the points of a probe that draws one,
and `lines` what single rows have at the same points, of the first rows; null where there are none.
"""


PROFILE_SCHEMA = pa.schema(
    [
        *map(_text, ("slice", "column", "type", "kind")),
        pa.field("number", pa.float64()),
        pa.field("text", pa.string()),
        pa.field("rows", pa.int64(), nullable=False),
        pa.field("slice_key", SLICE_KEY, nullable=False),
    ]
)
"""How often each value of a column is there, so that drift is seen without the data.

`type` is `numbers`, `texts`, or `ranks`: few of many numbers, each of which stands for those from it up to
the next. `kind` is `value`, `missing`, or `other`, of texts that are not counted one by one. The last
row of each column of each slice is that of `missing`. Keys are without types.
"""


def upgraded(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """A table of schema 1 or 2 with the columns of `schema`, those of the metrics or of the plots.

    Schema 1 kept a change in the metric's name (`auc_diff`), and a comparison of slices in the slice's
    (`a=1 vs a=2`), with the keys of both sides one after the other.

    Raises:
        KeyError: A column is missing that both schemas have.
        ValueError: A value is missing, or of a type that does not fit.
    """
    if "kind" in table.column_names or ("plot" in schema.names and "dataset" in table.column_names):
        return whole(_with_nulls(table, schema).select(schema.names).cast(schema))
    table = _without_ratios_of_changes(table)
    columns = {name: table[name] for name in table.column_names}
    columns |= _split_keys(table)
    if "metric" in columns:
        columns |= _split_names(table, columns["other_slice_key"])
    upgraded = [_column(columns, field, table.num_rows) for field in schema]
    return whole(pa.table(upgraded, schema=schema))


def _with_nulls(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """With the columns that may be null and that came later."""
    for field in schema:
        if field.nullable and field.name not in table.column_names:
            table = table.append_column(field, pa.nulls(table.num_rows, field.type))
    return table


def completed(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table with the columns of `schema`; one that it has not is NaN or null.

    Raises:
        ValueError: A column has another type, or is missing and of text.
    """
    columns = {name: table[name] for name in table.column_names}
    try:
        made = [_column(columns, field, table.num_rows, text=None) for field in schema]
    except KeyError as error:
        raise ValueError(f"the column {error.args[0]} is missing") from None
    return pa.table(made, schema=schema)


def whole(table: pa.Table) -> pa.Table:
    """The table, if what may not be missing in it is not, inside of keys neither.

    Raises:
        ValueError: It is; the sentence names the column.
    """
    for field in table.schema:
        column = table[field.name]
        if column.null_count and not field.nullable:
            raise ValueError(f"the column {field.name} has missing values")
        if field.type == SLICE_KEY:
            pairs = pc.list_flatten(column)
            parts = [pc.struct_field(pairs, name) for name in ("feature", "value")]
            if pairs.null_count or any(part.null_count for part in parts):
                raise ValueError(f"the column {field.name} has keys with missing parts")
    return table


def _without_ratios_of_changes(table: pa.Table) -> pa.Table:
    """Schema 1 divided the changes of two slices too, which means nothing."""
    if "metric" not in table.column_names:
        return table
    known = pc.unique(table["metric"]).to_pylist()
    odd = [metric_text(metric_text(name, CHANGE), SLICE_RATIO) for name in known]
    return table.filter(pc.invert(pc.is_in(table["metric"], value_set=pa.array(odd, pa.string()))))


def _column(
    columns: dict[str, pa.ChunkedArray], field: pa.Field, rows: int, text: str | None = ""
) -> pa.ChunkedArray:
    """The column of a field; what an older table did not have is `text`, NaN or null."""
    if field.name in columns:
        return columns[field.name].cast(field.type)
    if field.nullable:
        return pa.nulls(rows, field.type)
    if pa.types.is_floating(field.type):
        return pa.repeat(pa.scalar(float("nan"), field.type), rows)
    if pa.types.is_string(field.type) and text is not None:
        return pa.repeat(pa.scalar(text), rows)
    raise KeyError(field.name)


def _split_keys(table: pa.Table) -> dict[str, pa.Array]:
    """The keys of both sides of a comparison, whose name says where the first of them ends."""
    from benison.table.slices import sides

    pairs: dict[tuple[str, str], tuple[Any, Any]] = {}
    keys, others = [], []
    for name, key in zip(table["slice"].to_pylist(), table["slice_key"].to_pylist(), strict=True):
        identity = (name, str(key))
        if identity not in pairs:
            pairs[identity] = sides(name, key)
        first, second = pairs[identity]
        keys.append(first)
        others.append(second)
    return {"slice_key": pa.array(keys, SLICE_KEY), "other_slice_key": pa.array(others, SLICE_KEY)}


def _split_names(table: pa.Table, others: pa.Array) -> dict[str, pa.Array]:
    """The metric and the kind of each row. A suffix means a kind only beside the metric without it."""
    metrics: list[str] = table["metric"].to_pylist()
    known = set(metrics)
    changes = {metric_text(name, CHANGE): name for name in known}
    ratios = {metric_text(name, SLICE_RATIO): name for name in known}
    names, kinds = [], []
    for metric, is_compared in zip(metrics, pc.is_valid(others).to_pylist(), strict=True):
        if is_compared and metric in ratios:
            names.append(ratios[metric])
            kinds.append(SLICE_RATIO)
        elif metric in changes:
            names.append(changes[metric])
            kinds.append(CHANGE)
        else:
            names.append(metric)
            kinds.append(SLICE_DIFFERENCE if is_compared else VALUE)
    return {"metric": pa.array(names, pa.string()), "kind": pa.array(kinds, pa.string())}
