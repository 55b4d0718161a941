# SPDX-License-Identifier: Apache-2.0
"""Which probes a model is put to: it is called on changed rows, and what comes of it is counted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, Field, WithJsonSchema

from benison.config.faults import ConfigPart, Fault, described
from benison.config.fields import (
    NOT_WORSE,
    POINT,
    Evidence,
    Finite,
    Positive,
    Texts,
    exclusive,
    or_text,
)
from benison.errors import suggestion

HOSTILE_VALUES, MISSING_FLIPS = "hostile_values", "missing_flips"
PERMUTATION_FLIPS, NOISE_FLIPS = "permutation_flips", "noise_flips"
MONOTONE, INVARIANT, DIRECTIONAL = "monotone", "invariant", "directional"
PARTIAL_DEPENDENCE, PERMUTATION_IMPORTANCE = "partial_dependence", "permutation_importance"
BOUNDARY_DISTANCE, RANDOM_ATTACK = "boundary_distance", "random_attack"
MEMBERSHIP, FEATURE_SWAPS = "membership", "feature_swaps"
BETTER_THAN_PRIOR, BETTER_THAN_MAJORITY = "better_than_prior", "better_than_majority"
BETTER_THAN_SLICE_MEAN, BETTER_THAN_LINEAR = "better_than_slice_mean", "better_than_linear"
BETTER_THAN_BASELINE = "better_than_baseline"
RESIDUALS_BY_FEATURE, RESIDUALS_BY_PREDICTION = "residuals_by_feature", "residuals_by_prediction"
RESIDUAL_NORMALITY, RESIDUAL_AUTOCORRELATION = "residual_normality", "residual_autocorrelation"

DEFAULT_PROBES = (HOSTILE_VALUES, MISSING_FLIPS, PERMUTATION_FLIPS, BETTER_THAN_PRIOR)
PROBES = (
    *DEFAULT_PROBES, NOISE_FLIPS, MONOTONE, INVARIANT, DIRECTIONAL, PARTIAL_DEPENDENCE,
    PERMUTATION_IMPORTANCE, BOUNDARY_DISTANCE, RANDOM_ATTACK, MEMBERSHIP, FEATURE_SWAPS,
    BETTER_THAN_MAJORITY, BETTER_THAN_SLICE_MEAN, BETTER_THAN_LINEAR, BETTER_THAN_BASELINE,
    RESIDUALS_BY_FEATURE, RESIDUALS_BY_PREDICTION, RESIDUAL_NORMALITY, RESIDUAL_AUTOCORRELATION,
)  # fmt: skip
UP, DOWN = "up", "down"
_OF_NAMED_FEATURES = (
    MONOTONE, INVARIANT, DIRECTIONAL, FEATURE_SWAPS, BETTER_THAN_SLICE_MEAN,
    RESIDUAL_AUTOCORRELATION,
)  # fmt: skip


_WITH_BY = (NOISE_FLIPS, MONOTONE, DIRECTIONAL, BOUNDARY_DISTANCE, RANDOM_ATTACK)
_WITH_DIRECTION = (MONOTONE, DIRECTIONAL)
WITH_METRIC = (
    PERMUTATION_IMPORTANCE, BETTER_THAN_PRIOR, BETTER_THAN_MAJORITY, BETTER_THAN_SLICE_MEAN,
    BETTER_THAN_LINEAR, BETTER_THAN_BASELINE,
)  # fmt: skip
_WITHOUT_FEATURES = (
    MEMBERSHIP, BETTER_THAN_PRIOR, BETTER_THAN_MAJORITY, BETTER_THAN_BASELINE, RESIDUALS_BY_PREDICTION,
    RESIDUAL_NORMALITY,
)  # fmt: skip
WITHOUT_CALLS = (
    *WITH_METRIC[1:], RESIDUALS_BY_FEATURE, RESIDUALS_BY_PREDICTION, RESIDUAL_NORMALITY,
    RESIDUAL_AUTOCORRELATION,
)  # fmt: skip
"""They look at predictions of the rows as they are, which may be in the data."""
_RANGES = {
    **dict.fromkeys(WITH_METRIC, (-math.inf, math.inf)),
    **dict.fromkeys((RESIDUAL_NORMALITY, RESIDUAL_AUTOCORRELATION), (-1.0, 1.0)),
    **dict.fromkeys(
        (PARTIAL_DEPENDENCE, RESIDUALS_BY_FEATURE, RESIDUALS_BY_PREDICTION), (0.0, math.inf)
    ),
}
"""What the values of probes can be; of all others they are shares, from 0 to 1."""
_NO_SHARES = (MEMBERSHIP,)
"""The others whose values lie from 0 to 1: an area."""
_MOST_DEVIATIONS = 1_000.0
_MOST_ROWS, _MOST_BUDGET, _MOST_PROBES = 1_000_000, 1_000_000_000, 1_000

_NAMES_OF_OTHERS = {
    PARTIAL_DEPENDENCE: "pdp ice ale pdpbox pycebox partial_dependence_plot "
    "individual_conditional_expectation",
    PERMUTATION_IMPORTANCE: "shap lime eli5 treeshap integrated_gradients saliency feature_importance "
    "feature_importances permutation_feature_importance importance loco",
    FEATURE_SWAPS: "counterfactual counterfactuals counterfactual_fairness dice fairness what_if",
    BOUNDARY_DISTANCE: "hopskipjump hop_skip_jump boundary_attack deepfool margin",
    RANDOM_ATTACK: "fgsm pgd adversarial adversarial_robustness attack art",
    MEMBERSHIP: "membership_inference mia privacy",
    NOISE_FLIPS: "noise robustness stability perturbation",
    PERMUTATION_FLIPS: "permutation shuffle sensitivity",
    MISSING_FLIPS: "missing missing_values nan",
    HOSTILE_VALUES: "fuzz fuzzing hostile edge_cases",
    MONOTONE: "monotonic monotonicity",
    INVARIANT: "invariance metamorphic checklist",
    DIRECTIONAL: "directional_expectation",
    BETTER_THAN_PRIOR: "dummy benchmark naive simple_model_comparison",
    BETTER_THAN_BASELINE: "baseline champion challenger previous_model latest_blessed model_comparison",
    BETTER_THAN_LINEAR: "linear logistic logistic_regression",
    RESIDUALS_BY_FEATURE: "residuals residual_analysis error_analysis",
    RESIDUAL_NORMALITY: "qq qq_plot q_q shapiro jarque_bera normality",
    RESIDUAL_AUTOCORRELATION: "durbin_watson ljung_box acf autocorrelation",
}
_OURS = {other: own for own, others in _NAMES_OF_OTHERS.items() for other in others.split()}


def _probe(value: Any) -> Any:
    if value not in PROBES:
        raise ValueError(f"expected the name of a probe, got {described(value)}. {_nearest(value)}")
    return value


def _nearest(value: Any) -> str:
    """Our name for a method that others have a name for, else the most similar name, else all."""
    name = value if isinstance(value, str) else ""
    ours = _OURS.get(name.strip().lower().replace("-", "_").replace(" ", "_"))
    if ours:
        return f"What is nearest to it here is {ours}."
    return suggestion(name, PROBES, most=len(PROBES))


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
    evidence: Evidence = POINT
    """What is held against the bound: the value itself (point), or what the rows show of the share of all
    rows (worse or not_worse, as thresholds have it)."""

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
        yield from self._unused()
        yield from self._beyond()
        yield from self._without_evidence()

    def _unused(self) -> Iterator[Fault]:
        """Parameters that change nothing, of which somebody expects that they do."""
        uses = {
            "features": (bool(self.features), self.name not in _WITHOUT_FEATURES),
            "by": (self.by is not None, self.name in _WITH_BY),
            "direction": (self.direction != UP, self.name in _WITH_DIRECTION),
            "metric": (bool(self.metric), self.name in WITH_METRIC),
        }
        for field, (is_given, has_effect) in uses.items():
            if is_given and not has_effect:
                yield Fault((field,), f"{self.name} has no {field}; leave it out.")

    def _beyond(self) -> Iterator[Fault]:
        """Bounds that no value can be at, and steps that no number takes."""
        low, high = _RANGES.get(self.name, (0.0, 1.0))
        for field in ("at_most", "at_least"):
            bound = getattr(self, field)
            if bound is not None and not low <= bound <= high:
                ends = f"from {low:g} to {high:g}" if math.isfinite(high) else f"{low:g} or more"
                yield Fault((field,), f"the value of {self.name} is {ends}, and {bound:g} is not.")
        if self.by is not None and self.name != DIRECTIONAL and self.by > _MOST_DEVIATIONS:
            text = f"it is in standard deviations, of which {_MOST_DEVIATIONS:,.0f} are the most."
            yield Fault(("by",), text)

    def _without_evidence(self) -> Iterator[Fault]:
        """Evidence that no rows could give."""
        if self.evidence == POINT:
            return
        if not self.has_bound:
            yield Fault(("evidence",), "is of a bound; give at_most or at_least, or leave it out.")
        elif self.name in _RANGES or self.name in _NO_SHARES:
            yield Fault(
                ("evidence",), f"the value of {self.name} is no share of rows; say evidence: point."
            )
        elif self.evidence == NOT_WORSE and (self.at_most == 0 or self.at_least == 1):
            text = (
                "no sample shows that of all rows none differs; give a little more, or say worse."
            )
            yield Fault(("evidence",), text)


class DebuggingOptions(ConfigPart):
    """Probes of the models that are called: on the rows with the smallest hashes, with changed features."""

    rows: Annotated[Positive, Field(le=_MOST_ROWS)] = 2000
    """The rows that are changed; every engine takes the same."""
    budget: Annotated[Positive, Field(le=_MOST_BUDGET)] = 200_000
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
    ] = tuple(ProbeSpec.model_construct(name=name) for name in DEFAULT_PROBES)
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
        if self.training_examples and MEMBERSHIP not in names:
            text = "only membership reads them, which is not among the probes; name it, or leave them out."
            yield Fault(("training_examples",), text)
        if len(names) > _MOST_PROBES:
            text = f"there are {len(names):,} probes, and {_MOST_PROBES:,} are the most."
            yield Fault(("probes",), text)
        if not names:
            yield Fault(("probes",), "no probe is asked for; name one, or leave the list out.")
