# SPDX-License-Identifier: Apache-2.0
"""Makes the output directory appear whole or not at all: by a rename here, by its marker on a store."""

from __future__ import annotations

import errno
import glob
import os
import shutil
import socket
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from benison.errors import OutputError
from benison.output.upload import MANIFEST, MARKERS, is_unfinished, uploaded
from benison.paths import Location, RemotePath

__all__ = ["MANIFEST", "MARKERS", "check_output", "is_unfinished", "output_directory"]


@contextmanager
def output_directory(path: Location, overwrite: bool = False) -> Iterator[Path]:
    """A folder to write into, which becomes `path` when the block ends without an exception.

    On this machine it is a hidden sibling that no reader looks at; where `path` is a link, of what it leads
    to, and the link stays. If the block fails, the folder is removed; if the process is killed, the next run
    of the same output on the same machine removes it. With `overwrite`, the old result stays until the new
    one is complete; a process that is killed between the two renames leaves neither.
    `benison.output.upload` says what happens on an object store.

    Raises:
        OutputError: `path` exists already, or cannot be written.
    """
    check_output(path, overwrite)
    try:
        if isinstance(path, RemotePath):
            with uploaded(path) as folder:
                yield folder
                check_output(path, overwrite)  # another run may have been first
        else:
            with _renamed(Path(os.path.realpath(path)), overwrite) as folder:
                yield folder
    except (OSError, pa.ArrowException) as error:
        raise OutputError(
            f"The results cannot be written to {path}: {_why(error, path)}"
        ) from error


@contextmanager
def scratch(beside: Location | None) -> Iterator[Location]:
    """A folder for files on their way to an output, removed when the block ends.

    It is beside a path on this machine, hidden, so that files can be put into the output without a copy; in
    the folder of a path on a store; or where temporary files are.

    Raises:
        OutputError: It cannot be made.
    """
    if beside is None:
        with tempfile.TemporaryDirectory(prefix="benison-") as folder:
            yield Path(folder)
        return
    try:
        made = _scratch_folder(beside)
    except OSError as error:
        raise OutputError(
            f"The results cannot be written to {beside}: {_why(error, beside)}"
        ) from error
    try:
        yield made
    finally:
        if isinstance(made, Path):
            shutil.rmtree(made, ignore_errors=True)
        else:
            for file in made.files():
                file.unlink(missing_ok=True)


def _scratch_folder(beside: Location) -> Location:
    if isinstance(beside, RemotePath):
        return beside.parent / f"benison-{uuid.uuid4().hex}"
    partial = _partial(Path(os.path.realpath(beside)))
    partial.mkdir(parents=True)
    return partial


def _partial(path: Path) -> Path:
    """A hidden sibling, whose name says which process writes it."""
    return path.with_name(
        f".{path.name}.{socket.gethostname()}.{os.getpid()}.{uuid.uuid4().hex[:8]}.partial"
    )


@contextmanager
def _renamed(path: Path, overwrite: bool) -> Iterator[Path]:
    partial = _partial(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_abandoned(path)
        partial.mkdir()
        yield partial
        _sync(partial)
        _publish(partial, path, overwrite)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def check_output(path: Location, overwrite: bool) -> None:
    """Check that an output can be written, before any work is done for it.

    Raises:
        OutputError: `path` exists (with `overwrite`: and is neither empty nor a result of Benison), or
            its name is not UTF-8, which Parquet's writer and a metadata store need.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise OutputError(f"The output {str(path)!r} is not UTF-8; choose another name.") from error
    try:
        taken = path.exists() and (not path.is_dir() or any(path.iterdir()))
        taken = taken and not is_unfinished(path)
        ours = (path / MANIFEST).is_file()
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(f"The output {path} cannot be used: {reason}.") from error
    if taken and not overwrite:
        raise OutputError(f"The output {path} exists already. Choose another, or say --overwrite.")
    if taken and not ours:
        raise OutputError(
            f"The output {path} is not a result of Benison (it has no {MANIFEST}), so it is not "
            "overwritten. Choose another, or remove it yourself."
        )


def _why(error: BaseException, path: Location) -> str:
    number = getattr(error, "errno", None)
    if number in (errno.ENOSPC, errno.EDQUOT):
        written = path.parent if isinstance(path, Path) else tempfile.gettempdir()
        free = shutil.disk_usage(written).free
        cure = "Free some space, or choose an output on another disk"
        return f"the disk is full ({free:,} bytes are free). {cure}."
    if number in (errno.ENOTEMPTY, errno.EEXIST):
        return "another run has written there in the meantime. Choose another output."
    return f"{error}."


def _publish(partial: Path, path: Path, overwrite: bool) -> None:
    if overwrite and path.exists():
        old = partial.with_name(partial.name.replace(".partial", ".old.partial"))
        path.rename(old)
        try:
            partial.rename(path)
        except OSError:
            old.rename(path)
            raise
        shutil.rmtree(old, ignore_errors=True)
    else:
        partial.rename(path)
    _sync_folder(path.parent)


def _sync(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_dir():
            _sync_folder(path)
        elif path.is_file():
            with path.open("rb") as opened:
                os.fsync(opened.fileno())
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def remove_abandoned(path: Location) -> None:
    """Remove the partial folders of this output whose processes, on this machine, no longer run."""
    if not isinstance(path, Path):  # on an object store there are none
        return
    path, host = Path(os.path.realpath(path)), socket.gethostname()
    for left in path.parent.glob(f".{glob.escape(path.name)}.{glob.escape(host)}.*.partial"):
        pid = left.name.removeprefix(f".{path.name}.{host}.").split(".", 1)[0]
        if pid.isdigit() and not _runs(int(pid)):
            shutil.rmtree(left, ignore_errors=True)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
