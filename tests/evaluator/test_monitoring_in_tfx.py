# SPDX-License-Identifier: Apache-2.0
"""The evaluations of a pipeline of TFX's, watched over time by its own runner."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

pytest.importorskip("tfx")

from tfx import v1 as tfx
from tfx.types.channel_utils import union

import benison
from benison.evaluator import Monitor
from tests.conftest import config, taxi_like

pytestmark = pytest.mark.slow


def test_a_pipeline_says_which_slice_became_worse(tmp_path: Path) -> None:
    """Two evaluations, of which the second has every label of a company wrong."""
    accuracy = {
        "class_name": "BinaryAccuracy",
        "threshold": {"value_threshold": {"lower_bound": 0}},
    }
    made = config(accuracy, slices=({}, {"feature_keys": ["company"]}))
    made["options"] = {"confidence": {"level": 0.95}}
    trips = taxi_like(2_000)
    label, company = trips["label"].to_numpy(), trips["company"].to_numpy()
    wrong = np.where(company == company[0], 1 - label, label)
    worse = trips.set_column(trips.column_names.index("label"), "label", pa.array(wrong))
    imported = []
    for day, data in (("1", trips), ("2", worse)):
        benison.evaluate(data, made, output=tmp_path / day)
        kind = tfx.types.standard_artifacts.ModelEvaluation
        node = tfx.dsl.Importer(source_uri=str(tmp_path / day), artifact_type=kind)
        imported.append(node.with_id(f"day{day}"))
    channels = [node.outputs["result"] for node in imported]
    monitor = Monitor(union(channels), metrics=["binary_accuracy"])
    metadata = tfx.orchestration.metadata.sqlite_metadata_connection_config(str(tmp_path / "db"))
    pipeline = tfx.dsl.Pipeline(
        pipeline_name="watched",
        pipeline_root=str(tmp_path / "artifacts"),
        components=[*imported, monitor],
        metadata_connection_config=metadata,
    )
    tfx.orchestration.LocalDagRunner().run(pipeline)
    (file,) = (tmp_path / "artifacts").rglob("alerts.json")
    (alert,) = json.loads(file.read_text(encoding="utf-8"))["alerts"]
    assert alert["slice"].startswith("company=")
