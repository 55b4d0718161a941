# SPDX-License-Identifier: Apache-2.0
"""Puts the models of an evaluation to the probes that its config asks for, after the pass over all rows."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benison.config import EvalConfig, ProbeSpec
from benison.config.debugging_options import (
    BETTER_THAN_LINEAR,
    BETTER_THAN_MAJORITY,
    BETTER_THAN_PRIOR,
    BETTER_THAN_SLICE_MEAN,
    RESIDUAL_AUTOCORRELATION,
    RESIDUALS_BY_FEATURE,
    RESIDUALS_BY_PREDICTION,
    WITHOUT_CALLS,
)
from benison.data.batch import Array, Extracts, Target
from benison.data.dataset import Dataset
from benison.data.shards import ROW_NUMBER
from benison.engine.extract import PredictionsExtractor, SliceKeyExtractor
from benison.engine.pairs import weights_of_rows
from benison.engine.plan import Plan
from benison.engine.stages import Extractor
from benison.errors import ModelError
from benison.evaluation.probe_checks import probe_row
from benison.evaluation.probe_evidence import evidence_of
from benison.evaluation.probe_metrics import ProbeMetrics
from benison.evaluation.training_examples import TrainingExamples
from benison.probes.changes import is_changeable
from benison.probes.counted_labels import OUTPUT_KEY as CELLS_KEY
from benison.probes.counted_labels import CountedLabels, CountedLabelsEvaluator
from benison.probes.probe_findings import ProbeFinding
from benison.probes.probe_rows import OUTPUT_KEY, ProbeRows, ProbeRowsEvaluator
from benison.probes.residual_bins import OUTPUT_KEY as BINS_KEY
from benison.probes.residual_bins import ResidualBinsEvaluator, ResidualMoments
from benison.probes.residual_order import OUTPUT_KEY as ORDER_KEY
from benison.probes.residual_order import ResidualOrderEvaluator, Stretch
from benison.probes.running import probed, unprobed
from benison.probes.subject import Gain, Subject, WholeRows
from benison.table.schema import PROBES_SCHEMA

PROBES_KEY = "probes"
_OF_COUNTS = (BETTER_THAN_PRIOR, BETTER_THAN_MAJORITY, BETTER_THAN_SLICE_MEAN)
_OF_ALL_FEATURES = (BETTER_THAN_LINEAR, RESIDUALS_BY_FEATURE)


ProbeStage: TypeAlias = (
    "ProbeRowsEvaluator | ResidualOrderEvaluator | ResidualBinsEvaluator | CountedLabelsEvaluator"
)


def probe_stages(plan: Plan, dataset: Dataset, called: Collection[str]) -> list[ProbeStage]:
    """The stages that keep what the probes of the config look at; `called` are the models that are."""
    options = plan.config.debugging
    assert options is not None
    rows = ProbeRowsEvaluator(options.rows, _columns(plan.config, dataset, called))
    orders = [p.features for p in options.probes if p.name == RESIDUAL_AUTOCORRELATION]
    times = tuple(dict.fromkeys(name for names in orders for name in names))
    models = [spec.name for spec in plan.config.candidate_specs]
    targets = tuple((model, output) for model in models for output in plan.outputs[model])
    ordered = [ResidualOrderEvaluator(targets, times)] if times else []
    return [rows, *ordered, *_binned(plan.config, targets), *_counted(options.probes, targets)]


def _counted(
    probes: Sequence[ProbeSpec], targets: tuple[Target, ...]
) -> Iterator[CountedLabelsEvaluator]:
    """What counts the labels for the benchmarks that learn from such counts, where one is asked for."""
    asked = [probe for probe in probes if probe.name in _OF_COUNTS]
    if asked:
        yield CountedLabelsEvaluator(targets, tuple(dict.fromkeys(each.features for each in asked)))


def _binned(config: EvalConfig, targets: tuple[Target, ...]) -> list[ResidualBinsEvaluator]:
    """What adds up residuals by the values of features and of predictions, where a probe asks for them."""
    assert config.debugging is not None
    by_feature = [p.features for p in config.debugging.probes if p.name == RESIDUALS_BY_FEATURE]
    by_prediction = any(p.name == RESIDUALS_BY_PREDICTION for p in config.debugging.probes)
    if not by_feature and not by_prediction:
        return []
    names = None if () in by_feature else sorted({n for names in by_feature for n in names})
    others = frozenset(_no_features(config))
    return [ResidualBinsEvaluator(targets, None if names is None else tuple(names), others)]


def _no_features(config: EvalConfig) -> set[str]:
    """The columns that hold labels, weights, predictions or keys."""
    used = {key for m in config.model_specs for key in m.columns(with_predictions=True)}
    used |= {spec.query_key for spec in config.metrics_specs}
    return used | {config.options.certainty.cluster_key, *config.options.row_key}


def _columns(
    config: EvalConfig, dataset: Dataset, called: Collection[str]
) -> tuple[str, ...] | None:
    """The columns that are read for the sake of the probes; None is all."""
    options = config.debugging
    assert options is not None
    looking = [probe for probe in options.probes if probe.name in WITHOUT_CALLS]
    is_uncalled = any(spec.name not in called for spec in config.candidate_specs)
    looks_at_all = any(p.name in _OF_ALL_FEATURES and not p.features for p in looking)
    # A model that takes serialized examples has its features encoded anew once they are changed.
    if dataset.has_serialized or (is_uncalled and looks_at_all):
        return None
    return tuple(sorted({name for probe in looking for name in probe.features}))


def with_probing(
    outputs: Mapping[str, Any],
    plan: Plan,
    extractors: Sequence[Extractor],
    training: TrainingExamples,
) -> dict[str, Any]:
    """The outputs with the table of what probes say in place of the rows that were kept for them.

    What a probe cannot say costs no other output.
    """
    used = (OUTPUT_KEY, ORDER_KEY, BINS_KEY, CELLS_KEY)
    others = {key: value for key, value in outputs.items() if key not in used}
    kept = outputs.get(OUTPUT_KEY)
    rows = (
        [] if kept is None else [*Probing(plan, extractors, kept.batch, outputs, training).rows()]
    )
    return {**others, PROBES_KEY: pa.Table.from_pylist(rows, PROBES_SCHEMA)}


@dataclasses.dataclass
class Probing:
    """The models of a plan, put to its probes on some rows."""

    plan: Plan
    extractors: Sequence[Extractor]
    batch: pa.RecordBatch
    outputs: Mapping[str, Any]
    training: TrainingExamples

    def rows(self) -> Iterator[dict[str, Any]]:
        """The rows of the table, of one candidate after the other."""
        options = self.plan.config.debugging
        assert options is not None
        alpha = self.plan.config.options.certainty.alpha
        judged: list[tuple[Target, ProbeSpec, ProbeFinding]] = []
        for target in self.targets():
            specs = self.specs(target[0])
            try:
                subject = self._subject(target)
            except ModelError as error:
                findings = unprobed(specs, error)
            else:
                findings = probed(subject, specs, options.budget, alpha)
            judged += ((target, spec, finding) for spec, finding in findings)
        shown = evidence_of(
            [each[1:] for each in judged],
            self.plan.config.alpha,
            self.plan.config.options.certainty.correction,
        )
        for each, evidence in zip(judged, shown, strict=True):
            yield probe_row(*each, evidence)

    def targets(self) -> Iterator[Target]:
        """The outputs of the candidates."""
        for spec in self.plan.config.candidate_specs:
            yield from ((spec.name, output) for output in self.plan.outputs[spec.name])

    def _is_called(self, model: str) -> bool:
        return any(spec.name == model for spec in self._predictions.specs)

    def specs(self, model: str) -> list[ProbeSpec]:
        """The probes of a model; those alone that look at its predictions, where these are in the data."""
        options = self.plan.config.debugging
        assert options is not None
        is_called = self._is_called(model)
        return [probe for probe in options.probes if is_called or probe.name in WITHOUT_CALLS]

    @property
    def _predictions(self) -> PredictionsExtractor:
        called = (e for e in self.extractors if isinstance(e, PredictionsExtractor))
        return next(called, PredictionsExtractor((), {}, trust_pickle=False))

    def _subject(self, target: Target) -> Subject:
        options = self.plan.config.debugging
        assert options is not None
        metrics = ProbeMetrics(self.plan.config, target, lambda: self._extracts(self.batch))
        orders: Mapping[tuple[Target, str], Stretch | None] = self.outputs.get(ORDER_KEY, {})
        binned: Mapping[tuple[Target, str], ResidualMoments] = self.outputs.get(BINS_KEY, {})
        subject = Subject(
            functools.partial(self._scores, target),
            self.batch,
            self.features(target[0]),
            threshold=options.decision_threshold,
            tolerance=options.tolerance,
            measure=metrics.values,
            compare=metrics.against,
            training=functools.partial(self._training, target),
            orders={column: order for (own, column), order in orders.items() if own == target},
            residuals={name: of for (own, name), of in binned.items() if own == target},
            gains=self._gains(metrics, target),
            whole=self._whole(metrics, target),
        )
        if self.batch.num_rows <= options.budget:
            with contextlib.suppress(ModelError):  # all probes say so
                _ = subject.before  # by which the classes are known that labels of text are
        extracts = self._extracts(self.batch)
        subject.labels = _array(extracts["labels"].get(target))
        subject.weights = weights_of_rows(extracts.get("example_weights", {}).get(target))
        return subject

    def _gains(self, metrics: ProbeMetrics, target: Target) -> list[Gain] | None:
        """By how much the metrics of all rows are better than the baseline's."""
        baseline = self.plan.config.baseline_spec
        if baseline is None:
            return None
        return metrics.gains(self._overall, target[0], baseline.name)

    def _whole(self, metrics: ProbeMetrics, target: Target) -> WholeRows:
        """What is known of all rows: nothing of their metrics where they are no slice of the config."""
        counted: Mapping[tuple[Target, tuple[str, ...]], CountedLabels] = self.outputs.get(
            CELLS_KEY, {}
        )
        cells = {features: of for (own, features), of in counted.items() if own == target}
        rows: int = self.outputs[OUTPUT_KEY].total
        return WholeRows(rows, cells, metrics.whole(self._overall), metrics.counted)

    @functools.cached_property
    def _overall(self) -> list[dict[str, Any]]:
        """The rows of metrics.parquet of all rows of the data."""
        table = self.outputs["metrics"]
        overall = table.filter(pc.equal(pc.list_value_length(table["slice_key"]), 0)).to_pylist()
        return [row for row in overall if not row["dataset"] and not row["variant"]]

    def _scores(self, target: Target, rows: pa.RecordBatch) -> Array:
        if self._is_called(target[0]):
            scores = self._predictions.predict(target[0], rows, None)[target]
        else:
            scores = self._extracts(rows)["predictions"][target]
        if not isinstance(scores, np.ndarray):
            raise ModelError(
                "it gives boxes or lists of different lengths, which no probe compares"
            )
        return scores

    def features(self, model: str) -> tuple[str, ...]:
        """What the model reads, as far as the data have it and it can be changed."""
        config = self.plan.config
        spec = next(each for each in config.model_specs if each.name == model)
        called = self._predictions.predictors.get(model)
        read = () if called is None or called.takes_examples else called.columns  # or in examples
        names = read or spec.feature_keys or self._others()
        schema = self.batch.schema
        return tuple(n for n in names if n in schema.names and is_changeable(schema.field(n).type))

    def _others(self) -> list[str]:
        """The columns that hold no label, weight, prediction or key."""
        used = _no_features(self.plan.config)
        return [name for name in self.batch.schema.names if name not in used]

    def _extracts(self, rows: pa.RecordBatch) -> Extracts:
        """What the extractors make of rows, but for predictions and slices."""
        extracts: Extracts = {"features": rows}
        for stage in self.extractors:
            if not isinstance(stage, (PredictionsExtractor, SliceKeyExtractor)):
                extracts = stage.extract(extracts)
        return self._predictions.numbers.numbered(extracts)

    def _labels(self, rows: pa.RecordBatch, target: Target) -> Any:
        """The labels, None where they are no numbers; text is numbered as the model's classes are."""
        return _array(self._extracts(rows)["labels"].get(target))

    def _training(self, target: Target) -> tuple[pa.RecordBatch, Any] | None:
        """The rows of smallest hash of the training examples, with their labels."""
        options = self.plan.config.debugging
        assert options is not None
        dataset = self.training.dataset
        names = [name for name in dataset.names if name in self.batch.schema.names]
        keeper, state = ProbeRowsEvaluator(options.rows), None
        for batch in dataset.prepared(names).batches(names, number=True):
            rows = batch.drop_columns([ROW_NUMBER])
            kept = ProbeRows.of(batch.column(ROW_NUMBER), rows, options.rows)
            state = keeper.merge(state, kept)
        if state is None:
            return None
        return state.batch, self._labels(state.batch, target)


def _array(values: Any) -> Any:
    """Numbers, None where there are none."""
    return values if isinstance(values, np.ndarray) else None
