# SPDX-License-Identifier: Apache-2.0
"""Finds a column whose values look like units with several rows each, as users or sessions.

Rows of one unit may be alike, and intervals that take them for independent are too narrow. What a column is
nobody but its owner knows, so this is said, and never done.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from contextlib import suppress

from benison.config import EvalConfig
from benison.config.confidence import OFF
from benison.data.dataset import Dataset
from benison.errors import DataError, visible
from benison.evaluation.column_facts import NUMBER, TEXT, ColumnFacts, facts_of_columns

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SOMEBODY = re.compile(
    r"(^|_)(user|customer|client|member|patient|person|subject|visitor|account|household|device|session|"
    r"rider|driver|student|author|speaker)s?(_(id|uid|uuid|guid|key|no|number))?$"
)
_ID = re.compile(r"(^|_)(id|uid|uuid|guid)$")
_LEAST = 20
"""Fewer units tell little of others."""
_MOST = 0.95
"""Units that are more than this share of the rows have a row each, but for a few."""


def is_named_so(name: str) -> bool:
    """Whether a column is named like a unit.

    >>> [n for n in ("userId", "session", "trip_id", "fare", "paid") if is_named_so(n)]
    ['userId', 'session', 'trip_id']
    """
    words = _words(name)
    return bool(_SOMEBODY.search(words) or _ID.search(words))


def _words(name: str) -> str:
    return _HUMP.sub("_", name).lower()


def repeated_unit(columns: Iterable[ColumnFacts], used: Collection[str]) -> ColumnFacts | None:
    """The column that looks most like a unit with several rows; None where none does.

    Args:
        columns: The facts of each column.
        used: The columns that are known to be something else.
    """
    units = [of for of in columns if of.name not in used and is_named_so(of.name) and _repeats(of)]
    somebody = [of for of in units if _SOMEBODY.search(_words(of.name))]
    return next(iter([*somebody, *units]), None)


def _repeats(of: ColumnFacts) -> bool:
    is_key = of.kind == TEXT or (of.kind == NUMBER and of.whole)
    return is_key and _LEAST < of.distinct <= _MOST * of.rows


def suggested_key(config: EvalConfig, dataset: Dataset | None) -> list[str]:
    """A sentence on what might be the cluster_key, where a threshold asks for evidence without one."""
    options = config.options
    asks = any(spec.needs_evidence for spec in config.metrics_specs)
    if dataset is None or not asks or options.confidence == OFF or options.certainty.cluster_key:
        return []
    used = {
        *options.row_key,
        *(name for spec in config.model_specs for name in spec.columns(with_predictions=True)),
    }
    names = [n for n in dataset.schema.names if n not in used and is_named_so(n)]
    unit = None
    if names:
        with suppress(DataError):  # which the evaluation says, if it reads the column
            unit = repeated_unit(facts_of_columns(dataset, names).values(), ())
    if unit is None:
        return []
    name = visible(unit.name)
    return [
        f"{name} has {unit.distinct:,} values in {unit.rows:,} rows. Where rows of one are alike, they show "
        f"less than so many rows, and a check with evidence is refused too easily: say options: "
        f"{{confidence: {{cluster_key: {name}}}}}."
    ]
