# SPDX-License-Identifier: Apache-2.0
"""Views of a batch: the rows that a metric sees of one model and output, weighted or not, as one class."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benison.data.batch import (
    Extracts,
    Index,
    Inputs,
    Mask,
    Seen,
    Target,
    joined_name,
    missing_rows,
)
from benison.data.mixing import Numbers
from benison.engine.pairs import Pairs, columns, replaced
from benison.errors import ConfigError, DataError
from benison.table.key import Key


@dataclasses.dataclass(frozen=True)
class View:
    """What a metric sees of a batch; metrics with equal views share statistics."""

    model: str = ""
    output: str = ""
    weighted: bool = False
    pairs: Pairs = Pairs()
    variant: str = ""
    query_key: str = ""
    labelled: bool = True
    """Whether rows without a label are left out, as for every metric that looks at labels."""
    baseline: str | None = None
    """The model whose predictions a metric looks at beside this one's; None for none. The model itself means
    its predictions on the unchanged examples, beside those of a variant."""
    scored: bool = True
    """Whether a row without a prediction makes a value undefined and does not count as evaluated."""
    label_names: tuple[str, ...] = ()
    """Labels that a metric reads by name; a row that lacks one is left out as one without a label."""
    prediction_names: tuple[str, ...] = ()
    """Predictions that it reads by name, of which a row that lacks one lacks a prediction."""

    def key(self, metric: str) -> Key:
        """The key of a metric's value through this view."""
        return Key(
            metric,
            self.model,
            self.output,
            "",
            self.variant,
            self.pairs.sub_key,
            self.pairs.aggregation,
            self.weighted,
        )

    def seen(self, extracts: Extracts) -> Seen:
        """The rows of one batch that enter a value.

        A row without a label is in no value that looks at labels, one without a query in none that looks at
        queries, and a row of weight 0 in no weighted one, whatever it holds. A missing prediction stays NaN
        and makes the values of its slices NaN, because a model that answers nothing is not a good one.
        """
        inputs = self._inputs(extracts)
        kept = self._kept(inputs)
        rows = inputs if kept is None else inputs.take(kept)
        pairs = _that_weigh(self._pairs_of(rows))
        origin = pairs.origin if kept is None else kept
        if kept is not None and pairs.origin is not None:
            origin = kept[pairs.origin]
        return Seen(pairs.inputs, origin, self._evaluated(rows, kept))

    def missing_by_name(self, extracts: Extracts) -> dict[str, int]:
        """How many rows of a batch lack each of the labels and predictions that are read by name."""
        if self.variant or not (self.label_names or self.prediction_names):
            return {}
        inputs = self._inputs(extracts)
        lacks = {"labels": inputs.lacks_labels, "predictions": inputs.lacks_predictions}
        names = {"labels": self.label_names, "predictions": self.prediction_names}
        return {
            joined_name(role, self.model, self.output, name): int(lacks[role]([name]).sum())
            for role in names
            for name in names[role]
        }

    def _pairs_of(self, rows: Inputs) -> Seen:
        """The pairs, and of the baseline's predictions those that belong to the same classes."""
        seen = self.pairs.of(rows)
        if rows.baseline is None:
            return seen
        baseline = replaced(rows, rows.baseline, rows.predictions, None)
        other = self.pairs.of(baseline).inputs.labels
        return dataclasses.replace(seen, inputs=dataclasses.replace(seen.inputs, baseline=other))

    def _inputs(self, extracts: Extracts) -> Inputs:
        target, batch = (self.model, self.output), extracts["features"]
        nothing = np.full(batch.num_rows, np.nan)
        predictions = extracts.get("predictions", {})
        if self.variant:
            predictions = extracts["variants"][self.variant]
        weights = extracts.get("example_weights", {}).get(target) if self.weighted else None
        labels = extracts.get("labels", {}).get(target, nothing)
        groups = None if not self.query_key else _texts(batch, self.query_key)
        pair = _of_same_width(labels, predictions.get(target, nothing))
        baseline = None
        if self.baseline is not None:
            others = extracts.get("predictions", {})
            other = others.get((self.baseline, self.output), nothing)
            baseline = _of_same_width(pair[1], other)[1]
        parts = (
            self._part(extracts, "labels", self.labelled),
            self._part(extracts, "predictions", self.scored),
        )
        is_called = ("outputs", self.model, "", self.variant) in extracts.get("parts", {})
        numbers = _numbers(extracts)
        return Inputs(*pair, weights, batch, None, groups, baseline, numbers, *parts, is_called)

    def _part(self, extracts: Extracts, role: str, is_needed: bool) -> pa.RecordBatch | None:
        """What labels or predictions hold by name; None for nothing.

        Raises:
            DataError: They hold nothing else, and a metric looks at them as a whole.
        """
        variant = self.variant if role == "predictions" else ""
        all_held = extracts.get("parts", {})
        held = all_held.get((role, self.model, self.output, variant))
        if role == "predictions":
            held = all_held.get(("outputs", self.model, "", variant), held)
        whole: dict[Target, Any] = extracts.get(role, {})  # type: ignore[assignment]
        if is_needed and held is not None and (self.model, self.output) not in whole:
            names = ", ".join(repr(name) for name in held.schema.names[:12])
            raise DataError(
                f"The {role} are structs of {names}, and a metric needs one of these. Make it a column"
                f"{', or call it scores' if role == 'predictions' else ''}."
            )
        return held

    def _kept(self, inputs: Inputs) -> Index | None:
        """The rows with a label and a query, where they matter, and a weight; None is all."""
        dropped: Mask | None = missing_rows(inputs.labels) if self.labelled else None
        if self.label_names:
            unlabelled = inputs.lacks_labels(self.label_names)
            dropped = unlabelled if dropped is None else dropped | unlabelled
        if inputs.groups is not None and inputs.groups.null_count:
            queryless = inputs.groups.is_null().to_numpy(zero_copy_only=False)
            dropped = queryless if dropped is None else dropped | queryless
        if inputs.weights is not None:
            weightless = (columns(inputs.weights) == 0).all(axis=1)
            dropped = weightless if dropped is None else dropped | weightless
        return None if dropped is None or not dropped.any() else np.flatnonzero(~dropped)

    def _evaluated(self, rows: Inputs, kept: Index | None) -> Index | None:
        """The batch rows that count as evaluated: those with a prediction, where it matters."""
        missing = rows.lacks_predictions(self.prediction_names)
        if self.scored:
            missing |= missing_rows(rows.predictions)
        if not missing.any():
            return kept
        present = np.flatnonzero(~missing)
        return present if kept is None else kept[present]


