# SPDX-License-Identifier: Apache-2.0
"""Views of a batch: the rows that a metric sees of one model and output, weighted or not, as one class."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benison.data.batch import Array, Extracts, Index, Inputs, Mask, Seen, missing_rows
from benison.data.mixing import Numbers
from benison.errors import ConfigError, DataError
from benison.table.key import Key


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Which pairs of label and prediction a row has: those that the data have."""

    aggregation: ClassVar[str] = ""

    @property
    def sub_key(self) -> str:
        """`classId:1`, `k:2` or `topK:3` where the pairs are some of several, else ""."""
        return ""

    def of(self, inputs: Inputs) -> Seen:
        """The pairs; `origin` is the row of `inputs` behind each."""
        return Seen(inputs)


@dataclasses.dataclass(frozen=True)
class ClassOf(Pairs):
    """One class against the rest."""

    class_id: int

    @property
    def sub_key(self) -> str:
        return f"classId:{self.class_id}"

    def of(self, inputs: Inputs) -> Seen:
        labels, predictions = _by_class(inputs, f"Class {self.class_id} of binarize.class_ids")
        if self.class_id >= predictions.shape[1]:
            raise DataError(
                f"Class {self.class_id} of binarize.class_ids is not among the predictions, of which "
                f"a row has {predictions.shape[1]}: classes are counted from 0."
            )
        column = self.class_id
        return Seen(_replaced(inputs, labels[:, column], predictions[:, column]))


@dataclasses.dataclass(frozen=True)
class BoxesOf(Pairs):
    """The boxes of each image, of which a metric takes those of one class itself."""

    class_id: int

    @property
    def sub_key(self) -> str:
        return f"classId:{self.class_id}"


@dataclasses.dataclass(frozen=True)
class Kth(Pairs):
    """The prediction with the k-th highest score, counted from 1, against its label; ties in order."""

    k: int

    @property
    def sub_key(self) -> str:
        return f"k:{self.k}"

    def of(self, inputs: Inputs) -> Seen:
        labels, predictions = _by_class(inputs, f"k={self.k} of binarize.k_list")
        kth = _ranked(predictions, self.k)[:, self.k - 1 : self.k]
        columns = (np.take_along_axis(x, kth, axis=1)[:, 0] for x in (labels, predictions))
        return Seen(_replaced(inputs, *columns))


@dataclasses.dataclass(frozen=True)
class TopK(Pairs):
    """Every class is a row; a score that is not among the k highest is -inf, so never above a threshold."""

    k: int

    @property
    def sub_key(self) -> str:
        return f"topK:{self.k}"

    def of(self, inputs: Inputs) -> Seen:
        labels, predictions = _by_class(inputs, f"k={self.k} of binarize.top_k_list")
        top = np.full(predictions.shape, -np.inf)
        best = _ranked(predictions, self.k)[:, : self.k]
        np.put_along_axis(top, best, np.take_along_axis(predictions, best, axis=1), axis=1)
        return _flat(inputs, labels, top, None)


@dataclasses.dataclass(frozen=True)
class ClassAmongTopK(ClassOf):
    """One class against the rest; its score is -inf in rows where it is not among the k highest."""

    k: int

    @property
    def sub_key(self) -> str:
        return f"{super().sub_key} topK:{self.k}"

    def of(self, inputs: Inputs) -> Seen:
        seen = super().of(inputs)
        _, predictions = _by_class(inputs, f"k={self.k} of binarize.top_k_list")
        mine = predictions[:, self.class_id]
        among = (_ranked(predictions, self.k)[:, : self.k] == self.class_id).any(axis=1)
        scores = np.where(among | np.isnan(mine), mine, -np.inf)
        return Seen(_replaced(inputs, seen.inputs.labels, scores))


@dataclasses.dataclass(frozen=True)
class Flattened(Pairs):
    """Micro average: every pair of a row and a class is a row, weighted by its class."""

    aggregation: ClassVar[str] = "micro_average"

    class_weights: tuple[tuple[int, float], ...] = ()
    """Weights by class; a class that is not there weighs 0. Without any, all weigh 1."""
    top_k: int | None = None
    """Only the classes with the k highest scores are rows."""

    @property
    def sub_key(self) -> str:
        return "" if self.top_k is None else f"topK:{self.top_k}"

    def of(self, inputs: Inputs) -> Seen:
        labels, predictions = _by_class(inputs, "aggregate.micro_average")
        if self.top_k is not None:
            best = _ranked(predictions, self.top_k)[:, : self.top_k]
            labels, predictions = (np.take_along_axis(x, best, 1) for x in (labels, predictions))
        return _flat(inputs, labels, predictions, self._weights(predictions.shape[1]))

    def _weights(self, classes: int) -> Array | None:
        if not self.class_weights:
            return None
        weights = np.zeros(classes)
        for class_id, weight in self.class_weights:
            if class_id >= classes:
                raise DataError(
                    f"aggregate.class_weights names the class {class_id}, and a row has {classes} "
                    "predictions: classes are counted from 0."
                )
            weights[class_id] = weight
        return weights


