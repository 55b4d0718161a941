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
    found = shutil.which("chromium")
    if found is None:
        assert "CI" not in os.environ, "the continuous integration must install Chromium"
        pytest.skip("Chromium is not installed")
    return found


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
