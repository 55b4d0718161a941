# SPDX-License-Identifier: Apache-2.0
"""The parameters of a metric, held against what its class takes: names, types, and how much is too much.

A config comes as JSON, so a wrong type would be found deep in a formula, after an hour of reading. Types are
those of the annotations of the class or function, so that a user's metric is checked as ours are.
"""

from __future__ import annotations

import functools
import inspect
import math
import typing
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import PydanticUserError, TypeAdapter, ValidationError

from benison.config.faults import described
from benison.config.plain import shortened
from benison.errors import ConfigError, suggestion

ReadT = TypeVar("ReadT")

MOST = 1_000_000
"""Thresholds or buckets: of a slice they are 24 MB."""
MOST_VALUES = 10_000
"""Values in a list of thresholds, each of which makes a value of the metric."""
LARGEST = 1e300
"""The largest number: a range from -1e308 to 1e308 has a width that no float holds."""

# What Keras and TFMA write into every config without changing a value.
_KERAS_DEFAULTS = {
    "axis": (-1,),
    "class_aggregation": ("uniform_average",),
    "num_regressors": (0,),
    "reduction": ("auto", "sum_over_batch_size", "mean", "mean_with_sample_weight"),
}
# The type of sums, and the function of a loss, which its class names.
_NEVER_MEANT = ("dtype", "fn")

_ELSEWHERE = {"class_id": "Choose classes with binarize.class_ids in metrics_specs."}

_WORDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


def meant(config: Mapping[str, Any], factory: Any = None) -> dict[str, Any]:
    """The parameters that say something; null means the default, and sums are float64 whatever the dtype.

    What others write without changing a value says something to a factory that has such a parameter itself.

    >>> meant({"thresholds": [0.9], "class_id": None, "dtype": "float32", "axis": -1})
    {'thresholds': [0.9]}
    """
    own = {} if factory is None else _read_once(_parameters, factory)
    return {
        name: value
        for name, value in config.items()
        if value is not None
        and name not in _NEVER_MEANT
        and (name in own or value not in _KERAS_DEFAULTS.get(name, ()))
    }


def check(class_name: str, factory: Any, config: Mapping[str, Any]) -> None:
    """Refuse parameters that a metric does not have, or lacks, or that are larger than any use.

    Args:
        class_name: For the sentences.
        factory: The metric's class, or the function that builds it.
        config: The parameters as the config gives them, without those that are null.

    Raises:
        ConfigError: One sentence for each.

    >>> from benison.metrics.counts import ExampleCount
    >>> check("ExampleCount", ExampleCount, {"nmae": "rows"})
    Traceback (most recent call last):
    benison.errors.ConfigError: ExampleCount has no parameter 'nmae'. Did you mean 'name'?
    """
    known = _read_once(_parameters, factory)
    faults = [*_unknown(class_name, known, config), *_missing(class_name, known, config)]
    for name, value in config.items():
        faults += [f"{class_name}: {name} {fault}" for fault in _too_large(name, value)]
    if faults:
        raise ConfigError(" ".join(faults))


def check_types(class_name: str, factory: Any, config: Mapping[str, Any]) -> None:
    """Refuse parameters of another type than the class says, which it may take and stumble over later.

    It comes after the metric was built, since a class may convert what it takes, and refuse it in better
    words.

    Raises:
        ConfigError: One sentence for each.
    """
    hints, faults = _read_once(_hints, factory), []
    for name, value in config.items():
        if name == "name" and not (
            isinstance(value, str) and value.strip() and value.isprintable()
        ):
            faults.append(
                f"{class_name}: name must be a word for the results, not {described(value)}."
            )
        elif name in hints and not _fits(hints[name], value):
            faults.append(
                f"{class_name}: {name} must be {_words(hints[name])}, not {described(value)}."
            )
    if faults:
        raise ConfigError(" ".join(faults))


def check_count(parameter: str, count: int | None, most: int, least: int = 2) -> None:
    """Raise ValueError unless `count` is None or a whole number from `least` to `most`.

    >>> check_count("num_thresholds", 1, 1000)
    Traceback (most recent call last):
    ValueError: num_thresholds must be a whole number from 2 up, not 1
    """
    if count is None:
        return
    if not isinstance(count, int) or count < least:
        raise ValueError(f"{parameter} must be a whole number from {least} up, not {count!r}")
    if count > most:
        raise ValueError(f"{parameter} must be at most {most:,}, not {count:,}")


def check_single(values: Mapping[str, Any]) -> None:
    """Raise ValueError unless at most one of some parameters, by name, is given.

    >>> check_single({"class_id": 0, "k": 1, "top_k": None})
    Traceback (most recent call last):
    ValueError: class_id and k are two answers to one question; keep one
    """
    given = [name for name, value in values.items() if value is not None]
    if len(given) > 1:
        raise ValueError(f"{' and '.join(given)} are two answers to one question; keep one")


