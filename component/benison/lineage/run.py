# SPDX-License-Identifier: Apache-2.0
"""A run of an evaluation: its key, what it reads and writes, and the recorder that keeps it."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from benison.errors import MetadataError

TASK = "Evaluator"
"""The task of a run that has one only, as TFX calls the node."""
_JUDGED = ("label", "prediction", "example_weight")
_NAME_LENGTH = 230  # of the 255 that stores hold, so that there is room for a number and a role


@dataclasses.dataclass(frozen=True)
class RunKey:
    """The name under which all tries of one evaluation are one run."""

    pipeline: str
    run: str
    task: str = TASK
    map_index: int | None = None
    """Which of the instances of a mapped task; None for a task that is not mapped."""

    @property
    def name(self) -> str:
        """The key as one text, by which no two keys are mixed up.

        >>> RunKey("taxi/eu", "r1").name, RunKey("taxi", "eu/r1", map_index=3).name
        ('taxi%2Feu/r1/Evaluator', 'taxi/eu%2Fr1/Evaluator/3')
        """
        index = [] if self.map_index is None else [str(self.map_index)]
        return joined(self.pipeline, self.run, self.task, *index)

    def attempt(self, number: int) -> str:
        """The name of the n-th execution of the key, from 1: `key`, `key#2`, `key#3`."""
        return self.name if number == 1 else f"{self.name}#{number}"

    def to_dict(self) -> dict[str, Any]:
        """The key as a manifest has it."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class ModelFiles:
    """A model by where it is and which bytes it is."""

    path: str
    digest: str
    """"" when it is not known, as of a model that TFX recorded."""


@dataclasses.dataclass(frozen=True)
class DataContent:
    """The evaluation data, by what tells them from others."""

    fingerprint: str
    """Of what is known without reading: names, sizes and times of change, or versions."""
    digest: Callable[[], str] = dataclasses.field(compare=False)
    """Of the contents, which are read for it unless that is done."""
    judged: Callable[[], str] | None = dataclasses.field(default=None, compare=False)
    """Of labels, predictions and weights alone, whatever the files are called; None where not known."""


@dataclasses.dataclass(frozen=True)
class Run:
    """What an evaluation reads and writes, under its key."""

    key: RunKey
    examples: tuple[str, ...]
    """Absolute paths or URIs; none for a table in memory."""
    data: DataContent
    model: ModelFiles | None
    """None when the predictions are in the data."""
    baseline: ModelFiles | None
    config: str
    """The evaluation config as JSON."""
    output: str

    @property
    def contents(self) -> str:
        """What tells what is judged from everything else, wherever it is; a revocation is of these."""
        return contents_of(self.model, self.data.judged or self.data.digest, self.config)

    @property
    def inputs(self) -> str:
        """A SHA-256 over the models, the config and the output; the data stand beside it."""
        models = [
            None if files is None else dataclasses.astuple(files)
            for files in (self.model, self.baseline)
        ]
        text = json.dumps([models, self.config, self.output])
        return hashlib.sha256(text.encode()).hexdigest()


@dataclasses.dataclass(frozen=True)
class Finding:
    """The verdict as a record holds it."""

    status: str
    """blessed, not_blessed or not_evaluated."""
    summary: str
    reasons: Sequence[str] = ()
    rubber_stamped: bool = False


class RunStateError(MetadataError):
    """A run must not go on: another has taken its place, or its verdict contradicts what is recorded."""


class Record(Protocol):
    """What is recorded of one run while it goes on.

    Every method raises MetadataError when the store cannot be reached or refuses a record.
    """

    @property
    def ids(self) -> Mapping[str, Any]:
        """What to write of the record into the manifest."""

    def note(self, state: str, finding: Finding | None = None) -> None:
        """Note that the run has come to a state: running, evaluated (with its verdict) or written.

        Raises:
            RunStateError: Another process has begun the same key with other inputs, or the verdict is
                another than what is recorded of the same inputs.
        """

    def complete(self, finding: Finding) -> None:
        """Note that the files are complete, and publish the verdict, in one step."""

    def fail(self, reason: str) -> None:
        """Note that the run has failed; nothing of it is ever published."""

    def abandon(self, reason: str) -> None:
        """Note that the run was stopped from outside."""


class Recorder(Protocol):
    """Keeps the history of a pipeline's evaluations.

    Every method raises MetadataError when the store cannot be reached or refuses a record.
    """

    def begin(self, run: Run, overwrite: bool = False) -> Record:
        """Note that a run is asked for, before anything is computed.

        The same inputs under a key complete what is recorded, or repeat it. Others are recorded beside it
        when it has failed or was abandoned, or with `overwrite`; they are refused else.
        """

    def latest_blessed(self, pipeline: str, key: RunKey | None = None) -> ModelFiles | None:
        """The newest model of a pipeline that is blessed, or None.

        A run that was begun before keeps the baseline that it began with, or it would be of other inputs.
        """


def contents_of(model: ModelFiles | None, data: Callable[[], str], config: str) -> str:
    """What tells what is judged from everything else: a model's digest; without one its predictions.

    Args:
        model: The candidate; None where its predictions are in the data.
        data: Gives the digest of what is judged of the data.
        config: The evaluation config as JSON, which names the columns of that.
    """
    if model is not None:
        return model.digest
    specs = json.loads(config).get("model_specs", ())
    columns = [
        [spec.get(f"{role}_key{s}") for role in _JUDGED for s in ("", "s")]
        for spec in specs
        if not spec.get("is_baseline")
    ]
    text = json.dumps([data(), columns], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def joined(*parts: str) -> str:
    """One name out of several, which no other parts make; of more than 230 characters the end is a digest.

    >>> joined("a/b", "c"), joined("a", "b/c")
    ('a%2Fb/c', 'a/b%2Fc')
    """
    name = "/".join(re.sub("[%/#]", lambda m: f"%{ord(m[0]):02X}", part) for part in parts)
    if len(name) <= _NAME_LENGTH:
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{name[: _NAME_LENGTH - 65]}~{digest}"


def new_run_id() -> str:
    """An id for a run that was given none: the time in UTC, and a part that makes it unique."""
    now = datetime.datetime.now(datetime.UTC)
    return f"{now:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}"
