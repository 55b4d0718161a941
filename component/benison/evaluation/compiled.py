# SPDX-License-Identifier: Apache-2.0
"""Takes the metrics that a Keras model was compiled with into the config of an evaluation.

TFMA computes them where `options.include_default_metrics` asks, and thresholds by name of a metrics spec are
meant for them. Here each becomes a metric of the config, under its name in Keras.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from benison.config import EvalConfig, MetricConfig, MetricsSpec
from benison.errors import ConfigError
from benison.metrics import from_config
from benison.metrics.confusion import snake_case
from benison.metrics.groups import members
from benison.metrics.registry import class_of, is_known
from benison.models.keras_config import compiled_with

_ACCURACY = ("accuracy", "acc")
_BY_NAME = ("thresholds", "per_slice_thresholds", "cross_slice_thresholds")


def with_compiled(
    config: EvalConfig, paths: Mapping[str, str], is_known: bool = True
) -> EvalConfig:
    """The config with the metrics that its models were compiled with, where it asks for them.

    A spec with thresholds on metrics that it lacks gets these; the others are a spec of their own, if
    `include_default_metrics` is set.

    Args:
        config: With its defaults filled in.
        paths: The paths of the models that are called.
        is_known: Whether these are all; else nothing is said of models without metrics.

    Raises:
        ConfigError: A metric that a model was compiled with is not computed here, or no model was compiled.
        ModelError: A model cannot be read.
    """
    asked = config.options.include_default_metrics
    if not asked and not any(_lacking(spec) for spec in config.metrics_specs):
        return config
    compiled = _compiled(config, paths, asked)
    if asked and is_known and not any(compiled.values()):
        text = "no model here is one of Keras that was compiled with metrics. Set this to false."
        raise ConfigError([("options.include_default_metrics", text)])
    specs = []
    for spec in config.metrics_specs:
        wanted = _lacking(spec)
        metrics = [m for name, m in compiled.get("", {}).items() if name in wanted]
        specs.append(spec.model_copy(update={"metrics": (*spec.metrics, *metrics)}))
    present = {metric.config.get("name") for spec in specs for metric in spec.metrics}
    for output, named in compiled.items() if asked else ():
        rest = tuple(metric for name, metric in named.items() if name not in present)
        outputs = (output,) if output else ()
        specs += [MetricsSpec(metrics=rest, output_names=outputs)] if rest else []
    return config.model_copy(update={"metrics_specs": tuple(specs)})


def _lacking(spec: MetricsSpec) -> set[str]:
    """The names of thresholds that no metric of the spec has."""
    named = {name for field in _BY_NAME for name in getattr(spec, field)}
    for metric in spec.metrics if named else ():
        try:
            named -= {made.name for _, made in members(metric.class_name, dict(metric.config))}
        except ConfigError:  # which is said where the metric is
            return set()
    return named


def _compiled(
    config: EvalConfig, paths: Mapping[str, str], strict: bool
) -> dict[str, dict[str, MetricConfig]]:
    """The metrics by output and name, of the first model that was compiled with some."""
    for spec in config.model_specs:
        entries = compiled_with(paths[spec.name]) if spec.name in paths else {}
        if entries:
            return {output: _named(of, strict) for output, of in entries.items()}
    return {}


def _named(entries: list[Any], strict: bool) -> dict[str, MetricConfig]:
    loss = next((entry["loss"] for entry in entries if _is_loss(entry)), None)
    made: dict[str, MetricConfig] = {}
    for entry in entries:
        try:
            metric = _metric(entry, str(loss))
        except ConfigError as error:
            if strict:
                raise ConfigError([("options.include_default_metrics", str(error))]) from error
            continue
        made[metric.config["name"]] = metric
    return made


def _is_loss(entry: Any) -> bool:
    return isinstance(entry, dict) and "loss" in entry


def _metric(entry: Any, loss: str) -> MetricConfig:
    """The config of an entry, under the name that Keras gives its value."""
    name, what = ("loss", entry["loss"]) if _is_loss(entry) else ("", entry)
    if isinstance(what, str):
        made = MetricConfig(class_name=_class(what, loss), config={"name": name or what})
    else:
        class_name, config = str(what.get("class_name")), dict(what.get("config") or {})
        if isinstance(what.get("config"), str):  # a function of Keras or of the user's own
            class_name, config = what["config"], {}
        config["name"] = name or config.get("name") or snake_case(class_name)
        made = MetricConfig(class_name=_class(class_name, loss), config=_known(config))
    from_config(made.class_name, dict(made.config))
    return made


def _known(config: dict[str, Any]) -> dict[str, Any]:
    """Without what Keras writes into each config, such as switches that are off."""
    return {key: value for key, value in config.items() if value is not None and value is not False}


def _class(name: str, loss: str) -> str:
    if name.lower() in _ACCURACY:
        kinds = dict(_accuracies())
        kind = next((kind for kind in kinds if kind in loss.lower().replace("_", "")), None)
        if kind is None:
            raise ConfigError(
                f"The model was compiled with {name!r}, and its loss {loss} does not say of what kind that "
                f"is. Name BinaryAccuracy or CategoricalAccuracy in metrics_specs."
            )
        return kinds[kind]
    class_name = name if is_known(name) else class_of(name)
    if class_name is None:
        raise ConfigError(
            f"The model was compiled with {name!r}, which is not computed here. Set this to false, and "
            f"name in metrics_specs what is to be computed."
        )
    return class_name


def _accuracies() -> Iterator[tuple[str, str]]:
    yield "sparsecategorical", "SparseCategoricalAccuracy"
    yield "categorical", "CategoricalAccuracy"
    yield "binary", "BinaryAccuracy"
