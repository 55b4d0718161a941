# SPDX-License-Identifier: Apache-2.0
"""Renders several results as one page over time."""

from benison.report.history.build import render

__all__ = ["render"]
