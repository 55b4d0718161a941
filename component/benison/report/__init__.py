# SPDX-License-Identifier: Apache-2.0
"""Shows results: as a self-contained page, as a page over several runs, in a notebook, and in a CI."""

from __future__ import annotations

from benison.report.notebook.view import ResultView

__all__ = ["ResultView"]
