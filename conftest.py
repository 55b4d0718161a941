# SPDX-License-Identifier: Apache-2.0
"""What every test shares, those of the documentation's pages and docstrings too."""

from __future__ import annotations

import os
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


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin the share of each worker with modules that have slow tests.

    What one worker takes of another's share in the end is then short, and of no module whose fixtures, such
    as a scheduler, both would start.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    slow = dict.fromkeys(item.path for item in items if item.get_closest_marker("slow"))
    quick = [item for item in items if item.path not in slow]
    size = len(items) // workers
    ordered: list[pytest.Item] = []
    for worker in range(workers if workers > 1 else 0):
        modules = {*[*slow][worker::workers]}
        ordered += (share := [item for item in items if item.path in modules])
        ordered += quick[: max(size - len(share), 0)]
        del quick[: max(size - len(share), 0)]
    items[:] = [*ordered, *quick] if ordered else items
