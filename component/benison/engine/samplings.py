# SPDX-License-Identifier: Apache-2.0
"""Which states of a plan say how far values may be from the true ones, and what they say."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from benison.config import EvalConfig
from benison.engine.views import ClassOf, Comparison, Pairs, View
from benison.evidence.choice import estimator_of
from benison.evidence.estimators import Estimator, Evidenced
from benison.evidence.spread import Spread
from benison.metrics.base import Metric, Statistic
from benison.table.key import CHANGE, Key
from benison.table.slice_columns import Interval


@dataclasses.dataclass(frozen=True)
class Sampling:
    """How the error of the values of a key is known, and in which slots."""

    key: Key
    estimator: Estimator
    slots: tuple[int, ...]

    def evidenced(
        self, states: Sequence[Any], comparison: Comparison | None
    ) -> dict[Key, Evidenced]:
        """What states of some slices say of the key's values, of their change and of the baseline's."""
        if not self.estimator.paired or comparison is None:
            return {self.key: Evidenced(self.estimator.spread(*states))}
        paired = self.estimator.compared(*states)
        base = self.key.of_model(comparison.baseline)
        return {
            self.key: Evidenced(paired.candidate, paired),
            base: Evidenced(paired.baseline),
            self.key.as_kind(CHANGE): Evidenced(paired.change, paired),
        }


@dataclasses.dataclass(frozen=True)
class Samplings:
    """Chooses how errors are known, and asks for the slots that this takes."""

    config: EvalConfig
    comparison: Comparison | None
    slot_of: Callable[[View, Statistic[Any]], int]

    def of(self, values: Iterable[tuple[Key, Metric, View]]) -> Iterator[Sampling]:
        """The samplings of shown values; the candidate's are of the baseline too."""
        values = list(values)
        keys = {key for key, _, _ in values}
        covered: set[Key] = set()
        for key, metric, view in values:
            base = self._base(key, metric, view)
            if base in keys and base is not None:
                covered.add(base)
                for sampling in self._sampling(key, metric, view, paired=metric.needs_prediction):
                    yield sampling
                    if not metric.needs_prediction:  # the same rows have the same value
                        yield dataclasses.replace(sampling, key=base)
        for key, metric, view in values:
            base = self._base(key, metric, view)
            if key not in covered and base not in keys:
                yield from self._sampling(key, metric, view, paired=False)

    def _base(self, key: Key, metric: Metric, view: View) -> Key | None:
        """The baseline's key, where its values rest on the same labels and weights."""
        if self.comparison is None or metric.needs_baseline or view.variant:
            return None
        base = self.comparison.base_of(key)
        specs = {spec.name: spec for spec in self.config.model_specs}
        if base is None:
            return None
        own, other = (
            (s.label_key_for(key.output), s.example_weight_key_for(key.output))
            for s in (specs[key.model], specs[base.model])
        )
        return base if own == other else None

    def _sampling(self, key: Key, metric: Metric, view: View, paired: bool) -> Iterator[Sampling]:
        estimator = None
        if isinstance(view.pairs, ClassOf) or type(view.pairs) is Pairs:
            estimator = estimator_of(metric, paired, view.weighted)
        if estimator is None:
            return
        beside = view
        if paired and self.comparison is not None:
            beside = dataclasses.replace(view, baseline=self.comparison.baseline)
        slots = tuple(self.slot_of(beside, statistic) for statistic in estimator.statistics())
        yield Sampling(key, estimator, slots)


def interval_of(spread: Spread, level: float, low: float, high: float) -> Interval:
    """The two-sided interval of values, inside of the range from `low` to `high`."""
    with np.errstate(all="ignore"):
        lower, upper = spread.limits((1 - level) / 2)
    value = spread.value
    return Interval(
        np.maximum(lower, np.minimum(low, value)),
        np.minimum(upper, np.maximum(high, value)),
        spread.std_error,
        spread.df,
        tuple(spread.method),
    )
