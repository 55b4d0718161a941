# SPDX-License-Identifier: Apache-2.0
"""Replaces scikit-learn's names of metrics in a config by ours, and says so."""

from __future__ import annotations

from benison.config import EvalConfig, MetricConfig, MetricsSpec
from benison.metrics import names
from benison.metrics.registry import is_known


def with_our_names(config: EvalConfig) -> tuple[EvalConfig, tuple[str, ...]]:
    """The config with our class names, and a sentence for each name that was replaced.

    A name that a user has registered, or that stands beside a module, is the user's.
    """
    words: dict[str, None] = {}
    specs = tuple(_translated(spec, words) for spec in config.metrics_specs)
    if not words:
        return config, ()
    return config.model_copy(update={"metrics_specs": specs}), tuple(words)


def _translated(spec: MetricsSpec, words: dict[str, None]) -> MetricsSpec:
    metrics = tuple(_renamed(metric, words) for metric in spec.metrics)
    return spec.model_copy(update={"metrics": metrics})


def _renamed(metric: MetricConfig, words: dict[str, None]) -> MetricConfig:
    theirs = metric.class_name
    ours = names.ALIASES.get(theirs)
    if ours is None or metric.module or is_known(theirs):
        return metric
    note = names.NOTES.get(ours, "")
    words.setdefault(f"{theirs} of scikit-learn is {ours} here. {note}".strip())
    return metric.model_copy(update={"class_name": ours})
