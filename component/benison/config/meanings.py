# SPDX-License-Identifier: Apache-2.0
"""Reads what the fields of a part mean from the texts below them, where a schema or a file shows them.

Pydantic does it for each class as it is made (`use_attribute_docstrings`), which reads all sources anew in
every process.
"""

from __future__ import annotations

import ast
import functools
import inspect
import itertools
import textwrap
from collections.abc import Iterator, Mapping


@functools.cache
def meanings(part: type) -> Mapping[str, str]:
    """The text below each field of a class of this package, by the field's name."""
    owners = [owner for owner in reversed(part.__mro__) if owner.__module__.startswith("benison.")]
    return {name: text for owner in owners for name, text in _of_source(owner)}


def _of_source(owner: type) -> Iterator[tuple[str, str]]:
    (defined,) = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
    assert isinstance(defined, ast.ClassDef)
    for field, below in itertools.pairwise(defined.body):
        if isinstance(field, ast.AnnAssign) and isinstance(below, ast.Expr):
            assert isinstance(field.target, ast.Name)
            assert isinstance(below.value, ast.Constant)
            yield field.target.id, inspect.cleandoc(str(below.value.value))
