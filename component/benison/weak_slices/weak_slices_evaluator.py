# SPDX-License-Identifier: Apache-2.0
"""The stage that looks for weak slices: its state are sums by cell, which merge by addition."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np

from benison.config import WeakSliceOptions
from benison.config.weak_slice_options import CHANGE
from benison.data.batch import Array, Extracts, Target
from benison.data.mixing import mixed
from benison.errors import ConfigError
from benison.weak_slices.cell_sums import CellSums
from benison.weak_slices.code_books import CodeBook, encoded
from benison.weak_slices.findings import Finder, findings
from benison.weak_slices.layout import Layout
from benison.weak_slices.losses import RowLoss
from benison.weak_slices.pursuit import Search

OUTPUT_KEY = "weak_slices"


@dataclasses.dataclass(frozen=True)
class WeakSlicesEvaluator:
    """Looks for slices of features, by the losses of one or more models.

    Its result is a table of `table.schema.WEAK_SLICES_SCHEMA` under the key `weak_slices`.
    """

    options: WeakSliceOptions
    books: tuple[CodeBook, ...]
    row_loss: RowLoss
    targets: tuple[tuple[Target, Target], ...]
    """Each candidate's model and output, and those of the baseline, which are the same without one."""
    alpha: float = 0.05
    """The share of searches that report a slice where there is none."""
    outputs: tuple[str, ...] = (OUTPUT_KEY,)
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
    def _layout(self) -> Layout:
        sizes = tuple(len(book.values) + 1 for book in self.books)
        return Layout.of(sizes, self.options.depth)

    @property
    def _is_change(self) -> bool:
        return self.options.loss == CHANGE

    def zero(self) -> tuple[CellSums, ...]:
        """The sums of no rows, for each target."""
        levels = self.row_loss.change_levels if self._is_change else self.row_loss.levels
        return tuple(CellSums.zero(self._layout, levels) for _ in self.targets)

    def add(self, state: tuple[CellSums, ...], extracts: Extracts) -> tuple[CellSums, ...]:
        """The sums with the rows of one more batch.

        Raises:
            ConfigError: The rows have no numbers, by which they fall into halves.
        """
        if "row_numbers" not in extracts:
            raise ConfigError(
                "Weak slices need the numbers of the rows, which a PCollection of extracts does not have; "
                "let Benison read the data, or leave weak_slices out of the config."
            )
        hashes = mixed(np.asarray(extracts["row_numbers"].to_numpy(zero_copy_only=False)))
        codes = encoded(self.books, extracts["features"], extracts.get("slice_texts", {}))
        merged = []
        for sums, (target, baseline) in zip(state, self.targets, strict=True):
            losses, reference = self._losses(extracts, target, baseline)
            kept = np.isfinite(losses)
            part = slice(None) if kept.all() else np.flatnonzero(kept)
            merged.append(sums.add(hashes[part], codes[:, part], losses[part], reference[part]))
        return tuple(merged)

    def _losses(self, extracts: Extracts, target: Target, baseline: Target) -> tuple[Array, Array]:
        """The losses by which is searched, and those by whose mean effects are measured."""
        labels, predictions = extracts["labels"], extracts["predictions"]
        own = self.row_loss.of(labels[target], predictions[target])
        if not self._is_change:
            return own, own
        before = self.row_loss.of(labels[baseline], predictions[baseline])
        with np.errstate(invalid="ignore"):  # of infinite losses there is no difference
            return own - before, before

    def merge(
        self, state: tuple[CellSums, ...], other: tuple[CellSums, ...]
    ) -> tuple[CellSums, ...]:
        """The sums of the rows of both."""
        return tuple(a.merge(b) for a, b in zip(state, other, strict=True))

    def result(self, state: tuple[CellSums, ...]) -> dict[str, Any]:
        """The slices that were confirmed."""
        options = self.options
        floor = 0.0 if self._is_change else None
        alpha = self.alpha / max(len(self.targets), 1)  # false alarms are held over all models
        search = Search(options.depth, options.top, options.min_examples, options.min_effect, floor)
        finder = Finder(self.books, options.loss, self.row_loss, search, alpha)
        rows = [
            row
            for sums, (target, _) in zip(state, self.targets, strict=True)
            for row in finder.rows(*target, sums)
        ]
        return {OUTPUT_KEY: findings(rows)}
