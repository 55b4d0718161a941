# SPDX-License-Identifier: Apache-2.0
"""Holds what probes say against what the config allows, and lets it change the verdict."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from benison.config import EvalConfig, ProbeSpec
from benison.config.fields import POINT
from benison.data.batch import Target
from benison.evaluation.probe_evidence import ProbeEvidence
from benison.probes.probe_findings import ProbeFinding
from benison.table.schema import CHECKS_SCHEMA
from benison.validation.rules import holds
from benison.validation.terms import FAIL, LOWER, NOT_EVALUATED, PASS, RUBBER_STAMPED, UPPER, WARN
from benison.validation.verdict import BLESSED, NOT_BLESSED, Verdict

PROBE = "probe"


def probe_row(
    target: Target, spec: ProbeSpec, finding: ProbeFinding, evidence: ProbeEvidence | None = None
) -> dict[str, Any]:
    """A row of probes.parquet: a finding with what is allowed, and what came of that."""
    bound = spec.at_least if spec.at_most is None else spec.at_most
    outcome, allowed = ("", "") if bound is None else _judged(spec, finding, bound)
    if evidence is not None and outcome:
        outcome = evidence.outcome(spec.evidence)
        allowed += evidence.words(finding.rows or 0)
    return {
        "model": target[0],
        "output": target[1],
        **finding.row(),
        "bound": math.nan if bound is None else bound,
        "side": "" if bound is None else UPPER if spec.at_least is None else LOWER,
        "outcome": outcome,
        **({} if evidence is None else evidence.fields(spec.evidence)),
        "notable": finding.is_notable or outcome == FAIL,
        "sentence": f"{finding.words.rstrip('.')}{allowed}.",
    }


def _judged(spec: ProbeSpec, finding: ProbeFinding, bound: float) -> tuple[str, str]:
    """The outcome of a bound, and the end of its sentence."""
    shown = f"{100 * bound:.15g} %" if finding.count is not None else f"{bound:.15g}"
    allowed = f"; {shown} is {'allowed' if spec.at_least is None else 'required'}"
    if math.isnan(finding.value):
        return (RUBBER_STAMPED if finding.is_first else NOT_EVALUATED), allowed
    side = UPPER if spec.at_least is None else LOWER
    within = holds(np.array([finding.value]), bound, side, np.array([_scale(finding, bound)]))
    return (PASS if within.all() else FAIL), allowed


def _scale(finding: ProbeFinding, bound: float) -> float:
    """Of what size the numbers are that rounding changes; shares of rows are held against a bound exactly."""
    if finding.count is not None:
        return 0.0
    return abs(bound) if finding.scale is None else finding.scale


def with_probes(verdict: Verdict, config: EvalConfig, probes: pa.Table | None) -> Verdict:
    """The verdict with a check for each finding of a probe that has a bound."""
    if config.debugging is None or probes is None:
        return verdict
    level = 1 - config.options.certainty.alpha
    several = len(config.candidate_specs) > 1
    rows = [*_rows(probes, level, several)]
    if not rows:
        return verdict
    outcomes = {row["outcome"] for row in rows}
    status = verdict.status
    if FAIL in outcomes:
        status = NOT_BLESSED
    elif NOT_EVALUATED in outcomes and status == BLESSED:
        status = NOT_EVALUATED
    elif (
        verdict.total == verdict.counts[WARN] and NOT_EVALUATED not in outcomes
    ):  # the only thresholds
        status = BLESSED
    table = pa.concat_tables([verdict.table, pa.Table.from_pylist(rows, CHECKS_SCHEMA)])
    stamped = verdict.rubber_stamped or RUBBER_STAMPED in outcomes
    return dataclasses.replace(verdict, status=status, table=table, rubber_stamped=stamped)


def _rows(probes: pa.Table, level: float, several: bool) -> Iterator[dict[str, Any]]:
    """The rows of checks.parquet."""
    for row in probes.to_pylist():
        if row["outcome"]:
            of = f"{row['model']}: " if several else ""
            yield {**_check(row, level), "note": f"{of}{row['sentence']}"}


def _check(row: Mapping[str, Any], level: float) -> dict[str, Any]:
    changed = ", ".join(
        filter(None, (row["feature"], row["detail"] if row["count"] is None else ""))
    )
    undefined = ("baseline", "change", "p_asked", "detectable", "passing")
    return {
        **{name: row[name] for name in ("model", "output", "side", "bound", "value", "outcome")},
        **{name: row[name] for name in ("lower", "upper")},
        **dict.fromkeys(("dataset", "variant", "sub_key", "aggregation"), ""),
        **dict.fromkeys(undefined, math.nan),
        **{name: row[name] for name in ("family_size", "needed_examples")},
        **{
            name: math.nan if row[name] is None else row[name] for name in ("p_value", "p_adjusted")
        },
        **dict.fromkeys(("lost", "won"), None),
        "zone": row["zone"] or "",
        "weighted": False,
        "slice": "Overall",
        "slice_key": [],
        "other_slice_key": None,
        "metric": f"{row['probe']}({changed})" if changed else row["probe"],
        "kind": "value",
        "check": PROBE,
        "evidence": row["evidence"] or POINT,
        "level": level,
        "examples": row["rows"] or 0,
        "evaluated": row["rows"],
    }
