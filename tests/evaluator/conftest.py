# SPDX-License-Identifier: Apache-2.0
"""This file hands the stores to the tests of this folder."""

from __future__ import annotations

from benison.evaluator.tfx_v1 import stand_in_for_gone_modules
from tests.lineage.stores import mariadb, mlmd_url

__all__ = ["mariadb", "mlmd_url"]

stand_in_for_gone_modules()
