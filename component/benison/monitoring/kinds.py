# SPDX-License-Identifier: Apache-2.0
"""The detectors by name, with how often each alarms while nothing changes."""

from __future__ import annotations

import bisect
import dataclasses
from collections.abc import Callable, Mapping, Sequence

from benison.monitoring.adaptive_window import AdaptiveWindow
from benison.monitoring.detectors import Detector
from benison.monitoring.e_detector import EDetector
from benison.monitoring.error_rates import DriftDetectionMethod, EarlyDriftDetection

E_DETECTOR = "e-detector"
LFR = "lfr"
MD3 = "md3"
HDDDM = "hdddm"
"""Of columns in place of rates, which `monitor_columns` watches."""


@dataclasses.dataclass(frozen=True)
class DetectorKind:
    """A detector that can be asked for.

    Attributes:
        make: The detector of a value of its parameter and the horizon.
        parameter: What the parameter is called.
        usual: Its usual value.
        levels: Those that a replay tries, from the most alarms to the fewest.
        measured: The share of streams without a change that have an alarm within 60 buckets of 250 rows, of
            which a tenth is wrong, after references of so many rows and more, in the order of these
            (`tests/statistics/change_detectors.py`).
        low: Below every value of the parameter, and
        high: above every.
        is_bounded: Whether the parameter is the share of false alarms, which is then held.
    """

    make: Callable[[float, int], Detector]
    parameter: str
    usual: float
    levels: tuple[float, ...]
    measured: tuple[tuple[int, float], ...]
    low: float = 0.0
    high: float = 1.0
    is_bounded: bool = False

    @property
    def standard(self) -> Detector:
        """The detector for one stream with its usual parameter and a horizon of 60 buckets."""
        return self.make(self.usual, 60)

    def simulated(self, rows: Sequence[float]) -> tuple[float, str]:
        """The share of streams with a false alarm after references of so many rows, and what was simulated.

        Args:
            rows: Of the reference of each stream.
        """
        sizes = [size for size, _ in self.measured]
        index = [max(bisect.bisect_right(sizes, each) - 1, 0) for each in rows]
        share = sum(self.measured[i][1] for i in index) / max(len(index), 1)
        text = " and ".join(f"{sizes[i]:,}" for i in sorted({*index} or {0}))
        smaller = min(rows, default=sizes[0]) < sizes[0]
        return share, f"references of {text} rows{' (some here are smaller)' if smaller else ''}"


def _e_detector(false_alarms: float, horizon: int) -> Detector:
    return EDetector(horizon, false_alarms)


_SHARES = (0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.001)

_BOUNDED = DetectorKind(
    _e_detector, "false_alarms", 0.02, _SHARES, ((100, 0.001),), is_bounded=True
)

DETECTORS: Mapping[str, DetectorKind] = {
    E_DETECTOR: _BOUNDED,
    LFR: _BOUNDED,
    MD3: _BOUNDED,
    "ddm": DetectorKind(
        lambda deviations, _: DriftDetectionMethod(deviations),
        "deviations",
        3.0,
        (2.0, 3.0, 4.0, 5.0, 6.0),
        ((100, 0.081), (300, 0.064), (1_000, 0.055), (10_000, 0.008)),
        high=100.0,
    ),
    "eddm": DetectorKind(
        lambda beta, _: EarlyDriftDetection(beta),
        "beta",
        0.9,
        (0.95, 0.9, 0.85, 0.8, 0.7),
        ((100, 0.703), (300, 0.588), (1_000, 0.259), (10_000, 0.0)),
    ),
    "adwin": DetectorKind(
        lambda delta, _: AdaptiveWindow(delta),
        "delta",
        0.002,
        (0.1, 0.02, 0.002, 0.0002),
        ((100, 0.001),),
    ),
}
"""By name; `lfr` watches four rates, and `md3` the share of scores near the threshold, on both sides."""
