# SPDX-License-Identifier: Apache-2.0
"""Draws the checks of one metric on one axis, as SVG that needs no script."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from html import escape

WIDTH = 240
"""Pixels of each picture, and its own units: text keeps its size."""

_MARGIN = 6  # pixels, so that no mark is cut
_MIDDLE = 10  # pixels from the top
_TICKS = 5  # at most
_TICK_ROOM = 24  # pixels that half a number may take
_ROUNDING = 1e-9  # of their size; numbers that are closer differ by rounding alone


@dataclasses.dataclass(frozen=True)
class Marks:
    """What is drawn of one check; NaN where there is nothing to draw."""

    value: float
    lower: float
    upper: float
    """Both ends of the interval of the value."""
    reference: float
    """The baseline's value, or 0 where a change is judged."""
    least: float
    most: float
    """The bounds."""

    def ends(self) -> tuple[float, ...]:
        """What an axis has to reach."""
        return dataclasses.astuple(self)


@dataclasses.dataclass(frozen=True)
class Axis:
    """A range of numbers, drawn from left to right."""

    low: float
    high: float

    @classmethod
    def spanning(cls, numbers: Iterable[float]) -> Axis | None:
        """The axis of all finite numbers with some room beside them; None without any."""
        finite = [number for number in numbers if math.isfinite(number)]
        if not finite:
            return None
        low, high = min(finite), max(finite)
        size = max(abs(low), abs(high))
        span = high - low if high - low > _ROUNDING * size else 0.0
        room = 0.1 * span or 0.05 * size or 0.5
        return cls(low - room, high + room)

    def x(self, number: float) -> float:
        """Where a number is drawn, at an end where it lies beyond."""
        share = (min(max(number, self.low), self.high) - self.low) / (self.high - self.low)
        return round(_MARGIN + (WIDTH - 2 * _MARGIN) * share, 1)

    def scale(self) -> str:
        """An SVG of round numbers along the axis."""
        texts = "".join(self._tick(number) for number in self._ticks())
        return f'<svg class="scale" viewBox="0 0 {WIDTH} 14" aria-hidden="true">{texts}</svg>'

    def _ticks(self) -> list[float]:
        rough = (self.high - self.low) / _TICKS
        unit = 10.0 ** math.floor(math.log10(rough))
        step = next(m * unit for m in (1, 2, 5, 10) if m * unit >= rough * (1 - _ROUNDING))
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        return [k * step for k in range(first, last + 1)]

    def _tick(self, number: float) -> str:
        x = self.x(number)
        anchor = "start" if x < _TICK_ROOM else "end" if x > WIDTH - _TICK_ROOM else "middle"
        return f'<text class="tick" x="{x}" y="11" text-anchor="{anchor}">{plain(number)}</text>'

    def picture(self, marks: Marks, css: str, label: str) -> str:
        """An SVG of a check: what is allowed, the interval, the reference and the value."""
        if not math.isfinite(marks.value):
            return ""
        parts = [f'<path class="axis" d="M{_MARGIN} {_MIDDLE}H{WIDTH - _MARGIN}"/>']
        least, most = (math.isfinite(bound) for bound in (marks.least, marks.most))
        if least or most:
            left = self.x(marks.least) if least else 0
            right = self.x(marks.most) if most else WIDTH
            parts.append(_rectangle("allowed", left, right))
        if math.isfinite(marks.lower + marks.upper):
            parts.append(
                f'<path class="reach" d="M{self.x(marks.lower)} {_MIDDLE}H{self.x(marks.upper)}"/>'
            )
        if math.isfinite(marks.reference):
            parts.append(f'<path class="before" d="M{self.x(marks.reference)} 3V17"/>')
        parts.append(f'<circle class="{css}" cx="{self.x(marks.value)}" cy="{_MIDDLE}" r="4.5"/>')
        about = f'role="img" aria-label="{escape(label)}"'
        return f'<svg viewBox="0 0 {WIDTH} 20" {about}>{"".join(parts)}</svg>'


def _rectangle(css: str, left: float, right: float) -> str:
    width = round(max(right - left, 1), 1)
    return f'<rect class="{css}" x="{left}" width="{width}" y="4" height="12"/>'


def level(number: float, of: float, signed: bool = False) -> str:
    """A number with as many decimals as four digits of the number `of` take.

    >>> level(0.5, 0.8335, signed=True), level(-12.345, 1234.5), level(0.1, 45.61), level(0.0, 600.0)
    ('+0.5000', '−12', '0.10', '0')
    """
    if not math.isfinite(number) or not math.isfinite(of):
        return plain(number)
    are_counts = abs(of) > 1 and of == int(of) and number == int(number)
    decimals = 0 if are_counts else max(0, 4 - max(0, math.ceil(math.log10(abs(of) or 1))))
    if 0 < abs(number) < 0.5 * 10**-decimals:
        return f"{'+' if signed and number > 0 else ''}{plain(number, 2)}"
    text = f"{number:+,.{decimals}f}" if signed else f"{number:,.{decimals}f}"
    return text.replace("-", "−")


def plain(number: float, digits: int = 4) -> str:
    """A number in so many significant digits, as people write it.

    >>> plain(-0.00123456), plain(12345678.0, 6), plain(-0.0)
    ('−0.001235', '12,345,700', '0')
    """
    if not math.isfinite(number):
        return "–" if math.isnan(number) else "∞" if number > 0 else "−∞"
    rounded = float(f"{number:.{digits}g}") or 0.0
    large = 1e3 <= abs(rounded) < 1e15
    text = f"{rounded:,.{digits}f}" if large else f"{rounded:.{digits}g}"
    return (text.rstrip("0").rstrip(".") if large else text).replace("-", "−")
