# SPDX-License-Identifier: Apache-2.0
"""SQL in a config: conditions on rows, and TFMA's statements for slices read as fields of ours.

sqlglot parses it; what of it is computed is in `benison.slicing.expressions`.
"""

from __future__ import annotations

from typing import Any

from benison.config.plain import shortened
from benison.errors import ConfigError, MissingExtraError

_EXAMPLE = "example"
_CLAUSES = {"expressions", "from", "from_", "joins", "where"}


def condition(text: str) -> Any:
    """The sqlglot expression of a condition on rows, such as `fare < 20 AND company = 'Blue'`.

    Raises:
        ConfigError: It is not one expression of SQL.
        MissingExtraError: sqlglot is not installed.
    """
    return _parsed(text, "")


def _parsed(text: str, dialect: str) -> Any:
    try:
        import sqlglot
        from sqlglot.errors import SqlglotError
    except ImportError as error:
        raise MissingExtraError("sqlglot, which reads SQL,", "where") from error
    try:
        parts = [part for part in sqlglot.parse(text, dialect=dialect) if part is not None]
    except SqlglotError as error:
        raise ConfigError(_not_sql(text, dialect, error)) from error
    except RecursionError:
        raise ConfigError("is nested too deep; write less into one condition.") from None
    if len(parts) != 1:
        raise ConfigError(f"{shortened(text)!r} is {len(parts)} statements of SQL; write one.")
    return parts[0]


def _not_sql(text: str, dialect: str, error: Any) -> str:
    details = (getattr(error, "errors", None) or [{}])[0]
    where = f" at line {details['line']}, column {details['col']}" if "line" in details else ""
    what = str(details.get("description") or "it cannot be read").partition("<class")[0].strip()
    kind = "statement" if dialect else "condition"
    return f"{shortened(text)!r} is not a {kind} of SQL: {what.rstrip('.')}{where}."


def translated(text: str) -> dict[str, Any]:
    """The fields of a slicing spec whose slices are those of a `slice_keys_sql` of TFMA.

    >>> translated("SELECT STRUCT(company, hour) FROM example.company, example.hour WHERE hour = 5")
    {'feature_keys': ['company'], 'feature_values': {'hour': '5'}}

    Raises:
        ConfigError: There are none; with the fields that come nearest.
        MissingExtraError: sqlglot is not installed.
    """
    statement = _Statement(_parsed(text, "bigquery"))
    if statement.faults:
        near = statement.fields()
        tried = f" As far as it could be read it is {near}." if near else ""
        raise ConfigError(
            f"cannot be read as slices: {statement.faults[0]}.{tried} Write feature_keys, feature_values, "
            "bins and where in its place."
        )
    return statement.fields()


class _Statement:
    """A SELECT STRUCT(...) FROM example.f, ... WHERE ..., and what of it has no fields."""

    def __init__(self, statement: Any) -> None:
        from sqlglot import exp

        self._exp = exp
        self.faults: list[str] = []
        self._features: list[str] = []
        self._values: dict[str, str] = {}
        self._rest: list[str] = []
        if not isinstance(statement, exp.Select):
            self.faults.append("it is not one SELECT STRUCT(...)")
            return
        given = [name for name, value in statement.args.items() if value]
        if unread := [name for name in given if name not in _CLAUSES]:
            self.faults.append(f"{unread[0].upper()} changes which rows there are")
        self._renamed = self._sources(statement)
        self._select(statement.expressions)
        if where := statement.args.get("where"):
            self._restrict(where.this)

    def fields(self) -> dict[str, Any]:
        """The fields of a slicing spec."""
        keys = [name for name in self._features if name not in self._values]
        rest = " AND ".join(self._rest)
        fields = {
            "feature_keys": keys,
            "feature_values": self._values,
            "where": {rest: rest} if rest else {},
        }
        return {name: value for name, value in fields.items() if value}

    def _sources(self, statement: Any) -> dict[str, str]:
        """The feature of each name that FROM gives one."""
        exp, names = self._exp, {}
        for source in statement.find_all(exp.Table, exp.Unnest):
            column = source.expressions[0] if isinstance(source, exp.Unnest) else source
            owner = column.args.get("table" if isinstance(source, exp.Unnest) else "db")
            if getattr(owner, "name", "").lower() != _EXAMPLE:
                self.faults.append(f"{source.sql()} is not a feature of {_EXAMPLE}")
            alias = source.args.get("alias")
            given = (
                [alias.name, *(c.name for c in alias.args.get("columns") or ())] if alias else []
            )
            names.update({name: column.name for name in (*given, column.name) if name})
        for join in statement.args.get("joins") or ():
            if join.args.get("on") or join.args.get("side") or join.args.get("using"):
                self.faults.append(f"{join.sql().strip()} joins")
        return names

    def _select(self, expressions: list[Any]) -> None:
        exp = self._exp
        structs = [part for part in expressions if isinstance(part, exp.Struct)]
        if len(structs) != 1 or len(expressions) != 1:
            self.faults.append("it does not select one STRUCT(...)")
        for field in structs[0].expressions if structs else ():
            name, value = field.name, field
            if isinstance(field, exp.PropertyEQ | exp.Alias):
                value = field.expression if isinstance(field, exp.PropertyEQ) else field.this
                name = field.this.name if isinstance(field, exp.PropertyEQ) else field.alias
            if not isinstance(value, exp.Column):
                self.faults.append(f"{value.sql()} is not a feature")
                continue
            feature = self._feature(value)
            self._features.append(feature)
            if feature != name:
                self.faults.append(f"the feature {feature!r} would be called {name!r}")

    def _feature(self, column: Any) -> str:
        return self._renamed.get(column.name, str(column.name))

    def _restrict(self, where: Any) -> None:
        exp = self._exp
        for column in where.find_all(exp.Column):
            column.set("this", exp.to_identifier(self._feature(column), quoted=None))
            column.set("table", None)
        parts = where.flatten() if isinstance(where, exp.And) else [where]
        for part in parts:
            value = part.expression if isinstance(part, exp.EQ) else None
            if isinstance(value, exp.Literal) and part.this.name in self._features:
                self._values[part.this.name] = value.this
            else:
                self._rest.append(part.sql())
