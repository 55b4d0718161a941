# SPDX-License-Identifier: Apache-2.0
"""Records a run that has been written, and holds it against what a metadata store says of it."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from benison import lineage
from benison.errors import MetadataError, OutputError
from benison.evaluation.job import PathLike
from benison.lineage import DataContent, Finding, ModelFiles, Run, RunKey
from benison.lineage.run import contents_of
from benison.lineage.sink import Blessing
from benison.output import blessing
from benison.paths import absolute, locate
from benison.results.result import EvalResult, load_result
from benison.validation.verdict import Verdict


def record(output: PathLike, metadata: str) -> EvalResult:
    """Record a finished output, of a run that ended before it was recorded; else nothing is changed.

    Raises:
        OutputError: It is not a whole output of Benison, or not that of a run.
        MetadataError: The store cannot be used, or has the run with other inputs.
    """
    result, run = _written_run(output)
    ledger = lineage.connect(metadata)
    if not ledger.has_recorded(run):
        ledger.begin(run).complete(finding_of(result.verdict))
    return result


def check_pipeline(output: PathLike, pipeline: str) -> None:
    """Refuse an output that is not of a pipeline.

    Raises:
        OutputError: It is of another one, or of no named run.
    """
    key = key_of(output)
    if key is None or key.pipeline != pipeline:
        other = "no named run" if key is None else f"the pipeline {key.pipeline!r}"
        raise OutputError(f"{output} is of {other}, not of the pipeline {pipeline!r}.")


def check_recorded(output: PathLike, metadata: str, pipeline: str | None = None) -> Blessing:
    """The verdict that a store has of an output, or the newest decision on it.

    Args:
        output: The output.
        metadata: The URL of the store.
        pipeline: The pipeline that it must be of; None for any.

    Raises:
        OutputError: It is not a whole output of Benison, or of another pipeline.
        MetadataError: The store does not have it, or has another verdict.
    """
    ledger = lineage.connect(metadata)
    if key_of(output) is None:
        blessing.check_whole(locate(output, OutputError))
        result = load_result(os.fspath(output))
        recorded = ledger.recorded_at(os.fspath(output), pipeline)
    else:
        if pipeline is not None:
            check_pipeline(output, pipeline)
        result, run = _written_run(output)
        recorded = ledger.standing(run)
    if recorded.status != result.verdict.status and not recorded.note:
        raise MetadataError(
            f"{output} says {result.verdict.status.replace('_', ' ')}, and the store "
            f"{recorded.status.replace('_', ' ')}."
        )
    return recorded


def _written_run(output: PathLike) -> tuple[EvalResult, Run]:
    key = key_of(output)
    manifest = blessing.check_whole(locate(output, OutputError))
    if key is None:
        raise OutputError(
            f"{output} is not of a named run, so it has no record. Evaluate with --pipeline and --run."
        )
    result = load_result(os.fspath(output))
    models = [(m["is_baseline"], files_of(m)) for m in manifest["models"]]
    candidate = next(files for is_baseline, files in models if not is_baseline)
    baseline = next((files for is_baseline, files in models if is_baseline), None)
    data = _data_of(manifest)
    named = manifest["lineage"]
    written = named.get("output", absolute(output))  # it may have been moved or fetched since
    sources = tuple(manifest.get("examples", ()))
    run = Run(key, sources, data, candidate, baseline, result.config.to_json(), written)
    return result, addressed(run, named.get("mounts", {}))


def contents_judged(result: EvalResult) -> str:
    """The contents of the candidate, as a revocation has them."""
    models = result.manifest["models"]
    candidate = next(files_of(model) for model in models if not model["is_baseline"])
    data = _data_of(result.manifest)
    return contents_of(candidate, data.judged or data.digest, result.config.to_json())


def _data_of(manifest: Mapping[str, Any]) -> DataContent:
    fingerprint = manifest["data"]["fingerprint"]
    digest = manifest["data"]["digest"] or f"fingerprint:{fingerprint}"
    judged = manifest["data"].get("contents", digest)
    return DataContent(fingerprint, lambda: digest, lambda: judged)


def addressed(run: Run, mounts: Mapping[str, str]) -> Run:
    """The run with the addresses of what is mounted here, which hold on other machines too."""

    def address(path: str) -> str:
        pairs = (
            pair for pair in mounts.items() if f"{path}/".startswith(f"{pair[1].rstrip('/')}/")
        )
        return next((prefix + path.removeprefix(folder) for prefix, folder in pairs), path)

    def of_model(files: ModelFiles | None) -> ModelFiles | None:
        return files and dataclasses.replace(files, path=address(files.path))

    return dataclasses.replace(
        run,
        examples=tuple(map(address, run.examples)),
        model=of_model(run.model),
        baseline=of_model(run.baseline),
        output=address(run.output),
    )


def key_of(output: PathLike) -> RunKey | None:
    """The key of the run that has written an output; None where there is none."""
    with suppress(OutputError):
        known = blessing.read_manifest(locate(output, OutputError)).get("lineage") or {}
        names = [field.name for field in dataclasses.fields(RunKey)]
        if set(names) <= known.keys():
            return RunKey(**{name: known[name] for name in names})
    return None


def files_of(model: dict[str, Any]) -> ModelFiles | None:
    """The files of a model of a manifest; None where the predictions were in the data."""
    return None if model["path"] is None else ModelFiles(model["path"], model["digest"])


def finding_of(verdict: Verdict) -> Finding:
    """What is recorded of a verdict."""
    return Finding(
        verdict.status, verdict.summary(), verdict.first_reasons(), verdict.rubber_stamped
    )
