# SPDX-License-Identifier: Apache-2.0
"""The exceptions of Benison, every one a sentence that names the place and the cure.

BenisonError (ValueError)
├── ConfigError           the evaluation config contradicts itself, the data or the model
├── DataError             the evaluation data cannot be read or cannot be scored
├── ModelError            a model directory or a signature cannot be used
├── OutputError           the results cannot be written, or what was written is not whole
├── MetadataError         the metadata store cannot be reached, or refuses a record
└── MissingExtraError     an optional dependency is not installed
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class BenisonError(ValueError):
    """Base of everything that Benison raises on purpose; the command exits with status 2."""


class ConfigError(BenisonError):
    """The config is wrong; `faults` holds every fault found, as (path, sentence)."""

    def __init__(self, faults: Sequence[tuple[str, str]] | str) -> None:
        self.faults = [("", faults)] if isinstance(faults, str) else list(faults)
        super().__init__(
            "\n".join(f"{path}: {text}" if path else text for path, text in self.faults)
        )


class DataError(BenisonError):
    """The data are missing, damaged, or not what the config says they are."""

    @classmethod
    def from_missing_column(cls, column: str, columns: Iterable[str], source: str) -> DataError:
        """Say which column is missing, from what, and which one may have been meant."""
        return cls(f"{source} has no column {column!r}. {suggestion(column, columns)}")


class ModelError(BenisonError):
    """The model cannot be loaded or called."""


class OutputError(BenisonError):
    """The output cannot be written, or a directory is not a whole result of Benison."""


class MetadataError(BenisonError):
    """The metadata store cannot be reached, is not one, or refuses a record."""


class MissingExtraError(BenisonError):
    """An optional dependency is needed; `extra` names what to install."""

    def __init__(self, what: str, extra: str) -> None:
        self.extra = extra
        super().__init__(f"{what} is not installed. Run: pip install 'benison[{extra}]'")


def suggestion(name: str, known: Iterable[str]) -> str:
    """The names nearest to `name`, or the first few of `known`, as one sentence.

    >>> suggestion("acuracy", ["accuracy", "auc"])
    "Did you mean 'accuracy'?"
    >>> suggestion("zzz", ["b", "a"])
    'There are: a, b.'
    """
    names = sorted(set(known))
    near = difflib.get_close_matches(name, names, n=1) or [
        n for n in names if n.lower() == name.lower()
    ]
    if near:
        return f"Did you mean {near[0]!r}?"
    more = ", ..." if len(names) > 12 else "."
    return f"There are: {', '.join(names[:12])}{more}" if names else "There are none."
