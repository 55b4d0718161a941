# SPDX-License-Identifier: Apache-2.0
"""Calls a model on many rows in batches, with smaller batches when memory runs out."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from benison.errors import ModelError

# Bytes of input in one call. Activations between the layers may need many times that.
CALL_BYTES = 2**26

# How C++ libraries report that memory ran out, in exceptions of a general type.
_OUT_OF_MEMORY = re.compile(r"bad.?alloc|out of memory|failed to allocate|\bOOM\b", re.IGNORECASE)

T = TypeVar("T")

_LOGGER = logging.getLogger("benison")


class BatchedCalls:
    """Calls a model on at most `size` rows at a time.

    Rows that are wide make smaller batches, of at most `CALL_BYTES`. When memory runs out, the batch is
    halved and stays so. With `fixed`, each call gets exactly `size` rows: a shorter batch is padded with
    its last row.
    """

    def __init__(self, size: int, *out_of_memory: type[Exception], fixed: bool = False) -> None:
        self.size = size
        self.fixed = fixed
        self._out_of_memory: tuple[type[Exception], ...] = (MemoryError, *out_of_memory)
        self._warned = False

    def run(
        self, rows: int, call: Callable[[slice], Mapping[str, Any]], fed: int = 0
    ) -> dict[str, npt.NDArray[Any]]:
        """Concatenate the outputs of `call` over all batches; outputs that are no predictions are dropped.

        Raises:
            ModelError: A single row does not fit into memory, or no output has one row for each example.
        """

        def predict(part: slice) -> dict[str, npt.NDArray[Any]]:
            outputs = call(part)
            rows = part.stop - part.start
            of_examples = _of_examples(outputs, self.size if self.fixed else rows)
            return {name: array[:rows] for name, array in of_examples.items()}

        parts = self.parts(rows, predict, fed)
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def parts(self, rows: int, call: Callable[[slice], T], fed: int = 0) -> list[T]:
        """What `call` returns for each slice of the rows, in order; one empty slice for no rows.

        Args:
            rows: In all.
            call: The model.
            fed: The bytes that all rows have in the arrays that the model is fed, where known.

        Raises:
            ModelError: A single row does not fit into memory.
        """
        results: list[T] = []
        start = 0
        while start < rows or not results:
            end = min(start + self._fitting(rows, fed), rows)
            try:
                results.append(call(slice(start, end)))
            except Exception as error:  # each framework has its own class for running out of memory
                self._halve(error, end - start)
            else:
                start = end
        return results

    def fill(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Pad the rows of a call to the number that the model takes, if that is fixed."""
        short = self.size - len(array) if self.fixed else 0
        last = array[-1:] if len(array) else np.zeros((1, *array.shape[1:]), array.dtype)
        return np.concatenate([array, np.repeat(last, short, axis=0)]) if short else array

    def _fitting(self, rows: int, fed: int) -> int:
        """Rows in the next call; a power of two when rows are wide, so that equal data make equal batches."""
        most = CALL_BYTES * rows // fed if fed else self.size
        return self.size if self.fixed or most >= self.size else 1 << max(most.bit_length() - 1, 0)

    def _halve(self, error: Exception, tried: int) -> None:
        if not (isinstance(error, self._out_of_memory) or _OUT_OF_MEMORY.search(str(error))):
            raise error
        if self.fixed or tried <= 1:
            raise ModelError(
                f"{'A batch' if self.fixed else 'One row'} does not fit into memory."
            ) from error
        self.size = tried // 2
        if not self._warned:
            _LOGGER.warning(
                "Memory ran out when the model was called on %d rows at once; from now on it is called on "
                "half as many, and on fewer if that is still too much.",
                tried,
            )
            self._warned = True


def _of_examples(outputs: Mapping[str, Any], rows: int) -> dict[str, npt.NDArray[Any]]:
    """The outputs that have a row for each example, [N], [N, C] or [N, M, k], with [N, 1] as [N].

    Other outputs, such as the names of classes, are dropped.
    """
    arrays = {name: in_order(output, rows) for name, output in outputs.items()}
    fit = {name: a for name, a in arrays.items() if a.ndim in (1, 2, 3) and len(a) == rows}
    if not fit:
        shapes = ", ".join(f"{name!r} of shape {array.shape}" for name, array in arrays.items())
        raise ModelError(
            f"For {rows:,} rows the model returns {shapes or 'nothing'}; predictions have one row for "
            f"each example, and one number or a list of numbers in it."
        )
    return {name: a[:, 0] if a.ndim == 2 and a.shape[1] == 1 else a for name, a in fit.items()}


def in_order(output: Any, rows: int) -> npt.NDArray[Any]:
    """An output as an array; of pandas, as many rows must be those of the call, counted from 0."""
    of_rows = hasattr(output, "iloc") and len(output) == rows
    if of_rows and not np.array_equal(output.index, np.arange(rows)):
        raise ModelError(
            "it returns rows whose index is not that of the rows given, so which prediction is whose is "
            "unclear. Return them in the order given: predictions.reindex(frame.index) where they were "
            "sorted, predictions.to_numpy() where only the index is another."
        )
    return np.asarray(output)
