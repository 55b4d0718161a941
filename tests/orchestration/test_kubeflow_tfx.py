# SPDX-License-Identifier: Apache-2.0
"""TFX on Kubeflow Pipelines v2: what its runner compiles of the Evaluator, and that this runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import benison
from benison.evaluator.tfx_v1 import import_tfx
from tests.conftest import config

pytest.importorskip("tfx")
pytest.importorskip("kfp")
pytestmark = pytest.mark.slow

CONFIG = config({"class_name": "AUC", "threshold": {"value_threshold": {"lower_bound": 0.5}}})


@pytest.fixture
def compiled(tmp_path: Path) -> dict[str, Any]:
    """The specification of a pipeline with the Evaluator in it."""
    tfx = import_tfx()
    from benison.evaluator.component import Evaluator

    examples = tfx.components.CsvExampleGen(input_base="gs://bucket/csv")
    evaluator = Evaluator(examples=examples.outputs["examples"], eval_config=CONFIG)
    pipeline = tfx.dsl.Pipeline("taxi", "gs://bucket/root", components=[examples, evaluator])
    runner = tfx.orchestration.experimental.KubeflowV2DagRunner(
        config=tfx.orchestration.experimental.KubeflowV2DagRunnerConfig(
            default_image="benison:all"
        ),
        output_dir=str(tmp_path),
        output_filename="taxi.json",
    )
    runner.run(pipeline)
    actual: dict[str, Any] = json.loads((tmp_path / "taxi.json").read_text())["pipelineSpec"]
    return actual


def test_its_command_runs_and_blesses(
    compiled: dict[str, Any], trips: pa.Table, tmp_path: Path
) -> None:
    container = compiled["deploymentSpec"]["executors"]["Evaluator_executor"]["container"]
    assert container["image"] == "benison:all"
    (tmp_path / "examples/Split-eval").mkdir(parents=True)
    pq.write_table(trips, tmp_path / "examples/Split-eval/trips.parquet")
    given = json.dumps(executor_input(compiled, tmp_path))
    words = [*container["command"][1:], *container["args"]]
    command = [sys.executable, *(given if word == "{{$}}" else word for word in words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    message = json.loads((tmp_path / "executor_output.json").read_text())["artifacts"]
    assert message["blessing"]["artifacts"][0]["metadata"]["blessed"] == 1
    assert (tmp_path / "blessing/BLESSED").exists()
    result = benison.load_result(tmp_path / "evaluation")
    assert result.value("auc") == benison.evaluate(trips, CONFIG).value("auc")


def executor_input(compiled: dict[str, Any], folder: Path) -> dict[str, Any]:
    """What Kubeflow puts in place of the `{{$}}`."""
    component = compiled["components"]["Evaluator"]
    given = compiled["root"]["dag"]["tasks"]["Evaluator"]["inputs"]["parameters"]
    parameters = {name: value["runtimeValue"]["constantValue"] for name, value in given.items()}

    def artifacts(definitions: str, **metadata: str) -> dict[str, Any]:
        types = component[definitions]["artifacts"]
        return {
            name: {
                "artifacts": [
                    {
                        "name": f"projects/1/{name}",
                        "uri": str(folder / name),
                        "type": actual["artifactType"],
                        "metadata": metadata,
                    }
                ]
            }
            for name, actual in types.items()
        }

    kept = {"split_names": '["eval"]', "payload_format": "FORMAT_PARQUET"}
    return {
        "inputs": {"artifacts": artifacts("inputDefinitions", **kept), "parameters": parameters},
        "outputs": {
            "artifacts": artifacts("outputDefinitions"),
            "outputFile": str(folder / "executor_output.json"),
        },
    }
