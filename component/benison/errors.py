# SPDX-License-Identifier: Apache-2.0
"""The exceptions of Benison, every one a sentence that names the place and the cure.

BenisonError (ValueError)
├── ConfigError           the evaluation config contradicts itself, the data or the model
├── DataError             the evaluation data cannot be read or cannot be scored
│   └── NothingYetError   there is nothing yet that could be watched over time
├── ModelError            a model directory or a signature cannot be used
├── OutputError           the results cannot be written, or what was written is not whole
├── PublishError          a result did not reach the tool that it was to go on to
├── MetadataError         the metadata store refuses a record, or what is asked of it
│   └── StoreAwayError    it cannot be reached, or is locked, and may be back
└── MissingExtraError     an optional dependency is not installed
"""

from __future__ import annotations

import difflib
import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

# What is not shown, what turns the direction of a line, and what neither XML nor UTF-8 can hold.
_INVISIBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)

AGAIN = 75
"""The exit code where `is_away` holds, which sysexits.h calls a temporary failure."""
# How Arrow says that an object store was not reached, or had too much to do.
_AWAY = re.compile(
    r"AWS Error (NETWORK_CONNECTION|SERVICE_UNAVAILABLE|SLOW_DOWN|THROTTLING|REQUEST_TIMEOUT)"
    r"|google::cloud::Status\((UNAVAILABLE|DEADLINE_EXCEEDED|RESOURCE_EXHAUSTED|INTERNAL)\b"
)
# What Python and the clients of services, none of which is imported for it, call a network that fails.
_NETWORK = {
    *("ConnectionError", "TimeoutError", "Timeout", "MaxRetryError", "ClientConnectionError"),
    *("EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError"),
}
_BUSY = (429, 502, 503, 504)  # of HTTP