def _that_weigh(seen: Seen) -> Seen:
    """The pairs without those of weight 0, as a row may have beside others that weigh."""
    weights = seen.inputs.weights
    if weights is None or weights.all():
        return seen
    kept = np.flatnonzero(weights)
    return Seen(seen.inputs.take(kept), kept if seen.origin is None else seen.origin[kept])


def _of_same_width(labels: Any, predictions: Any) -> tuple[Any, Any]:
    """Both, with a NaN for each class where all rows of a batch lack the one of them."""
    shapes = [getattr(values, "shape", ()) for values in (labels, predictions)]
    if sorted(map(len, shapes)) == [1, 2]:
        if len(shapes[0]) == 1 and np.isnan(labels).all():
            labels = np.full(shapes[1], np.nan)
        elif len(shapes[1]) == 1 and np.isnan(predictions).all():
            predictions = np.full(shapes[0], np.nan)
    return labels, predictions


def _numbers(extracts: Extracts) -> Numbers | None:
    if "row_numbers" not in extracts:
        return None
    return np.asarray(extracts["row_numbers"].to_numpy(), np.uint64)


def _texts(batch: pa.RecordBatch, column: str) -> pa.Array:
    """The queries of the rows as text; null where a row has none."""
    values = batch.column(column)
    if pa.types.is_list(values.type):
        filled = pc.greater(pc.list_value_length(values), 0)
        values = pc.list_element(pc.if_else(filled, values, None), 0)
    return pc.if_else(pc.is_null(values, nan_is_null=True), None, values.cast(pa.string()))


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A value less that of another key, such as a candidate's less the baseline's."""

    kind: str
    baseline: str

    def base_of(self, key: Key) -> Key | None:
        """The key that is subtracted, or None where there is nothing to compare with."""
        return None if key.model == self.baseline else key.of_model(self.baseline)


@dataclasses.dataclass(frozen=True)
class Average:
    """The mean of a metric over other keys, such as over classes (macro average).

    `weights` are fixed, or `weighted_by` are the keys of the values that weigh, such as the weight of each
    class's positives. A NaN of one makes the mean NaN; so does a weight of 0 in all.
    """

    key: Key
    of: tuple[Key, ...]
    weights: tuple[float, ...]
    weighted_by: tuple[Key, ...] = ()

    def __post_init__(self) -> None:
        if not self.of:
            raise ConfigError("An average needs at least one value.")
