# SPDX-License-Identifier: Apache-2.0
"""Checks a config and its parts, and collects all faults at once, each with its path and a sentence."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from benison.config import plain
from benison.config.meanings import meanings
from benison.config.plain import Loc, path_of, shortened
from benison.errors import ConfigError, suggestion

HALF = "holds half of a surrogate pair, which UTF-8 cannot write. Write the whole character."

PartT = TypeVar("PartT", bound="ConfigPart")

_EXPECTED = {
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "finite_number": "a finite number",
    "float_parsing": "a number",
    "float_type": "a number",
    "greater_than_equal": "a number that is at least {ge}",
    "less_than_equal": "a number that is at most {le}",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "mapping_type": "a mapping",
    "model_type": "a mapping with the fields of {class_name}",
    "string_too_short": "text that is not empty",
    "string_type": "text",
    "string_unicode": "text that UTF-8 can write",
    "int_parsing_size": "a whole number of fewer digits",
    "tuple_type": "a list",
}


class Fault(NamedTuple):
    """One fault of a config."""

    loc: Loc
    """Where it is."""
    text: str
    """The sentence that explains it."""
    rests_on: tuple[tuple[str, ...], ...] = ()
    """The fields that it was compared with; a fault in one of these may have caused this one."""
    fields: tuple[str, ...] = ()
    """The fields of what is there that it is about, by default all: faults of others did not cause it."""

    @property
    def path(self) -> str:
        """Where it is, as text."""
        return path_of(self.loc)


class PartError(ConfigError):
    """A ConfigError with the paths as steps, so that an enclosing part can prepend its own."""

    def __init__(self, located: Sequence[Fault]) -> None:
        self.located = list(located)
        super().__init__([(path_of(fault.loc), fault.text) for fault in located])

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.located,)


class ConfigPart(BaseModel):
    """A part of a config: frozen, comparable, hashable; names in snake_case or lowerCamelCase.

    Raises:
        ConfigError: On construction, with all faults of the part and of what it holds.
    """

    fields_around: ClassVar[tuple[str, ...]] = ()
    """Fields of the part that holds this one, which are easily written in here."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        protected_namespaces=(),
        ser_json_inf_nan="strings",
        defer_build=True,  # most parts are built within those that hold them
    )

    def __init__(self, /, **data: Any) -> None:
        try:
            super().__init__(**data)
        except ValidationError as error:
            raise PartError(_located(type(self), error)) from None

    @classmethod
    def __get_pydantic_json_schema__(cls, core: Any, handler: Any) -> Any:
        schema = handler(core)
        fields = handler.resolve_ref_schema(schema).get("properties", {})
        for name, text in meanings(cls).items():
            fields.get(name, {})["description"] = text
        return schema

    def __hash__(self) -> int:
        return hash((type(self), _hashable(self.__dict__)))

    def _faults(self) -> Iterable[Fault]:
        """The faults of the part as a whole, when each of its fields is valid."""
        return ()

    @model_validator(mode="after")
    def _checked(self: PartT) -> PartT:
        if faults := [*_not_text(self), *self._faults()]:
            raise PartError(faults)
        return self


def _not_text(part: ConfigPart) -> Iterator[Fault]:
    """Faults for texts that UTF-8 cannot encode; parts inside of this part check their own."""
    for field, value in part.__dict__.items():
        for loc, text in _texts(field, value):
            if isinstance(text, str) and not plain.is_text(text):
                yield Fault(loc, HALF)


