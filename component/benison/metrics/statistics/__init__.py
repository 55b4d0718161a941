# SPDX-License-Identifier: Apache-2.0
"""What adds up over rows: sums, tables of cells, histograms."""

from benison.metrics.statistics.cells import Cells, CellsStatistic
from benison.metrics.statistics.sums import ArraysStatistic, Mean, Moments, Total

__all__ = ["ArraysStatistic", "Cells", "CellsStatistic", "Mean", "Moments", "Total"]
