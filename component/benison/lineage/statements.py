# SPDX-License-Identifier: Apache-2.0
"""The statements that a SQL store runs within a transaction."""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, and_, exists, func, inspect, or_, select

from benison.lineage.decision import Revocation
from benison.lineage.run import Finding, ModelFiles, Run
from benison.lineage.sink import Attempt, Blessing, Node, is_over
from benison.lineage.states import ABANDONED, ASKED, OPEN, RECORDED, SUPERSEDED
from benison.lineage.tables import ARTIFACTS, REVOCATIONS, RUNS, sha256
from benison.version import VERSION

BLESSING = "ModelBlessing"
_REASON_CHARACTERS = 20_000


def open_run(connection: Connection, run: Run, name: str, token: str) -> bool:
    """Add a run as *asked*, with what it reads; False if its name is taken."""
    base, _, number = name.partition("#")
    identity = {"key_digest": sha256(base), "number": int(number or 1)}
    taken = select(RUNS.c.id).where(*(RUNS.c[key] == value for key, value in identity.items()))
    if connection.execute(taken).first() is not None:
        return False
    for path in run.examples:
        _known(connection, "Examples", path, run.data.fingerprint)
    models = [files and _model(connection, files) for files in (run.model, run.baseline)]
    values = {
        **run.key.to_dict(),
        "name": name,
        "pipeline_digest": sha256(run.key.pipeline),
        "state": ASKED,
        "token": token,
        "inputs": run.inputs,
        "fingerprint": run.data.fingerprint,
        "data": "",
        "examples": json.dumps(run.examples),
        "model_id": models[0],
        "baseline_id": models[1],
        "baseline": run.baseline.path if run.baseline else "",
        "config": run.config,
        "output": run.output,
        **dict.fromkeys(("status", "summary", "error"), ""),
        "benison": VERSION,
        "created": _now().isoformat(timespec="seconds"),
    }
    connection.execute(RUNS.insert().values(**identity, **values))
    return True


def _model(connection: Connection, files: ModelFiles) -> int:
    """The row of a model's bytes; another that was at its place is gone, and its blessing with it."""
    mine = _known(connection, "Model", files.path, files.digest)
    there = and_(ARTIFACTS.c.kind == "Model", ARTIFACTS.c.uri_digest == sha256(files.path))
    update = ARTIFACTS.update().where(there)
    connection.execute(update.where(ARTIFACTS.c.id != mine).values(live=False))
    connection.execute(update.where(ARTIFACTS.c.id == mine).values(live=True))
    return mine


def _known(connection: Connection, kind: str, uri: str, digest: str) -> int:
    """The id of an artifact that came from outside, which is recorded once."""
    identity = sha256(kind, uri, digest)
    query = select(ARTIFACTS.c.id).where(ARTIFACTS.c.identity == identity)
    known = connection.execute(query).scalar()
    if known is None:
        return insert(connection, artifact_row(kind, uri, digest, identity=identity))
    return int(known)


def insert(connection: Connection, row: dict[str, Any]) -> int:
    """Add an artifact; its id."""
    key = connection.execute(ARTIFACTS.insert().values(**row)).inserted_primary_key
    return int(key[0]) if key else 0


def artifact_row(kind: str, uri: str, digest: str, **values: Any) -> dict[str, Any]:
    """The values of a new artifact."""
    created = _now().isoformat(timespec="seconds")
    plain = {"kind": kind, "uri": uri, "uri_digest": sha256(uri), "digest": digest, "live": True}
    return {**plain, "created": created, **values}


def add_blessing(connection: Connection, run: Run, attempt: Attempt, finding: Finding) -> None:
    """Add the blessing of a verdict."""
    query = select(RUNS.c.model_id).where(RUNS.c.id == attempt.id)
    blessing = artifact_row(
        BLESSING,
        run.output,
        run.contents,
        run_id=attempt.id,
        pipeline_digest=sha256(run.key.pipeline),
        model_id=connection.execute(query).scalar(),
        blessed={"blessed": 1, "not_blessed": 0}.get(finding.status),
        reasons=printable("\n".join(finding.reasons)),
        rubber_stamped=finding.rubber_stamped,
    )
    insert(connection, blessing)


def supersede(connection: Connection, older: Sequence[Attempt], by: str) -> None:
    """Take back the blessings of runs and the decisions on them; end what had not come that far."""
    ids = [attempt.id for attempt in older]
    live = and_(ARTIFACTS.c.run_id.in_(ids), ARTIFACTS.c.live)
    connection.execute(ARTIFACTS.update().where(live).values(live=False, superseded_by=by))
    mine = RUNS.update().where(RUNS.c.id.in_(ids))
    connection.execute(mine.where(RUNS.c.state == RECORDED).values(state=SUPERSEDED))
    connection.execute(mine.where(RUNS.c.state.in_(OPEN)).values(state=ABANDONED))