def _texts(field: str, value: Any) -> Iterator[tuple[Loc, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from (((field, key), key), ((field, key), item))
    elif isinstance(value, tuple):
        yield from (((field, i), item) for i, item in enumerate(value))
    else:
        yield (field,), value


class Draft(Generic[PartT]):
    """The valid part of plain data, and every fault of the rest.

    Pydantic does not compare a faulty part with the others. So the faulty values are removed and the rest
    is checked again, until it has no fault.
    """

    def __init__(self, part: type[PartT], data: Mapping[str, Any]) -> None:
        plain.check(data)
        self.faults: list[Fault] = []
        self.part: PartT | None = None
        self._rest = _Rest(_plain(data))
        while self.part is None:
            try:
                self.part = part(**self._rest.data())
            except PartError as error:
                self.add(error.located)
                if not self._rest.cut([fault.loc for fault in error.located]):
                    break

    @classmethod
    def of(cls, part: PartT) -> Draft[PartT]:
        """The draft of a part that has no fault by itself."""
        draft: Draft[PartT] = cls.__new__(cls)
        draft.faults, draft.part, draft._rest = [], part, _Rest({})
        return draft

    def add(self, faults: Iterable[Fault]) -> None:
        """Add faults of `part`, but those that a removal may have caused."""
        placed = [fault._replace(loc=self._rest.original(fault.loc)) for fault in faults]
        new = [fault for fault in placed if not self._rest.explains(fault)]
        self.faults = list(dict.fromkeys([*self.faults, *new]))

    def whole(self) -> PartT:
        """The part; raises ConfigError with every fault if there is one."""
        if self.faults or self.part is None:
            raise PartError(self.faults)
        return self.part


def described(value: object) -> str:
    """A value in the words of a config file, for the end of a sentence such as "expected text, got ...".

    >>> described("high"), described(True), described([1, 2]), described(None)
    ("the text 'high'", 'true', 'a list', 'nothing (null)')
    """
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return str(value).lower()
    kinds = {str: "the text", int: "the number", float: "the number"}
    kind = kinds.get(type(value), "a value of type " + type(value).__name__ + ",")
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    text = repr(value)
    # What has no literal is an object with an address, which says nothing to a reader.
    return kind.rstrip(",") if text.startswith("<") else f"{kind} {shortened(text)}"


def _hashable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return frozenset((key, _hashable(item)) for key, item in value.items())
    return tuple(map(_hashable, value)) if isinstance(value, (list, tuple)) else value


def _located(part: type[ConfigPart], error: ValidationError) -> list[Fault]:
    names = {field.alias or name: name for name, field in part.model_fields.items()}
    faults: list[Fault] = []
    for detail in error.errors(include_url=False):
        loc = tuple(
            names.get(str(step), step) if i == 0 else step for i, step in enumerate(detail["loc"])
        )
        loc = tuple(step for step in loc if step != "[key]")  # pydantic's mark of a mapping's key
        cause = detail.get("ctx", {}).get("error")
        if isinstance(cause, PartError):
            faults += [fault._replace(loc=loc + fault.loc) for fault in cause.located]
        else:
            faults.append(Fault(loc, _sentence(part, detail)))
    return faults


def _sentence(part: type[ConfigPart], detail: Any) -> str:
    kind, context, value = detail["type"], detail.get("ctx", {}), detail["input"]
    if kind == "extra_forbidden":
        return _unknown(part, str(detail["loc"][-1]))
    if kind == "missing":
        return f"is missing; a {part.__name__} needs it."
    if kind == "value_error":
        return str(context["error"])
    if kind not in _EXPECTED:
        return f"{detail['msg']}, got {described(value)}."
    cure = f" Write [{value!r}]." if _lists_text(part, detail) and isinstance(value, str) else ""
    return f"expected {_EXPECTED[kind].format_map(context)}, got {described(value)}.{cure}"


def _lists_text(part: type[ConfigPart], detail: Any) -> bool:
    """Whether a fault is about a field whose value is a list of texts."""
    fields = {field.alias: field for field in part.model_fields.values()}
    name = str(detail["loc"][-1]) if detail["loc"] else ""
    field = fields.get(name) or part.model_fields.get(name)
    return field is not None and field.annotation == tuple[str, ...]


def _unknown(part: type[ConfigPart], name: str) -> str:
    fields = list(part.model_fields)
    if name in fields:
        return f"{to_camel(name)!r} is the same field; give one of them."
    if name in part.fields_around:
        return f"{name!r} stands beside this part, not in it."
    near = suggestion(name, [*fields, *map(to_camel, fields)])
    hint = near if near.startswith("Did you mean") else suggestion(name, fields)
    if part.__name__ == "MetricConfig" and not hint.startswith("Did you mean"):
        hint = f"A parameter of the metric stands in its config: {{{name}: ...}}. {hint}"
    return f"{part.__name__} has no field {name!r}. {hint}"


def _related(loc: Loc, other: Loc) -> bool:
    """Whether the locations are equal, or one is inside the other."""
    return all(a == b for a, b in zip(loc, other, strict=False))


def _may_cause(cut: Loc, fault: Fault) -> bool:
    """Whether what was cut is around a fault, or is one of the fields that it is about."""
    is_inside = len(cut) > len(fault.loc) and bool(fault.fields)
    return _related(cut, fault.loc) and not (is_inside and cut[len(fault.loc)] not in fault.fields)


def _plain(value: Any) -> Any:
    """Data whose mappings have text as keys; in YAML a key may be a number or true."""
    if isinstance(value, Mapping):
        return {
            k if isinstance(k, str) else json.dumps(k, default=str): _plain(v)
            for k, v in value.items()
        }
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


class _Rest:
    """Plain data without their faulty values; maps locations in the rest to those in the whole."""

    def __init__(self, whole: dict[str, Any]) -> None:
        self._whole = whole
        self._cuts: dict[Loc, Loc] = {}  # location as the data spell it -> location in snake_case

    def data(self) -> dict[str, Any]:
        """The data without what was cut."""
        left: dict[str, Any] = self._left(self._whole, ())
        return left

    def original(self, loc: Loc) -> Loc:
        """The location in the whole of a location in the rest."""
        traced = self._trace(loc)
        steps = (
            there if isinstance(there, int) else step
            for there, step in zip(traced, loc, strict=False)
        )
        return (*steps, *loc[len(traced) :])

    def cut(self, locs: Iterable[Loc]) -> bool:
        """Remove the innermost existing value of each location; False if there is none to remove."""
        cuts = {
            traced: self.original(loc)[: len(traced)]
            for loc in locs
            if (traced := self._trace(loc))
        }
        self._cuts |= cuts
        return bool(cuts)

    def explains(self, fault: Fault) -> bool:
        """Whether a removal may have caused the fault: at its location, around it, or by comparison."""
        cuts = list(self._cuts.values())
        fields = [tuple(step for step in cut if isinstance(step, str)) for cut in cuts]
        compared = (_related(cut, other) for cut in fields for other in fault.rests_on)
        return any(compared) or any(_may_cause(cut, fault) for cut in cuts)

    def _left(self, value: Any, loc: Loc) -> Any:
        if isinstance(value, dict):
            return {
                k: self._left(v, (*loc, k)) for k, v in value.items() if (*loc, k) not in self._cuts
            }
        if isinstance(value, list):
            return [
                self._left(v, (*loc, i)) for i, v in enumerate(value) if (*loc, i) not in self._cuts
            ]
        return value

    def _trace(self, loc: Loc) -> Loc:
        """The place in the whole, as the data spell it and as far as it is there."""
        value: Any = self._whole
        traced: Loc = ()
        for step in loc:
            if not isinstance(value, (dict, list)):
                break
            steps = value if isinstance(value, dict) else range(len(value))
            left = [s for s in steps if (*traced, s) not in self._cuts]
            if isinstance(value, list):
                # A field of what the list stands for, or a value that the defaults added.
                if isinstance(step, str) or step >= len(left):
                    break
                there = left[step]
            elif not (spelled := [s for s in (step, to_camel(str(step))) if s in left]):
                break
            else:
                there = spelled[0]
            traced, value = (*traced, there), value[there]
        return traced
