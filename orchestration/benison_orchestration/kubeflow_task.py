# SPDX-License-Identifier: Apache-2.0
"""An evaluation as a task of Kubeflow Pipelines: artifacts in, artifacts out, without kfp.

    python -m benison_orchestration.kubeflow_task '{{$}}'

is the command of the container component. Kubeflow puts the executor input in place of the `{{$}}`, and
reads the executor output where that says. An evaluation that cannot be done exits with 2 and its reason.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

import benison
from benison import terminal
from benison.config import yaml_text
from benison.errors import BenisonError, ConfigError
from benison.evaluation.spec import read_spec
from benison.report.ci import Reports
from benison_orchestration.headline import headline, overall

MAX_POINTS = 101  # of a curve: the store of Kubeflow's web page keeps them, and the report has all

# Where Kubeflow puts what it has fetched, and fetches what it will put.
_MOUNTS = {"gs://": "/gcs/", "minio://": "/minio/", "s3://": "/s3/"}
_WORKSPACE = "/kfp-workspace/.artifacts/"


class ArtifactLike(Protocol):
    """An artifact in a task: kfp's own in a Python component, `Artifact` in a container."""

    metadata: dict[str, Any]

    @property
    def path(self) -> str:
        """Where it is, or shall be, in the file system of the task."""


@dataclasses.dataclass
class Artifact:
    """An artifact of an executor input, where kfp need not be installed."""

    name: str
    uri: str
    metadata: dict[str, Any]

    @property
    def path(self) -> str:
        """The place that kfp's own classes give."""
        path = self.uri
        for scheme, mount in _MOUNTS.items():
            path = path.replace(scheme, mount, 1) if path.startswith(scheme) else path
        if path.startswith("oci://"):
            path = f"/oci/{path.removeprefix('oci://').replace('/', '_')}/models"
        workspace = self.metadata.get("_kfp_workspace") is True
        return _WORKSPACE + path.lstrip("/") if workspace else path

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> dict[str, Artifact]:
        """The artifacts of the inputs or outputs of an executor input, each the first of its list."""
        lists = {name: of["artifacts"] for name, of in given.get("artifacts", {}).items()}
        return {
            name: cls(
                artifacts[0].get("name", ""), artifacts[0]["uri"], artifacts[0].get("metadata", {})
            )
            for name, artifacts in lists.items()
            if artifacts
        }


def evaluate(  # noqa: PLR0913 - the inputs and outputs of the component
    *,
    examples: ArtifactLike,
    config: str,
    metrics: ArtifactLike,
    curves: ArtifactLike,
    report: ArtifactLike,
    summary: ArtifactLike,
    evaluation: ArtifactLike,
    blessing: str,
    model: ArtifactLike | None = None,
    baseline: ArtifactLike | None = None,
    metadata: str = "",
    pipeline: str = "",
    run: str = "",
    task: str = "",
    spec: Mapping[str, Any] | None = None,
) -> None:
    """Do what `benison_orchestration.kubeflow.evaluate` describes.

    Raises:
        BenisonError: The evaluation cannot be made; nothing is blessed then.
    """
    arguments = read_spec(
        spec or {},
        examples=examples.path,
        config=_config(config),
        model=model.path if model else None,
        baseline=baseline.path if baseline else None,
        metadata=metadata or None,
        pipeline=pipeline or None,
        run=run or None,
        task=task or None,
        mounts=_MOUNTS,
        output=evaluation.path,
        overwrite=True,  # what a first try has left
    )
    with terminal.progress() as progress:
        result = benison.evaluate(**arguments, progress=progress)
    metrics.metadata.update(headline(result))
    curves.metadata.update(_curves(result))
    shutil.copyfile(Path(evaluation.path) / "report.html", report.path)
    Reports(None, Path(summary.path)).write(result, gate=False)
    evaluation.metadata["verdict"] = result.verdict.status
    Path(blessing).write_text(result.verdict.status.upper(), encoding="utf-8")


def _config(text: str) -> Any:
    try:
        return yaml_text.parse(text)
    except ConfigError as error:
        raise ConfigError(f"The parameter config is neither YAML nor JSON: {error}") from error


def _curves(result: benison.EvalResult) -> dict[str, Any]:
    """The ROC curve and the confusion matrix at 0.5 of the first plot that has them."""
    for row in overall(result, result.plots):
        columns = dict(row["columns"])
        if "true_positives" in columns:
            return dict(_figures({name: np.array(points) for name, points in columns.items()}))
    return {}


def _figures(columns: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What kfp's ClassificationMetrics writes."""
    thresholds = columns["threshold"]
    names = ("true_negatives", "false_positives", "false_negatives", "true_positives")
    tn, fp, fn, tp = (columns[name] for name in names)
    if not (tp[0] + fn[0] > 0 and fp[0] + tn[0] > 0):  # of one class alone there is no curve
        return
    points = np.unique(np.linspace(0, len(thresholds) - 1, MAX_POINTS).round().astype(int))
    rates = (thresholds[points], (tp / (tp + fn))[points], (fp / (fp + tn))[points])
    fields = ("confidenceThreshold", "recall", "falsePositiveRate")
    lists = (values.tolist() for values in rates)
    yield "confidenceMetrics", [dict(zip(fields, p, strict=True)) for p in zip(*lists, strict=True)]
    half = int(np.abs(thresholds - 0.5).argmin())
    matrix = ((tn, fp), (fn, tp))
    yield (
        "confusionMatrix",
        {
            "annotationSpecs": [{"displayName": "negative"}, {"displayName": "positive"}],
            "rows": [{"row": [float(cell[half]) for cell in row]} for row in matrix],
        },
    )


def run_task(executor_input: str) -> None:
    """Evaluate what an executor input says, and write the executor output.

    Raises:
        BenisonError: The evaluation cannot be made.
    """
    given = json.loads(executor_input)
    inputs, outputs = given.get("inputs", {}), given["outputs"]
    written = Artifact.of(outputs)
    files = {name: of["outputFile"] for name, of in outputs["parameters"].items()}
    for path in (outputs["outputFile"], *files.values(), *(each.path for each in written.values())):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    arguments: dict[str, Any] = {**inputs.get("parameterValues", {}), **Artifact.of(inputs)}
    evaluate(**arguments | written | files)
    artifacts = {name: {"artifacts": [dataclasses.asdict(each)]} for name, each in written.items()}
    Path(outputs["outputFile"]).write_text(json.dumps({"artifacts": artifacts}), encoding="utf-8")


def main() -> int:
    """The command; its one argument is the executor input."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        run_task(sys.argv[1])
    except BenisonError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
