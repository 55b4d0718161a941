# SPDX-License-Identifier: Apache-2.0
"""Makes the profile of data and keeps it, for comparisons to come."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

from benison.config import SlicingSpec
from benison.drift.drift_sides import Side
from benison.drift.stored_profiles import FILE, write_profile
from benison.errors import ConfigError, DataError
from benison.paths import locate


def profile(
    data: Any,
    file: str | os.PathLike[str],
    *,
    columns: Iterable[str] | None = None,
    slices: Sequence[str | SlicingSpec] = (),
) -> list[str]:
    """Keep how often each value of each column is there: what `compare` takes in place of the data.

    Of numbers there are at most 4,100 for each column, of texts 1,000 and how many rows have others, so a
    profile is small however many rows there are; the texts are in it as they are.

    Args:
        data: Whatever `benison.evaluate` reads.
        file: To be written; its name ends with `profile.parquet`.
        columns: By default all that are numbers, text or booleans.
        slices: Features of which every value is a slice with a profile of its own, or slicing specs.

    Returns:
        The columns.

    Raises:
        ConfigError: The file has another name.
        DataError: A column is missing, or there are no rows.
        OutputError: The file is there and is no profile, or it cannot be written.
    """
    if not os.fspath(file).endswith(FILE):
        raise ConfigError(f"Let the name of the profile {os.fspath(file)} end with {FILE}.")
    side = Side.of(data)
    names = side.columns() if columns is None else [*dict.fromkeys(columns)]
    if not names:
        raise DataError("The data have no column of numbers, text or booleans.")
    specs = [SlicingSpec(feature_keys=(of,)) if isinstance(of, str) else of for of in slices]
    write_profile(side.known(names, specs), locate(file))
    return names
