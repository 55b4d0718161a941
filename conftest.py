# SPDX-License-Identifier: Apache-2.0
"""What every test shares, those of the documentation's pages and docstrings too."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from benison.metrics import modules, registry

registry.registered()  # or a family that a test is the first to ask for would be gone after it


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Generator[None, object, object]:
    """The metrics that a test or its fixtures register, of whatever scope, are gone when it ends."""
    known, loaded = dict(registry._REGISTRY), dict(modules._loaded)
    try:
        return (yield)
    finally:
        registry._REGISTRY.clear()
        registry._REGISTRY.update(known)
        modules._loaded.clear()
        modules._loaded.update(loaded)
