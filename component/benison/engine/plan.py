# SPDX-License-Identifier: Apache-2.0
"""The plan of an evaluation: which metrics, over which statistics, seen through which view.

Both engines run the same plan. The plan is made from the config alone, before any data are read.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

from benison.config import EvalConfig, MetricsSpec, ModelSpec
from benison.engine.intervals import NoResampling, Resampling, resampling_of
from benison.engine.views import View
from benison.errors import ConfigError
from benison.metrics import Metric, Statistic, from_config


@dataclasses.dataclass(frozen=True)
class Computation:
    """One metric through one view; one row of the results for each slice."""

    metric: Metric
    view: View


@dataclasses.dataclass(frozen=True)
class Plan:
    """What to compute.

    `slots` are the distinct statistics with their views: each is accumulated once, however many
    metrics are formulas over it. `resampling` says in which groups, from which intervals come.
    """

    computations: tuple[Computation, ...]
    slots: tuple[tuple[View, Statistic[Any]], ...]
    baseline: str | None
    resampling: Resampling = NoResampling()

    @classmethod
    def of(cls, config: EvalConfig) -> Plan:
        """The plan of a config whose defaults are filled in.

        Raises:
            ConfigError: A metric does not exist, its parameters are wrong, or the config asks for
                what Benison does not compute; all faults at once.
        """
        faults: list[tuple[str, str]] = []
        computations = tuple(dict.fromkeys(_computations(config, faults)))
        faults += _clashes(computations)
        if faults:
            raise ConfigError(faults)
        needed = ((c.view, statistic) for c in computations for statistic in c.metric.statistics())
        baseline = config.baseline_spec
        name = None if baseline is None else baseline.name
        slots = tuple(dict.fromkeys(needed))
        return cls(computations, slots, name, resampling_of(config.options))

    def views(self) -> list[View]:
        """The distinct views, in the order in which they are needed."""
        return list(dict.fromkeys(view for view, _ in self.slots))


def _clashes(computations: Iterable[Computation]) -> Iterator[tuple[str, str]]:
    """Two metrics of one name and view could not be told apart in the results."""
    seen: set[tuple[View, str]] = set()
    for computation in computations:
        key = (computation.view, computation.metric.name)
        if key in seen:
            name = computation.metric.name
            yield (
                "metrics_specs",
                f"two metrics are called {name!r}; give one another name in its config.",
            )
        seen.add(key)


def _computations(config: EvalConfig, faults: list[tuple[str, str]]) -> Iterator[Computation]:
    for i, spec in enumerate(config.metrics_specs):
        path = f"metrics_specs[{i}]"
        faults += [(f"{path}.{field}", text) for field, text in _unsupported(spec)]
        metrics = list(_metrics(spec, path, faults))
        for view in views_of(config, spec):
            yield from (Computation(metric, view) for metric in metrics)


def views_of(config: EvalConfig, spec: MetricsSpec) -> Iterator[View]:
    """The views of a metrics spec: models x outputs x weightings x classes, the baseline's too."""
    models = _models(config, spec)
    weightings = _weightings(spec, any(model.columns_of("example_weight") for model in models))
    classes: Iterable[int | None] = (spec.binarize and spec.binarize.class_ids) or (None,)
    for model in models:
        for output in spec.output_names or outputs_of(config, model):
            for weighted in weightings:
                yield from (View(model.name, output, weighted, class_id) for class_id in classes)


def outputs_of(config: EvalConfig, model: ModelSpec) -> tuple[str, ...]:
    """The outputs of a model that its keys or the metrics name, sorted; ("",) where it has one."""
    asked = (spec.output_names for spec in config.metrics_specs if model in _models(config, spec))
    return tuple(sorted({*model.outputs, *(name for names in asked for name in names)})) or ("",)


def _metrics(spec: MetricsSpec, path: str, faults: list[tuple[str, str]]) -> Iterator[Metric]:
    for i, metric in enumerate(spec.metrics):
        try:
            yield from_config(metric.class_name, dict(metric.config))
        except ConfigError as error:
            faults.append((f"{path}.metrics[{i}]", str(error)))


def _unsupported(spec: MetricsSpec) -> Iterator[tuple[str, str]]:
    """Fields whose silent neglect would make a number mean something else."""
    reason = "is not computed by this version of Benison; remove it, or binarize with class_ids."
    if spec.aggregate is not None:
        yield "aggregate", f"aggregate {reason}"
    if spec.binarize is not None and (spec.binarize.k_list or spec.binarize.top_k_list):
        yield "binarize", f"k_list and top_k_list {reason}"
    for field in ("output_weights", "query_key"):
        if getattr(spec, field):
            yield field, f"{field} {reason}"


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
