# SPDX-License-Identifier: Apache-2.0
"""The metrics of a config over the rows of the probes, from other predictions than the model's."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from benison.config import ConfidenceOptions, EvalConfig, MetricConfig, Options, SlicingSpec
from benison.config.confidence import OFF
from benison.data.batch import Array, Extracts, Target
from benison.engine.extract import SliceKeyExtractor
from benison.engine.outcome import MetricsEvaluator
from benison.engine.plan import Plan
from benison.metrics.groups import members
from benison.probes.subject import Gain, ScoredMetric
from benison.results.result import described_metrics
from benison.table.key import CHANGE, VALUE, Key
from benison.table.words import qualifier

_MODEL, _BENCHMARK = "model", "benchmark"
_WEIGHT = "weight"


@dataclasses.dataclass(frozen=True)
class ProbeMetrics:
    """The metrics of one output of a model.

    Attributes:
        config: With its defaults.
        target: The model and the output.
        read: Gives the labels and weights of the rows, once they are needed.
    """

    config: EvalConfig
    target: Target
    read: Callable[[], Extracts]

    @functools.cached_property
    def extracts(self) -> Extracts:
        """Labels and weights of the rows."""
        return self.read()

    def values(self, scores: Array) -> dict[str, ScoredMetric]:
        """The metrics with other scores of the output, by name.

        Those that are not defined are left out, and those that do not look at predictions.
        """
        rows = _rows(self._alone, {**self.extracts, "predictions": {self.target: scores}})
        return {
            _name(row): ScoredMetric(row["value"], self._better(row))
            for row in rows
            if self._is_own(row, self.target[0], VALUE) and row["metric"] not in self._of_data
        }

    def counted(
        self, labels: Array, weights: Array, scores: Array, are_weights: bool
    ) -> dict[str, float]:
        """The metrics of rows that each stand for several, or have a weight of the data, by name."""
        extracts: Extracts = {
            "features": pa.RecordBatch.from_pydict({_WEIGHT: pa.array(weights)}),
            "labels": {self.target: labels},
            "predictions": {self.target: scores},
            "example_weights": {self.target: weights},
        }
        return {
            title_of(dataclasses.replace(Key.of(row), weighted=are_weights)): row["value"]
            for row in _rows(self._counting, extracts)
            if self._is_own(row, self.target[0], VALUE)
        }

    def whole(self, table: list[dict[str, Any]]) -> dict[str, tuple[float, int | None]]:
        """The metrics of the model over all rows, with the rows that they rest on, by name."""
        own = (row for row in table if self._is_own(row, self.target[0], VALUE))
        return {_name(row): (row["value"], row["evaluated"]) for row in own}

    def against(self, scores: Array, benchmark: Array) -> list[Gain]:
        """By how much each metric of which one end is good is better than with the benchmark's scores."""
        own, other = ((name, self.target[1]) for name in (_MODEL, _BENCHMARK))
        extracts: Extracts = {**self.extracts, "predictions": {own: scores, other: benchmark}}
        extracts["labels"] = dict.fromkeys((own, other), self.extracts["labels"][self.target])
        weights = self.extracts.get("example_weights", {}).get(self.target)
        extracts["example_weights"] = (
            {} if weights is None else dict.fromkeys((own, other), weights)
        )
        return self.gains(_rows(self._beside, extracts), _MODEL, _BENCHMARK)

    def gains(self, table: list[dict[str, Any]], model: str, benchmark: str) -> list[Gain]:
        """By how much the metrics of a model are better than another's, of rows of metrics.parquet."""
        values = {_name(r): r["value"] for r in table if self._is_own(r, model, VALUE)}
        others = {_name(r): r["value"] for r in table if self._is_own(r, benchmark, VALUE)}
        changes = [r for r in table if self._is_own(r, model, CHANGE)]
        return [
            Gain(
                _name(r),
                values[_name(r)],
                others[_name(r)],
                *_gain(r, self._better(r)),
                r["weighted"],
                r["evaluated"],
                bool(self._better(r)),
            )
            for r in changes
            if self._better(r) is not None and _name(r) in values and _name(r) in others
        ]

    def _is_own(self, row: dict[str, Any], model: str, kind: str) -> bool:
        is_defined = not np.isnan(row["value"])
        return is_defined and (row["model"], row["output"], row["kind"]) == (
            model, self.target[1], kind,
        )  # fmt: skip

    def _better(self, row: dict[str, Any]) -> bool | None:
        """Whether higher values of a metric are better."""
        about = self._about.get(row["metric"])
        return None if about is None else about.higher_is_better

    @functools.cached_property
    def _about(self) -> dict[str, Any]:
        return described_metrics([self.config])

    @functools.cached_property
    def _of_data(self) -> set[str]:
        """The metrics that do not look at predictions."""
        computations = self._alone.plan.computations
        return {c.metric.name for c in computations if not c.metric.needs_prediction}

    @functools.cached_property
    def _alone(self) -> MetricsEvaluator:
        return self._evaluator(Options(confidence=OFF), {self.target[0]: False})

    @functools.cached_property
    def _counting(self) -> MetricsEvaluator:
        """As `_alone`, of those that take weights, each with the weights that stand for rows."""
        specs = [
            spec.model_copy(
                update={
                    "metrics": tuple(filter(_takes_weights, spec.metrics)),
                    "example_weights": None,
                }
            )
            for spec in self.config.metrics_specs
        ]
        models = [
            spec.model_copy(update={"example_weight_key": _WEIGHT, "example_weight_keys": {}})
            for spec in self.config.model_specs
        ]
        update = {
            "metrics_specs": tuple(s for s in specs if s.metrics),
            "model_specs": tuple(models),
        }
        weighted = dataclasses.replace(self, config=self.config.model_copy(update=update))
        return weighted._alone

    @functools.cached_property
    def _beside(self) -> MetricsEvaluator:
        """With the benchmark in the baseline's stead."""
        level = self.config.options.certainty.level
        options = Options(confidence=ConfidenceOptions(level=level))
        return self._evaluator(options, {_MODEL: False, _BENCHMARK: True})

    def _evaluator(self, options: Options, names: Mapping[str, bool]) -> MetricsEvaluator:
        """The metrics of the output alone, for models of these names; whether each is the baseline."""
        (spec,) = (each for each in self.config.model_specs if each.name == self.target[0])
        models = tuple(
            spec.model_copy(update={"name": name, "is_baseline": is_baseline})
            for name, is_baseline in names.items()
        )
        outputs = (self.target[1],) if self.target[1] else ()
        metrics = tuple(
            each.model_copy(update={"model_names": tuple(names), "output_names": outputs})
            for each in self.config.metrics_specs
            if not each.model_names or self.target[0] in each.model_names
        )
        update = {**_PLAIN, "model_specs": models, "metrics_specs": metrics, "options": options}
        return MetricsEvaluator(Plan.of(self.config.model_copy(update=update)))


