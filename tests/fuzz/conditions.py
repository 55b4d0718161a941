# SPDX-License-Identifier: Apache-2.0
"""Conditions on rows in SQL's subset, and what is left of some of them."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from tests.fuzz import texts

_LITERALS = (
    "0", "1.5", "'a'", "''", "NULL", "TRUE", "-5", "1e400", "'it''s'", "99999999999999999999", "2**62", "0x1F", "?",
)  # fmt: skip


def condition(random: Random, names: Sequence[str]) -> str:
    """A condition on columns, in three of ten damaged."""
    text = _condition(random, names, 0)
    return texts.damaged(random, text) if random.random() < 0.3 else text


def _condition(random: Random, names: Sequence[str], depth: int) -> str:
    name, other = random.choice(names), random.choice(names)
    value, more = random.choice(_LITERALS), random.choice(_LITERALS)
    forms = [
        f"{name} {random.choice(('=', '<>', '<', '<=', '>', '>='))} {value}", f"{name} IN ({value}, {more})",
        f"{name} BETWEEN {value} AND {more}", f"{name} LIKE 'a%'", f"{name} IS NULL", f"{name} IS NOT NULL",
        f"{name} + {other} * 2 > {value}", f"{name} / 0 = {value}", f"-{name} = {other}", f'"{name}" = {value}',
        f"{name} NOT IN ({value})", f"abs({name}) > 1", f"{name} % 2 = 0", "(SELECT 1) = 1", f"{name} LIKE {value}",
    ]  # fmt: skip
    if depth < 3 and random.random() < 0.5:
        left, right = (_condition(random, names, depth + 1) for _ in range(2))
        return random.choice((f"({left}) AND ({right})", f"{left} OR {right}", f"NOT ({left})"))
    return random.choice(forms)
