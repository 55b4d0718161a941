# SPDX-License-Identifier: Apache-2.0
"""Counts the rows of each slice, for plans that are made before there is a model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa

from benison.config import EvalConfig, MetricConfig, MetricsSpec, Options, SlicingSpec
from benison.config.fields import NO_CORRECTION
from benison.data.batch import Array
from benison.errors import DataError
from benison.evaluation.api import evaluate
from benison.results import sample_sizes

_KEPT = ("column_types", "null_values", "min_slice_size")
"""The options that change which slices there are."""


def slice_sizes(
    examples: Any,
    config: EvalConfig,
    specs: Iterable[SlicingSpec] | None = None,
    format_: str | None = None,
) -> pa.Table:
    """The slices of some data with their rows, the largest first: columns `slice` and `examples`.

    Args:
        examples: As `evaluate` takes them; only the columns of slices are read.
        config: What is sliced, and how columns are read; its models and metrics are not looked at.
        specs: Slicing specs in place of those of the config.
        format_: As `evaluate` takes it.

    >>> trips = pa.table({"company": ["Blue", "Blue", "Red"]})
    >>> slice_sizes(trips, EvalConfig(slicing_specs=[{"feature_keys": ["company"]}])).to_pydict()
    {'slice': ['company=Blue', 'company=Red'], 'examples': [2, 1]}
    """
    chosen = config.slicing_specs if specs is None else tuple(specs)
    counting = EvalConfig(
        slicing_specs=chosen,
        metrics_specs=(MetricsSpec(metrics=(MetricConfig(class_name="ExampleCount"),)),),
        options=Options(**{name: getattr(config.options, name) for name in _KEPT}),
    )
    metrics = evaluate(examples, counting, format=format_).metrics
    order = [("examples", "descending"), ("slice", "ascending")]
    return metrics.select(["slice", "examples"]).sort_by(order)


def of_data(
    examples: Any, config: EvalConfig, churn: float, fall: float | None = None
) -> list[dict[str, Any]]:
    """What each slice of some data can show of two models, of which exactly one is right on so many rows.

    The rows are those of `sample_sizes.of_result`, over as many checks as there are slices.

    Args:
        examples: As `evaluate` takes them.
        config: What is sliced, and how sure a verdict must be.
        churn: The share of rows on which exactly one of two models is right.
        fall: The fall that is to be seen.

    Raises:
        DataError: No slice has as many rows as `min_slice_size`.
    """
    sizes = slice_sizes(examples, config)
    if not sizes.num_rows:
        raise DataError(
            f"No slice has {config.options.min_slice_size:,} rows, so there is none to plan for. Lower "
            "options.min_slice_size, or give more data."
        )
    counts: Array = np.asarray(sizes["examples"].to_numpy(), float)
    is_corrected = config.options.certainty.correction != NO_CORRECTION
    family = len(counts) if is_corrected else 1
    planned = sample_sizes.of_churn(counts.tolist(), churn, family, fall, config.alpha)
    return [
        row | {"slice": name} for row, name in zip(planned, sizes["slice"].to_pylist(), strict=True)
    ]
