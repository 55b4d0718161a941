# SPDX-License-Identifier: Apache-2.0
"""Pixels of images whose values are class numbers, and how labelled and predicted ones coincide."""

from __future__ import annotations

import dataclasses
import io
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from benison.data.batch import Array, Index, Inputs, Mask, Ragged
from benison.data.nested import as_numbers, is_nested
from benison.data.values import is_list, is_text, single_values, undictionary, unlisted
from benison.errors import DataError, MissingExtraError
from benison.metrics.statistics.binary import heavy
from benison.metrics.statistics.sums import Arrays, ArraysStatistic
from benison.slicing.codes import SliceCodes


class Images(NamedTuple):
    """N images, one after the other.

    Attributes:
        pixels: The class numbers of all, float64[M].
        sizes: The number of pixels of each image, int64[N].
        heights: The number of lines of each, int64[N]; 0 where that is not known.
        missing: Which images are missing, bool[N].
    """

    pixels: Array
    sizes: Index
    heights: Index
    missing: Mask


def images_of(column: pa.Array, name: str, encoded: bool) -> Images:
    """A column of images: files such as PNG, or lists of lines, or lists of pixels.

    Raises:
        DataError: It holds something else, or a file that is no image of one number for each pixel.
        MissingExtraError: Pillow, which decodes files, is not installed.

    >>> images_of(pa.array([[[1, 2], [3, 4]], None]), "truth", encoded=False).sizes
    array([4, 0])
    """
    column = undictionary(column)
    if is_list(column.type) and is_text(column.type.value_type):  # as tf.Examples hold a file
        column = single_values(column)
    if encoded != (column is not None and is_text(column.type)):
        holds = "files of images" if encoded else "lists of class numbers"
        raise DataError(
            f"The column {name!r} does not hold {holds}, one for each row. Set decode_ground_truth and "
            f"decode_prediction as the data are."
        )
    missing = np.asarray(column.is_null().to_numpy(zero_copy_only=False), np.bool_)
    if encoded:
        return _decoded(column, name, missing)
    if not is_list(column.type):
        raise DataError(f"The column {name!r} holds {column.type}, and no lists of class numbers.")
    inner, heights = unlisted(column)
    if not is_nested(column.type):
        return Images(as_numbers(inner, name), heights, np.zeros(len(column), np.int64), missing)
    numbers, widths = unlisted(undictionary(inner))
    ends, lines = (np.concatenate([[0], np.cumsum(x)]) for x in (widths, heights))
    return Images(as_numbers(numbers, name), np.diff(ends[lines]), heights, missing)


def _decoded(column: pa.Array, name: str, missing: Mask) -> Images:
    files = column.to_pylist()
    images = [np.zeros((0, 0)) if file is None else _pixels(file, name) for file in files]
    sizes, heights = (
        np.array(numbers, np.int64)
        for numbers in ([image.size for image in images], [len(image) for image in images])
    )
    pixels = np.concatenate([image.ravel() for image in images]) if images else np.zeros(0)
    return Images(pixels, sizes, heights, missing)


def _pixels(file: bytes | str, name: str) -> Array:
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtraError("Pillow, which decodes images,", "images") from error
    try:
        with Image.open(io.BytesIO(file.encode() if isinstance(file, str) else file)) as image:
            pixels = np.asarray(image).astype(np.float64)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"A file in the column {name!r} is no image: {error}.") from error
    if pixels.ndim != 2:  # noqa: PLR2004
        raise DataError(
            f"An image in the column {name!r} has {pixels.shape[-1]} numbers for each pixel; save it as "
            f"greyscale or with a palette, so that each pixel is a class number."
        )
    return pixels


class _Pixels(NamedTuple):
    """The P labelled pixels of images that are both there: the row, the label and the prediction of each."""

    rows: Index
    truth: Array
    predicted: Array

    @classmethod
    def of(cls, truth: Images, predicted: Images) -> _Pixels:
        """Those of images of one size; a pixel without a label is left out."""
        both = ~truth.missing & ~predicted.missing
        rows = np.repeat(np.arange(len(both)), np.where(both, truth.sizes, 0))
        labels, scores = (i.pixels[np.repeat(both, i.sizes)] for i in (truth, predicted))
        kept = np.flatnonzero(~np.isnan(labels))
        return cls(rows[kept], labels[kept], scores[kept])

    def undefined(self, count: int) -> Mask:
        """Whether a pixel of each of `count` images has no prediction: bool[count]."""
        return np.isin(np.arange(count), self.rows[np.isnan(self.predicted)])


