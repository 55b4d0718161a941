# SPDX-License-Identifier: Apache-2.0
"""What can be known to be wrong before any data are read: config against data and models."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from benison.config import EvalConfig, MetricsSpec, ModelSpec
from benison.engine.plan import Plan
from benison.errors import ConfigError, suggestion
from benison.metrics import from_config
from benison.models import TYPES
from benison.models.preprocessing import is_path
from benison.table.key import SLICE_RATIO
from benison.table.words import metric_text


def check_config(
    config: EvalConfig, columns: Collection[str] | None = None, called: Collection[str] = ()
) -> Plan:
    """The plan of a config, if the config fits the data.

    Args:
        config: With its defaults filled in.
        columns: The columns of the data; None when they are not known, then they are not checked.
        called: The names of the model specs whose predictions come from a model.

    Raises:
        ConfigError: All faults, each with its path in the config.
    """
    plan, faults = Plan.resolved(config)
    if not config.metrics_specs:
        faults.append(
            (
                "metrics_specs",
                "no metric is asked for; name at least one, for example ExampleCount.",
            )
        )
    faults += _options(config)
    for i, spec in enumerate(config.metrics_specs):
        faults += [(f"metrics_specs[{i}].{path}", text) for path, text in _thresholds(spec)]
    faults += _missing_labels(plan)
    for i, model in enumerate(config.model_specs):
        faults += [
            (f"model_specs[{i}].{path}", text)
            for path, text in _model(model, plan.outputs[model.name], model.name in called)
        ]
        if columns is not None and not model.preprocessing_function_names:
            found = _model_columns(model, columns, model.name in called)
            faults += [(f"model_specs[{i}].{path}", text) for path, text in found]
    transformed = any(model.preprocessing_function_names for model in config.model_specs)
    if columns is not None and not transformed:  # else only the functions know what they make
        faults += _slice_columns(plan, columns)
    if faults:
        raise ConfigError(faults)
    return plan


def _options(config: EvalConfig) -> Iterator[tuple[str, str]]:
    if config.options.disabled_outputs:
        yield (
            "options.disabled_outputs",
            "outputs cannot be disabled by this version of Benison; choose them with writers=.",
        )


def _thresholds(spec: MetricsSpec) -> Iterator[tuple[str, str]]:
    """Thresholds by name must name a metric of their own spec."""
    names = []
    for metric in spec.metrics:
        try:
            names.append(from_config(metric.class_name, dict(metric.config)).name)
        except ConfigError:
            return  # reported where the metric is
    for field in ("thresholds", "per_slice_thresholds", "cross_slice_thresholds"):
        ratios = (
            [metric_text(name, SLICE_RATIO) for name in names]
            if field == "cross_slice_thresholds"
            else []
        )
        known = [*names, *ratios]
        for name in getattr(spec, field):
            if name not in known:
                hint = suggestion(name, known)
                yield f"{field}.{name}", f"no metric {name!r} is computed here. {hint}"


def _model(model: ModelSpec, outputs: Collection[str], called: bool) -> Iterator[tuple[str, str]]:
    if model.padding_options:
        yield (
            "padding_options",
            "padding_options is not applied by this version of Benison; remove it.",
        )
    for name in model.preprocessing_function_names:
        if "@" in name:
            text = f"{name!r} is not applied by this version of Benison; save it in the model."
            yield "preprocessing_function_names", text
        elif not called and not is_path(name):
            text = (
                f"{name!r} is a function of a model, and there is none; give the path of a graph."
            )
            yield "preprocessing_function_names", text
    if model.model_type not in TYPES:
        known = ", ".join(filter(None, TYPES))
        text = f"{model.model_type!r} is not loaded by this version of Benison. There are: {known}."
        yield "model_type", text
    if not called:
        yield from _missing_predictions(model, outputs)


def _missing_predictions(model: ModelSpec, outputs: Collection[str]) -> Iterator[tuple[str, str]]:
    for output in outputs:
        if not model.prediction_key_for(output):
            of = f" of the output {output!r}" if output else ""
            path = f"prediction_keys.{output}" if output else "prediction_key"
            yield path, f"without a model, name the column that holds the predictions{of}."


def _missing_labels(plan: Plan) -> Iterator[tuple[str, str]]:
    needing = [view for view in plan.views() if view.labelled]
    for i, model in enumerate(plan.config.model_specs):
        outputs = dict.fromkeys(view.output for view in needing if view.model == model.name)
        for output in outputs:
            if not model.label_key_for(output):
                of = f" of the output {output!r}" if output else ""
                path = f"label_keys.{output}" if output else "label_key"
                yield f"model_specs[{i}].{path}", f"name the column that holds the labels{of}."


def _model_columns(
    model: ModelSpec, columns: Collection[str], called: bool
) -> Iterator[tuple[str, str]]:
    roles = ("label", "example_weight") if called else ("label", "example_weight", "prediction")
    for role in roles:
        named = {f"{role}_key": getattr(model, f"{role}_key")}
        named |= {
            f"{role}_keys.{output}": key for output, key in getattr(model, f"{role}_keys").items()
        }
        for path, column in named.items():
            if column and column not in columns:
                yield path, f"the data have no column {column!r}. {suggestion(column, columns)}"


def _slice_columns(plan: Plan, columns: Collection[str]) -> Iterator[tuple[str, str]]:
    for name in sorted(plan.feature_columns - plan.slice_features - {*columns}):
        text = f"a metric reads the column {name!r}, which the data do not have."
        yield "metrics_specs", f"{text} {suggestion(name, columns)}"
    for i, spec in enumerate(plan.slicing_specs):
        for feature in sorted({*spec.feature_keys, *spec.feature_values}):
            if feature not in columns:
                text = f"slice feature {feature!r} is not a column of the data."
                yield f"slicing_specs[{i}]", f"{text} {suggestion(feature, columns)}"
