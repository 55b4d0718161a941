# SPDX-License-Identifier: Apache-2.0
"""Reads the EvalConfig that a Python file or a notebook makes, without running it.

What is understood is what such files hold: literals, constants and defaults of parameters, calls of TFMA's
messages, `text_format.Parse` of a text, `json.dumps`, and lists that are joined or made by a comprehension.
"""

from __future__ import annotations

import ast
import json
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from benison.config import plain, protos
from benison.config.fields import ConfidenceIntervalMethod, MetricDirection
from benison.config.text_forms import parse_text_proto
from benison.errors import ConfigError, MissingExtraError

# Their arguments are what they hold.
_MESSAGES = protos.CONFIG_MESSAGES | {"BoolValue", "DoubleValue", "Int32Value", "dict"}
_MEMBERS = {*MetricDirection.__members__, *ConfidenceIntervalMethod.__members__}
_OPERATORS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
}
_CURE = (
    "Run the file where TFMA is installed, write the EvalConfig down with "
    "text_format.MessageToString, and convert that."
)
_SET = "Say what it is with --set {name}=VALUE."


def read(
    text: str, name: str, line: int | None = None, given: Mapping[str, Any] | None = None
) -> Mapping[str, Any]:
    """The fields of the EvalConfig that a program makes.

    Args:
        text: The program, or the JSON of a notebook.
        name: The name of the file; a notebook's ends in .ipynb.
        line: A line of the EvalConfig that is meant, where there are several.
        given: Values of names that the program takes from elsewhere, such as parameters; `a.b` is a name.

    Raises:
        ConfigError: It is not Python, makes no or several EvalConfigs, or computes what is not understood.
    """
    if name.endswith(".ipynb"):
        text = _cells(text, name)
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise ConfigError(f"{name} is not Python: {error.msg} at line {error.lineno}.") from None
    program = _Program(tree, name, given or {})
    value = program.value(_chosen([*_configs(tree)], name, line), {})
    if not isinstance(value, Mapping):
        raise ConfigError(f"{name} makes no EvalConfig that can be read. {_CURE}")
    return value


def _cells(text: str, name: str) -> str:
    """The code of a notebook, with empty lines for its commands and for cells that are not Python."""
    try:
        cells = plain.parse_json(text)["cells"]
        code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (KeyError, TypeError, ConfigError):
        raise ConfigError(f"{name} is not a notebook of Jupyter.") from None
    return "\n".join(map(_cell, code))


def _cell(code: str) -> str:
    lines = code.split("\n")
    kept = "\n".join("" if line.lstrip()[:1] in ("%", "!", "?") else line for line in lines)
    try:
        ast.parse(kept)
    except SyntaxError:
        return "\n" * (len(lines) - 1)
    return kept


def _configs(tree: ast.AST) -> Iterator[ast.Call]:
    """The calls that make an EvalConfig: of the message, or of a parser into one."""
    inner = set()
    for node in ast.walk(tree):  # the outer nodes come first
        if not isinstance(node, ast.Call) or node in inner:
            continue
        name = _last(node.func)
        into = [_last(arg.func) for arg in node.args if isinstance(arg, ast.Call)]
        if name in ("Parse", "ParseDict") and "EvalConfig" in into:
            inner |= {*node.args}
            yield node
        elif name == "EvalConfig" and (node.args or node.keywords):
            yield node


def _chosen(calls: list[ast.Call], name: str, line: int | None) -> ast.Call:
    if line is not None:
        calls = [call for call in calls if call.lineno <= line <= (call.end_lineno or call.lineno)]
    if len(calls) == 1:
        return calls[0]
    if not calls:
        at = "" if line is None else f" at line {line}"
        raise ConfigError(f"{name} makes no EvalConfig{at}.")
    lines = ", ".join(str(call.lineno) for call in sorted(calls, key=lambda call: call.lineno))
    raise ConfigError(f"{name} makes {len(calls)} EvalConfigs, at lines {lines}; name one's line.")