def _takes_weights(metric: MetricConfig) -> bool:
    made = members(metric.class_name, dict(metric.config))
    return all(each.takes_weights for _, each in made)


_PLAIN: dict[str, Any] = {
    "slicing_specs": (SlicingSpec(),),
    "cross_slicing_specs": (),
    "variants": (),
    "weak_slices": None,
    "debugging": None,
}


def _rows(evaluator: MetricsEvaluator, extracts: Extracts) -> list[dict[str, Any]]:
    """The rows of metrics.parquet of all rows together."""
    count = extracts["features"].num_rows
    numbered: Extracts = {**extracts, "row_numbers": pa.array(np.arange(count), pa.uint64())}
    keyed = SliceKeyExtractor((SlicingSpec(),)).extract(numbered)
    rows: list[dict[str, Any]] = evaluator.result(evaluator.add(evaluator.zero(), keyed))[
        "metrics"
    ].to_pylist()
    return rows


def _name(row: dict[str, Any]) -> str:
    return title_of(Key.of(row))


def title_of(key: Key) -> str:
    """The metric, with the class or weighting that tells it from others of its name.

    >>> title_of(Key("precision", model="new", output="ctr", sub_key="classId:1", weighted=True))
    'precision weighted (classId:1)'
    """
    own = Key("", sub_key=key.sub_key, aggregation=key.aggregation)
    weighted = " weighted" if key.weighted else ""
    return f"{key.metric}{weighted}{qualifier(own, several_models=False)}"


def _gain(row: dict[str, Any], higher_is_better: bool | None) -> tuple[float, float, float]:
    """The change and its interval, upwards where the model is better."""
    change = row["value"], row["lower"], row["upper"]
    return change if higher_is_better else (-change[0], -change[2], -change[1])
