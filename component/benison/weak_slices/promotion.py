# SPDX-License-Identifier: Apache-2.0
"""Writes a slice that was found into a config, with a threshold, so that it is judged from then on."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from pydantic.alias_generators import to_camel

from benison.config import Bins, EvalConfig, MetricConfig, PerSliceMetricThreshold, SlicingSpec
from benison.config.weak_slice_options import CHANGE
from benison.errors import BenisonError, ConfigError, suggestion
from benison.metrics import from_config

_BIN = "bin"


def promoted(
    text: str, is_json: bool, row: Mapping[str, Any], metric: str, threshold: Mapping[str, Any]
) -> str:
    """The text of a config with one more slice and a threshold on it; comments of YAML stay.

    Args:
        text: YAML or JSON that `EvalConfig.load` reads.
        is_json: Which of the two.
        row: A row of weak_slices.parquet.
        metric: The class of a metric of the config, or its name there or in results.
        threshold: What must hold there, as a `MetricThreshold` has it.

    Raises:
        ConfigError: The config has no such metric, has the threshold already, or is wrong with it.
    """
    if is_json:
        data = json.loads(text)
        _add(data, row, metric, threshold)
        written = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    else:
        written = _with_comments(text, row, metric, threshold)
    EvalConfig.load(json.loads(written) if is_json else _plain(written))
    return written


def _with_comments(
    text: str, row: Mapping[str, Any], metric: str, threshold: Mapping[str, Any]
) -> str:
    from ruamel.yaml import YAML

    _plain(text)  # says what is wrong with it
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 2**16  # lines stay as they are
    lists = [line for line in text.splitlines() if line.lstrip().startswith("- ")]
    if any(line.startswith(" ") for line in lists):
        yaml.indent(mapping=2, sequence=4, offset=2)
    data = yaml.load(text)
    _add(data, row, metric, threshold)
    stream = io.StringIO()
    yaml.dump(data, stream)
    return stream.getvalue()


def _plain(text: str) -> Any:
    from benison.config import yaml_text

    return yaml_text.parse(text)


def _add(
    data: dict[str, Any], row: Mapping[str, Any], metric: str, threshold: Mapping[str, Any]
) -> None:
    """Change the plain data of a config in place."""
    specs = _list(data, "slicing_specs")
    if not specs:
        specs.append({})  # Overall, which is meant where none are given
    spec, named = slicing_specs_of(row)
    known = [SlicingSpec(**each) for each in specs]
    if not any(each.includes(named) for each in known):
        specs.append(spec.model_dump(mode="json", exclude_defaults=True))
    chosen = _metric(data, metric)
    shown = named.model_dump(mode="json", exclude_defaults=True)
    entry: dict[str, Any] = {"slicing_specs": [shown], "threshold": dict(threshold)}
    thresholds = _list(chosen, "per_slice_thresholds")
    added = PerSliceMetricThreshold(**entry)
    if any(PerSliceMetricThreshold(**each) == added for each in thresholds):
        raise ConfigError(
            f"The config judges {{{named}}} by {metric} with this threshold already, and stays as it is."
        )
    thresholds.append(entry)


def _list(data: dict[str, Any], field: str) -> list[Any]:
    """A list of a config under either spelling of its name, made where there is none."""
    name = next((n for n in (field, to_camel(field)) if n in data), field)
    if data.get(name) is None:
        data[name] = []
    values: list[Any] = data[name]
    return values


def _metric(data: dict[str, Any], metric: str) -> dict[str, Any]:
    """The metric of that class or name; a mere class becomes a mapping."""
    names: list[str] = []
    for spec in _list(data, "metrics_specs"):
        metrics = _list(spec, "metrics")
        for i, each in enumerate(metrics):
            mapping = {"class_name": each} if isinstance(each, str) else each
            own = [*_names(MetricConfig(**mapping))]
            if metric in own:
                metrics[i] = mapping
                return mapping
            names += own
    raise ConfigError(f"The config has no metric {metric!r}. {suggestion(metric, names)}")


def _names(metric: MetricConfig) -> Iterator[str]:
    """What a metric may be called: its class, and the name that it has in results."""
    yield metric.class_name
    with suppress(BenisonError):  # of a class of the user's
        yield from_config(metric.class_name, dict(metric.config)).name
    if "name" in metric.config:
        yield str(metric.config["name"])


def slicing_specs_of(row: Mapping[str, Any]) -> tuple[SlicingSpec, SlicingSpec]:
    """What computes the slice of a row, and what names it by its values.

    >>> pairs = [{"feature": "fare", "value": "[10, 20.5)", "type": "bin"}]
    >>> [str(spec) for spec in slicing_specs_of({"slice_key": pairs})]
    ['bins of fare', 'fare=[10, 20.5)']
    """
    pairs = row["slice_key"]
    values = {pair["feature"]: pair["value"] for pair in pairs}
    bins = {p["feature"]: Bins(edges=_edges(p["value"])) for p in pairs if p["type"] == _BIN}
    fixed = {feature: value for feature, value in values.items() if feature not in bins}
    return SlicingSpec(feature_values=fixed, bins=bins), SlicingSpec(feature_values=values)


def _edges(label: str) -> tuple[float, ...]:
    """The finite ends of a bin such as `[10, 20)`, integers where they are written so."""
    ends = label.strip("[])").split(", ")
    numbers = (float(end) if "." in end or "e" in end or "inf" in end else int(end) for end in ends)
    return tuple(number for number in numbers if math.isfinite(number))


def threshold_of(
    row: Mapping[str, Any], higher_is_better: bool | None, lower: float | None, upper: float | None
) -> dict[str, Any]:
    """A bound on the value, or for a slice that became worse that it may not become worse.

    Raises:
        ConfigError: There is no bound, and nothing says which one there could be.
    """
    if lower is not None or upper is not None:
        bounds = {"lower_bound": lower, "upper_bound": upper}
        return {"value_threshold": {k: v for k, v in bounds.items() if v is not None}}
    if row["loss"] != CHANGE:
        raise ConfigError(
            "The slice was found by its errors, so a bound must say how large they may be: give "
            "--lower-bound or --upper-bound."
        )
    if higher_is_better is None:
        raise ConfigError(
            "Nothing says which values of the metric are good; give --lower-bound or --upper-bound."
        )
    direction = "HIGHER_IS_BETTER" if higher_is_better else "LOWER_IS_BETTER"
    change = {"absolute": 0.0, "direction": direction}
    return {"change_threshold": change}
