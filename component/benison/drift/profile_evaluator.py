# SPDX-License-Identifier: Apache-2.0
"""Makes profiles in the pass of an evaluation: of columns, and of what models predict."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from benison.data.batch import Extracts, joined_name
from benison.drift.profiles import Profiles, merged, profiles_of_rows
from benison.drift.stored_profiles import stored
from benison.errors import ConfigError, DataError

OUTPUT_KEY = "profile"

_ROLES = ("labels", "predictions")
CLASH = "is what the profile calls labels or predictions themselves; leave it out, or rename the column."


def is_role(column: str) -> bool:
    """Whether a column has the name that a profile gives labels or predictions."""
    return column.split("/", 1)[0] in _ROLES


@dataclasses.dataclass(frozen=True)
class ProfileEvaluator:
    """The profiles of columns, and of the columns `labels` and `predictions`, over all rows.

    Those of a model or an output with a name are `predictions/MODEL/OUTPUT`; of scores for several classes it
    is the class with the highest one. With `by_slice` each slice of the config has profiles of its own.
    """

    columns: tuple[str, ...]
    by_slice: bool = False
    outputs: tuple[str, ...] = (OUTPUT_KEY,)
    stage_name: str = "MakeProfile"
    run_after: str = "ExtractSliceKeys"
    concurrent: bool = True

    def __post_init__(self) -> None:
        """Refuse columns with the names of labels and predictions; raises ConfigError."""
        for column in self.columns:
            if is_role(column):
                raise ConfigError(f"{column!r} {CLASH}")

    def zero(self) -> Profiles:
        """Of no rows."""
        return {}

    def add(self, state: Profiles, extracts: Extracts) -> Profiles:
        """The state with one more batch.

        Raises:
            DataError: A column is missing, or has no distribution.
        """
        features = extracts["features"]
        for column in self.columns:
            if column not in features.schema.names:
                raise DataError.from_missing_column(column, features.schema.names, "The data")
        if not features.num_rows:
            return state
        columns = {name: features.column(name) for name in self.columns} | dict(_scores(extracts))
        codes = extracts["slice_codes"] if self.by_slice else ()
        return self.merge(state, profiles_of_rows(columns, [c for c in codes if c.features]))

    def merge(self, state: Profiles, other: Profiles) -> Profiles:
        """The state of both."""
        return merged(state, other)

    def result(self, state: Profiles) -> dict[str, Any]:
        """A table, as `profile.parquet` has it."""
        return {OUTPUT_KEY: stored(state)}


def _scores(extracts: Extracts) -> Iterator[tuple[str, pa.Array]]:
    """Labels and predictions of one value a row."""
    for role in _ROLES:
        for target, values in extracts.get(role, {}).items():  # type: ignore[attr-defined]
            column = _as_column(values)
            if column is not None:
                yield joined_name(role, *target), column


def _as_column(values: Any) -> pa.Array | None:
    if isinstance(values, pa.Array):
        return values
    if not isinstance(values, np.ndarray):
        return None
    if values.ndim == 1:
        return pa.array(values, from_pandas=True)
    known = ~np.isnan(values).all(axis=1)
    classes = np.nan_to_num(values, nan=-np.inf).argmax(axis=1).astype(str)
    return pa.array(classes, pa.string(), mask=~known)
