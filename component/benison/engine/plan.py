# SPDX-License-Identifier: Apache-2.0
"""The plan of an evaluation: which metrics, over which statistics, seen through which view.

It is made once, from the config alone, before any data are read; engines, checks and the verdict are handed
it, so that what a config means is decided in one place.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, TypeAlias

from benison.config import EvalConfig, MetricsSpec, ModelSpec, SlicingSpec
from benison.config.constraints import located_specs
from benison.config.plain import path_of
from benison.engine.crossings import asks_across
from benison.engine.intervals import NoResampling, Resampling, resampling_of
from benison.engine.requests import (
    Asked,
    asked_of,
    macro_of,
    members_of,
    pairs_of,
    ways_of,
    without_average,
)
from benison.engine.samplings import PlotSampling, Sampling, Samplings
from benison.engine.views import Average, Comparison, View
from benison.errors import ConfigError
from benison.metrics.averages import PositiveWeight
from benison.metrics.base import Metric, Statistic
from benison.metrics.registry import About, describe
from benison.slicing.spec_columns import columns_of, unreadable
from benison.table.key import CHANGE, Key, MetricKeys

ViewPair: TypeAlias = "tuple[View, View | None]"
"""A view, and the view of the baseline whose values are subtracted, or None for the values themselves."""


@dataclasses.dataclass(frozen=True)
class Computation:
    """One metric through one view: a value for each slice, from the states of `slots`.

    What only an average needs is not `shown`.
    """

    key: Key
    metric: Metric
    view: View
    slots: tuple[int, ...]
    shown: bool = True


@dataclasses.dataclass(frozen=True)
class Plan:
    """What to compute.

    `slots` are the distinct statistics with their views: each is accumulated once, however many
    metrics are formulas over it. `resampling` says in which groups, from which intervals come.
    """

    config: EvalConfig
    computations: tuple[Computation, ...]
    averages: tuple[Average, ...]
    slots: tuple[tuple[View, Statistic[Any]], ...]
    judged: tuple[MetricKeys, ...]
    """The keys of the candidates' values of each metric of the config."""
    slicing_specs: tuple[SlicingSpec, ...]
    outputs: dict[str, tuple[str, ...]]
    """The outputs of each model, ("",) where it has one."""
    comparison: Comparison | None
    resampling: Resampling = NoResampling()
    ranges: Mapping[str, tuple[float, float]] = dataclasses.field(default_factory=dict)
    """The ends of the range of each metric, by its name."""
    samplings: tuple[Sampling, ...] = ()
    """How the sampling errors of values are known, where they are asked for."""
    plot_samplings: tuple[PlotSampling, ...] = ()
    """The same of the points of plots."""
    pair_samplings: tuple[Sampling, ...] = ()
    """How comparisons of slices that share rows are known, where evidence is asked of them."""

    @classmethod
    def of(cls, config: EvalConfig) -> Plan:
        """The plan of a config whose defaults are filled in.

        Raises:
            ConfigError: A metric does not exist, its parameters are wrong, or the config asks for
                what Benison does not compute; all faults at once.
        """
        plan, faults = cls.resolved(config)
        if faults:
            raise ConfigError(faults)
        return plan

    @classmethod
    def resolved(cls, config: EvalConfig) -> tuple[Plan, list[tuple[str, str]]]:
        """The plan of what is right in a config, and every fault, as (path, sentence)."""
        builder = _Builder(config)
        for spec in range(len(config.metrics_specs)):
            builder.add_spec(spec)
        return builder.plan(), builder.faults

    def views(self) -> list[View]:
        """The distinct views, in the order in which they are needed."""
        return list(dict.fromkeys(view for view, _ in self.slots))

    @cached_property
    def view_pairs(self) -> list[ViewPair]:
        """The views whose rows are counted, by themselves and beside the baseline's."""
        views = self.views()
        pairs: list[ViewPair] = [(view, None) for view in views]
        if self.comparison is not None:
            name = self.comparison.baseline
            others = {view: dataclasses.replace(view, model=name) for view in views}
            pairs += [(v, b) for v, b in others.items() if b != v and b in views]
        return pairs

    @cached_property
    def consumers(self) -> dict[View, tuple[Metric, ...]]:
        """The metrics that look at the data through each view."""
        metrics: dict[View, dict[Metric, None]] = {}
        for computation in self.computations:
            metrics.setdefault(computation.view, {})[computation.metric] = None
        return {view: tuple(of) for view, of in metrics.items()}

    @property
    def needs_row_numbers(self) -> bool:
        """Whether rows must be numbered, the same however they are read."""
        drawn = any(c.metric.needs_row_numbers for c in self.computations)
        samplings = (*self.samplings, *self.pair_samplings)
        return drawn or any(s.estimator.needs_row_numbers for s in samplings)

    @property
    def slice_features(self) -> set[str]:
        """The columns that slices are made of."""
        return columns_of(self.slicing_specs)

    @property
    def feature_columns(self) -> set[str]:
        """The columns of the data that slices, queries and metrics read."""
        columns = self.slice_features
        columns |= {view.query_key for view, _ in self.slots if view.query_key}
        return columns | {name for _, statistic in self.slots for name in statistic.columns()}

    @property
    def optional_columns(self) -> set[str]:
        """The columns that metrics read where the data have them."""
        return {name for _, statistic in self.slots for name in statistic.optional_columns()}


