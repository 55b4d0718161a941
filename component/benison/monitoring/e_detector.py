# SPDX-License-Identifier: Apache-2.0
"""The e-detector of Shiryaev and Roberts: alarms on a harmful change, with a bound on false alarms."""

from __future__ import annotations

import dataclasses
from math import lgamma
from statistics import NormalDist

import numpy as np

from benison.data.batch import Array
from benison.errors import ConfigError
from benison.evidence.power import POWER
from benison.evidence.tails import beta_share, normal_quantile
from benison.monitoring.detectors import Alarms, BucketCounts

ODDS = (1.3, 1.6, 2.5)
"""By how much the odds of a failure may have grown: the alternatives that are averaged."""
_STEPS, _CLOSE = 40, 1e-10
_LONGEST, _RAREST = 10**9, 1e-100


@dataclasses.dataclass(frozen=True)
class EDetector:
    """R_t(theta) = (1 + R_{t-1}(theta)) times the likelihood of bucket t under theta over that under p0.

    The mean over theta is compared with A = horizon / (false_alarms / 2). As long as the true rate is at most
    p0, R_t - t is a supermartingale, so that the chance of an alarm within `horizon` buckets is at most
    horizon / A (Shin, Ramdas, Rinaldo, "E-detectors", 2022, for Shiryaev and Roberts; Ville, Doob). p0 is the
    exact upper limit of the rate of what was blessed, after Clopper and Pearson; that the true one is above
    it has the other half of the chance. Over several slices false alarms add up: divide `false_alarms` by
    their number.

    Attributes:
        horizon: In buckets, from 1 to a billion.
        false_alarms: The chance of an alarm within the horizon while nothing changes, above 1e-100 and
            below 1.

    >>> counts = BucketCounts(
    ...     np.array([[10.0, 11, 30, 31]]), np.full((1, 4), 100.0), np.array([100.0]), np.array([1000.0])
    ... )
    >>> EDetector().watch(counts).raised.tolist()
    [[False, False, True, True]]
    """

    horizon: int = 60
    false_alarms: float = 0.02

    def __post_init__(self) -> None:
        if not 1 <= self.horizon <= _LONGEST:
            raise ConfigError(f"A horizon is from 1 bucket to {_LONGEST:,}.")
        if not _RAREST < self.false_alarms < 1:
            raise ConfigError(
                f"The share of false alarms is above {_RAREST:g} and below 1, such as 0.02, not "
                f"{self.false_alarms}."
            )

    @property
    def threshold(self) -> float:
        """A, as a logarithm."""
        return float(np.log(self.horizon / (self.false_alarms / 2)))

    def watch(self, counts: BucketCounts) -> Alarms:
        """The logarithm of the mean of R over theta, against that of A."""
        gains = _Gains(counts, self.false_alarms / 2)
        size, buckets = counts.rows.shape
        log_r = np.full((len(ODDS), size), -np.inf)
        statistic = np.empty((size, buckets))
        has_rows = counts.rows > 0
        for t in range(buckets):
            grown = np.logaddexp(0.0, log_r) + gains.of_bucket(t)
            log_r = np.where(has_rows[:, t], grown, log_r)
            statistic[:, t] = np.logaddexp.reduce(log_r) - np.log(len(ODDS))
            log_r[:, statistic[:, t] >= self.threshold] = -np.inf
        return Alarms(statistic, self.threshold, statistic >= self.threshold)

    def smallest_rise(self, counts: BucketCounts) -> Array:
        """By how much a rate must rise with the first bucket to be seen within the buckets: float64[S].

        At that rate the evidence of all rows, as the best theta has it, is above A in 80 % of streams or
        more (by the normal distribution) after a reference with these very failures; NaN where no rise is
        large enough, as of few rows.

        >>> rows = np.full((1, 4), 500.0)
        >>> counts = BucketCounts(rows / 10, rows, np.array([1000.0]), np.array([10_000.0]))
        >>> EDetector().smallest_rise(counts).round(3).tolist()
        [0.046]
        """
        rows, gains = counts.rows.sum(1), _Gains(counts, self.false_alarms / 2)
        rate = counts.known_failures / np.maximum(counts.known_rows, 1)
        low, high = np.tile(rate, (len(ODDS), 1)), np.ones((len(ODDS), len(rate)))
        needed, reach = self.threshold + np.log(len(ODDS)), normal_quantile(1 - POWER)
        for _ in range(_STEPS):
            theta = (low + high) / 2
            mean = theta * gains.failed + (1 - theta) * gains.passed
            spread = np.sqrt(rows * theta * (1 - theta)) * (gains.failed - gains.passed)
            is_seen = rows * mean - reach * spread >= needed
            low, high = np.where(is_seen, low, theta), np.where(is_seen, theta, high)
        is_any = rows * gains.failed >= needed
        least = np.where(is_any, high - rate, np.inf).min(0)
        return np.asarray(np.where(np.isfinite(least), least, np.nan))


class _Gains:
    """The log-likelihood ratios of a bucket: float64[theta, S]."""

    def __init__(self, counts: BucketCounts, unsure: float) -> None:
        p0 = upper_limit(counts.known_failures, counts.known_rows, unsure)
        odds = np.array(ODDS)[:, None] * p0 / np.maximum(1 - p0, 1e-300)
        theta = np.where(p0 < 1, odds / (1 + odds), p0)
        with np.errstate(divide="ignore", invalid="ignore"):
            self.failed = np.where(p0 < 1, np.log(theta / p0), 0.0)
            self.passed = np.where(p0 < 1, np.log1p(-theta) - np.log1p(-p0), 0.0)
        self.counts = counts

    def of_bucket(self, t: int) -> Array:
        failures = self.counts.failures[:, t]
        return np.asarray(
            failures * self.failed + (self.counts.rows[:, t] - failures) * self.passed
        )


def upper_limit(failures: Array, rows: Array, share: float = 0.05) -> Array:
    """What the true rate is above with a chance of at most `share`, exactly; 1 without rows: float64[S].

    >>> upper_limit(np.array([10.0, 0.0]), np.array([100.0, 0.0])).round(4).tolist()
    [0.1637, 1.0]
    """
    known = (rows > 0) & (failures < rows)
    a, b = np.where(known, failures + 1, 1.0), np.where(known, rows - failures, 1.0)
    low, high = np.zeros(len(rows)), np.ones(len(rows))
    log_beta = np.array([lgamma(x) + lgamma(y) - lgamma(x + y) for x, y in zip(a, b, strict=True)])
    z = -NormalDist().inv_cdf(share)
    mean = a / (a + b)
    x = np.clip(mean + z * np.sqrt(mean * (1 - mean) / (a + b + 1)), 1e-12, 1 - 1e-12)
    for _ in range(_STEPS):  # Newton's, and halving where that leaves what is known
        excess = share - beta_share(b, a, 1 - x)  # of the tail itself, which may be tiny
        if np.all(np.abs(excess) < _CLOSE * share):
            break
        low, high = np.where(excess < 0, x, low), np.where(excess < 0, high, x)
        density = np.exp((a - 1) * np.log(x) + (b - 1) * np.log1p(-x) - log_beta)
        step = x - excess / np.maximum(density, 1e-300)
        x = np.where((step > low) & (step < high), step, (low + high) / 2)
    return np.asarray(np.where(known, x, 1.0))
