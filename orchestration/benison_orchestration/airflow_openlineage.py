# SPDX-License-Identifier: Apache-2.0
"""Tells OpenLineage of an evaluation; imported when its provider asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benison.errors import MissingExtraError

try:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from benison.sinks import openlineage
except (ImportError, MissingExtraError) as error:
    raise MissingExtraError("Airflow's OpenLineage provider", "airflow-openlineage") from error


def lineage_of(outcome: Mapping[str, Any] | None) -> OperatorLineage:
    """The lineage of an evaluation that ended with an outcome; nothing of one that did not."""
    if outcome is None:
        return OperatorLineage()
    return OperatorLineage(
        inputs=openlineage.inputs(outcome),
        outputs=openlineage.outputs(outcome),
        run_facets=openlineage.run_facets(outcome),
    )
