# SPDX-License-Identifier: Apache-2.0
"""Metrics of classes and probabilities: cross-entropies, and the share of right predictions.

In formulas y is the label, p the predicted probability, c a class. Cross-entropies are in nats.
Labels of C classes are class numbers from 0, float64[N], or one-hot, float64[N, C]; predictions
have a score for each class, float64[N, C]. Each value is the weighted mean over the rows of a slice
that have a label; NaN without weight, and where a prediction is missing.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any

import numpy as np

from benison.data.batch import Array, Inputs
from benison.errors import DataError
from benison.metrics.base import Metric, Statistic, ratio
from benison.metrics.confusion import snake_case
from benison.metrics.pairing import COMPARED, ROUNDING, check_equality, one_hot, pairs
from benison.metrics.parameters import check_share
from benison.metrics.registry import HIGHER, LOWER, About, register
from benison.metrics.statistics.sums import Arrays, Mean
from benison.slicing.codes import SliceCodes

CLIP = 1e-7  # Keras' epsilon: a wrong prediction of exactly 0 or 1 costs 16.1 nats, not infinity


@dataclasses.dataclass(frozen=True)
class BinaryEntropy:
    """The cross-entropy of each row and output, -y ln p - (1 - y) ln(1 - p).

    From log-odds z it is max(z, 0) - z y + ln(1 + exp(-|z|)), the same number in a form that neither
    overflows nor is rounded to ln 0 for large |z| (TensorFlow, `sigmoid_cross_entropy_with_logits`).

    Attributes:
        from_logits: Whether predictions are log-odds, p = 1 / (1 + exp(-z)).
        label_smoothing: The share s of a label that is replaced by 1/2: y (1 - s) + s / 2.
    """

    from_logits: bool
    label_smoothing: float

    def __call__(self, inputs: Inputs) -> Array:
        """In nats, from 0 up: float64[N], or float64[N, C] for several outputs."""
        labels, p = pairs(inputs)
        _check_shares("label", labels, "For a regression use metrics such as MeanSquaredError.")
        if not self.from_logits:
            _check_shares("prediction", p, "If predictions are logits, set from_logits.")
        labels = labels * (1 - self.label_smoothing) + self.label_smoothing / 2
        if self.from_logits:
            entropy = np.maximum(p, 0) - p * labels + np.log1p(np.exp(-np.abs(p)))
        else:
            p = np.clip(p, CLIP, 1 - CLIP)
            entropy = -labels * np.log(p) - (1 - labels) * np.log1p(-p)
        return np.asarray(entropy)


def _check_shares(what: str, values: Array, cure: str) -> None:
    """Raise DataError where values, but for rounding, lie outside [0, 1]; NaN is a missing one.

    Keras clips them in silence, which turns log-odds that were taken for probabilities into a value that
    looks like one.
    """
    wrong = values[(values < -ROUNDING) | (values > 1 + ROUNDING)]
    if wrong.size:
        raise DataError(
            f"The binary cross-entropy needs a {what} in [0, 1], and one is {wrong[0]:g}. {cure}"
        )


@dataclasses.dataclass(frozen=True)
class CategoricalEntropy:
    """The cross-entropy of each row over C classes, -sum_c y_c ln p_c.

    Attributes:
        from_logits: Whether predictions are logits, of which the softmax are the probabilities.
        label_smoothing: The share s of a label that is spread over all classes: y (1 - s) + s / C.

    Scores that are no logits are divided by their sum first, as in Keras, so that it does
    not matter whether a model's scores of a row sum up to 1.
    """

    from_logits: bool
    label_smoothing: float

    def __call__(self, inputs: Inputs) -> Array:
        """In nats, from 0 up: float64[N]."""
        p = class_scores(inputs)
        labels = one_hot(inputs.labels, p.shape[1])
        labels = labels * (1 - self.label_smoothing) + self.label_smoothing / p.shape[1]
        entropy: Array = -(labels * log_probabilities(p, self.from_logits)).sum(axis=1)
        return entropy


def log_probabilities(scores: Array, from_logits: bool) -> Array:
    """The logarithms of the classes' probabilities, those of scores clipped as in Keras: float64[N, C]."""
    if from_logits:
        # Shifted by their maximum, logits above 700 do not overflow in exp().
        shifted = scores - scores.max(axis=1, keepdims=True)
        logs: Array = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    else:
        check_not_negative(scores)
        logs = np.log(np.clip(scores / scores.sum(axis=1, keepdims=True), CLIP, 1 - CLIP))
    return logs


