# SPDX-License-Identifier: Apache-2.0
"""The evaluation config: what to evaluate, on which slices, against which thresholds.

The names are those of TFMA's EvalConfig, so that a TFMA config is a Benison config. Everything is
frozen and can be compared; collections are tuples.

    config = EvalConfig.load("eval.yaml")
    config = EvalConfig(
        model_specs=(ModelSpec(label_key="tip", prediction_key="score"),),
        slicing_specs=(SlicingSpec(), SlicingSpec(feature_keys=("hour",))),
        metrics_specs=(MetricsSpec(metrics=(MetricConfig(class_name="AUC"),)),),
    )
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from pydantic import field_validator

from benison.config import constraints, text_forms
from benison.config.confidence import ConfidenceOptions, LookOptions
from benison.config.debugging_options import DebuggingOptions, ProbeSpec
from benison.config.faults import Draft, Fault
from benison.config.fields import ConfidenceIntervalMethod, MetricDirection
from benison.config.parts import (
    AggregationOptions,
    BinarizationOptions,
    ConfidenceIntervalOptions,
    EvalSpecs,
    ExampleWeightOptions,
    MetricConfig,
    MetricsSpec,
    ModelSpec,
    Options,
    PaddingOptions,
    VariantSpec,
)
from benison.config.plain import shortened
from benison.config.slicing_specs import Bins, CrossSlicingSpec, SlicingSpec
from benison.config.thresholds import (
    CrossSliceMetricThreshold,
    CrossSliceMetricThresholds,
    GenericChangeThreshold,
    GenericValueThreshold,
    MetricThreshold,
    PerSliceMetricThreshold,
    PerSliceMetricThresholds,
)
from benison.config.weak_slice_options import WeakSliceOptions

__all__ = [
    "CONFIG_VERSION",
    "AggregationOptions",
    "BinarizationOptions",
    "Bins",
    "ConfidenceIntervalMethod",
    "ConfidenceIntervalOptions",
    "ConfidenceOptions",
    "CrossSliceMetricThreshold",
    "CrossSliceMetricThresholds",
    "CrossSlicingSpec",
    "DebuggingOptions",
    "EvalConfig",
    "ExampleWeightOptions",
    "GenericChangeThreshold",
    "GenericValueThreshold",
    "LookOptions",
    "MetricConfig",
    "MetricDirection",
    "MetricThreshold",
    "MetricsSpec",
    "ModelSpec",
    "Options",
    "PaddingOptions",
    "PerSliceMetricThreshold",
    "PerSliceMetricThresholds",
    "ProbeSpec",
    "SlicingSpec",
    "VariantSpec",
    "WeakSliceOptions",
]

CONFIG_VERSION = 1


class EvalConfig(EvalSpecs):
    """What to evaluate: models, slices, metrics and thresholds.

    Raises:
        ConfigError: On construction; `faults` holds every fault with its path.
    """

    version: int = CONFIG_VERSION
    """The version of these fields and their meaning."""

    def __repr__(self) -> str:
        counts = {
            "model": len(self.model_specs),
            "slicing spec": len(self.slicing_specs),
            "metric": sum(len(spec.metrics) for spec in self.metrics_specs),
        }
        parts = (f"{count} {noun}{'s' * (count != 1)}" for noun, count in counts.items())
        return f"<EvalConfig {', '.join(parts)}>"

    @classmethod
    def load(cls, source: object) -> EvalConfig:
        """The config from a file, a mapping, a TFMA message or an EvalConfig.

        Args:
            source: A path (.json, .yaml, .yml; .pbtxt, .textproto, .txtpb for text proto; .pb, .binpb
                for binary proto), a mapping, a TFMA EvalConfig or EvalRun, or an EvalConfig, which is
                returned. A str is always a path. Names may be in snake_case or lowerCamelCase;
                TFMA's own eval_config.json is read too.

        Raises:
            ConfigError: The file cannot be read, or the config is wrong; `faults` has every fault.
        """
        return source if isinstance(source, cls) else cls.draft(source).whole()

    @classmethod
    def draft(cls, source: object) -> Draft[EvalConfig]:
        """What `load` would return, as far as it is valid, so that more faults can be added.

        Raises:
            ConfigError: The file cannot be read, or is of a newer version, of which nothing can be said.
        """
        if isinstance(source, cls):
            return Draft.of(source)
        data = text_forms.read(source)
        if "version" in data:
            cls(version=data["version"])
        return Draft(cls, data)

    @field_validator("version")
    @classmethod
    def _known(cls, version: int) -> int:
        if version > CONFIG_VERSION:
            raise ValueError(
                f"is {shortened(str(version))}, this Benison reads up to {CONFIG_VERSION}. "
                "Install a newer one."
            )
        if version < 1:
            raise ValueError(f"is {shortened(str(version))}; the first version is 1.")
        return version

    def _faults(self) -> Iterable[Fault]:
        return constraints.disagreements(self)

    @property
    def candidate_specs(self) -> tuple[ModelSpec, ...]:
        """The models to judge: those that are not the baseline."""
        return tuple(spec for spec in self.model_specs if not spec.is_baseline)

    @property
    def baseline_spec(self) -> ModelSpec | None:
        """The model to compare with, None when there is none."""
        return next((spec for spec in self.model_specs if spec.is_baseline), None)

    def with_defaults(self, has_baseline: bool) -> EvalConfig:
        """The config with what it leaves open filled in, for a run with or without a baseline.

        * With a baseline, a single model spec becomes two that differ in name: its own name or
          `candidate`, and `baseline`. TFX leaves a spec with a name alone and compares nothing.
        * Without one, the baseline's spec goes, and with it the metrics of the baseline alone; the
          name of a single spec becomes "". Change thresholds stay: the verdict says that they could
          not be checked.
        * Every metrics spec names its models, and those with change thresholds the baseline too.
        * No slicing specs become Overall; intervals without a method become JACKKNIFE.

        Raises:
            ConfigError: There is a baseline, and several specs of which none is marked as its.
        """
        return self.model_copy(update=constraints.defaults(self, has_baseline))

    def to_dict(self) -> dict[str, Any]:
        """What differs from the defaults, and the version, in snake_case; `load` reads it back.

        >>> EvalConfig(model_specs=(ModelSpec(label_key="tip"),)).to_dict()
        {'version': 1, 'model_specs': [{'label_key': 'tip'}]}
        """
        return {"version": self.version, **json.loads(self.model_dump_json(exclude_defaults=True))}

    def to_json(self) -> str:
        """`to_dict` as JSON text with sorted keys: equal configs give equal text."""
        return json.dumps(self.to_dict(), indent=2, sort_keys=True, ensure_ascii=False)

    def digest(self) -> str:
        """The SHA-256 of `to_json` in UTF-8, in hexadecimal."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    @classmethod
    def json_schema(cls, class_names: Iterable[str] = ()) -> dict[str, Any]:
        """The JSON schema of a config file in snake_case, for editors that complete and check it.

        Args:
            class_names: The metrics there are; a metric that names its module may be called anything.
        """
        schema = cls.model_json_schema(by_alias=False)
        if class_names:
            _name_metrics(schema["$defs"], sorted(class_names))
        return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _name_metrics(parts: dict[str, Any], class_names: list[str]) -> None:
    """Let a schema take these class names, and any other beside a module."""
    known = parts["MetricConfig"]
    user = {**known, "title": "UserMetricConfig", "required": ["class_name", "module"]}
    user["properties"] = {**known["properties"], "module": {"type": "string", "minLength": 1}}
    parts["UserMetricConfig"] = user
    known["properties"] = {**known["properties"]}
    known["properties"]["class_name"] = {**known["properties"]["class_name"], "enum": class_names}
    bare = {"type": "string", "enum": class_names}
    parts_of = [{"$ref": f"#/$defs/{name}"} for name in ("MetricConfig", "UserMetricConfig")]
    parts["MetricsSpec"]["properties"]["metrics"]["items"] = {"anyOf": [bare, *parts_of]}