class _Builder:
    """Collects computations; one that is asked for twice is one."""

    def __init__(self, config: EvalConfig) -> None:
        self.config = config
        self.faults: list[tuple[str, str]] = []
        self._computations: dict[tuple[Key, Metric, View], Computation] = {}
        self._averages: dict[Average, None] = {}
        self._slots: dict[tuple[View, Statistic[Any]], int] = {}
        self._judged: list[MetricKeys] = []
        self._ranges: dict[str, tuple[float, float]] = {}
        self._owners: dict[Key, tuple[Metric, View] | Average] = {}

    def plan(self) -> Plan:
        baseline = self.config.baseline_spec
        comparison = None if baseline is None else Comparison(CHANGE, baseline.name)
        samplings = self._samplings(comparison)  # which asks for slots
        return Plan(
            self.config,
            tuple(self._computations.values()),
            tuple(self._averages),
            tuple(self._slots),
            tuple(self._ranged(each) for each in self._judged),
            self._slicing_specs(),
            {model.name: outputs_of(self.config, model) for model in self.config.model_specs},
            comparison,
            resampling_of(self.config.options),
            self._ranges,
            *samplings,
        )

    def _samplings(
        self, comparison: Comparison | None
    ) -> tuple[tuple[Sampling, ...], tuple[PlotSampling, ...], tuple[Sampling, ...]]:
        if not self.config.needs_evidence:
            return (), (), ()
        shown = [(c.key, c.metric, c.view) for c in self._computations.values() if c.shown]
        known = Samplings(self.config, comparison, self._slot)
        samplings = tuple(known.of(shown))
        asked = {k for m in self._judged if asks_across(self.config, m) for k in m.keys}
        asked -= {each.key for each in samplings if each.estimator.compares_slices}
        return samplings, tuple(known.of_plots(shown)), tuple(known.across(shown, asked))

    def _slot(self, view: View, statistic: Statistic[Any]) -> int:
        """The number of a statistic through a view, which is one however many ask for it."""
        return self._slots.setdefault((view, statistic), len(self._slots))

    def _slicing_specs(self) -> tuple[SlicingSpec, ...]:
        """The specs whose conditions can be read; the others are faults."""
        wrong = {spec: [*unreadable(spec)] for _, spec in located_specs(self.config)}
        for loc, spec in located_specs(self.config):
            for name, text in wrong[spec]:
                self.faults.append((path_of((*loc, "where", name)), text))
        return tuple(spec for spec in slicing_specs(self.config) if not wrong[spec])

    def add_spec(self, index: int) -> None:
        spec, path = self.config.metrics_specs[index], f"metrics_specs[{index}]"
        asked, faults = asked_of(spec)
        self.faults += [(f"{path}.{field}", text) for field, text in faults]
        baseline = self.config.baseline_spec
        for number, metric, pairs in self._metrics(spec, path, asked):
            keys = [
                key
                for view in self._views(spec, metric)
                for key in self._add(metric, view, pairs, f"{path}.metrics[{number}]")
            ]
            keys += self._over_outputs(spec, keys, f"{path}.metrics[{number}]")
            on_trial = [key for key in keys if baseline is None or key.model != baseline.name]
            unique = tuple(dict.fromkeys(on_trial))
            self._judged.append(
                MetricKeys(index, number, metric.name, unique, metric.needs_baseline)
            )

    def _metrics(
        self, spec: MetricsSpec, path: str, asked: Asked
    ) -> Iterator[tuple[int, Metric, Asked]]:
        """Each metric with the pairs of which it is; of the k highest scores it is by its own parameter."""
        for i, metric in enumerate(spec.metrics):
            ways = [*ways_of(spec, metric.class_name, asked)]
            try:
                made = [
                    (class_name, member, pairs)
                    for more, pairs in ways
                    for class_name, member in members_of(metric, more)
                ]
            except ConfigError as error:
                self.faults.append((f"{path}.metrics[{i}]", str(error)))
                continue
            for class_name, member, pairs in made:
                if member.name.startswith("_"):
                    text = f"the name {member.name!r}, which begins with an underscore, is in no result."
                    self.faults.append((f"{path}.metrics[{i}]", text))
                else:
                    self._widen(member.name, describe(class_name))
                    yield i, member, pairs

    def _ranged(self, each: MetricKeys) -> MetricKeys:
        low, high = self._ranges.get(each.name, (each.low, each.high))
        return dataclasses.replace(each, low=low, high=high)

    def _widen(self, name: str, about: About) -> None:
        """Of metrics of one name, as of several models, the range holds all."""
        low, high = self._ranges.get(name, (about.low, about.high))
        self._ranges[name] = (min(low, about.low), max(high, about.high))

    def _views(self, spec: MetricsSpec, metric: Metric) -> Iterator[View]:
        """The views of a metric: models x outputs x weightings x variants, the baseline's too."""
        models = _models(self.config, spec)
        by_name = metric.label_names(), metric.prediction_names()
        query = spec.query_key if metric.needs_groups else ""
        variants = ("", *(variant.name for variant in self.config.variants))
        for model in models:
            for output in spec.output_names or outputs_of(self.config, model):
                has_weights = all(other.example_weight_key_for(output) for other in models)
                for weighted in _weightings(spec, has_weights):
                    for variant in variants:
                        beside = self._beside(model, variant) if metric.needs_baseline else None
                        if metric.needs_baseline and beside is None:
                            continue
                        yield View(
                            model.name,
                            output,
                            weighted,
                            variant=variant,
                            query_key=query,
                            labelled=metric.needs_label,
                            baseline=beside,
                            scored=metric.needs_prediction,
                            label_names=by_name[0],
                            prediction_names=by_name[1],
                        )

    def _beside(self, model: ModelSpec, variant: str) -> str | None:
        """The model beside whose predictions on the examples those of a model are seen; None for none.

        What it says of a variant is seen beside what it says itself, and else beside the baseline's.
        """
        baseline = self.config.baseline_spec
        if variant:
            return model.name
        return None if baseline is None or model.is_baseline else baseline.name

    def _add(self, metric: Metric, view: View, asked: Asked, path: str) -> Iterator[Key]:
        """The keys of a metric through a view, for each way in which its pairs are asked for."""
        if view.weighted and not metric.takes_weights:
            text = f"{metric.name} takes no example weights; ask for example_weights.unweighted."
            self.faults.append((path, text))
            return
        if metric.needs_groups and not view.query_key:
            text = f"{metric.name} looks at queries; name their column as query_key."
            self.faults.append((path, text))
            return
        asked = without_average(metric, asked)
        each_pairs = pairs_of(metric, asked)
        if each_pairs is None:
            text = f"{metric.name} has class_id or top_k, and its spec has binarize or aggregate; keep one."
            self.faults.append((path, text))
            return
        for pairs in each_pairs:
            yield self._compute(metric, dataclasses.replace(view, pairs=pairs), path)
        for macro in (macro_of(metric, each) for each in asked.macros):
            views = [dataclasses.replace(view, pairs=pairs) for pairs in macro.pairs]
            of = tuple(self._compute(metric, each, path, shown=False) for each in views)
            weighing = views if macro.weighted else []
            by = tuple(self._weight_of(each, path) for each in weighing)
            key = dataclasses.replace(
                view.key(metric.name), aggregation=macro.aggregation, sub_key=macro.sub_key
            )
            yield self._average(Average(key, of, macro.weights, by), path)

    def _weight_of(self, view: View, path: str) -> Key:
        return self._compute(
            PositiveWeight("_positive_weight"),
            dataclasses.replace(view, scored=False, labelled=True, query_key="", baseline=None),
            path,
            shown=False,
        )

    def _compute(self, metric: Metric, view: View, path: str, shown: bool = True) -> Key:
        key = view.key(metric.name)
        if not self._owns(key, (metric, view), path):
            return key
        known = self._computations.get((key, metric, view))
        if known is None:
            slots = tuple(self._slot(view, statistic) for statistic in metric.statistics())
            known = Computation(key, metric, view, slots, shown)
        if shown and not known.shown:
            known = dataclasses.replace(known, shown=True)
        self._computations[key, metric, view] = known
        return key

    def _average(self, average: Average, path: str) -> Key:
        if self._owns(average.key, average, path):
            self._averages[average] = None
        return average.key

    def _owns(self, key: Key, value: tuple[Metric, View] | Average, path: str) -> bool:
        """Whether a key is free for a value, or is of the same value already; else it is a fault."""
        if self._owners.setdefault(key, value) == value:
            return True
        text = f"two metrics are called {key.metric!r}; give one another name in its config."
        self.faults.append((path, text))
        return False

    def _over_outputs(self, spec: MetricsSpec, keys: Iterable[Key], path: str) -> Iterator[Key]:
        """The mean over outputs, weighted by output_weights, under the key without an output."""
        groups: dict[Key, list[Key]] = {}
        for key in keys if spec.output_weights else ():
            if key.output in spec.output_weights:
                groups.setdefault(dataclasses.replace(key, output=""), []).append(key)
        for key, of in groups.items():
            weights = tuple(spec.output_weights[part.output] for part in of)
            yield self._average(Average(key, tuple(of), weights), path)


