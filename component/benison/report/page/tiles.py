# SPDX-License-Identifier: Apache-2.0
"""Renders the headline values of Overall, coloured only where the change is beyond chance."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from statistics import NormalDist
from typing import Any

import pyarrow.compute as pc

from benison.metrics import About
from benison.report.page.axis import level
from benison.results.result import EvalResult
from benison.table.alike import rows_by
from benison.table.key import CHANGE, KEY_COLUMNS, VALUE, Key
from benison.table.words import cut, view_text
from benison.validation.terms import FAIL, PASS
from benison.validation.verdict import checks_text

MAX_TILES = 6
_ALPHA = 0.05
_NORMAL = NormalDist()
_UNTOLD = "example_count"  # the header has the number of examples
Row = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Tile:
    """A metric of Overall: its row of metrics.parquet, and those of its change and its baseline."""

    key: Key
    view: str
    about: About
    row: Row
    change: Row | None
    baseline: float
    outcomes: Counter[str]
    """Its checks on all slices by outcome."""

    @property
    def value(self) -> float:
        """The candidate's value."""
        value: float = self.row["value"]
        return value

    @property
    def moved(self) -> float:
        """Candidate less baseline; NaN without a baseline."""
        return self.value - self.baseline

    @property
    def rank(self) -> int:
        """The lower, the earlier: what failed, what is judged, what has a good end, the rest."""
        if self.outcomes:
            return 0 if self.outcomes[FAIL] else 1
        return 2 if self.about.higher_is_better is not None else 3

    @property
    def p_value(self) -> float:
        """Of no change, two-sided, by Student's t; NaN where the error of the change is not known."""
        error, df = (self.change[name] for name in ("std_error", "df")) if self.change else (0, 0)
        if not error > 0:
            return math.nan
        return 2 * _NORMAL.cdf(-_deviate(abs(self.moved) / error, df))


def _deviate(t: float, df: float) -> float:
    """The normal deviate of about the same tail as a t of `df` degrees; Wallace, 1959."""
    if not math.isfinite(df):
        return t
    return (8 * df + 1) / (8 * df + 3) * math.sqrt(df * math.log1p(t * t / df))


def tiles(result: EvalResult) -> str:
    """A tile for each headline metric: those that are judged first, and of these what failed."""
    chosen = sorted(_all(result), key=lambda tile: tile.rank)[:MAX_TILES]
    clear = _beyond_chance(chosen)
    shown = (_tile(tile, any(tile is other for other in clear)) for tile in chosen)
    return f'<ul id="tiles" aria-label="Overall">{"".join(shown)}</ul>' if chosen else ""


def _all(result: EvalResult) -> Iterator[Tile]:
    """The metrics of the candidates, in the order of the results."""
    rows, outcomes, infos = _overall(result), _outcomes(result), result.about
    candidates = [spec.name for spec in result.config.candidate_specs]
    base = result.config.baseline_spec
    for key, row in rows.items():
        if key.kind == VALUE and key.model in candidates and key.metric != _UNTOLD:
            theirs = None if base is None else rows.get(key.of_model(base.name))
            yield Tile(
                key,
                view_text(key.view, len(candidates) > 1),
                _about(result, key.metric, infos),
                row,
                rows.get(key.as_kind(CHANGE)),
                math.nan if theirs is None else theirs["value"],
                outcomes[key],
            )


def _about(result: EvalResult, metric: str, infos: Mapping[str, About]) -> About:
    """What is known of a metric, with the end that thresholds say is good."""
    bad = result.is_bad_when_high(metric)
    about = infos.get(metric, About(""))
    return dataclasses.replace(about, higher_is_better=None if bad is None else not bad)


def _overall(result: EvalResult) -> dict[Key, Row]:
    """The numbers of Overall."""
    table = result.metrics
    is_overall = pc.and_(
        pc.equal(pc.list_value_length(table["slice_key"]), 0), pc.is_null(table["other_slice_key"])
    )
    rows = table.filter(pc.and_(is_overall, pc.is_null(table["structured"]))).to_pylist()
    return {Key.of(row): row for row in rows}


def _outcomes(result: EvalResult) -> defaultdict[Key, Counter[str]]:
    """The checks of each metric by outcome."""
    outcomes: defaultdict[Key, Counter[str]] = defaultdict(Counter)
    for (*key, outcome), rows in rows_by(result.verdict.table, [*KEY_COLUMNS, "outcome"]).items():
        outcomes[Key(*key).as_kind(VALUE)][outcome] += len(rows)
    return outcomes


def _beyond_chance(chosen: Sequence[Tile]) -> list[Tile]:
    """The tiles whose change chance does not explain, by Holm's correction over all tiles."""
    tested = sorted(
        (tile for tile in chosen if not math.isnan(tile.p_value)), key=lambda t: t.p_value
    )
    clear = []
    for rank, tile in enumerate(tested):
        if tile.p_value > _ALPHA / (len(tested) - rank):
            break
        clear.append(tile)
    return clear


def _tile(tile: Tile, is_clear: bool) -> str:
    metric = escape(cut(tile.key.metric))
    view = "" if tile.view == "all examples" else f" <small>{escape(tile.view)}</small>"
    about = f'data-tip="{escape(tile.about.sentence)}"' if tile.about.sentence else ""
    parts = [
        f'<h2 dir="auto" title="{metric}" {about}>{metric.replace("_", "_<wbr>")}{view}</h2>',
        f'<p class="number">{level(tile.value, tile.value)}</p>',
        *_changes(tile, is_clear),
        *_gate(tile.outcomes),
    ]
    return f"<li>{''.join(parts)}</li>"


def _changes(tile: Tile, is_clear: bool) -> Iterator[str]:
    """The change from the baseline with its interval, or the interval of the value."""
    if math.isnan(tile.moved):
        yield f'<p class="moved">{_interval(tile, tile.row, is_change=False)}</p>'
        return
    better = tile.about.higher_is_better
    is_directed = is_clear and better is not None
    css = ("better" if (tile.moved > 0) == better else "worse") if is_directed else ""
    interval = _interval(tile, tile.change, is_change=True) if tile.change else ""
    yield f'<p class="moved {css}">{level(tile.moved, tile.value, True)} {interval}</p>'


def _interval(tile: Tile, row: Row, is_change: bool) -> str:
    if math.isnan(row["lower"]) or math.isnan(row["upper"]):
        return ""
    low, high = (level(row[end], tile.value, is_change) for end in ("lower", "upper"))
    return f"<small>{low} to {high}</small>"


def _gate(outcomes: Counter[str]) -> Iterator[str]:
    """What came of the checks of the metric, on all slices."""
    if not outcomes:
        return
    css, sign = ("failed", "✗ ") if outcomes[FAIL] else ("", "")
    if outcomes.keys() == {PASS}:
        css, sign = "passed", "✓ "
    text = checks_text(outcomes)
    yield f'<p class="{css}">{sign}{text[:1].upper()}{text[1:]}</p>'
