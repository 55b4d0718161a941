# SPDX-License-Identifier: Apache-2.0
"""Which metrics there are: what builds each `class_name`, and what is said of it."""

from __future__ import annotations

import dataclasses
import inspect
import json
import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from benison.errors import ConfigError, suggestion
from benison.metrics.base import Metric

MetricFactory: TypeAlias = "Callable[..., Metric]"


HIGHER, LOWER = True, False  # which values of a metric are better


_KERAS_DEFAULTS = {"axis": -1, "class_aggregation": "uniform_average", "num_regressors": 0}


_ELSEWHERE = {"class_id": "Choose classes with binarize.class_ids in metrics_specs."}


_REGISTRY: dict[str, tuple[MetricFactory, About]] = {}


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