def is_away(error: BaseException) -> bool:
    """Whether the same may succeed another time: what was reached by a network was not there, or too busy.

    So it is with a metadata store, an object store, a model server, a registry, or a tool that is told.

    >>> is_away(OSError("AWS Error SLOW_DOWN during PutObject operation: Please reduce your request rate."))
    True
    >>> is_away(ConfigError("There is no metric 'ACU'."))
    False
    """
    return any(map(_is_network, _chain(error)))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and what it came from, shown or not; what is wrong "from None" came from nothing."""
    known: list[BaseException] = []
    each: BaseException | None = error
    while each is not None and each not in known:
        yield each
        known.append(each)
        is_all = isinstance(each, ConfigError | MissingExtraError) and each.__suppress_context__
        each = each.__cause__ or (None if is_all else each.__context__)


def _is_network(error: BaseException) -> bool:
    if isinstance(error, StoreAwayError) or getattr(error, "code", None) in _BUSY:
        return True
    # A pipe of its own is one to a process, which ended; that of a connection is the reason of another error.
    own = None if isinstance(error, BrokenPipeError) else error
    reasons = (own, getattr(error, "reason", None))
    names = {kind.__name__ for each in reasons for kind in type(each).__mro__}
    return not names.isdisjoint(_NETWORK) or bool(_AWAY.search(str(error)))


def visible(text: str) -> str:
    r"""The text on one line, with what cannot be shown spelled out.

    Names of columns and slices are anybody's text, and a line end or an escape code in one is a command
    to a terminal or to a CI that reads the log.

    >>> visible("a\n::stop-commands::x\x1b[2J")
    'a\\n::stop-commands::x\\x1b[2J'
    """
    return _INVISIBLE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def without_addresses(text: str) -> str:
    """What a library says of objects, without where in memory these are, which is another place each time.

    >>> without_addresses("cannot convert <object object at 0x7feef2fc43a0>")
    'cannot convert <object object>'
    """
    return re.sub(r" at 0x[0-9a-fA-F]+", "", text)


def as_visible(record: logging.LogRecord) -> bool:
    """A filter of `logging` that lets every record through, made `visible`."""
    record.msg, record.args = visible(record.getMessage()), None
    return True


class BenisonError(ValueError):
    """Base of everything that Benison raises on purpose; the command exits with status 2.

    Args:
        sentences: What is wrong, a line each; line ends and escape codes within one are spelled out.
    """

    def __init__(self, *sentences: str) -> None:
        super().__init__(*map(visible, sentences))

    def __str__(self) -> str:
        return "\n".join(self.args)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), self.args, vars(self))


def _restored(kind: type[BenisonError], sentences: tuple[str, ...], state: Any) -> BenisonError:
    """An error that comes from another process."""
    error = kind.__new__(kind)
    error.args = sentences
    vars(error).update(state)
    return error


class ConfigError(BenisonError):
    """The config is wrong; `faults` holds every fault found, as (path, sentence)."""

    def __init__(self, faults: Sequence[tuple[str, str]] | str) -> None:
        self.faults = [("", faults)] if isinstance(faults, str) else list(faults)
        super().__init__(*(f"{path}: {text}" if path else text for path, text in self.faults))


class DataError(BenisonError):
    """The data are missing, damaged, or not what the config says they are."""

    @classmethod
    def from_missing_column(cls, column: str, columns: Iterable[str], source: str) -> DataError:
        """Say which column is missing, from what, and which one may have been meant."""
        return cls(f"{source} has no column {column!r}. {suggestion(column, columns)}")


class NothingYetError(DataError):
    """There is nothing yet to be watched over time: no evaluation, or none after what was blessed."""


IMPORTABLE = (
    "Install it, or name the folder that it lies in: --module-path (module_path=; in TFX beside "
    "module_file)."
)
"""The cure where a module is not found."""


class ModelError(BenisonError):
    """The model cannot be loaded or called."""

    @classmethod
    def from_missing_module(cls, title: str, module: str | None) -> ModelError:
        """Say which module a model imports, and where it may be."""
        return cls(f"{title} needs the module {module!r}, which is not there. {IMPORTABLE}")


class OutputError(BenisonError):
    """The output cannot be written, or a directory is not a whole result of Benison."""


class MetadataError(BenisonError):
    """The metadata store cannot be reached, is not one, or refuses a record."""


class StoreAwayError(MetadataError):
    """The metadata store cannot be reached, or stayed locked; another time it may be there."""


class RegistryError(BenisonError):
    """The registry of models cannot be reached, or refuses what it is asked for."""


class PublishError(BenisonError):
    """A tool to which a result was to go on cannot be reached, or refuses it; the verdict stands."""


class RunnerError(BenisonError):
    """Beam, Flink or Spark ended the job, for a reason not of the data, the config or a model."""


class MissingExtraError(BenisonError):
    """An optional dependency is needed; `extra` names what to install, or `run` says how."""

    def __init__(self, what: str, extra: str = "", run: str = "") -> None:
        self.extra = extra
        run = run or f"pip install 'benison[{extra}]'"
        super().__init__(f"{what} is not installed. Run: {run}")


_LONGEST_NAME = 200  # what a damaged file has for a name may be a megabyte


def suggestion(name: str, known: Iterable[str], most: int = 12) -> str:
    """The name nearest to `name`, or the first of `known` and how many more there are, as one sentence.

    >>> suggestion("acuracy", ["accuracy", "auc"])
    "Did you mean 'accuracy'?"
    >>> suggestion("zzz", ["b", "a"])
    'There are: a, b.'
    >>> suggestion("zzz", "abcde", most=2)
    'There are: a, b, and 3 more.'
    >>> len(suggestion("zzz", ["x" * 1_000_000]))
    215
    """
    names = sorted(set(known))
    short = [n for n in names if len(n) <= _LONGEST_NAME] if len(name) <= _LONGEST_NAME else []
    near = [n for n in names if n.lower() == name.lower()] or difflib.get_close_matches(name, short)
    if near:
        return f"Did you mean {near[0]!r}?"
    if not names:
        return "There are none."
    more = [f"and {len(names) - most:,} more"] if len(names) > most else []
    shown = [n if len(n) <= _LONGEST_NAME else f"{n[:_LONGEST_NAME]}..." for n in names[:most]]
    return f"There are: {', '.join([*map(visible, shown), *more])}."
