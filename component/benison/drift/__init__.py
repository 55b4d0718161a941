# SPDX-License-Identifier: Apache-2.0
"""Tells whether the columns of one data set are distributed as those of another."""

from benison.drift.comparison import DriftCheck, DriftReport, compare

__all__ = ["DriftCheck", "DriftReport", "compare"]
