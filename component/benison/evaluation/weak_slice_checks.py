# SPDX-License-Identifier: Apache-2.0
"""Makes checks of the weak slices that were confirmed, and lets them change the verdict where they may."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from benison.config import EvalConfig, WeakSliceOptions
from benison.config.weak_slice_options import CHANGE, FAIL, OFF
from benison.table.schema import CHECKS_SCHEMA
from benison.validation import terms
from benison.validation.terms import NOT_EVALUATED
from benison.validation.verdict import BLESSED, NOT_BLESSED, Verdict
from benison.weak_slices.findings import sentence

WEAK_SLICE = "weak_slice"


def with_weak_slices(verdict: Verdict, config: EvalConfig, slices: pa.Table | None) -> Verdict:
    """The verdict with a check for each slice that was confirmed, or one that says that none was."""
    options = config.weak_slices
    if options is None or options.gate == OFF:
        return verdict
    unsearched = slices is None and (options.loss != CHANGE or config.baseline_spec is not None)
    if unsearched and options.gate != FAIL:
        return verdict  # no feature parts the rows
    rows = [*_rows(config, options, slices)]
    added = pa.Table.from_pylist(rows, CHECKS_SCHEMA)
    table = pa.concat_tables([verdict.table, added])
    stamped = any(row["outcome"] == terms.RUBBER_STAMPED for row in rows)
    status = verdict.status
    if any(row["outcome"] == terms.FAIL for row in rows):
        status = NOT_BLESSED
    elif unsearched and status == BLESSED:
        status = NOT_EVALUATED
    elif options.gate == FAIL and not verdict.total and not unsearched:  # the only threshold
        status = BLESSED
    return dataclasses.replace(
        verdict, status=status, table=table, rubber_stamped=verdict.rubber_stamped or stamped
    )


def _rows(
    config: EvalConfig, options: WeakSliceOptions, slices: pa.Table | None
) -> Iterator[dict[str, Any]]:
    """The rows of checks.parquet; of a search that does not gate only what was confirmed."""
    for row in [] if slices is None else slices.to_pylist():
        outcome = terms.FAIL if options.gate == FAIL else terms.PASS
        model = row["model"] if len(config.candidate_specs) > 1 else ""
        yield {**_check(row, options), "outcome": outcome, "note": sentence(row, model)}
    if options.gate != FAIL or (slices is not None and slices.num_rows):
        return
    name = config.candidate_specs[0].name if config.candidate_specs else ""
    none: dict[str, Any] = {"model": name, "output": "", "slice": "Overall", "slice_key": []}
    if slices is None and config.baseline_spec is not None:
        note = "No feature parts the rows, so slices that became worse could not be looked for."
        yield {**_check(none, options), "outcome": terms.NOT_EVALUATED, "note": note}
    elif slices is None:
        note = "There is no baseline, so slices that became worse were not looked for (rubber-stamped)."
        yield {**_check(none, options), "outcome": terms.RUBBER_STAMPED, "note": note}
    else:
        note = "No slice was confirmed that became worse."
        yield {**_check(none, options), "outcome": terms.PASS, "note": note}


def _check(row: dict[str, Any], options: WeakSliceOptions) -> dict[str, Any]:
    """A row without outcome and sentence; a slice's own fields are in `row`."""
    undefined = dict.fromkeys(("p_value", "detectable", "passing", "level"), math.nan)
    is_change = options.loss == CHANGE
    return {
        **{name: row[name] for name in ("model", "output", "slice", "slice_key")},
        **dict.fromkeys(("dataset", "variant", "sub_key", "aggregation", "zone"), ""),
        "weighted": False,
        "other_slice_key": None,
        "metric": WEAK_SLICE,
        "kind": "value",
        "check": WEAK_SLICE,
        "side": terms.UPPER,
        "bound": options.min_effect,
        "value": row.get("mean_loss", math.nan),
        "lower": row.get("lower", math.nan),
        "upper": row.get("upper", math.nan),
        "baseline": math.nan if is_change else row.get("expected", math.nan),
        "change": row.get("effect", math.nan),
        "evidence": "worse",
        "p_adjusted": row.get("p_adjusted", math.nan),
        "family_size": None,
        **dict.fromkeys(("needed_examples", "lost", "won"), None),
        "examples": row.get("examples", 0),
        "evaluated": row.get("confirmed_on"),
        **undefined,
    }
