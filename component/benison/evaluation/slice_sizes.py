# SPDX-License-Identifier: Apache-2.0
"""Counts the rows of each slice, for plans that are made before there is a model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from benison.config import (
    CrossSlicingSpec,
    EvalConfig,
    MetricConfig,
    MetricsSpec,
    Options,
    SlicingSpec,
)
from benison.evaluation.api import evaluate

_KEPT = ("column_types", "null_values", "delimiter", "min_slice_size")
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
    metrics = counted_slices(examples, config, chosen, format_=format_)
    return metrics.select(["slice", "examples"])


def counted_slices(
    examples: Any,
    config: EvalConfig,
    specs: Iterable[SlicingSpec],
    crossings: Iterable[CrossSlicingSpec] = (),
    format_: str | None = None,
) -> pa.Table:
    """The slices of some data, and comparisons of them, as rows of metrics.parquet, the largest first.

    Args:
        examples: As `evaluate` takes them; only the columns of slices are read.
        config: How columns are read, and how few rows a slice may have.
        specs: What is sliced.
        crossings: Which slices are compared.
        format_: As `evaluate` takes it.
    """
    counting = EvalConfig(
        slicing_specs=tuple(specs),
        cross_slicing_specs=tuple(crossings),
        metrics_specs=(MetricsSpec(metrics=(MetricConfig(class_name="ExampleCount"),)),),
        options=Options(**{name: getattr(config.options, name) for name in _KEPT}),
    )
    metrics = evaluate(examples, counting, format=format_).metrics
    return metrics.sort_by([("examples", "descending"), ("slice", "ascending")])
