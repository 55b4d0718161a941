# SPDX-License-Identifier: Apache-2.0
"""The extractors of columns: labels, weights, and predictions that somebody made before.

A column of structs holds several outputs of a model: its fields go to the metrics that ask for them by name,
and the scores among them are the predictions, as of a model that is called.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from benison.data.batch import Extracts, Target, check_weights
from benison.data.values import innermost, is_list, is_number, is_text, undictionary, unlisted
from benison.engine.class_numbers import ClassNumbers
from benison.engine.prediction_outputs import WELL_KNOWN_OUTPUTS, in_class_order, named_classes
from benison.engine.read_columns import as_column, as_floats
from benison.errors import DataError

_OF_PARTS = ("labels", "predictions")  # which metrics may ask for by name; a weight is one number


@dataclasses.dataclass(frozen=True)
class ColumnExtractor:
    """Reads columns into one key of the extracts, as `convert` makes them; one for each model and output."""

    concurrent: ClassVar[bool] = True
    stage_name: str
    key: str
    sources: tuple[tuple[Target, str], ...]
    convert: Callable[[pa.RecordBatch, str], Any]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it reads."""
        return tuple(column for _, column in self.sources)

    def extract(self, extracts: Extracts) -> Extracts:
        columns: dict[Target, Any] = dict(extracts.get(self.key, {}))  # type: ignore[call-overload]
        read: dict[tuple[str, str], Any] = {}
        parts = dict(extracts.get("parts", {}))
        for target, column in self.sources:
            source, batch = _source(extracts, target[0], column)
            fields = _fields(batch, column) if self.key in _OF_PARTS else None
            if fields is not None:
                parts[self.key, *target, ""] = fields
                continue
            if (source, column) not in read:
                read[source, column] = self.convert(batch, column)
            columns[target] = read[source, column]
        extracted: Extracts = {**extracts, self.key: columns}  # type: ignore[misc]
        return {**extracted, "parts": parts} if parts else extracted


def _fields(batch: pa.RecordBatch, name: str) -> pa.RecordBatch | None:
    """The fields of a column of structs as columns; None where it is something else."""
    if name not in batch.schema.names or not pa.types.is_struct(batch.schema.field(name).type):
        return None
    column = batch.column(name)
    return pa.RecordBatch.from_arrays(column.flatten(), [field.name for field in column.type])


def _source(extracts: Extracts, model: str, column: str) -> tuple[str, pa.RecordBatch]:
    """Where a model's column is: in its transformed features, else in the data; and whose it is."""
    made = extracts.get("transformed_features", {}).get(model)
    if made is not None and column in made.schema.names:
        return model, made
    if made is not None and column not in extracts["features"].schema.names:
        names = [*made.schema.names, *extracts["features"].schema.names]
        raise DataError.from_missing_column(
            column, names, "With the transformed features, the data"
        )
    return "", extracts["features"]


@dataclasses.dataclass(frozen=True)
class WeightsExtractor:
    """Reads the example weights, and refuses those that could not be weights."""

    concurrent: ClassVar[bool] = True
    sources: tuple[tuple[Target, str], ...]
    stage_name: str = "ExtractExampleWeights"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it reads."""
        return tuple(column for _, column in self.sources)

    def extract(self, extracts: Extracts) -> Extracts:
        reader = ColumnExtractor(self.stage_name, "example_weights", self.sources, as_floats)
        extracted = reader.extract(extracts)
        for target, column in self.sources:
            check_weights(extracted["example_weights"][target], column)
        return extracted


@dataclasses.dataclass(frozen=True)
class GivenPredictionsExtractor:
    """Reads predictions from columns, and the names of classes that stand beside them in columns of structs.

    Attributes:
        sources: The column of each model and output.
        scored: The models of which some metric looks at the prediction, so that a field must be it.
        numbers: Makes labels the numbers of the classes that are named.
    """

    concurrent: ClassVar[bool] = True
    sources: tuple[tuple[Target, str], ...]
    scored: frozenset[str] = frozenset()
    numbers: ClassNumbers = dataclasses.field(default_factory=ClassNumbers, compare=False)
    stage_name: str = "ExtractMaterializedPredictions"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it reads."""
        return tuple(column for _, column in self.sources)

    def extract(self, extracts: Extracts) -> Extracts:
        extracted = ColumnExtractor(
            self.stage_name, "predictions", self.sources, as_column
        ).extract(extracts)
        predictions, parts = dict(extracted["predictions"]), extracted.get("parts", {})
        for target, _ in self.sources:
            fields = parts.get(("predictions", *target, ""))
            scores = None if fields is None else _scores(fields)
            if fields is not None and scores is not None and target[0] in self.scored:
                outputs = {**_texts(fields), **_numbers(fields, scores)}
                predictions[target], numbers = in_class_order(outputs, scores)
                self.numbers.learn(target, named_classes(outputs) if numbers == () else numbers)
        extracted["predictions"] = predictions
        return self.numbers.numbered(extracted)


def _scores(fields: pa.RecordBatch) -> str | None:
    """The field that is the prediction: the only one of numbers, else one of a well-known name."""
    numbers: list[str] = [f.name for f in fields.schema if is_number(innermost(f.type))]
    if len(numbers) == 1:
        return numbers[0]
    return next((name for name in WELL_KNOWN_OUTPUTS if name in numbers), None)


def _numbers(fields: pa.RecordBatch, scores: str) -> dict[str, Any]:
    """The scores, and classes that are numbers."""
    kinds = {field.name: innermost(field.type) for field in fields.schema}
    names = {scores} | {name for name in ("classes",) if name in kinds and is_number(kinds[name])}
    return {name: as_column(fields, name) for name in names}


def _texts(fields: pa.RecordBatch) -> Mapping[str, Any]:
    """The fields by name; those of up to C texts in a row as arrays [N, C], without rows that have none.

    Those of one text in a row are arrays [N].
    """
    arrays: dict[str, Any] = dict.fromkeys(fields.schema.names)
    for field, column in zip(fields.schema, fields.columns, strict=True):
        if is_text(field.type):
            arrays[field.name] = np.asarray(undictionary(column).drop_null(), object)
        elif is_list(field.type) and is_text(innermost(field.type)):
            values, lengths = unlisted(column)
            widths = lengths[lengths > 0]
            texts = np.full((len(widths), widths.max(initial=0)), None)
            texts[np.arange(texts.shape[1]) < widths[:, None]] = undictionary(values)
            arrays[field.name] = texts
    return arrays
