# SPDX-License-Identifier: Apache-2.0
"""Statistics: what adds up over rows, and is shared by the metrics whose formulas need it."""

from benison.metrics.statistics.cells import Cells, CellsStatistic
from benison.metrics.statistics.sums import ArraysStatistic, Mean, Moments, Total

__all__ = ["ArraysStatistic", "Cells", "CellsStatistic", "Mean", "Moments", "Total"]
