# SPDX-License-Identifier: Apache-2.0
"""What was revoked is blessed by no later run of a TFX pipeline, nor found by its resolvers, nor pushed."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("tfx")

import benison
from benison import lineage
from benison.lineage.connection import Connection
from benison.lineage.store import _message
from tests.evaluator.test_in_pipelines import CONFIG, model, pusher, run, tf, tfx, trips_csv

__all__ = ["model", "tf", "tfx", "trips_csv"]
pytestmark = pytest.mark.slow

DECISION = {"by": "ada", "reason": "wrong labels"}


def components(tfx: Any, folder: Path, model: Path) -> list[Any]:
    """A pipeline that judges a model and pushes it if that is blessed."""
    from benison.evaluator.component import Evaluator

    examples = tfx.components.CsvExampleGen(input_base=str(folder / "csv"))
    kind = tfx.types.standard_artifacts.Model
    imported = tfx.dsl.Importer(source_uri=str(model), artifact_type=kind).with_id("imported")
    judged = imported.outputs["result"]
    evaluator = Evaluator(examples.outputs["examples"], judged, eval_config=CONFIG)
    return [
        examples,
        imported,
        evaluator,
        pusher(tfx, judged, evaluator.outputs["blessing"], folder),
    ]


def test_a_copy_of_what_was_revoked_is_not_blessed_and_not_pushed(
    tfx: Any, tmp_path: Path, model: Path, trips_csv: Path
) -> None:
    url = f"sqlite:///{tmp_path}/m.db?create=true"
    ledger, served = lineage.connect(url), tmp_path / "serving"

    def judge(path: Path) -> tuple[str, int]:
        """The newest verdict after a run, and how many models are pushed by then."""
        run(tfx, url, tmp_path, components(tfx, tmp_path, path))
        return ledger.blessings("taxi")[0].status, len([*served.iterdir()])

    copy = tmp_path / "copy"
    shutil.copytree(model, copy)
    assert judge(model) == ("blessed", 1)
    (first,) = (tmp_path / "artifacts/Evaluator/evaluation").iterdir()
    ledger.revoke("taxi", str(first), **DECISION)
    assert judge(copy) == ("not_blessed", 1)
    assert judge(model) == ("not_blessed", 1)  # which TFX's cache would have as blessed
    newest = ledger.blessings("taxi")[0]
    (reason,) = newest.reasons
    assert re.match(r"The model was revoked by ada on .* UTC: wrong labels", reason)
    assert ledger.latest_blessed("taxi") is None
    ledger.override("taxi", str(newest.id), by="bob", reason="they are right")
    assert judge(copy) == ("blessed", 2)


@pytest.mark.filterwarnings("ignore:(.|\\n)*matching_channel_name")
def test_a_notebook_heeds_a_revocation_too(
    tfx: Any, tmp_path: Path, trips_csv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of predictions that are in the data: its Importer leaves a model without an id."""
    from tfx.orchestration.experimental.interactive.interactive_context import InteractiveContext

    from benison.evaluator.component import Evaluator

    monkeypatch.setattr("builtins.__IPYTHON__", True, raising=False)  # else it runs nothing
    url = f"sqlite:///{tmp_path}/m.db?create=true"
    context = InteractiveContext(
        pipeline_name="taxi",
        pipeline_root=str(tmp_path / "artifacts"),
        metadata_connection_config=_message(Connection.parse(url)),
    )
    of_data = {**CONFIG, "model_specs": [{"label_key": "label", "prediction_key": "prediction"}]}

    def judge() -> benison.EvalResult:
        examples = tfx.components.CsvExampleGen(input_base=str(trips_csv))
        evaluator = Evaluator(examples.outputs["examples"], eval_config=of_data)
        for each in (examples, evaluator):
            context.run(each, enable_cache=True)
        (evaluation,) = evaluator.outputs["evaluation"].get()
        return benison.load_result(evaluation.uri)

    first = judge()
    assert first.verdict.blessed
    assert judge().path == first.path
    lineage.connect(url).revoke("taxi", str(first.path), **DECISION)
    assert not judge().verdict.blessed
