# SPDX-License-Identifier: Apache-2.0
"""Makes of what a metric of one's own raises a sentence with the metric, its columns and the cure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from benison.data.batch import Inputs
from benison.errors import BenisonError, DataError, without_addresses
from benison.metrics.base import Metric

_NOT_OF_USERS = ("benison", "numpy", "builtins")


@contextmanager
def naming(
    metrics: Iterable[Metric], inputs: Inputs | None = None, columns: Iterable[str] = ()
) -> Iterator[None]:
    """Name the metric of one's own that fails; what others raise is raised as it is.

    Args:
        metrics: Those that use what is computed here.
        inputs: The rows, if it is a statistic of them.
        columns: Those of the data that it reads.

    Raises:
        DataError: A metric of one's own fails.
    """
    try:
        yield
    except Exception as error:
        own = [metric for metric in metrics if _modules(metric)]
        if not own or isinstance(error, MemoryError):
            raise
        names = ", ".join(sorted({metric.name for metric in own}))
        raise DataError(
            f"The metric {names} fails{_line_of(error.__traceback__, _modules(own[0]))}: {_cause(error)}"
            f"{_columns(inputs, columns)}"
        ) from error


def _modules(part: Any) -> set[str]:
    """The modules of one's own that a metric is made of: its class, and functions among its fields."""
    name = str(getattr(part, "__module__", None) or "builtins")
    modules = set() if name.partition(".")[0] in _NOT_OF_USERS else {name}
    fields = dataclasses.fields(part) if dataclasses.is_dataclass(part) else ()
    values = [getattr(part, field.name) for field in fields]
    held = (each for each in values if callable(each) or dataclasses.is_dataclass(each))
    return modules.union(*map(_modules, held))


def _line_of(trace: TracebackType | None, modules: set[str]) -> str:
    """The last line of the user's own that ran."""
    line = ""
    while trace is not None:
        if trace.tb_frame.f_globals.get("__name__") in modules:
            line = f" in line {trace.tb_lineno} of {trace.tb_frame.f_code.co_filename}"
        trace = trace.tb_next
    return line


def _cause(error: Exception) -> str:
    text = without_addresses(" ".join(str(error).split()))[:300]
    return text if isinstance(error, BenisonError) else f"{type(error).__name__}: {text}"


def _columns(inputs: Inputs | None, columns: Iterable[str]) -> str:
    """What the columns hold that it reads, and how to read them."""
    batch = inputs.batch if inputs is not None else None
    known = [name for name in columns if batch is not None and name in batch.schema.names]
    if batch is None or not known:
        return ""
    kinds = ", ".join(
        f"{name!r} holds {batch.column(name).type}, of which {batch.column(name).null_count:,} missing"
        for name in known
    )
    return (
        f". Of the columns that it reads {kinds}. inputs.floats(name) gives numbers of any type, NaN where "
        "these are missing; inputs.features has Arrow's columns, for text, dates and lists."
    )
