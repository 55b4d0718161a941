# SPDX-License-Identifier: Apache-2.0
"""Draws rows as Altair charts, with one mark for each row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from benison.errors import MissingExtraError
from benison.report.look import LIGHT
from benison.report.notebook.plot_data import Kind

if TYPE_CHECKING:
    import altair as alt

Rows: TypeAlias = "list[dict[str, Any]]"

_OURS, _GOOD, _BAD, _OPEN, _SOFT = (LIGHT[use] for use in ("ours", "good", "bad", "open", "soft"))
_CHECKS = {"none": _OURS, "passed": _GOOD, "failed": _BAD, "not evaluated": _OPEN}
_VERDICTS = {"blessed": _GOOD, "not blessed": _BAD, "not evaluated": _OPEN}
_SHAPES = ["circle", "cross", "diamond"]


def altair() -> Any:
    """Import Altair.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        import altair
    except ImportError as error:
        raise MissingExtraError("Altair", "report") from error
    return altair


def slices(title: str, metric: str, rows: Rows) -> alt.LayerChart:
    """A metric over slices: a dot, its interval, a tick for the baseline; in the order of the rows."""
    vega = altair()
    y = vega.Y("slice:N", sort=None, title=None, axis=vega.Axis(labelLimit=260))
    colour = vega.Color("check:N", title="check", scale=_scale(_CHECKS))
    base = vega.Chart(vega.Data(values=rows)).encode(y=y)
    x = vega.X("value:Q", title=metric, scale=vega.Scale(zero=False))
    chart: alt.LayerChart = vega.layer(
        base.mark_rule().encode(x=vega.X("lower:Q", title=metric), x2="upper:Q"),
        base.mark_tick(thickness=2, color=_SOFT).encode(x=vega.X("baseline:Q", title=metric)),
        base.mark_point(filled=True, size=60, opacity=1).encode(
            x, color=colour, tooltip=_tips(rows)
        ),
    )
    if any(row["baseline"] is not None for row in rows):
        title += " (tick: the baseline)"
    return chart.properties(title=title, width=420)


def time_series(metric: str, slice_: str, rows: Rows) -> alt.LayerChart:
    """A metric over runs: a line through verdicts, intervals, and the baseline dashed."""
    vega = altair()
    x = vega.X("run:N", sort=None, title=None, axis=vega.Axis(labelAngle=-40, labelLimit=160))
    y = vega.Y("value:Q", title=metric, scale=vega.Scale(zero=False))
    verdict = {
        "color": vega.Color("verdict:N", scale=_scale(_VERDICTS)),
        "shape": vega.Shape("verdict:N", scale=vega.Scale(domain=list(_VERDICTS), range=_SHAPES)),
    }
    base = vega.Chart(vega.Data(values=rows)).encode(x=x)
    dashed = base.mark_line(strokeDash=[4, 3], color=_SOFT)
    chart: alt.LayerChart = vega.layer(
        dashed.encode(y=vega.Y("baseline:Q", title=metric)),
        base.mark_rule().encode(y=vega.Y("lower:Q", title=metric), y2="upper:Q"),
        base.mark_line(color=_OURS).encode(y=y),
        base.mark_point(filled=True, size=90, opacity=1).encode(
            y=y, tooltip=_tips(rows), **verdict
        ),
    )
    title = f"{metric} of {slice_}"
    if any(row["baseline"] is not None for row in rows):
        title += " (dashed: the baseline)"
    return chart.properties(title=title, width=480)


def plot(name: str, kind: Kind, rows: Rows) -> alt.Chart | alt.LayerChart | alt.FacetChart:
    """Lines through points, with the baseline dashed.

    Each slice has a colour, or a facet if the kind of plot has several lines for a slice.
    """
    vega = altair()
    title = name.replace("_", " ")
    chart = (
        vega.Chart(vega.Data(values=rows))
        .mark_line()
        .encode(
            x=vega.X("x:Q", title=kind.x),
            y=vega.Y("y:Q", title=kind.y),
            order="place:Q",
            strokeDash=vega.StrokeDash("model:N", sort=["candidate", "baseline"]),
            tooltip=["slice:N", "model:N", vega.Tooltip("x:Q"), vega.Tooltip("y:Q")],
        )
    )
    drawn: alt.Chart | alt.LayerChart | alt.FacetChart
    if any(row["line"] for row in rows):
        several = chart.encode(color=vega.Color("line:N", sort=None, title=None))
        facet = vega.Facet("slice:N", sort=None, title=None)
        drawn = (
            several.properties(width=240, height=200)
            .facet(facet, columns=3)
            .properties(title=title)
        )
        return drawn
    drawn = chart.encode(color=vega.Color("slice:N", sort=None, legend=vega.Legend(labelLimit=260)))
    if kind.diagonal:
        ends = vega.Chart(vega.Data(values=[{"x": 0, "y": 0}, {"x": 1, "y": 1}]))
        drawn = vega.layer(ends.mark_line(color=_SOFT, size=1).encode(x="x:Q", y="y:Q"), drawn)
    return drawn.properties(title=title, width=340, height=300)


def curve(title: str, feature: str, rows: Rows) -> alt.LayerChart:
    """The curve of a probe, and the lines of single rows thin behind it."""
    vega = altair()
    on_scale = all(isinstance(row["at"], float) for row in rows)
    x = vega.X("at:Q" if on_scale else "at:N", sort=None, title=feature or None)
    y = vega.Y("value:Q", title="value", scale=vega.Scale(zero=False))
    base = vega.Chart(vega.Data(values=rows)).encode(x=x, y=y, order="place:Q", detail="line:N")
    chart: alt.LayerChart = vega.layer(
        base.transform_filter("datum.line != 'mean'").mark_line(color=_SOFT, size=1, opacity=0.5),
        base.transform_filter("datum.line == 'mean'").mark_line(color=_OURS, size=3),
    )
    return chart.properties(title=f"{title} of {feature}" if feature else title, width=420)


def findings(title: str, rows: Rows) -> alt.LayerChart:
    """What a probe says of each feature: a dot and its interval, coloured by what came of its bound."""
    vega = altair()
    y = vega.Y("of:N", sort=None, title=None, axis=vega.Axis(labelLimit=260))
    base = vega.Chart(vega.Data(values=rows)).encode(y=y)
    x = vega.X("value:Q", title="value")
    colour = vega.Color("check:N", title="check", scale=_scale(_CHECKS))
    chart: alt.LayerChart = vega.layer(
        base.mark_rule().encode(x=vega.X("lower:Q", title="value"), x2="upper:Q"),
        base.mark_point(filled=True, size=60, opacity=1).encode(
            x, color=colour, tooltip=_tips(rows)
        ),
    )
    return chart.properties(title=title, width=420)


def _tips(rows: Rows) -> list[Any]:
    return [altair().Tooltip(f"{name}:N") for name in (rows[0] if rows else ())]


def _scale(colours: dict[str, str]) -> Any:
    return altair().Scale(domain=list(colours), range=list(colours.values()))
