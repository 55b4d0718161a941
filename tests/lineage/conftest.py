# SPDX-License-Identifier: Apache-2.0
"""This file hands the stores to the tests of this folder."""

from __future__ import annotations

from tests.lineage.stores import mariadb, mlmd_url, postgresql, url

__all__ = ["mariadb", "mlmd_url", "postgresql", "url"]
