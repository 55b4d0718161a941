# SPDX-License-Identifier: Apache-2.0
"""The colours that all pictures of results have in common."""

from __future__ import annotations

LIGHT = {
    "ink": "#1b1f24",
    "paper": "#ffffff",
    "wash": "#f5f6f8",
    "line": "#dfe3e8",
    "tint": "#cdd3da",
    "soft": "#59636e",
    "focus": "#2f6fde",
    "good": "#137a4b",
    "bad": "#b8232c",
    "open": "#855500",
    "ours": "#1f5fbf",
    "theirs": "#a15c00",
    "violet": "#8a3fa0",
    "teal": "#00757f",
}
"""Colours on white by their use: `ours` is of the candidate, `theirs` of the baseline."""

DARK = {
    "ink": "#e6e9ed",
    "paper": "#14171a",
    "wash": "#1c2024",
    "line": "#343a41",
    "tint": "#414952",
    "soft": "#a5afb9",
    "focus": "#79aeff",
    "good": "#57c994",
    "bad": "#ff8d8d",
    "open": "#efb84c",
    "ours": "#79aeff",
    "theirs": "#f0a94a",
    "violet": "#d79be8",
    "teal": "#4fcad6",
}
"""The same on black."""

_PRINTED = {**LIGHT, "ink": "#000000", "soft": "#444444", "line": "#cccccc"}


def colours() -> str:
    """The style sheet of the colours: light or dark as the system is or the reader wishes, light on paper."""
    dark = _properties("dark", DARK)
    return "\n".join(
        (
            f":root{{{_properties('light', LIGHT)}}}",
            f"@media(prefers-color-scheme:dark){{:root:not([data-theme=light]){{{dark}}}}}",
            f":root[data-theme=dark]{{{dark}}}",
            f"@media print{{:root:root{{{_properties('light', _PRINTED)}}}}}",
        )
    )


def _properties(scheme: str, palette: dict[str, str]) -> str:
    colours = "".join(f"--{name}:{colour};" for name, colour in palette.items())
    return f"color-scheme:{scheme};{colours}"
