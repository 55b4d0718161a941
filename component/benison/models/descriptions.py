# SPDX-License-Identifier: Apache-2.0
"""Reads the description of a model that Benison does not load itself: a command, or the address of a server.

A folder with `benison-model.json` is such a model. Its digest is that of all files in the folder, so that
what a command runs belongs there.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from benison.config.faults import ConfigPart, Fault
from benison.config.plain import parse_json
from benison.errors import ConfigError, ModelError
from benison.models.locate import DESCRIPTION


class ModelDescription(ConfigPart):
    """How a model is called that Benison does not load itself.

    >>> ModelDescription(command=("python", "score.py"), columns=("fare",)).url
    ''
    """

    command: tuple[str, ...] = ()
    """A program and its arguments, run in the folder: it reads rows as a stream of Arrow from standard input,
    and writes a stream of as many rows, a column for each output, to standard output."""
    url: str = ""
    """The address of a server, such as http://localhost:8080."""
    protocol: Literal["kserve-v2", "tensorflow-serving"] = "kserve-v2"
    """How it is asked: KServe's V2 (Triton, MLServer, TorchServe, OpenVINO) or TensorFlow Serving's."""
    model: str = ""
    """The name of the model on the server."""
    columns: tuple[str, ...] = ()
    """The features that it reads; none means all, or with KServe's protocol the inputs that it names."""
    timeout_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 60.0
    """How long a server may take for a call."""

    def _faults(self) -> Iterable[Fault]:
        if bool(self.command) == bool(self.url):
            yield Fault((), "says neither command nor url, or both; say one of them.")
        if self.url and not self.model:
            yield Fault(("model",), "is missing: the name of the model on the server.")
        if self.protocol == "tensorflow-serving" and self.url and not self.columns:
            yield Fault(("columns",), "is missing: the inputs of the model, which are columns.")


def description(folder: Path) -> ModelDescription:
    """What the folder of a model says.

    Raises:
        ModelError: It is no description; with each fault.
    """
    path = folder / DESCRIPTION
    try:
        data = parse_json(path.read_text("utf-8"))
        if not isinstance(data, dict):
            raise ConfigError("it is not an object.")
        return ModelDescription(**data)
    except (ConfigError, OSError, ValueError) as error:
        raise ModelError(f"{path} does not describe a model: {error}") from error
