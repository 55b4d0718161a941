# SPDX-License-Identifier: Apache-2.0
"""What a step of Kubeflow takes and gives: several examples, blessed models of other jobs, values, secrets."""

import json
import os
import pickle
import shlex
import sys
from pathlib import Path
from typing import Any, List  # noqa: UP035 - the form that kfp knows

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import benison
from benison_orchestration import kubeflow_task
from tests.conftest import config, taxi_like
from tests.lineage.forks import Echo
from tests.object_store import Bucket
from tests.orchestration.kubeflow_host import CONFIG, PARAMETERS, command, executor_input, task

kfp = pytest.importorskip("kfp")
from kfp import compiler, dsl, local  # noqa: E402

from benison_orchestration.kubeflow import container_component, python_component  # noqa: E402
from benison_orchestration.kubeflow_check import check  # noqa: E402

HERE: dict[str, Any] = {"base_image": "python:3.11", "install_kfp_package": False}
ARGUMENTS: dict[str, Any] = {"config": json.dumps(CONFIG)}
SECRET = "mysql://ada:open-sesame@db/ml"


def shard(source: str, number: int, part: dsl.Output[dsl.Dataset]) -> None:
    import shutil

    shutil.copyfile(f"{source}/{number}.parquet", part.path)


def after(values: dict, reasons: list, seen: dsl.OutputPath(str)) -> None:  # type: ignore[type-arg, valid-type]
    import json
    from pathlib import Path

    Path(seen).write_text(json.dumps([values, reasons]), encoding="utf-8")


@pytest.fixture
def shards(tmp_path: Path, trips: pa.Table) -> Path:
    (tmp_path / "parts").mkdir()
    for number in range(3):
        pq.write_table(trips.slice(number * 700, 700), tmp_path / f"parts/{number}.parquet")
    return tmp_path / "parts"


def evaluate(kind: str = "container") -> Any:
    if kind == "container":
        return container_component("registry/benison:base")
    return python_component(packages_to_install=(), **HERE)


def test_examples_that_are_collected_are_judged_as_one(
    shards: Path, trips: pa.Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, judge, show = (
        dsl.component(shard, **HERE),
        evaluate("python"),
        dsl.component(after, **HERE),
    )

    @dsl.pipeline(name="sharded")
    def pipeline(source: str, config: str) -> None:
        with dsl.ParallelFor([0, 1, 2]) as number:
            made = make(source=source, number=number)
        spec = {"format": "parquet"}
        parts = dsl.Collected(made.outputs["part"])
        judged = judge(examples_list=parts, config=config, spec=spec)
        show(values=judged.outputs["values"], reasons=judged.outputs["reasons"])

    monkeypatch.setattr(sys, "executable", shlex.quote(sys.executable))
    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(tmp_path / "root"))
    high = json.dumps(CONFIG).replace('"lower_bound": 0.5', '"lower_bound": 0.99')
    pipeline(source=str(shards), config=high)
    (folder,) = (tmp_path / "root").glob("sharded-*")
    whole = benison.evaluate(trips, json.loads(high))
    values, reasons = json.loads((folder / "after/seen").read_text())
    names = ("auc", "binary_accuracy", "precision")
    assert values == {name: pytest.approx(whole.value(name), rel=1e-12) for name in names}
    assert reasons == list(whole.verdict.reasons)
    assert reasons[0].startswith("auc of ")


def test_a_container_takes_several_examples_and_the_one_besides(
    shards: Path, trips: pa.Table, tmp_path: Path
) -> None:
    """As kfp writes a pipeline whose examples are the list of another pipeline."""

    @dsl.pipeline(name="listed")
    def listed(data: dsl.Input[List[dsl.Dataset]]) -> None:  # noqa: UP006
        evaluate()(examples_list=data, **ARGUMENTS)

    compiler.Compiler().compile(listed, str(tmp_path / "listed.yaml"))
    first, *others = sorted(map(str, shards.iterdir()))
    given = {"examples": [first], "examples_list": others}
    done = command(executor_input(tmp_path / "task", given))
    assert done.returncode == 0, done.stderr
    whole = benison.evaluate(trips, CONFIG)
    values = json.loads((tmp_path / "task/values").read_text())
    assert values["auc"] == pytest.approx(whole.value("auc"), rel=1e-12)
    nothing = command(executor_input(tmp_path / "none", {}))
    assert nothing.returncode == 2
    assert "There are no examples. Give an artifact as examples, or several" in nothing.stderr