@dataclasses.dataclass(frozen=True)
class PixelCounts(ArraysStatistic):
    """Weights of the pixels of each class by label and prediction.

    The state is one array float64[S, C, 4]: true positives, false positives, true negatives and false
    negatives. A row without a labelled image is none; one without a predicted image makes all NaN.

    Attributes:
        class_ids: The C classes.
        truth: The column of the labelled images.
        predicted: The predicted images: the output of the model of that name, or, where none is called, the
            column of the data; else the only output.
        decode_truth: Whether labelled images are files such as PNG, and not lists.
        decode_predicted: Whether predicted ones are.
        ignored: The labelled class whose pixels are no false positives and no true negatives.

    >>> batch = pa.record_batch({"truth": [[[1, 1], [0, 2]]], "found": [[[1, 0], [1, 2]]]})
    >>> rows = dataclasses.replace(Inputs.of([0], [0]), batch=batch)
    >>> counts = PixelCounts((1, 2), "truth", "found", decode_truth=False)
    >>> counts.add(rows, SliceCodes.of([0], 1))[0].tolist()
    [[[1.0, 1.0, 1.0, 1.0], [1.0, 0.0, 3.0, 0.0]]]
    """

    class_ids: tuple[int, ...]
    truth: str
    predicted: str
    decode_truth: bool = True
    decode_predicted: bool = False
    ignored: int | None = None

    def optional_columns(self) -> tuple[str, ...]:
        return (self.predicted,)

    def label_columns(self) -> tuple[str, ...]:
        return (self.truth,)

    def prediction_columns(self) -> tuple[str, ...]:
        return (self.predicted,)

    def shapes(self) -> tuple[tuple[int, ...], ...]:
        return ((len(self.class_ids), 4),)

    def add(self, inputs: Inputs, codes: SliceCodes) -> Arrays:
        inputs, codes = heavy(inputs, codes)
        truth = images_of(inputs.label_column(self.truth), self.truth, self.decode_truth)
        predicted = self._predicted(inputs)
        self._check(truth, predicted)
        pairs = _Pixels.of(truth, predicted)
        lacking = predicted.missing | inputs.lacks_predictions(self.prediction_columns())
        undefined = (lacking & ~truth.missing) | pairs.undefined(len(inputs))
        total = self.zero(codes.size)[0]
        for i, class_id in enumerate(self.class_ids):
            for j, cell in enumerate(self._cells(class_id, pairs)):
                counts = np.bincount(pairs.rows[cell], minlength=len(inputs)).astype(np.float64)
                counts[undefined] = np.nan
                total[:, i, j] = codes.sum(inputs.weighted(counts))
        return (total,)

    def _predicted(self, inputs: Inputs) -> Images:
        try:
            column = inputs.prediction_column(self.predicted)
        except DataError:
            output = inputs.predictions
            if not isinstance(output, Ragged) or getattr(output.values, "ndim", 1) != 2:  # noqa: PLR2004
                raise
            nothing = np.zeros(len(output), np.bool_)
            sizes = output.lengths * output.values.shape[1]
            return Images(output.values.ravel(), sizes, output.lengths, nothing)
        return images_of(column, self.predicted, self.decode_predicted)

    def _check(self, truth: Images, predicted: Images) -> None:
        both = ~truth.missing & ~predicted.missing
        known = both & (truth.heights > 0) & (predicted.heights > 0)
        wrong = both & (truth.sizes != predicted.sizes)
        wrong |= known & (truth.heights != predicted.heights)
        if wrong.any():
            at = np.flatnonzero(wrong)[0]
            raise DataError(
                f"An image in {self.truth!r} has {truth.sizes[at]:,} pixels in {truth.heights[at]} lines, "
                f"and that in {self.predicted!r} has {predicted.sizes[at]:,} in {predicted.heights[at]}. "
                f"Predict images of the size of the labelled ones."
            )

    def _cells(self, class_id: int, pairs: _Pixels) -> tuple[Mask, Mask, Mask, Mask]:
        """Which pixels count in each of the four cells of a class: bool[P] each."""
        is_class, is_predicted = pairs.truth == class_id, pairs.predicted == class_id
        counted = is_class | (pairs.truth != (np.nan if self.ignored is None else self.ignored))
        return (
            is_class & is_predicted,
            ~is_class & is_predicted & counted,
            ~is_class & ~is_predicted & counted,
            is_class & ~is_predicted,
        )
