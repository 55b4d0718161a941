# SPDX-License-Identifier: Apache-2.0
"""Checks metrics, weights and thresholds before any data are read."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import Any

import numpy as np

from benison.config import EvalConfig, MetricConfig, MetricsSpec, ModelSpec
from benison.config.faults import Fault
from benison.data.batch import Inputs
from benison.engine.pairs import Pairs
from benison.engine.plan import Plan
from benison.errors import ConfigError, DataError, suggestion
from benison.metrics import Metric, registered
from benison.metrics.groups import members
from benison.metrics.registry import class_of
from benison.table.key import SLICE_RATIO
from benison.table.words import metric_text

_MOST_CLASSES = 100_000  # of rows that are made up to hear what a metric says of them
_NOT_RUN = "Nor was a Keras model compiled with it."
_METRICS = (("metrics_specs", "metrics"),)
_MODELS = (("model_specs",),)
_BY_NAME = ("thresholds", "per_slice_thresholds", "cross_slice_thresholds")


def metric_faults(plan: Plan, wide: Collection[str], single: Collection[str]) -> Iterator[Fault]:
    """The faults of metrics with their thresholds, weights and predictions.

    Args:
        plan: What is right in the config.
        wide: The columns that hold several numbers in a row.
        single: The columns that hold one number in a row.
    """
    for i, spec in enumerate(plan.config.metrics_specs):
        metrics = [_built(metric) for metric in spec.metrics]
        faults = [*_weights(plan.config, plan, spec), *_bounds(spec, metrics)]
        faults += _means(spec, metrics)
        if all(metrics):  # else the fault is where the metric is
            known = [metric for built in metrics for metric in built]
            faults += [*_names(spec, [metric.name for metric in known]), *_queries(spec, known)]
        for fault in faults:
            yield fault._replace(loc=("metrics_specs", i, *fault.loc))
    yield from _several_scores(plan, wide)
    yield from _single_scores(plan, single)


def _built(metric: MetricConfig) -> tuple[Metric, ...]:
    """The metrics that a config asks for; none where it is wrong."""
    with suppress(ConfigError):
        return tuple(made for _, made in members(metric.class_name, dict(metric.config)))
    return ()


# Thresholds by name.


def _names(spec: MetricsSpec, computed: list[str]) -> Iterator[Fault]:
    """Thresholds by name must name a metric of their own spec."""
    for field in _BY_NAME:
        crossed = field == "cross_slice_thresholds"
        ratios = [metric_text(name, SLICE_RATIO) for name in computed] if crossed else []
        known = [*computed, *ratios]
        for name in getattr(spec, field):
            if name not in known:
                yield Fault((field, name), _not_computed(name, known), _METRICS)


def _not_computed(name: str, known: list[str]) -> str:
    text = f"no metric {name!r} is computed here."
    near, known_as = suggestion(name, known), class_of(name)
    if near.startswith("Did you mean"):
        text = f"{text} {near}"
        if known_as is None:
            return text
    lines = f"{{class_name: {known_as or '...'}, config: {{name: {name}}}}}"
    return f"{text} {_NOT_RUN} To compute it, add to metrics of this spec: {lines}."


def _queries(spec: MetricsSpec, metrics: list[Metric]) -> Iterator[Fault]:
    """A query_key that groups nothing."""
    if spec.query_key and not any(metric.needs_groups for metric in metrics):
        known = [n for n, made in registered().items() if getattr(made, "needs_groups", False)]
        cure = f"{', '.join(known)} do; take it out, or put it beside one of these."
        text = f"none of these metrics looks at queries. {cure if known else 'Take it out.'}"
        yield Fault(("query_key",), text, _METRICS)


# Bounds on what is not a number.


def _bounds(spec: MetricsSpec, metrics: list[tuple[Metric, ...]]) -> Iterator[Fault]:
    each = ((i, config) for i, config in enumerate(spec.metrics))
    for (i, config), metric in (
        (at, made) for at, built in zip(each, metrics, strict=True) for made in built
    ):
        own = ("threshold", "per_slice_thresholds", "cross_slice_thresholds")
        paths: list[tuple[str | int, ...]] = [
            ("metrics", i, field) for field in own if getattr(config, field)
        ]
        paths += [(field, metric.name) for field in _BY_NAME if metric.name in getattr(spec, field)]
        fault = (_form(metric) or _relative(metric, config, spec)) if paths else ""
        for loc in paths:
            if fault:
                yield Fault(loc, f"{metric.name} is {fault}")


def _means(spec: MetricsSpec, metrics: list[tuple[Metric, ...]]) -> Iterator[Fault]:
    """Means over classes or outputs of what is no number, which would not be there."""
    over_classes = spec.aggregate is not None and not spec.aggregate.micro_average
    if not over_classes and not spec.output_weights:
        return
    for i, built in enumerate(metrics):
        for metric in built:
            form, _, _ = _form(metric).partition(", so that")
            over_outputs = bool(spec.output_weights) and not metric.is_plot
            if form and (over_classes or over_outputs):
                what, field = (
                    ("classes", "aggregate") if over_classes else ("outputs", "output_weights")
                )
                text = f"{metric.name} is {form}, which has no mean over {what}. Ask for it in a spec without"
                yield Fault(("metrics", i), f"{text} {field}.")


def _relative(metric: Metric, config: MetricConfig, spec: MetricsSpec) -> str:
    """What is wrong with a relative bound on a metric that compares with the baseline by itself."""
    if not metric.needs_baseline:
        return ""
    named = {
        field: {name: bound for name, bound in getattr(spec, field).items() if name == metric.name}
        for field in _BY_NAME
    }
    own = spec.model_copy(update={"metrics": (config,), **named})
    changes = (threshold.change_threshold for threshold in own.all_thresholds())
    if any(change is not None and change.relative is not None for change in changes):
        return "a change by itself, which has no relative change; give absolute in its place."
    return ""


def _form(metric: Metric) -> str:
    """What the value of a metric is instead of a number, and what to do; "" for a number."""
    if metric.needs_row_numbers:
        return "a sample of rows and not a number, so that no bound can hold; take it out."
    value = _value(metric, np.array([0.9, 0.2]))
    if isinstance(value, dict) or metric.is_plot:
        return (
            "a table and not a number, so that nothing can be above or below a bound; take it out."
        )
    if isinstance(value, np.ndarray) and value.ndim > 1:
        return (
            f"a list of {value.shape[1]} values and not a number, so that no bound can hold. Give each "
            f"value a metric of its own, with one threshold and a name."
        )
    return ""


def _value(metric: Metric, predictions: np.ndarray[Any, Any]) -> Any:
    """The value of two made-up rows; None where the metric needs more than labels and scores."""
    with suppress(Exception):  # of a user's metric anything
        inputs = Inputs.of([1.0, 0.0], predictions)
        return metric.result(*(s.add(inputs, _single_slice()) for s in metric.statistics()))
    return None


@functools.cache
def _single_slice() -> Any:
    from benison.slicing.codes import SliceCodes

    return SliceCodes.of(np.zeros(2), size=1)


# Predictions of several classes.


def _several_scores(plan: Plan, wide: Collection[str]) -> Iterator[Fault]:
    """Metrics of one score, seen through predictions that are several and not taken apart."""
    keys = {model.name: model for model in plan.config.model_specs}
    for computation in plan.computations:
        view = computation.view
        model = keys[view.model]
        column = model.prediction_key_for(view.output)
        boxes = "boxes" in computation.metric.accepts or not view.scored
        if column not in wide or type(view.pairs) is not Pairs or boxes:
            continue
        why = _refusal(computation.metric, model.label_key_for(view.output) in wide)
        if why:
            for loc in _paths_of(plan, computation.metric):
                text = f"the predictions in {column!r} are several numbers in each row. {why}"
                yield Fault(loc, text)


def _single_scores(plan: Plan, single: Collection[str]) -> Iterator[Fault]:
    """Classes and ranks that are taken from predictions of which a row has one."""
    keys = {model.name: model for model in plan.config.model_specs}
    for i, spec in enumerate(plan.config.metrics_specs):
        asked = "binarize" if spec.binarize else "aggregate"
        models = [m for m in keys.values() if not spec.model_names or m.name in spec.model_names]
        columns = {
            m.prediction_key_for(o)
            for m in models
            for o in spec.output_names or plan.outputs[m.name]
        }
        for column in sorted(column for column in columns if column and column in single):
            if spec.binarize or spec.aggregate:
                text = f"the predictions in {column!r} are one number in each row, not one for each class."
                yield Fault(("metrics_specs", i, asked), f"{text} Take this out.")


def _refusal(metric: Metric, one_hot: bool) -> str:
    """What a metric says of predictions of several classes; "" if it takes them.

    How many there are is not known before the data are read.
    """
    refusals = [_refusal_of(metric, one_hot, width) for width in _widths(metric)]
    return "" if "" in refusals else refusals[0]


def _widths(metric: Metric) -> list[int]:
    """Numbers of classes to try: two, and those that parameters such as `num_classes` or weights name."""
    names = getattr(metric, "__dataclass_fields__", {})
    values = [getattr(metric, name) for name in names]
    sizes = [len(value) if isinstance(value, tuple) else value for value in values]
    return [2, *sorted({n for n in sizes if isinstance(n, int) and 2 < n <= _MOST_CLASSES})]


def _refusal_of(metric: Metric, one_hot: bool, width: int) -> str:
    classes = np.zeros((2, width))
    classes[[0, 1], [1, 0]] = 1
    try:
        labels = classes if one_hot else np.array([1.0, 0.0])
        inputs = Inputs.of(labels, 0.7 * classes + 0.3 / width)
        if metric.needs_baseline:
            inputs = dataclasses.replace(inputs, baseline=inputs.predictions)
        metric.check(*(s.add(inputs, _single_slice()) for s in metric.statistics()))
    except DataError as error:
        return str(error)
    except Exception:  # noqa: BLE001 - of a user's metric anything, which the data themselves may suit
        return ""
    return ""


def _paths_of(plan: Plan, metric: Metric) -> Iterator[tuple[str | int, ...]]:
    for i, spec in enumerate(plan.config.metrics_specs):
        for j, config in enumerate(spec.metrics):
            if metric in _built(config):
                yield "metrics_specs", i, "metrics", j


# Example weights.


def _weights(config: EvalConfig, plan: Plan, spec: MetricsSpec) -> Iterator[Fault]:
    """Values that would be called weighted although nothing weighs them."""
    chosen = set(spec.model_names)
    models = [m for m in config.model_specs if not chosen or m.name in chosen or m.is_baseline]
    outputs = [(m, o) for m in models for o in spec.output_names or plan.outputs[m.name]]
    lacking = [(m, o) for m, o in outputs if not m.example_weight_key_for(o)]
    asked = spec.example_weights
    if not lacking or asked is not None and not asked.weighted:
        return
    if asked is None:
        # Each output is weighted by itself; models are compared with each other.
        weighted = {o for m, o in outputs if m.example_weight_key_for(o)}
        lacking = [(m, o) for m, o in lacking if o in weighted]
    named = " and ".join(dict.fromkeys(_called(model, output) for model, output in lacking))
    if asked is not None:
        cure = "Name it with example_weight_key in model_specs, or ask for unweighted values."
        yield Fault(
            ("example_weights", "weighted"), f"{named} has no weight column. {cure}", _MODELS
        )
    elif lacking:
        cure = "Name one for each, or say example_weights: {unweighted: true}."
        text = f"some of the models have example weights, and {named} has none. {cure}"
        yield Fault(("example_weights",), text, _MODELS)


def _called(model: ModelSpec, output: str) -> str:
    which = f"the output {output!r}" if output else ""
    whose = f"the model {model.name!r}" if model.name else "" if which else "the model"
    return " of ".join(filter(None, [which, whose]))
