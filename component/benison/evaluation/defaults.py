# SPDX-License-Identifier: Apache-2.0
"""The stages that an evaluation has without being asked, to extend; `evaluate` uses the same."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from benison.config import EvalConfig
from benison.data.dataset import Dataset
from benison.engine.analysis import AnalysisEvaluator
from benison.engine.outcome import MetricsEvaluator
from benison.engine.plan import Plan
from benison.engine.row_key_sample import RowKeyEvaluator
from benison.engine.stages import Evaluator, RowEvaluator
from benison.output.writers import Writer, table_writers
from benison.report.page.build import ReportWriter


def default_evaluators(config: EvalConfig) -> list[Evaluator | RowEvaluator]:
    """Those of metrics and plots, and of rows, profiles and keys of rows if the options ask for some.

    `config` has its defaults.
    """
    return evaluators_of(Plan.of(config))


def evaluators_of(plan: Plan) -> list[Evaluator | RowEvaluator]:
    """As `default_evaluators`, of a plan that was made already."""
    options = plan.config.options
    rows = [AnalysisEvaluator(options.analysis_columns)] if options.analysis_columns else []
    keys = [RowKeyEvaluator()] if options.row_key else []
    return [MetricsEvaluator(plan), *rows, *_profiles(options.profile_columns), *keys]


def _profiles(columns: tuple[str, ...]) -> list[Evaluator]:
    """What makes profiles, whose modules are of no use to other runs."""
    if not columns:
        return []
    from benison.drift.profile_evaluator import ProfileEvaluator

    return [ProfileEvaluator(columns)]


def probe_evaluators(plan: Plan, dataset: Dataset, called: Collection[str]) -> Sequence[Evaluator]:
    """What keeps rows for the probes of a config, if it asks for some; `called` are the models that are."""
    if plan.config.debugging is None:
        return []
    from benison.evaluation.probing import probe_stages  # of no use to other runs

    return probe_stages(plan, dataset, called)


def default_writers() -> list[Writer]:
    """Metrics, checks and plots as Parquet, verdict and config as JSON, and the report as HTML."""
    return [*table_writers(), ReportWriter()]
