# SPDX-License-Identifier: Apache-2.0
"""The Evaluator in Kubeflow Pipelines v2: one description, two kinds of component.

    evaluate = container_component("registry.example.com/benison:tensorflow")

    @dsl.pipeline
    def train_and_push(config: str):
        trained = train()
        judged = evaluate(
            examples=trained.outputs["held_out"], model=trained.outputs["model"], config=config
        )
        judged.set_cpu_limit("2").set_memory_limit("4G").set_retry(2, backoff_duration="30s")
        with dsl.If(judged.outputs["blessing"] == "BLESSED"):
            push(model=trained.outputs["model"])

What a task may use, how often it is tried and whether it is cached is Kubeflow's to say:

* Resources: one process, with threads where they help. It needs the memory of the model and about a gigabyte
  besides, however many rows there are.
* Retries: a try replaces what the one before it has left, and a task that is killed has blessed nothing. With
  `metadata`, `run` has to be the same in each try; `dsl.PIPELINE_JOB_ID_PLACEHOLDER` is. Where a job has
  several evaluations, `task=dsl.PIPELINE_TASK_NAME_PLACEHOLDER` tells them apart. A model that is not
  blessed is no failure, so it is not tried again; an evaluation that cannot be done is one.
* Caching: for the same artifacts, parameters and image Kubeflow takes the verdict that it has, which is right
  as long as what is at a URI does not change. Say `set_caching_options(False)` where somebody overwrites data
  that `dsl.importer` names, and where each run shall be recorded in `metadata`.

kfp's local runner, as of 2.17, finds a named output in the condition of a `dsl.If` only within a pipeline
that takes it as a parameter; pipelines/taxi_kubeflow.py shows how. A cluster has no such need.
"""

import functools
import inspect
from collections.abc import Sequence
from typing import Any, List  # noqa: UP035 - the form that kfp knows

from benison.errors import MissingExtraError
from benison_orchestration.kubeflow_check import check

# kfp reads the annotations as what they are, and would not read them as text.
try:
    from kfp import dsl
    from kfp.dsl import (
        HTML,
        Artifact,
        ClassificationMetrics,
        Dataset,
        Input,
        Markdown,
        Metrics,
        Model,
        Output,
        OutputPath,
        SlicedClassificationMetrics,
    )
    from kfp.dsl.container_component_class import ContainerComponent
    from kfp.dsl.python_component import PythonComponent
except ImportError as error:
    raise MissingExtraError("Kubeflow Pipelines", "kfp") from error

COMMAND = ("python3", "-m", "benison_orchestration.kubeflow_task")


def evaluate(  # noqa: PLR0913, PLR0917 - the inputs and outputs of the component
    config: str,
    metrics: Output[Metrics],
    curves: Output[ClassificationMetrics],
    slices: Output[SlicedClassificationMetrics],
    report: Output[HTML],
    summary: Output[Markdown],
    evaluation: Output[Artifact],
    blessing: OutputPath(str),  # type: ignore[valid-type]
    values: OutputPath(dict),  # type: ignore[valid-type]
    reasons: OutputPath(list),  # type: ignore[valid-type]
    undecided: OutputPath(int),  # type: ignore[valid-type]
    examples: Input[Dataset] = None,
    examples_list: Input[List[Dataset]] = None,  # noqa: UP006 - the form that kfp knows
    model: Input[Model] = None,
    baseline: Input[Model] = None,
    metadata: str = "",
    pipeline: str = "",
    run: str = "",
    task: str = "",
    spec: dict = {},  # type: ignore[type-arg]  # noqa: B006 - kfp takes no other default
) -> None:
    """Evaluate a model on every slice, and bless it or say why not.

    Args:
        examples: A file or a directory; `spec` has its `format` where no file name tells it.
        examples_list: Several of them, which are judged as one: dsl.Collected of a ParallelFor.
        config: The evaluation config as YAML or JSON text, or its path in the container.
        model: The candidate; without it the predictions are in the examples.
        baseline: The model to compare with.
        metadata: The URL of a metadata store to record in, without a password: that is in the variable
            BENISON_METADATA_PASSWORD, which kfp.kubernetes.use_secret_as_env sets from a Secret.
        pipeline: The pipeline in whose history it is recorded.
        run: The id of this run in it, the same in each try.
        task: The task, where a job has several evaluations: dsl.PIPELINE_TASK_NAME_PLACEHOLDER.
        spec: More arguments of benison.evaluate: format, engine, engine_options, trust_pickle; or a baseline
            that is no artifact: the address of a model, or `latest-blessed`, which `metadata` knows.
        metrics: The metrics over all examples.
        curves: The ROC curve and the confusion matrix at 0.5, where the config has a ConfusionMatrixPlot; the
            matrix of the classes, where it has a MultiClassConfusionMatrixPlot.
        slices: The same of up to 50 slices.
        report: The report.
        summary: The verdict and its reasons.
        evaluation: The output directory, with metrics.parquet, verdict.json and the marker.
        blessing: BLESSED, NOT_BLESSED or NOT_EVALUATED.
        values: The metrics over all examples by their names, for the tasks that follow.
        reasons: Why the model is not blessed, a sentence each; up to 100.
        undecided: How many checks with `evidence: worse` can tell neither, for dsl.If beside the blessing.
    """
    arguments = dict(locals())
    from benison_orchestration import kubeflow_task

    kubeflow_task.evaluate(**arguments)


def container_component(image: str) -> Any:
    """The component `evaluate`, in an image that holds Benison, such as its Dockerfile makes.

    A command takes the place of the image's entrypoint in Kubernetes, and comes after it in Docker: run it
    here with `kfp.local.DockerRunner(entrypoint="env")`.

    Args:
        image: The image; kfp need not be in it.
    """

    @functools.wraps(evaluate)
    def describe(*_args: Any) -> Any:
        executor_input = dsl.PIPELINE_TASK_EXECUTOR_INPUT_PLACEHOLDER
        return dsl.ContainerSpec(image=image, command=list(COMMAND), args=[executor_input])

    signature = inspect.signature(evaluate).replace(return_annotation=dsl.ContainerSpec)
    describe.__signature__ = signature  # type: ignore[attr-defined]
    return _Container(dsl.container_component(describe))


def python_component(
    base_image: str, packages_to_install: Sequence[str] = ("benison",), **options: Any
) -> Any:
    """The component `evaluate`, in any image with Python.

    Args:
        base_image: The image.
        packages_to_install: What pip installs in it for each run, such as `benison[tensorflow]==0.1.0`;
            nothing where the image has it already.
        options: More arguments of `kfp.dsl.component`: pip_index_urls, install_kfp_package, ...
    """
    packages = list(packages_to_install)
    return _Python(
        dsl.component(evaluate, base_image=base_image, packages_to_install=packages, **options)
    )


class _Checked:
    """Checks what a component is given while the pipeline is written, as far as it is known there."""

    def __call__(self, *args: Any, **arguments: Any) -> Any:
        check(arguments)
        return super().__call__(*args, **arguments)  # type: ignore[misc]


class _Container(_Checked, ContainerComponent):  # type: ignore[misc]
    def __init__(self, plain: Any) -> None:
        super().__init__(plain.component_spec, plain.pipeline_func)


class _Python(_Checked, PythonComponent):  # type: ignore[misc]
    def __init__(self, plain: Any) -> None:
        super().__init__(plain.component_spec, plain.python_func)
