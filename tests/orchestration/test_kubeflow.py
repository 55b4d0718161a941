# SPDX-License-Identifier: Apache-2.0
"""Kubeflow Pipelines: what compiles, and what kfp's own local runners make of it."""

import json
import os
import runpy
import shlex
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import benison
from benison_orchestration.kubeflow_task import Artifact
from tests.orchestration import images
from tests.orchestration.kubeflow_host import CONFIG, task

kfp = pytest.importorskip("kfp")
from kfp import dsl, local  # noqa: E402

from benison_orchestration.kubeflow import container_component, python_component  # noqa: E402

GOLDEN = Path(__file__).with_name("taxi_kubeflow.yaml")
PIPELINE = Path(__file__).parents[2] / "pipelines" / "taxi_kubeflow.py"
# Named as the image of a Python, without which kfp warns; here the Python of the test runs it.
HERE: dict[str, Any] = {"base_image": "python:3.11", "install_kfp_package": False}
IMAGE = "localhost/benison:base"


def refusing() -> dict[str, Any]:
    """The config with a bound that no model reaches."""
    text = json.dumps(CONFIG).replace('"lower_bound": 0.5', '"lower_bound": 0.99')
    return dict(json.loads(text))


def push(evaluation: dsl.Input[dsl.Artifact], pushed: dsl.Output[dsl.Artifact]) -> None:
    from pathlib import Path

    Path(pushed.path).write_bytes((Path(evaluation.path) / "BLESSED").read_bytes())


@dsl.container_component
def push_in_container(evaluation: dsl.Input[dsl.Artifact], pushed: dsl.Output[dsl.Artifact]):  # type: ignore[no-untyped-def]  # noqa: ANN201
    script = 'mkdir -p "$(dirname "$1")" && cp "$0/BLESSED" "$1"'
    return dsl.ContainerSpec(IMAGE, ["sh", "-c", script, evaluation.path, pushed.path])


def judging(evaluate: Any, pushing: Any) -> Any:
    """A pipeline that evaluates a file, and pushes what is blessed."""

    @dsl.pipeline(name="push-if-blessed")
    def push_if_blessed(blessing: str, evaluation: dsl.Input[dsl.Artifact]) -> None:
        with dsl.If(blessing == "BLESSED"):
            pushing(evaluation=evaluation)

    @dsl.pipeline(name="judging")
    def pipeline(examples: str, config: str, spec: dict = {}) -> None:  # type: ignore[type-arg]  # noqa: B006
        data = dsl.importer(artifact_uri=examples, artifact_class=dsl.Dataset)
        judged = evaluate(examples=data.output, config=config, spec=spec)
        push_if_blessed(
            blessing=judged.outputs["blessing"], evaluation=judged.outputs["evaluation"]
        )

    return pipeline


@pytest.fixture
def data(tmp_path: Path, trips: pa.Table) -> Path:
    """A file under the root of the pipeline, which is all that a container sees."""
    root = tmp_path / "with a space"
    root.mkdir()
    pq.write_table(trips, root / "eval.parquet")
    return root / "eval.parquet"


