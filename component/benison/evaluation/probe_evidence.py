# SPDX-License-Identifier: Apache-2.0
"""Judges bounds of probes by evidence: what some rows show of the share that all rows would have."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from benison.config import ProbeSpec
from benison.config.fields import BENJAMINI_HOCHBERG, HOLM, POINT, WORSE
from benison.data.batch import Array
from benison.evidence.correction import benjamini_hochberg, holm
from benison.evidence.power import needed_examples, rows_text
from benison.evidence.spread import Share
from benison.probes.probe_findings import ProbeFinding
from benison.validation.terms import FAIL, PASS, SHOWN_NOT_WORSE, SHOWN_WORSE, UNDECIDED


@dataclasses.dataclass(frozen=True)
class ProbeEvidence:
    """What the rows of a probe show of its bound; fields are those of checks.parquet."""

    zone: str
    p_value: float
    p_adjusted: float
    family_size: int | None
    needed_examples: int | None

    def fields(self, evidence: str) -> dict[str, Any]:
        """The columns of probes.parquet, with what was asked for."""
        return {"evidence": evidence, **dataclasses.asdict(self)}

    def outcome(self, evidence: str) -> str:
        """`worse` lets pass what is undecided, `not_worse` does not."""
        undecided = UNDECIDED if evidence == WORSE else FAIL
        return {SHOWN_WORSE: FAIL, SHOWN_NOT_WORSE: PASS}.get(self.zone, undecided)

    def words(self, rows: int) -> str:
        """The end of a sentence."""
        over = self.family_size or 0
        adjusted = f", {self.p_adjusted:.2g} over {over:,} checks" if over > 1 else ""
        odds = f"p = {self.p_value:.2g}{adjusted}"
        if self.zone == UNDECIDED:
            could = self.needed_examples
            more = "" if could is None else f", {rows_text(could)} could"
            return f": undecided; {rows:,} rows cannot tell{f' ({odds})' if adjusted else ''}{more}"
        return f": {'shown worse' if self.zone == SHOWN_WORSE else 'shown to be within'}, {odds}"


def evidence_of(
    judged: Sequence[tuple[ProbeSpec, ProbeFinding]], alpha: float, correction: str
) -> list[ProbeEvidence | None]:
    """What is shown of each finding; None where no evidence is asked for, or the probe measured no share.

    False alarms are held over all findings with `worse`, by the correction of the config.

    Args:
        judged: The findings with what is allowed.
        alpha: The share of false alarms.
        correction: As `options.confidence` has it.
    """
    has_evidence = [
        spec.evidence != POINT and finding.count is not None for spec, finding in judged
    ]
    family = [i for i, (spec, _) in enumerate(judged) if has_evidence[i] and spec.evidence == WORSE]
    p = np.array([_p_values(*judged[i])[0] for i in family], float)
    adjusted = dict(zip(family, _corrected(p, correction).tolist(), strict=True))
    first = alpha / max(len(family), 1) if correction in (HOLM, BENJAMINI_HOCHBERG) else alpha
    return [
        _judged(*each, (alpha, first), adjusted.get(i), len(family)) if has_evidence[i] else None
        for i, each in enumerate(judged)
    ]


def _corrected(p: Array, correction: str) -> Array:
    if correction == HOLM:
        return holm(p)
    return benjamini_hochberg(p) if correction == BENJAMINI_HOCHBERG else p


def _p_values(spec: ProbeSpec, finding: ProbeFinding) -> tuple[float, float]:
    """How often a share at its bound would look so far beyond it, and so far within."""
    share, bound = _share(finding), _bound(spec)
    above, below = float(share.p_above(bound)[0]), float(share.p_below(bound)[0])
    return (above, below) if spec.at_least is None else (below, above)


def _share(finding: ProbeFinding) -> Share:
    return Share(np.array([float(finding.count or 0)]), np.array([float(finding.rows or 0)]))


def _bound(spec: ProbeSpec) -> float:
    return float((spec.at_most if spec.at_least is None else spec.at_least) or 0.0)


def _judged(
    spec: ProbeSpec,
    finding: ProbeFinding,
    alphas: tuple[float, float],
    adjusted: float | None,
    family: int,
) -> ProbeEvidence:
    """What is shown at alpha, the first of `alphas`; by the other the first of a family is found."""
    (alpha, first), bound, (worse, within) = alphas, _bound(spec), _p_values(spec, finding)
    is_upper = spec.at_least is None
    is_within = finding.value <= bound if is_upper else finding.value >= bound
    p_worse = worse if adjusted is None else adjusted
    zone = UNDECIDED
    if is_within and (within <= alpha or bound == float(is_upper)):
        zone = SHOWN_NOT_WORSE
    elif not is_within and p_worse <= alpha:
        zone = SHOWN_WORSE
    of_worse = spec.evidence == WORSE
    needed = None
    if zone == UNDECIDED:
        sign = 1 if is_upper else -1
        distance = sign * (bound - finding.value)
        needed = _needed(finding, distance, alpha, first if of_worse else alpha)
    p = worse if of_worse else within
    return ProbeEvidence(zone, p, p_worse if of_worse else p, family if of_worse else None, needed)


def _needed(finding: ProbeFinding, distance: float, within: float, beyond: float) -> int | None:
    """From how many rows it could be told; None where none is."""
    rows = np.array([float(finding.rows or 0)])
    error = _share(finding).adjusted_error
    (count,) = needed_examples(rows, error, np.array([distance]), within, beyond).tolist()
    return None if math.isnan(count) else int(count)
