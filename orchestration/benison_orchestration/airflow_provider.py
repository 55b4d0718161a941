# SPDX-License-Identifier: Apache-2.0
"""Tells Airflow what the installed package provides. Nothing is imported for it."""

from __future__ import annotations

from typing import Any

_HERE = "benison_orchestration"
_TITLE = "Benison"
# The options of a metadata store, as the form of a connection asks for them.
OPTIONS = {
    "scheme": ("mysql, grpc or sqlite; or sql+postgresql, sql+mysql or sql+sqlite", "string"),
    "create": ("Create the SQLite file if there is none", "boolean"),
    "socket": ("Socket of MySQL, in place of a host", "string"),
    "ssl_ca": ("File of the certificates by which MySQL's server is trusted", "string"),
}
LABELS = {"schema": "Database, or path of a SQLite file", "login": "User"}
EXAMPLES = {"schema": "/var/lib/benison/metadata.db", "port": "3306"}


def get_provider_info() -> dict[str, Any]:
    """The provider, as the entry point `apache_airflow_provider` promises it."""
    return {
        "package-name": "benison",
        "name": _TITLE,
        "description": "Evaluate a model on every slice, and push it only when it is blessed.",
        "integrations": [{"integration-name": _TITLE, "tags": ["software"]}],
        "operators": _of(
            "airflow_evaluator",
            "airflow_gates",
            "airflow_monitor",
            "airflow_docker",
            "airflow_kubernetes",
        ),
        "sensors": _of("airflow_gates", "airflow_monitor"),
        "hooks": _of("airflow_hook"),
        "triggers": _of("airflow_trigger", "airflow_docker_trigger", "airflow_pods"),
        "task-decorators": [
            {"class-name": f"{_HERE}.airflow_decorator.benison_task", "name": "benison"}
        ],
        "connection-types": [_connection()],
        "extra-links": [f"{_HERE}.airflow_base.ReportLink"],
        "config": {"benison": {"description": "Where evaluations run.", "options": _options()}},
    }


def _of(*modules: str) -> list[dict[str, Any]]:
    names = [f"{_HERE}.{module}" for module in modules]
    return [{"integration-name": _TITLE, "python-modules": names}]


def _connection() -> dict[str, Any]:
    fields = {
        name: {"label": label, "schema": {"type": [kind, "null"]}}
        for name, (label, kind) in OPTIONS.items()
    }
    return {
        "connection-type": "benison_metadata",
        "hook-class-name": f"{_HERE}.airflow_hook.MetadataHook",
        "hook-name": "ML Metadata (Benison)",
        "conn-fields": fields,
        "ui-field-behaviour": {
            "hidden-fields": [],
            "relabeling": LABELS,
            "placeholders": EXAMPLES,
        },
    }


def _options() -> dict[str, Any]:
    texts = {
        "output_root": "Where outputs are that a spec does not name.",
        "python": "The Python that evaluates, in which Benison is installed.",
    }
    about = {"type": "string", "version_added": None, "example": None, "default": ""}
    return {name: {"description": text, **about} for name, text in texts.items()}
