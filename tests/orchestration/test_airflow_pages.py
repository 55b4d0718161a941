# SPDX-License-Identifier: Apache-2.0
"""The DAGs of the pages, run by Airflow 3 and 2 with data and models where the pages have them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.component.test_models_files import FLOAT, node, onnx_model
from tests.conftest import config, taxi_like
from tests.orchestration.airflow_host import ENVIRONMENTS, ROOT, Probed, Prober
from tests.test_docs import blocks

PAGE = {block.title: block.text for block in blocks(ROOT / "docs" / "airflow.md")}
FOLDERS = ("/data/", "/models/", "/evaluations")
RUN = """
if __name__ == "__main__":
    for ti in dag.test().get_task_instances():
        index = "" if ti.map_index < 0 else f"[{ti.map_index}]"
        print("STATE", dag.dag_id, f"{ti.task_id}{index}", ti.state, ti.try_number)
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_800)]


def prepare(folder: Path) -> None:
    """The data and models that the pages speak of; the second model is not as good."""
    for name in ("data", "models", "dags"):
        (folder / name).mkdir()
    pq.write_table(taxi_like(1_000), folder / "data" / "eval.parquet")
    bounded = {"class_name": "AUC", "threshold": {"value_threshold": {"lower_bound": 0.6}}}
    judged = config(bounded, model={"prediction_key": ""})
    (folder / "models" / "eval.yaml").write_text(json.dumps(judged))
    for name, column in (("wide", "old_prediction"), ("deep", "prediction")):
        value = {column: (FLOAT, ["n", 1])}
        score = {"score": (FLOAT, ["n", 1])}
        onnx_model(
            folder / "models" / f"{name}.onnx",
            [node("Identity", [column], ["score"])],
            value,
            score,
        )


@pytest.fixture(scope="module", params=ENVIRONMENTS)
def probed(
    request: pytest.FixtureRequest, probe: Prober, tmp_path_factory: pytest.TempPathFactory
) -> Probed:
    folder = tmp_path_factory.mktemp("pages")
    prepare(folder)
    texts = [text for title, text in PAGE.items() if title.startswith("dags/")]
    text = "\n".join(f"{text}\n{RUN}" for text in texts).replace(
        "/opt/tensorflow/bin/python", sys.executable
    )
    for name in FOLDERS:
        text = text.replace(name, f"{folder}{name}")
    (folder / "dags" / "pages.py").write_text(text, encoding="utf-8")
    variables = {
        "AIRFLOW__BENISON__PYTHON": sys.executable,
        "AIRFLOW__BENISON__OUTPUT_ROOT": f"{folder}/evaluations",
    }
    return probe(request.param, folder / "dags" / "pages.py", folder, **variables)


def test_from_nothing_to_a_gated_push(probed: Probed) -> None:
    states = {"predict": "success", "evaluate": "success", "push": "success"}
    assert probed.of("gated") == states
    pushed = probed.host.xcoms()["gated", "push", -1]
    assert pushed.startswith("pushed, since BLESSED: all 3 checks passed.")


def test_what_is_blessed_is_pushed_and_announced(probed: Probed) -> None:
    assert probed.of("taxi") == {"evaluate": "success", "push": "success"}
    assert probed.verdict("taxi")["model"] == f"{probed.folder}/models/wide.onnx"
    assert [event[:2] for event in probed.host.asset_events()] == [
        ("taxi", f"file://{probed.folder}/models/wide.onnx")
    ]


def test_of_the_candidates_the_best_is_pushed(probed: Probed) -> None:
    states = probed.of("candidates")
    assert set(states) == {"train", "evaluate[0]", "evaluate[1]", "gate", "push"}
    assert set(states.values()) == {"success"}
    pushed = probed.host.xcoms()["candidates", "push", -1]
    assert pushed == f"{probed.folder}/models/deep.onnx"
