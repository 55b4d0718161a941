# SPDX-License-Identifier: Apache-2.0
"""Copies models from object stores and registries to this machine, where every framework can load them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benison.errors import BenisonError, ModelError
from benison.models.digest import model_root
from benison.models.external import external_files
from benison.models.in_memory import InMemory
from benison.models.registered import downloaded, is_registered
from benison.paths import Location, RemotePath, download, fetched, locate


@contextmanager
def local_copies(paths: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """The paths of models, by name, with those of temporary copies in place of addresses.

    Raises:
        ModelError: A remote model is not there or cannot be read.
    """
    with ExitStack() as stack:
        yield {name: _local(path, stack) for name, path in paths.items()}


def _local(path: str, stack: ExitStack) -> str:
    is_here = isinstance(path, InMemory)
    return path if is_here else str(stack.enter_context(local_copy(path)))


@contextmanager
def local_copy(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A model on this machine: the path itself, or a temporary copy of what is at an address.

    Errors that leave the block name the address.

    Raises:
        ModelError: There is no model at an address, or it cannot be read.
    """
    location = None if is_registered(path) else locate(path, ModelError)
    if isinstance(location, Path):
        yield location
        return
    with ExitStack() as stack:
        if location is None:
            copy = stack.enter_context(downloaded(os.fspath(path)))
        else:
            copy = _fetched(location, stack)
        try:
            yield copy
        except BenisonError as error:
            error.args = tuple(text.replace(str(copy), str(path)) for text in error.args)
            raise


@contextmanager
def readable(path: str | os.PathLike[str]) -> Iterator[Location]:
    """Where the bytes of a model can be read: a file, an address, or a copy out of a registry.

    Raises:
        ModelError: There is no such model in the registry, or nothing opens the address.
    """
    if is_registered(path):
        with local_copy(path) as copy:
            yield copy
    else:
        yield locate(path, ModelError)


def _fetched(location: RemotePath, stack: ExitStack) -> Path:
    root = model_root(location)
    assert isinstance(root, RemotePath)
    try:
        copy = stack.enter_context(fetched(root))
        if copy.is_file():
            for name in external_files(copy, root.parent):
                download(root.parent / name, copy.parent / name)
    except FileNotFoundError as error:
        raise ModelError(f"There is no model at {location}.") from error
    except OSError as error:
        raise ModelError(f"The model at {location} cannot be read: {error}.") from error
    return copy
