# SPDX-License-Identifier: Apache-2.0
"""The table of the slices that were confirmed, and their sentences."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from benison.config.weak_slice_options import CHANGE
from benison.data.batch import Array
from benison.slicing.keys import SliceKey, slice_name
from benison.table.schema import WEAK_SLICES_SCHEMA
from benison.table.weak_slice_words import shared
from benison.table.words import counted
from benison.weak_slices.cell_sums import CellSums
from benison.weak_slices.code_books import CodeBook
from benison.weak_slices.confirm import Evidence, confirmed
from benison.weak_slices.losses import RowLoss
from benison.weak_slices.pursuit import Candidate, Pursuit, Search, pursue
from benison.weak_slices.ranges import ranges


@dataclasses.dataclass(frozen=True)
class SearchedTarget:
    """What was searched of one model and output.

    Attributes:
        model: The candidate.
        output: Its output.
        baseline: What it is compared with; the candidate itself without a baseline.
        labelled: The rows that have a label of the candidate's.
        candidate_undefined: Those of them on which the candidate has no finite loss.
        baseline_undefined: Those on which the baseline alone has none.
        where: The slice of one feature with most of the rows without a loss.
        there: How many of them are in it.
        features: The columns of which slices were made.
        min_examples: The least rows of a slice.
        slices: How many slices were looked at.
        min_effect: The least effect that is reported, in the unit of the loss.
        level: The confidence with which no slice is reported where there is none.
    """

    model: str
    output: str
    baseline: str
    labelled: int
    candidate_undefined: int
    baseline_undefined: int
    where: str
    there: int
    features: tuple[str, ...]
    min_examples: int
    slices: int
    min_effect: float
    level: float


@dataclasses.dataclass(frozen=True)
class Finder:
    """Makes the rows of the table from the sums of one model."""

    books: Sequence[CodeBook]
    loss: str
    row_loss: RowLoss
    search: Search
    alpha: float

    def rows(
        self, model: str, output: str, state: CellSums
    ) -> tuple[list[dict[str, Any]], int, float]:
        """The rows of one model and output, how many slices were looked at, and the least effect."""
        rows, losses = state.reference
        if not rows:
            return [], 0, self.search.min_effect
        scale = 1.0 if state.levels else losses / rows
        search = dataclasses.replace(self.search, min_effect=self.search.min_effect * scale)
        pursuit = pursue(state, search)
        kept = confirmed(pursuit, state.levels, self.alpha, search.min_effect)
        about = {
            "model": model,
            "output": output,
            "loss": self.loss,
            "measure": self.row_loss.measure,
        }
        cells = int(pursuit.tables.eligible.sum())
        return [{**about, **self._row(pursuit, e, kept)} for e in kept], cells, search.min_effect

    def _row(self, pursuit: Pursuit, evidence: Evidence, kept: list[Evidence]) -> dict[str, Any]:
        key, kinds = self._key(evidence.candidate)
        moments = pursuit.tables.moments_of(evidence.candidate)
        parents = [e.candidate for e in kept if _is_part(evidence.candidate, e.candidate)]
        parent = max(parents, key=lambda each: len(each.features), default=None)
        own = pursuit.tables.rows_of(evidence.candidate, moments[0]).sum()
        numbers = {name: float(getattr(evidence, name)) for name in _NUMBERS}
        return {
            "slice": slice_name(key),
            "slice_key": [
                {"feature": feature, "value": value, "type": kind}
                for (feature, value), kind in zip(key, kinds, strict=True)
            ],
            "examples": round(float(own)),
            "confirmed_on": evidence.rows,
            "mean_loss": float(evidence.mean),
            **numbers,
            "share_of_errors": self._share(moments, pursuit.tables.total),
            "parent": "" if parent is None else slice_name(self._key(parent)[0]),
        }

    def _key(self, candidate: Candidate) -> tuple[SliceKey, list[str]]:
        """The key of a slice, sorted by feature, and the kinds of its values."""
        books = [(self.books[f], code) for f, code in candidate.pairs.items()]
        parts = sorted((book.feature, book.values[code - 1], book.kind) for book, code in books)
        return tuple((feature, value) for feature, value, _ in parts), [kind for *_, kind in parts]

    def _share(self, moments: Array, total: Array) -> float:
        """The slice's share of the errors of the rows that were counted for it."""
        own, of_all = (self._errors(sums.sum(axis=1)) for sums in (moments, total))
        return float(own / of_all) if of_all > 0 and own >= 0 else np.nan

    def _errors(self, moments: Array) -> float:
        _, sums, squares = map(float, moments)
        is_change_of_decisions = self.loss == CHANGE and self.row_loss.levels
        return (squares + sums) / 2 if is_change_of_decisions else sums


_NUMBERS = ("expected", "effect", "lower", "upper", "p_adjusted")


def _is_part(candidate: Candidate, other: Candidate) -> bool:
    """Whether a slice is a part of another one that has a name of its own."""
    return (
        bool(other.pairs) and other != candidate and other.pairs.items() <= candidate.pairs.items()
    )


def findings(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """The table of some rows."""
    return pa.Table.from_pylist([*rows], WEAK_SLICES_SCHEMA)


def sentences(rows: Sequence[Mapping[str, Any]], model: str = "") -> Iterator[str]:
    """A sentence for each slice of a model; those of bins beside each other say of which range they are."""
    for row, merged in zip(rows, ranges(rows), strict=True):
        beside = f" With the slices beside it that is {{{merged}}}." if merged else ""
        yield _sentence(row, model) + beside


def _sentence(row: Mapping[str, Any], model: str) -> str:
    """What a row says, such as `Found: {hour=5} errs on 0.31 of its examples, ...`."""
    amounts = {name: f"{row[name]:.3g}" for name in ("mean_loss", "expected", "lower", "upper")}
    evidence = (
        f"{row['effect']:.3g} ({amounts['lower']} to {amounts['upper']}, confirmed on "
        f"{counted(row['confirmed_on'], 'example')} that did not find it)"
    )
    name = (f"{{{row['slice']}}}" if row["slice_key"] else "Overall") + (
        f" of {model}" if model else ""
    )
    if row["loss"] == CHANGE:
        text = f"Found: {name} became worse by {evidence}"
    else:
        what = _MEASURES.get(row["measure"], "loss")
        text = (
            f"Found: in {name} the {what} is {amounts['mean_loss']} where {amounts['expected']} is "
            f"expected, more by {evidence}"
        )
    return text + _share_text(row)


_MEASURES = {
    "decision": "error rate",
    "squared_error": "mean squared error",
    "log_loss": "log loss",
}


def _share_text(row: Mapping[str, Any]) -> str:
    if not row["slice_key"] or not row["share_of_errors"] <= 1:  # NaN too
        return "."
    return f"; it holds {row['share_of_errors']:.0%} of {shared(row)}."
