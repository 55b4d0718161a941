# SPDX-License-Identifier: Apache-2.0
"""Calls exported programs: functions of tensors, each a column, or one matrix of all features."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benison.errors import ModelError
from benison.models.arrays import Input, as_input
from benison.models.calls import BatchedCalls
from benison.models.matrix import fails
from benison.models.predictor import LoadOptions, Outputs

CALL_ROWS = 8192

_TYPES = {
    "bool",
    "string",
    *(f"{kind}{bits}" for kind in ("int", "uint", "float") for bits in (8, 16, 32, 64)),
}


class TensorsPredictor:
    """An exported program.

    Args:
        title: How messages call it, with its path.
        inputs: What it takes, in order, with the shape of one row; "" is the name of one without.
        call: The program: arrays [N, ...] in that order to whatever it returns, in numpy.
        batches: How many rows inputs say that each call has; none for any number.
        options: How it is called; `names` are the columns of the only input, or of each.

    Raises:
        ModelError: The inputs do not say which columns they are.
    """

    takes_examples = False

    def __init__(
        self,
        title: str,
        inputs: Sequence[Input],
        call: Callable[[Sequence[npt.NDArray[Any]]], Any],
        batches: Collection[int],
        options: LoadOptions,
    ) -> None:
        self._title, self._call, self._inputs = title, call, tuple(inputs)
        self._names = options.names
        if len(batches) > 1:
            raise ModelError(
                f"{title} has inputs of {' and '.join(map(str, sorted(batches)))} rows, and all are columns. "
                "Export it with one free first dimension for all of them."
            )
        batch = next(iter(batches), 0)
        self._calls = BatchedCalls(batch or options.rows or CALL_ROWS, fixed=bool(batch))
        self._check_inputs()
        if self._names:
            self._check_names()
        self.columns: tuple[str, ...] | None = self._names or tuple(i.name for i in inputs)

    def _check_inputs(self) -> None:
        names = [wanted.name for wanted in self._inputs if wanted.name]
        for wanted in self._inputs:
            if wanted.dtype not in _TYPES:
                raise ModelError(
                    f"{self._title} takes {wanted.dtype}, as which columns cannot be given. Export it with "
                    "inputs of float32."
                )
        if len(set(names)) < len(names):
            raise ModelError(f"{self._title} has two inputs of one name: {', '.join(names[:12])}.")

    def _check_names(self) -> None:
        names, (first, *others) = self._names, self._inputs
        if others and first.name:
            own = ", ".join(wanted.name for wanted in self._inputs[:12])
            raise ModelError(
                f"{self._title} names its inputs itself: {own}. Leave feature_keys out of model_specs."
            )
        width = len(self._inputs) if others else (first.shape or (1,))[0]
        if width not in (None, len(names)):
            takes = f"has {width} inputs" if others else f"takes {width} numbers in each row"
            raise ModelError(
                f"{self._title} {takes}, and feature_keys in model_specs names {len(names)} columns: "
                f"{', '.join(names[:12])}."
            )

    def predict(self, features: pa.RecordBatch, serialized: pa.Array | None) -> Outputs:
        """The outputs by their names; of a list "output_0", "output_1"; of a single one "output"."""
        arrays = self._arrays(features)

        def call(part: slice) -> Mapping[str, Any]:
            return _by_name(self._call([self._calls.fill(array[part]) for array in arrays]))

        try:
            return self._calls.run(features.num_rows, call, sum(a.nbytes for a in arrays))
        except Exception as error:  # frameworks have errors of their own
            raise fails(self._title, error) from error

    def _arrays(self, features: pa.RecordBatch) -> list[npt.NDArray[Any]]:
        first, *others = self._inputs
        if self._names and not others and first.shape:
            columns = (as_input(features, Input(n, first.dtype, ())) for n in self._names)
            return [np.stack(list(columns), axis=1)]
        named = zip(self.columns or (), self._inputs, strict=True)
        return [as_input(features, Input(name, i.dtype, i.shape)) for name, i in named]


def _by_name(returned: Any) -> Mapping[str, Any]:
    if isinstance(returned, Mapping):
        return {str(name): np.asarray(values) for name, values in returned.items()}
    if isinstance(returned, list | tuple):
        return {f"output_{i}": np.asarray(values) for i, values in enumerate(returned)}
    return {"output": np.asarray(returned)}
