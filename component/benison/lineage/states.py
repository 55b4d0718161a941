# SPDX-License-Identifier: Apache-2.0
"""The states of a run, and ML Metadata's names for them.

Output, marker and store agree in every state but one: a run that is *written* has a finished output, and its
record is RUNNING. The same run again completes that record, or `benison record` does.
"""

from __future__ import annotations

ASKED = "asked"
RUNNING = "running"
EVALUATED = "evaluated"
WRITTEN = "written"
RECORDED = "recorded"
FAILED = "failed"
ABANDONED = "abandoned"
SUPERSEDED = "superseded"

OPEN = (ASKED, RUNNING, EVALUATED, WRITTEN)
CLOSED = (FAILED, ABANDONED)

IN_ML_METADATA = {
    **dict.fromkeys(OPEN, "RUNNING"),
    RECORDED: "COMPLETE",
    SUPERSEDED: "COMPLETE",
    FAILED: "FAILED",
    ABANDONED: "CANCELED",
}
"""State -> the state of an execution of ML Metadata."""

NEXT = {
    ASKED: (RUNNING, WRITTEN, FAILED, ABANDONED),
    RUNNING: (EVALUATED, FAILED, ABANDONED),
    EVALUATED: (WRITTEN, FAILED, ABANDONED),
    WRITTEN: (RECORDED, ASKED, ABANDONED),
    RECORDED: (SUPERSEDED,),
    FAILED: (ASKED,),
    ABANDONED: (ASKED,),
    SUPERSEDED: (),
}
"""State -> the states that may follow it. An open state is also followed by `asked`, when a killed run is
taken up again."""
