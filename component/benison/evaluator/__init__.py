# SPDX-License-Identifier: Apache-2.0
"""This folder is the TFX component: `from benison.evaluator import Evaluator`, in place of TFX's own.

The component says what goes in and out, and costs what importing TFX costs; the executor does the work.
"""

from __future__ import annotations

from typing import Any

__all__ = ["Evaluator"]  # noqa: F822 - made when it is asked for


def __getattr__(name: str) -> Any:
    if name != "Evaluator":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from benison.evaluator.component import Evaluator

    return Evaluator
