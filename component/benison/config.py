# SPDX-License-Identifier: Apache-2.0
"""This file is the evaluation config: what to evaluate, on which slices, against which thresholds.

The names are those of TFMA's EvalConfig, so that a TFMA config is a Benison config. Collections are
tuples and everything is frozen; an unset text is "" and an unset message is None.
"""

from __future__ import annotations

import enum
import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import pydantic
from pydantic import AliasGenerator, BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic.alias_generators import to_camel

from benison import config_formats
from benison.errors import ConfigError, suggestion

CONFIG_VERSION = 1


class Message(BaseModel):
    """A part of the config: frozen, named in snake_case or lowerCamelCase, with no unknown fields."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        strict=False,
        alias_generator=AliasGenerator(validation_alias=to_camel),
    )

    @model_validator(mode="before")
    @classmethod
    def _unwrap(cls, data: Any) -> Any:
        """`{"value": x}` of a wrapper type is x, and `{"values": [...]}` of a repeated one is the list."""
        if not isinstance(data, Mapping):
            return data
        return {key: _bare(value) for key, value in data.items() if value is not None}


def _at_most_one(message: Message, *fields: str) -> None:
    """Refuse fields that exclude each other."""
    given = [field for field in fields if getattr(message, field)]
    if len(given) > 1:
        raise ValueError(f"{' and '.join(given)} exclude each other; set one")


def _bare(value: Any) -> Any:
    if isinstance(value, Mapping) and len(value) == 1:
        ((key, inner),) = value.items()
        if key == "value" and not isinstance(inner, Mapping):
            return inner
        if key == "values" and isinstance(inner, list):
            return inner
    return value


class MetricDirection(enum.Enum):
    """Which way a metric must change."""

    UNKNOWN = 0
    LOWER_IS_BETTER = 1
    HIGHER_IS_BETTER = 2


class PaddingOptions(Message):
    """Padding of labels and predictions to one length."""

    label_int_padding: int | None = None
    label_float_padding: float | None = None
    prediction_int_padding: int | None = None
    prediction_float_padding: float | None = None


class ModelSpec(Message):
    """A model: what it is called and where its labels, predictions and weights are."""

    name: str = ""
    model_type: str = ""
    signature_name: str = ""
    preprocessing_function_names: tuple[str, ...] = ()
    label_key: str = ""
    label_keys: dict[str, str] = Field(default_factory=dict)
    prediction_key: str = ""
    prediction_keys: dict[str, str] = Field(default_factory=dict)
    example_weight_key: str = ""
    example_weight_keys: dict[str, str] = Field(default_factory=dict)
    is_baseline: bool = False
    padding_options: PaddingOptions | None = None
    inference_batch_size: int | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _exclusive(self) -> ModelSpec:
        for role in ("label", "prediction", "example_weight"):
            _at_most_one(self, f"{role}_key", f"{role}_keys")
        return self

    def keys(self, role: str) -> dict[str, str]:
        """Columns by output: `<role>_keys`, or `<role>_key` as that of the output ""."""
        one: str = getattr(self, f"{role}_key")
        several: dict[str, str] = getattr(self, f"{role}_keys")
        return several or ({"": one} if one else {})

    def columns(self, with_predictions: bool) -> set[str]:
        """The columns of the data that hold labels, weights and, where asked, predictions."""
        roles = ["label", "example_weight", *(["prediction"] if with_predictions else [])]
        return {column for role in roles for column in self.keys(role).values()}


class SlicingSpec(Message):
    """Slices by every value of features, by fixed values, or both crossed; empty is Overall."""

    feature_keys: tuple[str, ...] = ()
    feature_values: dict[str, str] = Field(default_factory=dict)
    slice_keys_sql: str = ""

    @field_validator("feature_values", mode="before")
    @classmethod
    def _as_text(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        return {key: str(v) if isinstance(v, (int, float)) else v for key, v in values.items()}

    @model_validator(mode="after")
    def _possible(self) -> SlicingSpec:
        if self.slice_keys_sql:
            raise ValueError(
                "slice_keys_sql is not supported (nor is it by TFMA since 0.46); use feature_keys"
            )
        for feature in self.feature_keys:
            if feature in self.feature_values:
                raise ValueError(
                    f"feature {feature!r} is in feature_keys and in feature_values; leave one"
                )
        return self

    def __hash__(self) -> int:
        return hash((frozenset(self.feature_keys), frozenset(self.feature_values.items())))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SlicingSpec):
            return NotImplemented
        same_keys = set(self.feature_keys) == set(other.feature_keys)
        return same_keys and self.feature_values == other.feature_values

    def __str__(self) -> str:
        fixed = [f"{key}={value}" for key, value in sorted(self.feature_values.items())]
        return ", ".join([*fixed, *sorted(self.feature_keys)]) or "Overall"

    @property
    def features(self) -> tuple[str, ...]:
        """The features of the spec, sorted."""
        return tuple(sorted({*self.feature_keys, *self.feature_values}))


class CrossSlicingSpec(Message):
    """Slices to compare with the slices of `baseline_spec`; none means all others."""

    baseline_spec: SlicingSpec = SlicingSpec()
    slicing_specs: tuple[SlicingSpec, ...] = ()


class GenericValueThreshold(Message):
    """Bounds on a value, both inclusive."""

    lower_bound: float | None = None
    upper_bound: float | None = None

    @model_validator(mode="after")
    def _ordered(self) -> GenericValueThreshold:
        lower, upper = self.lower_bound, self.upper_bound
        for bound in (lower, upper):
            if bound is not None and math.isnan(bound):
                raise ValueError("a bound is NaN, which nothing satisfies")
        if lower is not None and upper is not None and lower > upper:
            raise ValueError(
                f"lower_bound {lower} is above upper_bound {upper}, so nothing could pass"
            )
        if lower is None and upper is None:
            raise ValueError("neither lower_bound nor upper_bound is set, so it would always pass")
        return self


class GenericChangeThreshold(Message):
    """Bounds on the change from the baseline: candidate - baseline, or that divided by |baseline|."""

    absolute: float | None = None
    relative: float | None = None
    direction: MetricDirection = MetricDirection.UNKNOWN

    @field_validator("direction", mode="before")
    @classmethod
    def _by_name(cls, value: Any) -> Any:
        if isinstance(value, str):
            if value not in MetricDirection.__members__:
                raise ValueError(
                    f"must be one of {', '.join(MetricDirection.__members__)}, not {value!r}"
                )
            return MetricDirection[value]
        return value

    @model_validator(mode="after")
    def _bounded(self) -> GenericChangeThreshold:
        if self.absolute is None and self.relative is None:
            raise ValueError("neither absolute nor relative is set, so it would always pass")
        if any(bound is not None and math.isnan(bound) for bound in (self.absolute, self.relative)):
            raise ValueError("a bound is NaN, which nothing satisfies")
        if self.direction is MetricDirection.UNKNOWN:
            raise ValueError("direction is missing: HIGHER_IS_BETTER or LOWER_IS_BETTER")
        return self


class MetricThreshold(Message):
    """A bound on the value, on the change, or on both; both must hold."""

    value_threshold: GenericValueThreshold | None = None
    change_threshold: GenericChangeThreshold | None = None


class PerSliceMetricThreshold(Message):
    """A threshold for the slices of some specs."""

    slicing_specs: tuple[SlicingSpec, ...] = Field(min_length=1)
    threshold: MetricThreshold = MetricThreshold()


class PerSliceMetricThresholds(Message):
    """Several thresholds of one metric, each for its slices."""

    thresholds: tuple[PerSliceMetricThreshold, ...] = ()


class CrossSliceMetricThreshold(Message):
    """A threshold for the differences between slices."""

    cross_slicing_specs: tuple[CrossSlicingSpec, ...] = Field(min_length=1)
    threshold: MetricThreshold = MetricThreshold()


class CrossSliceMetricThresholds(Message):
    """Several thresholds of one metric, each for its pairs of slices."""

    thresholds: tuple[CrossSliceMetricThreshold, ...] = ()


class MetricConfig(Message):
    """A metric by its class name, with its parameters and thresholds."""

    class_name: str
    module: str = ""
    config: dict[str, Any] = Field(default_factory=dict)
    threshold: MetricThreshold | None = None
    per_slice_thresholds: tuple[PerSliceMetricThreshold, ...] = ()
    cross_slice_thresholds: tuple[CrossSliceMetricThreshold, ...] = ()

    @field_validator("config", mode="before")
    @classmethod
    def _from_json(cls, value: Any) -> Any:
        """TFMA writes the parameters as JSON, of which the outer braces may be left out."""
        if not isinstance(value, str):
            return value
        text = value.strip()
        try:
            return json.loads(text if text.startswith("{") else "{%s}" % text)
        except json.JSONDecodeError as error:
            raise ValueError(
                f"is not JSON: {error.msg} at character {error.pos} of {value!r}"
            ) from error


class AggregationOptions(Message):
    """Aggregation over classes."""

    micro_average: bool = False
    macro_average: bool = False
    weighted_macro_average: bool = False
    class_weights: dict[int, float] = Field(default_factory=dict)
    top_k_list: tuple[int, ...] = ()

    @model_validator(mode="after")
    def _exclusive(self) -> AggregationOptions:
        _at_most_one(self, "micro_average", "macro_average", "weighted_macro_average")
        return self


class BinarizationOptions(Message):
    """One-against-the-rest, by class or by rank."""

    class_ids: tuple[int, ...] = ()
    k_list: tuple[int, ...] = ()
    top_k_list: tuple[int, ...] = ()


class ExampleWeightOptions(Message):
    """Whether metrics are computed with the example weights, without, or both."""

    weighted: bool = False
    unweighted: bool = False


class MetricsSpec(Message):
    """Metrics that share models, outputs, binarization and weighting."""

    metrics: tuple[MetricConfig, ...] = ()
    model_names: tuple[str, ...] = ()
    output_names: tuple[str, ...] = ()
    output_weights: dict[str, float] = Field(default_factory=dict)
    binarize: BinarizationOptions | None = None
    aggregate: AggregationOptions | None = None
    example_weights: ExampleWeightOptions | None = None
    query_key: str = ""
    thresholds: dict[str, MetricThreshold] = Field(default_factory=dict)
    per_slice_thresholds: dict[str, PerSliceMetricThresholds] = Field(default_factory=dict)
    cross_slice_thresholds: dict[str, CrossSliceMetricThresholds] = Field(default_factory=dict)


class ConfidenceIntervalOptions(Message):
    """How confidence intervals are computed: JACKKNIFE or POISSON_BOOTSTRAP."""

    method: Literal["JACKKNIFE", "POISSON_BOOTSTRAP"] = "JACKKNIFE"


class Options(Message):
    """What concerns the whole evaluation."""

    include_default_metrics: bool = True
    compute_confidence_intervals: bool = False
    confidence_intervals: ConfidenceIntervalOptions | None = None
    min_slice_size: int | None = Field(default=None, ge=1)
    disabled_outputs: tuple[str, ...] = ()


class EvalConfig(Message):
    """What to evaluate: models, slices, metrics and thresholds."""

    model_specs: tuple[ModelSpec, ...] = ()
    slicing_specs: tuple[SlicingSpec, ...] = ()
    cross_slicing_specs: tuple[CrossSlicingSpec, ...] = ()
    metrics_specs: tuple[MetricsSpec, ...] = ()
    options: Options = Options()
    version: int = CONFIG_VERSION

    @classmethod
    def load(cls, source: Any) -> EvalConfig:
        """The config from a file, a mapping, a TFMA EvalConfig message, or an EvalConfig.

        Args:
            source: A path (.json, .yaml, .yml, .pbtxt, .textproto) or what `source` already is.

        Raises:
            ConfigError: The file cannot be read, or the config is wrong; `faults` holds every fault.
        """
        if isinstance(source, cls):
            return source
        data, name = config_formats.as_mapping(source)
        try:
            return cls.model_validate(data)
        except pydantic.ValidationError as error:
            raise ConfigError(config_formats.faults(error, cls, name)) from error

    @field_validator("version")
    @classmethod
    def _known_version(cls, version: int) -> int:
        if not 1 <= version <= CONFIG_VERSION:
            raise ValueError(
                f"is {version}, but this Benison reads up to {CONFIG_VERSION}; upgrade Benison"
            )
        return version

    @model_validator(mode="after")
    def _consistent(self) -> EvalConfig:
        faults = [*_model_faults(self), *_slice_faults(self)]
        if faults:
            raise ConfigError(faults)
        return self

    @property
    def baseline_spec(self) -> ModelSpec | None:
        """The model to compare with, if there is one."""
        return next((spec for spec in self.model_specs if spec.is_baseline), None)

    @property
    def candidate_specs(self) -> tuple[ModelSpec, ...]:
        """The models to judge."""
        return tuple(spec for spec in self.model_specs if not spec.is_baseline)

    def with_defaults(self, has_baseline: bool) -> EvalConfig:
        """The config with what it leaves open filled in.

        One model spec and a baseline give two: `candidate` (or the name it has) and `baseline`.
        Without a baseline, its spec is dropped and a single spec's name becomes "". Without slicing
        specs there is one slice, Overall. Change thresholds stay: validation says that they could
        not be evaluated.
        """
        specs = self.model_specs or (ModelSpec(),)
        specs = _with_baseline(specs) if has_baseline else _without_baseline(specs)
        slices = self.slicing_specs or (SlicingSpec(),)
        return self.model_copy(update={"model_specs": specs, "slicing_specs": slices})

    def to_dict(self) -> dict[str, Any]:
        """What is set, in snake_case; `load` reads it back to an equal config."""
        found: dict[str, Any] = self.model_dump(mode="json", exclude_defaults=True)
        return {**found, "version": self.version}

    def to_json(self) -> str:
        """`to_dict` as canonical JSON: sorted keys, no spaces to spare."""
        return json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))

    def digest(self) -> str:
        """SHA-256 of `to_json`, in hexadecimal."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()


