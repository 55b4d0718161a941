# SPDX-License-Identifier: Apache-2.0
"""Prepares a spec for the process that evaluates: makes it plain, checks it, keys it, hands it over.

Nothing here needs Airflow, so that the process at the other end reads with it what a worker has packed.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benison.config import EvalConfig
from benison.errors import ConfigError
from benison.evaluation import spec as evaluation_spec
from benison.evaluation.spec import REQUIRED, read_spec, secrets_in
from benison.lineage import RunKey
from benison.paths import holds_secret

SPEC = "BENISON_SPEC"
"""The variable with the spec of a container, as JSON; longer texts are packed into several."""
RETURN = "BENISON_RETURN"
"""The variable with the file that takes the outcome."""
COMMAND = ("python", "-m", "benison_orchestration.host_task")
"""What a container runs."""
WRONG = 2  # the exit code of what no other try mends

_PARTS = f"{SPEC}_PARTS"
# Linux takes 128 KiB in a variable, and Kubernetes about a megabyte in a pod.
_MAX_PART = 100_000
_MOST_PARTS = 8
_WHOLE = "evaluation"
"""The last folder of an output that is not one of a mapped task."""
_CURES = {
    "metadata": "holds a password, which is shown. Name the store's connection in metadata_conn_id, or "
    "leave the password to the variable BENISON_METADATA_PASSWORD.",
    "registry": "holds a password, which is shown. Leave it to MLFLOW_TRACKING_PASSWORD.",
}
_CURE = (
    "holds a password or a key, which is shown. Leave it to the environment of the process that evaluates, "
    "such as AWS_SECRET_ACCESS_KEY."
)
# Such as AWS_SECRET_ACCESS_KEY, and not AWS_ACCESS_KEY_ID or TOKEN_FILE.
_SECRET_VARIABLE = re.compile(
    r"(^|_)(secret|password|passwd|token|connection_string|(access|account|api|private|storage)_key)$",
    re.IGNORECASE,
)
_NOT_IN_A_NAME = re.compile(r"[/\\%\0]|^\.+$")
_TEMPLATE = re.compile(r"\{\{|\{%")


def plain(value: Any, field: str = "spec") -> Any:  # noqa: PLR0911 - a line for each kind of value
    """A value as JSON has it: paths as text, configs as their fields. What a task has yet to give stays.

    Raises:
        ConfigError: It is an object that JSON does not have, such as a DataFrame.
    """
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, EvalConfig):
        return value.to_dict()
    if isinstance(value, Mapping):
        return {str(key): plain(each, f"{field}.{key}") for key, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [plain(each, f"{field}[{number}]") for number, each in enumerate(value)]
    if is_output_of_a_task(value):
        return value
    if field == "spec.config":  # a message of TFMA's
        return EvalConfig.load(value).to_dict()
    kind = type(value).__name__
    raise ConfigError([(field, f"is a {kind}, which a task cannot take. Give a path or its text.")])


def is_output_of_a_task(value: Any) -> bool:
    """Whether it is an XComArg, which has a value only when its task has run."""
    return hasattr(value, "iter_references")


def check(spec: Any, has_output: bool) -> None:
    """Find what is wrong with a plain spec as far as it is known while the DAG is read.

    Args:
        spec: As `plain` gives it; a text is JSON with templates in it, or the path of a file.
        has_output: Whether the task has an output if the spec has none.

    Raises:
        ConfigError: A field is unknown, missing, or of the wrong type, the config in it is wrong, or it
            holds a password.
    """
    fields = _fields(spec)
    if fields is None:
        return
    if has_output:
        fields.setdefault("output", "default")
    known = {name: value for name, value in fields.items() if is_known(value)}
    read_spec(fields)
    read_spec(json.dumps({**dict.fromkeys(REQUIRED, "later"), **known}))
    if isinstance(known.get("config"), dict):
        EvalConfig.load(known["config"])
    check_no_secrets(known)


def fields_of(spec: Any) -> dict[str, Any]:
    """The fields of a rendered spec: a mapping, the text of a JSON document, or the path of one.

    Raises:
        ConfigError: It cannot be read, or is no object.
    """
    if isinstance(spec, Mapping):
        return dict(plain(spec))
    return evaluation_spec.fields_of(str(spec))


def _fields(spec: Any) -> dict[str, Any] | None:
    """The fields of a spec; None for a text whose templates have to be rendered first, and for a path."""
    if isinstance(spec, Mapping):
        return dict(spec)
    if not isinstance(spec, str) or not spec.lstrip().startswith("{"):
        return None
    try:
        return fields_of(spec)
    except ConfigError:
        if is_known(spec):
            raise
        return None


def is_known(value: Any) -> bool:
    """Whether nothing in a plain value has yet to be rendered or given by a task."""
    if isinstance(value, Mapping):
        return all(map(is_known, value.values()))
    if isinstance(value, list):
        return all(map(is_known, value))
    if isinstance(value, str):
        return not _TEMPLATE.search(value)
    return not is_output_of_a_task(value)


def check_no_secrets(fields: Mapping[str, Any]) -> None:
    """Refuse a password or a key in a plain spec, which is shown on Airflow's pages and in pods.

    Raises:
        ConfigError: There is one.
    """
    faults = [(f"spec.{name}", _CURES.get(name, _CURE)) for name in secrets_in(fields)]
    if faults:
        raise ConfigError(faults)


def check_environment(variables: Any, field: str, cure: str) -> None:
    """Refuse a password or a key among variables, which are shown as a spec is; templates may have one.

    Args:
        variables: Values by names, or Kubernetes' own objects; None is none.
        field: The argument that has them.
        cure: Where it belongs.

    Raises:
        ConfigError: There is one.
    """
    pairs = variables.items() if isinstance(variables, Mapping) else map(_pair, variables or ())
    faults = [
        (f"{field}.{name}", f"holds a password or a key, which is shown. {cure}")
        for name, value in pairs
        if isinstance(value, str) and is_known(value) and _is_secret(str(name), value)
    ]
    if faults:
        raise ConfigError(faults)


def _pair(variable: Any) -> tuple[str, Any]:
    return getattr(variable, "name", ""), getattr(variable, "value", None)


def _is_secret(name: str, value: str) -> bool:
    return bool(value and _SECRET_VARIABLE.search(name)) or holds_secret(value)


def default_output(root: str, key: RunKey) -> str:
    """The folder of a task instance, which no other one has: DAG, run, task and map index."""
    last = _WHOLE if key.map_index is None else str(key.map_index)
    names = map(_escaped, (key.pipeline, key.run, key.task, last))
    # The options of an address follow its path.
    folder, mark, options = root.partition("?") if "://" in root else (root, "", "")
    return "/".join([folder.rstrip("/"), *names]) + mark + options


def _escaped(text: str) -> str:
    """A text as the name of a folder."""
    return _NOT_IN_A_NAME.sub(lambda m: "".join(f"%{ord(c):02X}" for c in m[0]), text)


def packed(spec: Mapping[str, Any]) -> dict[str, str]:
    """A spec as variables of the environment of a container.

    Raises:
        ConfigError: It is longer than any container takes.
    """
    text = json.dumps(spec)
    if len(text) <= _MAX_PART:
        return {SPEC: text}
    data = base64.b64encode(gzip.compress(text.encode())).decode()
    parts = [data[start : start + _MAX_PART] for start in range(0, len(data), _MAX_PART)]
    if len(parts) > _MOST_PARTS:
        raise ConfigError(
            f"The spec has {len(text):,} bytes, which is more than a container can be started with. Give "
            "its config as a file and its examples as a folder or a pattern."
        )
    return {_PARTS: str(len(parts)), **dict(_numbered(parts))}


def _numbered(parts: list[str]) -> Iterator[tuple[str, str]]:
    for number, part in enumerate(parts):
        yield f"{SPEC}_{number}", part


def unpacked(environment: Mapping[str, str]) -> dict[str, Any] | None:
    """The inverse of `packed`; None when nothing was packed.

    Raises:
        ConfigError: Somebody else has put there what is no spec.
    """
    if SPEC in environment:
        return fields_of(environment[SPEC])
    if _PARTS not in environment:
        return None
    numbers = range(int(environment[_PARTS]))
    data = "".join(environment[f"{SPEC}_{number}"] for number in numbers)
    return dict(json.loads(gzip.decompress(base64.b64decode(data))))
