# SPDX-License-Identifier: Apache-2.0
"""The report on screens of all widths: what is seen at first, how large it is, what stands for nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import benison
from tests.browser.conftest import Shown
from tests.component.browsing import too_small

Show = Callable[..., Shown]


@pytest.mark.parametrize("width", [1400, 768, 390])
def test_text_can_be_read_and_targets_can_be_hit(
    show: Show, judged: benison.EvalResult, width: int
) -> None:
    page = show(judged, viewport={"width": width, "height": 900}).page
    page.locator("#columns summary").click()
    assert too_small(page) == []


def test_says_what_to_do_where_no_slice_matches(show: Show, judged: benison.EvalResult) -> None:
    shown = show(judged, "#find=nonsense")
    assert "No slice has all that is asked for above." in shown.text("#table")
    assert shown.page.locator(".pair svg").count() == 0
    shown.page.get_by_role("button", name="Show all slices").click()
    assert f"{len(judged.slices())} slices" in shown.text("#count")
    assert shown.page.locator(".pair svg").count() == 2
