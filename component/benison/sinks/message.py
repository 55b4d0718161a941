# SPDX-License-Identifier: Apache-2.0
"""Messages: to any webhook as a JSON document, and to a channel of Slack for people."""

from __future__ import annotations

import dataclasses
import os
import re
from typing import Any

from benison.errors import ConfigError, visible
from benison.results.overall import headline
from benison.results.result import EvalResult
from benison.sinks.result_names import model_of
from benison.sinks.web import checked_address, send
from benison.table.words import shortened
from benison.validation.terms import FAIL

_REASONS, _METRICS = 10, 200
_SHOWN_REASONS, _LONG, _MOST = 5, 280, 3_000
_MARKS = {"blessed": ":white_check_mark:", "not_blessed": ":x:", "not_evaluated": ":warning:"}
_SLACK_URL = "BENISON_SLACK_URL"
_ESCAPES = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"))


@dataclasses.dataclass(frozen=True)
class Webhook:
    """An address that takes a JSON document by POST; a `Publisher`."""

    address: str = dataclasses.field(repr=False)

    def __post_init__(self) -> None:
        checked_address(self.address)

    def publish(self, result: EvalResult) -> None:
        send(self.address, document(result))


def document(result: EvalResult) -> dict[str, Any]:
    """A result for a machine in one small document, whatever the number of checks."""
    verdict = result.verdict
    return {
        "event": "evaluated",
        "verdict": verdict.status,
        "blessed": verdict.blessed,
        "summary": verdict.summary(),
        "counts": dict(verdict.counts),
        "reasons": [*map(visible, verdict.first_reasons(_REASONS))],
        "metrics": dict(list(headline(result).items())[:_METRICS]),
        "examples": result.manifest["rows"],
        "created": result.manifest["created"],
        "model": model_of(result),
        "output": "" if result.path is None else str(result.path),
    }


@dataclasses.dataclass(frozen=True)
class SlackMessage:
    """An incoming webhook of Slack; a `Publisher`."""

    address: str = dataclasses.field(repr=False)
    """It lets whoever knows it post: "" is what BENISON_SLACK_URL holds."""

    def __post_init__(self) -> None:
        address = self.address or os.environ.get(_SLACK_URL, "")
        if not address:
            raise ConfigError(f"slack needs the address of the webhook: set {_SLACK_URL}.")
        object.__setattr__(self, "address", checked_address(address))

    def publish(self, result: EvalResult) -> None:
        send(self.address, slack_message(result))


def slack_message(result: EvalResult) -> dict[str, Any]:
    """The verdict and the first reasons, as blocks; `text` is what a notification shows."""
    verdict = result.verdict
    head = f"*{escaped(model_of(result))}* {escaped(verdict.summary())}"
    reasons = [
        f"• {escaped(shortened(visible(each), _LONG))}"
        for each in verdict.first_reasons(_SHOWN_REASONS)
    ]
    more = verdict.counts[FAIL] - _SHOWN_REASONS
    reasons += [f"and {more:,} more"] if more > 0 else []
    texts = [f"{_MARKS[verdict.status]} {head}", *(["\n".join(reasons)] if reasons else [])]
    where = "" if result.path is None else f" · {escaped(str(result.path))}"
    about = f"{result.manifest['rows']:,} examples{where}"
    return {
        "text": escaped(f"{model_of(result)}: {verdict.summary()}"),
        "blocks": [
            *(
                {"type": "section", "text": {"type": "mrkdwn", "text": _cut(text)}}
                for text in texts
            ),
            {"type": "context", "elements": [{"type": "mrkdwn", "text": _cut(about)}]},
        ],
    }


def _cut(text: str) -> str:
    """As much of an escaped text as Slack takes, and no half of an entity."""
    return text if len(text) <= _MOST else re.sub("&[a-z]*$", "", text[:_MOST])


def escaped(text: str) -> str:
    """Text on one line in which Slack sees no link and no mention."""
    text = visible(text)
    for character, entity in _ESCAPES:
        text = text.replace(character, entity)
    return text
