# SPDX-License-Identifier: Apache-2.0
"""Benison and TFX on one store: each finds, and pushes, what the other has blessed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("tfx")

import benison
from benison import lineage
from benison.evaluation import written_runs
from benison.evaluator.tfx_v1 import import_tfx
from benison.lineage.connection import Connection
from benison.lineage.store import _message
from tests.conftest import taxi_like

pytestmark = pytest.mark.slow

CONFIG = {
    "model_specs": [{"label_key": "label"}],
    "slicing_specs": [{}, {"feature_keys": ["hour"]}],
    "metrics_specs": [
        {"metrics": [{"class_name": "AUC", "threshold": {"value_threshold": {"lower_bound": 0.1}}}]}
    ],
}


def asking(class_name: str, **more: Any) -> dict[str, Any]:
    return {**CONFIG, "metrics_specs": [{"metrics": [{"class_name": class_name, **more}]}]}


@pytest.fixture(scope="module")
def tfx() -> Any:
    return import_tfx()


@pytest.fixture(scope="module")
def tf() -> Any:
    from benison.models.savedmodel import tensorflow

    return tensorflow()


@pytest.fixture
def model(tf: Any, tmp_path: Path) -> Path:
    """A Model artifact's folder: scores a trip by its `prediction`."""
    features = {"prediction": tf.io.FixedLenFeature([], tf.float32)}

    def score(examples: Any) -> Any:
        return {"probabilities": tf.io.parse_example(examples, features)["prediction"][:, None]}

    serve = tf.function(score, input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    path = tmp_path / "model" / "Format-Serving"
    tf.saved_model.save(tf.Module(), str(path), signatures={"serving_default": serve})
    return path.parent


@pytest.fixture
def trips_csv(tmp_path: Path) -> Path:
    folder = tmp_path / "csv"
    folder.mkdir()
    table = taxi_like(600).select(["label", "prediction", "hour"])
    table.to_pandas().to_csv(folder / "trips.csv", index=False)
    return folder


def run(tfx: Any, url: str, folder: Path, components: list[Any]) -> None:
    pipeline = tfx.dsl.Pipeline(
        pipeline_name="taxi",
        pipeline_root=str(folder / "artifacts"),
        components=components,
        metadata_connection_config=_message(Connection.parse(url)),
    )
    tfx.orchestration.LocalDagRunner().run(pipeline)


def pusher(tfx: Any, model: Any, blessing: Any, folder: Path | str) -> Any:
    location = tfx.proto.PushDestination.Filesystem(base_directory=f"{folder}/serving")
    return tfx.components.Pusher(
        model=model,
        model_blessing=blessing,
        push_destination=tfx.proto.PushDestination(filesystem=location),
    )


def latest(tfx: Any) -> Any:
    kinds = tfx.types.standard_artifacts
    return tfx.dsl.Resolver(
        strategy_class=tfx.dsl.experimental.LatestBlessedModelStrategy,
        model=tfx.dsl.Channel(type=kinds.Model),
        model_blessing=tfx.dsl.Channel(type=kinds.ModelBlessing),
    ).with_id("latest")


def test_tfx_pushes_what_a_plain_run_has_blessed(
    tfx: Any, mlmd_url: str, tmp_path: Path, model: Path, trips_csv: Path
) -> None:
    evaluate = dict(
        config=CONFIG, model=str(model / "Format-Serving"), metadata=mlmd_url, pipeline="taxi"
    )
    result = benison.evaluate(
        str(trips_csv / "trips.csv"), output=str(tmp_path / "out"), run="r1", **evaluate
    )
    assert result.verdict.blessed
    actual = latest(tfx)
    run(
        tfx,
        mlmd_url,
        tmp_path,
        [actual, pusher(tfx, actual.outputs["model"], actual.outputs["model_blessing"], tmp_path)],
    )
    (version,) = (tmp_path / "serving").iterdir()
    assert (version / "saved_model.pb").exists()


def test_a_plain_run_finds_what_tfx_has_blessed(
    tfx: Any, mlmd_url: str, tmp_path: Path, model: Path, trips_csv: Path
) -> None:
    """Blessed by TFX's own Evaluator; then evaluated against, by Benison."""
    import tensorflow_model_analysis as tfma
    from google.protobuf import json_format

    examples = tfx.components.CsvExampleGen(input_base=str(trips_csv))
    kind = tfx.types.standard_artifacts.Model
    imported = tfx.dsl.Importer(source_uri=str(model), artifact_type=kind).with_id("imported")
    evaluator = tfx.components.Evaluator(
        examples=examples.outputs["examples"],
        model=imported.outputs["result"],
        eval_config=json_format.ParseDict(CONFIG, tfma.EvalConfig()),
    )
    run(tfx, mlmd_url, tmp_path, [examples, imported, evaluator])
    assert lineage.connect(mlmd_url).latest_blessed("taxi").path == str(model / "Format-Serving")
    result = benison.evaluate(
        str(trips_csv / "trips.csv"),
        CONFIG,
        model=str(model),
        baseline="latest-blessed",
        output=str(tmp_path / "out"),
        metadata=mlmd_url,
        pipeline="taxi",
    )
    assert [record["path"] for record in result.manifest["models"] if record["is_baseline"]] == [
        str(model / "Format-Serving")
    ]


def test_the_evaluator_in_a_pipeline_on_beam_with_a_module(
    tfx: Any, tmp_path: Path, model: Path, trips_csv: Path
) -> None:
    """All splits, Parquet-free, with an extractor of the user's, on Beam's direct runner."""
    from benison.evaluator.component import Evaluator

    module = tmp_path / "user" / "doubling.py"
    module.parent.mkdir()
    module.write_text(
        "from benison import EvalConfig, default_extractors\n"
        "class Halve:\n"
        "    stage_name = 'Halve'\n"
        "    def extract(self, extracts):\n"
        "        found = {key: p / 2 for key, p in extracts['predictions'].items()}\n"
        "        return {**extracts, 'predictions': found}\n"
        "def custom_extractors(eval_shared_model, eval_config, tensor_adapter_config):\n"
        "    *before, slices = default_extractors(EvalConfig.load(eval_config), {'': MODEL})\n"
        "    return [*before, Halve(), slices]\n"
        f"MODEL = {str(model / 'Format-Serving')!r}\n"
    )
    examples = tfx.components.CsvExampleGen(input_base=str(trips_csv))
    imported = tfx.dsl.Importer(
        source_uri=str(model), artifact_type=tfx.types.standard_artifacts.Model
    ).with_id("imported")
    means = {"metrics": [{"class_name": "MeanPrediction"}, {"class_name": "ExampleCount"}]}
    evaluator = Evaluator(
        examples=examples.outputs["examples"],
        model=imported.outputs["result"],
        eval_config={**CONFIG, "metrics_specs": [*CONFIG["metrics_specs"], means]},
        example_splits=["train", "eval"],
        module_file=str(module),
        fairness_indicator_thresholds=[0.25, 0.5],
    ).with_beam_pipeline_args(["--direct_running_mode=in_memory"])
    url = f"sqlite:///{tmp_path}/m.db?create=true"
    run(tfx, url, tmp_path, [examples, imported, evaluator])
    (folder,) = (tmp_path / "artifacts/Evaluator/evaluation").iterdir()
    result = benison.load_result(folder)
    assert result.value("example_count") == 600
    mean = taxi_like(600)["prediction"].to_numpy().mean()
    assert result.value("mean_prediction") == pytest.approx(mean / 2, rel=1e-6)
    assert result.value("fairness_indicators_metrics/positive_rate@0.25", slice={"hour": 3}) >= 0
    newest = lineage.connect(url).latest_blessed("taxi")
    assert newest.path == str(model / "Format-Serving")
    decide_on_what_tfx_has_recorded(folder, url)


def decide_on_what_tfx_has_recorded(folder: Path, url: str) -> None:
    """By the path of the evaluation, beside which TFX has the blessing in a folder of its own."""
    assert written_runs.check_recorded(folder, url, "taxi").status == "blessed"
    with pytest.raises(benison.MetadataError, match="evaluation of the pipeline 'bikes' there"):
        written_runs.check_recorded(folder, url, "bikes")
    ledger = lineage.connect(url)
    ledger.revoke("taxi", str(folder), by="ada", reason="labels")
    note = written_runs.check_recorded(folder, url).note
    assert re.fullmatch(r"revoked by ada on \S+ at \S+ UTC: labels", note)
    ledger.override("taxi", str(folder), by="ada", reason="no, they are right")
    assert written_runs.check_recorded(folder, url).status == "blessed"
    shutil.copytree(folder, folder.parent / "copy")
    with pytest.raises(
        benison.MetadataError, match="copy is not recorded: .* no finished evaluation"
    ):
        written_runs.check_recorded(folder.parent / "copy", url)


def test_the_other_runners_that_tfx_has(
    tfx: Any, tmp_path: Path, model: Path, trips_csv: Path
) -> None:
    """BeamDagRunner runs the component; KubeflowV2DagRunner compiles it."""
    from tfx.orchestration.beam.beam_dag_runner import BeamDagRunner
    from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner as v2

    from benison.evaluator.component import Evaluator

    kind = tfx.types.standard_artifacts.Model
    examples = tfx.components.CsvExampleGen(input_base=str(trips_csv))
    imported = tfx.dsl.Importer(source_uri=str(model), artifact_type=kind).with_id("imported")
    evaluator = Evaluator(
        examples.outputs["examples"], imported.outputs["result"], eval_config=CONFIG
    )
    pipeline = tfx.dsl.Pipeline(
        pipeline_name="taxi",
        pipeline_root=str(tmp_path / "artifacts"),
        components=[examples, imported, evaluator],
        metadata_connection_config=tfx.orchestration.metadata.sqlite_metadata_connection_config(
            str(tmp_path / "m.db")
        ),
    )
    BeamDagRunner().run(pipeline)
    (folder,) = (tmp_path / "artifacts/Evaluator/evaluation").iterdir()
    assert benison.load_result(folder).verdict.blessed
    compiled = tmp_path / "pipeline.json"
    runner = v2.KubeflowV2DagRunner(
        config=v2.KubeflowV2DagRunnerConfig(default_image="benison"), output_filename=str(compiled)
    )
    runner.run(pipeline, write_out=True)
    executors = json.loads(compiled.read_text())["pipelineSpec"]["deploymentSpec"]["executors"]
    assert "benison.evaluator.executor.Executor" in str(executors["Evaluator_executor"])


def test_a_pipeline_is_written_without_beam_and_tfma() -> None:
    program = "import sys, benison.evaluator.component; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert {"apache_beam", "tensorflow_model_analysis"}.isdisjoint(done.stdout.split())


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"eval_config": None}, "needs eval_config: a tfma.EvalConfig, a mapping, or the path"),
        ({"feature_slicing_spec": object()}, "EvalSavedModels, which no TensorFlow loads"),
        ({"module_file": "a.py", "module_path": "a"}, "module_file or module_path, not both"),
        ({"eval_config": {"metric_specs": []}}, "metrics_specs"),
        ({"eval_config": asking("BinaryAcuracy")}, "Did you mean 'BinaryAccuracy'?"),
        ({"eval_config": {**asking("AUC"), "model_specs": []}}, "name the column that holds the labels"),
        ({"eval_config": asking("AUC"), "model": None}, "name the column that holds the predictions"),
        ({"example_splits": "eval"}, "a list of names, not 'eval'"),
        ({"fairness_indicator_thresholds": [0.5, 2]}, "from 0 to 1, not 2"),
    ],
)  # fmt: skip
def test_a_wrong_component_is_refused_where_it_is_written(
    more: dict[str, Any], message: str
) -> None:
    from benison.evaluator.component import Evaluator

    with pytest.raises(benison.ConfigError, match=re.escape(message)):
        Evaluator(**{"examples": None, "model": channel(), "eval_config": CONFIG, **more})


