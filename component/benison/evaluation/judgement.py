# SPDX-License-Identifier: Apache-2.0
"""Judges the outputs of a pass, and says so in the log of whatever host this runs in."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from typing import Any

from benison.config import EvalConfig
from benison.engine.plan import Plan
from benison.lineage.decision import Revocation
from benison.results.result import described_metrics
from benison.validation.judge import validate
from benison.validation.revoked import with_revocation
from benison.validation.terms import FAIL
from benison.validation.verdict import Verdict

_LOGGED_REASONS = 100
_LOGGER = logging.getLogger("benison")


def judged(
    plan: Plan, outputs: Mapping[str, Any], look: int | None, revocation: Revocation | None
) -> Verdict:
    """The verdict on the outputs of the evaluators.

    Args:
        plan: What was evaluated.
        outputs: The output keys of all evaluators.
        look: Which candidate it is that is judged on these data, from 1; None where no store counts.
        revocation: Who has revoked the candidate; None where nobody has.
    """
    verdict = validate(
        plan.config,
        plan.judged,
        outputs["metrics"],
        outputs["small_slices"],
        outputs["notes"],
        outputs.get("evidence"),
        outputs.get("missing"),
    )
    verdict = _with_searches(verdict, plan.config, outputs)
    name = plan.config.candidate_specs[0].name
    return dataclasses.replace(with_revocation(verdict, revocation, name), look=look)


def _with_searches(verdict: Verdict, config: EvalConfig, outputs: Mapping[str, Any]) -> Verdict:
    """The verdict with the checks of weak slices and of probes, as far as these are asked for."""
    if config.weak_slices is not None:
        from benison.evaluation.weak_slice_checks import with_weak_slices

        searched = outputs.get("weak_slices"), outputs.get("weak_slice_searches", ())
        verdict = with_weak_slices(verdict, config, *searched)
    if config.debugging is not None:
        from benison.evaluation.probe_checks import with_probes

        verdict = with_probes(verdict, config, outputs.get("probes"))
    return verdict


def log(verdict: Verdict) -> None:
    """Log the verdict; each failure is an error."""
    _LOGGER.info(verdict.summary())
    for reason in verdict.first_reasons(_LOGGED_REASONS):
        _LOGGER.error(reason)
    if verdict.counts[FAIL] > _LOGGED_REASONS:
        left = verdict.counts[FAIL] - _LOGGED_REASONS
        _LOGGER.error("and %d more failures, in checks.parquet", left)


def directions(config: EvalConfig) -> dict[str, bool]:
    """Whether higher values are better, of each metric that says it."""
    known = described_metrics([config])
    ends = {name: about.higher_is_better for name, about in known.items()}
    return {name: better for name, better in ends.items() if better is not None}
