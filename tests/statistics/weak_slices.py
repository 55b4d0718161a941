# SPDX-License-Identifier: Apache-2.0
"""How often planted slices are found, others are not, and intervals cover: `python -m tests.statistics.weak_slices`.

Takes the number of runs of each condition, 200 when it is not given, of ten million rows a twentieth of it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from benison.weak_slices.confirm import confirmed
from benison.weak_slices.pursuit import WHOLE, Search, pursue
from tests.statistics.measured import script
from tests.statistics.planted import SLICES, Drawn, draw

ALPHA = 0.05
SEARCH = Search(depth=3, top=15, min_examples=50, min_effect=0.01)
SEARCH_OF_CHANGES = dataclasses.replace(SEARCH, floor=0.0)
MANY = 10_000_000
CONDITIONS: dict[str, dict[str, Any]] = {
    "wrong decisions": {},
    "half the effects": {"effect": 0.5},
    "correlated features": {"correlated": True},
    "changes": {"loss": "change"},
    "squared errors": {"loss": "squared"},
    "a million rows, half the effects": {"rows": 1_000_000, "effect": 0.5},
    "a million rows, correlated features": {"rows": 1_000_000, "correlated": True},
    "ten million rows": {"rows": MANY},
    "ten million rows, correlated features": {"rows": MANY, "correlated": True},
    "ten million rows, changes": {"rows": MANY, "loss": "change"},
    "nothing planted": {"effect": 0.0},
    "nothing planted, correlated features": {"effect": 0.0, "correlated": True},
    "nothing planted, changes": {"effect": 0.0, "loss": "change"},
    "nothing planted, squared errors": {"effect": 0.0, "loss": "squared"},
    "nothing planted, ten million rows": {"effect": 0.0, "rows": MANY},
}
"""The arguments of `draw`."""
PLANTED = [{feature: code + 1 for feature, code in pairs.items()} for pairs, _ in SLICES]


@dataclasses.dataclass(frozen=True)
class Run:
    """What came of one run."""

    in_top: bool
    """Whether the first slices are those that were planted."""
    reported: int
    """The slices that are reported; of changes all rows together too, unless slices are planted."""
    covered: int


def run(data: Drawn) -> Run:
    """Search and confirm, and hold what is reported against the true rates."""
    state = data.state()
    pursuit = pursue(state, SEARCH_OF_CHANGES if data.levels == (-1, 1) else SEARCH)
    reported = confirmed(pursuit, state.levels, ALPHA, SEARCH.min_effect)
    if (
        data.rates.mean() > SEARCH.min_effect
    ):  # all rows together are worse for the sake of the slices
        reported = [evidence for evidence in reported if evidence.candidate != WHOLE]
    keys = [evidence.candidate.pairs for evidence in reported]
    covered = sum(
        evidence.lower <= data.rates[data.rows_of(evidence.candidate)].mean() - evidence.expected
        and data.rates[data.rows_of(evidence.candidate)].mean() - evidence.expected
        <= evidence.upper
        for evidence in reported
    )
    return Run(all(pairs in keys[: len(PLANTED)] for pairs in PLANTED), len(keys), covered)


def runs(condition: str, count: int) -> Iterator[Run]:
    """So many runs of a condition."""
    yield from (run(draw(seed, **CONDITIONS[condition])) for seed in range(count))


def failures(condition: str, results: list[Run]) -> list[str]:
    """What does not hold of the runs of a condition."""
    reported = sum(each.reported for each in results)
    faults = []
    if CONDITIONS[condition].get("effect", 1):
        if sum(each.in_top for each in results) < 0.95 * len(results):
            faults.append("planted slices are missing")
        if sum(each.reported > len(PLANTED) for each in results) > 0.05 * len(results):
            faults.append("others are reported beside the planted ones")
        if sum(each.covered for each in results) < 0.93 * reported:
            faults.append("intervals do not cover")
    elif sum(each.reported > 0 for each in results) > 0.05 * len(results):
        faults.append("slices are reported where there are none")
    return faults


def main(count: int) -> int:
    """Print a line for each condition; 1 if one does not hold."""
    failed = 0
    print(
        "planted slices in the top 5 of at least 95 %, others in at most 5 %, covered at least 93 %"
    )
    print(f"{'condition':40} {'all in top 5':>12} {'any':>6} {'more than 5':>11} {'covered':>8}")
    for condition in CONDITIONS:
        is_large = CONDITIONS[condition].get("rows") == MANY
        results = [*runs(condition, -(-count // 20) if is_large else count)]
        shares = [
            sum(values) / len(results)
            for values in zip(
                *((r.in_top, r.reported > 0, r.reported > len(PLANTED)) for r in results),
                strict=True,
            )
        ]
        covered = sum(r.covered for r in results) / max(sum(r.reported for r in results), 1)
        faults = failures(condition, results)
        failed |= bool(faults)
        print(
            f"{condition:40} {shares[0]:12.3f} {shares[1]:6.3f} {shares[2]:11.3f} {covered:8.3f} "
            f"{'; '.join(faults) or 'holds'}",
            flush=True,
        )
    return failed


if __name__ == "__main__":
    script(main, 200)
