# SPDX-License-Identifier: Apache-2.0
"""The verdict: its status, and the checks as columns of which sentences are made when they are shown."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from benison.errors import OutputError
from benison.lineage.decision import Revocation
from benison.table import documents
from benison.table.schema import CHECKS_SCHEMA
from benison.table.words import counted
from benison.validation.checks import Check
from benison.validation.misses import farthest_off
from benison.validation.old_verdict import upgraded_check
from benison.validation.terms import (
    FAIL,
    NOT_EVALUATED,
    OUTCOMES,
    PASS,
    RUBBER_STAMPED,
    UNDECIDED,
    WARN,
)
from benison.validation.ungated import Ungated

VERDICT_VERSION = 2

BLESSED, NOT_BLESSED = "blessed", "not_blessed"

MAX_SENTENCES = 1_000
"""Checks that did not pass, with their sentences, in verdict.json; checks.parquet has all."""

# Together less than a megabyte, however long the names of slices are.
_CHECK_BYTES, _REASON_BYTES = 750_000, 200_000

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, eq=False)
class Verdict:
    """What the thresholds say of the model; `table` has the columns of checks.parquet.

    Two verdicts are equal if they say the same: the same status, counts and sentences.
    """

    status: str
    """`blessed`, `not_blessed`, or `not_evaluated` where something could not be judged."""
    table: pa.Table = dataclasses.field(default_factory=CHECKS_SCHEMA.empty_table, repr=False)
    rubber_stamped: bool = False
    """Whether changes went unjudged for want of a baseline."""
    known_counts: Mapping[str, int] | None = dataclasses.field(default=None, repr=False)
    """The checks by outcome, where `table` does not hold all of them."""
    look: int | None = None
    """Which candidate it is that was judged on these data, from 1; None where no store counts."""
    ungated: Ungated | None = dataclasses.field(default=None, repr=False)
    """What changed without a threshold on it; None where that is not known."""
    revocation: Revocation | None = dataclasses.field(default=None, repr=False)
    """Who has revoked what was judged, and who has taken that back; None where nobody has."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Verdict) and self._content == other._content

    def __hash__(self) -> int:
        return hash(self.status)

    @property
    def _content(self) -> tuple[Any, ...]:
        sentences = [check["reason"] for check in self.to_dict()["checks"]]
        more = (self.look, self.ungated, self.revocation)
        return self.status, self.rubber_stamped, self.counts, sentences, *more

    def __repr__(self) -> str:
        return f"<Verdict {self.summary()}>"

    @property
    def blessed(self) -> bool:
        """Whether the model may be served."""
        return self.status == BLESSED

    @cached_property
    def counts(self) -> dict[str, int]:
        """The number of checks by outcome, 0 for an outcome that none has."""
        if self.known_counts is not None:
            return {outcome: self.known_counts.get(outcome, 0) for outcome in OUTCOMES}
        counted = pc.value_counts(self.table["outcome"]).to_pylist()
        known = {row["values"]: row["counts"] for row in counted}
        return {outcome: known.get(outcome, 0) for outcome in OUTCOMES}

    @property
    def total(self) -> int:
        """The number of checks."""
        return sum(self.counts.values())

    @cached_property
    def checks(self) -> tuple[Check, ...]:
        """Every check; where there may be many, `of_outcome` has those that matter."""
        return tuple(self._rows(self.table))

    def of_outcome(self, *outcomes: str, most: int | None = None) -> tuple[Check, ...]:
        """The checks with one of these outcomes, in this order and by metric, the farthest off first.

        Of more than `most` it takes the farthest off, of one metric as many as of another.
        """
        return tuple(self._rows(farthest_off(self.table, outcomes, most)))

    @cached_property
    def failures(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return self.of_outcome(FAIL)

    @cached_property
    def reasons(self) -> tuple[str, ...]:
        """Why the model is not blessed, a sentence for each failed check."""
        return tuple(check.reason for check in self.failures)

    def first_reasons(self, most: int = MAX_SENTENCES) -> tuple[str, ...]:
        """The first of the reasons; where there may be many, only these are made into sentences."""
        return tuple(check.reason for check in self.of_outcome(FAIL, most=most))

    def _rows(self, table: pa.Table) -> Iterator[Check]:
        several = len(pc.unique(self.table["model"])) > 1
        for row in table.to_pylist():
            yield Check.of(row, several)

    def summary(self) -> str:
        """The verdict in one sentence."""
        stamped = " There is no baseline, so changes were not judged (rubber-stamped)."
        status = self.status.replace("_", " ").upper()
        text = f"{status}: {checks_text(self.counts)}.{stamped if self.rubber_stamped else ''}"
        text += f" {look_text(self.look)}" if self.look and self.look > 1 else ""
        was_lifted = self.revocation is not None and not self.revocation.stands
        return f"{text} {self.revocation.sentence}" if self.revocation and was_lifted else text

    def to_dict(self) -> dict[str, Any]:
        """Plain values for strict JSON, in which an undefined number is null.

        Of the checks only those that did not pass are in it, and of these the first `MAX_SENTENCES`, or fewer
        where names are long; `left` says how many more did not pass.
        """
        others = [outcome for outcome in OUTCOMES if outcome != PASS]
        checks = self.of_outcome(*others, most=MAX_SENTENCES)
        shown = [*_first_bytes((check.to_dict() for check in checks), _CHECK_BYTES)]
        return {
            "version": VERDICT_VERSION,
            "status": self.status,
            "rubber_stamped": self.rubber_stamped,
            "summary": self.summary(),
            "counts": self.counts,
            "reasons": [*_first_bytes(self.first_reasons(), _REASON_BYTES)],
            "checks": shown,
            "left": sum(self.counts[outcome] for outcome in others) - len(shown),
            **({} if self.look is None else {"look": self.look}),
            **({} if self.ungated is None else {"ungated": self.ungated.to_dict()}),
            **(
                {}
                if self.revocation is None
                else {"revocation": dataclasses.asdict(self.revocation)}
            ),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any], table: pa.Table | None = None) -> Verdict:
        """The inverse of `to_dict`, with all checks where `table` has them; version 1 is read too.

        Raises:
            OutputError: A newer Benison wrote it.
            ValueError: It has not the fields of a verdict.
        """
        fault = documents.verdict_fault(data)
        if fault:
            raise ValueError(f"the verdict is none: {fault}")
        if data["version"] > VERDICT_VERSION:
            raise OutputError(
                f"The verdict was written by a newer Benison (version {data['version']}; this one "
                f"reads up to {VERDICT_VERSION}). Upgrade Benison."
            )
        if data["version"] == 1:
            rows = [row for check in data["checks"] for row in upgraded_check(check)]
            table = pa.Table.from_pylist(rows, CHECKS_SCHEMA)
            return cls(data["status"], table, data["rubber_stamped"])
        beside = Ungated.of(data["ungated"]) if data.get("ungated") else None
        counts = None
        if table is None:
            rows = [Check.row_of(check) for check in data["checks"]]
            table, counts = pa.Table.from_pylist(rows, CHECKS_SCHEMA), data["counts"]
        revoked = Revocation(**data["revocation"]) if data.get("revocation") else None
        verdict = cls(
            data["status"], table, data["rubber_stamped"], counts, data.get("look"), beside
        )
        return dataclasses.replace(verdict, revocation=revoked)