def check_choice(parameter: str, value: Any, known: Iterable[str], any_case: bool = False) -> None:
    """Raise ValueError unless `value` is one of the known words, or is but for its case.

    >>> check_choice("curve", "roc", ("ROC", "PR"))
    Traceback (most recent call last):
    ValueError: curve must be one of ROC, PR, not 'roc'
    """
    words = tuple(known)
    is_known = isinstance(value, str) and (
        value.lower() in map(str.lower, words) if any_case else value in words
    )
    if not is_known:
        raise ValueError(f"{parameter} must be one of {', '.join(words)}, not {value!r}")


def check_share(parameter: str, value: float) -> None:
    """Raise ValueError unless `value` is from 0 to 1."""
    if not 0 <= value <= 1:
        raise ValueError(f"{parameter} must be in [0, 1], not {value!r}")


def not_negative(parameter: str, value: float | Sequence[float]) -> tuple[float, ...]:
    """One number or several as a tuple; raises ValueError unless each is finite and from 0 up.

    >>> not_negative("normalizer", [1, 2])
    (1.0, 2.0)
    >>> not_negative("gamma", -1.0)
    Traceback (most recent call last):
    ValueError: gamma must be a finite number from 0 up, not -1.0
    """
    numbers = tuple(map(float, value if isinstance(value, Iterable) else (value,)))
    if not numbers:
        raise ValueError(f"{parameter} must be a number or a list of some, not {value!r}")
    for number in numbers:
        if not 0 <= number < math.inf:
            raise ValueError(f"{parameter} must be a finite number from 0 up, not {number!r}")
    return numbers


def _unknown(
    class_name: str, known: Mapping[str, inspect.Parameter], config: Mapping[str, Any]
) -> Iterator[str]:
    if any(p.kind is p.VAR_KEYWORD for p in known.values()):
        return
    for name in config:
        if name not in known:
            hint = _ELSEWHERE.get(name) or suggestion(name, known)
            yield f"{class_name} has no parameter {name!r}. {hint}"


def _missing(
    class_name: str, known: Mapping[str, inspect.Parameter], config: Mapping[str, Any]
) -> Iterator[str]:
    for name, parameter in known.items():
        by_name = parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        if by_name and parameter.default is parameter.empty and name not in config:
            yield f"{class_name} needs the parameter {name!r}."


def _read_once(read: Callable[[Any], ReadT], factory: Any) -> ReadT:
    """What `read` says of a factory, which is asked several times in a run; anew where it has no hash."""
    return _kept(read, factory) if isinstance(factory, Hashable) else read(factory)


@functools.lru_cache(maxsize=1024)
def _kept(read: Callable[[Any], ReadT], of: Any) -> ReadT:
    return read(of)


def _parameters(factory: Any) -> Mapping[str, inspect.Parameter]:
    """The parameters of a factory, by name."""
    return inspect.signature(factory).parameters


def _hints(factory: Any) -> dict[str, Any]:
    """The types of a factory's parameters; nothing of one whose annotations cannot be read."""
    while isinstance(factory, functools.partial):
        factory = factory.func
    try:
        return typing.get_type_hints(factory.__init__ if inspect.isclass(factory) else factory)
    except (NameError, TypeError, AttributeError):
        return {}


def _too_large(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, list) and len(value) > MOST_VALUES:
        yield f"has {len(value):,} values; there can be {MOST_VALUES:,}."
    elif name.startswith("num_") and _largest(value) > MOST:
        yield f"is {shortened(repr(value))}; it can be at most {MOST:,}."
    elif _largest(value) > LARGEST and _largest(value) != math.inf:
        yield f"is {described(value)}; numbers are from -{LARGEST:g} to {LARGEST:g}."


def _fits(hint: Any, value: Any) -> bool:
    try:
        _read_once(TypeAdapter, hint).validate_python(value, strict=True)
    except ValidationError:
        return False
    except PydanticUserError:  # a type of the user's own, which the class itself must check
        return True
    return True


def _largest(value: Any) -> float:
    numbers = [
        v for v in (value if isinstance(value, list) else [value]) if isinstance(v, int | float)
    ]
    return max(map(abs, numbers), default=0)


def _words(hint: Any) -> str:
    """A type in the words of a config file.

    >>> _words(float | Sequence[float] | None)
    'a number or a list of numbers'
    """
    if hint in _WORDS:
        return _WORDS[hint]
    inner = [_words(arg) for arg in typing.get_args(hint) if arg not in (type(None), ...)]
    if typing.get_origin(hint) in (list, tuple, Sequence):
        return f"a list of {inner[0].removeprefix('a ')}s" if inner else "a list"
    return " or ".join(inner) or "a value of its type"
