# SPDX-License-Identifier: Apache-2.0
"""The TFX component: `from benison.evaluator import Evaluator`, in place of TFX's own.

`component` declares inputs, outputs and parameters, and imports TFX; `executor` runs the evaluation.
`Monitor` watches the evaluations of a pipeline over time.
"""

from __future__ import annotations

from typing import Any

__all__ = ["Evaluator", "Monitor"]  # noqa: F822 - imported on first use, because TFX takes seconds to import


def __getattr__(name: str) -> Any:
    if name == "Monitor":
        from benison.evaluator.monitor_component import Monitor

        return Monitor
    if name != "Evaluator":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from benison.evaluator.component import Evaluator

    return Evaluator
