# SPDX-License-Identifier: Apache-2.0
"""Keeps the rows of some slices on which a model is worst, or became worse, to look at what failed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benison.config import SlicingSpec
from benison.data.batch import Array, Extracts, Index, Target, missing_rows, take_rows
from benison.data.values import undictionary
from benison.engine.analysis import score_columns
from benison.engine.extract import SliceKeyExtractor
from benison.engine.row_errors import row_errors
from benison.slicing.encode import SpecCodes
from benison.slicing.keys import SLICE_KEY, SliceKey, slice_name
from benison.slicing.table import SliceTable
from benison.table.row_files import BY_ERROR, BY_INCREASE
from benison.table.slices import key_array, slice_id, slice_ids

_OWNER, _NUMBER = "owner", "number"
_PER_ROW = ("features", "input", "row_numbers")
_BY_NAME = ("slice_texts", "transformed_features")


@dataclasses.dataclass(frozen=True)
class WantedSlice:
    """A slice of an output of a model whose worst rows are wanted.

    With a baseline they are those on which the model became worse: the error grew most from the baseline's.
    """

    target: Target
    key: SliceKey
    baseline: str = ""

    @cached_property
    def id(self) -> str:
        """What is equal for equal keys alone."""
        return slice_id(self.key)


@dataclasses.dataclass(frozen=True)
class SliceFilter:
    """Leaves rows that are in none of some slices out, before a model is called on them.

    One row is left where none is in them: many models take no empty batch.
    """

    concurrent: ClassVar[bool] = True
    specs: tuple[SlicingSpec, ...]
    ids: tuple[str, ...]
    stage_name: str = "KeepSlices"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it reads."""
        return SliceKeyExtractor(self.specs).columns

    def extract(self, extracts: Extracts) -> Extracts:
        """The extracts of the rows that are left."""
        codes = SliceKeyExtractor(self.specs).extract(extracts)["slice_codes"]
        numbers = [rows for rows, _ in _members(codes, self.ids)]
        rows = np.unique(np.concatenate([*numbers, np.zeros(0, np.int64)]))
        if len(rows) == extracts["features"].num_rows:
            return extracts
        return _taken(extracts, pa.array(rows if len(rows) else np.zeros(1, np.int64)))


def _taken(extracts: Extracts, rows: pa.Array) -> Extracts:
    """Some rows of what the reader and preprocessing have made."""
    kept: dict[str, Any] = {**extracts}
    kept |= {key: kept[key].take(rows) for key in _PER_ROW if kept.get(key) is not None}
    for key in _BY_NAME:
        if key in kept:
            kept[key] = {name: values.take(rows) for name, values in kept[key].items()}
    return kept  # type: ignore[return-value]


