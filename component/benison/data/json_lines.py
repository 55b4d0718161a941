# SPDX-License-Identifier: Apache-2.0
"""JSON Lines: an object a line, of which each may have other fields, or values of other types.

Arrow reads them. What it refuses in a block of lines, such as a field that is a number here and a text
there, Python reads, value by value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import json as arrow_json

from benison.data.reading import BLOCK_BYTES, NO_ROWS, Inspected, ReadOptions, Rules, open_stream
from benison.data.values import WHOLE_FLOATS, is_list, is_number, text_of
from benison.data.widening import MisfitError, unify
from benison.errors import DataError

# Arrow parses by recursion, which ends the process where lines are nested some 10,000 deep.
_MOST_NESTED = 200
_KINDS: dict[type, str] = {list: "lists", dict: "objects"}
_SURROGATE = re.compile("[\ud800-\udfff]")
_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*"')
_PARSED_AT_ONCE = 2**22  # by each thread


def inspect(path: str, rules: Rules) -> Inspected:
    """The fields of the first block of lines."""
    first = next(_blocks(path), None)
    return NO_ROWS if first is None else Inspected(_fields(path, *first, None))


def scan(path: str, columns: Sequence[str], rules: Rules) -> Inspected:
    """The types of some fields over all lines; one that no line has is not there."""
    schemas = (_fields(path, number, block, columns) for number, block in _blocks(path))
    return Inspected(reduce(_unified, schemas, pa.schema([])))


def read(path: str, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """The lines, a block at a time; raises MisfitError for a value that is not of its field's type."""
    explicit = arrow_json.ParseOptions(
        explicit_schema=_readable(options.schema), unexpected_field_behavior="ignore"
    )
    for number, block in _blocks(path):
        batch = _parsed(block, explicit)
        if batch is None or _rounded(batch, options.rules.sliced):
            batch = _by_value(_objects(path, number, block), options, path)
        yield batch


def _readable(schema: pa.Schema) -> pa.Schema:
    """The types that Arrow's reader is asked for; what is left is converted with the whole dataset."""
    return pa.schema([f for f in schema if not pa.types.is_temporal(f.type)])


def _blocks(path: str) -> Iterator[tuple[int, bytes]]:
    """Whole lines that are not too deep, with the number of the first of them, counted from 1."""
    number, rest = 1, b""
    with open_stream(path) as stream:
        while piece := stream.read(BLOCK_BYTES):
            end = piece.rfind(b"\n") + 1
            if end:
                yield from _checked(path, number, rest + piece[:end])
                number, rest = number + _occurrences(b"\n", piece), piece[end:]
            else:
                rest += piece
    yield from _checked(path, number, rest)


def _checked(path: str, number: int, block: bytes) -> Iterator[tuple[int, bytes]]:
    if not block or block.isspace():
        return
    opened = _occurrences(b"{", block) + _occurrences(b"[", block)
    if opened - _occurrences(b"\n", block) > _MOST_NESTED:
        for i, line in enumerate(block.split(b"\n")):
            if len(line) > _MOST_NESTED and _depth(line) > _MOST_NESTED:
                raise DataError(
                    f"{path}: line {number + i:,} is nested more than {_MOST_NESTED} deep. An example "
                    f"is an object of numbers, texts and lists."
                )
    yield number, block


def _occurrences(sign: bytes, block: bytes) -> int:
    """How often one byte is among others; that of bytes takes five times as long where it is frequent."""
    return int(np.count_nonzero(np.frombuffer(block, np.uint8) == ord(sign)))


def _depth(line: bytes) -> int:
    """How deep the lists and objects of a line are nested."""
    if line.count(b"{") + line.count(b"[") <= _MOST_NESTED:
        return 0
    signs: npt.NDArray[np.uint8] = np.frombuffer(_TEXT.sub(b"", line), np.uint8)
    steps = np.isin(signs, (91, 123)).astype(np.int64) - np.isin(signs, (93, 125))
    return int(np.cumsum(steps).max(initial=0))


