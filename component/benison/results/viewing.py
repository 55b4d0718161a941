# SPDX-License-Identifier: Apache-2.0
"""Leads from a result to what shows it in a notebook, which is imported when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import altair as alt


class Viewer(Protocol):
    """Shows a result in a notebook; `report.notebook.view.ResultView` is the implementation."""

    def html(self) -> str:
        """Verdict, reasons and worst slices as a piece of HTML, with the report folded up behind."""

    def slices(self, metric: str, worst: int = 30, least: int = 0, **keys: Any) -> alt.LayerChart:
        """A metric over slices."""

    def plot(
        self, name: str, slices: str | Sequence[str] = "Overall", **keys: Any
    ) -> alt.Chart | alt.LayerChart | alt.FacetChart:
        """A plot of some slices, one over the other."""

    def probe(
        self, name: str, feature: str = "", **keys: Any
    ) -> alt.Chart | alt.LayerChart | alt.FacetChart:
        """What a probe of debugging says: the curve of a feature, else values with their intervals."""

    def time_series(
        self,
        results: Sequence[Any],
        metric: str,
        slice: str = "Overall",  # noqa: A002 - the column's word
        **keys: Any,
    ) -> alt.LayerChart:
        """A metric of a slice over this result and others."""


view_of: Callable[[Any], Viewer]
"""Makes the view of an `EvalResult`; `benison/__init__` sets it, because the report imports the results."""
