# SPDX-License-Identifier: Apache-2.0
"""Adds up how residuals follow each other in the order of a time column, over all rows."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa

from benison.data.batch import Array, Extracts, Target
from benison.data.values import floats_of, is_text, single_values, undictionary
from benison.errors import DataError

OUTPUT_KEY = "residual_order"
_ROUNDING = 1e-12


class Stretch(NamedTuple):
    """Rows that follow each other in time: where they begin and end, and sums over them."""

    first: tuple[float, int]
    """The time and the number of the first row, by which stretches are put in order."""
    last: tuple[float, int]
    first_residual: float
    last_residual: float
    rows: int
    mean: float
    squares: float
    """Of the distances from the mean, summed."""
    steps: float
    """The sum of the squared differences of neighbours."""

    @classmethod
    def of(cls, times: Array, numbers: Any, residuals: Array) -> Stretch | None:
        """Of the rows of a batch that have a time and a residual; None of none."""
        known = np.isfinite(times) & np.isfinite(residuals)
        times, numbers, residuals = times[known], numbers[known], residuals[known]
        if not len(times):
            return None
        order = np.lexsort((numbers, times))
        times, numbers, residuals = times[order], numbers[order], residuals[order]
        first, last = ((float(times[i]), int(numbers[i])) for i in (0, -1))
        with np.errstate(over="ignore", invalid="ignore"):
            mean = residuals.mean()
            squares, steps = ((residuals - mean) ** 2).sum(), (np.diff(residuals) ** 2).sum()
        numbers_of = map(float, (mean, squares, steps))
        return cls(
            first, last, float(residuals[0]), float(residuals[-1]), len(residuals), *numbers_of
        )

    def joined(self, later: Stretch) -> Stretch:
        """With the rows that follow."""
        rows = self.rows + later.rows
        between, apart = later.first_residual - self.last_residual, later.mean - self.mean
        return Stretch(
            self.first, later.last, self.first_residual, later.last_residual, rows,
            self.mean + apart * (later.rows / rows),
            self.squares + later.squares + apart * apart * (self.rows * later.rows / rows),
            self.steps + between * between + later.steps,
        )  # fmt: skip

    @property
    def are_equal(self) -> bool:
        """Whether the residuals differ by rounding alone, so that none says anything of the next."""
        return math.sqrt(self.squares / self.rows) <= _ROUNDING * abs(self.mean)

    @property
    def durbin_watson(self) -> float:
        """Of residuals less their mean: from 0 to 4; 2 where residuals do not follow from each other.

        Durbin and Watson, "Testing for serial correlation in least squares regression", Biometrika 37, 1950.
        """
        return self.steps / self.squares if self.squares else math.nan

    @property
    def autocorrelation(self) -> float:
        """Of neighbours, about the mean of all: from -1 to 1; NaN where squares are beyond all numbers."""
        first, last = self.first_residual - self.mean, self.last_residual - self.mean
        around = self.steps + first * first + last * last
        return 1 - around / (2 * self.squares) if self.squares else math.nan


def in_order(stretches: Iterable[Stretch]) -> Stretch | None:
    """All of them as one; None where there is none, or where their times overlap."""
    ordered = sorted(stretches)
    whole: Stretch | None = None
    for each in ordered:
        if whole is not None and each.first < whole.last:
            return None
        whole = each if whole is None else whole.joined(each)
    return whole


State: TypeAlias = "dict[tuple[Target, str], list[Stretch]]"


@dataclasses.dataclass(frozen=True)
class ResidualOrderEvaluator:
    """Keeps a stretch of each batch, for each output and time column; they are joined in the end."""

    targets: tuple[Target, ...]
    columns: tuple[str, ...]
    outputs: tuple[str, ...] = (OUTPUT_KEY,)
    stage_name: str = "OrderResiduals"
    run_after: str = "ExtractSliceKeys"
    needs_row_numbers: bool = True
    concurrent: bool = True

    def zero(self) -> State:
        """Of no rows."""
        return {}

    def add(self, state: State, extracts: Extracts) -> State:
        """The state with one more batch.

        Raises:
            DataError: A column holds no times.
        """
        numbers = extracts["row_numbers"].to_numpy(zero_copy_only=False)
        for column in self.columns:
            times = _times(extracts["features"].column(column), column)
            for target in self.targets:
                pair = (extracts[key].get(target) for key in ("labels", "predictions"))
                residuals = residuals_of(*pair)
                made = None if residuals is None else Stretch.of(times, numbers, residuals)
                state = self.merge(state, {} if made is None else {(target, column): [made]})
        return state

    def merge(self, state: State, other: State) -> State:
        """The state of both."""
        keys = {**state, **other}
        return {key: [*state.get(key, ()), *other.get(key, ())] for key in keys}

    def result(self, state: State) -> dict[str, Any]:
        """All rows of each output and column in their order, None where batches overlap."""
        return {OUTPUT_KEY: {key: in_order(stretches) for key, stretches in state.items()}}


def residuals_of(labels: Any, scores: Any) -> Array | None:
    """Label less score of each row: float64[N]; None where these are no single numbers."""
    both: Sequence[Any] = (labels, scores)
    if not all(isinstance(each, np.ndarray) and each.ndim == 1 for each in both):
        return None
    with np.errstate(invalid="ignore"):
        return np.asarray(labels - scores, np.float64)


def _times(column: pa.Array, name: str) -> Array:
    """Times as numbers that grow: float64[N], NaN where missing."""
    singles = single_values(column)
    flat = undictionary(column) if singles is None else singles
    try:
        if is_text(flat.type):
            flat = flat.cast(pa.string()).cast(pa.timestamp("us"))
        if pa.types.is_date(flat.type):
            flat = flat.cast(pa.timestamp("us"))
        if pa.types.is_timestamp(flat.type):
            flat = flat.cast(pa.int64())
        return np.asarray(floats_of(flat).to_numpy(zero_copy_only=False))
    except pa.ArrowException as error:
        raise DataError(
            f"Column {name!r} holds {column.type}, which are no times; residual_autocorrelation needs "
            "numbers, timestamps or texts such as 2026-01-31 12:00:00."
        ) from error