def _count(block: bytes) -> int | None:
    """The lines that are not blank; None if one of them does not begin as an object does."""
    signs: npt.NDArray[np.uint8] = np.frombuffer(block, np.uint8)
    begins = np.append(0, np.flatnonzero(signs == ord("\n")) + 1)
    begins = begins[: len(begins) - block.endswith(b"\n")]
    if np.all(signs[begins] == ord("{")):
        return len(begins)
    lines = [line for line in map(bytes.strip, block.split(b"\n")) if line]
    return len(lines) if all(line.startswith(b"{") for line in lines) else None


def _parsed(block: bytes, options: Any) -> pa.RecordBatch | None:
    """The lines as Arrow reads them; None where it refuses them, or finds several objects in a line.

    Arrow 18 ends the process at a first line that is `null`, and takes a later one for an example.
    """
    count = _count(block)
    if count is None:
        return None
    for size in (
        _PARSED_AT_ONCE,
        len(block) + 1,
    ):  # the latter for lines that are longer than the former
        try:
            table = arrow_json.read_json(
                pa.BufferReader(block), arrow_json.ReadOptions(block_size=size), options
            )
        except pa.ArrowException:
            continue
        (batch,) = table.combine_chunks().to_batches() or [None]
        # A batch without columns does not say how many rows it has.
        is_whole = batch is None or not batch.num_columns or batch.num_rows == count
        return batch if is_whole else None
    return None


def _rounded(batch: pa.RecordBatch, names: Sequence[str] | frozenset[str] | None) -> bool:
    """Whether Arrow may have rounded an integer, which it makes a float beside others."""
    columns = zip(batch.schema.names, batch.columns, strict=True)
    return any(
        pa.types.is_floating(column.type)
        and (names is None or name in names)
        and (pc.max(pc.abs(column)).as_py() or 0) >= WHOLE_FLOATS
        for name, column in columns
    )


def _fields(path: str, number: int, block: bytes, names: Sequence[str] | None) -> pa.Schema:
    """The fields of some lines with their types; times stay text."""
    batch = _parsed(block, None)
    if batch is None or _rounded(batch, names):
        return _fields_by_value(_objects(path, number, block), names)
    schema = batch.schema
    if names is not None:
        schema = pa.schema([schema.field(name) for name in names if name in schema.names])
    return pa.schema([(f.name, _untimed(f.type)) for f in schema])


