# SPDX-License-Identifier: Apache-2.0
"""The registry of metrics: the factory for each `class_name` of a config, and its description.

Names are TFMA's class names. A family registers itself when its module is imported, which is when the first
of its names is asked for: `families` says which module that is.
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import inspect
import json
import math
import re
from collections.abc import Callable
from typing import Any, TypeAlias

from benison.config.faults import described
from benison.config.plain import shortened
from benison.errors import ConfigError, suggestion
from benison.metrics import names, parameters
from benison.metrics.base import Metric
from benison.metrics.families import GROUP_NAMES, OWNERS

MetricFactory: TypeAlias = "Callable[..., Metric]"


HIGHER, LOWER = True, False  # which values of a metric are better
# The first paragraph of a docstring that is indented, if it is no example.
_FORMULA = re.compile(r"\n\n((?: {4}(?!>>>).*(?:\n|$))+)")

_REGISTRY: dict[str, tuple[MetricFactory, About]] = {}


@dataclasses.dataclass(frozen=True)
class About:
    """The description of a metric, for catalogues, tooltips and colours.

    Attributes:
        sentence: What it is.
        higher_is_better: Which end of the range is good; None if neither is.
        low: The lower end of the range.
        high: The upper end of the range.
        formula: The formula as text, if the sentence does not say it.
    """

    sentence: str
    higher_is_better: bool | None = None
    low: float = -math.inf
    high: float = math.inf
    formula: str = ""

    @classmethod
    def of(
        cls,
        documented: Any,
        higher_is_better: bool | None = None,
        low: float = -math.inf,
        high: float = math.inf,
    ) -> About:
        """The description of a documented class or function, whose first line is the sentence.

        The formula is the first paragraph that is indented. Without a direction it is that of the class,
        `Metric.higher_is_better`.

        Raises:
            ConfigError: The direction of the class is neither True nor False nor None.
        """
        text = inspect.getdoc(documented) or ""
        sentence = text.partition("\n")[0]
        if higher_is_better is None:
            higher_is_better = getattr(documented, "higher_is_better", None)
        if higher_is_better not in (True, False, None):
            raise ConfigError(
                f"higher_is_better of {documented.__name__} is {higher_is_better!r}; expected True or False."
            )
        return cls(sentence, higher_is_better, low, high, _formula(text))


def _formula(text: str) -> str:
    shown = _FORMULA.search(text)
    return "; ".join(line.strip() for line in shown[1].splitlines()) if shown else ""


def register(name: str, factory: MetricFactory, about: About | None = None) -> None:
    """Make a metric known under a `class_name` of configs.

    Args:
        name: The `class_name`.
        factory: What builds the metric from its parameters: its class, or a function.
        about: Its description; by default the first line of the factory's docstring, without a range.

    Raises:
        ConfigError: Another factory has the name.
    """
    is_known(name)
    known = _REGISTRY.setdefault(name, (factory, about or About.of(factory)))
    if known[0] is not factory:
        raise ConfigError(f"A metric named {name!r} is registered already.")


def replace(name: str, factory: MetricFactory) -> None:
    """Make `factory` known as a `class_name`, whatever was known by it before.

    For a module of a user's that is imported anew, as in a notebook.
    """
    _REGISTRY[name] = (factory, About.of(factory))


def registered() -> dict[str, MetricFactory]:
    """The factory of every known `class_name`, sorted by name.

    >>> [name for name in registered() if name.startswith("AUC")]
    ['AUC', 'AUCPrecisionRecall']
    """
    for name in OWNERS:
        is_known(name)
    return {name: factory for name, (factory, _) in sorted(_REGISTRY.items())}


def is_known(class_name: str) -> bool:
    """Whether a name is registered, after its family has been where it is one of ours.

    >>> is_known("AUC"), is_known("auc")
    (True, False)
    """
    if class_name in OWNERS and class_name not in _REGISTRY:
        importlib.import_module(f"benison.metrics.{OWNERS[class_name]}")
    return class_name in _REGISTRY


def factory_of(class_name: str) -> MetricFactory | None:
    """What builds the metrics of a name; None if it is not registered.

    >>> factory_of("AUC")(num_thresholds=100).name
    'auc'
    """
    return _REGISTRY[class_name][0] if is_known(class_name) else None


def describe(class_name: str) -> About:
    """The description of a registered metric.

    Raises:
        ConfigError: No metric is registered under the name; the message suggests one.

    >>> describe("Recall").sentence
    'Share of the positives that are predicted positive.'
    """
    return _entry(class_name)[1]


def _entry(class_name: str) -> tuple[MetricFactory, About]:
    if not is_known(class_name):
        raise ConfigError(f"There is no metric {class_name!r}. {_advice(class_name)}")
    return _REGISTRY[class_name]


def _advice(class_name: str) -> str:
    """A suggestion for an unknown name.

    It names our metric of that meaning, else the library that computes it, and never a metric of similar
    name but other meaning.

    >>> _advice("rmse")
    "Did you mean 'RootMeanSquaredError'?"
    """
    answers = _not_computed()
    known = {*_REGISTRY, *OWNERS}
    named = {*known, *GROUP_NAMES}
    answers |= {_squashed(name): f"Did you mean {name!r}?" for name in named}
    for ours, theirs in names.ELSEWHERE.items():
        if ours in known:
            meant = f"Did you mean {ours!r}? {names.NOTES.get(ours, '')}".strip()
            answers |= {_squashed(name): meant for name in theirs.split()}
    wanted = _squashed(class_name)
    ours_alone = [name for name, answer in answers.items() if answer.startswith("Did you mean")]
    near = difflib.get_close_matches(wanted, ours_alone, n=1, cutoff=0.8)
    return answers.get(wanted) or (answers[near[0]] if near else suggestion(class_name, known))


def _not_computed() -> dict[str, str]:
    """The sentence for each metric of TFMA, Keras and scikit-learn that is not computed here."""
    whose: dict[str, tuple[str, list[str]]] = {}
    for library, of in names.KNOWN.items():
        for name in of.split():
            whose.setdefault(_squashed(name), (name, []))[1].append(library)
    return {
        **{
            key: f"{name} is a metric of {' and '.join(dict.fromkeys(libraries))} that Benison does not "
            "compute. Take it out."
            for key, (name, libraries) in whose.items()
        },
        **{_squashed(name): f"{name} {answer}" for name, answer in names.INSTEAD.items()},
    }


def class_of(name: str) -> str | None:
    """The class of which a metric is called that, here or elsewhere; None if none is.

    >>> class_of("accuracy"), class_of("auc"), class_of("nothing")
    ('BinaryAccuracy', 'AUC', None)
    """
    elsewhere = {
        _squashed(theirs): ours for ours, of in names.ELSEWHERE.items() for theirs in of.split()
    }
    known = {_squashed(ours): ours for ours in (*OWNERS, *_REGISTRY)} | elsewhere
    class_name = known.get(_squashed(name))
    return class_name if class_name and is_known(class_name) else None


def _squashed(name: str) -> str:
    return "".join(filter(str.isalnum, name)).lower()


def from_config(class_name: str, config: dict[str, Any]) -> Metric:
    """Build a metric from its `class_name` and parameters.

    A parameter that is null has its default. Parameters that Keras and TFMA write into every config, and
    that change nothing, are ignored.

    Raises:
        ConfigError: There is no such metric, or a parameter is unknown, missing or of the wrong type.

    >>> from_config("Precision", {"thresholds": [0.9], "class_id": None}).name
    'precision'
    """
    factory, _ = _entry(class_name)
    meant = parameters.meant(config, factory)
    parameters.check(class_name, factory, meant)
    try:
        metric = factory(**meant)
    except (TypeError, ValueError, OverflowError) as error:
        if not isinstance(
            error, ValueError
        ):  # Python's own words, if the types do not say it better
            parameters.check_types(class_name, factory, meant)
        raise ConfigError(f"{class_name}({shortened(json.dumps(config))}): {error}") from error
    parameters.check_types(class_name, factory, meant)
    _check_contract(class_name, metric)
    return metric


def _check_contract(class_name: str, metric: Any) -> None:
    """Refuse what a user's factory makes, if the plan of an evaluation could not hold it."""
    if not isinstance(metric, Metric):
        raise ConfigError(f"{class_name} makes {described(metric)} and not a benison.Metric.")
    try:
        statistics = metric.statistics()
        hash((metric, statistics, tuple(statistic.columns() for statistic in statistics)))
    except Exception as error:  # anyone's code
        raise ConfigError(
            f"{class_name} cannot be computed: {error}. A metric and its statistics are frozen dataclasses "
            "of plain values."
        ) from error
    if not isinstance(metric.name, str) or not metric.name:
        raise ConfigError(f"{class_name} has no name; give it the field: name: str = ...")
