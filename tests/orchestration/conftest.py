# SPDX-License-Identifier: Apache-2.0
"""Runs DAGs for the tests."""

from __future__ import annotations

import pytest

from tests.orchestration.airflow_host import AirflowDatabases, Prober


@pytest.fixture(scope="session")
def probe(airflow_databases: AirflowDatabases, tmp_path_factory: pytest.TempPathFactory) -> Prober:
    return Prober(airflow_databases, tmp_path_factory)
