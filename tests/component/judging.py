# SPDX-License-Identifier: Apache-2.0
"""What the tests of the verdict share: results made by hand, and thresholds on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from benison.config import EvalConfig
from benison.engine.plan import Plan
from benison.slicing.keys import SliceKey
from benison.table.key import SLICE_DIFFERENCE, VALUE, Key
from benison.table.schema import METRICS_SCHEMA
from benison.table.slice_columns import SliceColumns
from benison.table.words import metric_kind
from benison.validation.judge import validate
from benison.validation.verdict import Verdict

OVERALL: SliceKey = ()
UP, DOWN = "HIGHER_IS_BETTER", "LOWER_IS_BETTER"
FLASH: SliceKey = (("company", "Flash Cab"),)


class Versus(NamedTuple):
    """A comparison of slices."""

    base: SliceKey
    other: SliceKey


def rows(
    values: Mapping[SliceKey | Versus, float],
    model: str = "",
    metric: str = "auc",
    examples: int = 1203,
    **view: Any,
) -> pa.RecordBatch:
    """Rows of one metric."""
    pairs = [tuple(key) if isinstance(key, Versus) else (key, None) for key in values]
    columns = SliceColumns.of(pairs, np.full(len(pairs), examples))
    numbers = np.array(list(values.values()), np.float64)
    name, kind = metric_kind(metric)
    batch = columns.metric_rows(Key(name, model, kind=kind, **view), numbers)
    if kind == VALUE:
        kinds = [VALUE if other is None else SLICE_DIFFERENCE for _, other in pairs]
        position = METRICS_SCHEMA.get_field_index("kind")
        arrays = [*batch.columns[:position], pa.array(kinds), *batch.columns[position + 1 :]]
        batch = pa.RecordBatch.from_arrays(arrays, schema=METRICS_SCHEMA)
    return batch


def table(*batches: pa.RecordBatch) -> pa.Table:
    return pa.Table.from_batches(batches, METRICS_SCHEMA)


def bounds(lower: float | None = None, upper: float | None = None) -> dict[str, Any]:
    values = {"lower_bound": lower, "upper_bound": upper}
    return {"value_threshold": {k: v for k, v in values.items() if v is not None}}


def change(direction: str, **limits: float) -> dict[str, Any]:
    return {"change_threshold": {"direction": direction, **limits}}


def judge(
    metrics: pa.Table,
    auc: dict[str, Any] | None = None,
    baseline: bool = False,
    small: Sequence[SliceKey] = (),
    **more: Any,
) -> Verdict:
    """The verdict on AUC, whose MetricConfig has the fields `auc`."""
    specs: list[dict[str, Any]] = [{"name": "new", "label_key": "l", "prediction_key": "p"}]
    if baseline:
        specs.append({**specs[0], "name": "old", "is_baseline": True})
    metric = {"class_name": "AUC", **(auc or {})}
    made = {
        "model_specs": more.pop("model_specs", specs),
        "slicing_specs": more.pop("slicing_specs", [{}, {"feature_keys": ["company"]}]),
        "cross_slicing_specs": more.pop("cross_slicing_specs", []),
        "metrics_specs": [{"metrics": [metric], **more}],
    }
    config = EvalConfig.load(made).with_defaults(baseline)
    return validate(config, Plan.of(config).judged, metrics, small)


def judged_value(
    value: float, threshold: dict[str, Any], old: float | None = None, **more: Any
) -> Verdict:
    """The verdict on one value of Overall."""
    if old is None:
        return judge(table(rows({OVERALL: value}, **more)), {"threshold": threshold})
    both = table(rows({OVERALL: value}, "new", **more), rows({OVERALL: old}, "old", **more))
    return judge(both, {"threshold": threshold}, baseline=True)
