# SPDX-License-Identifier: Apache-2.0
"""Estimates metrics of data without labels, or with few, from a labelled reference."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from benison.config import SlicingSpec
from benison.data.batch import Index
from benison.data.dataset import Dataset
from benison.errors import ConfigError, DataError
from benison.estimation.estimates import EstimatedMetric, EstimateReport, Method
from benison.estimation.expected_counts import (
    AUC,
    LEAST,
    METRICS,
    CalibratedCells,
    Expected,
    calibrated,
    counted,
)
from benison.estimation.powered_counts import PoweredShares
from benison.estimation.prediction_powered import LEAST_LABELS, check_confidence
from benison.estimation.score_counts import ScoreCells, ScoreColumns, ScoreCounts
from benison.evidence.tails import normal_quantile, student_quantile
from benison.slicing.keys import SliceKey
from benison.slicing.table import SliceTable

_LEAST_ROWS = 10
"""With fewer rows now an interval says nothing: of those on one side of the threshold all seem sure."""
_WITHOUT_VALUE = ("no row has what it divides by", "its rows are of one class or have alike scores")


def estimate(  # noqa: PLR0913 - each by its name
    reference: Any,
    current: Any,
    *,
    label: str,
    prediction: str,
    slices: Sequence[str | SlicingSpec] = (),
    decision_threshold: float = 0.5,
    confidence: float = 0.95,
    most_outside: float = 0.05,
) -> EstimateReport:
    """Estimate accuracy, AUC, precision, recall and F1 of `current`, whose labels are not there yet.

    Nothing is seen here of a changed relation between score and label: what a score meant on the reference,
    it is taken to mean now. Where at least 50 rows of a slice have a label, a random sample of its rows,
    they correct that, for all but the AUC. Where all have one, the estimate is from scores alone, and what
    the labels measure stands beside it.

    Args:
        reference: Labelled data that the model has not learned: whatever `benison.evaluate` reads.
        current: The data now; labels may be missing in rows, or the column may.
        label: The column of labels, which are 0 and 1.
        prediction: The column of scores, of whatever range; more is more positive.
        slices: Features of which every value is a slice, or slicing specs.
        decision_threshold: Scores above it decide for 1.
        confidence: Of the intervals, between 0.5 and 1.
        most_outside: Of the rows now, the share whose scores no row of the reference reaches that is
            borne; beyond it nothing is estimated.

    Raises:
        ConfigError: A number is out of its range.
        DataError: A column is missing, the reference has too few labels, or scores lie outside of it.

    >>> import pyarrow as pa
    >>> scores = np.random.default_rng(5).random(4000)
    >>> labels = (np.random.default_rng(6).random(4000) < scores).astype(int)
    >>> before = pa.table({"score": scores[:3000], "label": labels[:3000]})
    >>> report = estimate(before, pa.table({"score": scores[3000:]}), label="label", prediction="score")
    >>> round(report.value("binary_accuracy"), 2)
    0.75
    """
    _check(decision_threshold, confidence, most_outside)
    specs = [SlicingSpec(feature_keys=(of,)) if isinstance(of, str) else of for of in slices]
    columns = ScoreColumns(label, prediction, (SlicingSpec(), *specs))
    before, now = Dataset.open(reference), Dataset.open(current)
    before.prepared([label, prediction])
    cells, table = columns.cells_of(before, decision_threshold), SliceTable()
    of_reference = columns.counts(before, cells, table)
    of_current = columns.counts(now, cells, table)
    of_reference = of_reference.padded(len(table))
    known = Estimation(cells, of_reference, of_current, confidence, most_outside)
    known.check(label, before.describe(), now.describe())
    return EstimateReport(
        tuple(known.estimates(table)),
        confidence,
        int(of_reference.labelled[0].sum()),
        int(of_reference.unlabelled[0].sum() + of_reference.unscored[0]),
        int(of_current.unscored[0]),
    )


def _check(decision_threshold: float, confidence: float, most_outside: float) -> None:
    if not np.isfinite(decision_threshold):
        raise ConfigError(f"A decision threshold is a finite number, not {decision_threshold}.")
    check_confidence(confidence)
    if not 0 <= most_outside <= 1:
        raise ConfigError(f"The share of scores outside is from 0 to 1, not {most_outside}.")


@dataclasses.dataclass(frozen=True)
class Estimation:
    """The counts of the reference and of the rows now, of which slice 0 is Overall."""

    cells: ScoreCells
    reference: ScoreCounts
    current: ScoreCounts
    confidence: float
    most_outside: float

    def check(self, label: str, reference: str, current: str) -> None:
        """Refuse what says nothing of any slice.

        Raises:
            DataError: Labels of the reference are too few, or too many scores lie outside.
        """
        labelled = int(self.reference.labelled[0].sum())
        if labelled < 2 * LEAST:
            rows = f"{labelled:,} rows" if labelled else "no row"
            raise DataError(
                f"{reference} has {rows} with a label in {label!r} and a score. Give a reference with "
                "labels, of data that the model has not learned."
            )
        if not self.current.scored[0].any():
            raise DataError(f"{current} has no score in any row, so there is nothing to estimate.")
        outside = self._outside(0)
        if outside > self.most_outside:
            raise DataError(
                f"{100 * outside:.3g} % of the scores of {current} lie outside those of {reference}, which "
                f"say nothing of them; {100 * self.most_outside:.3g} % are borne. Take a newer reference."
            )

    def estimates(self, table: SliceTable) -> Iterator[EstimatedMetric]:
        """Those of all slices that have a row now."""
        keys = table.keys()
        for i in table.order().tolist():
            if self.current.scored[i].any():
                yield from self._of_slice(i, keys[i])

    def _of_slice(self, i: int, key: SliceKey) -> Iterator[EstimatedMetric]:
        known, outside = self._calibrated(i), self._outside(i)
        rows, labelled = (int(of[i].sum()) for of in (self.current.scored, self.current.labelled))
        reason = self._reason(i, known, outside)
        # Labels of all rows are what an estimate is held against, and no part of it.
        correcting = labelled if labelled < rows else 0
        limits = Limits(None if reason else known, correcting, self.confidence)
        for metric in METRICS:
            value, lower, upper, method = limits.of(metric)
            why = reason or ("" if np.isfinite(value) else _WITHOUT_VALUE[metric == AUC])
            before, _ = self._counted(self.reference, i).of(metric)
            name = f"estimated_{metric}"
            measured = self._counted(self.current, i).of(metric)[0] if labelled == rows else np.nan
            yield EstimatedMetric(
                key,
                name,
                value,
                lower,
                upper,
                method,
                before,
                rows,
                labelled,
                outside,
                why,
                measured,
            )

    def _counted(self, counts: ScoreCounts, i: int) -> Expected:
        return counted(counts.positive[i], counts.labelled[i], self.cells.is_above)

    def _calibrated(self, i: int) -> CalibratedCells | None:
        counts = (
            self.reference.positive[i], self.reference.labelled[i], self.current.scored[i],
            self.current.positive[i], self.current.labelled[i],
        )  # fmt: skip
        return calibrated(counts, self.cells.is_above)

    def _outside(self, i: int) -> float:
        """The share of rows now in cells below or above all that have a label in the reference."""
        rows: Index = self.current.scored[i]
        held = np.flatnonzero(self.reference.labelled[i])
        if not len(held) or not rows.any():
            return 1.0
        return 1 - float(rows[held[0] : held[-1] + 1].sum() / rows.sum())

    def _reason(self, i: int, known: CalibratedCells | None, outside: float) -> str:
        if not self.reference.labelled[i].any():
            return "the reference has no labelled row of it"
        if outside > self.most_outside:
            return f"{100 * outside:.3g} % of its scores lie outside those of the reference"
        if known is None:
            return f"the reference has fewer than {LEAST} labels on a side of the threshold that rows are on"
        if self.current.scored[i].sum() < _LEAST_ROWS:
            return f"it has fewer than {_LEAST_ROWS} rows now"
        return ""


class Limits:
    """The values of metrics of one slice with their intervals, from labels where there are enough."""

    def __init__(self, known: CalibratedCells | None, labelled: int, confidence: float) -> None:
        self._known = known
        self._expected = None if known is None else known.estimates()
        self._labelled = labelled
        self._alpha = (1 - confidence) / 2
        has_labels = known is not None and labelled >= LEAST_LABELS
        self._powered = PoweredShares(known) if has_labels and known else None

    def of(self, metric: str) -> tuple[float, float, float, Method]:
        """The value, the ends of its interval, and how it was estimated; NaN where nothing is known."""
        if self._powered is not None and metric != AUC:
            degrees = np.array([self._labelled - 1.0])
            reach = float(student_quantile(self._alpha, degrees)[0])
            return (*_clipped(*self._powered.limits(metric, reach)), "prediction_powered")
        if self._expected is None:
            return float("nan"), float("nan"), float("nan"), "calibrated_scores"
        value, error = self._expected.of(metric)
        error *= normal_quantile(self._alpha)
        return (*_clipped(value, value - error, value + error), "calibrated_scores")


def _clipped(value: float, lower: float, upper: float) -> tuple[float, float, float]:
    value, lower, upper = np.clip([value, lower, upper], 0, 1).tolist()
    return value, lower, upper