def _last(node: ast.AST) -> str:
    """The last part of a dotted name, "" for anything else."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


class _Program:
    """The constants of a program, and what its expressions are worth."""

    def __init__(self, tree: ast.AST, name: str, given: Mapping[str, Any]) -> None:
        self._name, self._given = name, given
        self._constants: dict[str, list[ast.expr]] = {}
        self._pending: set[ast.expr] = set()
        self._defaults: set[ast.expr] = set()
        for node in ast.walk(tree):
            for constant, value in _assigned(node):
                self._constants.setdefault(constant, []).append(value)
                if isinstance(node, ast.arguments):
                    self._defaults.add(value)

    def value(self, node: ast.expr, local: Mapping[str, Any]) -> Any:
        """What an expression is worth, where these names have values too.

        Raises:
            ConfigError: That is not understood.
        """
        compute: Any = getattr(self, f"_{type(node).__name__}", None)
        if isinstance(node, ast.Attribute) and ast.unparse(node) in self._given:
            return self._given[ast.unparse(node)]
        if compute is None:
            raise self._unknown(node)
        return compute(node, local)

    def _unknown(self, node: ast.expr) -> ConfigError:
        name = ast.unparse(node)
        named = isinstance(node, ast.Name | ast.Attribute)
        cure = _SET.format(name=name) if named else _CURE
        return ConfigError(
            f"{self._name}: {plain.shortened(name)!r} at line {node.lineno} is known only when the program "
            f"runs. {cure}"
        )

    def _items(self, node: ast.expr, local: Mapping[str, Any]) -> list[Any]:
        """The items of a list that an expression is worth."""
        values = self.value(node, local)
        if not isinstance(values, list | tuple | dict):
            raise self._unknown(node)
        return [*values]

    def _Constant(self, node: ast.Constant, local: Mapping[str, Any]) -> Any:  # noqa: N802
        return node.value

    def _List(self, node: ast.List | ast.Tuple | ast.Set, local: Mapping[str, Any]) -> Any:  # noqa: N802
        values: list[Any] = []
        for each in node.elts:
            if isinstance(each, ast.Starred):
                values += self._items(each.value, local)
            else:
                values.append(self.value(each, local))
        return values

    _Set = _List

    def _Tuple(self, node: ast.Tuple, local: Mapping[str, Any]) -> Any:  # noqa: N802
        return tuple(self._List(node, local))

    def _Dict(self, node: ast.Dict, local: Mapping[str, Any]) -> Any:  # noqa: N802
        pairs: dict[Any, Any] = {}
        for key, each in zip(node.keys, node.values, strict=True):
            value = self.value(each, local)
            name = None if key is None else self.value(key, local)
            if name is None and not isinstance(value, Mapping):
                raise self._unknown(node)
            pairs |= value if name is None else {str(name): value}
        return pairs

    def _UnaryOp(self, node: ast.UnaryOp, local: Mapping[str, Any]) -> Any:  # noqa: N802
        if not isinstance(node.op, ast.USub):
            raise self._unknown(node)
        value = self.value(node.operand, local)
        if not isinstance(value, int | float):
            raise self._unknown(node)
        return -value

    def _BinOp(self, node: ast.BinOp, local: Mapping[str, Any]) -> Any:  # noqa: N802
        compute = _OPERATORS.get(type(node.op))
        try:
            return compute(self.value(node.left, local), self.value(node.right, local))  # type: ignore[misc]
        except (ArithmeticError, TypeError, ValueError):
            raise self._unknown(node) from None

    def _IfExp(self, node: ast.IfExp, local: Mapping[str, Any]) -> Any:  # noqa: N802
        return self.value(node.body if self.value(node.test, local) else node.orelse, local)

    def _JoinedStr(self, node: ast.JoinedStr, local: Mapping[str, Any]) -> str:  # noqa: N802
        parts = (
            self.value(part.value if isinstance(part, ast.FormattedValue) else part, local)
            for part in node.values
        )
        return "".join(map(str, parts))

    def _ListComp(self, node: ast.ListComp, local: Mapping[str, Any]) -> Any:  # noqa: N802
        loop, *others = node.generators
        if others or loop.ifs or not isinstance(loop.target, ast.Name):
            raise self._unknown(node)
        name = loop.target.id
        items = self._items(loop.iter, local)
        return [self.value(node.elt, {**local, name: each}) for each in items]

    _GeneratorExp = _ListComp

    def _Name(self, node: ast.Name, local: Mapping[str, Any]) -> Any:  # noqa: N802
        if node.id in local:
            return local[node.id]
        values = self._constants.get(node.id, [])
        before = [v for v in values if v.lineno <= node.lineno and v not in self._pending]
        if node.id in self._given and not self._defaults.issuperset(before):
            before = [v for v in before if v not in self._defaults]
        elif node.id in self._given:
            return self._given[node.id]
        if not before and len(values) != 1:
            raise self._unknown(node)
        value = max(before or values, key=lambda v: v.lineno)
        if value in self._pending:
            raise self._unknown(node)
        self._pending.add(value)
        try:
            return self.value(value, {})
        finally:
            self._pending.discard(value)

    def _Attribute(self, node: ast.Attribute, local: Mapping[str, Any]) -> Any:  # noqa: N802
        if node.attr in _MEMBERS:
            return node.attr
        if node.attr in self._constants:  # features.LABEL_KEY of a class in the same file
            return self._Name(ast.copy_location(ast.Name(node.attr), node), local)
        raise self._unknown(node)

    def _Call(self, node: ast.Call, local: Mapping[str, Any]) -> Any:  # noqa: N802
        name = _last(node.func)
        if name in _MESSAGES and not node.args:
            fields: dict[str, Any] = {}
            for keyword in node.keywords:
                value = self.value(keyword.value, local)
                if keyword.arg is None and not isinstance(value, Mapping):
                    raise self._unknown(keyword.value)
                fields |= value if keyword.arg is None else {keyword.arg: value}
            return fields
        if name in ("Parse", "ParseDict", "dumps", "list", "sorted") and node.args:
            return self._called(node, name, self.value(node.args[0], local))
        raise self._unknown(node)

    def _called(self, node: ast.Call, name: str, value: Any) -> Any:
        if name == "dumps":
            return json.dumps(value)
        if name in ("list", "sorted"):
            items = self._items(node.args[0], {})
            return sorted(items, key=str) if name == "sorted" else items
        if isinstance(value, str) and "json_format" in ast.unparse(node.func):
            return plain.parse_json(value)
        try:
            return parse_text_proto(value, self._name) if isinstance(value, str) else value
        except MissingExtraError:
            raise
        except ConfigError as error:
            raise ConfigError(f"{error} (the text begins at line {node.lineno})") from None


def _assigned(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """The names to which a statement gives one value: of variables, and of parameters with a default."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        yield _last(node.targets[0]), node.value
    elif isinstance(node, ast.AnnAssign) and node.value:
        yield _last(node.target), node.value
    elif isinstance(node, ast.arguments):
        positional = [*node.posonlyargs, *node.args]
        yield from zip(
            (argument.arg for argument in positional[len(positional) - len(node.defaults) :]),
            node.defaults,
            strict=True,
        )
        pairs = zip(node.kwonlyargs, node.kw_defaults, strict=True)
        yield from ((argument.arg, default) for argument, default in pairs if default)
