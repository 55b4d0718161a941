# SPDX-License-Identifier: Apache-2.0
"""Records an evaluation in a metadata store: begun before it, completed or failed after it.

The files are written first and recorded then, so a process may end between the two. The same run again finds
them whole, of the same inputs, and only completes the record.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from benison import lineage, signals
from benison.errors import BenisonError, ConfigError, MetadataError, ModelError, OutputError
from benison.evaluation.job import Job, PathLike
from benison.evaluation.written_runs import addressed, files_of, finding_of, key_of
from benison.lineage import (
    DataContent,
    Record,
    Recorder,
    Revocation,
    Run,
    RunKey,
    RunStateError,
)
from benison.lineage.decision import foremost
from benison.lineage.run import contents_of
from benison.lineage.states import WRITTEN
from benison.models.digest import digest_model, digest_of
from benison.models.fetch import readable
from benison.output import blessing, directory
from benison.paths import absolute, locate
from benison.results.result import EvalResult, load_result
from benison.validation.verdict import Verdict, look_text

LATEST_BLESSED = "latest-blessed"
_NO_LOOKS = (
    "options.confidence.looks counts candidates in a metadata store: say metadata (--metadata) and pipeline "
    "(--pipeline), or leave looks out."
)
_LOGGER = logging.getLogger("benison")


@dataclasses.dataclass(frozen=True)
class Recording:
    """Under which key an evaluation is a run, and where that is recorded, if anywhere."""

    recorder: Recorder | None
    key: RunKey | None
    is_named: bool = False
    """Whether the run was given, and not made up."""
    mounts: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Addresses and where they are mounted here: what is below is recorded by its address."""

    @classmethod
    def open(
        cls,
        metadata: str | Recorder | None,
        named: Mapping[str, Any],
        output: PathLike | None,
        mounts: Mapping[str, str] | None = None,
    ) -> Recording:
        """Check that what was given of the record is complete.

        Args:
            metadata: The URL of a store, or a recorder; None for none.
            named: pipeline, run, task and map_index, each of which may be None.
            output: Where the evaluation is written.
            mounts: Addresses and where they are mounted here.

        Raises:
            ConfigError: A pipeline or an output is missing.
            MetadataError: The URL of the store is wrong.
        """
        given = {name: value for name, value in named.items() if value not in (None, "")}
        if metadata is None:
            if given and not {"pipeline", "run"} <= given.keys():
                raise ConfigError(
                    "A run without a metadata store needs a pipeline (--pipeline) and a run (--run); with "
                    "one (--metadata), a pipeline."
                )
            return cls(None, RunKey(**given) if given else None, bool(given))
        if "pipeline" not in given or output is None:
            raise ConfigError("A record needs a pipeline (--pipeline) and an output (--output).")
        recorder = lineage.connect(metadata) if isinstance(metadata, str) else metadata
        key = RunKey(**{"run": lineage.new_run_id(), **given})
        return cls(recorder, key, "run" in given, mounts or {})

    def baseline(self, asked: PathLike | None) -> PathLike | None:
        """The baseline that was asked for; `latest-blessed` is looked up.

        Raises:
            ConfigError: There is no store to look in.
            ModelError: The model has other bytes by now than those that were blessed.
        """
        if asked != LATEST_BLESSED:
            return asked
        if self.recorder is None or self.key is None:
            raise ConfigError(
                "The latest blessed model is looked up in a metadata store: say metadata and pipeline."
            )
        pipeline = self.key.pipeline
        latest = self.recorder.latest_blessed(pipeline, self.key)
        path = None if latest is None else _mounted(latest.path, self.mounts)
        _LOGGER.info("The latest blessed model of %r is %s.", pipeline, path or "none yet")
        if latest and latest.digest and path and _digest(path) != latest.digest:
            raise ModelError(
                f"The latest blessed model of {pipeline!r}, at {path}, was changed after it was "
                "blessed. Evaluate what is there now, revoke it, or name another --baseline."
            )
        return path

    def has_written(self, output: PathLike) -> bool:
        """Whether the output is there and of this run."""
        return self.key is not None and key_of(output) == self.key

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
        looks = job.config.options.certainty.looks
        if looks is not None and not hasattr(self.recorder, "look"):
            raise ConfigError(_NO_LOOKS)
        job.look = functools.partial(self._look, job)
        if self.key is None or output is None:
            return evaluate()
        if self.recorder is None:
            job.lineage = self.key.to_dict()
            finished = self._finished(job, output)
            if finished is not None:
                _check_unrevoked(job, finished, output)
            return finished or self._evaluated(job, output, evaluate)
        run = addressed(_run(job, self.key, output), self.mounts)
        job.revocation = functools.partial(self._revocation, run, job.revocation)
        record = self.recorder.begin(run, job.overwrite)
        job.lineage = self._lineage(record, run)
        job.note = functools.partial(self._note, job, record, run)
        try:
            result = self._finished(job, output) or self._evaluated(job, output, evaluate)
        except BaseException as error:
            with suppress(MetadataError):
                self._end(record, job, output, error)
            raise
        try:
            record.complete(finding_of(result.verdict))
        except MetadataError as error:
            raise MetadataError(
                f"{error} The results are whole in {output}, but they are not recorded, so no resolver "
                f"finds them. `benison record {output}`, or the same command with --run {self.key.run}, "
                "records them."
            ) from error
        return result

    def _revocation(self, run: Run, of_host: Callable[[], Revocation | None]) -> Revocation | None:
        """Who has revoked what is judged, as the host says or the recorder knows."""
        find = getattr(self.recorder, "revocation", None)
        return foremost([of_host(), None if find is None else find(run.key.pipeline, run.contents)])

    def _look(self, job: Job) -> int | None:
        """Which candidate it is that is judged on these data; None where no store counts.

        Raises:
            ConfigError: It is one more than options.confidence.looks allows.
        """
        count = getattr(self.recorder, "look", None)
        if count is None:
            return None
        candidate = next(model for model in job.models if not model["is_baseline"])
        looks = job.config.options.certainty.looks
        if looks is not None and not candidate["digest"]:
            raise ConfigError(
                "options.confidence.looks counts candidates by the digest of their model, and this one has "
                "none. Give the model's path, or take looks out."
            )
        look: int = count(job.data.digest(), candidate["digest"] or "")
        if looks is not None and look > looks.most:
            raise ConfigError(
                f"{look_text(look)[:-1]}, and options.confidence.looks allows {looks.most:,}. Evaluate on "
                "data that no candidate was judged on."
            )
        return look

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
        blessing.check_whole(locate(output, OutputError))
        result = load_result(os.fspath(output))
        if not job.is_of(result.manifest):
            raise OutputError(
                f"{output} is of the same run, but of other data, models or config than now. "
                "Choose another output or run, or say --overwrite."
            )
        directory.remove_abandoned(locate(output, OutputError))
        return result

    def _lineage(self, record: Record, run: Run) -> dict[str, Any]:
        """What the manifest says of a record."""
        mounts = {"mounts": dict(self.mounts)} if self.mounts else {}
        return {**record.ids, "output": run.output, **mounts}

    def _note(
        self, job: Job, record: Record, run: Run, state: str, verdict: Verdict | None = None
    ) -> None:
        """Note a state; a store that is away for a while ends no evaluation, which the record may survive."""
        try:
            record.note(state, None if verdict is None else finding_of(verdict))
            job.lineage = self._lineage(
                record, run
            )  # of another execution, if the verdict has changed
        except RunStateError:
            raise
        except MetadataError as error:
            _LOGGER.warning("The run goes on, and that it is %s is not recorded: %s", state, error)

    def _end(self, record: Record, job: Job, output: PathLike, error: BaseException) -> None:
        """Record that a run has ended early; one whose files are whole stays open, to be completed."""
        with suppress(BenisonError):
            if self.has_written(output) and job.is_of(
                blessing.check_whole(locate(output, OutputError))
            ):
                record.note(WRITTEN)
                return
        # What is stopped is at times ended by some library's exception in place of the signal's.
        if isinstance(error, Exception) and signals.was_stopped() is None:
            record.fail(_reason(error))
        else:
            record.abandon(_reason(error))


