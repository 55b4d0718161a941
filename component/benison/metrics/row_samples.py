# SPDX-License-Identifier: Apache-2.0
"""Samples of a column of the data: what the rows of a slice, or those that were judged wrongly, look like.

A value is a list, for people and not for thresholds. It is the same however rows are split or ordered, and in
every rerun of the same files; another `random_seed` gives another one.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from benison.data.batch import Array, Inputs
from benison.metrics.base import ANY_ROWS, Metric, Statistic
from benison.metrics.binarized import Binarized
from benison.metrics.confusion import as_thresholds
from benison.metrics.parameters import check_count
from benison.metrics.registry import register
from benison.metrics.statistics.binary import check_binary
from benison.metrics.statistics.samples import LeastDraws, Sample, as_lists

MOST_SAMPLED = 10_000


@dataclasses.dataclass(frozen=True)
class FixedSizeSample(Metric):
    """A sample of the values that a column has in the rows of a slice.

    Each row is as likely as any other; weighted, a row is drawn as if it were there as often as it weighs.
    Rows without a value of the column are left out. An empty list for a slice without rows.

    Attributes:
        sampled_key: The column.
        size: The most values of a slice.
        name: The metric's name in the results.
        random_seed: A whole number; another one gives another sample.

    >>> import pyarrow as pa
    >>> batch = pa.record_batch({"company": ["Blue", "Taxi"]})
    >>> rows = dataclasses.replace(Inputs.of([0, 1], [0.2, 0.9]), batch=batch)
    >>> sorted(FixedSizeSample("company", 2).of(rows))
    ['Blue', 'Taxi']
    """

    sampled_key: str
    size: int
    name: str = "fixed_size_sample"
    random_seed: int | None = None
    accepts = ANY_ROWS
    needs_label = False
    needs_prediction = False
    needs_row_numbers = True
    has_interval = False

    def __post_init__(self) -> None:
        check_count("size", self.size, MOST_SAMPLED, 1)

    def statistics(self) -> tuple[Statistic[Sample], ...]:
        return (LeastDraws(self.sampled_key, self.size, self.random_seed or 0),)

    def result(self, sample: Sample) -> Any:
        return as_lists(sample, self.size)


@dataclasses.dataclass(frozen=True)
class WrongShare:
    """How much each row is judged wrongly, from 0 to 1, NaN without a prediction: float64[N].

    Attributes:
        threshold: A prediction above it is positive.
        positive: Whether false positives are meant, or false negatives.
    """

    threshold: float
    positive: bool

    def __call__(self, inputs: Inputs) -> Array:
        check_binary(inputs)
        labels, above = np.clip(inputs.labels, 0.0, 1.0), inputs.predictions > self.threshold
        share = (1 - labels) * above if self.positive else labels * ~above
        return np.where(np.isnan(inputs.predictions), np.nan, share)


@dataclasses.dataclass(frozen=True)
class FalsePositiveFeatureSampler(Binarized):
    """A sample of the values that a column has in the negatives that are predicted positive.

    An empty list for a slice without false positives; null alone for one with a row without a prediction. Of
    fractional labels y a row counts as 1 - y of a negative one.

    Attributes:
        feature_key: The column.
        sample_size: The most values of a slice.
        threshold: A prediction above it is positive; 0.5 by default, with `top_k` any of the k highest.
        name: The metric's name in the results.
        random_seed: A whole number; another one gives another sample.

    >>> import pyarrow as pa
    >>> batch = pa.record_batch({"company": ["Blue", "Taxi", "Blue"]})
    >>> rows = dataclasses.replace(Inputs.of([0, 0, 1], [0.2, 0.9, 0.1]), batch=batch)
    >>> FalsePositiveFeatureSampler("company", 1).of(rows), FalseNegativeFeatureSampler("company", 1).of(rows)
    (['Taxi'], ['Blue'])
    """

    feature_key: str
    sample_size: int
    threshold: float | None = None
    name: str = "false_positive_feature_sampler"
    random_seed: int | None = None
    needs_row_numbers = True
    has_interval = False
    positive = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("sample_size", self.sample_size, MOST_SAMPLED, 1)
        if self.threshold is not None:
            as_thresholds(self.threshold)

    def statistics(self) -> tuple[Statistic[Sample], ...]:
        usual = 0.5 if self.top_k is None else -math.inf
        threshold = usual if self.threshold is None else self.threshold
        share = WrongShare(threshold, self.positive)
        return (LeastDraws(self.feature_key, self.sample_size, self.random_seed or 0, share),)

    def result(self, sample: Sample) -> Any:
        return as_lists(sample, self.sample_size)


@dataclasses.dataclass(frozen=True)
class FalseNegativeFeatureSampler(FalsePositiveFeatureSampler):
    """A sample of the values that a column has in the positives that are predicted negative.

    As FalsePositiveFeatureSampler; of fractional labels y a row counts as y of a positive one.
    """

    name: str = "false_negative_feature_sampler"
    positive = False


register("FixedSizeSample", FixedSizeSample)
register("FalsePositiveFeatureSampler", FalsePositiveFeatureSampler)
register("FalseNegativeFeatureSampler", FalseNegativeFeatureSampler)
