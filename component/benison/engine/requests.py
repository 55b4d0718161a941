# SPDX-License-Identifier: Apache-2.0
"""Resolves `binarize` and `aggregate` into pairs of label and prediction, and averages over such pairs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from benison.config import AggregationOptions, MetricConfig, MetricsSpec
from benison.engine.pairs import (
    BoxesOf,
    ClassAmongTopK,
    ClassOf,
    Flattened,
    Kth,
    Pairs,
    Taken,
    TopK,
)
from benison.errors import ConfigError
from benison.metrics.base import Metric
from benison.metrics.groups import ATTRIBUTIONS, members, takes


@dataclasses.dataclass(frozen=True)
class Macro:
    """A mean over classes, or over the first k ranks, with a fixed weight for each.

    `weighted` multiplies the weights by the share of each class's positives.
    """

    aggregation: str
    sub_key: str
    pairs: tuple[Pairs, ...]
    weights: tuple[float, ...]
    weighted: bool


@dataclasses.dataclass(frozen=True)
class Asked:
    """The ways in which every metric of a spec is computed."""

    pairs: tuple[Pairs, ...]
    macros: tuple[Macro, ...] = ()
    top_k: tuple[int, ...] = ()
    """Metrics of the k highest scores, which they are by a parameter of their own."""


_ROWS = Asked((Pairs(),))


def asked_of(spec: MetricsSpec) -> tuple[Asked, list[tuple[str, str]]]:
    """What a metrics spec asks for, and what it cannot ask for, as (field, sentence)."""
    faults = list(_unsupported(spec))
    pairs: list[Pairs] = []
    top_k: tuple[int, ...] = ()
    if spec.binarize is not None:
        top_k = tuple(dict.fromkeys(spec.binarize.top_k_list))
        pairs += [ClassOf(class_id) for class_id in spec.binarize.class_ids]
        pairs += [Kth(k) for k in spec.binarize.k_list]
    macros: list[Macro] = []
    if spec.aggregate is not None and not faults:
        options = spec.aggregate
        if options.micro_average:
            pairs += _micro(options)
        else:
            macros += _macros(options)
    if not (pairs or macros or top_k):
        pairs.append(Pairs())
    return Asked(tuple(pairs), tuple(macros), top_k), faults


def ways_of(
    spec: MetricsSpec, class_name: str, asked: Asked
) -> Iterator[tuple[dict[str, int], Asked]]:
    """The parameters that a metric gets from its spec, each with the pairs of which it is then.

    Of the k highest scores it is by its own parameter, and attributions are of a class by theirs, because
    they are neither labels nor predictions.
    """
    options = spec.binarize
    if class_name in ATTRIBUTIONS and options is not None:
        names = {"class_id": options.class_ids, "k": options.k_list, "top_k": options.top_k_list}
        for name, values in names.items():
            yield from (({name: value}, _ROWS) for value in dict.fromkeys(values))
        return
    if asked.pairs or asked.macros:
        yield {}, asked
    yield from (({"top_k": k}, _ROWS) for k in asked.top_k)


def members_of(asked: MetricConfig, more: Mapping[str, Any]) -> tuple[tuple[str, Metric], ...]:
    """The metrics of a class name, which must be of the highest scores where top_k_list asks for these.

    Raises:
        ConfigError: It has a top_k of its own, one of ranks in a query, or none.
    """
    name = asked.class_name
    clashing = ("class_id", "k", "top_k") if name in ATTRIBUTIONS else ("top_k",)
    own = [key for key in clashing if asked.config.get(key) is not None]
    if more and own:
        raise ConfigError(f"{name} has {own[0]}, and its spec binarize; keep one.")
    if "top_k" in more and not takes(name, "top_k"):
        raise ConfigError(
            f"{name} would see the scores that are not among the highest as minus infinity. Ask for it in a "
            "spec with aggregate, micro_average and top_k_list, which leaves them out."
        )
    made = members(name, {**asked.config, **more})
    if more and any(m.top_k_scores is None and not m.taken for _, m in made):
        raise ConfigError(
            f"{name} counts ranks of a query by its top_k, and top_k_list is of the highest scores of a row; "
            "ask for it in a spec without top_k_list."
        )
    return made


def without_average(metric: Metric, asked: Asked) -> Asked:
    """What is asked of a metric: one of rows alone, such as a count, has no classes to average over.

    As in TFMA it is what it is without `aggregate`; summed over pairs of a row and a class it would be
    as many times too large as there are classes. Queries are of what a ranking ranks,
    which then are such pairs.
    """
    looks_at_pairs = metric.needs_label or metric.needs_prediction or metric.needs_groups
    if looks_at_pairs or own_pairs(metric) is not None:
        return asked
    pairs = [Pairs() if isinstance(each, Flattened) else each for each in asked.pairs]
    return Asked((*dict.fromkeys(pairs + [Pairs()] * bool(asked.macros)),))


def own_pairs(metric: Metric) -> Pairs | None:
    """The pairs that a metric's own parameters ask for; None where it leaves them to its spec."""
    if metric.taken:
        return Taken(metric.taken)
    if metric.class_id is not None and metric.top_k_scores is not None:
        return ClassAmongTopK(metric.class_id, metric.top_k_scores)
    if metric.class_id is not None:
        own = metric.accepts & {"boxes", "images"}  # such metrics take the class themselves
        kind = BoxesOf if own else ClassOf
        return kind(metric.class_id)
    return None if metric.top_k_scores is None else TopK(metric.top_k_scores)


