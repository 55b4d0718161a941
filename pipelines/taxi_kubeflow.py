# SPDX-License-Identifier: Apache-2.0
"""A Kubeflow pipeline: train a taxi model, evaluate it, and push it only if it is blessed.

Here, once with training data that lost the tips of one company (not blessed), once with whole data:

    python pipelines/taxi_kubeflow.py --output kubeflow-output

For a cluster, as a file that its web page or `kfp run create` takes:

    python pipelines/taxi_kubeflow.py --compile taxi.yaml

Its image holds Benison with everything, and this folder:

    FROM benison:all
    COPY pipelines /pipelines
    ENV PYTHONPATH=/pipelines
"""

import argparse
import os
import shlex
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

from kfp import compiler, dsl, local
from kfp.dsl import Artifact, Dataset, Input, Model, Output

from benison_orchestration.kubeflow import container_component, python_component

HERE = Path(__file__).resolve().parent
CONFIG = (HERE / "taxi_config.yaml").read_text(encoding="utf-8")
IMAGE = "benison:taxi"


def hold_out(examples: Output[Dataset]) -> None:
    """Put the trips aside that no model is trained on."""
    from pathlib import Path

    import taxi_local

    trips = [trip for trip in taxi_local.read_trips() if taxi_local.is_for_evaluation(trip)]
    taxi_local.write_examples(trips, Path(examples.path) / "data_tfrecord-00000-of-00001.gz")


def train(wide: bool, lossy: bool, model: Output[Model]) -> None:
    """Train a linear model, or a wide network; a lossy source has lost the tips of one company."""
    from pathlib import Path

    import taxi_local

    trips = [trip for trip in taxi_local.read_trips() if not taxi_local.is_for_evaluation(trip)]
    trips = taxi_local.lose_tips(trips) if lossy else trips
    taxi_local.train(trips, wide, Path(model.path))


def push(model: Input[Model], evaluation: Input[Artifact], pushed: Output[Model]) -> None:
    """Copy the model to where it is served, if it still is what was blessed."""
    import shutil
    from pathlib import Path

    from benison.output.blessing import verify

    verify(Path(evaluation.path), Path(model.path))
    shutil.copytree(model.path, pushed.path)


def taxi(image: str = IMAGE, in_containers: bool = True) -> Any:
    """The pipeline, whose parameters are `lossy` and `config`.

    Args:
        image: Of each task.
        in_containers: Evaluate by the command in the image; kfp's local runner of subprocesses knows only
            Python components.
    """
    options: dict[str, Any] = {"base_image": image, "install_kfp_package": False}
    evaluate = (
        container_component(image)
        if in_containers
        else python_component(packages_to_install=(), **options)
    )
    held_out, trained, pushed = (dsl.component(each, **options) for each in (hold_out, train, push))

    @dsl.pipeline(name="push-if-blessed")  # type: ignore[untyped-decorator]
    def push_if_blessed(blessing: str, model: Input[Model], evaluation: Input[Artifact]) -> None:
        with dsl.If(blessing == "BLESSED", name="blessed"):
            pushed(model=model, evaluation=evaluation)

    @dsl.pipeline(name="taxi", description="Push a taxi-tip model if it is blessed.")  # type: ignore[untyped-decorator]
    def pipeline(lossy: bool = False, config: str = CONFIG) -> None:
        examples = held_out()
        in_use = trained(wide=False, lossy=False).set_display_name("train the model in use")
        candidate = trained(wide=True, lossy=lossy).set_display_name("train the candidate")
        judged = evaluate(
            examples=examples.output, model=candidate.output, baseline=in_use.output, config=config
        )
        judged.set_cpu_limit("2").set_memory_limit("4G").set_retry(2, backoff_duration="30s")
        push_if_blessed(
            blessing=judged.outputs["blessing"],
            model=candidate.output,
            evaluation=judged.outputs["evaluation"],
        )

    return pipeline


def run_here(output: Path) -> None:
    """Run the pipeline in subprocesses of this Python."""
    # kfp doubts that an image has Python when its name does not say so.
    warnings.filterwarnings("ignore", "You may be attemping", RuntimeWarning)
    known = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(HERE), known)))
    # kfp puts the path of the interpreter into a shell's command as it stands.
    sys.executable = shlex.quote(sys.executable)
    runner = local.SubprocessRunner(use_venv=False)
    with tempfile.TemporaryDirectory() as cache:
        local.init(runner, pipeline_root=str(output), enable_caching=True, cache_root=cache)
        for lossy in (True, False):
            taxi(in_containers=False)(lossy=lossy)


def main() -> None:
    """Compile the pipeline, or run it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=Path("demo-output-kubeflow"))
    parser.add_argument("--compile", metavar="FILE", help="write the pipeline, and run nothing")
    parser.add_argument("--image", default=IMAGE)
    chosen = parser.parse_args()
    if chosen.compile:
        compiler.Compiler().compile(taxi(chosen.image), chosen.compile)
    else:
        run_here(chosen.output.resolve())


if __name__ == "__main__":
    main()
