# SPDX-License-Identifier: Apache-2.0
"""The report of one result: a self-contained page."""

from benison.report.page.build import ReportWriter, render

__all__ = ["ReportWriter", "render"]
