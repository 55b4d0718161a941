# SPDX-License-Identifier: Apache-2.0
"""The Evaluator in Airflow as a Docker container, by the provider's operator."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from benison.errors import MissingExtraError
from benison_orchestration.airflow import BaseEvaluatorOperator

try:
    from airflow.providers.docker.operators.docker import DockerOperator
except ModuleNotFoundError as error:
    raise MissingExtraError("Airflow's Docker provider", "airflow-docker") from error


class DockerEvaluatorOperator(BaseEvaluatorOperator, DockerOperator):
    """Evaluates a model in a container of Benison's image.

    Paths in the spec are the container's, and `output` is absolute. The container is removed when it has
    ended, unless `auto_remove` says otherwise.

    Args:
        image: The image, in which `benison` is the entry point.
        kwargs: As `BaseEvaluatorOperator` and `DockerOperator`, such as `mounts`.
    """

    template_fields = (*BaseEvaluatorOperator.template_fields, *DockerOperator.template_fields)
    template_fields_renderers = {
        **DockerOperator.template_fields_renderers,
        **BaseEvaluatorOperator.template_fields_renderers,
    }
    _private_environment: dict[str, str]
    pickling_library = json  # with which DockerOperator reads what the container wrote

    def __init__(self, *, image: str, **kwargs: Any) -> None:
        defaults = {"command": ["evaluate"], "auto_remove": "force", "mount_tmp_dir": False}
        super().__init__(image=image, **{**defaults, **kwargs, "retrieve_output": True})

    def evaluate(self, context: Any) -> Mapping[str, Any] | None:
        spec = self.full_spec(context)
        self.retrieve_output_path = f"{spec['output']}/verdict.json"
        self._private_environment = {
            **self._private_environment,
            "BENISON_SPEC": json.dumps(spec),
        }
        found: Mapping[str, Any] | None = DockerOperator.execute(self, context)
        return found
