# SPDX-License-Identifier: Apache-2.0
"""Metrics of a user's that hold a worker until it was killed, or end with an error."""

from __future__ import annotations

import dataclasses
import os
import time
from pathlib import Path
from typing import Any

import benison
from benison.metrics.base import ratio
from benison.metrics.statistics import Mean


@dataclasses.dataclass(frozen=True)
class Held:
    """Predictions, once there is a file `go` in the folder; until then a file says which process waits."""

    folder: str

    def __call__(self, inputs: benison.Inputs) -> Any:
        if len(inputs.predictions) < 100:  # as where the metric is tried before any data are read
            return inputs.predictions
        folder, until = Path(self.folder), time.monotonic() + 120
        (folder / str(os.getpid())).touch()
        while not (folder / "go").exists() and time.monotonic() < until:
            time.sleep(0.05)
        return inputs.predictions


@dataclasses.dataclass(frozen=True)
class Waiting(benison.Metric):
    """Mean prediction, after a while."""

    folder: str = ""
    name: str = "waiting"
    higher_is_better = True

    def statistics(self) -> Any:
        return (Mean(Held(self.folder)),)

    def result(self, *states: Any) -> Any:
        return ratio(*states[0])


def divided(inputs: benison.Inputs) -> Any:
    return inputs.predictions / (1 // 0)


@dataclasses.dataclass(frozen=True)
class Dividing(benison.Metric):
    """Raises an error."""

    name: str = "dividing"
    higher_is_better = True

    def statistics(self) -> Any:
        return (Mean(divided),)

    def result(self, *states: Any) -> Any:
        return ratio(*states[0])
