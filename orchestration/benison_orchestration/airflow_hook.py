# SPDX-License-Identifier: Apache-2.0
"""The hook, which opens the metadata store that a connection of Airflow names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from benison import lineage
from benison.errors import BenisonError, MissingExtraError
from benison.lineage.connection import PASSWORD_VARIABLE
from benison.lineage.ledger import Ledger
from benison_orchestration.airflow_provider import EXAMPLES, LABELS, OPTIONS
from benison_orchestration.airflow_sdk import BaseHook

# ML Metadata is not supported on PostgreSQL.
_SCHEMES = {"postgres": "sql+postgresql"}


class MetadataHook(BaseHook):
    """The metadata store that a connection names; its extras are the options after the `?`.

        AIRFLOW_CONN_BENISON_METADATA=sqlite:////var/lib/benison/metadata.db?create=true
        AIRFLOW_CONN_BENISON_METADATA=mysql://benison:secret@db:3306/metadata
        AIRFLOW_CONN_BENISON_METADATA=postgresql://benison:secret@db/metadata

    The last one is a table of Benison's own, as is `sql+sqlite` or `sql+mysql`; the others are ML Metadata. A
    connection of type `benison_metadata` is what its `scheme` says, by default a MySQL database if it has a
    host, and otherwise the SQLite file in its schema.
    """

    conn_name_attr = "metadata_conn_id"
    default_conn_name = "benison_metadata"
    conn_type = "benison_metadata"
    hook_name = "ML Metadata (Benison)"

    def __init__(self, metadata_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.metadata_conn_id = metadata_conn_id

    def get_conn(self) -> Ledger:
        """The recorder of the store, as `benison.evaluate` takes it for `metadata`.

        Raises:
            BenisonError: The connection is not that of a store, or what the store needs is not installed.
        """
        password = self.get_connection(self.metadata_conn_id).password
        return lineage.connect(self.url, password or None)

    @property
    def secrets(self) -> dict[str, str]:
        """The variables that a process needs beside the URL: the password, if there is one."""
        password = self.get_connection(self.metadata_conn_id).password
        return {PASSWORD_VARIABLE: password} if password else {}

    def test_connection(self) -> tuple[bool, str]:
        """Whether the store can be read from here, and what it answers."""
        try:
            self.get_conn().latest_blessed("")
        except MissingExtraError as error:
            return False, f"{self.url} is complete, but cannot be tried from here: {error}"
        except BenisonError as error:
            return False, str(error)
        return True, f"{self.url} is a metadata store."

    @property
    def url(self) -> str:
        """The URL of the store without its password, which may be shown."""
        connection = self.get_connection(self.metadata_conn_id)
        extra = dict(connection.extra_dejson)
        scheme = extra.pop("scheme", "") or self._scheme(connection)
        options = _options(extra)
        if scheme.endswith("sqlite"):
            return f"{scheme}:///{quote(connection.host or connection.schema or '')}{options}"
        login = quote(connection.login or "", "")
        server = (connection.host or "") + (f":{connection.port}" if connection.port else "")
        user, path = login and f"{login}@", connection.schema and f"/{quote(connection.schema)}"
        return f"{scheme}://{user}{server}{path or ''}{options}"

    def _scheme(self, connection: Any) -> str:
        if connection.conn_type == self.conn_type:
            return "mysql" if connection.host else "sqlite"
        kind = str(connection.conn_type)
        return _SCHEMES.get(kind, kind)

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """What the fields of a connection's form are for."""
        return {"hidden_fields": [], "relabeling": LABELS, "placeholders": EXAMPLES}

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """The options as fields of the form of Airflow 2; that of Airflow 3 asks the provider."""
        from flask_appbuilder.fieldwidgets import BS3TextFieldWidget
        from wtforms import BooleanField, StringField

        return {
            name: BooleanField(label)
            if kind == "boolean"
            else StringField(label, widget=BS3TextFieldWidget())
            for name, (label, kind) in OPTIONS.items()
        }


def _options(extra: Mapping[str, Any]) -> str:
    """The options of a URL; a field of a form that was left empty is none."""
    options = {name: value for name, value in extra.items() if value not in ("", None, False)}
    texts = {name: "true" if value is True else value for name, value in options.items()}
    return f"?{urlencode(texts)}" if texts else ""
