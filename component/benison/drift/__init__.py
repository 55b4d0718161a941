# SPDX-License-Identifier: Apache-2.0
"""Tells whether the columns of one data set are distributed as those of another."""

from benison.drift.comparison import DriftCheck, DriftReport, compare
from benison.drift.profiling import profile

__all__ = ["DriftCheck", "DriftReport", "compare", "profile"]
