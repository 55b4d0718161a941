# SPDX-License-Identifier: Apache-2.0
"""Prints the table of `docs/verdict.md` that says which metric has which interval, from the registry.

python -m tests.statistics.interval_table
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict

import numpy as np

from benison.data.batch import Inputs
from benison.evidence.choice import estimator_of
from benison.evidence.estimators import Estimator, is_number
from benison.evidence.spread import Share, Spread
from benison.metrics import Metric, from_config, registered
from benison.slicing.codes import SliceCodes
from benison.testing import example_config, example_inputs

_ROWS = 24
_BLOCKS = ("blocks",) * 3


def methods_of(metric: Metric) -> tuple[str, str, str]:
    """The `interval_method` of values, of changes and of weighted values; "none" for no interval."""
    if not is_number(metric):
        return ("none",) * 3
    if metric.needs_groups or estimator_of(metric, paired=True, weighted=False) is None:
        return _BLOCKS
    value, change = _methods(metric, weighted=False)
    return value, change, _methods(metric, weighted=True)[0] if metric.takes_weights else "none"


def _methods(metric: Metric, weighted: bool) -> tuple[str, str]:
    """Those of a value and of a change."""
    is_paired = metric.needs_prediction and not metric.needs_baseline
    known = estimator_of(metric, is_paired, weighted)
    assert known is not None
    rows = example_inputs(metric, _ROWS, weighted=weighted)
    other = rows.predictions if is_paired else rows.baseline
    rows = dataclasses.replace(
        rows, baseline=other, batch_numbers=np.arange(_ROWS, dtype=np.uint64)
    )
    if not is_paired:
        return _named(known.spread(*_states(known, rows))), "none"
    paired = known.compared(*_states(known, rows))
    return _named(paired.candidate), _named(paired.change)


def _named(spread: Spread) -> str:
    """The method from 200 rows on, where shares of fewer have exact limits."""
    return "wilson" if isinstance(spread, Share) else spread.method[0]


def _states(known: Estimator, rows: Inputs) -> list[object]:
    codes = SliceCodes.of(np.zeros(len(rows)), 1)
    alone = [statistic.add(rows, codes) for statistic in known.alone()]
    together = (statistic.add(rows, codes) for statistic in known.statistics())
    return [*together, *alone, *alone] if known.paired else [*together, *alone]


def interval_table() -> str:
    """A line for each combination of methods, with the metrics that have it."""
    metrics: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for name in registered():
        metrics[methods_of(from_config(name, example_config(name)))].append(name)
    rows = [
        f"| {' | '.join(f'`{method}`' for method in methods)} | {', '.join(names)} |"
        for methods, names in sorted(metrics.items(), key=lambda entry: -len(entry[1]))
    ]
    header = ["| value | change | weighted value | metrics |", "|---|---|---|---|"]
    return "\n".join([*header, *rows])


if __name__ == "__main__":
    print(interval_table())
