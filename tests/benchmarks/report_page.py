# SPDX-License-Identifier: Apache-2.0
"""How fast a report is in Chromium: its size, its first paint, and what a sort or filter takes.

python tests/benchmarks/report_page.py OUTPUT/report.html
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking")

# From the event to the frame after the one that shows what it changed.
_TIMED = """async ([selector, kind, value]) => {
  const node = document.querySelector(selector), begun = performance.now();
  if (kind === "click") node.click();
  else { node.value = value; node.dispatchEvent(new Event("input", { bubbles: true })); }
  const script = performance.now() - begun;
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return [script, performance.now() - begun];
}"""
_DEEDS = {
    "sort by the second metric": ("#table thead th:nth-child(4) button", "click", ""),
    "sort by examples": ('[data-sort="examples"]', "click", ""),
    "find 7": ("#find", "input", "7"),
    "find nothing": ("#find", "input", ""),
    "at least 2 examples": ("#least", "input", "2"),
}


def measure(page: Page, path: Path) -> None:
    """Print the times of one page."""
    page.goto(path.absolute().as_uri())
    page.locator("#rooms").wait_for()
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    print(f"{'size':28} {path.stat().st_size:,} bytes")
    print(f"{'first contentful paint':28} {paint:.0f} ms")
    print(f"{'deed':28} script ms, to the next frame ms (median of 9)")
    for name, deed in _DEEDS.items():
        times = [page.evaluate(_TIMED, list(deed)) for _ in range(9)]
        script, frame = (statistics.median(column) for column in zip(*times, strict=True))
        print(f"{name:28} {script:.0f}, {frame:.0f}")


def main() -> None:
    """Measure the report that the command line names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("report", type=Path)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    arguments = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=arguments.chromium, args=FLAGS)
        measure(browser.new_page(viewport={"width": 1280, "height": 900}), arguments.report)
        browser.close()


if __name__ == "__main__":
    main()
