# SPDX-License-Identifier: Apache-2.0
"""Checks what the parts of a config must agree on, and fills in defaults."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from benison.config.confidence import OFF
from benison.config.faults import Fault
from benison.config.fields import HOLM, POINT, ConfidenceIntervalMethod
from benison.config.parts import EvalSpecs, MetricsSpec, ModelSpec, Options
from benison.config.plain import Loc
from benison.config.slicing_specs import SlicingSpec
from benison.errors import ConfigError, suggestion

Specs: TypeAlias = tuple[ModelSpec, ...]

CANDIDATE = "candidate"
BASELINE = "baseline"

# Parameters by which metrics of one class are told apart, or get the names that they have by default.
_NAMING = ("class_id", "top_k", "rouge_type", "feature_key_path")


def disagreements(config: EvalSpecs) -> Iterator[Fault]:
    """Every fault between parts that are valid by themselves."""
    yield from _models(config.model_specs)
    yield from _conditions(config)
    for i, spec in enumerate(config.metrics_specs):
        faults = [*_names(spec, config), *_output_weights(spec), *_repeated_metrics(spec)]
        faults += _of_no_candidate(spec, config)
        faults += [*_slices(spec, config), *_crossed(spec, config), *_evidence(spec, config)]
        for fault in faults:
            yield fault._replace(loc=("metrics_specs", i, *fault.loc))


def _models(specs: Specs) -> Iterator[Fault]:
    names = [spec.name for spec in specs]
    baselines = [i for i, spec in enumerate(specs) if spec.is_baseline]
    for i, name in enumerate(names):
        if not name and len(names) > 1:
            yield Fault(("model_specs", i, "name"), "is needed, because there are several models.")
        elif name in names[:i]:
            yield Fault(("model_specs", i, "name"), f"{name!r} is the name of another model too.")
    for i in baselines[1:]:
        first = names[baselines[0]]
        yield Fault(
            ("model_specs", i, "is_baseline"),
            f"{first!r} is the baseline already; there can be one.",
        )


def _conditions(config: EvalSpecs) -> Iterator[Fault]:
    """Names of slices that would stand for two things, so that a key would not say which rows it has."""
    conditions: dict[str, str] = {}
    columns = {f for spec in config.slicing_specs for f in (*spec.feature_keys, *spec.bins)}
    for loc, spec in located_specs(config):
        for name, text in spec.where.items():
            other = conditions.setdefault(name, text)
            if other != text:
                cause = f"{name!r} is {other!r} elsewhere; give one of the two another name."
                yield Fault((*loc, "where", name), cause)
            elif name in columns:
                cause = f"{name!r} is a feature elsewhere; give the condition another name."
                yield Fault((*loc, "where", name), cause)


def located_specs(config: EvalSpecs) -> Iterator[tuple[Loc, SlicingSpec]]:
    """The specs that a config asks for, and where each stands in it."""
    for i, spec in enumerate(config.slicing_specs):
        yield ("slicing_specs", i), spec
    for i, crossed in enumerate(config.cross_slicing_specs):
        loc: Loc = ("cross_slicing_specs", i)
        yield (*loc, "baseline_spec"), crossed.baseline_spec
        for j, spec in enumerate(crossed.slicing_specs):
            yield (*loc, "slicing_specs", j), spec


def _names(spec: MetricsSpec, config: EvalSpecs) -> Iterator[Fault]:
    models = {model.name for model in config.model_specs}
    if len(models) < 2:
        models |= {
            "",
            CANDIDATE,
            BASELINE,
        }  # the names that a single model may get from the defaults
    outputs = {output for model in config.model_specs for output in model.outputs}
    for j, name in enumerate(spec.model_names):
        if name not in models:
            text = f"no model is named {name!r}. {suggestion(name, models - {''})}"
            yield Fault(("model_names", j), text, rests_on=(("model_specs", "name"),))
    for j, name in enumerate(spec.output_names):
        if (
            outputs and name not in outputs
        ):  # without keys by output, only the model knows its outputs
            text = f"no model has keys for the output {name!r}. {suggestion(name, outputs)}"
            yield Fault(("output_names", j), text, rests_on=(("model_specs",),))


def _of_no_candidate(spec: MetricsSpec, config: EvalSpecs) -> Iterator[Fault]:
    """Thresholds that would judge the baseline alone, and so nothing."""
    named = [model for model in config.model_specs if model.name in spec.model_names]
    is_judged = len(config.model_specs) == 1 or not all(model.is_baseline for model in named)
    if named and not is_judged and any(spec.all_thresholds()):
        text = (
            f"the thresholds are on the baseline {named[0].name!r} alone, and judge candidates; name one of "
            f"these, or take out the thresholds."
        )
        yield Fault(("model_names",), text)


def _output_weights(spec: MetricsSpec) -> Iterator[Fault]:
    for output in spec.output_weights:
        if output not in spec.output_names:
            known = spec.output_names
            hint = suggestion(output, known) if known else "Add it there."
            yield Fault(("output_weights", output), f"{output!r} is not in output_names. {hint}")


def _repeated_metrics(spec: MetricsSpec) -> Iterator[Fault]:
    seen = set()
    for i, metric in enumerate(spec.metrics):
        name = metric.config.get("name", metric.class_name)
        identity = str([name, *(metric.config.get(parameter) for parameter in _NAMING)])
        if identity in seen:
            cure = 'give this one another name in its config: {"name": ...}'
            yield Fault(("metrics", i), f"{name!r} is computed twice under one name; {cure}.")
        seen.add(identity)


def _slices(spec: MetricsSpec, config: EvalSpecs) -> Iterator[Fault]:
    """Thresholds on slices that are not computed, which would fail every model."""
    computed = [*(config.slicing_specs or (SlicingSpec(),))]
    for crossed in config.cross_slicing_specs:
        computed += [crossed.baseline_spec, *crossed.slicing_specs]
    for loc, wanted in _wanted(spec, "per_slice_thresholds", "slicing_specs"):
        if not any(mine.includes(wanted) for mine in computed):
            shown = wanted.model_dump(mode="json", exclude_defaults=True)
            text = f"the slices {wanted} are not computed. Add {shown} to slicing_specs."
            yield Fault(loc, text, rests_on=(("slicing_specs",), ("cross_slicing_specs",)))


def _crossed(spec: MetricsSpec, config: EvalSpecs) -> Iterator[Fault]:
    for loc, wanted in _wanted(spec, "cross_slice_thresholds", "cross_slicing_specs"):
        if not any(mine.includes(wanted) for mine in config.cross_slicing_specs):
            shown = wanted.model_dump(mode="json", exclude_defaults=True)
            text = f"this comparison is not computed. Add {shown} to cross_slicing_specs."
            yield Fault(loc, text, rests_on=(("cross_slicing_specs",),))


def _evidence(spec: MetricsSpec, config: EvalSpecs) -> Iterator[Fault]:
    """What thresholds ask of evidence that the options do not give."""
    rests_on = (("options", "confidence"),)
    for loc, threshold in spec.located_thresholds():
        if threshold.evidence != POINT and config.options.confidence == OFF:
            text = "needs intervals, and options.confidence is off; take that out, or say point."
            yield Fault((*loc, "evidence"), text, rests_on)
        if threshold.weight != 1 and config.options.certainty.correction != HOLM:
            text = "has a meaning with the correction holm alone"
            cure = "say holm in options.confidence, or no weight"
            yield Fault((*loc, "weight"), f"{text}; {cure}.", rests_on)


def _wanted(spec: MetricsSpec, kind: str, slices: str) -> Iterator[tuple[Loc, Any]]:
    """Every slice or comparison that the thresholds of one kind name, with its location."""
    lists: list[tuple[Loc, Any]] = []
    for j, metric in enumerate(spec.metrics):
        lists.append((("metrics", j, kind), getattr(metric, kind)))
    for name, named in getattr(spec, kind).items():
        lists.append(((kind, name, "thresholds"), named.thresholds))
    for loc, thresholds in lists:
        for k, threshold in enumerate(thresholds):
            for m, wanted in enumerate(getattr(threshold, slices)):
                yield (*loc, k, slices, m), wanted


def defaults(config: EvalSpecs, has_baseline: bool) -> dict[str, Any]:
    """The fields that `EvalConfig.with_defaults` fills in."""
    models, names = (_with_baseline if has_baseline else _without_baseline)(config.model_specs)
    metrics = (_for_models(spec, models, names) for spec in config.metrics_specs)
    return {
        "model_specs": models,
        "slicing_specs": config.slicing_specs or (SlicingSpec(),),
        "metrics_specs": tuple(spec for spec in metrics if spec.model_names),
        "options": _options(config.options),
    }


def _with_baseline(specs: Specs) -> tuple[Specs, dict[str, str]]:
    """The models of a run with a baseline, and the new name of each old name."""
    candidates = [spec for spec in specs if not spec.is_baseline]
    if candidates and len(candidates) < len(specs):
        return specs, {spec.name: spec.name for spec in specs}
    if len(candidates) > 1:
        cure = "set is_baseline on the spec of the baseline"
        raise ConfigError(
            [
                (
                    "model_specs",
                    f"a baseline is given, but it is none of the {len(specs)} models; {cure}.",
                )
            ]
        )
    only = specs[0] if specs else ModelSpec()
    candidate, baseline = (CANDIDATE, only.name) if only.is_baseline else (only.name, BASELINE)
    candidate, baseline = candidate or CANDIDATE, baseline or BASELINE
    if candidate == baseline:
        cure = "give it another name, or set is_baseline if it is the baseline"
        raise ConfigError(
            [
                (
                    "model_specs[0].name",
                    f"{only.name!r} is the name that the other model gets; {cure}.",
                )
            ]
        )
    both = _renamed(only, candidate, False), _renamed(only, baseline, True)
    own = baseline if only.is_baseline else candidate
    return both, {CANDIDATE: candidate, BASELINE: baseline, only.name: own}


def _without_baseline(specs: Specs) -> tuple[Specs, dict[str, str]]:
    """The models of a run without a baseline, and the new name of each old name that is kept."""
    kept = tuple(spec for spec in specs if not spec.is_baseline) or specs or (ModelSpec(),)
    if len(kept) > 1:
        return kept, {spec.name: spec.name for spec in kept}
    return (_renamed(kept[0], "", False),), {CANDIDATE: "", kept[0].name: ""}


def _renamed(spec: ModelSpec, name: str, is_baseline: bool) -> ModelSpec:
    return spec.model_copy(update={"name": name, "is_baseline": is_baseline})


def _for_models(spec: MetricsSpec, models: Specs, names: dict[str, str]) -> MetricsSpec:
    model_names = [names[name] for name in spec.model_names if name in names]
    if not spec.model_names or "" in spec.model_names:
        model_names = [model.name for model in models]
    elif spec.has_change_threshold:
        model_names += [
            model.name for model in models if model.is_baseline
        ]  # without it there is no change
    return spec.model_copy(update={"model_names": tuple(dict.fromkeys(model_names))})


def _options(options: Options) -> Options:
    intervals = options.confidence_intervals
    if options.compute_confidence_intervals and not intervals.method:
        intervals = intervals.model_copy(update={"method": ConfidenceIntervalMethod.JACKKNIFE})
    return options.model_copy(update={"confidence_intervals": intervals})