def _with_baseline(specs: tuple[ModelSpec, ...]) -> tuple[ModelSpec, ...]:
    if len(specs) > 1:
        return specs
    candidate = specs[0].model_copy(update={"name": specs[0].name or "candidate"})
    return candidate, candidate.model_copy(update={"name": "baseline", "is_baseline": True})


def _without_baseline(specs: tuple[ModelSpec, ...]) -> tuple[ModelSpec, ...]:
    kept = tuple(spec for spec in specs if not spec.is_baseline)
    return (kept[0].model_copy(update={"name": ""}),) if len(kept) == 1 else kept


def _model_faults(config: EvalConfig) -> Iterator[tuple[str, str]]:
    names = [spec.name for spec in config.model_specs]
    for i, name in enumerate(names):
        if name in names[:i]:
            yield (
                f"model_specs[{i}].name",
                f"{name!r} is the name of model_specs[{names.index(name)}] too",
            )
        if not name and len(names) > 1:
            yield f"model_specs[{i}].name", "is needed when there are several models"
    if sum(spec.is_baseline for spec in config.model_specs) > 1:
        yield "model_specs", "more than one has is_baseline; there can be one baseline"
    for i, spec in enumerate(config.metrics_specs):
        for name in spec.model_names:
            if names and name not in {*names, "candidate", "baseline"}:
                yield (
                    f"metrics_specs[{i}].model_names",
                    f"no model is named {name!r}. {suggestion(name, names)}",
                )


