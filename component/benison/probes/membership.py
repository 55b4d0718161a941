# SPDX-License-Identifier: Apache-2.0
"""The probe of whether losses tell which rows a model was trained on."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from benison.data.batch import Array, Inputs
from benison.errors import ModelError
from benison.evidence.area_errors import AreaEstimator
from benison.metrics import from_config
from benison.probes.base import Probe
from benison.probes.probe_findings import ProbeFinding, unmeasured
from benison.probes.subject import Subject, finite
from benison.slicing.codes import SliceCodes

_LEAKS = 0.6
_LEAST = 1e-7  # the least probability of a log loss, as Keras has it


@dataclasses.dataclass(frozen=True)
class Membership(Probe):
    """The area under the ROC curve of (trained on, less loss): 0.5 where losses say nothing, 1 where all.

    Yeom, Giacomelli, Fredrikson and Jha, "Privacy Risk in Machine Learning: Analyzing the Connection to
    Overfitting", 2018. The interval is DeLong's.
    """

    def calls(self, subject: Subject) -> int:
        return 1

    def cost(self, subject: Subject) -> int:
        return 0 if subject.trained_on is None else subject.trained_on[0].num_rows

    def run(self, subject: Subject) -> Iterator[ProbeFinding]:
        if subject.trained_on is None or subject.labels is None:
            yield unmeasured(self.name, "there are no labels that are numbers or classes")
            return
        rows, labels = subject.trained_on
        inside = losses(subject, subject.scores(rows), labels)
        outside = losses(subject, subject.before, subject.labels)
        if not len(inside) or not len(outside):
            yield unmeasured(self.name, "no row has a label and a score")
            return
        value, lower, upper = area(-inside, -outside, self.alpha)
        words = (
            f"losses tell rows that the model was trained on from others with an AUC of {value:.3g} "
            f"({len(inside):,} and {len(outside):,} rows; the mean loss is {inside.mean():.3g} and "
            f"{outside.mean():.3g})"
        )
        yield ProbeFinding(
            self.name,
            words,
            value=value,
            rows=len(inside) + len(outside),
            lower=lower,
            upper=upper,
            is_notable=lower > _LEAKS,
        )


def area(positive: Array, negative: Array, alpha: float) -> tuple[float, float, float]:
    """The area under the ROC curve of scores, ties by half, and DeLong's interval; NaN where it has none.

    >>> [round(each, 3) for each in area(np.array([0.9, 0.8]), np.array([0.8, 0.1]), 0.05)]
    [0.875, nan, nan]
    """
    labels = np.repeat([1.0, 0.0], [len(positive), len(negative)])
    numbers = np.arange(len(labels), dtype=np.uint64)
    rows = Inputs(labels, np.concatenate([positive, negative]), batch_numbers=numbers)
    codes = SliceCodes.of(np.zeros(len(labels)), size=1)
    estimator = AreaEstimator(from_config("AUC", {}), paired=False)
    states = [s.add(rows, codes) for s in (*estimator.statistics(), *estimator.alone())]
    spread = estimator.spread(*states)
    lower, upper = (float(np.clip(end[0], 0, 1)) for end in spread.limits(alpha / 2))
    return float(spread.value[0]), lower, upper


def losses(subject: Subject, scores: Array, labels: Any) -> Array:
    """The log loss of classes, the squared error of numbers, of rows that have both: float64[M].

    Raises:
        ModelError: There are no labels, one is no class, or scores of classes are no probabilities.
    """
    if labels is None:
        raise ModelError("there are no labels that are numbers or classes")
    labels = np.asarray(labels, np.float64)
    known = finite(scores) & finite(labels)
    scores, labels = scores[known], labels[known]
    if not subject.has_classes:
        apart = (scores - labels.reshape(scores.shape)).reshape(len(scores), -1)
        return np.asarray((apart**2).sum(axis=1))
    if (scores < 0).any() or (scores > 1 + _LEAST).any():
        raise ModelError(
            "scores are no probabilities, of which there is a loss; they are not from 0 to 1"
        )
    if labels.ndim > 1:
        labels = np.argmax(labels, axis=1).astype(np.float64)
    classes = scores.shape[1] if scores.ndim > 1 else 2
    if not np.isin(labels, np.arange(classes)).all():
        raise ModelError(f"a label is none of the {classes} classes")
    if scores.ndim > 1:
        own = scores[np.arange(len(scores)), labels.astype(np.int64)]
    else:
        own = np.where(labels > 0, scores, 1 - scores)
    return np.asarray(-np.log(np.clip(own, _LEAST, 1.0)))
