# SPDX-License-Identifier: Apache-2.0
"""Measures how often detectors of change alarm while nothing changes, and how soon they see a change.

    python -m tests.statistics.change_detectors 4000

Every run is 60 buckets of 250 rows, of which a tenth is wrong, after a blessed run of 100,000 rows; where
something changes it is from bucket 30 on.
"""

from __future__ import annotations

import dataclasses
import time

import numpy as np
from river import drift

from benison.data.batch import Array
from benison.drift.profiles import Profile, Texts
from benison.monitoring import DETECTORS
from benison.monitoring.column_drift import hellinger_drift
from benison.monitoring.detectors import BucketCounts
from benison.monitoring.kinds import MD3
from tests.statistics.measured import Measured, script, tell, tell_within

BUCKETS, ROWS, BLESSED_ROWS, CHANGE_AT, RATE = 60, 250, 100_000, 30, 0.10


def drawn(runs: int, rate: float, seed: int = 0, known: int = BLESSED_ROWS) -> BucketCounts:
    """Counts of so many runs, in which the rate is this one from `CHANGE_AT` on, after `known` rows."""
    rng = np.random.default_rng(seed)
    rates = np.where(np.arange(BUCKETS) < CHANGE_AT, RATE, rate)
    failures = rng.binomial(ROWS, rates, (runs, BUCKETS)).astype(float)
    blessed = rng.binomial(known, RATE, runs).astype(float)
    rows = np.full((runs, BUCKETS), float(ROWS))
    return BucketCounts(failures, rows, blessed, np.full(runs, float(known)))


@dataclasses.dataclass(frozen=True)
class Seen:
    """Of runs in which the rate changes: how many have an alarm before, and how soon one is there after.

    Attributes:
        early: The share with an alarm before the change.
        seen: Of the others, the share with an alarm after it.
        delay: Of these, the rows from the change to the alarm, on average.
    """

    early: float
    seen: float
    delay: float

    @classmethod
    def of(cls, first_rows: Array) -> Seen:
        """Of the rows at which the first alarms are, infinite where there is none: float64[runs]."""
        start = CHANGE_AT * ROWS
        is_late = first_rows > start
        delays = first_rows[is_late & np.isfinite(first_rows)] - start
        late = max(int(is_late.sum()), 1)
        mean = float(delays.mean()) if len(delays) else np.inf
        return cls(float((~is_late).mean()), len(delays) / late, mean)


def ours(name: str, counts: BucketCounts) -> Array:
    """The rows at which the first alarms of a detector are: at the ends of buckets.

    Of md3, which watches both sides, with half of the chance each.
    """
    kind = DETECTORS[name]
    if name == MD3:
        both = (counts, mirrored(counts))
        raised = np.any([kind.make(kind.usual / 2, BUCKETS).watch(side).raised for side in both], 0)
    else:
        raised = kind.standard.watch(counts).raised
    return np.where(raised.any(1), (raised.argmax(1) + 1.0) * ROWS, np.inf)


def mirrored(counts: BucketCounts) -> BucketCounts:
    """The counts in which what is no failure is one."""
    return BucketCounts(
        counts.rows - counts.failures,
        counts.rows,
        counts.known_rows - counts.known_failures,
        counts.known_rows,
    )


def rivers(counts: BucketCounts, seed: int = 0) -> Array:
    """The same of river's ADWIN over the rows of the buckets in a drawn order."""
    rng = np.random.default_rng(seed)
    firsts = np.full(len(counts.rows), np.inf)
    for run, failures in enumerate(counts.failures.astype(int)):
        wrong = np.arange(ROWS) < failures[:, None]
        detector = drift.ADWIN()
        for row, each in enumerate(rng.permuted(wrong, axis=1).ravel().tolist()):
            detector.update(int(each))
            if detector.drift_detected:
                firsts[run] = row + 1
                break
    return firsts


def false_alarms(name: str, runs: int) -> float:
    """The share of runs without a change in which there is an alarm, after 10,000 or 100,000 rows: the larger."""
    nulls = (drawn(runs, RATE, known=known) for known in (10_000, BLESSED_ROWS))
    return max(float(np.isfinite(ours(name, null)).mean()) for null in nulls)


