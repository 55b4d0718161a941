# SPDX-License-Identifier: Apache-2.0
"""The command of Kubeflow's container, run outside of one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.conftest import config

CONFIG = config(
    {"class_name": "AUC", "threshold": {"value_threshold": {"lower_bound": 0.5}}},
    "BinaryAccuracy",
    "Precision",
    "ConfusionMatrixPlot",
    slices=({}, {"feature_keys": ["hour"]}),
)
ARTIFACTS = ("metrics", "curves", "slices", "report", "summary", "evaluation")
PARAMETERS = ("blessing", "values", "reasons", "undecided")


def executor_input(
    folder: Path | str, artifacts: Mapping[str, Sequence[str]], **parameters: Any
) -> dict[str, Any]:
    """What Kubeflow puts in place of the `{{$}}`; `artifacts` are the URIs of each input."""
    given = {
        name: {"artifacts": [{"uri": uri} for uri in uris]} for name, uris in artifacts.items()
    }
    return {
        "inputs": {
            "parameterValues": {"config": json.dumps(CONFIG), **parameters},
            "artifacts": given,
        },
        "outputs": {
            "artifacts": {
                name: {"artifacts": [{"name": name, "uri": f"{folder}/{name}"}]}
                for name in ARTIFACTS
            },
            "parameters": {name: {"outputFile": f"{folder}/{name}"} for name in PARAMETERS},
            "outputFile": f"{folder}/executor_output.json",
        },
    }


def task(
    data: Path, outputs_of: str = "task", **parameters: Any
) -> subprocess.CompletedProcess[str]:
    """The command for a file of examples; its outputs are beside the file, in the folder `outputs_of`."""
    folder = data.parent / outputs_of
    return command(executor_input(folder, {"examples": [str(data)]}, **parameters))


def command(given: Mapping[str, Any]) -> subprocess.CompletedProcess[str]:
    """The command for an executor input."""
    words = [sys.executable, "-m", "benison_orchestration.kubeflow_task", json.dumps(given)]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
