# SPDX-License-Identifier: Apache-2.0
"""The local host: a spec or a TFX pipeline, run in this process.

Of TFX 1.21's other runners, BeamDagRunner runs a pipeline with Benison's Evaluator and KubeflowV2DagRunner
compiles one; AirflowDagRunner is not imported by Airflow 3: use `benison_orchestration.airflow`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import benison
from benison.evaluation.spec import read_spec
from benison.evaluator.tfx_v1 import import_tfx


def run(spec: Mapping[str, Any] | str | os.PathLike[str]) -> benison.EvalResult:
    """Evaluate what a spec says.

    Args:
        spec: The arguments of `benison.evaluate`, or a JSON file that holds them. `examples`, `config` and
            `output` are required.

    Returns:
        The result; it is in the directory `output` too.

    Raises:
        ConfigError: The spec cannot be read, lacks a field, or has one that `evaluate` does not.
        DataError, ModelError, OutputError: As `benison.evaluate`.
    """
    return benison.evaluate(**read_spec(spec))


def run_pipeline(pipeline: Any) -> None:
    """Run a TFX pipeline, a component after the other, with TFX's LocalDagRunner.

    Args:
        pipeline: A tfx.dsl.Pipeline; one without a metadata store gets SQLite's `metadata.db` in its
            pipeline root.

    Raises:
        MissingExtraError: TFX is not installed.
    """
    orchestration = import_tfx().orchestration
    if pipeline.metadata_connection_config is None:
        path = Path(pipeline.pipeline_info.pipeline_root) / "metadata.db"
        sqlite = orchestration.metadata.sqlite_metadata_connection_config
        pipeline.metadata_connection_config = sqlite(str(path))
    orchestration.LocalDagRunner().run(pipeline)
