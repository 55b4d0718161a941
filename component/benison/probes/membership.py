# SPDX-License-Identifier: Apache-2.0
"""The probe of whether losses tell which rows a model was trained on."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from benison.data.batch import Array
from benison.errors import ModelError
from benison.evidence.tails import normal_quantile
from benison.probes.base import Probe
from benison.probes.probe_findings import ProbeFinding, area, unmeasured
from benison.probes.subject import Subject, finite

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
        try:
            inside = losses(subject, subject.scores(rows), labels)
        except ModelError as error:
            yield unmeasured(self.name, str(error))
            return
        outside = losses(subject, subject.before, subject.labels)
        if not len(inside) or not len(outside):
            yield unmeasured(self.name, "no row has a label and a score")
            return
        value, error_ = area(-inside, -outside)
        reach = normal_quantile(self.alpha / 2) * error_
        words = (
            f"losses tell rows that the model was trained on from others with an AUC of {value:.3g} "
            f"({len(inside):,} and {len(outside):,} rows; the mean loss is {inside.mean():.3g} and "
            f"{outside.mean():.3g})"
        )
        lower, upper = max(value - reach, 0.0), min(value + reach, 1.0)
        yield ProbeFinding(
            self.name, words, value=value, lower=lower, upper=upper, is_notable=lower > _LEAKS
        )


def losses(subject: Subject, scores: Array, labels: Array) -> Array:
    """The log loss of decisions, the squared error of numbers, of rows that have both: float64[M]."""
    known = finite(scores) & finite(np.asarray(labels, np.float64))
    scores, labels = scores[known], np.asarray(labels, np.float64)[known]
    if labels.ndim > 1:
        labels = np.argmax(labels, axis=1).astype(np.float64)
    if not subject.decisions.are_classes:
        return np.asarray((scores - labels) ** 2)
    if scores.ndim > 1:
        own = scores[np.arange(len(scores)), labels.astype(np.int64)]
    else:
        own = np.where(labels > 0, scores, 1 - scores)
    return np.asarray(-np.log(np.clip(own, _LEAST, 1.0)))
