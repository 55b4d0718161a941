# SPDX-License-Identifier: Apache-2.0
"""How tests look at a page: in a real Chromium, which must stay silent and off the network."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest


def chromium() -> str:
    """The program; without it a test is skipped, except in continuous integration."""
    actual = shutil.which("chromium")
    if actual is None:
        assert "CI" not in os.environ, "the continuous integration must install Chromium"
        pytest.skip("Chromium is not installed")
    return actual


@contextmanager
def opened(**context: Any) -> Iterator[tuple[Any, list[str]]]:
    """A page of a new window, and what it has complained of or asked the network for so far."""
    sync = pytest.importorskip("playwright.sync_api")
    options = {"executable_path": chromium(), "args": ["--no-sandbox", "--disable-gpu"]}
    with sync.sync_playwright() as playwright:
        browser = playwright.chromium.launch(**options)
        page = browser.new_context(**context).new_page()
        heard: list[str] = []
        page.on("console", lambda message: heard.append(message.text))
        page.on("pageerror", lambda error: heard.append(str(error)))
        page.on("request", lambda request: heard.extend(_outside(request.url)))
        page.on("dialog", lambda dialog: (heard.append(dialog.message), dialog.dismiss()))
        yield page, heard
        browser.close()


def _outside(url: str) -> list[str]:
    own = ("file:", "data:", "blob:", "about:", "http://127.0.0.1:", "ws://127.0.0.1:")
    return [] if url.startswith((*own, "http://localhost:", "ws://localhost:")) else [url]


_TOO_SMALL = """() => {
  const small = [];
  const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (words.nextNode()) {
    const node = words.currentNode.parentElement;
    const range = document.createRange();
    range.selectNodeContents(words.currentNode);
    if (!words.currentNode.textContent.trim() || !range.getBoundingClientRect().width) continue;
    const picture = node.closest("svg");
    const wide = picture?.viewBox.baseVal.width;
    const zoom = wide ? picture.getBoundingClientRect().width / wide : 1;
    const size = zoom * parseFloat(getComputedStyle(node).fontSize);
    if (size < 10.99) small.push(`text of ${size} px: ${words.currentNode.textContent}`);
  }
  for (const node of document.querySelectorAll("a, button, input, select, summary, .point")) {
    const { width, height, right } = (node.closest("label") || node).getBoundingClientRect();
    if (width && right > 0 && Math.min(width, height) < 23.5) {
      small.push(`target of ${width} x ${height} px: ${node.outerHTML}`);
    }
  }
  return small;
}"""


def too_small(page: Any) -> list[str]:
    """What of a page stays text of less than 11 pixels, or a target of less than 24.

    Where a window was made wider or narrower, its charts are drawn again a moment later.
    """
    for _ in range(30):
        small: list[str] = page.evaluate(_TOO_SMALL)
        if not small:
            break
        page.wait_for_timeout(100)
    return small
