# SPDX-License-Identifier: Apache-2.0
"""A pipeline of TFX's with the Evaluator, for the matrix: run by TFX, and recorded by TFX.

Each of its runs is an execution of its own, with folders of its own; what TFX has begun and not finished stays
RUNNING and is found by nobody.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

_LAUNCHER = "tfx.orchestration.portable.launcher.Launcher"
STOPS = {
    "before asked": (f"{_LAUNCHER}._prepare_execution", 1, "before"),
    "asked": (f"{_LAUNCHER}._prepare_execution", 1, "after"),
    "running": ("benison.evaluator.executor.Executor.Do", 1, "before"),
    "evaluated": ("benison.output.blessing.seal", 1, "before"),
    "sealed": ("benison.output.blessing.seal", 1, "after"),
    "published": ("benison.evaluator.executor._bless", 1, "before"),
    "written": ("benison.evaluator.executor.Executor.Do", 1, "after"),
    "recording": (f"{_LAUNCHER}._publish_successful_execution", 1, "before"),
    "recorded": (f"{_LAUNCHER}._publish_successful_execution", 1, "after"),
}
_LOADER = """
class Echo:
    columns = ("prediction",)
    takes_examples = False
    def predict(self, features, serialized):
        return {"prediction": features["prediction"].to_numpy()}
def custom_eval_shared_model(eval_saved_model_path, model_name, eval_config, **kwargs):
    return Echo()
"""
_STATES = {
    "RUNNING": "running",
    "COMPLETE": "recorded",
    "FAILED": "failed",
    "CANCELED": "abandoned",
}


def is_installed() -> bool:
    """Whether there is TFX."""
    return importlib.util.find_spec("tfx") is not None


def prepare() -> None:
    """Import what takes seconds, before there are children."""
    from benison.evaluator.tfx_v1 import import_tfx

    import_tfx()
    for name in ("component", "executor"):
        importlib.import_module(f"benison.evaluator.{name}")


def number(folder: Path) -> int:
    """The id of the execution that has written a folder."""
    return int(folder.name)


def output(folder: Path) -> Path:
    """The newest output that is whole; one that a killed run has begun has no marker, or no number yet."""
    markers = (folder / "root/Evaluator/evaluation").glob("[0-9]*/*BLESSED")
    return max((m.parent for m in markers), key=number, default=folder / "none yet")


def states(url: str, pipeline: str) -> list[str]:
    """The states of the Evaluator's executions, oldest first."""
    from benison import lineage

    store = lineage.connect(url).sink.store  # type: ignore[attr-defined]
    context = store.get_context_by_type_and_name("pipeline", pipeline)
    known = store.get_executions_by_context(context.id) if context else []
    mine = sorted((e for e in known if "Evaluator" in e.type), key=lambda e: int(e.id))
    return [_STATES[e.State.Name(e.last_known_state)] for e in mine]


def run(folder: Path, url: str, pipeline: str, data: str) -> None:
    """Run a pipeline that evaluates `folder/DATA.parquet`, with all its files below `folder/root`."""
    from benison.evaluator.component import Evaluator
    from benison.evaluator.tfx_v1 import import_tfx
    from benison.lineage.connection import Connection
    from benison.lineage.store import _message

    tfx = import_tfx()
    components = _imported(tfx, folder, data)
    examples, model = (component.outputs["result"] for component in components)
    config = json.loads((folder / "eval.json").read_text())
    module = str(folder / "loader.py")
    evaluator = Evaluator(examples, model, eval_config=config, module_file=module)
    made = tfx.dsl.Pipeline(
        pipeline_name=pipeline,
        pipeline_root=f"{folder}/root",
        components=[*components, evaluator],
        metadata_connection_config=_message(Connection.parse(url)),
    )
    tfx.orchestration.LocalDagRunner().run(made)


def _imported(tfx: Any, folder: Path, data: str) -> list[Any]:
    """Importers of the data and of the model, which the module of the pipeline loads."""
    split, serving = folder / data / "Split-eval", folder / "model/Format-Serving"
    for made in (split, serving):
        made.mkdir(parents=True, exist_ok=True)
    shutil.copy(folder / f"{data}.parquet", split)
    shutil.copy(folder / "model.pkl", serving)
    (folder / "loader.py").write_text(_LOADER)
    kinds = tfx.types.standard_artifacts
    examples = tfx.dsl.Importer(
        source_uri=f"{folder}/{data}",
        artifact_type=kinds.Examples,
        properties={"split_names": '["eval"]'},
        custom_properties={"payload_format": "FORMAT_PARQUET"},
    )
    model = tfx.dsl.Importer(source_uri=f"{folder}/model", artifact_type=kinds.Model)
    return [examples.with_id("data"), model.with_id("trained")]
