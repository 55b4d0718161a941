# SPDX-License-Identifier: Apache-2.0
"""This file hands the stores, and the files of TFX's own tests, to the tests of this folder."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from benison.evaluator.tfx_v1 import stand_in_for_gone_modules
from tests.lineage.stores import mariadb, mlmd_url

__all__ = ["mariadb", "mlmd_url"]

stand_in_for_gone_modules()


@pytest.fixture(scope="module")
def data() -> Path:
    spec = find_spec("tfx")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "components" / "testdata"