def check_not_negative(p: Array) -> None:
    """Refuse logits in the place of probabilities.

    Raises:
        DataError: A score is below 0 by more than rounding.
    """
    if np.fmin.reduce(p, axis=None, initial=0.0) < -ROUNDING:
        raise DataError(
            f"Probabilities of classes are from 0 up, and a score is {np.nanmin(p):g}. If predictions are "
            f"logits, set from_logits where the metric has it, or let the model return their softmax."
        )


def class_scores(inputs: Inputs) -> Array:
    """The predictions, a score for each class: float64[N, C], NaN where a row has none.

    Raises:
        DataError: Rows have a single prediction.
    """
    if inputs.predictions.ndim == 1 and np.isnan(inputs.predictions).all():
        # Rows that all lack their list do not tell how many classes there are: as many as the labels need.
        most = np.max(inputs.labels, initial=1) if inputs.labels.ndim == 1 else 1
        return np.full((len(inputs.predictions), int(most) + 1), np.nan)
    if inputs.predictions.ndim != 2:
        raise DataError(
            f"Categorical metrics need a prediction for each class, float64[N, C]; the predictions have "
            f"the shape {inputs.predictions.shape}. For one output use the binary ones, such as "
            f"BinaryCrossEntropy and BinaryAccuracy."
        )
    return np.asarray(inputs.predictions)


@dataclasses.dataclass(frozen=True)
class BinaryCrossEntropy(Metric):
    """Weighted mean of -y ln p - (1 - y) ln(1 - p), in nats; from 0 (best) up.

    Also called log loss. ln 2 = 0.693 is what 0.5 for every row costs. Predictions are clipped to
    [1e-7, 1 - 1e-7] as in Keras, so that no row costs more than 16.12; scikit-learn's `log_loss` clips at
    2.2e-16, where one costs 36.04. A row with several outputs has the mean over these. NaN without weight.

    Attributes:
        from_logits: Whether predictions are log-odds and not probabilities.
        label_smoothing: The share of each label that is replaced by 1/2, from 0 to 1.
        name: The metric's name in the results.

    >>> round(BinaryCrossEntropy().of(Inputs.of([1, 0], [0.8, 0.4])), 6)
    0.366985
    """

    from_logits: bool = False
    label_smoothing: float = 0.0
    name: str = "binary_crossentropy"

    def __post_init__(self) -> None:
        check_share("label_smoothing", self.label_smoothing)

    def statistics(self) -> tuple[Statistic[Arrays], ...]:
        return (Mean(BinaryEntropy(self.from_logits, self.label_smoothing)),)

    def result(self, mean: Arrays) -> Array:
        return ratio(*mean)


@dataclasses.dataclass(frozen=True)
class CategoricalCrossEntropy(Metric):
    """Weighted mean of -sum_c y_c ln p_c, in nats; from 0 (best) up.

    ln C is what equal probabilities for all C classes cost. The scores of a row are divided by their sum and
    clipped to [1e-7, 1 - 1e-7] as in Keras, unless they are logits. NaN without weight.

    Attributes:
        from_logits: Whether scores are logits and not probabilities.
        label_smoothing: The share of each label that is spread over all classes, from 0 to 1.
        name: The metric's name in the results.

    >>> round(CategoricalCrossEntropy().of(Inputs.of([1, 2], [[0.1, 0.8, 0.1], [0.2, 0.2, 0.6]])), 6)
    0.366985
    """

    from_logits: bool = False
    label_smoothing: float = 0.0
    name: str = "categorical_crossentropy"
    accepts = frozenset({"classes"})

    def __post_init__(self) -> None:
        check_share("label_smoothing", self.label_smoothing)

    def statistics(self) -> tuple[Statistic[Arrays], ...]:
        return (Mean(CategoricalEntropy(self.from_logits, self.label_smoothing)),)

    def result(self, mean: Arrays) -> Array:
        return ratio(*mean)


@dataclasses.dataclass(frozen=True)
class MeanOfOthers(Mean):
    """The mean over the rows whose label is not a certain class number.

    Attributes:
        ignored: The class.
    """

    ignored: int = -1

    def add(self, inputs: Inputs, codes: SliceCodes) -> Arrays:
        rows = np.flatnonzero(inputs.labels != self.ignored) if inputs.labels.ndim == 1 else None
        if rows is None:
            raise DataError("ignore_class is a class number, and the labels are one-hot.")
        return super().add(inputs.take(rows), codes.take(rows))


