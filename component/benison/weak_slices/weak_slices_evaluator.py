# SPDX-License-Identifier: Apache-2.0
"""The stage that looks for weak slices: its state are sums by cell, which merge by addition."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, TypeAlias

import numpy as np

from benison.config import WeakSliceOptions
from benison.config.weak_slice_options import CHANGE
from benison.data.batch import Array, Extracts, Mask, Target, missing_rows
from benison.data.mixing import mixed
from benison.errors import ConfigError, DataError
from benison.weak_slices.cell_sums import CellSums
from benison.weak_slices.code_books import CodeBook, encoded
from benison.weak_slices.findings import Finder, SearchedTarget, findings
from benison.weak_slices.layout import Layout
from benison.weak_slices.losses import RowLoss
from benison.weak_slices.pursuit import Search
from benison.weak_slices.scored_rows import ScoredRows

OUTPUT_KEY = "weak_slices"
SEARCHES_KEY = "weak_slice_searches"

TargetSums: TypeAlias = tuple[CellSums, ScoredRows]
"""What is added up for one model and output."""


@dataclasses.dataclass(frozen=True)
class WeakSlicesEvaluator:
    """Looks for slices of features, by the losses of one or more models.

    Its results are a table of `table.schema.WEAK_SLICES_SCHEMA` under the key `weak_slices`, and what was
    searched of each model, a list of `SearchedTarget`, under `weak_slice_searches`.
    """

    options: WeakSliceOptions
    books: tuple[CodeBook, ...]
    row_losses: tuple[RowLoss, ...]
    """What an error is, for each target."""
    targets: tuple[tuple[Target, Target], ...]
    """Each candidate's model and output, and those of the baseline, which are the same without one."""
    alpha: float = 0.05
    """The share of searches that report a slice where there is none."""
    outputs: tuple[str, ...] = (OUTPUT_KEY, SEARCHES_KEY)
    stage_name: str = "EvaluateWeakSlices"
    run_after: str = "ExtractSliceKeys"
    needs_row_numbers: bool = True
    concurrent: bool = True

    @property
    def columns(self) -> tuple[str, ...]:
        """The features."""
        return tuple(book.feature for book in self.books)

    @property
    def sliced(self) -> tuple[str, ...]:
        """The features, as slices read them: numbers as they are written."""
        return self.columns

    @functools.cached_property
    def _sizes(self) -> tuple[int, ...]:
        return tuple(len(book.values) + 1 for book in self.books)

    @functools.cached_property
    def _layout(self) -> Layout:
        return Layout.of(self._sizes, self.options.depth)

    @property
    def _is_change(self) -> bool:
        return self.options.loss == CHANGE

    def zero(self) -> tuple[TargetSums, ...]:
        """The sums of no rows, for each target."""
        levels = [
            loss.change_levels if self._is_change else loss.levels for loss in self.row_losses
        ]
        none = ScoredRows.zero(self._sizes)
        return tuple((CellSums.zero(self._layout, each), none) for each in levels)

    def add(self, state: tuple[TargetSums, ...], extracts: Extracts) -> tuple[TargetSums, ...]:
        """The sums with the rows of one more batch.

        Raises:
            ConfigError: The rows have no numbers, by which they fall into halves.
            DataError: A row has no such loss.
        """
        if "row_numbers" not in extracts:
            raise ConfigError(
                "Weak slices need the numbers of the rows, which a PCollection of extracts does not have; "
                "let Benison read the data, or leave weak_slices out of the config."
            )
        hashes = mixed(np.asarray(extracts["row_numbers"].to_numpy(zero_copy_only=False)))
        codes = encoded(self.books, extracts["features"], extracts.get("slice_texts", {}))
        merged = []
        for i, (sums, scored) in enumerate(state):
            labelled, own, before = self._losses(extracts, i)
            with np.errstate(invalid="ignore"):  # of infinite losses there is no difference
                losses = own - before if self._is_change else own
            kept = np.isfinite(losses)
            part = slice(None) if kept.all() else np.flatnonzero(kept)
            more = sums.add(hashes[part], codes[:, part], losses[part], before[part])
            merged.append((more, scored.add(labelled, own, before, codes, self._sizes)))
        return tuple(merged)

    def _losses(self, extracts: Extracts, i: int) -> tuple[Mask, Array, Array]:
        """Which rows have a label of the target, its losses, and those of what it is compared with."""
        labels, predictions = extracts.get("labels", {}), extracts.get("predictions", {})
        (target, baseline), loss = self.targets[i], self.row_losses[i]
        read = {target, baseline} if self._is_change else {target}
        if target not in labels or not read <= {*predictions}:
            raise DataError(
                "Weak slices need a label and a prediction of each row, as a column or an output; here "
                "metrics read parts of them by name. Leave weak_slices out of the config."
            )
        own = loss.of(labels[target], predictions[target])
        labelled = ~missing_rows(labels[target])
        if not self._is_change:
            return labelled, own, own
        before = loss.of(labels[baseline], predictions[baseline])
        return labelled, own, before

    def merge(
        self, state: tuple[TargetSums, ...], other: tuple[TargetSums, ...]
    ) -> tuple[TargetSums, ...]:
        """The sums of the rows of both."""
        pairs = zip(state, other, strict=True)
        return tuple((a.merge(b), x.merge(y)) for (a, x), (b, y) in pairs)

    def result(self, state: tuple[TargetSums, ...]) -> dict[str, Any]:
        """The slices that were confirmed, and what was searched."""
        searched = [self._searched(i, *sums) for i, sums in enumerate(state)]
        rows = [row for of_target, _ in searched for row in of_target]
        return {OUTPUT_KEY: findings(rows), SEARCHES_KEY: [about for _, about in searched]}

    def _searched(
        self, i: int, sums: CellSums, scored: ScoredRows
    ) -> tuple[list[dict[str, Any]], SearchedTarget]:
        options = self.options
        floor = 0.0 if self._is_change else None
        alpha = self.alpha / max(len(self.targets), 1)  # false alarms are held over all models
        search = Search(options.depth, options.top, options.min_examples, options.min_effect, floor)
        finder = Finder(self.books, options.loss, self.row_losses[i], search, alpha)
        target, baseline = self.targets[i]
        rows, cells, least = finder.rows(*target, sums)
        about = SearchedTarget(
            *target,
            baseline[0],
            scored.labelled,
            scored.candidate,
            scored.baseline,
            *scored.most(self.books),
            self.columns,
            options.min_examples,
            cells,
            least,
            1 - self.alpha,
        )
        return rows, about
