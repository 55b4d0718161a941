# SPDX-License-Identifier: Apache-2.0
"""Metrics and losses of Keras that are the weighted mean of a function of the row.

In formulas y is the label and p the prediction; sums run over the classes of a row. A row with several
outputs has the mean over these, unless the formula runs over them. A value is NaN without weight, and where
a prediction is missing. Values are those of Keras, in float64. Sources are Keras' own pages, and Lin et al.,
"Focal loss for dense object detection", 2017, for the focal cross-entropies.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from benison.data.batch import Array, Inputs
from benison.metrics.base import Metric, Statistic, ratio
from benison.metrics.classification import (
    CLIP,
    BinaryEntropy,
    check_not_negative,
    class_scores,
    log_probabilities,
)
from benison.metrics.pairing import one_hot, pairs
from benison.metrics.registry import HIGHER, LOWER, About, register
from benison.metrics.regression import error
from benison.metrics.statistics.sums import Arrays, Mean


@dataclasses.dataclass(frozen=True)
class PerRowMean(Metric):
    """The weighted mean of what calling the metric gives for each row of a batch."""

    name: str = ""

    def __call__(self, inputs: Inputs) -> Array:
        """The function of the row: float64[N], or float64[N, C] for several outputs."""
        raise NotImplementedError

    def statistics(self) -> tuple[Statistic[Arrays], ...]:
        # Without the name, so that metrics of other names share the sums.
        return (Mean(dataclasses.replace(self, name="")),)

    def result(self, mean: Arrays) -> Array:
        return ratio(*mean)


def _signed(labels: Array) -> Array:
    """Labels of 0 and 1 as -1 and 1; those of -1 and 1 stay."""
    return np.where(labels == 0, -1.0, labels)


@dataclasses.dataclass(frozen=True)
class Hinge(PerRowMean):
    """Mean of max(1 - y p, 0), where the label 0 counts as -1; from 0 (best) up.

    >>> Hinge().of(Inputs.of([1, 0], [0.5, -2.0]))
    0.25
    """

    name: str = "hinge"

    def __call__(self, inputs: Inputs) -> Array:
        labels, p = pairs(inputs)
        return np.maximum(1 - _signed(labels) * p, 0)


@dataclasses.dataclass(frozen=True)
class SquaredHinge(Hinge):
    """Mean of max(1 - y p, 0)^2, where the label 0 counts as -1; from 0 (best) up.

    >>> SquaredHinge().of(Inputs.of([1, 0], [0.5, -2.0]))
    0.125
    """

    name: str = "squared_hinge"

    def __call__(self, inputs: Inputs) -> Array:
        return np.square(super().__call__(inputs))


@dataclasses.dataclass(frozen=True)
class LogCosh(PerRowMean):
    """Mean of ln cosh(p - y), about half the squared error near 0, the absolute one far; from 0 (best) up.

    >>> round(LogCosh().of(Inputs.of([1.0, 0.0], [2.0, 0.0])), 6)
    0.21689
    """

    name: str = "log_cosh"

    def __call__(self, inputs: Inputs) -> Array:
        distance = np.abs(error(inputs))
        # cosh itself overflows at 710.
        return np.asarray(distance + np.log1p(np.exp(-2 * distance)) - np.log(2))


@dataclasses.dataclass(frozen=True)
class LogCoshError(LogCosh):
    """Mean of ln cosh(p - y), Keras' metric of the loss LogCosh; from 0 (best) up.

    >>> round(LogCoshError().of(Inputs.of([1.0, 0.0], [2.0, 0.0])), 6)
    0.21689
    """

    name: str = "log_cosh_error"


@dataclasses.dataclass(frozen=True)
class Huber(PerRowMean):
    """Mean of (y - p)^2 / 2 up to the distance delta, delta (|y - p| - delta / 2) beyond; from 0 (best) up.

    >>> Huber(delta=1.0).of(Inputs.of([1.0, 0.0], [4.0, 1.0]))
    1.5
    """

    delta: float = 1.0
    name: str = "huber"

    def __post_init__(self) -> None:
        if not self.delta > 0:
            raise ValueError(f"delta must be a distance above 0, not {self.delta!r}")

    def __call__(self, inputs: Inputs) -> Array:
        distance = np.abs(error(inputs))
        far = self.delta * (distance - self.delta / 2)
        return np.where(distance <= self.delta, np.square(distance) / 2, far)


@dataclasses.dataclass(frozen=True)
class Poisson(PerRowMean):
    """Mean of p - y ln(p + 1e-7), the Poisson loss of a predicted count; lower is better.

    NaN where a prediction is below 0.

    >>> Poisson().of(Inputs.of([0.0, 0.0], [2.0, 1.0]))
    1.5
    """

    name: str = "poisson"

    def __call__(self, inputs: Inputs) -> Array:
        labels, p = pairs(inputs)
        with np.errstate(invalid="ignore"):
            return np.asarray(p - labels * np.log(p + CLIP))


@dataclasses.dataclass(frozen=True)
class MeanRelativeError(PerRowMean):
    """Mean of |y - p| / normalizer; from 0 (best) up.

    `normalizer` is a number, or one for each output; where it is 0 the error counts as 0, as in Keras.

    >>> MeanRelativeError(normalizer=2.0).of(Inputs.of([1.0, 3.0], [2.0, 3.0]))
    0.25
    """

    normalizer: float | Sequence[float] = dataclasses.field(kw_only=True)
    name: str = "mean_relative_error"

    def __post_init__(self) -> None:
        values = np.atleast_1d(np.asarray(self.normalizer, np.float64))
        object.__setattr__(self, "normalizer", tuple(values.tolist()))

    def __call__(self, inputs: Inputs) -> Array:
        of = np.array(self.normalizer)
        inverse = np.divide(1.0, of, out=np.zeros_like(of), where=of != 0)
        return np.asarray(np.abs(error(inputs)) * (inverse[0] if len(inverse) == 1 else inverse))


@dataclasses.dataclass(frozen=True)
class BinaryFocalCrossentropy(PerRowMean):
    """Mean of the binary cross-entropy times (1 - q)^gamma, where q is the probability of the label.

    From 0 (best) up; gamma = 0 is the cross-entropy itself. With `apply_class_balancing` positives weigh
    alpha and negatives 1 - alpha.

    >>> round(BinaryFocalCrossentropy(gamma=0.0).of(Inputs.of([1, 0], [0.8, 0.4])), 6)
    0.366985
    """

    apply_class_balancing: bool = False
    alpha: float = 0.25
    gamma: float = 2.0
    from_logits: bool = False
    label_smoothing: float = 0.0
    name: str = "binary_focal_crossentropy"

    def __call__(self, inputs: Inputs) -> Array:
        entropy = BinaryEntropy(self.from_logits, self.label_smoothing)(inputs)
        labels, p = pairs(inputs)
        labels = labels * (1 - self.label_smoothing) + self.label_smoothing / 2
        with np.errstate(over="ignore"):
            p = 1 / (1 + np.exp(-p)) if self.from_logits else p
        focal = (labels * (1 - p) + (1 - labels) * p) ** self.gamma * entropy
        balance = labels * self.alpha + (1 - labels) * (1 - self.alpha)
        return np.asarray(focal * balance if self.apply_class_balancing else focal)


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
    `alpha` is a number, or one for each class.

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
        values = np.atleast_1d(np.asarray(self.alpha, np.float64))
        object.__setattr__(self, "alpha", tuple(values.tolist()))

    def __call__(self, inputs: Inputs) -> Array:
        labels, scores = self.of_classes(inputs)
        labels = labels * (1 - self.label_smoothing) + self.label_smoothing / scores.shape[1]
        logs = np.clip(log_probabilities(scores, self.from_logits), np.log(CLIP), np.log1p(-CLIP))
        factor = np.array(self.alpha) * (1 - np.exp(logs)) ** self.gamma
        return np.asarray(-(factor * labels * logs).sum(axis=1))


@dataclasses.dataclass(frozen=True)
class CategoricalHinge(ClassesMean):
    """Mean of max(1 + max((1 - y) p) - sum y p, 0), the margin of the labelled class; from 0 (best) up.

    >>> CategoricalHinge().of(Inputs.of([1], [[0.25, 0.5, 0.25]]))
    0.75
    """

    name: str = "categorical_hinge"

    def __call__(self, inputs: Inputs) -> Array:
        labels, scores = self.of_classes(inputs)
        other = ((1 - labels) * scores).max(axis=1)
        margin: Array = np.maximum(1 + other - (labels * scores).sum(axis=1), 0)
        return margin


@dataclasses.dataclass(frozen=True)
class KLDivergence(ClassesMean):
    """Mean of sum y ln(y / p), both clipped to [1e-7, 1], in nats; from 0 (best) up for distributions.

    Source: Kullback and Leibler, "On information and sufficiency", Annals of Mathematical Statistics 22,
    1951.

    >>> round(KLDivergence().of(Inputs.of([[0.5, 0.5]], [[0.25, 0.75]])), 6)
    0.143841
    """

    name: str = "kl_divergence"

    def __call__(self, inputs: Inputs) -> Array:
        labels, scores = self.of_classes(inputs)
        check_not_negative(scores)
        labels, p = (np.clip(x, CLIP, 1) for x in (labels, scores))
        return np.asarray((labels * np.log(labels / p)).sum(axis=1))


@dataclasses.dataclass(frozen=True)
class CosineSimilarity(ClassesMean):
    """Mean of sum y p / (|y| |p|), the cosine of label and prediction; from -1 to 1, higher is better.

    A row whose label or prediction is all zeros counts 0, as in Keras and scikit-learn.

    >>> round(CosineSimilarity().of(Inputs.of([[3.0, 4.0]], [[4.0, 3.0]])), 6)
    0.96
    """

    name: str = "cosine_similarity"

    def __call__(self, inputs: Inputs) -> Array:
        labels, p = self.of_classes(inputs)
        return cosine(labels, p)


def cosine(a: Array, b: Array) -> Array:
    """The cosine of the rows of two float64[N, C]; 0 for a row of zeros, NaN for one with NaN: float64[N]."""
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    products: Array = (a * b).sum(axis=1)
    return np.asarray(np.divide(products, lengths, out=lengths * 0, where=lengths != 0))


@dataclasses.dataclass(frozen=True)
class TopKCategoricalAccuracy(ClassesMean):
    """Share of rows of which fewer than k classes score above the label's; from 0 to 1, higher is better.

    Classes that tie with the label's do not count against it.

    >>> scores = [[0.1, 0.8, 0.1], [0.2, 0.3, 0.5]]
    >>> TopKCategoricalAccuracy(k=2).of(Inputs.of([0, 0], scores))
    0.5
    """

    k: int = 5
    name: str = "top_k_categorical_accuracy"

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


for _loss in (
    BinaryFocalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalHinge,
    Hinge,
    Huber,
    KLDivergence,
    LogCosh,
    LogCoshError,
    MeanRelativeError,
    SquaredHinge,
):
    register(_loss.__name__, _loss, About.of(_loss, LOWER, 0))
register("Poisson", Poisson, About.of(Poisson, LOWER))
register("CosineSimilarity", CosineSimilarity, About.of(CosineSimilarity, HIGHER, -1, 1))
for _top_k in (TopKCategoricalAccuracy, SparseTopKCategoricalAccuracy):
    register(_top_k.__name__, _top_k, About.of(_top_k, HIGHER, 0, 1))