def checks_text(counts: Mapping[str, int]) -> str:
    """What came of all checks, from their number by outcome: first how many failed, else how many passed.

    >>> checks_text({"pass": 27, "not_evaluated": 2}), checks_text({"pass": 29})
    ('27 of 29 checks passed; 2 could not be evaluated', 'all 29 checks passed')
    >>> checks_text({"pass": 25, "fail": 1, "undecided": 1, "not_evaluated": 2})
    '1 of 29 checks failed; 1 is undecided, 2 could not be evaluated'
    >>> checks_text({"undecided": 2}), checks_text({"warn": 1})
    ('all 2 checks are undecided', 'the check warns')
    """
    total = sum(counts.values())
    if not total:
        return "the config has no thresholds"
    undecided = counts.get(UNDECIDED, 0)
    if undecided == total:
        return f"{_share(undecided, total)} {'is' if total == 1 else 'are'} undecided"
    if counts.get(WARN, 0) == total:
        return f"{_share(total, total)} {'warns' if total == 1 else 'warn'}"
    unjudged = counts.get(NOT_EVALUATED, 0) + counts.get(RUBBER_STAMPED, 0)
    others = [f"{undecided:,} {'is' if undecided == 1 else 'are'} undecided"] if undecided else []
    others += [f"{unjudged:,} could not be evaluated"] if unjudged else []
    warned = counts.get(WARN, 0)
    others += [f"{warned:,} {'warns' if warned == 1 else 'warn'}"] if warned else []
    failed = counts.get(FAIL, 0)
    count, end = (failed, "failed") if failed else (counts.get(PASS, 0), "passed")
    return "; ".join(filter(None, (f"{_share(count, total)} {end}", ", ".join(others))))


def look_text(look: int) -> str:
    """Which candidate a model is, as a sentence: the more are tried on the same data, the less it proves.

    >>> look_text(14), look_text(2)
    ('It is the 14th candidate judged on these data.', 'It is the 2nd candidate judged on these data.')
    """
    teens = 10 < look % 100 < 20
    end = {1: "st", 2: "nd", 3: "rd"}.get(0 if teens else look % 10, "th")
    return f"It is the {look:,}{end} candidate judged on these data."


def _share(count: int, total: int) -> str:
    if count == total:
        return "the check" if total == 1 else f"all {total:,} checks"
    return f"{f'{count:,}' if count else 'none'} of {counted(total, 'check')}"


def _first_bytes(values: Iterable[T], most: int) -> Iterator[T]:
    """The first values whose JSON has at most `most` bytes."""
    size = 0
    for value in values:
        size += len(json.dumps(value, ensure_ascii=False).encode()) + 8  # its line's indent and end
        if size > most:
            return
        yield value
