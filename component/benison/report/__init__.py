# SPDX-License-Identifier: Apache-2.0
"""The report: results as one self-contained page, and as charts in a notebook.

Importing it lets results show themselves.
"""

from __future__ import annotations

from benison.report.notebook.view import ResultView

__all__ = ["ResultView"]
