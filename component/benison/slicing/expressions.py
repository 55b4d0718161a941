# SPDX-License-Identifier: Apache-2.0
"""Conditions on rows: the WHERE of SQL, computed over the columns of a batch.

As in SQL a condition is true, false or, where it looks at a missing value, null. Numbers are compared as
their columns hold them, exactly, and a decimal beside a float as the float nearest to it; arithmetic is in
float64, and what it leaves undefined, such as a division by 0, is null.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from benison.config import sql_text
from benison.data.values import floats_of
from benison.errors import ConfigError, suggestion
from benison.slicing.operands import (
    DIGITS,
    Operand,
    as_operand,
    as_time,
    compared,
    kind_of_operand,
    nulls_like,
    without_nan,
)

_SUPPORTED = "= <> < <= > >= IN BETWEEN LIKE IS NULL AND OR NOT + - * /"
_INT64 = range(-(2**63), 2**63)
_COMPARISONS: dict[str, Callable[..., Any]] = {
    "EQ": pc.equal,
    "NEQ": pc.not_equal,
    "LT": pc.less,
    "LTE": pc.less_equal,
    "GT": pc.greater,
    "GTE": pc.greater_equal,
}
_ARITHMETIC: dict[str, Callable[..., Any]] = {
    "Add": pc.add,
    "Sub": pc.subtract,
    "Mul": pc.multiply,
    "Div": pc.divide,
}
_TIMES = {"DATE": pa.date32(), "TIMESTAMP": pa.timestamp("us"), "DATETIME": pa.timestamp("us")}
_ARGUMENTS = {
    "this",
    "expression",
    "expressions",
    "low",
    "high",
    "negate",
    "to",
    "is_string",
    "quoted",
}
_OTHERS = {
    *("And", "Or", "Not", "Paren", "Neg", "Column", "Identifier", "Literal", "Boolean", "Null"),
    *("In", "Between", "Like", "Is", "Cast", "DataType"),
}
_NODES = _OTHERS | _COMPARISONS.keys() | _ARITHMETIC.keys()


class Condition:
    """A condition on rows, parsed.

    Raises:
        ConfigError: It is not SQL, or not of the part of SQL that is computed.
        MissingExtraError: sqlglot is not installed.

    >>> batch = pa.RecordBatch.from_pydict({"fare": [5.0, 25.0, None], "company": ["Blue", "Blue", "Sun"]})
    >>> Condition("fare < 20 AND company = 'Blue'").of(batch).to_pylist()
    [True, False, False]
    """

    def __init__(self, text: str) -> None:
        self._tree = _tree(text)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it reads, sorted."""
        names = {node.name for node in self._tree.walk() if type(node).__name__ == "Column"}
        return tuple(sorted(names))

    def of(self, batch: pa.RecordBatch) -> pa.BooleanArray:
        """For each row true, false or null.

        Raises:
            ConfigError: A column is not there, or its type is not what the condition makes of it.
        """
        columns = dict(zip(batch.schema.names, batch.columns, strict=True))
        try:
            value = _Evaluation(columns).truth(self._tree)
        except RecursionError:
            raise ConfigError("is nested too deep; write less into one condition.") from None
        except pa.ArrowException as error:
            first = str(error).partition("\n")[0]
            raise ConfigError(f"{self._tree.sql()} cannot be computed: {first}") from error
        if isinstance(value, pa.Scalar):
            value = pa.array([value.as_py()] * batch.num_rows, pa.bool_())
        return value

    def check(self, types: Mapping[str, pa.DataType]) -> None:
        """Hold the condition against the types of columns; raises ConfigError as `of` does."""
        columns = {name: pa.nulls(0, kind) for name, kind in types.items()}
        self.of(pa.RecordBatch.from_pydict(columns))


@functools.lru_cache(maxsize=256)
def _tree(text: str) -> Any:
    """The expression of a text, of which every part is computed."""
    tree = sql_text.condition(text)
    for node in tree.walk():
        kind = type(node).__name__
        given = {name for name, value in node.args.items() if value}
        if kind == "Column" and "table" in given:
            raise ConfigError(
                f"{node.sql()} names a table; a column is written by its name alone, in double quotes "
                "where it is not a plain word."
            )
        is_time = (
            kind == "Cast" and node.to.sql() in _TIMES and type(node.this).__name__ == "Literal"
        )
        extra = given - _ARGUMENTS if kind != "DataType" else set()
        if kind not in _NODES or extra or (kind == "Cast" and not is_time):
            raise ConfigError(f"{node.sql()} is not computed here; there are {_SUPPORTED}.")
    return tree


