# SPDX-License-Identifier: Apache-2.0
"""This file is the contract of statistics and metrics, its laws, and the registry of names.

A *statistic* adds up over rows; a *metric* is a formula over statistics. Both are frozen dataclasses
whose fields are parameters, so equal statistics are one and are computed once.

The laws, tested for every registered metric:

* zero: `merge(zero(S), state) == state`
* order and batching: any split of the rows into batches, in any order, merges to the same state
* grouping: a slice's value is the value of its rows alone
* purity: `add`, `merge` and `result` leave their arguments as they were
* no rows, no value: a slice without rows is NaN (counts and sums are 0)
"""

from __future__ import annotations

import abc
import dataclasses
import inspect
import json
import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from benison.errors import ConfigError, suggestion
from benison.extracts import Array, Inputs, SliceCodes

StateT = TypeVar("StateT")
Index: TypeAlias = npt.NDArray[np.int64]
Value: TypeAlias = "Array | dict[str, Array]"
MetricFactory: TypeAlias = "Callable[..., Metric]"

HIGHER, LOWER = True, False  # which values of a metric are better

_KERAS_DEFAULTS = {"axis": -1, "class_aggregation": "uniform_average", "num_regressors": 0}
_ELSEWHERE = {"class_id": "Choose classes with binarize.class_ids in metrics_specs."}

_REGISTRY: dict[str, tuple[MetricFactory, About]] = {}


class Statistic(abc.ABC, Generic[StateT]):
    """Something that adds up over rows, for S slices at once. States are never changed in place."""

    @abc.abstractmethod
    def zero(self, size: int) -> StateT:
        """The state of `size` slices without rows; `merge` with it changes nothing."""

    @abc.abstractmethod
    def add(self, inputs: Inputs, codes: SliceCodes) -> StateT:
        """The state of one batch, over `codes.size` slices."""

    @abc.abstractmethod
    def merge(self, a: StateT, b: StateT) -> StateT:
        """The state of both; associative and commutative up to rounding."""

    @abc.abstractmethod
    def place(self, state: StateT, index: Index, size: int) -> StateT:
        """The state of `size` slices in which slice `index[i]` is slice i of `state`."""

    @abc.abstractmethod
    def take(self, state: StateT, index: Index) -> StateT:
        """The state of the slices `index` of `state`, in that order."""


class Metric(abc.ABC):
    """A formula over statistics. Subclasses are frozen dataclasses with a field `name`."""

    name: str
    is_plot: ClassVar[bool] = False
    has_interval: ClassVar[bool] = True
    """Whether another sample would have another value; a number of examples is what it is."""

    @abc.abstractmethod
    def statistics(self) -> tuple[Statistic[Any], ...]:
        """What must add up; equal statistics of different metrics are computed once."""

    @abc.abstractmethod
    def result(self, *states: Any) -> Value:
        """The value of each slice from the states, in the order of `statistics()`.

        float64[S] for a number, float64[S, T] for a list of numbers, or a dict of float64[S, T]
        columns for a structured value or a plot. Undefined is NaN.
        """

    def of(self, inputs: Inputs) -> Any:
        """The value over all rows of one batch; the form that examples and tests use."""
        codes = SliceCodes.of(np.zeros(len(inputs)), size=1)
        value = self.result(*(s.add(inputs, codes) for s in self.statistics()))
        if isinstance(value, dict):
            return {key: column[0].tolist() for key, column in value.items()}
        return value[0].tolist()


@dataclasses.dataclass(frozen=True)
class About:
    """What a metric is in one sentence, which end of its range is good, and the range."""

    sentence: str
    higher_is_better: bool | None = None  # None: neither end is good
    low: float = -math.inf
    high: float = math.inf

    @classmethod
    def of(
        cls,
        documented: Any,
        higher_is_better: bool | None = None,
        low: float = -math.inf,
        high: float = math.inf,
    ) -> About:
        """The first line of the docstring is the sentence."""
        sentence = (inspect.getdoc(documented) or "").partition("\n")[0]
        return cls(sentence, higher_is_better, low, high)


def register(name: str, factory: MetricFactory, about: About | None = None) -> None:
    """Make `factory` known as the `class_name` of a MetricConfig.

    Without `about`, its docstring explains it. Raises ConfigError if the name is taken.
    """
    known = _REGISTRY.setdefault(name, (factory, about or About.of(factory)))
    if known[0] is not factory:
        raise ConfigError(f"A metric named {name!r} is registered already.")


def registered() -> dict[str, MetricFactory]:
    """Every known `class_name` with what builds its metric, sorted by name."""
    return {name: factory for name, (factory, _) in sorted(_REGISTRY.items())}


def describe(class_name: str) -> About:
    """What the metric of a `class_name` is; raises ConfigError for one that is not registered.

    >>> import benison.metrics
    >>> describe("Recall").sentence
    'Share of the positives that are predicted positive.'
    """
    return _entry(class_name)[1]


def _entry(class_name: str) -> tuple[MetricFactory, About]:
    if class_name not in _REGISTRY:
        raise ConfigError(f"There is no metric {class_name!r}. {suggestion(class_name, _REGISTRY)}")
    return _REGISTRY[class_name]


def from_config(class_name: str, config: dict[str, Any]) -> Metric:
    """Build a metric from its `class_name` and parameters; raises ConfigError for unknown ones.

    A parameter that is null has its default, and what Keras and TFMA write into every config without
    changing a value is passed over.

    >>> import benison.metrics
    >>> from_config("Precision", {"thresholds": [0.9], "class_id": None}).name
    'precision'
    """
    factory, _ = _entry(class_name)
    meant = {key: value for key, value in config.items() if _says_something(key, value)}
    _check_parameters(class_name, inspect.signature(factory).parameters, meant)
    try:
        return factory(**meant)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{class_name}({json.dumps(config)}): {error}") from error


def _says_something(parameter: str, value: Any) -> bool:
    # Sums are float64 whatever the dtype.
    said = value is not None and parameter != "dtype"
    return said and not (parameter in _KERAS_DEFAULTS and _KERAS_DEFAULTS[parameter] == value)


def _check_parameters(
    class_name: str, known: Mapping[str, inspect.Parameter], config: dict[str, Any]
) -> None:
    open_ended = any(p.kind is p.VAR_KEYWORD for p in known.values())
    for parameter in config:
        if parameter not in known and not open_ended:
            hint = _ELSEWHERE.get(parameter) or suggestion(parameter, known)
            raise ConfigError(f"{class_name} has no parameter {parameter!r}. {hint}")
    for name, known_one in known.items():
        required = known_one.default is known_one.empty and known_one.kind in (
            known_one.POSITIONAL_OR_KEYWORD,
            known_one.KEYWORD_ONLY,
        )
        if required and name not in config:
            raise ConfigError(f"{class_name} needs the parameter {name!r}.")


def ratio(numerator: npt.ArrayLike, denominator: npt.ArrayLike) -> Array:
    """`numerator / denominator`, NaN where the denominator is 0.

    >>> ratio([1.0, 1.0], [2.0, 0.0])
    array([0.5, nan])
    """
    top, bottom = np.broadcast_arrays(np.asarray(numerator, float), np.asarray(denominator, float))
    quotient: Array = np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom != 0)
    return quotient
