# SPDX-License-Identifier: Apache-2.0
"""Watches one stream of data: the engine counts every slice in every period of time, in one pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from benison.config import Bins, EvalConfig, MetricConfig, MetricsSpec, SlicingSpec
from benison.config.confidence import ConfidenceOptions
from benison.config.slicing_specs import PERIODS
from benison.data.dataset import Dataset
from benison.data.reading import Rules
from benison.errors import ConfigError, suggestion
from benison.evaluation.api import evaluate
from benison.metrics.groups import members
from benison.monitoring.alerts import MonitorReport
from benison.monitoring.drift_links import with_drift
from benison.monitoring.timeline import Timeline
from benison.monitoring.watching import Watch
from benison.results.result import EvalResult


def monitor_stream(
    examples: Any,
    config: Any,
    *,
    time_key: str,
    bucket: str = "day",
    reference: EvalResult | None = None,
    watch: Watch = Watch(),  # noqa: B008 - it is frozen
    **evaluation: Any,
) -> MonitorReport:
    """Say which slices have become worse over one stream of data, which is read once.

    Args:
        examples: As `benison.evaluate` takes them.
        config: As `benison.evaluate` takes it; intervals are computed unless it says otherwise.
        time_key: The column of times: timestamps, dates, texts of ISO 8601, or seconds since 1970.
        bucket: The period: minute, hour, day, week, month or year.
        reference: The result of what was blessed; by default the first bucket, or as many as `watch.known`.
        watch: What is watched, and how.
        evaluation: What else `benison.evaluate` takes, such as `model`, `output` and `engine`.

    Raises:
        ConfigError: A choice is none, or what `benison.evaluate` refuses.
        DataError: The column holds no times, or nothing can be watched.
    """
    result = evaluated_in_periods(examples, config, time_key, bucket, **evaluation)
    timeline = Timeline.of_periods(result, time_key, reference, bucket)
    return with_drift(watch.report(timeline), timeline, examples, evaluation.get("format"))


def evaluated_in_periods(
    examples: Any, config: Any, time_key: str, bucket: str = "day", **evaluation: Any
) -> EvalResult:
    """The result of an evaluation whose slices are crossed with periods of a time too.

    Args:
        examples: As `benison.evaluate` takes them.
        config: As `benison.evaluate` takes it; intervals are computed unless it says otherwise.
        time_key: The column of times.
        bucket: The period: minute, hour, day, week, month or year.
        evaluation: What else `benison.evaluate` takes, such as `model` and `output`.

    Raises:
        ConfigError: There is no such period or column of times, or what `benison.evaluate` refuses.
    """
    if bucket not in PERIODS:
        raise ConfigError(f"There is no period {bucket!r}. {suggestion(bucket, PERIODS)}")
    loaded = EvalConfig.load(config)
    are_made = any(spec.preprocessing_function_names for spec in loaded.model_specs)
    if not are_made and evaluation.get("extractors") is None:
        rules = Rules(loaded.options.null_values, delimiter=loaded.options.delimiter)
        check_time_key(Dataset.open(examples, evaluation.get("format"), rules), time_key)
    return evaluate(examples, in_periods_too(loaded, time_key, bucket), **evaluation)


def check_time_key(dataset: Dataset, time_key: str) -> None:
    """Raise ConfigError unless the data have the column of times."""
    known = dataset.knowing([time_key]).names
    if time_key not in known:
        raise ConfigError(f"--time-key: no column {time_key!r}. {suggestion(time_key, known)}")


def in_periods_too(config: EvalConfig, time_key: str, bucket: str) -> EvalConfig:
    """The config with each of its slices in each period beside it; searches and probes are left out."""
    specs = config.slicing_specs or (SlicingSpec(),)
    untimed = [spec for spec in specs if time_key not in {*spec.features} - {*spec.bins}]
    timed = [_crossed(spec, time_key, bucket) for spec in untimed]
    new = [spec for i, spec in enumerate(timed) if spec not in (*specs, *timed[:i])]
    options = config.options
    if options.confidence is None and not options.compute_confidence_intervals:
        options = options.model_copy(update={"confidence": ConfidenceOptions()})
    update: Mapping[str, Any] = {
        "metrics_specs": (*config.metrics_specs, *_label_counts(config)),
        "slicing_specs": (*specs, *new),
        "options": options,
        "weak_slices": None,
        "debugging": None,
    }
    return config.model_copy(update=update)


def _label_counts(config: EvalConfig) -> Iterator[MetricsSpec]:
    """How many rows have labels, by which late labels are told from missing predictions.

    Of the models and outputs of which a metric looks at labels: those of others may be structs.
    """
    names = {metric.class_name for spec in config.metrics_specs for metric in spec.metrics}
    models = config.model_specs
    are_labelled = bool(models) and all(m.label_key or m.label_keys for m in models)
    if not are_labelled or "LabelCount" in names:
        return
    labelled = (spec for spec in config.metrics_specs if any(map(_needs_label, spec.metrics)))
    count = (MetricConfig(class_name="LabelCount"),)
    for of_models, outputs in dict.fromkeys((s.model_names, s.output_names) for s in labelled):
        yield MetricsSpec(metrics=count, model_names=of_models, output_names=outputs)


def _needs_label(metric: MetricConfig) -> bool:
    try:
        return any(each.needs_label for _, each in members(metric.class_name, dict(metric.config)))
    except ConfigError:  # the class of a user, which is not registered here
        return True


def _crossed(spec: SlicingSpec, time_key: str, bucket: str) -> SlicingSpec:
    bins = {**spec.bins, time_key: Bins(every=bucket)}  # type: ignore[arg-type]
    return spec.model_copy(update={"bins": bins})