def _members(codes: Sequence[SpecCodes], ids: Sequence[str]) -> Iterator[tuple[Index, Index]]:
    """Which rows of a batch are in which of some slices, by spec: the rows, and positions in `ids`."""
    table = SliceTable()
    parts = table.number(codes).parts
    _, keys = table.texts(np.arange(len(table)))
    own = pa.table({"slice_key": keys, "other_slice_key": pa.nulls(len(keys), SLICE_KEY)})
    known = pc.index_in(slice_ids(own), value_set=pa.array(ids, pa.string()))
    positions = pc.fill_null(known, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    for rows, numbers in parts:
        position = positions[numbers]
        hits = np.flatnonzero(position >= 0)
        yield (hits if rows is None else rows[hits]), position[hits]


class _Candidates(NamedTuple):
    """Rows that may be kept: a list for each slice that they are of."""

    owners: Index
    rows: Index
    errors: Array
    increases: Array


@dataclasses.dataclass(frozen=True)
class WorstRowsEvaluator:
    """Keeps the `rows` rows of each slice with the largest errors, or increases of it, one after the other.

    Rows without an error come last, those without a label that others have not at all, nor by increase those
    of which the error did not grow; equal ones in an order that every engine has. The result is a table of
    the columns `model`, `output`, `slice`, `slice_key`, `ranked_by`, which is `error` or `increase`, `rank`
    from 1, `error` as `row_errors` has it, `increase` from the baseline's error where rows are ranked by it,
    labels, predictions and weights as in the analysis, and `example`, a struct of the columns of the data.
    """

    wanted: tuple[WantedSlice, ...]
    rows: int
    scored: frozenset[Target]
    """The outputs whose predictions are the score of a class."""
    columns: tuple[str, ...]
    key: str = "failed_slices"
    stage_name: str = "KeepWorstRows"
    run_after: str = "ExtractSliceKeys"
    needs_row_numbers: bool = True
    concurrent: bool = True

    @property
    def outputs(self) -> tuple[str, ...]:
        """Its output key."""
        return (self.key,)

    def zero(self) -> pa.Table | None:
        """No rows."""
        return None

    def add(self, state: pa.Table | None, extracts: Extracts) -> pa.Table | None:
        """The state with the rows of one more batch that may be among the worst."""
        owners, rows, errors, increases = self._candidates(extracts)
        if not len(rows):
            return state
        numbers = take_rows(extracts["row_numbers"], rows).to_numpy()
        kept = self._worst(owners, errors, increases, numbers)
        rows, numbers = rows[kept], numbers[kept]
        columns = {_OWNER: owners[kept], BY_ERROR: errors[kept], BY_INCREASE: increases[kept]}
        scores = {name: array.take(pa.array(rows)) for name, array in score_columns(extracts)}
        batch = extracts["features"].select(self.columns).take(pa.array(rows))
        example = pa.StructArray.from_arrays([*map(undictionary, batch.columns)], self.columns)
        made = {**columns, _NUMBER: numbers, **scores, "example": example}
        return self.merge(state, pa.table(made))

    def _candidates(self, extracts: Extracts) -> _Candidates:
        none = np.zeros(0, np.int64)
        parts = [_Candidates(none, none, np.zeros(0), np.zeros(0))]
        for target, baseline in dict.fromkeys((w.target, w.baseline) for w in self.wanted):
            errors, increases, is_kept = self._errors(extracts, target, baseline)
            own = [
                i for i, w in enumerate(self.wanted) if (w.target, w.baseline) == (target, baseline)
            ]
            ids = [self.wanted[i].id for i in own]
            for members, positions in _members(extracts["slice_codes"], ids):
                chosen = is_kept[members]
                rows = members[chosen]
                owners = np.array(own)[positions[chosen]]
                parts.append(_Candidates(owners, rows, errors[rows], increases[rows]))
        return _Candidates(*map(np.concatenate, zip(*parts, strict=True)))

    def _errors(
        self, extracts: Extracts, target: Target, baseline: str
    ) -> tuple[Array, Array, Any]:
        """The error of each row, its increase, and which rows may be kept."""
        labels = extracts.get("labels", {}).get(target)
        errors = self._error(extracts, target, target)
        is_kept = np.ones(len(errors), bool) if labels is None else ~missing_rows(labels)
        if not baseline:
            return errors, np.full(len(errors), np.nan), is_kept
        with np.errstate(invalid="ignore"):  # of two that have no prediction
            increases = errors - self._error(extracts, (baseline, target[1]), target)
        return errors, increases, is_kept & ~(increases <= 0)

    def _error(self, extracts: Extracts, target: Target, judged: Target) -> Array:
        """The error of each row of a model, on the scale of the output that is judged."""
        labels = extracts.get("labels", {}).get(target)
        predictions = extracts.get("predictions", {}).get(target)
        if labels is None or predictions is None:
            return np.full(extracts["features"].num_rows, np.nan)
        return row_errors(labels, predictions, judged in self.scored)

    def _worst(self, owners: Index, errors: Array, increases: Array, numbers: Any) -> Index:
        """The positions of the worst of each owner, in order."""
        by_increase = np.array([bool(each.baseline) for each in self.wanted])
        ranked = np.where(by_increase[owners], increases, errors)
        order = np.lexsort((numbers, np.where(np.isnan(ranked), np.inf, -ranked), owners))
        ordered = owners[order]
        rank = np.arange(len(order)) - np.searchsorted(ordered, ordered)
        return np.asarray(order[rank < self.rows])

    def merge(self, state: pa.Table | None, other: pa.Table | None) -> pa.Table | None:
        """The worst of both."""
        if state is None or other is None:
            return other if state is None else state
        both = pa.concat_tables([state, other], promote_options="permissive")
        names = (_OWNER, BY_ERROR, BY_INCREASE, _NUMBER)
        kept = self._worst(*(both.column(name).to_numpy() for name in names))
        return both.take(pa.array(kept)).combine_chunks()

    def result(self, state: pa.Table | None) -> dict[str, pa.Table]:
        """The table; without columns where there is no row."""
        if state is None:
            return {self.key: pa.table({})}
        owners = state.column(_OWNER).to_numpy()
        slices = [self.wanted[i] for i in owners.tolist()]
        rank = np.arange(len(owners)) - np.searchsorted(owners, owners) + 1
        by_increase = pa.array([bool(each.baseline) for each in slices])
        increase = pc.if_else(by_increase, state.column(BY_INCREASE), None)
        about = {
            "model": [each.target[0] for each in slices],
            "output": [each.target[1] for each in slices],
            "slice": [slice_name(each.key) for each in slices],
            "slice_key": key_array([each.key for each in slices]),
            "ranked_by": pc.if_else(by_increase, BY_INCREASE, BY_ERROR),
            "rank": rank,
            BY_ERROR: state.column(BY_ERROR),
            BY_INCREASE: increase,
        }
        rest = state.drop_columns([_OWNER, _NUMBER, BY_ERROR, BY_INCREASE])
        return {
            self.key: pa.table({**about, **dict(zip(rest.column_names, rest.columns, strict=True))})
        }
