# SPDX-License-Identifier: Apache-2.0
"""What every measurement here is: a share of runs beside what must hold, and what it took."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable

from scipy import stats

MOST = 0.06
"""The most that the upper limit of an error may be."""


@dataclasses.dataclass(frozen=True)
class Measured:
    """How often something happened in so many runs."""

    name: str
    hits: int
    runs: int

    def limit(self, is_upper: bool) -> float:
        """The 99 % limit of the share, after Clopper and Pearson."""
        side = "less" if is_upper else "greater"
        interval = stats.binomtest(self.hits, self.runs, alternative=side).proportion_ci(0.99)
        return float(interval.high if is_upper else interval.low)

    def __str__(self) -> str:
        return f"{self.name:62} {self.hits / self.runs:7.4f} [{self.limit(False):.4f}, {self.limit(True):.4f}]"


def tell(measured: object, claim: str, holds: bool) -> bool:
    """Print what was measured beside what must hold, and whether it does; True where it does not."""
    print(f"{measured}  {claim}: {'holds' if holds else 'DOES NOT HOLD'}", flush=True)
    return not holds


def tell_error(measured: Measured) -> bool:
    """The same of an error, whose upper limit must be at most `MOST`."""
    return tell(measured, f"upper limit at most {MOST}", measured.limit(is_upper=True) <= MOST)


def tell_within(measured: Measured, least: float, most: float) -> bool:
    """The same of a share that no chance of 1 % may show to be outside."""
    holds = measured.limit(is_upper=True) >= least and measured.limit(is_upper=False) <= most
    claim = f"at most {most:g}" if least == 0 else f"from {least:g} to {most:g}"
    return tell(measured, claim, holds)


def script(main: Callable[[int], int], runs: int) -> None:
    """Measure over as many runs as the command says, `runs` if it does not."""
    ended(main(int(sys.argv[1]) if len(sys.argv) > 1 else runs))


def ended(failed: int) -> None:
    """Print what it took, with the processes that were waited for, and end; with 1 if something does not hold."""
    print(f"{sum(os.times()[:4]):.0f} seconds of the processor", flush=True)
    sys.exit(failed)