def _untimed(kind: pa.DataType) -> pa.DataType:
    """The type without times, which no two programs write alike."""
    if is_list(kind):
        return pa.list_(_untimed(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([(f.name, _untimed(f.type)) for f in kind])
    return pa.string() if pa.types.is_temporal(kind) else kind


def _unified(a: pa.Schema, b: pa.Schema) -> pa.Schema:
    for field in b:
        index = a.get_field_index(field.name)
        if index < 0:
            a = a.append(field)
            continue
        kind = unify(a.field(index).type, field.type)
        if kind is not None:
            a = a.set(index, pa.field(field.name, kind))
    return a


def _objects(path: str, number: int, block: bytes) -> list[dict[str, Any]]:
    """The lines as Python reads them."""
    objects = []
    for i, line in enumerate(block.split(b"\n")):
        if not line.strip():
            continue
        try:
            parsed = json.loads(line, object_pairs_hook=unique_fields)
        except KeyError as error:
            raise DataError(
                f"{path}: line {number + i:,} has the field {error} twice, and only one of its values can be "
                f"meant. Name it once."
            ) from error
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}: line {number + i:,} is not JSON: {error}.") from error
        if not isinstance(parsed, dict):
            kind = "null" if parsed is None else type(parsed).__name__
            raise DataError(
                f"{path}: line {number + i:,} is a {kind}, and an example is an object."
            )
        objects.append(parsed)
    return objects


def unique_fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON.

    Raises:
        KeyError: It has a name twice, of which Python would take the last.
    """
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        raise KeyError(next(name for name in names if names.count(name) > 1))
    return made


def _fields_by_value(objects: Sequence[dict[str, Any]], names: Sequence[str] | None) -> pa.Schema:
    known = dict.fromkeys(name for row in objects for name in row)
    if names is not None:
        known = dict.fromkeys(name for name in names if name in known)
    return pa.schema([(n, _type_of([row.get(n) for row in objects]) or pa.null()) for n in known])


def _type_of(values: Sequence[Any]) -> pa.DataType | None:
    """The narrowest type of values as Python reads them, None where lists and others are mixed."""
    lists = [v for v in values if isinstance(v, list)]
    others = [v for v in values if v is not None and not isinstance(v, list)]
    if lists and others:
        return None
    if lists:
        inner = _type_of([x for v in lists for x in v])
        return None if inner is None else pa.list_(inner)
    kinds = {type(v) for v in others}
    if dict in kinds:
        return pa.array(others).type if kinds == {dict} else None
    if str in kinds or int in kinds and max(abs(v) for v in others if type(v) is int) >= 2**63:
        return pa.string()
    exact = all(abs(v) <= WHOLE_FLOATS for v in others if type(v) is int)
    if float in kinds:
        return pa.float64() if exact else pa.string()
    return pa.int64() if int in kinds else pa.bool_() if kinds else pa.null()


def column_of(values: Sequence[Any]) -> pa.Array:
    """Values as Python reads them from JSON, of the narrowest type; lists among others become their JSON.

    >>> column_of([1, True, "b"]).to_pylist(), column_of([[1], "a", None]).to_pylist()
    (['1', 'true', 'b'], ['[1]', 'a', None])
    """
    kind = _type_of(values)
    if kind is None:
        kind, values = pa.string(), [json.dumps(v) if isinstance(v, list) else v for v in values]
    return pa.array(_as(values, kind), kind)


def _by_value(objects: Sequence[dict[str, Any]], options: ReadOptions, path: str) -> pa.RecordBatch:
    columns, exact = [], options.rules.sliced - options.rules.texts
    for field in options.schema:
        values = [row.get(field.name) for row in objects]
        # Whole numbers of a block are rounded later, after the texts are made that slices may see.
        is_float = pa.types.is_floating(field.type) and field.name not in exact
        is_whole = is_float and _type_of(values) == pa.int64()
        kind = pa.int64() if is_whole else field.type
        try:
            columns.append(pa.array(_as(values, kind), kind))
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            _check_values(field.name, values, path)
            raise MisfitError(
                f"{path}: column {field.name!r} is {field.type} in the lines before, and then not: "
                f"{str(error).splitlines()[0]}",
                field.name,
            ) from error
    return pa.RecordBatch.from_arrays(columns, options.schema.names)


def _check_values(name: str, values: Sequence[Any], path: str) -> None:
    """Refuse what has no type; raises DataError."""
    if _type_of(values) is None:
        first, *others = sorted(
            {_KINDS.get(type(v), "texts or numbers") for v in values if v is not None}
        )
        mixed = (
            f"in some lines and {others[0]} in others" if others else "with values of several kinds"
        )
        raise DataError(f"{path}: column {name!r} holds {first} {mixed}. Write values of one kind.")
    broken = next((v for v in values if isinstance(v, str) and _SURROGATE.search(v)), None)
    if broken is not None:
        raise DataError(
            f"{path}: column {name!r} holds {ascii(broken)}, with one half of a character that takes two "
            "(a surrogate of UTF-16), which is no text. Write the character in UTF-8, or both halves."
        )


def _as(values: Sequence[Any], kind: pa.DataType) -> list[Any]:
    """Values in a form that Arrow takes for a type: numbers as text, truth values as numbers."""
    if is_list(kind):
        return [None if v is None else _as(_list(v), kind.value_type) for v in values]
    if pa.types.is_string(kind):
        return [v if v is None or isinstance(v, str) else _text(v) for v in values]
    if pa.types.is_integer(kind):
        return [v if v is None else _whole(v) for v in values]
    if is_number(kind) and not pa.types.is_boolean(kind):
        return [int(v) if isinstance(v, bool) else v for v in values]
    return list(values)


def _whole(value: Any) -> int:
    """The integer that a value is; Arrow would cut one off."""
    if isinstance(value, float) and not value.is_integer():
        raise ValueError(f"{value!r} is no integer")
    if isinstance(value, (bool, float)):
        return int(value)
    return value  # type: ignore[no-any-return]


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is no list")
    return value


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        text: str | None = text_of(pa.array([value])).to_pylist()[0]
        return text
    raise TypeError(f"{value!r} is no text")
