# SPDX-License-Identifier: Apache-2.0
"""Checks what metrics read by name of labels and predictions against the data, before any are read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

import pyarrow as pa

from benison.config import ModelSpec
from benison.config.faults import Fault
from benison.engine.named_columns import label_columns, prediction_columns
from benison.engine.plan import Plan
from benison.errors import suggestion


def named_faults(
    plan: Plan, columns: Collection[str], called: Collection[str], types: Mapping[str, pa.DataType]
) -> Iterator[Fault]:
    """Names that are neither in the data nor in a column of structs, and columns that several models share.

    Args:
        plan: What to compute.
        columns: The columns of the data.
        called: The models that are called, whose outputs are not known yet.
        types: The types of the columns, as far as they are known.
    """
    own = {spec.name for spec in plan.config.model_specs if spec.name in called}
    own |= {s.name for s in plan.config.model_specs if _fields(s.columns_of("prediction"), types)}
    for spec in plan.config.model_specs:
        for name in sorted(_absent(plan, spec, called, types) - {*columns}):
            text = f"a metric reads the column {name!r}, which the data do not have."
            yield Fault(("metrics_specs",), f"{text} {suggestion(name, columns)}")
    if len(plan.config.model_specs) > max(len(own), 1):
        yield from _shared(plan)


def _absent(
    plan: Plan, spec: ModelSpec, called: Collection[str], types: Mapping[str, pa.DataType]
) -> set[str]:
    """The names of which the data must have columns."""
    names = label_columns(plan, spec.name) - _fields(spec.columns_of("label"), types)
    if spec.name not in called:
        predicted = prediction_columns(plan, spec.name)
        names |= predicted - _fields(spec.columns_of("prediction"), types)
    return names - plan.optional_columns


def _fields(by_output: Mapping[str, str], types: Mapping[str, pa.DataType]) -> set[str]:
    """The fields of those columns that hold structs."""
    kinds: Iterable[pa.DataType | None] = map(types.get, by_output.values())
    structs = [kind for kind in kinds if kind is not None and pa.types.is_struct(kind)]
    return {field.name for kind in structs for field in kind}


def _shared(plan: Plan) -> Iterator[Fault]:
    """Metrics that would compare columns of the data with themselves."""
    shared = {c.key for c in plan.computations if c.metric.predicts_by_columns}
    for each in plan.judged:
        if shared.intersection(each.keys):
            text = (
                f"{each.name} takes predictions from columns of the data, which are the same for every "
                "model; ask for it in a config of one model, or give each model to call."
            )
            yield Fault(("metrics_specs", each.spec, "metrics", each.metric), text)
