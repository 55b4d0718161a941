# SPDX-License-Identifier: Apache-2.0
"""Checks the probes of a config against models, data and metrics before any data are read."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping

import pyarrow as pa

from benison.config import EvalConfig, ProbeSpec, SlicingSpec
from benison.config.debugging_options import (
    BETTER_THAN_BASELINE,
    DIRECTIONAL,
    INVARIANT,
    MONOTONE,
    PERMUTATION_IMPORTANCE,
    RESIDUAL_AUTOCORRELATION,
    WITH_METRIC,
    WITHOUT_CALLS,
)
from benison.config.faults import Fault
from benison.data.values import is_measured
from benison.engine.plan import Plan
from benison.errors import suggestion
from benison.evaluation.probe_metrics import title_of
from benison.metrics import About
from benison.results.result import described_metrics


def probe_faults(
    plan: Plan,
    columns: Collection[str] | None,
    called: Collection[str],
    types: Mapping[str, pa.DataType],
    *,
    is_transformed: bool,
) -> Iterator[Fault]:
    """What is wrong with `debugging`.

    Args:
        plan: With the metrics of which probes may ask.
        columns: Those of the data, None where they are not known.
        called: The names of the models that are called.
        types: The types of the columns, as far as they are known.
        is_transformed: Whether functions make columns of their own.
    """
    if plan.config.debugging is None:
        return
    names = {spec.name for spec in plan.config.candidate_specs}
    needs_calls = any(p.name not in WITHOUT_CALLS for p in plan.config.debugging.probes)
    if needs_calls and not names & {*called}:
        text = (
            "probes call the model on changed rows, and none is called: predictions in the data cannot "
            "change. Give the model, or ask only for what looks at predictions as they are: "
            f"{', '.join(WITHOUT_CALLS)}."
        )
        yield Fault(("debugging",), text)
    titles = _titles(plan)
    has_overall = SlicingSpec() in plan.slicing_specs
    for i, probe in enumerate(plan.config.debugging.probes):
        faults = [*_uncalled(probe, names, called), *_metric(probe, titles, plan.config)]
        if probe.name == BETTER_THAN_BASELINE and not has_overall:
            text = (
                f"{probe.name} is of all rows, which are no slice here; add {{}} to slicing_specs."
            )
            faults.append(Fault(("name",), text))
        is_of_data = probe.name == RESIDUAL_AUTOCORRELATION or not is_transformed
        if columns is not None and is_of_data:
            faults += [*_unknown_columns(probe, columns), *_no_numbers(probe, types)]
        yield from (f._replace(loc=("debugging", "probes", i, *f.loc)) for f in faults)


def _uncalled(probe: ProbeSpec, names: Collection[str], called: Collection[str]) -> Iterator[Fault]:
    others = {*names} - {*called}
    is_held = probe.has_bound and probe.name not in WITHOUT_CALLS
    for name in sorted(others) if len(others) < len(names) and is_held else ():
        text = (
            f"the bound cannot be held against {name!r}, whose predictions are in the data and cannot "
            "change. Give the model, or take the bound out."
        )
        yield Fault((), text)


def _unknown_columns(probe: ProbeSpec, columns: Collection[str]) -> Iterator[Fault]:
    for column in probe.features:
        if column not in columns:
            text = f"the data have no column {column!r}. {suggestion(column, columns)}"
            yield Fault(("features",), text)


def _no_numbers(probe: ProbeSpec, types: Mapping[str, pa.DataType]) -> Iterator[Fault]:
    """Features of which a rule says what happens when they rise, and which do not."""
    for i, column in enumerate(probe.features if probe.name in (MONOTONE, DIRECTIONAL) else ()):
        kind = types.get(column)
        if kind is not None and not pa.types.is_null(kind) and not is_measured(kind):
            text = f"{column!r} holds {kind}, which does not rise, and {probe.name} is about numbers that do."
            yield Fault(("features", i), f"{text} Name a column of numbers, or say {INVARIANT}.")


def _titles(plan: Plan) -> dict[str, str]:
    """The metrics that the config asks for, each by what it is called with its class and weighting."""
    keys = [each.key for each in plan.computations if each.shown]
    keys += [each.key for each in plan.averages]
    return {title_of(key): key.metric for key in keys}


def _metric(probe: ProbeSpec, titles: dict[str, str], config: EvalConfig) -> Iterator[Fault]:
    """A metric that the config does not ask for, or of which no end is good, so that none is better."""
    if not titles or probe.name not in WITH_METRIC:
        return
    known, about = titles, described_metrics([config])
    if probe.name != PERMUTATION_IMPORTANCE:
        known = {
            title: metric
            for title, metric in titles.items()
            if metric not in about or about[metric].higher_is_better is not None
        }
    if probe.metric in ("", *known):
        names = [known[probe.metric]] if probe.metric else [*known.values()]
        yield from _out_of_reach(
            probe, max((_reach(about.get(n)) for n in names), default=math.inf)
        )
    else:
        hint = suggestion(probe.metric, known)
        text = f"there is no metric {probe.metric!r} that {probe.name} could be about. {hint}"
        yield Fault(("metric",), text)


def _reach(about: About | None) -> float:
    """How far two values of a metric can be apart."""
    return math.inf if about is None else about.high - about.low


def _out_of_reach(probe: ProbeSpec, reach: float) -> Iterator[Fault]:
    """A bound that no difference of values can be at."""
    for field, bound in (("at_most", probe.at_most), ("at_least", probe.at_least)):
        if bound is not None and abs(bound) > reach:
            text = f"two values are never more than {reach:g} apart, and {bound:g} is."
            yield Fault((field,), text)
