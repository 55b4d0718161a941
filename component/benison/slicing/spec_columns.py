# SPDX-License-Identifier: Apache-2.0
"""The columns that slicing specs read, and what is wrong with a spec before any row is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import pyarrow as pa

from benison.config import SlicingSpec
from benison.errors import BenisonError, suggestion
from benison.slicing.bin_edges import check_numbers
from benison.slicing.expressions import Condition
from benison.slicing.periods import check_times


def columns_of(specs: Iterable[SlicingSpec]) -> set[str]:
    """The columns that specs read, of conditions too.

    Raises:
        ConfigError: A condition is none.
    """
    columns: set[str] = set()
    for spec in specs:
        columns |= written_columns([spec]) | spec.bins.keys()
        columns |= {name for text in spec.where.values() for name in Condition(text).columns}
    return columns


def written_columns(specs: Iterable[SlicingSpec]) -> set[str]:
    """The columns whose values are keys of slices, as they are written."""
    return {name for spec in specs for name in (*spec.feature_keys, *spec.feature_values)}


def unreadable(spec: SlicingSpec) -> Iterator[tuple[str, str]]:
    """The conditions of a spec that are none: name and sentence."""
    for name, text in spec.where.items():
        try:
            Condition(text)
        except BenisonError as error:
            yield name, str(error)


def misfits(
    spec: SlicingSpec, columns: Iterable[str], types: Mapping[str, pa.DataType]
) -> Iterator[tuple[tuple[str, ...], str]]:
    """What of a spec does not fit the data: where in the spec, and a sentence.

    Args:
        spec: Its conditions can be read.
        columns: The columns of the data.
        types: The types of those that can be read.
    """
    known = {*columns}
    for feature in sorted({*spec.feature_keys, *spec.feature_values, *spec.bins} - known):
        text = f"slice feature {feature!r} is not a column of the data."
        yield (), f"{text} {suggestion(feature, known)}"
    for feature in sorted(spec.bins.keys() & types.keys()):
        try:
            check = check_numbers if spec.bins[feature].every is None else check_times
            check(feature, types[feature])
        except BenisonError as error:
            yield ("bins", feature), str(error)
    for name, condition in spec.where.items():
        if name in known:
            text = f"{name!r} is a column of the data; give the condition another name."
            yield ("where", name), text
        parsed = Condition(condition)
        if {*parsed.columns} & known - types.keys():
            continue  # the data say themselves why they cannot be read
        try:
            parsed.check(types)
        except BenisonError as error:
            yield ("where", name), str(error)
