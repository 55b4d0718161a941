# SPDX-License-Identifier: Apache-2.0
"""Imports a module when it is asked for."""

from __future__ import annotations

import gc
from importlib import import_module
from types import ModuleType


def imported(name: str) -> ModuleType:
    """The module, without garbage collection, which finds nothing in imports and takes a sixth of their time.

    What is in memory then counts as old: the next collections, of new objects, would look through all of it.

    >>> imported("benison.errors").__name__
    'benison.errors'
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return import_module(name)
    finally:
        if was_enabled:
            _age()
            gc.enable()


def _age() -> None:
    """Put all objects into the oldest generation, unless the program keeps some out of all generations."""
    if not gc.get_freeze_count():
        gc.freeze()
        gc.unfreeze()