def outputs_of(config: EvalConfig, model: ModelSpec) -> tuple[str, ...]:
    """The outputs of a model that its keys or the metrics name, sorted; ("",) where it has one."""
    asked = (spec.output_names for spec in config.metrics_specs if model in _models(config, spec))
    return tuple(sorted({*model.outputs, *(name for names in asked for name in names)})) or ("",)


def slicing_specs(config: EvalConfig) -> list[SlicingSpec]:
    """The specs to compute: those asked for, and those that cross slices compare."""
    distinct = list(dict.fromkeys(spec for _, spec in located_specs(config)))
    derived = [spec for spec in distinct if spec.is_derived]
    # A bin or a condition that is named by its value is one that another spec makes.
    return [s for s in distinct if not any(d.includes(s) for d in derived if d != s)]


def _models(config: EvalConfig, spec: MetricsSpec) -> list[ModelSpec]:
    chosen = set(spec.model_names)
    return [
        model
        for model in config.model_specs
        if not chosen or model.name in chosen or model.is_baseline
    ]


def _weightings(spec: MetricsSpec, has_weights: bool) -> list[bool]:
    """TFMA's rule: as asked for, else weighted when there are weights."""
    if spec.example_weights is None:
        return [has_weights]
    asked = [(True, spec.example_weights.weighted), (False, spec.example_weights.unweighted)]
    return [weighted for weighted, wanted in asked if wanted]