def _slice_faults(config: EvalConfig) -> Iterator[tuple[str, str]]:
    """A threshold for slices that nobody computes would fail every model without a reason."""
    computed = set(config.slicing_specs or (SlicingSpec(),))
    for i, spec in enumerate(config.metrics_specs):
        for j, metric in enumerate(spec.metrics):
            path = f"metrics_specs[{i}].metrics[{j}].per_slice_thresholds"
            yield from _uncomputed(metric.per_slice_thresholds, computed, path)
        for name, thresholds in spec.per_slice_thresholds.items():
            path = f"metrics_specs[{i}].per_slice_thresholds.{name}"
            yield from _uncomputed(thresholds.thresholds, computed, path)


def _uncomputed(
    thresholds: tuple[PerSliceMetricThreshold, ...], computed: set[SlicingSpec], path: str
) -> Iterator[tuple[str, str]]:
    for k, threshold in enumerate(thresholds):
        for slicing in threshold.slicing_specs:
            if not any(slicing == spec or _narrows(slicing, spec) for spec in computed):
                yield (
                    f"{path}[{k}]",
                    f"the slice {slicing} is not computed; add it to slicing_specs",
                )


def _narrows(narrow: SlicingSpec, wide: SlicingSpec) -> bool:
    """Whether every slice of `narrow` is one of `wide`, such as hour=5 of hour."""
    fixed = wide.feature_values.items() <= narrow.feature_values.items()
    return fixed and narrow.features == wide.features
