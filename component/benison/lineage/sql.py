# SPDX-License-Identifier: Apache-2.0
"""Keeps runs in two tables of any SQL database, with what ML Metadata's nodes would hold.

Every method is one transaction. A blessing is a row that is written together with the end of its run, so
that no reader sees it before.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, and_, or_, select, true

from benison.errors import MetadataError
from benison.lineage import statements
from benison.lineage.database import Database
from benison.lineage.decision import Decision, Revocation
from benison.lineage.run import Finding, ModelFiles, Run, RunKey
from benison.lineage.sink import (
    Attempt,
    Blessing,
    Node,
    is_over,
    no_artifact,
    note_of,
    uris_of,
)
from benison.lineage.states import ASKED, CLOSED, OPEN, RECORDED, SUPERSEDED
from benison.lineage.tables import ARTIFACTS, RUNS, sha256
from benison.lineage.types import checked, checked_name

_LAST_ID = 2**31 - 1
_ATTEMPT = [RUNS.c[field.name] for field in dataclasses.fields(Attempt)]


@dataclasses.dataclass(frozen=True)
class SqlSink:
    """A SQL database; a `Sink`."""

    database: Database

    @property
    def shown(self) -> str:
        return self.database.shown

    def attempts(self, key: RunKey) -> list[Attempt]:
        mine = select(*_ATTEMPT).where(RUNS.c.key_digest == sha256(checked_name(key.name)))
        rows = self.database.run(lambda c: c.execute(mine.order_by(RUNS.c.number)).all())
        return [Attempt(*row) for row in rows]

    def open(self, run: Run, name: str, token: str) -> bool:
        for text in (run.config, run.output, run.key.pipeline, run.key.run, *run.examples):
            checked(text)
        return self.database.run(lambda c: statements.open_run(c, run, name, token))

    def reopen(self, attempt: Attempt, token: str) -> None:
        self._update(attempt, (*OPEN, *CLOSED), state=ASKED, token=token)

    def mark(self, attempt: Attempt, state: str) -> None:
        self._update(attempt, OPEN, state=state)

    def close(self, attempt: Attempt, state: str, reason: str) -> None:
        self._update(attempt, OPEN, state=state, error=statements.printable(reason))

    def _update(self, attempt: Attempt, states: Sequence[str], **values: str) -> None:
        mine = and_(RUNS.c.id == attempt.id, RUNS.c.state.in_(states))
        self.database.run(lambda c: c.execute(RUNS.update().where(mine).values(**values)))

    def publish(
        self, run: Run, attempt: Attempt, finding: Finding, older: Sequence[Attempt]
    ) -> None:
        data = run.data.digest()
        recorded = {
            "state": RECORDED,
            "status": finding.status,
            "summary": statements.printable(finding.summary),
            "data": data,
            "data_digest": sha256(data),
            "error": "",
        }

        def work(connection: Connection) -> None:
            is_open = RUNS.c.state.in_((*OPEN, *CLOSED))
            mine = RUNS.update().where(RUNS.c.id == attempt.id, is_open).values(**recorded)
            if connection.execute(mine).rowcount:  # else another process was first
                statements.add_blessing(connection, run, attempt, finding)
                statements.supersede(connection, older, attempt.name)

        self.database.run(work)

    def supersede(self, older: Sequence[Attempt], by: str) -> None:
        self.database.run(lambda c: statements.supersede(c, older, by))

    def ids(self, run: Run, attempt: Attempt) -> dict[str, Any]:
        query = select(RUNS.c.model_id, RUNS.c.baseline_id).where(RUNS.c.id == attempt.id)
        row = self.database.run(lambda c: c.execute(query).one())
        ids = {"execution": attempt.id, "model": row.model_id, "baseline_model": row.baseline_id}
        return {name: number for name, number in ids.items() if number is not None}

    def blessing_of(self, attempt: Attempt) -> Blessing | None:
        mine = ARTIFACTS.c.run_id == attempt.id
        newest = self._artifacts(mine, newest_first=True)
        return self._blessing(newest[0]) if newest else None

    def recorded_at(self, output: str, pipeline: str | None) -> None:
        return None  # TFX writes ML Metadata alone

    def candidates(self, data: str) -> list[str]:
        judged = and_(RUNS.c.data_digest == sha256(data), RUNS.c.state.in_((RECORDED, SUPERSEDED)))
        query = (
            select(ARTIFACTS.c.digest)
            .select_from(RUNS.outerjoin(ARTIFACTS, RUNS.c.model_id == ARTIFACTS.c.id))
            .where(judged)
            .order_by(RUNS.c.id)
        )
        rows = self.database.run(lambda c: c.execute(query).all())
        return list(dict.fromkeys(row.digest or "" for row in rows))

    def latest_blessed(self, pipeline: str) -> ModelFiles | None:
        blessing, model = ARTIFACTS.alias("blessing"), ARTIFACTS.alias("model")
        query = (
            select(model.c.uri, model.c.digest, blessing.c.until)
            .select_from(blessing.join(model, blessing.c.model_id == model.c.id))
            .where(blessing.c.pipeline_digest == sha256(pipeline), blessing.c.live)
            .where(blessing.c.blessed == 1, model.c.live)
            .order_by(model.c.id.desc())
        )
        rows = self.database.run(lambda c: c.execute(query).all())
        return next((ModelFiles(r.uri, r.digest) for r in rows if not is_over(r.until)), None)

    def blessings(self, pipeline: str, limit: int) -> list[Blessing]:
        self._check_known(pipeline)
        mine = and_(
            ARTIFACTS.c.pipeline_digest == sha256(pipeline), ARTIFACTS.c.kind == statements.BLESSING
        )
        return [self._blessing(row) for row in self._artifacts(mine, True, limit)]

    def judged(self, pipeline: str, target: str) -> Blessing:
        named = self._find(target)
        self._check_known(pipeline)
        same = or_(ARTIFACTS.c.id == named.id, ARTIFACTS.c.model_id == named.id)
        if named.kind != "Model":
            same = or_(same, ARTIFACTS.c.uri_digest == sha256(named.uri))
        mine = and_(ARTIFACTS.c.pipeline_digest == sha256(pipeline), ARTIFACTS.c.live, same)
        verdicts = self._artifacts(mine, newest_first=True)
        if not verdicts:
            raise MetadataError(
                f"The pipeline {pipeline!r} has no verdict on {target}. Evaluate it first."
            )
        return self._blessing(verdicts[0])

    def override(self, pipeline: str, judged: Blessing, decision: Decision) -> Blessing:
        def work(connection: Connection) -> Row[Any]:
            row = connection.execute(statements.by_id(judged.id)).one()
            made = statements.artifact_row(
                statements.BLESSING,
                row.uri,
                row.digest,
                run_id=row.run_id,
                pipeline_digest=row.pipeline_digest,
                model_id=row.model_id,
                blessed=1,
                reasons=row.reasons,
                decided_by=checked(decision.by),
                decision=checked(decision.reason),
                until=decision.until,
            )
            revoked = statements.revocation(connection, row.pipeline_digest, row.digest)
            if revoked is not None and decision.until is None:
                lifted = revoked.lifted(*map(checked, decision.facts))
                statements.keep_revocation(connection, row.pipeline_digest, lifted)
            return connection.execute(statements.by_id(statements.insert(connection, made))).one()

        return self._blessing(self.database.run(work))

    def revoke(self, pipeline: str, judged: Blessing, decision: Decision) -> list[Blessing]:
        by, at, reason = map(checked, decision.facts)

        def work(connection: Connection) -> Sequence[Row[Any]]:
            contents, same = statements.of_same(connection, judged)
            mine = and_(ARTIFACTS.c.pipeline_digest == sha256(pipeline), ARTIFACTS.c.live, same)
            query = select(ARTIFACTS.c.id).where(mine, ARTIFACTS.c.blessed == 1)
            changed = ARTIFACTS.c.id.in_(list(connection.scalars(query)))
            values = {"blessed": 0, "revoked_by": by, "revoked_reason": reason}
            taken = connection.execute(ARTIFACTS.update().where(changed).values(**values))
            if contents and taken.rowcount:
                revoked = Revocation(contents, by, at, reason)
                statements.keep_revocation(connection, sha256(pipeline), revoked)
            return connection.execute(statements.newest(changed)).all()

        return [self._blessing(row) for row in self.database.run(work)]

    def revocation(self, pipeline: str, contents: str) -> Revocation | None:
        return self.database.run(lambda c: statements.revocation(c, sha256(pipeline), contents))

    def trace(self, target: str, pipeline: str | None) -> Node:
        row = self._find(target, pipeline)
        return self.database.run(lambda c: statements.node(c, row.id))

    def _find(self, target: str, pipeline: str | None = None) -> Row[Any]:
        """The artifact that an id, a URI or a path names; of several the newest, a blessing first."""
        is_id = target.isascii() and target.isdigit() and int(target) <= _LAST_ID
        uris = [sha256(checked(uri)) for uri in uris_of(target)]
        wanted = ARTIFACTS.c.uri_digest.in_(uris)
        mine = true() if pipeline is None else statements.is_of(pipeline)
        rows = self._artifacts(and_(ARTIFACTS.c.id == int(target), mine)) if is_id else []
        rows = rows or self._artifacts(and_(wanted, mine))
        if not rows:
            raise no_artifact(self.shown, target, pipeline)
        return max(rows, key=lambda row: (row.kind == statements.BLESSING, row.id))

    def _artifacts(
        self, wanted: Any, newest_first: bool = False, limit: int | None = None
    ) -> list[Row[Any]]:
        query = statements.newest(wanted) if newest_first else select(ARTIFACTS).where(wanted)
        return list(self.database.run(lambda c: c.execute(query.limit(limit)).all()))

    def _check_known(self, pipeline: str) -> None:
        query = select(RUNS.c.pipeline).distinct()
        mine = query.where(RUNS.c.pipeline_digest == sha256(checked(pipeline))).limit(1)
        if self.database.run(lambda c: c.execute(mine).first()) is None:
            known = sorted(self.database.run(lambda c: c.scalars(query.limit(1000)).all()))
            there = f"There are: {', '.join(known[:12])}." if known else "It has none."
            raise MetadataError(f"{self.shown} has no pipeline {pipeline!r}. {there}")

    def _revoked_at(self, row: Row[Any]) -> str:
        """When a blessing was taken back; "" where that is not known, or it was not."""
        if row.revoked_by is None:
            return ""
        known = self.database.run(
            lambda c: statements.revocation(c, row.pipeline_digest, row.digest)
        )
        pair = (row.revoked_by, row.revoked_reason)
        is_it = known is not None and (known.revoked_by, known.revoked_reason) == pair
        return known.revoked_at if known and is_it else ""

    def _blessing(self, row: Row[Any]) -> Blessing:
        model = ""
        if row.model_id is not None:
            query = select(ARTIFACTS.c.uri).where(ARTIFACTS.c.id == row.model_id)
            model = self.database.run(lambda c: c.scalars(query).one())
        return Blessing(
            row.id,
            model,
            row.model_id,
            statements.status(row),
            row.created,
            tuple(filter(None, (row.reasons or "").split("\n"))),
            note_of(
                superseded_by=row.superseded_by,
                revoked=(row.revoked_by, self._revoked_at(row), row.revoked_reason),
                overridden=(row.decided_by, row.decision, row.until),
                rubber_stamped=row.rubber_stamped,
            ),
            row.uri,
            row.revoked_by is not None,
        )