@pytest.fixture(scope="module")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The API of a Docker engine, with the image of the repository."""
    assert images.benison("base") == IMAGE
    socket = tmp_path_factory.mktemp("podman") / "podman.sock"
    command = ["podman", "system", "service", "--time", "0", f"unix://{socket}"]
    service = subprocess.Popen(command, env=images.environment(), stderr=subprocess.DEVNULL)
    try:
        while not socket.exists():
            assert service.poll() is None
            time.sleep(0.05)
        with pytest.MonkeyPatch.context() as patch, containers_that_stay(patch):
            patch.setenv("DOCKER_HOST", f"unix://{socket}")
            yield
    finally:
        service.terminate()
        service.wait(timeout=30)


@contextmanager
def containers_that_stay(patch: pytest.MonkeyPatch) -> Iterator[None]:
    """kfp lets a container remove itself, at times before it has asked how the container ended."""
    from docker.models.containers import ContainerCollection

    run_it, names = ContainerCollection.run, []

    def run_and_note(collection: Any, **options: Any) -> Any:
        container = run_it(collection, **{**options, "auto_remove": False})
        names.append(container.id)
        return container

    patch.setattr(ContainerCollection, "run", run_and_note)
    yield
    for name in names:
        images.run("podman", "rm", "--force", "--ignore", name)


def run_in_subprocesses(data: Path, **arguments: Any) -> Path:
    """The folder of the finished run."""
    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(data.parent))
    evaluate = python_component(packages_to_install=(), **HERE)
    with pytest.MonkeyPatch.context() as patch:
        # kfp puts the path of the interpreter into a shell's command as it stands.
        patch.setattr(sys, "executable", shlex.quote(sys.executable))
        return run(judging(evaluate, dsl.component(push, **HERE)), data, **arguments)


def run_in_containers(data: Path, **arguments: Any) -> Path:
    """The same in containers, as the user that the image has."""
    os.chown(data.parent, 10001, 10001)
    # A command takes the place of an image's entrypoint in Kubernetes; in Docker it comes after it.
    local.init(local.DockerRunner(entrypoint="env"), pipeline_root=str(data.parent))
    return run(judging(container_component(IMAGE), push_in_container), data, **arguments)


def run(pipeline: Any, data: Path, config: Any = CONFIG, **arguments: Any) -> Path:
    pipeline(examples=str(data), config=json.dumps(config), **arguments)
    return max(data.parent.glob("judging-*"))


@pytest.fixture(params=["python", pytest.param("container", marks=pytest.mark.slow)])
def run_pipeline(request: pytest.FixtureRequest) -> Callable[..., Path]:
    """Both forms of the component, each by the runner that knows it."""
    if request.param == "python":
        return run_in_subprocesses
    request.getfixturevalue("podman")
    return run_in_containers


def outputs(folder: Path) -> dict[str, Any]:
    """The metadata of the artifacts of the task `evaluate`, as Kubeflow gets it."""
    message = json.loads((folder / "evaluate" / "executor_output.json").read_text())
    return {
        name: actual["artifacts"][0]["metadata"] for name, actual in message["artifacts"].items()
    }


def test_it_gives_what_the_function_gives(run_pipeline: Callable[..., Path], data: Path) -> None:
    folder = run_pipeline(data)
    expected = benison.evaluate(data, CONFIG)
    table = pq.read_table(folder / "evaluate/evaluation/metrics.parquet").to_pandas()
    pd.testing.assert_frame_equal(table, expected.metrics.to_pandas(), check_exact=True)
    assert (folder / "evaluate/blessing").read_text() == "BLESSED"
    message = outputs(folder)
    assert message["evaluation"] == {"verdict": "blessed"}
    assert message["metrics"] == {
        name: expected.value(name) for name in ("auc", "binary_accuracy", "precision")
    }
    assert "<title>" in (folder / "evaluate/report").read_text()
    assert "Benison: blessed" in (folder / "evaluate/summary").read_text()


def test_only_a_blessed_model_is_pushed(run_pipeline: Callable[..., Path], data: Path) -> None:
    blessed = run_pipeline(data)
    (pushed,) = blessed.glob("push*/pushed")
    assert json.loads(pushed.read_text())["verdict"] == "blessed"
    refused = run_pipeline(data, config=refusing())
    assert (refused / "evaluate/blessing").read_text() == "NOT_BLESSED"
    assert "below the lower bound 0.99" in (refused / "evaluate/summary").read_text()
    assert not list(refused.glob("push*"))


def test_an_evaluation_that_cannot_be_done_is_a_failed_task(
    run_pipeline: Callable[..., Path], data: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    wrong = {**CONFIG, "slicing_specs": [{"feature_keys": ["huor"]}]}
    with pytest.raises(RuntimeError, match="evaluate"):
        run_pipeline(data, config=wrong)
    assert "Did you mean 'hour'?" in capfd.readouterr().out
    (folder,) = data.parent.glob("judging-*")
    assert not (folder / "evaluate/blessing").exists()
    assert not list(folder.glob("push*"))


def test_the_curve_and_the_matrix_are_those_of_the_rows(data: Path, trips: pa.Table) -> None:
    message = outputs(run_in_subprocesses(data))["curves"]
    label, score = trips["label"].to_numpy() > 0, trips["prediction"].to_numpy()
    points = message["confidenceMetrics"]
    assert 50 < len(points) <= 101
    assert {name: points[0][name] for name in ("recall", "falsePositiveRate")} == {
        "recall": 1.0,
        "falsePositiveRate": 1.0,
    }
    for point in points[1:]:
        above = score > point["confidenceThreshold"]
        assert point["recall"] == pytest.approx(np.mean(above[label]), abs=0.01)
        assert point["falsePositiveRate"] == pytest.approx(np.mean(above[~label]), abs=0.01)
    above = score > 0.5
    assert [cell for row in message["confusionMatrix"]["rows"] for cell in row["row"]] == [
        np.sum(~label & ~above),
        np.sum(~label & above),
        np.sum(label & ~above),
        np.sum(label & above),
    ]
    whole = dsl.ClassificationMetrics()
    whole.log_roc_data_point(fpr=1.0, tpr=1.0, threshold=points[0]["confidenceThreshold"])
    whole.log_confusion_matrix(
        ["negative", "positive"], [row["row"] for row in message["confusionMatrix"]["rows"]]
    )
    assert whole.metadata == {**message, "confidenceMetrics": points[:1]}


def test_a_task_is_recorded_once_however_often_it_is_tried(data: Path) -> None:
    pytest.importorskip("ml_metadata")
    from benison.lineage import history
    from benison.lineage.store import Store

    url = f"sqlite:///{data.parent}/metadata.db?create=true"
    arguments = {"metadata": url, "pipeline": "taxi", "run": "42"}
    for _ in range(2):
        done = task(data, **arguments)
        assert done.returncode == 0, done.stderr
    assert len(history.blessings(Store.open(url), "taxi")) == 1


def test_two_evaluations_of_a_job_are_told_apart_by_their_tasks(data: Path) -> None:
    pytest.importorskip("ml_metadata")
    from benison import lineage

    url = f"sqlite:///{data.parent}/metadata.db?create=true"
    arguments = {"metadata": url, "pipeline": "taxi", "run": "42"}
    assert task(data, "left", **arguments).returncode == 0
    refused = task(data, "right", **arguments)
    assert refused.returncode == 2
    assert "Give each evaluation of a run a --task" in refused.stderr
    assert task(data, "right", **arguments, task="right").returncode == 0
    assert len(lineage.connect(url).blessings("taxi")) == 2


def test_a_try_replaces_what_the_one_before_it_has_left(data: Path) -> None:
    assert task(data).returncode == 0
    done = task(data, config=json.dumps(refusing()))
    assert done.returncode == 0, done.stderr
    assert (data.parent / "task/blessing").read_text() == "NOT_BLESSED"
    assert benison.load_result(data.parent / "task/evaluation").verdict.status == "not_blessed"


def test_the_reason_of_a_failure_is_its_last_line(data: Path) -> None:
    done = task(data, spec={"formt": "parquet"})
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "Error: formt: there is no such field. Did you mean 'format'?"
    )
    done = task(data, config="model_specs: [")
    assert done.returncode == 2
    assert "The parameter config is neither YAML nor JSON" in done.stderr
    assert not (data.parent / "task" / "evaluation").exists()


def test_both_forms_have_the_same_inputs_and_outputs() -> None:
    container, python = container_component(IMAGE), python_component("python:3.11")
    assert container.component_spec.inputs == python.component_spec.inputs
    assert container.component_spec.outputs == python.component_spec.outputs
    assert container.description == python.description


@pytest.mark.parametrize("uri", ["/a/b", "gs://b/c/d", "minio://b/c", "s3://b/c", "oci://r/m:1"])
@pytest.mark.parametrize("metadata", [{}, {"_kfp_workspace": True}], ids=["", "workspace"])
def test_an_artifact_is_where_kfp_says(uri: str, metadata: dict[str, Any]) -> None:
    theirs = dsl.Model(uri=uri, metadata=metadata)
    assert Artifact("", uri, metadata).path == theirs.path


@pytest.fixture
def host_image(podman: None, tmp_path: Path) -> Iterator[str]:
    """An image of nothing but places, to which what this machine has installed is mounted."""
    name, archive = "localhost/benison-host:python", tmp_path / "places.tar"
    with tarfile.open(archive, "w") as tar:
        for location in ("usr", "etc", "tmp", "proc", "dev", "sys"):
            folder = tarfile.TarInfo(location)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(folder)
        for location in ("bin", "lib", "lib64", "sbin"):
            link = tarfile.TarInfo(location)
            link.type, link.linkname = tarfile.SYMTYPE, f"usr/{location}"
            tar.addfile(link)
    images.run("podman", "import", "--quiet", archive, name)
    yield name
    images.run("podman", "rmi", "--force", name)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.* have no effect in the current local runner:UserWarning")
def test_the_taxi_pipeline_runs_in_containers(host_image: str, tmp_path: Path) -> None:
    """As it is compiled for a cluster: trained, evaluated by the command of the container, pushed."""
    pytest.importorskip("tfx")
    from docker.types import Mount

    pipeline = runpy.run_path(str(PIPELINE))["taxi"](host_image)
    root = PIPELINE.parents[1]
    places = {"/usr", "/etc", sys.prefix, sys.base_prefix, str(root)}
    sources = [str(root / name) for name in ("component", "orchestration", "pipelines")]
    runner = local.DockerRunner(
        entrypoint="env",
        mounts=[
            Mount(location, location, type="bind", read_only=True) for location in sorted(places)
        ],
        environment={
            "PATH": f"{sys.prefix}/bin:/usr/bin",
            "PYTHONPATH": os.pathsep.join(sources),
            "HOME": "/tmp",
        },
    )
    local.init(runner, pipeline_root=str(tmp_path / "root"))
    pipeline(lossy=False)
    (folder,) = (tmp_path / "root").glob("taxi-*")
    verdict = benison.load_result(folder / "evaluate/evaluation").verdict
    assert (verdict.status, verdict.rubber_stamped) == ("blessed", False)
    assert (folder / "push/pushed/saved_model.pb").is_file()


def test_the_taxi_pipeline_compiles_to_this(tmp_path: Path) -> None:
    compiled = tmp_path / "taxi.yaml"
    command = [sys.executable, str(PIPELINE), "--compile", str(compiled)]
    subprocess.run(command, check=True, timeout=120)
    made = f"python {PIPELINE} --compile {GOLDEN}"
    assert compiled.read_text() == GOLDEN.read_text(), f"If that is meant: {made}"
