# SPDX-License-Identifier: Apache-2.0
"""Brings what Beam's workers make, and the errors that end them, to the program that waits for it.

Runners pass an error on as text, some of them shortened or not at all. So a worker writes it down first.
"""

from __future__ import annotations

import dataclasses
import pickle
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from benison.engine.worker_errors import portable

_ERROR = "error"
_MAGIC = re.compile(r"[*?[]")


@dataclasses.dataclass(frozen=True)
class Staging:
    """Files with a common beginning, on any of Beam's file systems.

    Attributes:
        prefix: A folder that workers and this process can write and read, and the name of a run in it.
    """

    prefix: str

    @classmethod
    def of_run(cls, folder: str) -> Staging:
        """Of a run that no other has the name of."""
        return cls(f"{folder}/benison-{uuid.uuid4().hex}")

    def save(self, name: str, value: Any) -> None:
        """Write a value down; what is tried again replaces that of the first try."""
        from apache_beam.io.filesystems import FileSystems

        with FileSystems.create(f"{self.prefix}-{name}") as file:
            pickle.dump(value, file)

    def saved(self, name: str) -> list[Any]:
        """The values whose names begin with `name`, in the order of their names."""
        from apache_beam.io.filesystems import FileSystems

        values = []
        for path in self._paths(name):
            with FileSystems.open(path) as file:
                values.append(pickle.load(file))  # noqa: S301 - the workers' own file
        return values

    def _paths(self, name: str) -> list[str]:
        from apache_beam.io.filesystems import FileSystems

        (matched,) = FileSystems.match([f"{_as_pattern(self.prefix)}-{name}*"])
        return sorted(metadata.path for metadata in matched.metadata_list)

    @contextmanager
    def reporting(self, part: int = 0, path: str = "") -> Iterator[None]:
        """On a worker: write down what ends the block, before the runner hears of it.

        Args:
            part: The number of the part of the data that is worked on.
            path: Its file, which is noted beside the error.
        """
        try:
            yield
        except Exception as error:
            with suppress(Exception):  # then the runner's own words must do
                self.save(f"{_ERROR}-{part:08d}-{uuid.uuid4().hex}", portable(error, path))
            raise

    @contextmanager
    def raising(self) -> Iterator[None]:
        """In the program that waits: raise a worker's error as it was, and remove all files in the end."""
        from apache_beam.io.filesystems import FileSystems

        try:
            yield
        except Exception as error:
            first = next(iter(self.saved(_ERROR)), None)
            if first is None:
                raise
            raise first from error
        finally:
            if paths := self._paths(""):
                FileSystems.delete(list(map(_as_pattern, paths)))


def _as_pattern(path: str) -> str:
    """A pattern of Beam's, which has no escape, for a path; the name of the run in it tells files apart."""
    return _MAGIC.sub("?", path)
