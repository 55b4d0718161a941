# SPDX-License-Identifier: Apache-2.0
"""Metrics of labels and predictions that are text.

Texts are compared as they are: case, spaces and Unicode normal forms count. A missing prediction is no
empty text, and makes the value of its slices NaN.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benison.data.batch import Array, Inputs
from benison.errors import DataError
from benison.metrics.base import Metric, Statistic, ratio
from benison.metrics.pairing import COMPARED, check_equality, pairs
from benison.metrics.registry import HIGHER, About, register
from benison.metrics.statistics.sums import Arrays, Mean

_JSON = "json"


@dataclasses.dataclass(frozen=True)
class Matches:
    """1 where label and prediction are equal, else 0; NaN without a prediction: float64[N].

    Rows with several numbers, float64[N, C], are equal if all C are.

    Attributes:
        convert_to: "json" to compare what the texts mean as JSON; None to compare the texts.
    """

    convert_to: str | None

    def __call__(self, inputs: Inputs) -> Array:
        """Compare the rows of a batch.

        Raises:
            DataError: One of labels and predictions is text and the other is not.
        """
        labels, predictions = inputs.labels, inputs.predictions
        if isinstance(labels, pa.Array) != isinstance(predictions, pa.Array):
            sides = ("labels", "predictions")
            raise DataError(mixed_kinds(*(sides if isinstance(labels, pa.Array) else sides[::-1])))
        if not isinstance(labels, pa.Array):
            labels, predictions = pairs(inputs)
            equal, missing = labels == predictions, np.isnan(predictions)
            equal = equal if equal.ndim == 1 else equal.all(axis=1)
            return np.where(missing if missing.ndim == 1 else missing.any(axis=1), np.nan, equal)
        if self.convert_to == _JSON:
            labels, predictions = _canonical(labels), _canonical(predictions)
        equal = pc.equal(labels.cast(pa.string()), predictions.cast(pa.string()))
        return np.asarray(pc.cast(equal, pa.int8()).cast(pa.float64()).to_numpy(False), np.float64)


def mixed_kinds(text: str, numbers: str, column: str = "") -> str:
    """What is said where one of labels and predictions is text, and the other numbers.

    Args:
        text: "labels" or "predictions", which are text.
        numbers: The others.
        column: The name of the column of text, where it is known.
    """
    called = f"The {text}{f' in {column!r}' * bool(column)}"
    if text == "predictions":
        return (
            f"{called} are text, and the {numbers} are numbers: name as label_key a column of such texts, "
            f"or as prediction_key one of numbers."
        )
    return (
        f"{called} are text, and the {numbers} are numbers: name as label_key a column of numbers, which is "
        f"0 or 1 beside one score in a row, and beside one for each class the place of the label's, from 0."
    )


def _canonical(texts: pa.Array) -> pa.Array:
    """Each text as JSON writes what it means, with sorted keys; text that is no JSON stays as it is."""
    # A text that repeats, as answers of a model do, is parsed once.
    encoded = texts.dictionary_encode()
    known = pa.array([_meaning(text) for text in encoded.dictionary.to_pylist()], pa.string())
    return known.take(encoded.indices)


def _meaning(text: Any) -> Any:
    try:
        return json.dumps(json.loads(text), sort_keys=True)
    except (TypeError, ValueError, RecursionError):
        return text


@dataclasses.dataclass(frozen=True)
class ExactMatch(Metric):
    """Share of the rows whose prediction equals the label, text or number; from 0 to 1, higher is better.

        sum w [y = p] / sum w

    With `convert_to="json"` texts are compared as the JSON that they hold, so that the order of keys and
    spaces do not matter; 1 and 1.0 differ. NaN for a slice without rows, or with a row without a prediction.

    The values are those of TFMA's ExactMatch.

    Attributes:
        convert_to: "json", or None.
        name: The metric's name in the results.

    >>> ExactMatch().of(Inputs.of(["yes", "no"], ["yes", "yes"]))
    0.5
    >>> ExactMatch("json").of(Inputs.of(['{"a": 1, "b": 2}'], ['{"b":2,"a":1}']))
    1.0
    """

    convert_to: str | None = None
    name: str = "exact_match"
    accepts = frozenset({"text", "binary", "real", "classes"})
    is_share = True

    def __post_init__(self) -> None:
        if self.convert_to not in (None, _JSON):
            raise ValueError(f"convert_to must be {_JSON!r} or nothing, not {self.convert_to!r}")

    def statistics(self) -> tuple[Statistic[Any], ...]:
        return Mean(Matches(self.convert_to)), COMPARED

    def check(self, mean: Arrays, compared: Array) -> None:
        check_equality(self.name, compared)

    def result(self, mean: Arrays, compared: Array) -> Array:
        return ratio(*mean)


register("ExactMatch", ExactMatch, About.of(ExactMatch, HIGHER, 0, 1))
