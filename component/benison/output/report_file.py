# SPDX-License-Identifier: Apache-2.0
"""Writes a file that somebody named for a report, and replaces nothing but an older one of its kind."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterator
from pathlib import Path

from benison.errors import OutputError
from benison.output.upload import MANIFEST
from benison.paths import Location, check_writable, locate, write, write_whole

_HEAD = 4096  # bytes; enough for what a file begins with, however it is indented
_DECLARATION = re.compile(rb"^<\?xml.*?\?>")  # which any file of XML may begin with


@dataclasses.dataclass(frozen=True)
class ReportKind:
    """What a report is, and how its files are told."""

    name: str
    starts: tuple[bytes, ...] = (b"",)
    """What a file begins with, in lower case and without white space."""
    endings: tuple[str, ...] = ()
    """How its name ends; any way without them."""

    def fits(self, suffix: str, head: bytes) -> bool:
        """Whether a file is of this kind, or holds nothing."""
        begun = _DECLARATION.sub(b"", b"".join(head.removeprefix(b"\xef\xbb\xbf").lower().split()))
        named = not self.endings or suffix.lower() in self.endings
        return not begun or (named and begun.startswith(self.starts))


PAGE = ReportKind("an HTML page", (b"<!doctypehtml", b"<html"))
JUNIT = ReportKind("a JUnit file", (b"<testsuite",))
PROMETHEUS = ReportKind("a file of Prometheus' metrics", (b"#helpbenison_",))
SUMMARY = ReportKind("a page of Markdown (.md)", endings=("", ".md", ".markdown", ".txt"))
CARD = ReportKind("a model card")  # its writer looks for the mark
DVC = ReportKind("a file of DVC's metrics that Benison wrote", (b'{"verdict":{"status":',))


@dataclasses.dataclass(frozen=True)
class ReportFile:
    """A file, or the address of one, that a report is written to."""

    path: str | os.PathLike[str]
    kind: ReportKind

    def check(self) -> None:
        """Find before there is a report what would keep it from being written.

        Raises:
            OutputError: It cannot be written, or what would be lost is no older report.
        """
        location = locate(self.path, OutputError)
        try:
            check_writable(location)
            self._check_replaceable(location)
        except OSError as error:
            raise self._refusal(error) from error

    def read(self) -> bytes:
        """What is there, or nothing.

        Raises:
            OutputError: It cannot be read, or is no older report.
        """
        location = locate(self.path, OutputError)
        try:
            self._check_replaceable(location)
            return location.read_bytes() if location.is_file() else b""
        except OSError as error:
            raise self._refusal(error) from error

    def write(self, content: bytes, *, make_folders: bool = False) -> None:
        """Write it whole or not at all.

        Raises:
            OutputError: It cannot be written, or what would be lost is no older report.
        """
        location = locate(self.path, OutputError)
        try:
            self._check_replaceable(location)
            (write if make_folders else write_whole)(location, content)
        except OSError as error:
            raise self._refusal(error) from error

    def _check_replaceable(self, location: Location) -> None:
        check_outside(location)
        if location.is_file() and not self.kind.fits(location.suffix, _head(location)):
            raise OutputError(
                f"{self.path} is there and is not {self.kind.name}, and would be lost. Name another file, "
                "or remove it yourself."
            )

    def _refusal(self, error: OSError) -> OutputError:
        return OutputError(f"The report {self.path} cannot be written: {error.strerror or error}.")


def check_outside(location: Location) -> None:
    """Refuse a file in a result, whose manifest binds the verdict to its bytes.

    Raises:
        OutputError: The file is in a result.
        OSError: The folder cannot be looked at.
    """
    for folder in _folders_above(location):
        if all((folder / name).is_file() for name in (MANIFEST, "verdict.json")):
            raise OutputError(
                f"{location} would be in the result {folder}, which is sealed as it is. Name another file."
            )


def check_not_below(path: str | os.PathLike[str], output: str | os.PathLike[str]) -> None:
    """Refuse a report in an output that is still to be made, which appears whole or not at all.

    Raises:
        OutputError: The file would be in it.
    """
    location, folder = locate(path, OutputError), locate(output, OutputError)
    if str(_resolved(folder)) in map(str, _folders_above(location)):
        raise OutputError(
            f"{path} would be in the output {output}, which is sealed when it is made. Name a file elsewhere."
        )


def _folders_above(location: Location) -> Iterator[Location]:
    """The folder of a file, and all above it but a root."""
    folder = _resolved(location).parent
    while folder.name:
        yield folder
        folder = folder.parent


def _resolved(location: Location) -> Location:
    return Path(os.path.realpath(location)) if isinstance(location, Path) else location


def _head(location: Location) -> bytes:
    if not isinstance(location, Path):
        return location.read_bytes()[:_HEAD]
    with location.open("rb") as file:
        return file.read(_HEAD)
