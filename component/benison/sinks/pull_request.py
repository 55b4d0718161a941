# SPDX-License-Identifier: Apache-2.0
"""A comment on the pull request that GitHub Actions is checking: written once, then replaced."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

from benison.errors import ConfigError
from benison.report.ci import summary_page
from benison.results.result import EvalResult
from benison.sinks.web import checked_address, send

_MOST = 65_000  # characters; GitHub takes 65,536
_PAGES = 30  # of a hundred comments each


@dataclasses.dataclass(frozen=True)
class PullRequestComment:
    """The pull request of a step of GitHub Actions; a `Publisher`. Elsewhere, as on a push, it does nothing.

    GITHUB_TOKEN needs `permissions: pull-requests: write`.
    """

    name: str
    """Tells apart the comments of several evaluations; "" where there is one."""

    def publish(self, result: EvalResult) -> None:
        number = _number()
        if number is None:
            return
        mark = f"<!-- benison {self.name} -->".replace("--  ", "-- ")
        body = f"{mark}\n{summary_page(result)}"
        document = {"body": body if len(body) <= _MOST else f"{body[:_MOST]}\n\n..."}
        root = f"{_api()}/repos/{os.environ['GITHUB_REPOSITORY']}/issues"
        comment = _written(f"{root}/{number}/comments", mark)
        if comment is None:
            send(f"{root}/{number}/comments", document, "POST", _headers())
        else:
            send(f"{root}/comments/{comment}", document, "PATCH", _headers())


def _number() -> int | None:
    """The pull request that the step is of, from the event that started it."""
    path = os.environ.get("GITHUB_EVENT_PATH")
    if not path:
        return None
    event = json.loads(Path(path).read_text(encoding="utf-8"))
    number = (event.get("pull_request") or {}).get("number")
    return None if number is None else int(number)


def _written(address: str, mark: str) -> Any:
    """The id of the comment that was written before, if there is one."""
    for page in range(1, _PAGES + 1):
        comments = send(f"{address}?per_page=100&page={page}", None, "GET", _headers()) or []
        for comment in comments:
            if str(comment.get("body", "")).startswith(mark):
                return comment["id"]
        if len(comments) < 100:
            return None
    return None


def _api() -> str:
    return checked_address(os.environ.get("GITHUB_API_URL", "https://api.github.com"))


def _headers() -> dict[str, str]:
    token = os.environ.get("GITHUB_TOKEN")
    if not token:
        raise ConfigError(
            "A comment needs GITHUB_TOKEN: give the step `env: {GITHUB_TOKEN: ${{ github.token }}}`."
        )
    return {"Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json"}
