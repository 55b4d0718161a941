# SPDX-License-Identifier: Apache-2.0
"""Binds a verdict to the bytes that were judged, and verifies later that they are the same bytes.

The manifest lists every file of an output with its SHA-256, and what was evaluated: model, baseline,
config and data. The marker `BLESSED` or `NOT_BLESSED` is written last and repeats those digests. A run
whose verdict is *not evaluated* has no marker.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benison.data import identity
from benison.errors import ModelError, OutputError
from benison.models.digest import (
    digest_file,
    digest_model,
    file_names,
    file_of,
    model_root,
)
from benison.models.fetch import readable
from benison.output.upload import MANIFEST, MARKERS, is_unfinished
from benison.output.writers import write_json
from benison.paths import Location, absolute, locate
from benison.table import documents
from benison.table.schema import SCHEMA_VERSION

_JUDGED = ("created", "verdict", "models", "config", "data")
_JUDGED_TOO = ("user_metrics", "training")  # which not every output has


def seal(directory: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest over all files of an output, then the marker.

    Args:
        directory: The output, not yet published, with all its files.
        manifest: What was evaluated; `verdict` decides the marker.
    """
    files = {
        name: {
            "bytes": (directory / name).stat().st_size,
            "sha256": digest_file(directory / name),
        }
        for name in file_names(directory)
    }
    sealed = {"schema_version": SCHEMA_VERSION, **manifest, "files": files}
    write_json(directory / MANIFEST, sealed)
    marker = MARKERS.get(manifest["verdict"])
    if marker is not None:
        judged = {key: sealed[key] for key in (*_JUDGED, *_JUDGED_TOO) if key in sealed}
        judged["manifest"] = digest_file(directory / MANIFEST)
        write_json(directory / marker, judged)


def read_manifest(directory: Location) -> dict[str, Any]:
    """The manifest of an output.

    Raises:
        OutputError: The directory is not a whole output, or a newer Benison wrote it.
    """
    try:
        manifest = documents.read_json((directory / MANIFEST).read_bytes())
    except FileNotFoundError:
        raise OutputError(
            f"{directory} is not an output of Benison: it has no {MANIFEST}. (One of TFMA "
            "has eval_config.json and metrics-*, and can be shown, but not verified.)"
        ) from None
    except (OSError, ValueError) as error:
        raise OutputError(f"{directory / MANIFEST} cannot be read: {error}.") from error
    if is_unfinished(directory):
        raise OutputError(
            f"{directory} is not complete: the run that writes it has not ended, or was killed. Wait for "
            "it, or evaluate again."
        )
    version = manifest.get("schema_version") if isinstance(manifest, dict) else None
    if not isinstance(version, int) or isinstance(version, bool):
        raise OutputError(f"{directory / MANIFEST} is not a manifest of Benison.")
    if version > SCHEMA_VERSION:
        raise OutputError(
            f"{directory} was written by a newer Benison (schema {version}; this one reads up to "
            f"{SCHEMA_VERSION}). Upgrade Benison."
        )
    lacking = [key for key in ("files", *_JUDGED) if key not in manifest]
    if lacking:
        raise OutputError(f"{directory / MANIFEST} lacks {', '.join(lacking)}; evaluate again.")
    if fault := documents.manifest_fault(manifest):
        raise OutputError(f"{directory / MANIFEST} is not a manifest of Benison: {fault}.")
    return dict(manifest)


