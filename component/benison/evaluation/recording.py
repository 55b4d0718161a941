# SPDX-License-Identifier: Apache-2.0
"""An evaluation's record in a metadata store: begun before it, completed or failed after it.

The files are written first and recorded then, so a process may end between the two. The same run again finds
them whole, of the same inputs, and only completes the record.
"""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from benison import lineage
from benison.errors import ConfigError, MetadataError, ModelError, OutputError
from benison.evaluation.job import Job, PathLike
from benison.lineage import Finding, ModelFiles, Recorder, Run
from benison.output import blessing, directory
from benison.results.result import EvalResult, load_result

LATEST_BLESSED = "latest-blessed"
_LOGGER = logging.getLogger("benison")


@dataclasses.dataclass(frozen=True)
class Recording:
    """Where an evaluation is recorded, if anywhere, and under which key."""

    recorder: Recorder | None
    pipeline: str
    run: str

    @classmethod
    def open(
        cls, metadata: str | Recorder | None, pipeline: str | None, run: str | None, output: Any
    ) -> Recording:
        """Check that what was said of the record is complete.

        Raises:
            ConfigError: A pipeline or an output is missing, or there is no store to record in.
            MetadataError: The URL of the store is wrong.
        """
        if metadata is None:
            if pipeline or run:
                raise ConfigError(
                    "A pipeline or run is recorded in a store: say metadata (--metadata)."
                )
            return cls(None, "", "")
        if not pipeline or output is None:
            raise ConfigError("A record needs a pipeline (--pipeline) and an output (--output).")
        recorder = lineage.connect(metadata) if isinstance(metadata, str) else metadata
        return cls(recorder, pipeline, run or lineage.new_run_id())

    def baseline(self, asked: PathLike | None) -> PathLike | None:
        """The baseline that was asked for; `latest-blessed` is looked up.

        Raises:
            ConfigError: There is no store to look in.
            ModelError: The model has other bytes by now than those that were blessed.
        """
        if asked != LATEST_BLESSED:
            return asked
        if self.recorder is None:
            raise ConfigError(
                "The latest blessed model is looked up in a metadata store: say metadata and pipeline."
            )
        found = self.recorder.latest_blessed(self.pipeline, self.run)
        path = None if found is None else found.path
        _LOGGER.info("The latest blessed model of %r is %s.", self.pipeline, path or "none yet")
        if found and found.digest and _digest(found.path) != found.digest:
            raise ModelError(
                f"The latest blessed model of {self.pipeline!r}, at {path}, was changed after it was "
                "blessed. Evaluate what is there now, revoke it, or name another --baseline."
            )
        return path

    def has_written(self, output: PathLike | None) -> bool:
        """Whether the output is there and of this run, so that only its record may be missing."""
        if self.recorder is None or output is None:
            return False
        with suppress(OutputError):
            of = blessing.read_manifest(Path(output)).get("lineage") or {}
            return (of.get("pipeline"), of.get("run")) == (self.pipeline, self.run)
        return False

    def keep(
        self, job: Job, output: PathLike | None, evaluate: Callable[[], EvalResult]
    ) -> EvalResult:
        """Evaluate, with a record before and after it.

        Args:
            job: What is evaluated; its `lineage` is set.
            output: Where it is written.
            evaluate: Does the work, unless an earlier process of the same run has done it.

        Raises:
            MetadataError: The results are written, but their record is not.
        """
        if self.recorder is None or output is None:
            return evaluate()
        run = self._run(job, output)
        job.lineage = dict(self.recorder.begin(run))
        try:
            result = self._finished(job, output) or self._evaluated(job, output, evaluate)
        except BaseException as error:
            with suppress(MetadataError):
                self.recorder.fail(run, _reason(error))
            raise
        try:
            self.recorder.complete(run, _finding(result))
        except MetadataError as error:
            raise MetadataError(
                f"{error} The results are whole in {output}, but they are not recorded, so no resolver "
                f"finds them. The same command with --run {self.run} records them."
            ) from error
        return result

    def _evaluated(
        self, job: Job, output: PathLike, evaluate: Callable[[], EvalResult]
    ) -> EvalResult:
        try:
            return evaluate()
        except OutputError:
            # Another process of the same run may have been first to write.
            finished = self._finished(job, output)
            if finished is None:
                raise
            return finished

    def _finished(self, job: Job, output: PathLike) -> EvalResult | None:
        if job.overwrite or not self.has_written(output):
            return None
        blessing.check_whole(Path(output))
        result = load_result(os.fspath(output))
        same = [result.manifest[key] == value for key, value in job.inputs().items()]
        if not all(same):
            raise OutputError(
                f"{output} is of the run {self.run!r}, but of other data, models or config than now. "
                "Choose another output or run, or say --overwrite."
            )
        return result

    def _run(self, job: Job, output: PathLike) -> Run:
        candidates = [_files(m) for m in job.models if not m["is_baseline"]]
        if len(candidates) > 1:
            raise ConfigError(
                f"A record is of one candidate; the config has {len(candidates)}: evaluate each apart."
            )
        baselines = [_files(m) for m in job.models if m["is_baseline"]]
        return Run(
            self.pipeline,
            self.run,
            job.dataset.sources,
            job.dataset.identity()["digest"],
            candidates[0],
            baselines[0] if baselines else None,
            job.config.to_json(),
            os.path.abspath(output),
        )


def check_output(recording: Recording, output: PathLike | None, overwrite: bool) -> None:
    """Refuse an output that exists, unless it is what this run has written before.

    Raises:
        OutputError: It exists.
    """
    if output is not None and not recording.has_written(output):
        directory.check_output(Path(output), overwrite)


def _reason(error: BaseException) -> str:
    """Why a run has failed; an exception that is no fault has only a number to say."""
    said, kind = str(error), type(error).__name__
    return (
        said if said and isinstance(error, Exception) else f"It was ended: {kind} {said}".rstrip()
    )


def _digest(path: str) -> str:
    return blessing.digest_of(blessing.digest_model(Path(path)))


def _files(model: dict[str, Any]) -> ModelFiles | None:
    return None if model["path"] is None else ModelFiles(model["path"], model["digest"])


def _finding(result: EvalResult) -> Finding:
    verdict = result.verdict
    return Finding(verdict.status, verdict.summary(), verdict.reasons, verdict.rubber_stamped)
