# SPDX-License-Identifier: Apache-2.0
"""Opens the examples as a config asks for them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pyarrow as pa

from benison.config import EvalConfig
from benison.data.dataset import Dataset
from benison.data.reading import Rules
from benison.engine.plan import slicing_specs
from benison.slicing.spec_columns import columns_of, unreadable


def open_examples(
    source: Any, format_: str | None, config: EvalConfig, called: Collection[str] = ()
) -> Dataset:
    """The examples, whose schema has all columns that the config names, so far as they exist.

    Args:
        source: As `Dataset.open` takes it.
        format_: As `Dataset.open` takes it.
        config: With its defaults filled in.
        called: The names of the model specs whose predictions come from a model.

    Raises:
        DataError: The examples cannot be opened.
    """
    options = config.options
    types = {name: pa.type_for_alias(alias) for name, alias in options.column_types.items()}
    row_key, delimiter = options.row_key, options.delimiter
    rules = Rules(options.null_values, types, row_key=row_key, delimiter=delimiter)
    dataset = Dataset.open(source, format_, rules)
    if any(spec.preprocessing_function_names for spec in config.model_specs):
        return dataset  # only the functions know which columns they make
    columns = columns_of(spec for spec in slicing_specs(config) if not [*unreadable(spec)])
    columns |= {*options.row_key}
    columns |= {spec.query_key for spec in config.metrics_specs if spec.query_key}
    for model in config.model_specs:
        columns |= model.columns(with_predictions=model.name not in called)
    return dataset.knowing(columns)