def _by_class(inputs: Inputs, what: str) -> tuple[Array, Array]:
    """Labels and predictions by class, both float64[N, C]; labels may be class numbers.

    Raises:
        DataError: There is no prediction for each class, or labels do not fit them.
    """
    predictions, labels = inputs.predictions, inputs.labels
    if not isinstance(predictions, np.ndarray) or predictions.ndim != 2:
        shape = getattr(predictions, "shape", "of lists")
        raise DataError(f"{what} needs a prediction for each class; the predictions are {shape}.")
    if not isinstance(labels, np.ndarray):
        raise DataError(
            f"{what} needs labels that are numbers: the place of the label's class, from 0, or a number "
            "for each class. Name such a column as label_key."
        )
    if labels.ndim == 2:
        if labels.shape != predictions.shape:
            raise DataError(
                f"Labels of {labels.shape[1]} classes do not fit predictions of {predictions.shape[1]}."
            )
        return labels, predictions
    _check_class_numbers(labels, predictions.shape[1])
    by_class = (labels[:, None] == np.arange(predictions.shape[1])).astype(np.float64)
    by_class[np.isnan(labels)] = np.nan
    return by_class, predictions


def _check_class_numbers(labels: Array, classes: int) -> None:
    """Refuse labels that are no class, as where classes are counted from 1; -1 stands for none of them."""
    wrong = labels[(labels >= classes) | (labels < -1) | (labels != np.floor(labels))]
    wrong = wrong[~np.isnan(wrong)]
    if len(wrong):
        raise DataError(
            f"Labels must be class numbers from 0 to {classes - 1}, as there are {classes} predictions in a "
            f"row, or -1 for none of the classes; a label is {wrong[0]:g}."
        )


def _ranked(predictions: Array, k: int) -> Index:
    """The classes of each row from the highest score down: int64[N, C]."""
    if k > predictions.shape[1]:
        raise DataError(f"A row has {predictions.shape[1]} predictions, so there is no {k}-th one.")
    return np.argsort(-predictions, axis=1, kind="stable")


def _replaced(inputs: Inputs, labels: Any, predictions: Any) -> Inputs:
    return dataclasses.replace(inputs, labels=labels, predictions=predictions)


def _flat(inputs: Inputs, labels: Array, predictions: Array, factors: Array | None) -> Seen:
    """A row for each row and class; those of weight 0 are left out."""
    rows, classes = predictions.shape
    origin = np.repeat(np.arange(rows), classes)
    repeated = inputs.take(origin)
    weights = repeated.weights
    if factors is not None:
        weights = np.tile(factors, rows) * (1.0 if weights is None else weights)
    flat = dataclasses.replace(
        repeated, labels=labels.ravel(), predictions=predictions.ravel(), weights=weights
    )
    if factors is None or factors.all():
        return Seen(flat, origin)
    kept = np.flatnonzero(np.tile(factors != 0, rows))
    return Seen(flat.take(kept), origin[kept])


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
        pairs = self._pairs_of(rows)
        origin = pairs.origin if kept is None else kept
        if kept is not None and pairs.origin is not None:
            origin = kept[pairs.origin]
        return Seen(pairs.inputs, origin, self._evaluated(rows, kept))

    def _pairs_of(self, rows: Inputs) -> Seen:
        """The pairs, and of the baseline's predictions those that belong to the same classes."""
        seen = self.pairs.of(rows)
        if rows.baseline is None:
            return seen
        other = self.pairs.of(_replaced(rows, rows.baseline, rows.predictions)).inputs.labels
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
        return Inputs(*pair, weights, batch, None, groups, baseline, _numbers(extracts))

    def _kept(self, inputs: Inputs) -> Index | None:
        """The rows with a label and a query, where they matter, and a weight; None is all."""
        dropped: Mask | None = missing_rows(inputs.labels) if self.labelled else None
        if inputs.groups is not None and inputs.groups.null_count:
            queryless = inputs.groups.is_null().to_numpy(zero_copy_only=False)
            dropped = queryless if dropped is None else dropped | queryless
        if inputs.weights is not None:
            weightless = inputs.weights == 0
            dropped = weightless if dropped is None else dropped | weightless
        return None if dropped is None or not dropped.any() else np.flatnonzero(~dropped)

    def _evaluated(self, rows: Inputs, kept: Index | None) -> Index | None:
        """The batch rows that count as evaluated: those with a prediction, where it matters."""
        missing = missing_rows(rows.predictions) if self.scored else np.zeros(0, np.bool_)
        if not missing.any():
            return kept
        present = np.flatnonzero(~missing)
        return present if kept is None else kept[present]


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