def revocation(connection: Connection, pipeline_digest: str, contents: str) -> Revocation | None:
    """The revocation of contents in a pipeline; a store of an older Benison has no table of them."""
    if not inspect(connection).has_table(REVOCATIONS.name):
        return None
    columns = [REVOCATIONS.c[field.name] for field in dataclasses.fields(Revocation)]
    mine = select(*columns).where(REVOCATIONS.c.identity == sha256(pipeline_digest, contents))
    row = connection.execute(mine).first()
    return None if row is None else Revocation(**row._mapping)


def keep_revocation(connection: Connection, pipeline_digest: str, revoked: Revocation) -> None:
    """Write a revocation in the place of what was written of its contents before."""
    REVOCATIONS.create(connection, checkfirst=True)
    identity = sha256(pipeline_digest, revoked.contents)
    connection.execute(REVOCATIONS.delete().where(REVOCATIONS.c.identity == identity))
    connection.execute(
        REVOCATIONS.insert().values(identity=identity, **dataclasses.asdict(revoked))
    )


def node(connection: Connection, artifact: int, role: str = "") -> Node:
    """An artifact, and what it was made from."""
    row = connection.execute(by_id(artifact)).one()
    sources: tuple[Node, ...] = ()
    if row.kind == BLESSING and row.decided_by is not None:
        sources = (_decision_node(connection, row),)
    elif row.kind == BLESSING:
        sources = (_run_node(connection, row.run_id),)
    names = {"digest": "benison_digest", "reasons": "benison_reasons", "blessed": "blessed"}
    names |= {name: f"benison_{name}" for name in ("until", "revoked_by", "revoked_reason")}
    properties = {name: row._mapping[key] for key, name in names.items()}
    return Node(row.kind, row.id, row.uri, _given(properties), sources, role)


def _decision_node(connection: Connection, row: Row[Any]) -> Node:
    """Somebody's decision, and the verdict that it was against."""
    verdicts = and_(ARTIFACTS.c.run_id == row.run_id, ARTIFACTS.c.decided_by.is_(None))
    query = select(func.min(ARTIFACTS.c.id)).where(verdicts)
    verdict = connection.execute(query).scalar_one()
    read = {"model_blessing": verdict, "model": row.model_id}
    sources = tuple(node(connection, i, role) for role, i in read.items() if i is not None)
    properties = {"by": row.decided_by, "reason": row.decision}
    return Node("benison.Override", row.id, f"override of {verdict}", _given(properties), sources)


def _run_node(connection: Connection, run: int) -> Node:
    row = connection.execute(select(RUNS).where(RUNS.c.id == run)).one()
    identities = [sha256("Examples", path, row.fingerprint) for path in json.loads(row.examples)]
    query = select(ARTIFACTS.c.id).where(ARTIFACTS.c.identity.in_(identities))
    read = [(number, "examples") for number in connection.scalars(query.order_by(ARTIFACTS.c.id))]
    models = {row.baseline_id: "baseline_model", row.model_id: "model"}
    read += [(number, role) for number, role in models.items() if number is not None]
    sources = tuple(node(connection, number, role) for number, role in read)
    names = {"config": "eval_config", "state": "benison_state", "summary": "benison_summary"}
    properties = {name: row._mapping[key] for key, name in names.items()}
    return Node("Evaluator", row.id, row.name, _given(properties), sources)


def _given(properties: dict[str, Any]) -> dict[str, str | int]:
    return {name: value for name, value in properties.items() if value not in (None, "")}


def by_id(artifact: int) -> Any:
    """The query for one artifact."""
    return select(ARTIFACTS).where(ARTIFACTS.c.id == artifact)


def of_same(connection: Connection, judged: Blessing) -> tuple[str, Any]:
    """The contents that were judged, and the condition that a blessing is of them."""
    contents = connection.execute(by_id(judged.id)).one().digest
    same = ARTIFACTS.c.model_id == judged.model_id
    same = ARTIFACTS.c.id == judged.id if judged.model_id is None else same
    of_contents = and_(ARTIFACTS.c.kind == BLESSING, ARTIFACTS.c.digest == contents)
    return contents, or_(same, of_contents) if contents else same


def is_of(pipeline: str) -> Any:
    """The condition that a run of a pipeline has made or read an artifact."""
    as_data = and_(ARTIFACTS.c.kind == "Examples", ARTIFACTS.c.digest == RUNS.c.fingerprint)
    as_model = ARTIFACTS.c.id.in_([RUNS.c.model_id, RUNS.c.baseline_id])
    used = or_(ARTIFACTS.c.run_id == RUNS.c.id, as_model, as_data)
    return exists().where(RUNS.c.pipeline_digest == sha256(pipeline), used)


def newest(wanted: Any) -> Any:
    """The query for artifacts, newest first."""
    return select(ARTIFACTS).where(wanted).order_by(ARTIFACTS.c.id.desc())


def status(row: Row[Any]) -> str:
    """What a blessing says, now."""
    if row.superseded_by is not None:
        return "superseded"
    if row.blessed is None:
        return "not_evaluated"
    return "blessed" if row.blessed == 1 and not is_over(row.until) else "not_blessed"


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def printable(text: str) -> str:
    """As much of a text as is kept."""
    return text[:_REASON_CHARACTERS].replace("\0", "")
