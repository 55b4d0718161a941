# SPDX-License-Identifier: Apache-2.0
"""How tests read a report without a browser: its tags, and the numbers that it carries."""

from __future__ import annotations

import base64
import dataclasses
import html.parser
import json
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

import benison

_TYPES = {"f8": "<f8", "i4": "<i4", "d6": "<i4"}


def report_of(table: pa.Table, made: dict[str, Any], folder: Path) -> str:
    """The page of an evaluation, which is written to `folder`/out."""
    benison.evaluate(table, made, output=folder / "out")
    return (folder / "out" / "report.html").read_text(encoding="utf-8")


class Tags(html.parser.HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.text = ""
        self._skipped = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.found.append(tag)
        self._skipped = tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self._skipped:
            self.text += data


@dataclasses.dataclass
class Carried:
    """What the page's script reads."""

    header: dict[str, Any]
    columns: bytes

    @classmethod
    def of(cls, page: str) -> Carried:
        start = page.index('id="data">') + len('id="data">')
        whole = zlib.decompress(base64.b64decode(page[start : page.index("</script>", start)]))
        size = int.from_bytes(whole[:4], "little")
        return cls(json.loads(whole[4 : 4 + size]), whole[4 + size :])

    def column(self, location: list[Any]) -> np.ndarray:
        start, length, kind = location
        type_ = np.dtype(_TYPES[kind])
        shuffled = np.frombuffer(self.columns, np.uint8, length * type_.itemsize, start)
        numbers = shuffled.reshape(type_.itemsize, length).T.copy().view(type_)[:, 0]
        return np.array([_number(int(x)) for x in numbers]) if kind == "d6" else numbers

    def metric(self, name: str, field: str = "value", view: int = 0) -> dict[str, float]:
        """The values of a metric by slice."""
        (actual,) = (m for m in self.header["views"][view]["metrics"] if m["name"] == name)
        return dict(zip(self.header["names"], self.column(actual[field]).tolist(), strict=True))


def _number(packed: int) -> float:
    if packed == -(2**31):
        return math.nan
    if packed == -(2**31) + 1:
        return math.inf
    if packed == -(2**31) + 2:
        return -math.inf
    return float(f"{packed >> 10}e{(packed & 1023) - 329}")
