# SPDX-License-Identifier: Apache-2.0
"""Renders what the page holds before any script runs: verdict, headline values, checks and evidence.

It is plain HTML, so that a mail preview or a viewer without scripts shows it too.
"""

from __future__ import annotations

from benison.report.page.check_lines import lines_of, panels
from benison.report.page.evidence import evidence
from benison.report.page.example_rows import example_section
from benison.report.page.headline import headline
from benison.report.page.page_columns import PageColumns
from benison.report.page.probe_list import probe_section
from benison.report.page.structured_values import structured_section
from benison.report.page.tiles import tiles
from benison.report.page.weak_slice_list import weak_slice_section


def front(columns: PageColumns) -> dict[str, str]:
    """The pieces of HTML by their names in page.html."""
    result = columns.result
    lines = lines_of(columns)
    return {
        **headline(result),
        "tiles": tiles(result),
        "checks": "".join(panels(columns, lines)),
        "examples": example_section(result),
        "probes": probe_section(result),
        "weak_slices": weak_slice_section(result),
        "structured": structured_section(result),
        "evidence": evidence(result),
    }