def small_references(runs: int) -> dict[str, float]:
    """The share of runs with a false alarm of the e-detector, where buckets are larger than the reference.

    By the rate, the rows of the reference and those of a bucket.
    """
    shares = {}
    for rate, known, rows in (
        (0.1, 20, 5000),
        (0.05, 50, 5000),
        (0.1, 100, 5000),
        (0.02, 500, 20_000),
    ):
        rng = np.random.default_rng(known)
        failures = rng.binomial(rows, rate, (runs, BUCKETS)).astype(float)
        blessed = rng.binomial(known, rate, runs).astype(float)
        sizes = np.full((runs, BUCKETS), float(rows)), np.full(runs, float(known))
        counts = BucketCounts(failures, sizes[0], blessed, sizes[1])
        raised = DETECTORS["e-detector"].standard.watch(counts).raised
        shares[f"{rate:g}, {known:,} rows, then {rows:,}"] = float(raised.any(1).mean())
    return shares


def column_alarms(runs: int) -> float:
    """The share of runs with a false alarm of hdddm, for a text of ten values after 10,000 rows."""
    rng, hits = np.random.default_rng(0), 0

    def profile(rows: int) -> Profile:
        counts = rng.multinomial(rows, np.full(10, 0.1)).tolist()
        return {"x": Texts({str(value): count for value, count in enumerate(counts)}, 0)}

    for _ in range(runs):
        buckets = {f"{i:02}": profile(ROWS) for i in range(BUCKETS)}
        hits += bool(hellinger_drift(profile(10_000), buckets, 0.02, BUCKETS))
    return hits / runs


def seconds_of(name: str, slices: int = 1_000, buckets: int = 1_000) -> float:
    """The seconds of one processor that a detector takes for so many slices in so many buckets."""
    failures = np.random.default_rng(0).binomial(ROWS, RATE, (slices, buckets)).astype(float)
    rows, known = np.full((slices, buckets), float(ROWS)), np.full(slices, 10_000.0)
    counts = BucketCounts(failures, rows, RATE * known, known)
    started = time.process_time()
    DETECTORS[name].standard.watch(counts)
    return time.process_time() - started


def main(runs: int) -> int:
    """Print a line for each measurement; 1 if one does not hold."""
    failed = 0
    print(
        f"{'detector':12} {'false alarms':>12}  to .12: seen, rows   to .15: seen, rows   to .20: seen, rows"
    )
    changed = [drawn(runs, rate, seed=1) for rate in (0.12, 0.15, 0.20)]
    for name in DETECTORS:
        seen = [Seen.of(ours(name, counts)) for counts in changed]
        cells = [f"{each.seen:12.3f} {each.delay:6.0f}" for each in seen]
        alarms = false_alarms(name, runs)
        print(f"{name:12} {alarms:12.4f} {'  '.join(cells)}")
        failed |= _tell(f"false alarms of {name}", alarms, runs)
        seconds = seconds_of(name)
        claim = "1,000 slices in 1,000 buckets take less than 1 s"
        failed |= tell(f"{name} takes {seconds:.2f} s", claim, seconds < 1)
    few = np.arange(min(runs, 100))
    seen = [Seen.of(rivers(counts.take(few))) for counts in changed]
    cells = [f"{each.seen:12.3f} {each.delay:6.0f}" for each in seen]
    columns = min(runs, 400)
    failed |= _tell("false alarms of hdddm", column_alarms(columns), columns)
    for name, share in small_references(runs).items():
        failed |= _tell(f"those of the e-detector, {name}", share, runs)
    for known in (1_000, 10_000):
        seen = [Seen.of(ours("e-detector", drawn(runs, r, 1, known))) for r in (0.12, 0.15, 0.20)]
        few_cells = [f"{each.seen:12.3f} {each.delay:6.0f}" for each in seen]
        print(f"e-detector after {known:,} rows: {'  '.join(few_cells)}")
    for name, kind in DETECTORS.items():
        for known, share in kind.measured:
            alarms = np.isfinite(ours(name, drawn(min(runs, 400), RATE, known=known))).mean()
            print(
                f"{name} after {known:,} rows: {alarms:.4f} false alarms; the command says {share}"
            )
    null = np.isfinite(rivers(drawn(runs, RATE).take(few))).mean()
    print(f"{'river ADWIN':12} {null:12.4f} {'  '.join(cells)}")
    return int(failed)


def _tell(what: str, share: float, runs: int) -> bool:
    return tell_within(Measured(what, round(share * runs), runs), 0, 0.02)


if __name__ == "__main__":
    script(main, 400)
