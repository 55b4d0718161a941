# SPDX-License-Identifier: Apache-2.0
"""The types of a config's fields: how a number, a list or an enum of a config file is read."""

from __future__ import annotations

import dataclasses
import enum
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from benison.config import plain
from benison.config.faults import HALF, ConfigPart, Fault, described
from benison.config.text_forms import parse_parameters
from benison.errors import suggestion


def _bare(value: Any) -> Any:
    """What a wrapper type of protobuf wraps: {"value": x} is x, {"values": [...]} is the list."""
    for key in ("value", "values"):
        if isinstance(value, Mapping) and set(value) == {key}:
            return value[key]
    return value


def _number(value: Any) -> Any:
    bare = _bare(value)
    if isinstance(bare, bool):
        raise ValueError(f"expected a number, got {described(bare)}.")
    if isinstance(bare, int) and abs(bare) > sys.float_info.max:
        raise ValueError(f"expected a number up to 1.8e308, got {described(bare)}.")
    return bare


def _text(value: Any) -> Any:
    """Values of slices are text; a config file may write the number 5 for "5", and true."""
    if isinstance(value, bool):
        return json.dumps(value)
    return str(value) if isinstance(value, (int, float)) else value


def _by_name(kind: type[enum.IntEnum]) -> Callable[[Any], Any]:
    def member(value: Any) -> Any:
        if isinstance(value, str) and value in kind.__members__:
            return kind[value]
        if isinstance(value, int) and not isinstance(value, bool) and value in set(kind):
            return kind(value)
        hint = suggestion(value if isinstance(value, str) else "", kind.__members__)
        raise ValueError(
            f"expected the name or number of a {kind.__name__}, got {described(value)}. {hint}"
        )

    return member


COLUMN_TYPES = ("bool", "int64", "float64", "string")
_TAKEN = ('"', "\r", "\n")  # by CSV itself
POINT, WORSE, NOT_WORSE = EVIDENCE = ("point", "worse", "not_worse")
NO_CORRECTION, HOLM, BENJAMINI_HOCHBERG = CORRECTIONS = ("none", "holm", "bh")


def _any_of(words: tuple[str, ...]) -> Callable[[Any], Any]:
    def word(value: Any) -> Any:
        if value not in words:
            raise ValueError(f"expected one of {', '.join(words)}, got {described(value)}.")
        return value

    return word


def _sign(value: Any) -> Any:
    if value != "" and not (
        isinstance(value, str) and re.fullmatch(r"[\x01-\x7f]", value) and value not in _TAKEN
    ):
        raise ValueError(f"expected one sign, such as ; or a tab, got {described(value)}.")
    return value


def _parameters(value: Any) -> Any:
    """JSON text or a mapping, as JSON would give it back, so that equal configs compare equal."""
    data = parse_parameters(value) if isinstance(value, str) else value
    plain.check(data)
    try:
        text = json.dumps(data, allow_nan=False, ensure_ascii=False)
        text.encode()
        return json.loads(text)
    except TypeError as error:
        raise ValueError(f"expected values that JSON can write: {error}.") from error
    except UnicodeEncodeError:
        raise ValueError(HALF) from None
    except ValueError as error:
        raise ValueError("holds NaN or an infinite number, which JSON cannot write.") from error


class MetricDirection(enum.IntEnum):
    """Which way a metric must change; TFMA's names and numbers."""

    UNKNOWN = 0
    LOWER_IS_BETTER = 1
    HIGHER_IS_BETTER = 2


class ConfidenceIntervalMethod(enum.IntEnum):
    """How intervals are computed; TFMA's names and numbers."""

    UNKNOWN_CONFIDENCE_INTERVAL_METHOD = 0
    POISSON_BOOTSTRAP = 1
    JACKKNIFE = 2


Number: TypeAlias = Annotated[float, BeforeValidator(_number)]
Finite: TypeAlias = Annotated[float, Field(allow_inf_nan=False), BeforeValidator(_number)]
Whole: TypeAlias = Annotated[int, BeforeValidator(_number)]
Natural: TypeAlias = Annotated[int, Field(ge=0), BeforeValidator(_number)]
Positive: TypeAlias = Annotated[int, Field(ge=1), BeforeValidator(_number)]
Flag: TypeAlias = Annotated[bool, Field(strict=True), BeforeValidator(_bare)]
Naturals: TypeAlias = Annotated[tuple[Natural, ...], BeforeValidator(_bare)]
Positives: TypeAlias = Annotated[tuple[Positive, ...], BeforeValidator(_bare)]
Texts: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(_bare)]
Keys: TypeAlias = Mapping[str, str]
Delimiter: TypeAlias = Annotated[str, BeforeValidator(_sign)]
ColumnType: TypeAlias = Annotated[
    str,
    BeforeValidator(_any_of(COLUMN_TYPES)),
    WithJsonSchema({"type": "string", "enum": list(COLUMN_TYPES)}),
]
Evidence: TypeAlias = Annotated[
    str,
    BeforeValidator(_any_of(EVIDENCE)),
    WithJsonSchema({"type": "string", "enum": list(EVIDENCE)}),
]
Correction: TypeAlias = Annotated[
    str,
    BeforeValidator(_any_of(CORRECTIONS)),
    WithJsonSchema({"type": "string", "enum": list(CORRECTIONS)}),
]
Value: TypeAlias = Annotated[
    str, BeforeValidator(_text), WithJsonSchema({"type": ["string", "number", "boolean"]})
]
Parameters: TypeAlias = Annotated[
    Mapping[str, Any], BeforeValidator(_parameters), WithJsonSchema({"type": ["object", "string"]})
]
_ByName = PlainSerializer(lambda member: member.name, return_type=str)
Direction: TypeAlias = Annotated[
    MetricDirection,
    BeforeValidator(_by_name(MetricDirection)),
    _ByName,
    WithJsonSchema({"type": "string", "enum": list(MetricDirection.__members__)}),
]
Method: TypeAlias = Annotated[
    ConfidenceIntervalMethod,
    BeforeValidator(_by_name(ConfidenceIntervalMethod)),
    _ByName,
    WithJsonSchema({"type": "string", "enum": list(ConfidenceIntervalMethod.__members__)}),
]


@dataclasses.dataclass(frozen=True)
class _Or:
    """In an annotation: the field may also be what `schema` takes, which its validator turns into a part."""

    schema: tuple[tuple[str, Any], ...]

    def __get_pydantic_json_schema__(self, core: Any, handler: Callable[[Any], Any]) -> Any:
        return {"anyOf": [dict(self.schema), handler(core)]}


or_numbers = _Or((("type", "array"), ("items", {"type": "number"})))
or_text = _Or((("type", "string"),))


def exclusive(part: ConfigPart, *fields: str) -> Iterator[Fault]:
    """A fault when more than one of `fields` is given."""
    defaults = {
        name: field.get_default(call_default_factory=True)
        for name, field in type(part).model_fields.items()
    }
    given = [field for field in fields if getattr(part, field) != defaults[field]]
    if len(given) > 1:
        yield Fault((given[-1],), f"{' and '.join(given)} exclude each other; give one of them.")
