# SPDX-License-Identifier: Apache-2.0
"""The two sides of a comparison: data that are read, or the profile of data that were read before."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

from benison.config import SlicingSpec
from benison.data.dataset import Dataset
from benison.drift.profiles import Profiles, profiles_of
from benison.drift.stored_profiles import profile_file, read_profile
from benison.errors import ConfigError, DataError, suggestion
from benison.paths import Location
from benison.slicing.keys import OVERALL, matches

_BYTES = (
    pa.types.is_binary,
    pa.types.is_large_binary,
    pa.types.is_fixed_size_binary,
    pa.types.is_binary_view,
)


@dataclasses.dataclass(frozen=True)
class Side:
    """Data, or profiles and the file in which they are."""

    dataset: Dataset | None
    profiles: Profiles = dataclasses.field(default_factory=dict)
    file: Location | None = None

    @classmethod
    def of(cls, source: Any) -> Side:
        """Whatever `Dataset.open` takes; or a profile, or an output with one.

        Raises:
            DataError: It cannot be opened.
        """
        file = profile_file(source)
        if file is None:
            return cls(Dataset.open(source))
        return cls(None, read_profile(file), file)

    def columns(self) -> list[str]:
        """Those of which each value is a number or text."""
        if self.dataset is None:
            return [*self.profiles.get(OVERALL, {})]
        fields: Iterable[pa.Field] = self.dataset.schema
        return [field.name for field in fields if _is_plain(field.type)]

    def known(self, columns: Sequence[str], slices: Sequence[SlicingSpec]) -> Profiles:
        """The profiles of columns, over all rows and of slices.

        Raises:
            DataError: A column is missing, or there are no rows; or a profile has no slices.
        """
        if self.dataset is not None:
            return profiles_of(self.dataset, columns, slices)
        for name in columns:
            if name not in self.profiles.get(OVERALL, {}):
                raise DataError.from_missing_column(name, self.columns(), str(self.file))
        kept = {OVERALL: self.profiles[OVERALL]}
        for spec in slices:
            of_spec = {k: v for k, v in self.profiles.items() if matches(spec, k)}
            if not of_spec:
                raise ConfigError(
                    f"{self.file} has no slices by {', '.join(spec.features)}. Give the data, or keep a "
                    "profile with these slices."
                )
            kept |= of_spec
        return kept


def _is_plain(kind: pa.DataType) -> bool:
    return not pa.types.is_nested(kind) and not any(is_bytes(kind) for is_bytes in _BYTES)


def common_columns(reference: Side, current: Side) -> list[str]:
    """The columns of both, in the order of the reference.

    Raises:
        DataError: There is none.
    """
    names = [name for name in reference.columns() if name in current.columns()]
    if not names:
        raise DataError("The two data sets have no column in common that could be compared.")
    return names


def check_names(asked: Iterable[str], names: Sequence[str], what: str) -> None:
    """Refuse names that are none of some columns; raises ConfigError."""
    for name in asked:
        if name not in names:
            raise ConfigError(f"{what} {name!r}, which is not compared. {suggestion(name, names)}")
