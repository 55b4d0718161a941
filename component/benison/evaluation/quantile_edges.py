# SPDX-License-Identifier: Apache-2.0
"""Fills in what a config leaves to the data: the edges of quantiles."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from benison.config.constraints import disagreements
from benison.config.slicing_specs import Edges, with_edges
from benison.data.dataset import Dataset
from benison.engine.extract import SliceKeyExtractor
from benison.engine.plan import Plan
from benison.engine.stages import Extractor
from benison.engine.workers import Workers
from benison.errors import ConfigError
from benison.slicing.bin_edges import edges_of, open_quantiles

if TYPE_CHECKING:
    from benison.engine.quantiles import NumbersOfColumns


def quantile_edges(plan: Plan, dataset: Dataset, workers: Workers) -> Edges:
    """The edges of the quantiles that a plan asks for without having them, by a scan of their columns.

    Raises:
        ConfigError: A column is not one of the data.
        DataError: A column does not hold numbers.
    """
    wanted = open_quantiles(plan.slicing_specs)
    if not wanted:
        return {}
    if made := sorted(wanted.keys() - {*dataset.names}):
        raise ConfigError(
            f"{made[0]!r} is not a column of the data, so its quantiles cannot be found before the pass; "
            "give edges for its bins."
        )
    ranked = _scanned(dataset, sorted(wanted), workers)
    return edges_of(ranked, wanted) if ranked else {}


def _scanned(dataset: Dataset, columns: Sequence[str], workers: Workers) -> NumbersOfColumns:
    from benison.engine.quantiles import scan_cluster, scan_local

    if workers.are_local or dataset.table is not None:
        return scan_local(dataset, columns)
    return scan_cluster(dataset, columns, workers.cluster)


def completed(plan: Plan, edges: Edges) -> Plan:
    """The plan with these edges.

    Raises:
        ConfigError: A threshold names a bin that is none of those.
    """
    if not edges:
        return plan
    config = with_edges(plan.config, edges)
    if faults := [(fault.path, fault.text) for fault in disagreements(config)]:
        raise ConfigError(faults)
    return Plan.of(config)


def with_known_edges(stage: Extractor, edges: Edges) -> Extractor:
    """An extractor of the user's, with the edges if it is the one of slices."""
    if not isinstance(stage, SliceKeyExtractor):
        return stage
    return dataclasses.replace(stage, specs=with_edges(stage.specs, edges))
