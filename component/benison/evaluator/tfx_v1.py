# SPDX-License-Identifier: Apache-2.0
"""TFX where only an older TensorFlow Data Validation can be installed beside TFX 1.21.

TFDV 1.21 has Linux wheels for glibc 2.39 and newer. On older systems requirements/overrides.txt takes
TFDV 1.16, which asks for two modules that are gone. Without them not even `tfx.v1` is imported, and
`tfx.components` leaves TFDV half imported, with a coder of record batches in Beam's registry that Beam
cannot pickle. They are replaced by ones that say so where they are used: slicing statistics by SQL,
detecting skew, and partitioning features.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types
from typing import Any, NoReturn

from benison.errors import MissingExtraError

# Module -> the function or class in it that TFDV names.
_GONE = {"tfx_bsl.arrow.sql_util": "RecordBatchSQLSliceQuery", "farmhash": "fingerprint64"}


def import_tfx() -> Any:
    """The module `tfx.v1`.

    Raises:
        MissingExtraError: TFX is not installed.
    """
    if importlib.util.find_spec("tfx") is None:
        raise MissingExtraError("TFX", "tfx")
    stand_in_for_gone_modules()
    from tfx import v1

    return v1


def stand_in_for_gone_modules() -> None:
    """Do so before anything of `tfx.components` is imported, where TFX is installed."""
    if importlib.util.find_spec("tfx_bsl") is None:
        return
    for name, member in _GONE.items():
        if name not in sys.modules and importlib.util.find_spec(name) is None:
            _stand_in(name, member)


def _stand_in(name: str, member: str) -> None:
    def missing(*_args: Any, **_kwargs: Any) -> NoReturn:
        raise NotImplementedError(
            f"{name} is not on this system; install TFDV 1.21 or newer (glibc 2.39)."
        )

    module = types.ModuleType(name, "Stands in for a module that is gone.")
    setattr(module, member, missing)
    sys.modules[name] = module
    above, _, last = name.rpartition(".")
    if above:
        setattr(importlib.import_module(above), last, module)
