# SPDX-License-Identifier: Apache-2.0
"""Objects that are written for Keras, subclasses of its Metric or Loss, called on arrays of rows."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
import json
import math
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np

from benison.data.batch import Array
from benison.errors import DataError

_LIBRARIES = ("keras", "tf_keras", "tensorflow")


def is_keras(made: Any) -> bool:
    """Whether a class is derived from Keras' Metric or Loss; nothing is imported for it.

    >>> is_keras(int)
    False
    """
    return _base(made) is not None


def _base(made: Any) -> type | None:
    bases = inspect.getmro(made) if inspect.isclass(made) else ()
    named = (b for b in bases if b.__name__ in ("Metric", "Loss"))
    return next((b for b in named if b.__module__.partition(".")[0] in _LIBRARIES), None)


@dataclasses.dataclass(frozen=True)
class KerasObject:
    """A class of a user's, with its parameters as JSON."""

    made_by: type
    config: str

    def instance(self) -> Any:
        """Its object of this thread, without rows."""
        made = _instance(self, threading.get_ident())
        made.reset_state()
        return made

    def update(self, made: Any, labels: Any, predictions: Any, weights: Array | None) -> None:
        """Let it see N rows, each number as a list of one, as in training; in float32."""
        base = _base(self.made_by)
        rows = [_columns(labels), _columns(predictions)]
        more = {} if weights is None or not self.takes_weights else {"sample_weight": weights}
        tensors = [_tensor(base, values) for values in (*rows, *more.values())]
        made.update_state(*tensors[:2], **dict(zip(more, tensors[2:], strict=True)))

    @property
    def takes_weights(self) -> bool:
        """Whether `update_state` has the parameter `sample_weight`."""
        if not hasattr(self.made_by, "update_state"):  # a loss
            return True
        return "sample_weight" in inspect.signature(self.made_by.update_state).parameters

    def results(self, made: Any) -> dict[str, float]:
        """The value, by "", or those of a dict by their names."""
        value = made.result()
        parts = value if isinstance(value, Mapping) else {"": value}
        return {name: float(np.asarray(part)) for name, part in parts.items()}

    @functools.cached_property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shapes of its variables."""
        return tuple(np.shape(v) for v in variables_of(self.instance()))


@functools.lru_cache(maxsize=256)
def _instance(of: KerasObject, thread: int) -> Any:  # noqa: ARG001 - one for each thread
    config = json.loads(of.config)
    made = of.made_by.from_config(config) if config else of.made_by()  # type: ignore[attr-defined]
    return made if hasattr(made, "update_state") else LossMean(made)


class LossMean:
    """The weighted mean of a loss over rows, with the methods of a Keras metric."""

    def __init__(self, loss: Any) -> None:
        self.name, self._loss = loss.name, loss
        self.variables = [np.zeros(()), np.zeros(())]

    def reset_state(self) -> None:
        """Forget all rows."""
        self.variables = [np.zeros(()), np.zeros(())]

    def update_state(self, labels: Any, predictions: Any, sample_weight: Any = None) -> None:
        """Add the losses of rows, each the mean over what is in the row."""
        losses = np.asarray(self._loss.call(labels, predictions), np.float64)
        losses = losses.reshape(len(losses), -1).mean(axis=1)
        weights = np.ones(len(losses)) if sample_weight is None else np.asarray(sample_weight)
        total, weight = self.variables
        self.variables = [total + weights @ losses, weight + weights.sum()]

    def result(self) -> float:
        """The mean; NaN without weight."""
        total, weight = self.variables
        return float(total / weight) if weight else math.nan


def _columns(values: Any) -> Any:
    if not isinstance(values, np.ndarray):
        raise DataError("A metric of Keras takes numbers, and labels or predictions are none.")
    return values[:, None] if values.ndim == 1 else values


def _tensor(base: type | None, values: Any) -> Any:
    library = base.__module__.partition(".")[0] if base else "keras"
    narrow = np.asarray(values, np.float32)
    if library == "keras":
        return importlib.import_module("keras").ops.convert_to_tensor(narrow)
    return importlib.import_module("tensorflow").convert_to_tensor(narrow)


def variables_of(made: Any) -> list[Array]:
    """What its variables hold, float64."""
    return [np.asarray(variable, np.float64) for variable in made.variables]


def fill(made: Any, values: list[Array]) -> None:
    """Give its variables values."""
    if isinstance(made, LossMean):
        made.variables = list(values)
        return
    for variable, value in zip(made.variables, values, strict=True):
        variable.assign(value)


_PROBE = np.array([0.0, 1.0, 1.0, 0.0]), np.array([0.25, 0.75, 0.5, 0.625])


def _adds_up(of: KerasObject, width: int) -> bool:
    """Whether the variables of two parts of some rows of `width` classes add up to those of all."""
    labels, scores = _PROBE
    if width > 1:
        labels, scores = (
            np.eye(width)[[0, 1, 1, 0]],
            np.linspace(0.1, 0.9, 4 * width).reshape(4, -1),
        )
    states = []
    for part in (slice(0, 0), slice(0, 1), slice(1, 4), slice(0, 4)):
        made = of.instance()
        if part.stop:
            of.update(made, labels[part], scores[part], np.array([1.0, 0.5, 2.0, 1.5])[part])
        states.append(variables_of(made))
    zeros, *parts, whole = states
    sums = [first + second for first, second in zip(*parts, strict=True)]
    same = all(np.allclose(a, b, rtol=1e-4, atol=1e-5) for a, b in zip(sums, whole, strict=True))
    return same and not any(np.any(zero) for zero in zeros) and bool(whole)


def adds_up(of: KerasObject) -> bool:
    """Whether the variables of two parts of some rows add up to those of all.

    Rows of numbers, or where it takes none, of classes.
    """
    for width in (1, 3):
        try:
            return _adds_up(of, width)
        except Exception:  # noqa: BLE001, S112 - anyone's code, which may be of other shapes
            continue
    return False


def parts_of(of: KerasObject) -> list[str]:
    """The names of the values of a result that is a dict; [""] for a number."""
    made = of.instance()
    for labels, scores in (_PROBE, (np.eye(3), np.eye(3))):
        try:
            of.update(made, labels, scores, None)
            return list(of.results(made))
        except Exception:  # noqa: BLE001, S112
            continue
    return [""]
