# SPDX-License-Identifier: Apache-2.0
"""This package is the report: results as one self-contained page, and as charts in a notebook.

Importing it lets results show themselves.
"""

from __future__ import annotations

from benison.report.view import ResultView

__all__ = ["ResultView"]
