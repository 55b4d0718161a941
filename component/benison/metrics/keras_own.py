# SPDX-License-Identifier: Apache-2.0
"""Metrics of a user's own that are written for Keras: subclasses of its Metric or Loss.

A Keras metric adds up in variables. Where those of two parts of some rows add up to those of all, which is
tried once, each slice has the sums of its variables, as in TFMA. Where they do not, as of a maximum, TFMA's
sums would be wrong, and the rows of a slice are kept, up to `limit`, so that the metric sees all at once.
Keras computes in float32, and so do these; what is summed over batches and workers is float64.

In a config they are named by class and module, with the parameters of the class:

    metrics:
      - {class_name: CustomError, module: team.metrics, config: {name: error}}

A result that is a dict makes a metric of each of its values, called such as `error/mse`.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import json
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from benison.data.batch import Array, Inputs
from benison.metrics.base import Metric, Statistic
from benison.metrics.custom import DEFAULT_LIMIT
from benison.metrics.statistics.kept_rows import KeptRows, Rows
from benison.metrics.statistics.sums import Arrays, ArraysStatistic
from benison.models.keras_objects import KerasObject, adds_up, fill, parts_of, variables_of
from benison.slicing.codes import SliceCodes

_ALL = Rows(2**62)  # orders the rows of a batch by slice


@dataclasses.dataclass(frozen=True)
class KerasSums(ArraysStatistic):
    """The variables of a Keras metric, added up, after the number of rows.

    The number is NaN in a slice with a missing prediction. A batch takes a call of Keras, of about a
    millisecond, for each slice that it has rows of.

    Attributes:
        keras: The metric.
    """

    keras: KerasObject

    def shapes(self) -> tuple[tuple[int, ...], ...]:
        return ((), *self.keras.shapes)

    def add(self, inputs: Inputs, codes: SliceCodes) -> Arrays:
        rows = _ALL.add(inputs, codes)
        state = self.zero(codes.size)
        state[0][:] = rows.counts
        for i in np.flatnonzero(rows.counts):  # Keras takes one slice at a time
            seen = rows.of_slice(int(i))
            made = self.keras.instance()
            if np.isnan(seen.predictions).any():
                state[0][i] = np.nan
                continue
            self.keras.update(made, seen.labels, seen.predictions, seen.weights)
            for array, value in zip(state[1:], variables_of(made), strict=True):
                array[i] = value
        return state


@dataclasses.dataclass(frozen=True)
class KerasMetric(Metric):
    """A metric of a user's own that is written for Keras.

    Its range and unit are those of the class. NaN for a slice without rows, and for one with a missing
    prediction. It has no interval: each of the fifty blocks of a slice would be a call of Keras. The weights
    of rows are its `sample_weight`; where `update_state` has none, weighted rows are refused. Labels and
    scores of one number are given as lists of one, [N, 1], as in training.

    Attributes:
        keras: The class and its parameters.
        name: The metric's name in the results.
        part: Which of the values of a result that is a dict; "" for one that is a number.
        limit: The most rows of a slice, where its variables do not add up.
        is_additive: Whether they do.
    """

    keras: KerasObject
    name: str
    part: str = ""
    limit: int = DEFAULT_LIMIT
    is_additive: bool = True
    accepts: ClassVar[frozenset[str]] = frozenset({"binary", "real", "classes"})
    has_interval = False

    @property
    def takes_weights(self) -> bool:  # type: ignore[override]
        """Whether the class takes example weights."""
        return self.keras.takes_weights

    def statistics(self) -> tuple[Statistic[Any], ...]:
        return (KerasSums(self.keras),) if self.is_additive else (Rows(self.limit),)

    def result(self, state: Any) -> Array:
        if isinstance(state, KeptRows):
            return self._of_rows(state)
        counts, *sums = state
        values = np.full(len(counts), np.nan)
        for i in np.flatnonzero(counts > 0):
            made = self.keras.instance()
            fill(made, [array[i] for array in sums])
            values[i] = self.keras.results(made)[self.part]
        return values

    def _of_rows(self, rows: KeptRows) -> Array:
        values = np.full(len(rows.counts), np.nan)
        for i in np.flatnonzero(np.diff(rows.offsets)):
            seen = rows.of_slice(int(i))
            if not np.isnan(seen.predictions).any():
                made = self.keras.instance()
                self.keras.update(made, seen.labels, seen.predictions, seen.weights)
                values[i] = self.keras.results(made)[self.part]
        return values

    def notes(self, state: Any) -> dict[int, str]:
        if not isinstance(state, KeptRows):
            return {}
        over = np.flatnonzero(state.counts > self.limit)
        why = f"its variables do not add up, so that it is given at most {self.limit:,} (limit)"
        return {int(i): f"the slice has {state.counts[i]:,} rows and {why}" for i in over}


@functools.cache
def keras_factory(made_by: type) -> Callable[..., Metric]:
    """What builds metrics of a class of Keras from its parameters, and from two of ours.

    These are `part`, which of the values of a result that is a dict it is, and `limit`, how many rows of a
    slice it is given where its variables do not add up.

    Args:
        made_by: The class.
    """

    def factory(part: str = "", limit: int = DEFAULT_LIMIT, **config: Any) -> Metric:
        of = KerasObject(made_by, json.dumps(config))
        made = of.instance()
        name = f"{made.name}/{part}" if part else str(made.name)
        return KerasMetric(of, name, part, limit, adds_up(of))

    def parts(config: Mapping[str, Any]) -> list[str]:
        own = {name: value for name, value in config.items() if name != "limit"}
        return parts_of(KerasObject(made_by, json.dumps(own)))

    factory.__doc__ = inspect.getdoc(made_by) or f"{made_by.__name__}, a metric written for Keras."
    factory.parts = parts  # type: ignore[attr-defined]
    return factory
