# SPDX-License-Identifier: Apache-2.0
"""Leaves pandas alone until somebody imports it.

Arrow looks for pandas on the first call that converts anything, also where no data are pandas', and imports
it for that: half a second or more in each process. It looks once. So it looks while pandas is hidden, and
learns of pandas as soon as any code imports it, as what it makes of a Series depends on that.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import pyarrow as pa


class _Watch:
    """Hides pandas from one thread for a moment, and lets Arrow know when it is imported later."""

    def __init__(self) -> None:
        self.thread: int | None = threading.get_ident()

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """As other finders find pandas, with Arrow told after it has run; None for other modules."""
        if name != "pandas":
            return None
        if threading.get_ident() == self.thread:
            raise ModuleNotFoundError("pandas is imported where data are pandas'", name=name)
        others = (finder for finder in sys.meta_path if finder is not self)
        specs = (finder.find_spec(name, path, target) for finder in others)
        spec = next((spec for spec in specs if spec is not None), None)
        if spec is not None and spec.loader is not None:
            self._follow(spec.loader)
        return spec

    def _follow(self, loader: Any) -> None:
        run = loader.exec_module

        def run_and_tell(module: ModuleType) -> None:
            run(module)
            if module.__name__ == "pandas":
                with contextlib.suppress(ValueError):
                    sys.meta_path.remove(self)
                _tell_arrow()

        loader.exec_module = run_and_tell


def _tell_arrow() -> None:
    with contextlib.suppress(
        AttributeError, ImportError
    ):  # a pandas too old for Arrow is none to it
        pa.lib._pandas_api.pd  # noqa: B018 - looks again


def leave_alone() -> None:
    """Let Arrow import pandas only after the program has; without effect where that was imported already."""
    if "pandas" in sys.modules:
        return
    watch = _Watch()
    sys.meta_path.insert(0, watch)
    pa.array([0])
    watch.thread = None


leave_alone()