@contextmanager
def _readable(directory: Location) -> Iterator[None]:
    """Turn an OSError while reading an output into an OutputError that names the output."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"The output {directory} cannot be read: {error}.") from error


def check_whole(directory: Location, *read: str) -> dict[str, Any]:
    """The manifest of an output that has all its files, of which those in `read` are unchanged.

    Raises:
        OutputError: A file is missing, or of another size or, in `read`, of another digest than it
            was written with; or the marker is not that of the verdict.
    """
    manifest = read_manifest(directory)
    with _readable(directory):
        for name, recorded in manifest["files"].items():
            file = directory / name
            whole = file.is_file() and file.stat().st_size == recorded["bytes"]
            if not whole or (name in read and digest_file(file) != recorded["sha256"]):
                raise OutputError(f"{file} is missing or not as it was written; evaluate again.")
    for fault in _marker_faults(directory, manifest):
        raise OutputError(fault)
    return manifest


def verify(
    directory: Location, model: Location | None = None, examples: Sequence[str] = ()
) -> dict[str, Any]:
    """Check that an output is as it was written, and that a model and data are those that were judged.

    Args:
        directory: The output.
        model: The model that is about to be served; None checks where the evaluated model was.
        examples: Paths, patterns or folders of the data; without any the data are not checked.

    Returns:
        The manifest.

    Raises:
        OutputError: Something differs; the message has a sentence for each difference.
    """
    manifest = read_manifest(directory)
    with _readable(directory):
        faults = [*_changed_files(directory, manifest), *_marker_faults(directory, manifest)]
    faults += [*_faults_of_models(manifest, model), *_faults_of_graphs(manifest)]
    faults += identity.faults(manifest["data"], list(examples)) if examples else []
    if faults:
        raise OutputError(*faults)
    return manifest


def _faults_of_models(manifest: dict[str, Any], model: Location | None) -> list[str]:
    judged = [m for m in manifest["models"] if not m["is_baseline"] and m["path"] is not None]
    if model is None:
        return [fault for record in judged for fault in _faults_where_it_was(record)]
    if not judged:
        held = next((m["in_memory"] for m in manifest["models"] if m.get("in_memory")), "")
        was = f"it was a {held}, which has no bytes" if held else "the predictions were in the data"
        return [f"No model was evaluated here: {was}."]
    # With several candidates, the model is compared with the one that it differs least from.
    faults = min((_model_faults(record, model) for record in judged), key=len)
    if faults and _is_another(judged, model):
        paths = ", ".join(record["path"] for record in judged)
        return [f"{model} is not the model that was judged ({paths})."]
    return faults


def _is_another(judged: Sequence[dict[str, Any]], model: Location) -> bool:
    """Whether a model is neither where a judged one was nor has a file of one, as a changed copy has."""
    root = model_root(model)
    here = {absolute(model), absolute(root)}
    if not root.exists() or any(record["path"] in here for record in judged):
        return False
    known = {digest for record in judged for digest in record["files"].values()}
    return known.isdisjoint(digest_model(root).values())


def _faults_where_it_was(record: dict[str, Any]) -> list[str]:
    try:
        with readable(record["path"]) as path:
            return _model_faults(record, path)
    except ModelError as error:
        return [str(error)]


def _faults_of_graphs(manifest: dict[str, Any]) -> list[str]:
    """The faults of the graphs of TensorFlow Transform that candidates were fed by, where they were."""
    candidates = [model for model in manifest["models"] if not model["is_baseline"]]
    graphs = [graph for model in candidates for graph in model.get("graphs", ())]
    pairs = ((graph, locate(graph["path"], OutputError)) for graph in graphs)
    return [fault for graph, path in pairs for fault in _model_faults(graph, path)]


def _changed_files(directory: Location, manifest: dict[str, Any]) -> list[str]:
    faults = []
    for name, recorded in manifest["files"].items():
        path = directory / name
        if not path.is_file():
            faults.append(f"{path} is missing.")
        elif digest_file(path) != recorded["sha256"]:
            faults.append(f"{path} was changed after it was written.")
    known = {*manifest["files"], MANIFEST, *MARKERS.values()}
    added = [name for name in file_names(directory) if name not in known]
    return faults + [f"{directory / name} was added after the model was judged." for name in added]


def _marker_faults(directory: Location, manifest: dict[str, Any]) -> list[str]:
    expected = MARKERS.get(manifest["verdict"])
    present = [name for name in MARKERS.values() if (directory / name).exists()]
    if present != [name for name in MARKERS.values() if name == expected]:
        return [f"{directory} has the markers {present}, but its verdict is {manifest['verdict']}."]
    if expected is None:
        return []
    try:
        judged = documents.read_json((directory / expected).read_bytes())
        same = judged["manifest"] == digest_file(directory / MANIFEST)
        same = same and all(judged[key] == manifest[key] for key in _JUDGED)
        same = same and all(judged.get(key) == manifest.get(key) for key in _JUDGED_TOO)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return [f"{directory / expected} cannot be read: {error}."]
    text = f"{directory / MANIFEST} and {directory / expected} do not say the same"
    return [] if same else [f"{text}; one of them was changed after the model was judged."]


def _model_faults(record: dict[str, Any], path: Location) -> list[str]:
    root = model_root(path)
    try:
        current = digest_model(root)
    except ModelError as error:
        return [str(error)]
    judged = record["files"]
    both = current.keys() & judged.keys()
    changes = {
        "was added": current.keys() - judged.keys(),
        "is missing": judged.keys() - current.keys(),
        "was changed": {name for name in both if current[name] != judged[name]},
    }
    faults = [f"{file_of(root, name)} {how}." for how, names in changes.items() for name in names]
    return [f"{fault[:-1]} since the model was judged." for fault in sorted(faults)]
