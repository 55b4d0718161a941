# SPDX-License-Identifier: Apache-2.0
"""Makes checks of a search for weak slices, and lets them change the verdict where they may."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from benison.config import EvalConfig, WeakSliceOptions
from benison.config.weak_slice_options import CHANGE, FAIL, OFF
from benison.data.batch import joined_name
from benison.table.schema import CHECKS_SCHEMA
from benison.table.words import counted
from benison.validation import terms
from benison.validation.terms import NOT_EVALUATED
from benison.validation.verdict import BLESSED, NOT_BLESSED, Verdict
from benison.weak_slices.findings import SearchedTarget, sentences

WEAK_SLICE = "weak_slice"


def with_weak_slices(
    verdict: Verdict,
    config: EvalConfig,
    slices: pa.Table | None,
    searched: Sequence[SearchedTarget] = (),
) -> Verdict:
    """The verdict with a check for each slice that was confirmed, and for each search that could not be.

    Args:
        verdict: That of the checks of metrics.
        config: What was asked for.
        slices: The rows of weak_slices.parquet; None where nothing was searched.
        searched: What was searched of each model and output.
    """
    options = config.weak_slices
    if options is None or options.gate == OFF:
        return verdict
    rows = [*_rows(config, options, slices, searched)]
    table = pa.concat_tables([verdict.table, pa.Table.from_pylist(rows, CHECKS_SCHEMA)])
    outcomes = {row["outcome"] for row in rows}
    status = verdict.status
    if terms.FAIL in outcomes:
        status = NOT_BLESSED
    elif terms.NOT_EVALUATED in outcomes:
        status = NOT_EVALUATED if status == BLESSED else status
    elif options.gate == FAIL and not verdict.total:  # the only threshold
        status = BLESSED
    stamped = verdict.rubber_stamped or terms.RUBBER_STAMPED in outcomes
    return dataclasses.replace(verdict, status=status, table=table, rubber_stamped=stamped)


def _rows(
    config: EvalConfig,
    options: WeakSliceOptions,
    slices: pa.Table | None,
    searched: Sequence[SearchedTarget],
) -> Iterator[dict[str, Any]]:
    """The rows of checks.parquet; of a search that does not gate only what somebody should look at."""
    if slices is None:
        yield from _unsearched(config, options)
        return
    several = len(searched) > 1
    rows = slices.to_pylist()
    for about in searched:
        whose = joined_name(about.model, about.output) if several else ""
        own = [r for r in rows if (r["model"], r["output"]) == (about.model, about.output)]
        outcome = terms.FAIL if options.gate == FAIL else terms.WARN
        for row, note in zip(own, sentences(own, whose), strict=True):
            yield {**_check(row, options, about), "outcome": outcome, "note": note}
        faults = [*_faults(about)]
        if not own and not faults and options.gate == FAIL:
            of = f" of {whose}" if whose else ""
            faults = [(terms.PASS, f"No slice{of} was confirmed that became worse.")]
        for judged, note in faults:
            outcome = judged if options.gate == FAIL else terms.WARN
            yield {**_check(_overall(about), options, about), "outcome": outcome, "note": note}


def _unsearched(config: EvalConfig, options: WeakSliceOptions) -> Iterator[dict[str, Any]]:
    """Why nothing was searched at all."""
    is_gate = options.gate == FAIL
    name = config.candidate_specs[0].name if config.candidate_specs else ""
    none = {"model": name, "output": "", "slice": "Overall", "slice_key": []}
    if options.loss != CHANGE or config.baseline_spec is not None:
        outcome = terms.NOT_EVALUATED if is_gate else terms.WARN
        note = (
            f"No feature parts the rows into slices of {options.min_examples:,} examples, so weak slices "
            "could not be looked for. Name columns that do in weak_slices.features, or lower min_examples."
        )
        yield {**_check(none, options), "outcome": outcome, "note": note}
    elif is_gate:
        note = "There is no baseline, so slices that became worse were not looked for (rubber-stamped)."
        yield {**_check(none, options), "outcome": terms.RUBBER_STAMPED, "note": note}


def _overall(about: SearchedTarget) -> dict[str, Any]:
    """What a check of the whole search has in place of a slice's own fields."""
    names = {"model": about.model, "output": about.output, "slice": "Overall", "slice_key": []}
    defined = about.labelled - about.candidate_undefined - about.baseline_undefined
    return {**names, "examples": about.labelled, "confirmed_on": defined}


def _faults(about: SearchedTarget) -> Iterator[tuple[str, str]]:
    """What makes a search say less than it seems to: the outcome under a gate, and a sentence."""
    where = f"; most of them, {about.there:,}, are in {{{about.where}}}"
    at = where if about.there >= about.min_examples else ""
    of = counted(about.labelled, "example")
    if about.candidate_undefined:
        model = about.model or "The model"
        yield (
            terms.FAIL,
            f"{model} has no loss on {about.candidate_undefined:,} of {of}, where its predictions are "
            f"missing or not finite{at}. What it does there is in no slice; let it predict them.",
        )
    if about.baseline_undefined:
        yield (
            terms.NOT_EVALUATED,
            f"{about.baseline} has no loss on {about.baseline_undefined:,} of {of}, where its labels or "
            f"predictions are missing or not finite{at}. What is worse there is not known; let it have "
            "them, or take these examples out.",
        )
    if not about.slices:
        features = ", ".join(about.features)
        yield (
            terms.NOT_EVALUATED,
            f"No slice of {features} has {about.min_examples:,} examples with a loss, half of them on "
            "each side, so weak slices could not be looked for. Lower weak_slices.min_examples, name "
            "other features, or give more examples.",
        )


def _check(
    row: dict[str, Any], options: WeakSliceOptions, about: SearchedTarget | None = None
) -> dict[str, Any]:
    """A row without outcome and sentence; a slice's own fields are in `row`."""
    unknown = ("p_value", "p_asked", "detectable", "passing", "baseline", "change")
    return {
        **{name: row[name] for name in ("model", "output", "slice", "slice_key")},
        **dict.fromkeys(("dataset", "variant", "sub_key", "aggregation", "zone"), ""),
        **dict.fromkeys(unknown, math.nan),
        **dict.fromkeys(("family_size", "needed_examples", "lost", "won", "other_slice_key")),
        "weighted": False,
        "metric": WEAK_SLICE,
        "kind": "value",
        "check": WEAK_SLICE,
        "side": terms.UPPER,
        "bound": about.min_effect if about else options.min_effect,
        "value": row.get("effect", math.nan),
        "lower": row.get("lower", math.nan),
        "upper": row.get("upper", math.nan),
        "evidence": "worse",
        "p_adjusted": row.get("p_adjusted", math.nan),
        "level": about.level if about else math.nan,
        "examples": row.get("examples", 0),
        "evaluated": row.get("confirmed_on"),
    }
