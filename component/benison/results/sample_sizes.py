# SPDX-License-Identifier: Apache-2.0
"""Says which fall slices of a size can show, and how many rows a fall needs to be seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benison.config.fields import NO_CORRECTION, NOT_WORSE
from benison.data.batch import Array
from benison.errors import OutputError, suggestion
from benison.evidence.power import MOST_NEEDED, detectable, reach, rows_needed
from benison.results.result import EvalResult
from benison.table.key import CHANGE, VIEW_COLUMNS, Key
from benison.table.slices import slice_ids
from benison.validation.rows import UNKNOWN
from benison.validation.terms import CHANGE_ABSOLUTE, CHANGE_RELATIVE, LOWER


def of_result(result: EvalResult, metric: str, fall: float | None = None) -> list[dict[str, Any]]:
    """What each slice of a result can show of a change of a metric, the largest slices first.

    Each is a row with slice, examples, `allowed` (the change that a threshold of the result lets pass),
    `detectable` (the change that 80 % of such samples show to be beyond it, after the correction of the
    config), `family_size` (over how many checks: all of the run that are corrected together, as its gate
    does, where the metric has a threshold with evidence; else the rows), `evidence` (what the threshold asks
    for, "" without one), `needed_to_bless` (the rows from which `not_worse` blesses 80 % of models that are
    equal to the baseline; None for other evidence) and, with a fall, `needed_examples`, which is None where
    it is allowed. What else tells rows of a slice apart is in columns of its own: `model` where there are
    several candidates, `output`, `sub_key`.

    Raises:
        OutputError: The result has no errors of that change.
    """
    table = result.metrics
    is_plain = pc.and_(pc.equal(table["kind"], CHANGE), pc.is_null(table["other_slice_key"]))
    changes = table.filter(is_plain)
    rows = changes.filter(
        pc.and_(pc.equal(changes["metric"], metric), pc.is_finite(changes["std_error"]))
    )
    if not rows.num_rows:
        known = pc.unique(changes["metric"]).to_pylist()
        hint = suggestion(metric, known) if metric not in known else ""
        raise OutputError(
            f"{result.path} has no errors of a change of {metric!r}. {hint} Evaluate with a baseline and "
            "options: {confidence: {level: 0.95}}."
        )
    ordered = rows.sort_by([("examples", "descending")])
    counts = pc.coalesce(ordered["evaluated"], ordered["examples"]).to_numpy().astype(float)
    errors = ordered["std_error"].to_numpy()
    names = ordered.select(["slice", *_several(ordered)]).to_pylist()
    family = _family(result, metric, ordered.num_rows)
    is_corrected = result.config.options.certainty.correction != NO_CORRECTION
    alpha = result.config.alpha / (family if is_corrected else 1)
    bounds = _bounds(result, ordered)
    allowed, beyond, evidence = (np.array(column) for column in zip(*bounds, strict=True))
    reached = np.where(np.isnan(beyond), detectable(errors, alpha), beyond)
    return _described(names, counts, reached, family, fall, allowed, evidence.tolist())


def _family(result: EvalResult, metric: str, rows: int) -> int:
    """Over how many checks false alarms of a metric are held; 1 where each check must be shown by itself."""
    checks = result.verdict.table
    checks = checks.filter(pc.equal(checks["metric"], metric))
    shared = pc.max(checks["family_size"]).as_py()
    if shared is not None:
        return int(shared)
    return 1 if NOT_WORSE in checks["evidence"].to_pylist() else rows


def _bounds(result: EvalResult, rows: pa.Table) -> list[tuple[float, float, str]]:
    """The change that the strictest threshold of each row lets pass, what is seen beyond it, its evidence.

    Without a threshold they are 0, NaN and ""; NaN is also what a threshold without evidence sees.
    """
    checks = result.verdict.table
    checks = checks.filter(pc.is_in(checks["check"], pa.array([CHANGE_ABSOLUTE, CHANGE_RELATIVE])))
    bounds: dict[tuple[Any, ...], tuple[float, float, str]] = {}
    for check, identity in zip(checks.to_pylist(), slice_ids(checks).to_pylist(), strict=True):
        share = abs(check["baseline"]) if check["check"] == CHANGE_RELATIVE else 1.0
        allowed = share * check["bound"] * (-1 if check["side"] == LOWER else 1)
        key = Key.of(check).as_kind(CHANGE), identity
        bound = allowed, share * check["detectable"] - allowed, check["evidence"]
        bounds[key] = min(bounds.get(key, bound), bound)
    ids = slice_ids(rows).to_pylist()
    keys = ((Key.of(row), identity) for row, identity in zip(rows.to_pylist(), ids, strict=True))
    return [bounds.get(key, (0.0, math.nan, "")) for key in keys]


def _several(rows: pa.Table) -> list[str]:
    """The columns, such as `model`, in which rows of one metric differ."""
    return [name for name in VIEW_COLUMNS if pc.count_distinct(rows[name]).as_py() > 1]


def of_churn(
    rows: Sequence[int], churn: float, slices: int, fall: float | None = None, alpha: float = 0.05
) -> list[dict[str, Any]]:
    """The same for sizes of slices, before any model is there.

    Args:
        rows: The sizes.
        churn: The share of rows on which exactly one of the two models is right.
        slices: Over how many slices false alarms are held.
        fall: The fall that is to be seen.
        alpha: The share of false alarms over all slices.

    >>> of_churn([2500], 0.06, 100, fall=0.02)[0]["needed_examples"]
    2545
    """
    names = [{"slice": ""}] * len(rows)
    alphas = np.full(len(rows), alpha / slices)
    return of_gates(names, np.array(rows, float), churn, alphas, slices, fall)


def of_gates(  # noqa: PLR0913, PLR0917 - the columns of the rows
    names: Sequence[dict[str, Any]],
    counts: Array,
    churn: float,
    alphas: Array,
    family: int,
    fall: float | None = None,
    allowed: Array | float = 0.0,
    evidence: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """The same where each size has a gate of its own.

    Args:
        names: What tells the rows apart.
        counts: The sizes, float64[N].
        churn: The share of rows on which exactly one of the two models is right.
        alphas: What the p-value of each is held against, float64[N].
        family: Over how many checks false alarms are held.
        fall: The fall that is to be seen.
        allowed: The fall that the gate of each lets pass, float64[N].
        evidence: What the gate of each asks for; "", or nothing for all, where there is none.
    """
    errors = np.sqrt(np.maximum(churn - (fall or 0.0) ** 2, 0.0) / counts)
    distinct, which = np.unique(alphas, return_inverse=True)
    reached = np.array([reach(alpha) for alpha in distinct.tolist()])[which] * errors
    return _described(names, counts, reached, family, fall, allowed, evidence)


def _described(  # noqa: PLR0913, PLR0917 - the columns of the rows
    names: Sequence[dict[str, Any]],
    counts: Array,
    reached: Array,
    family: int,
    fall: float | None,
    allowed: Array | float,
    evidence: Sequence[str],
) -> list[dict[str, Any]]:
    """The rows, of what is seen beyond what is allowed."""
    allowed = np.broadcast_to(allowed, counts.shape)
    asked = np.array(evidence or [""] * len(counts))
    needed = _rows_for(counts, reached, np.where(bool(fall), (fall or 0.0) - allowed, 0.0))
    equal = _rows_for(counts, reached, np.where(asked == NOT_WORSE, allowed, 0.0))
    return [
        {
            **name,
            "examples": int(count),
            "allowed": float(within),
            "detectable": float(beyond + within),
            "family_size": family,
            "needed_examples": _known(rows),
            "evidence": kind,
            "needed_to_bless": _known(blessed),
        }
        for name, count, within, beyond, rows, kind, blessed in zip(
            names, counts, allowed, reached, needed, asked.tolist(), equal, strict=True
        )
    ]


def _rows_for(counts: Array, reached: Array, distance: Array) -> Array:
    """The rows that tell a distance above 0, where so many reach so far; else `UNKNOWN`."""
    needed = np.minimum(np.ceil(rows_needed(counts, reached, distance)), MOST_NEEDED)
    return np.where(distance > 0, needed, float(UNKNOWN))


def _known(rows: float) -> int | None:
    return int(rows) if rows >= 0 else None
