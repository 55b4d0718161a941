# SPDX-License-Identifier: Apache-2.0
"""Sentences on configs that can be evaluated, and of which it is doubtful that they say what was meant."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping

from benison.config import EvalConfig, ModelSpec
from benison.config.fields import MetricDirection
from benison.engine.crossings import thresholds_on
from benison.engine.plan import Plan
from benison.metrics.registry import About
from benison.results.result import described_metrics


def doubts(plan: Plan, called: Container[str]) -> list[str]:
    """What a reader of the verdict should know of the config; `called` are the models that will be called."""
    known = described_metrics([plan.config])
    return list(
        dict.fromkeys(
            [
                *_against_direction(plan, known),
                *_labels_as_predictions(plan.config, called),
                *_same_predictions(plan.config, called),
                *_not_judged(plan.config),
            ]
        )
    )


def _against_direction(plan: Plan, known: Mapping[str, About]) -> Iterator[str]:
    """Of bounds on changes by which a model passes that became worse."""
    for each in plan.judged:
        about = known.get(each.name)
        better = None if about is None else about.higher_is_better
        for loc, threshold in thresholds_on(plan.config, each):
            bounds = threshold.change_threshold
            if bounds is None or better is None or "cross_slice_thresholds" in loc:
                continue
            if better != (bounds.direction is MetricDirection.HIGHER_IS_BETTER):
                end = "higher" if better else "lower"
                yield (
                    f"{each.name} is better the {end} it is, and a threshold on its change says "
                    f"{bounds.direction.name}: a model that became worse passes it."
                )


def _labels_as_predictions(config: EvalConfig, called: Container[str]) -> Iterator[str]:
    for spec, columns in _read(config, called):
        for output, column in columns.items():
            if column == spec.label_key_for(output):
                yield (
                    f"{column!r} is read as label and as prediction of {_named(spec)}, so never wrong."
                )


def _same_predictions(config: EvalConfig, called: Container[str]) -> Iterator[str]:
    """Of a candidate whose predictions are the baseline's."""
    columns = {spec.name: columns for spec, columns in _read(config, called)}
    baseline = config.baseline_spec
    theirs = columns.get(baseline.name) if baseline is not None else None
    for spec in config.candidate_specs:
        if theirs and columns.get(spec.name) == theirs:
            named = ", ".join(repr(column) for column in theirs.values())
            yield f"{_named(spec)} and the baseline are read from one column, {named}: no change can be seen."


def _not_judged(config: EvalConfig) -> Iterator[str]:
    """Of a candidate beside others that are judged."""
    judged = {
        name
        for spec in config.metrics_specs
        if any(spec.all_thresholds())
        for name in spec.model_names
    }
    for spec in config.candidate_specs:
        if judged and spec.name not in judged:
            yield f"No threshold is on {_named(spec)}, so the verdict says nothing of it."


def _read(config: EvalConfig, called: Container[str]) -> Iterator[tuple[ModelSpec, dict[str, str]]]:
    """The models whose predictions are in the data, and the column of each of their outputs."""
    for spec in config.model_specs:
        if spec.name not in called:
            yield spec, spec.columns_of("prediction")


def _named(spec: ModelSpec) -> str:
    return f"the model {spec.name}" if spec.name else "the model"