@dataclasses.dataclass(frozen=True)
class SparseCategoricalCrossentropy(CategoricalCrossEntropy):
    """Weighted mean of -ln p of the labelled class, in nats; from 0 (best) up.

    The same as CategoricalCrossEntropy without label smoothing, under Keras' name for class numbers
    as labels.

    The row below has the probabilities 0.8 and 0.6 for its labels: -(ln 0.8 + ln 0.6) / 2.

    >>> inputs = Inputs.of([1, 2], [[0.1, 0.8, 0.1], [0.2, 0.2, 0.6]])
    >>> round(SparseCategoricalCrossentropy().of(inputs), 6)
    0.366985

    Attributes:
        from_logits: Whether scores are logits and not probabilities.
        ignore_class: The labelled class whose rows do not count, such as -1 for padding.
        name: The metric's name in the results.
    """

    label_smoothing: float = dataclasses.field(default=0.0, init=False)
    ignore_class: int | None = None
    name: str = "sparse_categorical_crossentropy"

    def statistics(self) -> tuple[Statistic[Arrays], ...]:
        if self.ignore_class is None:
            return super().statistics()
        entropy = CategoricalEntropy(self.from_logits, self.label_smoothing)
        return (MeanOfOthers(entropy, ignored=self.ignore_class),)


ENTROPIES: dict[str, type[Metric]] = {
    "BinaryCrossEntropy": BinaryCrossEntropy,
    "BinaryCrossentropy": BinaryCrossEntropy,
    "CategoricalCrossEntropy": CategoricalCrossEntropy,
    "CategoricalCrossentropy": CategoricalCrossEntropy,
    "SparseCategoricalCrossentropy": SparseCategoricalCrossentropy,
}
"""The cross-entropies by `class_name`, in TFMA's spelling and in Keras'."""


def equals(inputs: Inputs) -> Array:
    """1 where the prediction equals the label, else 0; NaN without a prediction: float64[N].

    A probability hardly ever equals a label: BinaryAccuracy is the accuracy of scores.
    """
    labels, predictions = pairs(inputs)
    return np.where(np.isnan(predictions), np.nan, labels == predictions)


def picks_label(inputs: Inputs) -> Array:
    """1 where the class with the highest score is the label's, else 0; NaN without a prediction: float64[N].

    Of equal scores the first class counts, as in Keras.
    """
    scores = class_scores(inputs)
    labels = one_hot(inputs.labels, scores.shape[1])
    picked = scores.argmax(axis=1) == labels.argmax(axis=1)
    return np.where(np.isnan(scores).any(axis=1), np.nan, picked)


SHARES = {
    "Accuracy": (equals, "Share of predictions that equal the label."),
    "CategoricalAccuracy": (picks_label, "Share of rows whose likeliest class is the label's."),
    "SparseCategoricalAccuracy": (
        picks_label,
        "Share of rows whose likeliest class is the label's.",
    ),
}
"""What makes a row correct, and the sentence of the registry, by `class_name`. Keras has two names for the
same number, one for one-hot labels and one for class numbers; both take both here."""


@dataclasses.dataclass(frozen=True)
class ShareCorrect(Metric):
    """The weighted share of correct rows, from 0 to 1, higher is better; NaN without weight.

        sum w [correct] / sum w

    The values are those of Keras' metrics of the names in `SHARES`.

    Attributes:
        share: The key in `SHARES`, which says what is correct.
        name: The metric's name in the results.

    >>> ShareCorrect("Accuracy", "accuracy").of(Inputs.of([1.0, 2.0], [1.0, 3.0]))
    0.5
    >>> scores = [[0.1, 0.8, 0.1], [0.2, 0.2, 0.6]]
    >>> ShareCorrect("CategoricalAccuracy", "accuracy").of(Inputs.of([1, 0], scores))
    0.5
    """

    share: str
    name: str
    is_share = True

    @property
    def accepts(self) -> frozenset[str]:  # type: ignore[override]
        """A score for each class, but for Accuracy, which compares numbers."""
        return frozenset({"real", "binary"} if self.share == "Accuracy" else {"classes"})

    def statistics(self) -> tuple[Statistic[Any], ...]:
        compared = (COMPARED,) if self.share == "Accuracy" else ()
        return (Mean(SHARES[self.share][0]), *compared)

    def check(self, mean: Arrays, compared: Array | None = None) -> None:
        if compared is not None:
            check_equality(self.name, compared)

    def result(self, mean: Arrays, compared: Array | None = None) -> Array:
        return ratio(*mean)


def _share(share: str, /, name: str | None = None) -> ShareCorrect:
    return ShareCorrect(share, name or snake_case(share))


def _register_all() -> None:
    for name, entropy in ENTROPIES.items():
        register(name, entropy, About.of(entropy, LOWER, 0))
    for name, (_, sentence) in SHARES.items():
        register(name, partial(_share, name), About(sentence, HIGHER, 0, 1))


_register_all()