def in_python(data: Path, **parameters: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the Python component puts on its `curves` and `slices`, which are kfp's own artifacts there."""
    from benison_orchestration import kubeflow

    kinds = {"metrics": dsl.Metrics, "curves": dsl.ClassificationMetrics, "report": dsl.HTML}
    kinds |= {"slices": dsl.SlicedClassificationMetrics, "summary": dsl.Markdown}
    kinds["evaluation"] = dsl.Artifact
    made = {name: kind(uri=str(data.parent / name)) for name, kind in kinds.items()}
    paths = {name: str(data.parent / name) for name in PARAMETERS}
    kubeflow.evaluate(examples=dsl.Dataset(uri=str(data)), **made, **paths, **parameters)
    return made["curves"].metadata, made["slices"].metadata


def in_container(data: Path, **parameters: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The same of what the container's command does, in this process."""
    given = executor_input(data.parent / "task", {"examples": [str(data)]}, **parameters)
    kubeflow_task.run_task(json.dumps(given))
    message = json.loads((data.parent / "task/executor_output.json").read_text())["artifacts"]
    curves, slices = (message[name]["artifacts"][0]["metadata"] for name in ("curves", "slices"))
    return curves, slices


def test_the_tasks_that_follow_hear_what_is_undecided(tmp_path: Path) -> None:
    pq.write_table(taxi_like(200), tmp_path / "eval.parquet")
    bound = {"value_threshold": {"lower_bound": 0.85}, "evidence": "worse"}
    made = config({"class_name": "AUC", "threshold": bound})
    in_container(tmp_path / "eval.parquet", config=json.dumps(made))
    outputs = [(tmp_path / "task" / name).read_text() for name in ("blessing", "undecided")]
    assert outputs == ["BLESSED", "1"]


def test_the_curve_of_each_slice_is_that_of_its_rows(tmp_path: Path, trips: pa.Table) -> None:
    pq.write_table(trips, tmp_path / "eval.parquet")
    slices = in_container(tmp_path / "eval.parquet")[1]["evaluationSlices"]
    hours = pc.unique(trips["hour"]).to_pylist()
    assert [each["slice"] for each in slices] == [f"hour={hour}" for hour in sorted(hours)]
    for each in slices:
        mine = trips.filter(pc.equal(trips["hour"], int(each["slice"].removeprefix("hour="))))
        label, score = mine["label"].to_numpy() > 0, mine["prediction"].to_numpy()
        figures = each["sliceClassificationMetrics"]
        above = score > 0.5
        assert [cell for row in figures["confusionMatrix"]["rows"] for cell in row["row"]] == [
            np.sum(~label & ~above),
            np.sum(~label & above),
            np.sum(label & ~above),
            np.sum(label & above),
        ]
        for point in figures["confidenceMetrics"][1:]:
            above = score > point["confidenceThreshold"]
            assert point["recall"] == pytest.approx(np.mean(above[label]), abs=0.01)
            assert point["falsePositiveRate"] == pytest.approx(np.mean(above[~label]), abs=0.01)


def test_the_curves_of_the_classes_are_told_apart(tmp_path: Path, trips: pa.Table) -> None:
    scores = [[1 - p, p] for p in trips["prediction"].to_pylist()]
    table = trips.set_column(trips.schema.get_field_index("prediction"), "prediction", [scores])
    pq.write_table(table, tmp_path / "eval.parquet")
    classes = {"binarize": {"class_ids": {"values": [0, 1]}}}
    asked = config("ConfusionMatrixPlot", slices=({"feature_keys": ["hour"]},), spec=classes)
    slices = in_container(tmp_path / "eval.parquet", config=json.dumps(asked))[1]
    names = [each["slice"] for each in slices["evaluationSlices"]]
    assert len(names) == len(set(names))
    assert {name.partition(", ")[2] for name in names} == {"classId:0", "classId:1"}


@pytest.mark.parametrize("threshold", [0.0, 0.45])
def test_the_matrix_of_several_classes_is_that_of_the_rows(
    tmp_path: Path, threshold: float
) -> None:
    """In both kinds of component, as kfp itself logs it; what no score is high enough for is apart."""
    chance = np.random.default_rng(3)
    labels, scores = chance.integers(0, 3, 300), chance.dirichlet([1, 1, 1], 300)
    hours = chance.integers(0, 2, 300)
    rows = {"label": labels, "prediction": scores.tolist(), "hour": hours}
    pq.write_table(pa.table(rows), tmp_path / "eval.parquet")
    plot = {
        "class_name": "MultiClassConfusionMatrixPlot",
        "config": {"thresholds": [0.9, threshold]},
    }
    asked = json.dumps(config("ExampleCount", plot, slices=({}, {"feature_keys": ["hour"]})))
    taken = np.where(scores.max(axis=1) > threshold, scores.argmax(axis=1), 3)
    names = ["0", "1", "2", "none"] if threshold else ["0", "1", "2"]

    def counted(mine: Any) -> list[list[int]]:
        cells = [(i, j) for i in range(len(names)) for j in range(len(names))]
        counts = [int(np.sum(mine & (labels == i) & (taken == j))) for i, j in cells]
        return np.reshape(counts, (len(names), len(names))).tolist()  # type: ignore[no-any-return]

    def theirs(mine: Any) -> dict[str, Any]:
        logged = dsl.ClassificationMetrics()
        logged.log_confusion_matrix(names, counted(mine))
        return dict(logged.metadata)

    curves, slices = in_python(tmp_path / "eval.parquet", config=asked)
    assert curves == theirs(hours >= 0)
    assert {
        each["slice"]: each["sliceClassificationMetrics"] for each in slices["evaluationSlices"]
    } == {f"hour={hour}": theirs(hours == hour) for hour in (0, 1)}
    assert (curves, slices) == in_container(tmp_path / "eval.parquet", config=asked)


def test_a_curve_stands_beside_the_matrix_of_the_classes(tmp_path: Path) -> None:
    """And the matrices of labels, which are none of these, beside neither."""
    scores = [[0.7, 0.2, 0.1], [0.3, 0.6, 0.1], [0.2, 0.2, 0.6], [0.5, 0.3, 0.2]]
    pq.write_table(
        pa.table({"label": [0, 1, 2, 1], "prediction": scores}), tmp_path / "eval.parquet"
    )
    asked = config("MultiLabelConfusionMatrixPlot", "MultiClassConfusionMatrixPlot")
    one_class = config("ConfusionMatrixPlot", spec={"binarize": {"class_ids": {"values": [1]}}})
    asked["metrics_specs"] += one_class["metrics_specs"]
    curves, slices = in_python(tmp_path / "eval.parquet", config=json.dumps(asked))
    assert [row["row"] for row in curves["confusionMatrix"]["rows"]] == [
        [1, 0, 0],
        [1, 1, 0],
        [0, 0, 1],
    ]
    assert curves["confidenceMetrics"][0]["recall"] == 1.0
    assert slices == {}


def test_the_latest_blessed_model_is_fetched_where_no_pod_has_mounted_it(
    bucket: Bucket, tmp_path: Path, trips: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each pod has its own artifacts mounted, below the same folder; a store knows them by their URIs."""
    pytest.importorskip("ml_metadata")
    pytest.importorskip("sklearn")
    monkeypatch.setattr(kubeflow_task, "_MOUNTS", {"s3://": f"{tmp_path}/pod/s3/"})
    pod = tmp_path / "pod/s3" / bucket.name
    config_ = {**CONFIG, "model_specs": [{"label_key": "label"}]}
    bound = {"absolute": {"value": 0}, "direction": "HIGHER_IS_BETTER"}
    change = {"class_name": "AUC", "threshold": {"change_threshold": bound}}
    config_["metrics_specs"] = [{"metrics": [change]}]
    record = {"metadata": f"sqlite:///{tmp_path}/m.db?create=true", "pipeline": "taxi"}
    for job in ("1", "2"):
        pod.mkdir(parents=True)
        pq.write_table(trips, pod / "eval.parquet")
        (pod / job).mkdir()
        (pod / job / "model.pkl").write_bytes(pickle.dumps(Echo()))
        bucket.upload(pod / job, job)
        inputs = {"examples": [f"{bucket.address}/eval.parquet"]}
        inputs["model"] = [f"{bucket.address}/{job}/model.pkl"]
        spec = {"trust_pickle": True, "baseline": "latest-blessed"}
        run = {"run": job, "task": "evaluate", "spec": spec, "config": json.dumps(config_)}
        given = executor_input(f"{bucket.address}/out{job}", inputs, **record, **run)
        for name, output in given["outputs"]["parameters"].items():
            output["outputFile"] = f"{tmp_path}/{job}-{name}"
        given["outputs"]["outputFile"] = f"{tmp_path}/{job}.json"
        kubeflow_task.run_task(json.dumps(given))
        assert (tmp_path / f"{job}-blessing").read_text() == "BLESSED"
        written = pod / f"out{job}/evaluation"
        (tmp_path / "pod").rename(tmp_path / f"pod{job}")  # the next job has another
        manifest = json.loads(
            (
                tmp_path
                / f"pod{job}/s3"
                / written.relative_to(tmp_path / "pod/s3")
                / "manifest.json"
            ).read_text()
        )
        baselines = [m["path"] for m in manifest["models"] if m["is_baseline"]]
        assert baselines == ([f"{bucket.address}/1/model.pkl"] if job == "2" else [])


@pytest.mark.parametrize("kind", ["container", "python"])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"metadata": SECRET},
            "would show. Leave it out, and let a Secret set BENISON_METADATA_PASSWORD",
        ),
        ({"spec": {"metadata": f"sql+{SECRET}"}}, "holds a password"),
        (
            {"spec": {"baseline": "s3://a:open-sesame@b/m"}},
            "baseline holds .*AWS_SECRET_ACCESS_KEY",
        ),
        ({"config": "https://a:open-sesame@h/eval.yaml"}, "config holds a password"),
        ({"examples": None}, "Give an artifact as examples"),
        ({"config": '{"model_specs": [{"labelkey": "x"}]}'}, "Did you mean 'labelKey'"),
        ({"spec": {"formt": "csv"}}, "formt: there is no such field. Did you mean 'format'"),
        ({"spec": {"trust_pickle": "yes"}}, "trust_pickle: is true or false"),
    ],
)
def test_a_wrong_task_is_refused_while_its_pipeline_is_written(
    kind: str, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(benison.BenisonError, match=message) as raised:

        @dsl.pipeline(name="wrong")
        def wrong() -> None:
            data = dsl.importer(artifact_uri="gs://b/eval", artifact_class=dsl.Dataset)
            given = {"examples": data.output, **ARGUMENTS, **arguments}
            evaluate(kind)(**{name: value for name, value in given.items() if value is not None})

    assert "sesame" not in str(raised.value)


def test_what_is_not_known_yet_is_not_checked() -> None:
    @dsl.pipeline(name="late")
    def late(config: str, metadata: str, extra: str) -> None:
        data = dsl.importer(artifact_uri="gs://b/eval", artifact_class=dsl.Dataset)
        spec = {"format": extra}
        evaluate()(examples=data.output, config=config, metadata=metadata, spec=spec)
        evaluate()(examples=data.output, config="/models/eval.yaml", metadata=f"mysql://{extra}")

    assert {*late.pipeline_spec.root.dag.tasks} == {"evaluate", "evaluate-2", "importer"}


CHANGE = {
    **CONFIG,
    "model_specs": [
        {"name": "c", "label_key": "label"},
        {"name": "b", "label_key": "label", "is_baseline": True},
    ],
}


@pytest.mark.parametrize("unknown", [True, False], ids=["unknown", "known"])
def test_a_spec_that_is_not_known_yet_may_bring_what_a_config_needs(unknown: bool) -> None:
    @dsl.pipeline(name="late")
    def late(spec: dict = {}) -> None:  # type: ignore[type-arg]  # noqa: B006
        data = dsl.importer(artifact_uri="gs://b/eval", artifact_class=dsl.Dataset)
        known = {"model": "gs://b/model", "baseline": "latest-blessed"}
        evaluate()(examples=data.output, config=json.dumps(CHANGE), spec=spec if unknown else known)

    assert {*late.pipeline_spec.root.dag.tasks} == {"evaluate", "importer"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"examples": None, "examples_list": None}, "Give an artifact as examples"),
        ({"spec": None, "config": json.dumps(CHANGE)}, "prediction"),
        ({"spec": {"model": None}, "config": json.dumps(CHANGE)}, "prediction"),
    ],
)
def test_nothing_is_what_was_not_given(arguments: dict[str, Any], message: str) -> None:
    given = {"examples": "some", "model": None, "baseline": None, **ARGUMENTS, **arguments}
    with pytest.raises(benison.ConfigError, match=message):
        check(given)


def test_a_secret_of_kubernetes_is_named_and_not_shown(tmp_path: Path) -> None:
    kubernetes = pytest.importorskip("kfp.kubernetes")

    @dsl.pipeline(name="recorded")
    def recorded() -> None:
        data = dsl.importer(artifact_uri="gs://b/eval", artifact_class=dsl.Dataset)
        judged = evaluate()(
            examples=data.output,
            metadata="mysql://ada@db/ml",
            pipeline="taxi",
            run=dsl.PIPELINE_JOB_ID_PLACEHOLDER,
            task=dsl.PIPELINE_TASK_NAME_PLACEHOLDER,
            **ARGUMENTS,
        )
        judged.set_cpu_limit("2").set_memory_limit("4G").set_retry(2)
        key = {"password": "BENISON_METADATA_PASSWORD"}
        kubernetes.use_secret_as_env(judged, secret_name="store", secret_key_to_env=key)

    compiler.Compiler().compile(recorded, str(tmp_path / "recorded.yaml"))
    text = (tmp_path / "recorded.yaml").read_text()
    assert "envVar: BENISON_METADATA_PASSWORD" in text
    assert "mysql://ada@db/ml" in text
    assert os.environ.get("BENISON_METADATA_PASSWORD", "never") not in text


def test_a_password_that_only_the_task_sees_is_refused_there(
    tmp_path: Path, trips: pa.Table
) -> None:
    pq.write_table(trips, tmp_path / "eval.parquet")
    key = {"pipeline": "taxi", "run": "1"}
    done = task(tmp_path / "eval.parquet", metadata=SECRET, **key)
    assert done.returncode == 2
    assert "mysql://ada@db/ml holds a password" in done.stderr
    assert "sesame" not in done.stderr + done.stdout
    assert not (tmp_path / "task/evaluation").exists()
