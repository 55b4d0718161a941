# SPDX-License-Identifier: Apache-2.0
"""Copies models from object stores to this machine, where every framework can load them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benison.errors import BenisonError, ModelError
from benison.models.digest import model_root
from benison.models.external import external_files
from benison.paths import RemotePath, download, fetched, locate


@contextmanager
def local_copies(paths: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """The paths of models, by name, with those of temporary copies in place of addresses.

    Raises:
        ModelError: A remote model is not there or cannot be read.
    """
    with ExitStack() as stack:
        yield {name: str(stack.enter_context(local_copy(path))) for name, path in paths.items()}


@contextmanager
def local_copy(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A model on this machine: the path itself, or a temporary copy of what is at an address.

    Errors that leave the block name the address.

    Raises:
        ModelError: There is no model at an address, or it cannot be read.
    """
    location = locate(path, ModelError)
    if isinstance(location, Path):
        yield location
        return
    with ExitStack() as stack:
        copy = _fetched(location, stack)
        try:
            yield copy
        except BenisonError as error:
            error.args = tuple(text.replace(str(copy), str(path)) for text in error.args)
            raise


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
