# SPDX-License-Identifier: Apache-2.0
"""Metrics and losses of Keras that are the weighted mean of a function of a row's scores of classes.

In formulas y is the label of a class and p its score; sums run over the classes of a row. Values are those
of Keras, in float64; NaN without weight, and where a prediction is missing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import cast

import numpy as np

from benison.data.batch import Array, Inputs
from benison.errors import DataError
from benison.metrics.classification import CLIP, check_not_negative, class_scores, log_probabilities
from benison.metrics.pairing import ROUNDING, excess, numbers_per_column, one_hot
from benison.metrics.parameters import check_share, not_negative
from benison.metrics.registry import HIGHER, LOWER, About, register
from benison.metrics.row_means import PerRowMean


@dataclasses.dataclass(frozen=True)
class ClassesMean(PerRowMean):
    """A mean over rows that have a score for each class; labels are class numbers or one number for each."""

    accepts = frozenset({"classes"})

    def of_classes(self, inputs: Inputs) -> tuple[Array, Array]:
        """Labels and scores, both float64[N, C]."""
        scores = class_scores(inputs)
        return one_hot(inputs.labels, scores.shape[1]), scores


@dataclasses.dataclass(frozen=True)
class CategoricalFocalCrossentropy(ClassesMean):
    """Mean of -sum alpha (1 - p)^gamma y ln p; from 0 (best) up.

    The scores of a row are divided by their sum and clipped to [1e-7, 1 - 1e-7], unless they are logits.
    NaN without weight, and where a prediction is missing.

    Attributes:
        alpha: What all classes weigh, from 0 up, or a weight for each.
        gamma: How much less rows count that are right already, from 0 up; 0 is not at all.
        from_logits: Whether scores are logits and not probabilities.
        label_smoothing: The share of each label that is spread over all classes, from 0 to 1.
        name: The metric's name in the results.

    >>> rows = Inputs.of([1, 2], [[0.1, 0.8, 0.1], [0.2, 0.2, 0.6]])
    >>> round(CategoricalFocalCrossentropy(alpha=1.0, gamma=0.0).of(rows), 6)
    0.366985
    """

    alpha: float | Sequence[float] = 0.25
    gamma: float = 2.0
    from_logits: bool = False
    label_smoothing: float = 0.0
    name: str = "categorical_focal_crossentropy"

    def __post_init__(self) -> None:
        object.__setattr__(self, "alpha", not_negative("alpha", self.alpha))
        check_share("label_smoothing", self.label_smoothing)
        not_negative("gamma", self.gamma)

    def __call__(self, inputs: Inputs) -> Array:
        labels, scores = self.of_classes(inputs)
        labels = labels * (1 - self.label_smoothing) + self.label_smoothing / scores.shape[1]
        logs = np.clip(log_probabilities(scores, self.from_logits), np.log(CLIP), np.log1p(-CLIP))
        alpha = numbers_per_column("alpha", cast("tuple[float, ...]", self.alpha), scores)
        factor = alpha * (1 - np.exp(logs)) ** self.gamma
        return np.asarray(-(factor * labels * logs).sum(axis=1))


@dataclasses.dataclass(frozen=True)
class CategoricalHinge(ClassesMean):
    """Mean of max(1 + max((1 - y) p) - sum y p, 0), the margin of the labelled class; from 0 (best) up.

    The labelled class itself counts as 0 in the inner maximum, as in Keras: the value is 0 where the labelled
    class scores at least 1 more than every other one and than 0. NaN without weight, and where a prediction
    is missing.

    Source: Crammer and Singer, "On the algorithmic implementation of multiclass kernel-based vector
    machines", Journal of Machine Learning Research 2, 2001.

    >>> CategoricalHinge().of(Inputs.of([1], [[0.25, 0.5, 0.25]]))
    0.75
    """

    name: str = "categorical_hinge"

    def __call__(self, inputs: Inputs) -> Array:
        labels, scores = self.of_classes(inputs)
        other = ((1 - labels) * scores).max(axis=1)
        margin: Array = np.maximum(1 + other - (labels * scores).sum(axis=1), 0)
        return margin


def _check_shares(labels: Array, scores: Array) -> None:
    """Refuse what is no share: percentages would make a loss that is lower than that of any probabilities.

    Raises:
        DataError: A label or a score lies outside of [0, 1] by more than rounding.
    """
    check_not_negative(scores)
    for what, values in (("label", labels), ("score", scores)):
        farthest = np.fmax.reduce(excess(values), axis=None, initial=0.0)
        if farthest > ROUNDING:
            raise DataError(
                f"Labels and probabilities of classes are in [0, 1]; a {what} is {farthest:g} outside. "
                f"Let the model return probabilities."
            )


@dataclasses.dataclass(frozen=True)
class CategoricalGeneralizedCrossEntropy(ClassesMean):
    """Mean of (1 - (sum y p)^q) / q, the cross-entropy for q near 0; from 0 (best) to 1 / q.

    The larger q is, the less a row counts whose label may be wrong. NaN without weight, and where a
    prediction is missing; scores outside of [0, 1] are refused.

    Source: Zhang and Sabuncu, "Generalized cross entropy loss for training deep neural networks with noisy
    labels", NeurIPS 2018.

    Attributes:
        q: Above 0 and below 1.
        name: The metric's name in the results.

    >>> round(CategoricalGeneralizedCrossEntropy().of(Inputs.of([1], [[0.75, 0.25]])), 6)
    1.0
    """

    q: float = 0.5
    name: str = "categorical_generalized_cross_entropy"

    def __post_init__(self) -> None:
        if not 0 < self.q < 1:
            raise ValueError(f"q must be a number above 0 and below 1, not {self.q!r}")

    def __call__(self, inputs: Inputs) -> Array:
        labels, scores = self.of_classes(inputs)
        _check_shares(labels, scores)
        return np.asarray((1 - (labels * scores).sum(axis=1) ** self.q) / self.q)


@dataclasses.dataclass(frozen=True)
class KLDivergence(ClassesMean):
    """Mean of sum y ln(y / p), both clipped to [1e-7, 1], in nats; from 0 (best) up for distributions.

    As in Keras it may be below 0 where the scores of a row sum up to more than its labels. Labels and scores
    outside of [0, 1] are refused.

    Source: Kullback and Leibler, "On information and sufficiency", Annals of Mathematical Statistics 22,
    1951.

    >>> round(KLDivergence().of(Inputs.of([[0.5, 0.5]], [[0.25, 0.75]])), 6)
    0.143841
    """

    name: str = "kl_divergence"

    def __call__(self, inputs: Inputs) -> Array:
        labels, scores = self.of_classes(inputs)
        _check_shares(labels, scores)
        labels, p = (np.clip(x, CLIP, 1) for x in (labels, scores))
        return np.asarray((labels * np.log(labels / p)).sum(axis=1))


@dataclasses.dataclass(frozen=True)
class CosineSimilarity(ClassesMean):
    """Mean of sum y p / (|y| |p|), the cosine of label and prediction; from -1 to 1, higher is better.

    A row whose label or prediction is all zeros counts 0, as in Keras and scikit-learn. Class numbers as
    labels are one-hot vectors. NaN without weight, and where a prediction is missing.

    >>> round(CosineSimilarity().of(Inputs.of([[3.0, 4.0]], [[4.0, 3.0]])), 6)
    0.96
    """

    name: str = "cosine_similarity"

    def __call__(self, inputs: Inputs) -> Array:
        labels, p = self.of_classes(inputs)
        return cosine(labels, p)


def cosine(a: Array, b: Array) -> Array:
    """The cosine of the rows of two float64[N, C]; 0 for a row of zeros, NaN for one with NaN: float64[N]."""
    a, b = _in_own_unit(a), _in_own_unit(b)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    products: Array = (a * b).sum(axis=1)
    return np.asarray(np.divide(products, lengths, out=lengths * 0, where=lengths != 0))


def _in_own_unit(vectors: Array) -> Array:
    """Rows with 1/2 to 1 as largest number, so that squares are floats; powers of two change no digits."""
    _, powers = np.frexp(np.abs(vectors).max(axis=1, initial=0.0, keepdims=True))
    return np.asarray(np.ldexp(vectors, -powers))


@dataclasses.dataclass(frozen=True)
class TopKCategoricalAccuracy(ClassesMean):
    """Share of rows of which fewer than k classes score above the label's; from 0 to 1, higher is better.

    Classes that tie with the label's do not count against it. NaN without weight, and where a prediction is
    missing.

    Attributes:
        k: How many classes are the top; all rows are right from the number of classes on.
        name: The metric's name in the results.

    >>> scores = [[0.1, 0.8, 0.1], [0.2, 0.3, 0.5]]
    >>> TopKCategoricalAccuracy(k=2).of(Inputs.of([0, 0], scores))
    0.5
    """

    k: int = 5
    name: str = "top_k_categorical_accuracy"
    is_share = True

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ValueError(f"k must be a number of classes from 1 up, not {self.k!r}")

    def __call__(self, inputs: Inputs) -> Array:
        labels, scores = self.of_classes(inputs)
        own = np.take_along_axis(scores, labels.argmax(axis=1)[:, None], axis=1)
        above = (scores > own).sum(axis=1)
        return np.where(np.isnan(scores).any(axis=1), np.nan, above < self.k)


@dataclasses.dataclass(frozen=True)
class SparseTopKCategoricalAccuracy(TopKCategoricalAccuracy):
    """Share of rows of which fewer than k classes score above the label's; from 0 to 1, higher is better.

    The same as TopKCategoricalAccuracy, under Keras' name for class numbers as labels.

    >>> SparseTopKCategoricalAccuracy(k=1).of(Inputs.of([1, 0], [[0.1, 0.9], [0.2, 0.8]]))
    0.5
    """

    name: str = "sparse_top_k_categorical_accuracy"


def _register_losses() -> None:
    for loss in (
        CategoricalFocalCrossentropy,
        CategoricalGeneralizedCrossEntropy,
        CategoricalHinge,
    ):
        register(loss.__name__, loss, About.of(loss, LOWER, 0))


_register_losses()
register("KLDivergence", KLDivergence, About.of(KLDivergence, LOWER))
register("CosineSimilarity", CosineSimilarity, About.of(CosineSimilarity, HIGHER, -1, 1))


def _register_top_k() -> None:
    for top_k in (TopKCategoricalAccuracy, SparseTopKCategoricalAccuracy):
        register(top_k.__name__, top_k, About.of(top_k, HIGHER, 0, 1))


_register_top_k()