class _Evaluation:
    """The values of the parts of a condition over columns of one length."""

    def __init__(self, columns: Mapping[str, pa.Array]) -> None:
        self._columns = columns

    def truth(self, node: Any) -> Operand:
        """A part that must be true, false or null."""
        value = self.value(node)
        kind = kind_of_operand(value)
        if kind == "null":
            return nulls_like(value, pa.bool_())
        if kind != "truth":
            raise ConfigError(
                f"{node.sql()} is {_WORDS[kind]}, not a condition; compare it with something."
            )
        return value

    def value(self, node: Any) -> Operand:
        """A part, of whatever kind."""
        name = type(node).__name__
        if name in _COMPARISONS:
            return self._compared(_COMPARISONS[name], node.this, node.expression)
        if name in _ARITHMETIC:
            return self._calculated(name, node)
        method: Callable[[Any], Operand] = getattr(self, f"_{name.lower()}")
        return method(node)

    def _paren(self, node: Any) -> Operand:
        return self.value(node.this)

    def _and(self, node: Any) -> Operand:
        return functools.reduce(pc.and_kleene, map(self.truth, node.flatten()))

    def _or(self, node: Any) -> Operand:
        return functools.reduce(pc.or_kleene, map(self.truth, node.flatten()))

    def _not(self, node: Any) -> Operand:
        return pc.invert(self.truth(node.this))

    def _in(self, node: Any) -> Operand:
        each = (self._compared(pc.equal, node.this, other) for other in node.expressions)
        return functools.reduce(pc.or_kleene, each, pa.scalar(False))

    def _between(self, node: Any) -> Operand:
        low = self._compared(pc.greater_equal, node.this, node.args["low"])
        return pc.and_kleene(low, self._compared(pc.less_equal, node.this, node.args["high"]))

    def _is(self, node: Any) -> Operand:
        other = type(node.expression).__name__
        if other == "Null":
            return pc.is_null(self.value(node.this))
        if other != "Boolean":
            raise ConfigError(f"{node.sql()}: after IS stands NULL, TRUE or FALSE.")
        return pc.fill_null(pc.equal(self.truth(node.this), self.value(node.expression)), False)

    def _like(self, node: Any) -> Operand:
        value, pattern = self.value(node.this), self.value(node.expression)
        if {kind_of_operand(value), kind_of_operand(pattern)} - {"text", "null"} or isinstance(
            pattern, pa.Array
        ):
            raise ConfigError(f"{node.sql()}: LIKE holds a text against a pattern in quotes.")
        if "null" in (kind_of_operand(value), kind_of_operand(pattern)):
            return nulls_like(value, pa.bool_())
        matched = pc.match_like(value, pattern.as_py())
        return pc.invert(matched) if node.args.get("negate") else matched

    def _column(self, node: Any) -> Operand:
        if node.name not in self._columns:
            quoted = node.this.args.get("quoted")
            hint = f" A text stands in single quotes: '{node.name}'." if quoted else ""
            near = suggestion(node.name, self._columns)
            raise ConfigError(f"the data have no column {node.name!r}. {near}{hint}")
        return as_operand(node.name, self._columns[node.name])

    def _literal(self, node: Any) -> Operand:
        if node.is_string:
            return pa.scalar(node.this, pa.string())
        if node.this.isdecimal() and int(node.this) in _INT64:
            return pa.scalar(int(node.this), pa.int64())
        if node.this.replace(".", "", 1).isdecimal() and len(node.this) <= DIGITS:
            return pa.scalar(Decimal(node.this))
        return pa.scalar(float(node.this), pa.float64())

    def _boolean(self, node: Any) -> Operand:
        return pa.scalar(bool(node.this))

    def _null(self, node: Any) -> Operand:
        return pa.scalar(None, pa.null())

    def _cast(self, node: Any) -> Operand:
        kind = _TIMES[node.to.sql()]
        return as_time(node.sql(), pa.scalar(node.this.this, pa.string()), node.to.sql(), kind)

    def _neg(self, node: Any) -> Operand:
        value = self._number(node.this)
        if isinstance(value, pa.Scalar) and value.is_valid:
            return pa.scalar(-value.as_py(), value.type)
        return pc.negate(floats_of(value))

    def _calculated(self, name: str, node: Any) -> Operand:
        numbers = (self._number(part) for part in (node.this, node.expression))
        left, right = map(floats_of, numbers)
        if name == "Div":
            right = pc.if_else(pc.equal(right, 0.0), pa.scalar(None, pa.float64()), right)
        return without_nan(_ARITHMETIC[name](left, right))

    def _number(self, node: Any) -> Operand:
        value = self.value(node)
        if kind_of_operand(value) == "null":
            return nulls_like(value, pa.float64())
        if kind_of_operand(value) != "number":
            raise ConfigError(
                f"{node.sql()} is {_WORDS[kind_of_operand(value)]}, not a number to calculate with."
            )
        return value

    def _compared(self, compare: Callable[..., Operand], left: Any, right: Any) -> Operand:
        a, b = self.value(left), self.value(right)
        kinds = kind_of_operand(a), kind_of_operand(b)
        if "null" in kinds:
            return nulls_like(a if isinstance(a, pa.Array) else b, pa.bool_())
        if kinds == ("time", "text"):
            b = as_time(right.sql(), b, left.sql(), a.type)
        elif kinds == ("text", "time"):
            a = as_time(left.sql(), a, right.sql(), b.type)
        elif kinds[0] != kinds[1]:
            raise ConfigError(_unlike(left, right, *kinds))
        return compared(compare, a, b)


_WORDS = {
    "number": "a number",
    "text": "text",
    "truth": "true or false",
    "time": "a time",
    "null": "null",
}


def _unlike(left: Any, right: Any, a: str, b: str) -> str:
    cure = ""
    if {a, b} == {"number", "text"}:
        cure = " A text stands in single quotes; options.column_types says how a column of CSV is read."
    return f"{left.sql()} is {_WORDS[a]} and {right.sql()} is {_WORDS[b]}, which are not compared.{cure}"
