# SPDX-License-Identifier: Apache-2.0
"""Renders one result as a self-contained page."""

from benison.report.page.build import ReportWriter, render

__all__ = ["ReportWriter", "render"]
