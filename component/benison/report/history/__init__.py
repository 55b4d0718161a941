# SPDX-License-Identifier: Apache-2.0
"""Renders several results as one page over time."""

from benison.report.history.build import render
from benison.report.history.marks import Mark, Watched

__all__ = ["Mark", "Watched", "render"]