def test_every_fault_is_said_where_the_pipeline_is_written() -> None:
    from benison.evaluator.component import Evaluator

    wrong = {**asking("BinaryAcuracy"), "options": {"min_slice_size": "x"}}
    with pytest.raises(benison.ConfigError) as raised:
        Evaluator(examples=None, model=channel(), eval_config=wrong)
    assert [path for path, _ in raised.value.faults] == [
        "options.min_slice_size",
        "metrics_specs[0].metrics[0]",
    ]


@pytest.mark.parametrize("of_pipeline", [True, False])
def test_a_password_for_beam_is_in_no_description_of_a_pipeline(
    tfx: Any, tmp_path: Path, of_pipeline: bool
) -> None:
    from tfx.dsl.compiler.compiler import Compiler
    from tfx.dsl.placeholder.placeholder import environment_variable

    from benison.evaluator.component import Evaluator

    def compiled(*options: Any) -> str:
        gen = tfx.components.CsvExampleGen(input_base=str(tmp_path))
        examples = gen.outputs["examples"]
        evaluator = Evaluator(examples=examples, eval_config=of_data)
        of_all = [*options] if of_pipeline else []
        pipeline = tfx.dsl.Pipeline(
            pipeline_name="taxi",
            pipeline_root=str(tmp_path),
            components=[
                gen,
                evaluator if of_pipeline else evaluator.with_beam_pipeline_args(options),
            ],
            beam_pipeline_args=of_all,
        )
        return str(Compiler().compile(pipeline))

    of_data = {**CONFIG, "model_specs": [{"label_key": "label", "prediction_key": "prediction"}]}
    variable = environment_variable("THE_SECRET")
    hidden = "--s3_secret_access_key=" + variable
    assert "THE_SECRET" in compiled("--runner=DirectRunner", hidden)
    with pytest.raises(benison.ConfigError, match=r"beam_pipeline_args: .* environment_variable"):
        compiled("--runner=DirectRunner", "--s3_secret_access_key=open-sesame")


def test_a_users_metric_is_not_imported_where_the_pipeline_is_written(tmp_path: Path) -> None:
    from tfx.types import standard_artifacts

    from benison.evaluator.component import Evaluator

    (tmp_path / "mine.py").write_text("raise RuntimeError")
    examples = channel(standard_artifacts.Examples)
    for config in (asking("Mine", module="mine"), json.dumps(asking("Mine", module="mine"))):
        if isinstance(config, str):
            (tmp_path / "eval.json").write_text(config)
            config = str(tmp_path / "eval.json")
        Evaluator(examples=examples, model=channel(), eval_config=config)


def channel(kind: Any = None) -> Any:
    from tfx.types import channel, standard_artifacts

    return channel.Channel(type=kind or standard_artifacts.Model)
