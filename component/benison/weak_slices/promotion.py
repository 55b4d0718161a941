# SPDX-License-Identifier: Apache-2.0
"""Writes a slice that was found into a config, with a threshold, so that it is judged from then on."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeAlias

from pydantic.alias_generators import to_camel

from benison.config import (
    Bins,
    CrossSliceMetricThreshold,
    EvalConfig,
    MetricConfig,
    MetricsSpec,
    MetricThreshold,
    PerSliceMetricThreshold,
    SlicingSpec,
    text_edits,
    yaml_text,
)
from benison.config.fields import NOT_WORSE, POINT, WORSE
from benison.config.plain import Loc, part_at
from benison.config.text_forms import unwrapped
from benison.config.weak_slice_options import CHANGE
from benison.errors import BenisonError, ConfigError, suggestion
from benison.metrics import from_config

_BIN = "bin"

Slices: TypeAlias = "tuple[SlicingSpec, ...] | None"
"""Those that a threshold is on; None is every slice."""
Threshold: TypeAlias = "tuple[Slices, MetricThreshold]"


@dataclasses.dataclass(frozen=True)
class Promotion:
    """A config that judges a slice."""

    text: str
    threshold: dict[str, Any]
    """What must hold there, as a `MetricThreshold` has it."""
    others: tuple[dict[str, Any], ...]
    """What must hold there too, as it must in more slices."""
    is_own: bool
    """Whether the threshold is of this slice alone; else it holds in more, and was there already."""

    @property
    def sentence(self) -> str:
        """Which thresholds hold in the slice."""
        if not self.is_own:
            return f"There as in others this must hold: {_words(self.threshold)}."
        if not self.others:
            return f"There this must hold: {_words(self.threshold)}."
        also = "; ".join(map(_words, self.others))
        return f"There this must hold: {_words(self.threshold)}; and as in others: {also}."


def _words(threshold: Mapping[str, Any]) -> str:
    """A threshold as a config has it, in one line.

    >>> _words({"value_threshold": {"lower_bound": 0.8}, "evidence": "worse"})
    'lower_bound: 0.8, evidence: worse'
    """
    bounds = [threshold.get(f"{of}_threshold") or {} for of in ("value", "change")]
    shown = {k: v for each in bounds for k, v in each.items() if k != "direction"}
    evidence = threshold.get("evidence", POINT)
    shown |= {} if evidence == POINT else {"evidence": evidence}
    return ", ".join(f"{name}: {value}" for name, value in shown.items())


def promoted(
    text: str, is_json: bool, row: Mapping[str, Any], metric: str, threshold: Mapping[str, Any]
) -> Promotion:
    """A config with one more slice and a threshold on it; all other lines stay.

    A threshold that holds in more slices, as one on every slice, holds in this one too. Where it is the one
    that is asked for, the slice needs none of its own.

    The threshold asks for the evidence that those on the metric ask for, and one on a change for some in any
    case: in a slice that has not changed half of all samples show a fall.

    Args:
        text: YAML or JSON that `EvalConfig.load` reads.
        is_json: Which of the two.
        row: A row of weak_slices.parquet.
        metric: The class of a metric of the config, or its name there or in results.
        threshold: What must hold there, as a `MetricThreshold` has it.

    Raises:
        ConfigError: The config has no such metric, has the threshold already, or is wrong with it.
    """
    data = yaml_text.parse(text)
    added = _add(data, row, metric, threshold)
    written = text_edits.edited(text, data, is_json)
    EvalConfig.load(yaml_text.parse(written))
    return dataclasses.replace(added, text=written)


def _add(
    whole: dict[str, Any], row: Mapping[str, Any], metric: str, threshold: Mapping[str, Any]
) -> Promotion:
    """Change the plain data of a config in place."""
    data = unwrapped(whole)
    specs = _list(data, "slicing_specs")
    if not specs:
        specs.append({})  # Overall, which is meant where none are given
    spec, named = slicing_specs_of(row)
    known = [SlicingSpec(**each) for each in specs]
    is_new = not any(each.includes(named) for each in known)
    if is_new:
        specs.append(spec.model_dump(mode="json", exclude_defaults=True))
    chosen, judged = _metric(data, metric)
    made = _with_evidence(threshold, [threshold for _, threshold in judged])
    holding = [each for slices, each in judged if _holds_in(slices, named)]
    same_weight = [each.model_copy(update={"weight": 1.0}) for each in holding]
    if MetricThreshold(**made) in same_weight:
        if not is_new:
            raise ConfigError(
                f"The config judges {{{named}}} by {metric} with this threshold already, and stays as it is."
            )
        return Promotion("", made, (), is_own=False)
    entry = {"slicing_specs": [_plain(named)], "threshold": made}
    _list(chosen, "per_slice_thresholds").append(entry)
    return Promotion("", made, tuple(map(_plain, holding)), is_own=True)


def _plain(part: Any) -> dict[str, Any]:
    fields: dict[str, Any] = part.model_dump(mode="json", exclude_defaults=True)
    return fields


def _holds_in(slices: Slices, named: SlicingSpec) -> bool:
    """Whether a threshold holds in a slice too: it is on all, or on specs of which one includes it."""
    return slices is None or any(each.includes(named) for each in slices)


def _with_evidence(
    threshold: Mapping[str, Any], judged: Sequence[MetricThreshold]
) -> dict[str, Any]:
    """The threshold with the evidence of those that are on the metric already.

    With `not_worse` nothing but a better model could keep a change to 0, so the bounds are theirs too.
    """
    is_change = "change_threshold" in threshold
    asking = [each for each in judged if each.evidence != POINT]
    like = next((e for e in asking if bool(e.change_threshold) == is_change), None)
    if not is_change:
        return {**threshold, "evidence": like.evidence} if like else dict(threshold)
    if like is None or like.evidence != NOT_WORSE:
        return {**threshold, "evidence": WORSE}
    assert like.change_threshold is not None
    bounds = like.change_threshold.model_dump(mode="json", exclude_defaults=True)
    return {"change_threshold": bounds, "evidence": NOT_WORSE}


def _list(data: dict[str, Any], field: str) -> list[Any]:
    """A list of a config under either spelling of its name, made where there is none."""
    name = next((n for n in (field, to_camel(field)) if n in data), field)
    if data.get(name) is None:
        data[name] = []
    values: list[Any] = data[name]
    return values


def _metric(data: dict[str, Any], metric: str) -> tuple[dict[str, Any], list[Threshold]]:
    """The metric of that class or name, and what is on it; a mere class becomes a mapping."""
    names: list[str] = []
    for spec in _list(data, "metrics_specs"):
        metrics = _list(spec, "metrics")
        for i, each in enumerate(metrics):
            mapping = {"class_name": each} if isinstance(each, str) else each
            own = [*_names(MetricConfig(**mapping))]
            if metric in own:
                metrics[i] = mapping
                return mapping, [*_thresholds(spec, i, own)]
            names += own
    raise ConfigError(f"The config has no metric {metric!r}. {suggestion(metric, names)}")


def _thresholds(spec: Mapping[str, Any], i: int, names: Sequence[str]) -> Iterator[Threshold]:
    """What is on the metric with a number, there or by its name."""
    read = MetricsSpec(**spec)
    for loc, threshold in read.located_thresholds():
        if loc[:2] == ("metrics", i) or loc[1] in names:
            yield _slices_of(read, loc), threshold


def _slices_of(spec: MetricsSpec, loc: Loc) -> Slices:
    """The slices of the threshold at a place; comparisons of slices are none."""
    part = part_at(spec, loc[:-1])
    if isinstance(part, PerSliceMetricThreshold):
        return part.slicing_specs
    return () if isinstance(part, CrossSliceMetricThreshold) else None


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
