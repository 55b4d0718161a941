# SPDX-License-Identifier: Apache-2.0
"""Checks a config against data and models before any data are read."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import pyarrow as pa

from benison.config import EvalConfig, ModelSpec
from benison.config.constraints import located_specs
from benison.config.faults import Fault
from benison.config.plain import Loc, loc_of
from benison.engine.analysis import HIDES_SLICES
from benison.engine.plan import Plan
from benison.errors import ConfigError, ModelError, suggestion
from benison.evaluation.check_evidence import evidence_faults
from benison.evaluation.check_metrics import metric_faults
from benison.evaluation.check_parts import named_faults
from benison.models import TYPES
from benison.models.text_functions import ColumnFunction, is_of_column, is_path
from benison.slicing.spec_columns import misfits

_MODELS = (("model_specs",),)
_OUTPUTS = ("metrics", "plots", "analysis", "attributions", "eval_config", "eval_config.json")


class Known(NamedTuple):
    """What is known of the data and the models before they are read."""

    columns: Collection[str] | None = None
    """The columns of the data; None when they are not known, then they are not checked."""
    called: Collection[str] = ()
    """The names of the model specs whose predictions come from a model."""
    wide: Collection[str] = ()
    """The columns that hold several numbers in a row."""
    single: Collection[str] = ()
    """The columns that hold one number in a row."""
    types: Mapping[str, pa.DataType] = MappingProxyType({})
    """The types of the columns, as far as they are known."""


def check_config(
    config: EvalConfig,
    columns: Collection[str] | None = None,
    called: Collection[str] = (),
    wide: Collection[str] = (),
) -> Plan:
    """The plan of a config, if the config fits the data.

    Args:
        config: With its defaults filled in.
        columns: The columns of the data; None when they are not known, then they are not checked.
        called: The names of the model specs whose predictions come from a model.
        wide: The columns that hold several numbers in a row.

    Raises:
        ConfigError: All faults, each with its path in the config.
    """
    plan, broken = Plan.resolved(config)
    faults = all_faults(plan, broken, Known(columns, called, wide))
    if faults:
        raise ConfigError([(fault.path, fault.text) for fault in faults])
    return plan


def all_faults(plan: Plan, broken: list[tuple[str, str]], known: Known) -> list[Fault]:
    """Every fault of a config.

    Args:
        plan: What is right in it.
        broken: The faults that the plan was made without.
        known: What is known of data and models.
    """
    config = plan.config
    faults = [_of_metric(Fault(loc_of(path), text)) for path, text in broken]
    faults += [
        *_whole(config),
        *metric_faults(plan, known.wide, known.single),
        *evidence_faults(plan),
        *_missing_labels(plan),
        *_variants(config, known.called),
        *_probes(plan, known),
    ]
    for i, model in enumerate(config.model_specs):
        of_model = [*_model(model, _scored(plan, model), model.name in known.called)]
        if known.columns is not None and not model.preprocessing_function_names:
            of_model += _model_columns(model, known.columns, model.name in known.called)
        faults += [f._replace(loc=("model_specs", i, *f.loc)) for f in of_model]
    faults += _options(config, known.columns)
    if known.columns is not None and not _is_transformed(config):
        faults += _slice_columns(plan, known.columns, known.types)
        faults += named_faults(plan, known.columns, known.called, known.types)
    return faults


def _of_metric(fault: Fault) -> Fault:
    """The fault of a metric as a whole is one of its name and parameters, whatever its thresholds are."""
    match fault.loc:
        case ("metrics_specs", int(), "metrics", int()):
            return fault._replace(fields=("class_name", "module", "config"))
    return fault


def _probes(plan: Plan, known: Known) -> Iterator[Fault]:
    """The faults of `debugging`; its modules would delay the start of runs without it."""
    if plan.config.debugging is not None:
        from benison.evaluation.check_probes import probe_faults

        named = known.columns, known.called, known.types
        yield from probe_faults(plan, *named, is_transformed=_is_transformed(plan.config))


def _whole(config: EvalConfig) -> Iterator[Fault]:
    if not any(spec.metrics for spec in config.metrics_specs):
        text = "no metric is asked for; name at least one, for example ExampleCount."
        yield Fault(("metrics_specs",), text)
    for i, name in enumerate(config.options.disabled_outputs):
        if name not in _OUTPUTS:
            text = f"there is no output {name!r} that can be left out. {suggestion(name, _OUTPUTS)}"
            yield Fault(("options", "disabled_outputs", i), text)


def _is_transformed(config: EvalConfig) -> bool:
    """Whether functions make columns, which only they know."""
    return any(model.preprocessing_function_names for model in config.model_specs)


def _variants(config: EvalConfig, called: Collection[str]) -> Iterator[Fault]:
    if config.variants and not called:
        text = "variants need a model that is called; predictions in the data cannot change."
        yield Fault(("variants",), text)


def _profiled(columns: Sequence[str]) -> Iterator[Fault]:
    """The columns whose profiles would have the names of others."""
    if columns:
        from benison.drift.profile_evaluator import CLASH, is_role

        for i, name in enumerate(columns):
            if is_role(name):
                yield Fault(("options", "profile_columns", i), f"{name!r} {CLASH}")


_COUNTS_FEW = (
    "has values that fewer rows have than options.min_slice_size shows; leave out one of the two."
)


def _options(config: EvalConfig, columns: Collection[str] | None) -> Iterator[Fault]:
    options = config.options
    rows = (("analysis_columns", HIDES_SLICES), ("examples_per_slice", HIDES_SLICES))
    for field, text in (*rows, ("profile_columns", _COUNTS_FEW)):
        if getattr(options, field) and (options.min_slice_size or 1) > 1:
            yield Fault(("options", field), text)
    yield from _profiled(options.profile_columns)
    named: list[tuple[Loc, str]] = [(("column_types", name), name) for name in options.column_types]
    for field in ("analysis_columns", "profile_columns", "row_key"):
        named += [((field, i), name) for i, name in enumerate(getattr(options, field))]
    for loc, column in named:
        if columns is not None and column not in columns:
            text = f"the data have no column {column!r}. {suggestion(column, columns)}"
            yield Fault(("options", *loc), text)


def _model(model: ModelSpec, outputs: Collection[str], called: bool) -> Iterator[Fault]:
    if model.padding_options:
        text = (
            "padding_options pads rows to the longest of those that come together, so that values would "
            "depend on how the data are cut into batches. Pad labels and predictions in the data."
        )
        yield Fault(("padding_options",), text)
    for i, name in enumerate(model.preprocessing_function_names):
        text = ""
        if is_of_column(name):
            text = _of_column(name)
        elif not called and not is_path(name):
            text = (
                f"{name!r} is a function of a model, and there is none; give the path of a graph."
            )
        if text:
            yield Fault(("preprocessing_function_names", i), text)
    if model.model_type not in TYPES:
        known = ", ".join(filter(None, TYPES))
        text = f"{model.model_type!r} is not loaded by this version of Benison. There are: {known}."
        yield Fault(("model_type",), text)
    if not called:
        yield from _missing_predictions(model, outputs)


def _of_column(name: str) -> str:
    """What is wrong with `function@column`."""
    try:
        ColumnFunction(name)
    except ModelError as error:
        return str(error)
    return ""


def _scored(plan: Plan, model: ModelSpec) -> list[str]:
    """The outputs of a model whose predictions a metric looks at, or all, if no metric is right."""
    views = plan.views()
    of_model = [view for view in views if model.name in (view.model, view.baseline)]
    scored = {view.output for view in of_model if view.scored}
    return [output for output in plan.outputs[model.name] if not views or output in scored]


def _missing_predictions(model: ModelSpec, outputs: Collection[str]) -> Iterator[Fault]:
    for output in outputs:
        if not model.prediction_key_for(output):
            of = f" of the output {output!r}" if output else ""
            text = (
                f"without a model, name the column that holds the predictions{of}. Where a model makes them, "
                "give it (--model of evaluate), or say --with-model to check-config."
            )
            yield Fault(_key_of("prediction", output), text, _MODELS)


def _missing_labels(plan: Plan) -> Iterator[Fault]:
    needing = [view for view in plan.views() if view.labelled]
    for i, model in enumerate(plan.config.model_specs):
        outputs = dict.fromkeys(view.output for view in needing if view.model == model.name)
        for output in outputs:
            if not model.label_key_for(output):
                of = f" of the output {output!r}" if output else ""
                text = f"name the column that holds the labels{of}."
                yield Fault(("model_specs", i, *_key_of("label", output)), text, _MODELS)


def _key_of(role: str, output: str) -> tuple[str, ...]:
    return (f"{role}_keys", output) if output else (f"{role}_key",)


def _model_columns(model: ModelSpec, columns: Collection[str], called: bool) -> Iterator[Fault]:
    roles = ("label", "example_weight") if called else ("label", "example_weight", "prediction")
    for role in roles:
        for output, column in model.columns_of(role).items():
            if column not in columns:
                text = f"the data have no column {column!r}. {suggestion(column, columns)}"
                yield Fault(_key_of(role, output), text)


def _slice_columns(
    plan: Plan, columns: Collection[str], types: Mapping[str, pa.DataType]
) -> Iterator[Fault]:
    for name in sorted(plan.feature_columns - plan.slice_features - {*columns}):
        text = f"a metric reads the column {name!r}, which the data do not have."
        yield Fault(("metrics_specs",), f"{text} {suggestion(name, columns)}")
    for loc, spec in located_specs(plan.config):
        for inner, text in misfits(spec, columns, types) if spec in plan.slicing_specs else ():
            yield Fault((*loc, *inner), text)
