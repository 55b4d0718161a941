# SPDX-License-Identifier: Apache-2.0
"""Checks what a task of Kubeflow is given while its pipeline is written, as far as it is known there."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any

from benison.config import yaml_text
from benison.errors import ConfigError
from benison.evaluation.resolve import Request, resolve
from benison.evaluation.spec import REQUIRED, read_spec, secrets_in
from benison.lineage.connection import PASSWORD_VARIABLE
from benison_orchestration.kubeflow_task import NO_EXAMPLES

_PASSWORD = (
    "The URL in metadata holds a password, which the compiled pipeline would show. Leave it out, and let a "
    f"Secret set {PASSWORD_VARIABLE}: kfp.kubernetes.use_secret_as_env."
)
_SECRET = (
    "{} holds a password or a key, which the compiled pipeline would show. Leave it out, and let a Secret "
    "set a variable that the store's own programs read, such as AWS_SECRET_ACCESS_KEY: "
    "kfp.kubernetes.use_secret_as_env."
)


def check(arguments: Mapping[str, Any]) -> None:
    """Find what is wrong with a task while its pipeline is written, and not after the training.

    Raises:
        ConfigError: There are no examples, the config or the spec is wrong, or the store's URL holds a
            password, which the compiled pipeline would show.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    if not {"examples", "examples_list"} & given.keys():
        raise ConfigError(NO_EXAMPLES)
    spec = given.get("spec", {})
    fields = dict(spec) if isinstance(spec, Mapping) else {}
    known = {name: value for name, value in fields.items() if _is_known(value)}
    # An unknown value is none here, which every field may be.
    read_spec(json.dumps(dict.fromkeys(fields) | known | dict.fromkeys(REQUIRED, "later")))
    _check_no_secrets({"metadata": given.get("metadata"), "config": given.get("config")})
    _check_no_secrets(fields)
    if isinstance(spec, Mapping):  # else it may bring a model that the config needs
        named = {name for name, value in fields.items() if value is not None}
        _check_config(given.get("config"), named | given.keys())


def _check_no_secrets(fields: Mapping[str, Any]) -> None:
    """Refuse what the compiled pipeline would show."""
    for name in secrets_in(fields):
        raise ConfigError(_PASSWORD if name == "metadata" else _SECRET.format(name))


def _check_config(text: Any, names: Collection[str]) -> None:
    """Find what is wrong with a config, of a task that is given what has these names."""
    if not isinstance(text, str) or not _is_known(text):
        return
    config = None
    with suppress(ConfigError):  # which the task will say
        config = yaml_text.parse(text)
    if isinstance(config, Mapping):  # else it is a path in the container
        called = "model" in names
        has_baseline = "baseline" in names if called else None
        resolve(Request(config, has_baseline, called=called, imports=False))


def _is_known(value: Any) -> bool:
    """Whether nothing in a value has yet to be given by a task or a parameter of the pipeline."""
    try:
        return "{{" not in json.dumps(value)
    except TypeError:
        return False
