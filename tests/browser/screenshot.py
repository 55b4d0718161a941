# SPDX-License-Identifier: Apache-2.0
"""This file makes the picture of a report that the README shows.

make demo
.venv/bin/python tests/browser/screenshot.py demo-output/candidate-1/report.html tests/browser/report.png
"""

from __future__ import annotations

import argparse
from pathlib import Path

from playwright.sync_api import sync_playwright

FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking")


def main() -> None:
    """Open a report in Chromium and keep what its first screen shows."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("report", type=Path, help="a report.html")
    parser.add_argument("picture", type=Path, help="the PNG to write")
    parser.add_argument(
        "--fragment", default="", help="a view, as the page's address has it after #"
    )
    parser.add_argument("--theme", choices=("light", "dark"), default="light")
    parser.add_argument("--width", type=int, default=1240, help="pixels")
    parser.add_argument("--height", type=int, default=1200, help="pixels")
    parser.add_argument("--room", help="begin at a part of the page: browser, plots or fairness")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    asked = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=asked.chromium, args=FLAGS)
        window = {"width": asked.width, "height": asked.height}
        page = browser.new_page(viewport=window, color_scheme=asked.theme)
        page.goto(f"{asked.report.absolute().as_uri()}#{asked.fragment}")
        page.locator("#rooms").wait_for()
        if asked.room:
            page.evaluate("room => document.getElementById(room).scrollIntoView()", asked.room)
        page.screenshot(path=asked.picture)
        browser.close()


if __name__ == "__main__":
    main()
