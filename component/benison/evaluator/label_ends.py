# SPDX-License-Identifier: Apache-2.0
"""Takes the ends of a calibration plot from the domain of the label in TFX's schema.

TFMA does so where it is given a schema, and TFX's own Evaluator does not give it one.
"""

from __future__ import annotations

from typing import Any

from benison.config import EvalConfig, MetricConfig, MetricsSpec

_PLOT = "CalibrationPlot"


def with_label_ends(config: EvalConfig, schema: Any) -> EvalConfig:
    """The config with `left` and `right` where a calibration plot has neither and the schema has a domain.

    Args:
        config: With its defaults filled in.
        schema: A `tensorflow_metadata` Schema.
    """
    specs = tuple(_with_ends(config, spec, schema) for spec in config.metrics_specs)
    return config.model_copy(update={"metrics_specs": specs})


def _with_ends(config: EvalConfig, spec: MetricsSpec, schema: Any) -> MetricsSpec:
    """A spec of several labels whose domains differ stays as it is: its plot has one pair of ends."""
    models = [m for m in config.model_specs if m.name in spec.model_names or not spec.model_names]
    outputs = spec.output_names or ("",)
    labels = {model.label_key_for(output) for model in models for output in outputs}
    domains = [_domain(schema, label) for label in labels]
    if not domains or not domains[0] or any(domain != domains[0] for domain in domains):
        return spec
    metrics = tuple(_given(metric, domains[0]) for metric in spec.metrics)
    return spec.model_copy(update={"metrics": metrics})


def _given(metric: MetricConfig, ends: dict[str, float]) -> MetricConfig:
    if metric.class_name != _PLOT or {"left", "right"} & set(metric.config):
        return metric
    return metric.model_copy(update={"config": {**metric.config, **ends}})


def _domain(schema: Any, label: str | None) -> dict[str, float]:
    """The ends that the domain of a feature has, {} where it has none."""
    for feature in schema.feature:
        kind = feature.WhichOneof("domain_info")
        if feature.name == label and kind in ("int_domain", "float_domain"):
            domain = getattr(feature, kind)
            sides = (("left", "min"), ("right", "max"))
            return {ours: float(getattr(domain, of)) for ours, of in sides if domain.HasField(of)}
    return {}
