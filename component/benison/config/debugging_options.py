# SPDX-License-Identifier: Apache-2.0
"""Which probes a model is put to: it is called on changed rows, and what comes of it is counted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, Field, WithJsonSchema

from benison.config.faults import ConfigPart, Fault, described
from benison.config.fields import Finite, Positive, Texts, exclusive, or_text
from benison.errors import suggestion

HOSTILE_VALUES, MISSING_FLIPS = "hostile_values", "missing_flips"
PERMUTATION_FLIPS, NOISE_FLIPS = "permutation_flips", "noise_flips"
MONOTONE, INVARIANT, DIRECTIONAL = "monotone", "invariant", "directional"
PARTIAL_DEPENDENCE, PERMUTATION_IMPORTANCE = "partial_dependence", "permutation_importance"
BOUNDARY_DISTANCE, RANDOM_ATTACK = "boundary_distance", "random_attack"
MEMBERSHIP, FEATURE_SWAPS = "membership", "feature_swaps"
BETTER_THAN_PRIOR, BETTER_THAN_MAJORITY = "better_than_prior", "better_than_majority"
BETTER_THAN_SLICE_MEAN, BETTER_THAN_LINEAR = "better_than_slice_mean", "better_than_linear"
RESIDUALS_BY_FEATURE, RESIDUALS_BY_PREDICTION = "residuals_by_feature", "residuals_by_prediction"
RESIDUAL_NORMALITY, RESIDUAL_AUTOCORRELATION = "residual_normality", "residual_autocorrelation"

DEFAULT_PROBES = (HOSTILE_VALUES, MISSING_FLIPS, PERMUTATION_FLIPS)
PROBES = (
    *DEFAULT_PROBES, NOISE_FLIPS, MONOTONE, INVARIANT, DIRECTIONAL, PARTIAL_DEPENDENCE,
    PERMUTATION_IMPORTANCE, BOUNDARY_DISTANCE, RANDOM_ATTACK, MEMBERSHIP, FEATURE_SWAPS,
    BETTER_THAN_PRIOR, BETTER_THAN_MAJORITY, BETTER_THAN_SLICE_MEAN, BETTER_THAN_LINEAR,
    RESIDUALS_BY_FEATURE, RESIDUALS_BY_PREDICTION, RESIDUAL_NORMALITY, RESIDUAL_AUTOCORRELATION,
)  # fmt: skip
UP, DOWN = "up", "down"
_OF_NAMED_FEATURES = (
    MONOTONE, INVARIANT, DIRECTIONAL, FEATURE_SWAPS, BETTER_THAN_SLICE_MEAN,
    RESIDUAL_AUTOCORRELATION,
)  # fmt: skip


def _probe(value: Any) -> Any:
    if value not in PROBES:
        hint = suggestion(value if isinstance(value, str) else "", PROBES)
        raise ValueError(f"expected the name of a probe, got {described(value)}. {hint}")
    return value


def _direction(value: Any) -> Any:
    if value not in (UP, DOWN):
        raise ValueError(f"expected up or down, got {described(value)}.")
    return value


def _named(values: Any) -> Any:
    """A probe may be given by its name alone."""
    if not isinstance(values, list | tuple):
        return values
    return [{"name": value} if isinstance(value, str) else value for value in values]


def _paths(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Probes: TypeAlias = Annotated[
    str, BeforeValidator(_probe), WithJsonSchema({"type": "string", "enum": list(PROBES)})
]
Way: TypeAlias = Annotated[
    str, BeforeValidator(_direction), WithJsonSchema({"type": "string", "enum": [UP, DOWN]})
]


class ProbeSpec(ConfigPart):
    """A probe, and what its value may be; the name alone is enough."""

    name: Probes
    """Which it is, such as permutation_flips."""
    features: Texts = ()
    """The features that it changes; by default all that the model reads."""
    by: Annotated[Finite, Field(gt=0)] | None = None
    """How far it changes numbers: directional in the feature's unit, all others in standard deviations."""
    direction: Way = UP
    """Of monotone and directional: where the prediction goes when the feature rises."""
    metric: str = ""
    """Of benchmarks and of importance: the metric, by its name in the results; by default all."""
    at_most: Finite | None = None
    """More fails the check; the value is a share from 0 to 1, of other probes as their table says."""
    at_least: Finite | None = None
    """Less fails the check."""

    @property
    def has_bound(self) -> bool:
        """Whether it can fail the model."""
        return self.at_most is not None or self.at_least is not None

    def _faults(self) -> Iterable[Fault]:
        yield from exclusive(self, "at_most", "at_least")
        if self.name in _OF_NAMED_FEATURES and not self.features:
            yield Fault(("features",), f"{self.name} needs the features that it is about.")
        if self.name == DIRECTIONAL and self.by is None:
            yield Fault(("by",), "directional needs by how much the feature rises.")


class DebuggingOptions(ConfigPart):
    """Probes of the models that are called: on the rows with the smallest hashes, with changed features."""

    rows: Positive = 2000
    """The rows that are changed; every engine takes the same."""
    budget: Positive = 200_000
    """The rows that may be predicted; a probe that would need more is not begun."""
    probes: Annotated[
        tuple[ProbeSpec, ...],
        BeforeValidator(_named),
        WithJsonSchema(
            {
                "type": "array",
                "items": {"anyOf": [{"type": "string", "enum": list(PROBES)}, {"type": "object"}]},
            }
        ),
    ] = tuple(ProbeSpec(name=name) for name in DEFAULT_PROBES)
    """The probes, by name or with what their values may be."""
    decision_threshold: Finite | None = None
    """The score above which a decision is yes; by default 0.5 where labels are 0 and 1."""
    tolerance: Annotated[Finite, Field(gt=0)] = 0.5
    """By how many standard deviations of the predictions a number must move to count as another one."""
    training_examples: Annotated[Texts, BeforeValidator(_paths), or_text] = ()
    """The data that the model was trained on, with which membership compares."""

    def _faults(self) -> Iterable[Fault]:
        names = [probe.name for probe in self.probes]
        if MEMBERSHIP in names and not self.training_examples:
            text = (
                "membership compares with the rows that the model was trained on; name their data."
            )
            yield Fault(("training_examples",), text)
        if not names:
            yield Fault(("probes",), "no probe is asked for; name one, or leave the list out.")
