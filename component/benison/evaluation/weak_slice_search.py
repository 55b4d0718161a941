# SPDX-License-Identifier: Apache-2.0
"""Prepares the search for weak slices: which features, with which values, by which losses."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import suppress

from benison.config import WeakSliceOptions
from benison.config.weak_slice_options import CHANGE, FAIL
from benison.data.batch import Target
from benison.data.dataset import Dataset
from benison.data.widening import MisfitError
from benison.engine.clusters import widened
from benison.engine.plan import Plan
from benison.engine.workers import Workers
from benison.errors import ConfigError, DataError
from benison.weak_slices.code_books import CodeBook, code_books, holds_text, is_sliceable
from benison.weak_slices.losses import RowLoss, loss_of
from benison.weak_slices.sampled_rows import RowScan, SampledRows
from benison.weak_slices.weak_slices_evaluator import WeakSlicesEvaluator

_OF_NUMBERS = {"binary", "real"}


def weak_slice_stages(
    plan: Plan, dataset: Dataset, workers: Workers
) -> tuple[Plan, list[WeakSlicesEvaluator]]:
    """The stage that looks for weak slices, if the config asks for it and there is what to compare with.

    The config of the plan has the edges of the bins that are searched, for a run again.

    Raises:
        DataError: A feature is not a column of the data, or cannot be read.
    """
    options = plan.config.weak_slices
    if options is None or not _is_possible(plan, options):
        return plan, []
    if options.gate == FAIL and plan.config.options.certainty.cluster_key:
        raise ConfigError(
            "weak_slices.gate is fail and options.confidence.cluster_key says that rows depend on others, "
            "and the search takes them for independent. Let it warn, or take cluster_key out."
        )
    _check_named(options, dataset)
    features = searched_features(plan, dataset)
    labels = {key for m in plan.config.model_specs for key in m.columns_of("label").values()}
    columns = [*features, *sorted(labels & {*dataset.names} - {*features})]
    rows = _sampled(dataset, columns, features, workers)
    if rows is None:
        return plan, []
    if not options.features:
        features = [name for name in features if holds_text(rows.table.column(name))]
    least = max(options.min_examples, plan.config.options.min_slice_size)
    books = code_books(rows, features, least, options.depth, options.bins)
    if not books:
        return plan, []
    targets = _targets(plan)
    losses = tuple(_loss(plan, options, rows, *candidate) for candidate, _ in targets)
    updated = options.model_copy(update={"min_examples": least})
    stage = WeakSlicesEvaluator(updated, tuple(books), losses, targets, _alpha(plan))
    return _with_bins(plan, books), [stage]


def _loss(
    plan: Plan, options: WeakSliceOptions, rows: SampledRows, model: str, output: str
) -> RowLoss:
    """What an error is of an output, by its own labels and metrics."""
    (spec,) = (each for each in plan.config.candidate_specs if each.name == model)
    label = spec.label_key_for(output)
    known = rows.table.column(label) if label in rows.table.column_names else None
    metrics = [c.metric for c in plan.computations if c.key.output == output]
    about_classes = any(not metric.accepts & _OF_NUMBERS for metric in metrics)
    return loss_of(options.measure, known, about_classes, output)


def _with_bins(plan: Plan, books: Sequence[CodeBook]) -> Plan:
    """The plan whose config has the edges of bins."""
    edges = {book.feature: book.bins for book in books if book.bins}
    options = plan.config.weak_slices
    if options is None or not edges:
        return plan
    known = options.model_copy(update={"bins": {**options.bins, **edges}})
    config = plan.config.model_copy(update={"weak_slices": known})
    return dataclasses.replace(plan, config=config)


def searched_features(plan: Plan, dataset: Dataset) -> list[str]:
    """The columns of which slices are made, as far as their types tell; none where nothing is searched."""
    options = plan.config.weak_slices
    if options is None or not _is_possible(plan, options):
        return []
    return [*options.features] or sorted(_features(plan, dataset))


def _check_named(options: WeakSliceOptions, dataset: Dataset) -> None:
    """Refuse named features that cannot be sliced; of all others those are left out."""
    for name in sorted(options.bins.keys() - {*dataset.names}):
        raise DataError(f"weak_slices.bins names {name!r}, which is not a column of the data.")
    for name in options.features:
        kind = dataset.kind_of(name) if name in dataset.schema.names else None
        if kind is not None and not is_sliceable(kind):
            raise DataError(
                f"weak_slices names the feature {name!r}, which holds {kind}; its slices are not looked for. "
                "Leave it out, or give it as text or numbers."
            )


def _is_possible(plan: Plan, options: WeakSliceOptions) -> bool:
    return options.loss != CHANGE or plan.config.baseline_spec is not None


def _alpha(plan: Plan) -> float:
    """The share of false alarms, of which the checks of metrics have as much where it is a gate."""
    options = plan.config.weak_slices
    if options is not None and options.gate == FAIL:
        return plan.config.alpha
    return plan.config.options.certainty.alpha


def _features(plan: Plan, dataset: Dataset) -> Iterator[str]:
    """The columns that can be sliced, but for those that hold labels, predictions, weights or keys."""
    used = {key for m in plan.config.model_specs for key in m.columns(with_predictions=True)}
    used |= {spec.query_key for spec in plan.config.metrics_specs}
    used |= {plan.config.options.certainty.cluster_key, *plan.config.options.row_key}
    for name in dataset.schema.names:
        with suppress(DataError):  # of objects that are no values of any type
            if (
                name not in used
                and name not in dataset.refused
                and is_sliceable(dataset.kind_of(name))
            ):
                yield name


def _targets(plan: Plan) -> tuple[tuple[Target, Target], ...]:
    """The outputs of the candidates, each with that of the baseline."""
    baseline = plan.config.baseline_spec
    return tuple(
        ((spec.name, output), (spec.name if baseline is None else baseline.name, output))
        for spec in plan.config.candidate_specs
        for output in plan.outputs[spec.name]
    )


def _sampled(
    dataset: Dataset, columns: list[str], sliced: list[str], workers: Workers
) -> SampledRows | None:
    """The rows with the smallest hashes."""
    scan, known = RowScan(tuple(columns)), dataset.prepared(columns, sliced)
    if not workers.are_local and dataset.table is None:
        known = widened(known, columns, workers.cluster)
        rows: SampledRows | None = workers.cluster.summary(known.shards(), scan)
        return rows
    try:
        return scan.of_batches(known.batches(columns, number=True))
    except MisfitError as misfit:
        refitted = known.refitted(misfit.column, columns)
        return scan.of_batches(refitted.batches(columns, number=True))
