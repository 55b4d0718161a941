# SPDX-License-Identifier: Apache-2.0
"""The evaluations of a pipeline of TFX's, watched over time by its own runner."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("tfx")

from tfx.types import Channel
from tfx.types.standard_artifacts import ModelEvaluation

import benison
from benison.evaluator import Monitor
from benison.evaluator.monitor_component import Alerts, MonitorExecutor
from tests.conftest import config, taxi_like, write_days

pytestmark = pytest.mark.slow


def test_a_pipeline_says_which_slice_became_worse(tmp_path: Path) -> None:
    """Two evaluations, of which the second has every label of a company wrong."""
    from tfx import v1 as tfx  # which takes seconds, of the one worker that runs it

    write_days(tmp_path)
    imported = []
    for day in ("1", "2"):
        node = tfx.dsl.Importer(source_uri=str(tmp_path / day), artifact_type=ModelEvaluation)
        imported.append(node.with_id(f"day{day}"))
    channel = tfx.dsl.Channel(type=ModelEvaluation)
    every = tfx.dsl.Resolver(evaluations=channel).with_id("evaluations")
    every.add_upstream_nodes(imported)
    monitor = Monitor(every.outputs["evaluations"], metrics=["binary_accuracy"])
    metadata = tfx.orchestration.metadata.sqlite_metadata_connection_config(str(tmp_path / "db"))
    pipeline = tfx.dsl.Pipeline(
        pipeline_name="watched",
        pipeline_root=str(tmp_path / "artifacts"),
        components=[*imported, every, monitor],
        metadata_connection_config=metadata,
    )
    tfx.orchestration.LocalDagRunner().run(pipeline)
    (file,) = (tmp_path / "artifacts").rglob("alerts.json")
    (alert,) = json.loads(file.read_text(encoding="utf-8"))["alerts"]
    assert alert["slice"].startswith("company=")


def test_the_first_evaluation_is_nothing_to_fail_at(tmp_path: Path) -> None:
    benison.evaluate(taxi_like(200), config("BinaryAccuracy"), output=tmp_path / "1")
    evaluation, alerts = ModelEvaluation(), Alerts()
    evaluation.uri, alerts.uri = str(tmp_path / "1"), str(tmp_path / "alerts")
    choices = {"choices": "{}", "fail": 1}
    MonitorExecutor().Do({"evaluations": [evaluation]}, {"alerts": [alerts]}, choices)
    document = json.loads((tmp_path / "alerts" / "alerts.json").read_text(encoding="utf-8"))
    assert (alerts.alerts, document["alerts"], document["nothing_yet"]) == (0, [], True)


@pytest.mark.parametrize(
    ("choices", "cure"),
    [
        ({"metricz": ["auc"]}, "Did you mean 'metrics'"),
        ({"results": ["x"]}, "There are: "),
        ({"detector": "e-detektor"}, "Did you mean 'e-detector'"),
        ({"reference_buckets": 0}, "one bucket or more"),
    ],
)
def test_a_choice_that_is_none_is_refused_in_the_pipeline(
    choices: dict[str, Any], cure: str
) -> None:
    with pytest.raises(benison.ConfigError, match=cure):
        Monitor(Channel(type=ModelEvaluation), **choices)
