# SPDX-License-Identifier: Apache-2.0
"""The table of probes, and their run within the budget of predicted rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from benison.config import ProbeSpec
from benison.config import debugging_options as names
from benison.errors import BenisonError, ModelError
from benison.probes.base import Probe
from benison.probes.benchmarks import BaselineModel, Linear, Majority, Prior, SliceMean
from benison.probes.boundary import BoundaryDistance, RandomAttack
from benison.probes.dependence import PartialDependence, PermutationImportance
from benison.probes.membership import Membership
from benison.probes.metamorphic import Directional, FeatureSwaps, Invariant, Monotone
from benison.probes.probe_findings import ProbeFinding, unmeasured
from benison.probes.residuals import (
    ResidualAutocorrelation,
    ResidualNormality,
    ResidualsByFeature,
    ResidualsByPrediction,
)
from benison.probes.sensitivity import HostileValues, MissingFlips, NoiseFlips, PermutationFlips
from benison.probes.subject import Subject, reason_of

PROBES: Mapping[str, type[Probe]] = MappingProxyType(
    {
        names.HOSTILE_VALUES: HostileValues,
        names.MISSING_FLIPS: MissingFlips,
        names.PERMUTATION_FLIPS: PermutationFlips,
        names.NOISE_FLIPS: NoiseFlips,
        names.MONOTONE: Monotone,
        names.INVARIANT: Invariant,
        names.DIRECTIONAL: Directional,
        names.PARTIAL_DEPENDENCE: PartialDependence,
        names.PERMUTATION_IMPORTANCE: PermutationImportance,
        names.BOUNDARY_DISTANCE: BoundaryDistance,
        names.RANDOM_ATTACK: RandomAttack,
        names.MEMBERSHIP: Membership,
        names.FEATURE_SWAPS: FeatureSwaps,
        names.BETTER_THAN_PRIOR: Prior,
        names.BETTER_THAN_MAJORITY: Majority,
        names.BETTER_THAN_SLICE_MEAN: SliceMean,
        names.BETTER_THAN_LINEAR: Linear,
        names.BETTER_THAN_BASELINE: BaselineModel,
        names.RESIDUALS_BY_FEATURE: ResidualsByFeature,
        names.RESIDUALS_BY_PREDICTION: ResidualsByPrediction,
        names.RESIDUAL_NORMALITY: ResidualNormality,
        names.RESIDUAL_AUTOCORRELATION: ResidualAutocorrelation,
    }
)


def probed(
    subject: Subject, specs: Iterable[ProbeSpec], budget: int, alpha: float
) -> Iterator[tuple[ProbeSpec, ProbeFinding]]:
    """What each probe says of a model."""
    specs = [*specs]
    if subject.rows.num_rows > budget:
        yield from _beyond(specs, subject.rows.num_rows, budget)
        return
    try:
        _ = subject.before
    except ModelError as error:
        yield from unprobed(specs, error)
        return
    for spec in specs:
        for finding in _findings(PROBES[spec.name](spec, alpha), subject, budget):
            yield spec, finding


def unprobed(
    specs: Iterable[ProbeSpec], error: Exception
) -> Iterator[tuple[ProbeSpec, ProbeFinding]]:
    """That no probe of a model could be run."""
    why = f"the model fails on the rows as they are: {_text_of(error)}"
    yield from ((spec, unmeasured(spec.name, why)) for spec in specs)


def _text_of(error: BaseException) -> str:
    """With the class of what Benison did not raise on purpose."""
    if isinstance(error, BenisonError):
        return str(error)
    reason = reason_of(error)
    return reason if isinstance(error, SystemExit) else f"{type(error).__name__}: {error}"


def _findings(probe: Probe, subject: Subject, budget: int) -> Iterator[ProbeFinding]:
    """What a probe says, at least that nothing was measured, so that its bound is never passed over."""
    is_silent = True
    try:
        for finding in _within(probe, subject, budget):
            is_silent = False
            yield finding
    except (
        Exception,
        SystemExit,
    ) as error:  # whatever fails, the metrics are there and are not to be lost
        yield unmeasured(probe.name, _text_of(error))
        return
    if is_silent:
        yield unmeasured(probe.name, "there was nothing to measure")


def _within(probe: Probe, subject: Subject, budget: int) -> Iterator[ProbeFinding]:
    """What a probe says, or that the budget does not allow it."""
    cost, left = probe.cost(subject), max(budget - subject.predicted, 0)
    if cost <= left:
        yield from probe.run(subject)
        return
    why = (
        f"it would have {cost:,} rows predicted, and {left:,} of debugging.budget are left. Name fewer "
        "features, or allow more"
    )
    yield unmeasured(probe.name, why)


def _beyond(
    specs: Iterable[ProbeSpec], rows: int, budget: int
) -> Iterator[tuple[ProbeSpec, ProbeFinding]]:
    """That no probe was begun, as the rows as they are would be too many to predict."""
    why = (
        f"the {rows:,} rows as they are have to be predicted, and debugging.budget is {budget:,}. Take fewer "
        "debugging.rows, or allow more"
    )
    yield from ((spec, unmeasured(spec.name, why)) for spec in specs)
