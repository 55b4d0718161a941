# SPDX-License-Identifier: Apache-2.0
"""What people decide against a verdict, and what stands of it.

A revocation is of contents and not of a place: of the digest of a model's files, wherever they are; or where
predictions are in the data, of those data and columns. No verdict blesses what is revoked.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable

from benison.errors import MetadataError


@dataclasses.dataclass(frozen=True)
class Decision:
    """Somebody's decision, to bless or to revoke."""

    by: str
    at: str
    """When it was decided: UTC, in ISO 8601."""
    reason: str
    until: str | None = None
    """When a blessing ends, in ISO 8601 with an offset; None for never."""

    @classmethod
    def made(cls, by: str, reason: str, until: str | None = None) -> Decision:
        """A decision of now.

        Args:
            by: Who decides.
            reason: Why.
            until: When a blessing ends: a day or a time.

        Raises:
            MetadataError: Who or why is missing, or the end is no time to come.
        """
        for name, value in {"by": by, "reason": reason}.items():
            if not value.strip():
                raise MetadataError(
                    f"Say --{name}: a decision against a verdict is recorded with who and why."
                )
        now = datetime.datetime.now(datetime.UTC)
        return cls(
            by, now.isoformat(timespec="seconds"), reason, _end(until, now) if until else None
        )

    @property
    def facts(self) -> tuple[str, str, str]:
        """Who, when and why."""
        return self.by, self.at, self.reason


@dataclasses.dataclass(frozen=True)
class Revocation:
    """Who has revoked a model, when and why; and the same of who has taken that back, or "" thrice."""

    contents: str
    """As of `Run.contents`."""
    revoked_by: str
    revoked_at: str
    revoked_reason: str
    lifted_by: str = ""
    lifted_at: str = ""
    lifted_reason: str = ""

    @property
    def stands(self) -> bool:
        """Whether nobody has taken it back."""
        return not self.lifted_by

    def lifted(self, by: str, at: str, reason: str) -> Revocation:
        """The same, taken back."""
        return dataclasses.replace(self, lifted_by=by, lifted_at=at, lifted_reason=reason)

    @property
    def sentence(self) -> str:
        """What has come of it, and what it asks for.

        >>> revocation = Revocation("1f", "ada", "2030-01-31T10:00:05+00:00", "wrong labels")
        >>> revocation.sentence.partition(". ")[0]
        'The model was revoked by ada on 2030-01-31 at 10:00 UTC: wrong labels'
        >>> revocation.lifted("bob", "2030-02-01T09:30:00+00:00", "they are right").sentence
        'The model was revoked by ada on 2030-01-31 at 10:00 UTC: wrong labels; that was taken back by bob \
on 2030-02-01 at 09:30 UTC: they are right.'
        """
        revoked = decision_text(self.revoked_by, self.revoked_at, self.revoked_reason)
        if self.stands:
            return (
                f"The model was revoked {revoked}. No verdict blesses it until somebody takes that back: "
                "`benison bless OUTPUT --override`, without --until, says who and why."
            )
        back = decision_text(self.lifted_by, self.lifted_at, self.lifted_reason)
        return f"The model was revoked {revoked}; that was taken back {back}."


def decision_text(by: str, at: str, reason: str) -> str:
    """Who has decided, when if that is known, and why.

    >>> decision_text("ada", "", "late labels.")
    'by ada: late labels'
    """
    when = f" on {at[:10]} at {at[11:16]} UTC" if at else ""
    return f"by {by}{when}: {reason.rstrip('. ')}"


def _end(until: str, now: datetime.datetime) -> str:
    try:
        moment = datetime.datetime.fromisoformat(until)
    except ValueError as error:
        raise MetadataError(
            f"{until!r} is neither a day such as 2030-01-31 nor a time such as 2030-01-31T18:00+02:00."
        ) from error
    moment = moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
    if moment <= now:
        raise MetadataError(
            f"A blessing until {until} would be over already: that is {moment.isoformat()}. A day begins at "
            "00:00 UTC, and a time without an offset is in UTC."
        )
    return moment.isoformat()


def foremost(known: Iterable[Revocation | None]) -> Revocation | None:
    """Of several revocations of the same contents one that stands, else the first."""
    revocations = [each for each in known if each is not None]
    standing = (each for each in revocations if each.stands)
    return next(standing, next(iter(revocations), None))
