# SPDX-License-Identifier: Apache-2.0
"""Renders what the probes of debugging say of a model, as plain HTML with small drawings of curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from benison.results.result import EvalResult
from benison.table.words import cut, probe_numbers

_HEADINGS = ("Probe", "Of", "Value", "Interval", "Allowed", "Rows", "Curve")
_WIDTH, _HEIGHT = 120, 28
_MAX_SENTENCE = 1_000


def probe_section(result: EvalResult) -> str:
    """A section with a table, a row for each finding; "" where there was no probe."""
    rows = result.probes.to_pylist()
    if not rows:
        return ""
    heads = "".join(f'<th scope="col">{heading}</th>' for heading in _HEADINGS)
    body = "".join(map(_row, rows))
    return (
        '<section id="probes" aria-labelledby="probes-title"><h2 id="probes-title">Probes</h2>'
        '<p class="note">The model was called on changed examples. What a person should look at is said in '
        'words.</p><div class="scroll" tabindex="0" role="region" aria-label="What probes say"><table>'
        f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
        "</div></section>"
    )


def _row(row: dict[str, Any]) -> str:
    in_words = row["notable"] or math.isnan(row["value"])
    sentence = f"<p>{escape(cut(row['sentence'], _MAX_SENTENCE))}</p>" if in_words else ""
    detail = "" if row["count"] is not None and row["feature"] else row["detail"]
    of = escape(cut(f"{row['feature']} {detail}".strip()))
    cells = "".join(f"<td>{cell}</td>" for cell in probe_numbers(row))
    kind = f' class="is-{row["outcome"]}"' if row["outcome"] else ""
    return (
        f'<tr{kind}><th scope="row">{row["probe"]}{sentence}</th><td><bdi>{of}</bdi></td>{cells}'
        f"<td>{_drawing(row['curve'], row['lines'] or ())}</td></tr>"
    )


def _drawing(curve: Sequence[Mapping[str, Any]], lines: Sequence[Sequence[float]]) -> str:
    """The points of a curve from left to right, with what they are in words for who does not see them.

    The lines of single rows are thin behind it.
    """
    means = [point["value"] for point in curve]
    values = [value for line in (means, *lines) for value in line if math.isfinite(value)]
    if len(means) < 2 or len(values) < 2:  # noqa: PLR2004 - a line has two ends
        return ""
    low, high = min(values), max(values)
    thin = "".join(_line(line, low, high, ' stroke-opacity="0.2"') for line in lines)
    known = [value for value in means if math.isfinite(value)]
    ends = f"{curve[0]['at']} to {curve[-1]['at']}: {min(known):.4g} to {max(known):.4g}"
    ends += f", and {len(lines)} single rows" if lines else ""
    return (
        f'<svg role="img" width="{_WIDTH}" height="{_HEIGHT}" aria-label="{escape(ends)}">'
        f"<title>{escape(ends)}</title>{thin}{_line(means, low, high)}</svg>"
    )


def _line(values: Sequence[float], low: float, high: float, style: str = "") -> str:
    across, up = (_WIDTH - 4) / (len(values) - 1), (_HEIGHT - 4) / ((high - low) or 1.0)
    points = " ".join(
        f"{2 + i * across:.1f},{_HEIGHT - 2 - (value - low) * up:.1f}"
        for i, value in enumerate(values)
        if math.isfinite(value)
    )
    return f'<polyline fill="none" stroke="currentColor"{style} points="{points}"/>'