def revocation_of(job: Job, known: Sequence[Revocation]) -> Revocation | None:
    """Which of the revocations is of the candidate."""
    if not known:  # contents need not be read
        return None
    candidate = next(files_of(model) for model in job.models if not model["is_baseline"])
    contents = contents_of(candidate, job.data.contents, job.config.to_json())
    return foremost(each for each in known if each.contents == contents)


def _check_unrevoked(job: Job, finished: EvalResult, output: PathLike) -> None:
    """Refuse an earlier blessing of what was revoked since; where there is a recorder, it does."""
    revocation = job.revocation()
    if finished.verdict.blessed and revocation is not None and revocation.stands:
        raise OutputError(
            f"{output} is of the same run and blesses the model, but: {revocation.sentence} Say --overwrite "
            "to judge it again."
        )


def check_output(recording: Recording, output: PathLike | None, overwrite: bool) -> None:
    """Refuse an output that exists, unless it is what this run has written before.

    Raises:
        OutputError: It exists; with `overwrite`, it was written by another run that has a name.
    """
    if output is None or recording.has_written(output):
        return
    other = key_of(output) if overwrite and recording.is_named else None
    if other is not None:
        raise OutputError(
            f"The output {output} was written by the run {other.name!r}, and --overwrite replaces only what "
            "this run has written. Choose another output."
        )
    directory.check_output(locate(output, OutputError), overwrite)


def _run(job: Job, key: RunKey, output: PathLike) -> Run:
    candidates = [files_of(m) for m in job.models if not m["is_baseline"]]
    if len(candidates) > 1:
        raise ConfigError(
            f"A record is of one candidate; the config has {len(candidates)}: evaluate each apart."
        )
    baselines = [files_of(m) for m in job.models if m["is_baseline"]]
    return Run(
        key,
        job.dataset.sources,
        DataContent(job.data.fingerprint, job.data.digest, job.data.contents),
        candidates[0],
        baselines[0] if baselines else None,
        job.config.to_json(),
        absolute(output),
    )


def _mounted(address: str, mounts: Mapping[str, str]) -> str:
    """Where an address is mounted here; the address itself if it is not, or nothing is there."""
    for prefix, folder in mounts.items():
        path = folder + address.removeprefix(prefix)
        if address.startswith(prefix) and os.path.exists(path):
            return path
    return address


def _reason(error: BaseException) -> str:
    """Why a run has failed; an exception that is no fault has only a number to say."""
    text, kind = str(error), type(error).__name__
    is_fault = bool(text) and isinstance(error, Exception)
    return text if is_fault else f"It was ended: {kind} {text}".rstrip()


def _digest(path: str) -> str:
    with readable(path) as location:
        return digest_of(digest_model(location))
