# SPDX-License-Identifier: Apache-2.0
"""What Airflow asks an installed package for: what it provides. Nothing is imported for it."""

from __future__ import annotations

from typing import Any


def get_provider_info() -> dict[str, Any]:
    """The provider, as the entry point `apache_airflow_provider` promises it."""
    return {
        "package-name": "benison",
        "name": "Benison",
        "description": "Evaluate a model on every slice, and push it only when it is blessed.",
        "integrations": [{"integration-name": "Benison", "tags": ["software"]}],
        "operators": [
            {
                "integration-name": "Benison",
                "python-modules": [
                    "benison_orchestration.airflow",
                    "benison_orchestration.airflow_docker",
                    "benison_orchestration.airflow_kubernetes",
                ],
            }
        ],
        "hooks": [
            {
                "integration-name": "Benison",
                "python-modules": ["benison_orchestration.airflow"],
            }
        ],
        "connection-types": [
            {
                "connection-type": "benison_metadata",
                "hook-class-name": "benison_orchestration.airflow.MetadataHook",
            }
        ],
        "extra-links": ["benison_orchestration.airflow.ReportLink"],
    }
