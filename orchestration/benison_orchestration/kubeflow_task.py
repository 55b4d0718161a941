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
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import benison
from benison import terminal
from benison.config import yaml_text
from benison.errors import BenisonError, ConfigError
from benison.evaluation.spec import read_spec
from benison.report.ci import Reports
from benison.results.overall import headline
from benison.validation.terms import UNDECIDED
from benison_orchestration.kubeflow_figures import curves as curves_of
from benison_orchestration.kubeflow_figures import sliced_curves

MAX_REASONS = 100
NO_EXAMPLES = (
    "There are no examples. Give an artifact as examples, or several, as dsl.Collected makes them of a "
    "ParallelFor, as examples_list."
)
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
        return {name: listed[0] for name, listed in cls.lists_of(given).items() if listed}

    @classmethod
    def lists_of(cls, given: Mapping[str, Any]) -> dict[str, list[Artifact]]:
        """All artifacts of the inputs or outputs of an executor input."""
        lists = {name: of["artifacts"] for name, of in given.get("artifacts", {}).items()}
        return {
            name: [
                cls(each.get("name", ""), each["uri"], each.get("metadata", {})) for each in listed
            ]
            for name, listed in lists.items()
        }


def evaluate(  # noqa: PLR0913 - the inputs and outputs of the component
    *,
    config: str,
    metrics: ArtifactLike,
    curves: ArtifactLike,
    slices: ArtifactLike,
    report: ArtifactLike,
    summary: ArtifactLike,
    evaluation: ArtifactLike,
    blessing: str,
    values: str,
    reasons: str,
    undecided: str,
    examples: ArtifactLike | None = None,
    examples_list: Sequence[ArtifactLike] | None = None,
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
        examples=_examples(examples, examples_list or ()),
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
    curves.metadata.update(curves_of(result))
    slices.metadata.update(sliced_curves(result))
    evaluation.metadata["verdict"] = result.verdict.status
    shutil.copyfile(Path(evaluation.path) / "report.html", report.path)
    Reports(None, Path(summary.path)).write(result, gate=False)
    Path(undecided).write_text(str(result.verdict.counts[UNDECIDED]), encoding="utf-8")
    _write_parameters(result, Path(values), Path(reasons), Path(blessing))


def _write_parameters(
    result: benison.EvalResult, values: Path, reasons: Path, blessing: Path
) -> None:
    """Write what the tasks that follow are given; last the blessing, which a condition waits for."""
    values.write_text(json.dumps(headline(result)), encoding="utf-8")
    reasons.write_text(json.dumps(result.verdict.reasons[:MAX_REASONS]), encoding="utf-8")
    blessing.write_text(result.verdict.status.upper(), encoding="utf-8")


def _examples(single: ArtifactLike | None, several: Sequence[ArtifactLike]) -> list[str]:
    """The paths of the examples of a task.

    Raises:
        ConfigError: There are none.
    """
    paths = [each.path for each in (*([single] if single else []), *several)]
    if not paths:
        raise ConfigError(NO_EXAMPLES)
    return paths


def _config(text: str) -> Any:
    try:
        return yaml_text.parse(text)
    except ConfigError as error:
        raise ConfigError(f"The parameter config is neither YAML nor JSON: {error}") from error


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
    lists = {"examples_list": Artifact.lists_of(inputs).get("examples_list", [])}
    arguments = {**inputs.get("parameterValues", {}), **Artifact.of(inputs), **lists}
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
