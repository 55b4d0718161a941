# SPDX-License-Identifier: Apache-2.0
"""Lets no verdict bless what somebody has revoked."""

from __future__ import annotations

import dataclasses

import pyarrow as pa

from benison.lineage.decision import Revocation
from benison.table.key import Key
from benison.table.schema import CHECKS_SCHEMA
from benison.validation.check_rows import absent_row
from benison.validation.terms import FAIL, REVOKED
from benison.validation.verdict import NOT_BLESSED, Verdict


def with_revocation(verdict: Verdict, revocation: Revocation | None, model: str) -> Verdict:
    """The verdict with the revocation of what was judged, which fails while it stands.

    Args:
        verdict: That of the thresholds.
        revocation: Of the candidate's contents; None where they were never revoked.
        model: The name of the candidate.
    """
    if revocation is None:
        return verdict
    known = dataclasses.replace(verdict, revocation=revocation)
    if not revocation.stands:
        return known
    row = absent_row(Key(REVOKED, model=model), "Overall", REVOKED, FAIL, revocation.sentence)
    table = pa.concat_tables([verdict.table, pa.Table.from_batches([row], CHECKS_SCHEMA)])
    return dataclasses.replace(known, status=NOT_BLESSED, table=table)