def pairs_of(metric: Metric, asked: Asked) -> tuple[Pairs, ...] | None:
    """The pairs that a metric and its spec ask for together; None where the two contradict each other."""
    own = own_pairs(metric)
    if own is None:
        return asked.pairs
    if asked == _ROWS:
        return (own,)
    each = (*asked.pairs, *(pairs for macro in asked.macros for pairs in macro.pairs))
    if not isinstance(own, TopK) or not all(isinstance(pairs, ClassOf) for pairs in each):
        return None
    return _among(own, asked.pairs)


def macro_of(metric: Metric, macro: Macro) -> Macro:
    """A mean over classes, each of them where it is among the highest scores if the metric asks for these."""
    own = own_pairs(metric)
    if not isinstance(own, TopK):
        return macro
    return dataclasses.replace(macro, pairs=_among(own, macro.pairs), sub_key=own.sub_key)


def _among(top: TopK, classes: Iterable[Pairs]) -> tuple[Pairs, ...]:
    return tuple(ClassAmongTopK(of.class_id, top.k) for of in classes if isinstance(of, ClassOf))


def _unsupported(spec: MetricsSpec) -> Iterator[tuple[str, str]]:
    """Fields whose silent neglect would make a number mean something else."""
    options = spec.aggregate
    if options is not None and not (
        options.micro_average or options.class_weights or options.top_k_list
    ):
        average = "macro_average" if options.macro_average else "weighted_macro_average"
        yield (
            f"aggregate.{average}",
            "needs the classes to average over; name them in class_weights, such as {0: 1, 1: 1}.",
        )


def _micro(options: AggregationOptions) -> list[Pairs]:
    weights = tuple(sorted(options.class_weights.items()))
    return [Flattened(weights, k) for k in options.top_k_list] or [Flattened(weights)]


def _macros(options: AggregationOptions) -> Iterator[Macro]:
    name = "macro_average" if options.macro_average else "weighted_macro_average"
    weighted = options.weighted_macro_average
    for k in options.top_k_list:
        ranks = tuple(Kth(i) for i in range(1, k + 1))
        yield Macro(name, f"topK:{k}", ranks, (1.0,) * k, weighted)
    if not options.top_k_list:
        classes = tuple(ClassOf(class_id) for class_id in options.class_weights)
        yield Macro(name, "", classes, tuple(options.class_weights.values()), weighted)
