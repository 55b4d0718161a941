# SPDX-License-Identifier: Apache-2.0
"""The Evaluator in Airflow as a Docker container, by the provider's operator."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from benison.errors import ConfigError, MissingExtraError
from benison_orchestration.airflow import BaseEvaluatorOperator
from benison_orchestration.airflow_process import failure, permitting
from benison_orchestration.airflow_sdk import AirflowFailException
from benison_orchestration.airflow_spec import COMMAND, RETURN, check, check_environment, packed
from benison_orchestration.host_permission import PERMISSION

try:
    from airflow.providers.docker.exceptions import DockerContainerFailedException
    from airflow.providers.docker.operators.docker import DockerOperator

    from benison_orchestration.airflow_docker_trigger import (
        ASKING,
        PERMISSION_FILE,
        STEP_SECONDS,
        ContainerTrigger,
        answer,
        asks,
        client_of,
    )
except ModuleNotFoundError as error:
    raise MissingExtraError("Airflow's Docker provider", "airflow-docker") from error

_CURE = "Give it in private_environment, which Airflow shows nowhere."
_RETURNED = "/tmp/benison/return.json"  # noqa: S108 - of the container, which is removed


class DockerEvaluatorOperator(BaseEvaluatorOperator, DockerOperator):
    """Evaluates a model in a container of Benison's image.

    Paths in the spec are the container's. It publishes what it has evaluated only when a worker of the task
    says so, so that one whose task was stopped, or was lost, blesses nothing. It is removed when it has
    ended, unless `auto_remove` says otherwise. The password of the metadata store is in its private
    environment, where others belong too.

    Args:
        image: The image, whose `python` has Benison.
        deferrable: Wait for the container in the triggerer, and hold no worker meanwhile.
        kwargs: As `BaseEvaluatorOperator` and `DockerOperator`, such as `mounts`.

    Raises:
        ConfigError: `environment` holds a password or a key.
    """

    template_fields = (*BaseEvaluatorOperator.template_fields, *DockerOperator.template_fields)
    template_fields_renderers = {
        **DockerOperator.template_fields_renderers,
        **BaseEvaluatorOperator.template_fields_renderers,
    }
    _private_environment: dict[str, str]
    _client: Any = None
    pickling_library = json  # with which DockerOperator reads what the container wrote

    def __init__(self, *, image: str, deferrable: bool = False, **kwargs: Any) -> None:
        defaults = {"auto_remove": "force", "mount_tmp_dir": False, "entrypoint": [*COMMAND]}
        fixed = {"command": None, "retrieve_output": True, "retrieve_output_path": _RETURNED}
        check_environment(kwargs.get("environment"), "environment", _CURE)
        super().__init__(image=image, **{**defaults, **kwargs, **fixed})
        self.deferrable = deferrable

    def check_spec(self) -> None:
        check(self.spec, has_output=self.output_root is not None)

    def evaluate(self, context: Any) -> Mapping[str, Any] | None:
        try:
            more = {RETURN: _RETURNED, PERMISSION: PERMISSION_FILE}
            given = {**packed(self.full_spec(context)), **more}
        except ConfigError as error:
            raise AirflowFailException(str(error)) from error
        self._private_environment = {
            **self._private_environment,
            **self.secrets_of_store(),
            **given,
        }
        if self.deferrable:
            self._defer(context)
        try:
            with self._permitting():
                returned: Mapping[str, Any] | None = DockerOperator.execute(self, context)
        except DockerContainerFailedException as error:
            code = re.search(r"'StatusCode': (\d+)", str(error))
            text = "\n".join(map(str, error.logs or ()))
            raise failure(int(code[1]) if code else 1, text) from error
        return returned

    def _defer(self, context: Any) -> None:
        """Start the container, and let the triggerer wait for it."""
        self._client = _UntilStarted(self.cli)
        try:
            DockerOperator.execute(self, context)
        except _Started as started:
            container = started.container
        path, auto_remove = str(self.retrieve_output_path), self.auto_remove
        deadline = self.deadline()
        trigger = ContainerTrigger(container, self.engine(), path, auto_remove, deadline)
        self.wait_for(trigger)

    def resume(self, context: Any, event: Mapping[str, Any]) -> dict[str, Any]:
        """Act on the verdict of a container, which is let publish if it asks for that."""
        if ASKING in event:
            event = ContainerTrigger(**event[ASKING]).published()
        return super().resume(context, event)

    def _permitting(self) -> AbstractContextManager[None]:
        """Meanwhile, let the container publish when it asks for that."""
        client = client_of(self.engine())
        complaint = "The container cannot be asked whether it has evaluated: %s"
        return permitting(
            lambda: bool(self.container) and asks(client, self.container["Id"]),
            lambda: answer(client, self.container["Id"]),
            STEP_SECONDS,
            self.timeout,
            functools.partial(self.log.warning, complaint),
        )

    def engine(self) -> dict[str, Any]:
        """How the engine is reached, as a trigger can take it."""
        tls = {
            name: getattr(self, f"tls_{name}") for name in ("ca_cert", "client_cert", "client_key")
        }
        more = {"assert_hostname": self.tls_hostname, "ssl_version": self.tls_ssl_version}
        return {
            "docker_conn_id": self.docker_conn_id,
            "base_url": self.docker_url,
            "version": self.api_version,
            "timeout": self.timeout,
            "tls": {**tls, **more, "verify": self.tls_verify},
        }

    @property
    def cli(self) -> Any:
        """The client, which in a task that is deferred starts a container and does not wait."""
        return self._client or super().cli


class _Started(Exception):  # noqa: N818 - it is no error
    """A container runs."""

    def __init__(self, container: str) -> None:
        super().__init__(container)
        self.container = container


class _UntilStarted:
    """A client of Docker's that leaves a container running where the operator would wait for it."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._is_started = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def attach(self, **_: Any) -> Any:
        return iter(())

    def wait(self, container: str) -> None:
        self._is_started = True
        raise _Started(container)

    def remove_container(self, container: str, **how: Any) -> None:
        if not self._is_started:
            self._client.remove_container(container, **how)
