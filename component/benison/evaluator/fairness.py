# SPDX-License-Identifier: Apache-2.0
"""Adds the metrics of Fairness Indicators to a config, under the names that TFMA gave them.

TFX's Evaluator still accepts `fairness_indicator_thresholds`, but has ignored them since TFMA 0.47.
"""

from __future__ import annotations

from collections.abc import Sequence

from benison.config import EvalConfig, MetricConfig, MetricsSpec
from benison.errors import ConfigError
from benison.metrics.groups import fairness_indicators


def with_fairness_indicators(config: EvalConfig, thresholds: Sequence[float] | None) -> EvalConfig:
    """A config that also computes each rate at each threshold, on every slice.

    Args:
        config: Before its defaults are filled in.
        thresholds: Of the score, from 0 to 1; None or none adds nothing.

    Raises:
        ConfigError: A threshold is not a number from 0 to 1.
    """
    known = checked(thresholds)
    if not known:
        return config
    metrics = tuple(
        MetricConfig(class_name=class_name, config=parameters)
        for class_name, parameters in fairness_indicators(known)
    )
    specs = (*config.metrics_specs, MetricsSpec(metrics=metrics))
    return config.model_copy(update={"metrics_specs": specs})


def as_asked(config: EvalConfig, thresholds: Sequence[float] | None) -> EvalConfig:
    """What a pipeline asks for: the config, the rates of Fairness Indicators, else the examples counted.

    Raises:
        ConfigError: A threshold is not a number from 0 to 1.
    """
    asked = with_fairness_indicators(config, thresholds)
    if asked.metrics_specs:
        return asked
    counted = MetricsSpec(metrics=(MetricConfig(class_name="ExampleCount"),))  # as TFMA does
    return asked.model_copy(update={"metrics_specs": (counted,)})


def checked(thresholds: Sequence[float] | None) -> tuple[float, ...]:
    """The thresholds, each once.

    >>> checked([0, 0.5, 0.5])
    (0.0, 0.5)

    Raises:
        ConfigError: They are not numbers from 0 to 1.
    """
    given = [] if thresholds is None else thresholds
    if not isinstance(given, list | tuple):
        raise ConfigError(
            f"fairness_indicator_thresholds is a list of numbers from 0 to 1, not {given!r}."
        )
    for threshold in given:
        if not isinstance(threshold, int | float) or not 0 <= threshold <= 1:
            raise ConfigError(
                f"fairness_indicator_thresholds are numbers from 0 to 1, not {threshold!r}."
            )
    return tuple(dict.fromkeys(map(float, given)))
