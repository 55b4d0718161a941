# SPDX-License-Identifier: Apache-2.0
"""A comment on the pull request that GitHub Actions is checking: written once, then replaced."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benison.errors import ConfigError, PublishError
from benison.report.ci import summary_page
from benison.results.result import EvalResult
from benison.sinks.web import checked_address, host_of, send

_MOST = 65_000  # characters; GitHub takes 65,536
_PAGES = 30  # of a hundred comments each
_NAME = re.compile(r"[\w. ]*(-[\w. ]+)*")  # nothing that ends a comment of HTML


@dataclasses.dataclass(frozen=True)
class PullRequestComment:
    """The pull request of a step of GitHub Actions; a `Publisher`. Elsewhere, as on a push, it does nothing.

    GITHUB_TOKEN is that of the job or of an app, with `permissions: pull-requests: write`: the comments of a
    person are never replaced, as whoever opened the pull request could have written one like ours.
    """

    name: str
    """Tells apart the comments of several evaluations; "" where there is one."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ConfigError(
                f"A comment cannot have the name {self.name!r}: it has letters, digits, blanks, dots and "
                "single hyphens, as in github-comment=taxi."
            )
        if _number() is not None:
            _issues()
            _headers()

    def publish(self, result: EvalResult) -> None:
        number = _number()
        if number is None:
            return
        mark = f"<!-- benison {self.name} -->"
        document = {"body": _cut(f"{mark}\n{summary_page(result)}")}
        root = _issues()
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
    try:
        event = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"GITHUB_EVENT_PATH names {path}, which has no event: {error}."
        ) from error
    pull_request = event.get("pull_request") if isinstance(event, Mapping) else None
    number = pull_request.get("number") if isinstance(pull_request, Mapping) else None
    return number if isinstance(number, int) else None


def _written(address: str, mark: str) -> Any:
    """The id of the comment that was written before, if there is one."""
    for page in range(1, _PAGES + 1):
        comments = send(f"{address}?per_page=100&page={page}", None, "GET", _headers())
        if not isinstance(comments, list):
            raise PublishError(
                f"{host_of(address)} answers with no list of comments; is GITHUB_API_URL that of GitHub?"
            )
        for comment in comments:
            if _is_ours(comment, mark):
                return comment["id"]
        if len(comments) < 100:
            return None
    return None


def _is_ours(comment: Any, mark: str) -> bool:
    """Whether a comment has our mark, and is none of a person, who could change the verdict in it."""
    kind = (comment.get("user") or {}).get("type")
    return kind == "Bot" and str(comment.get("body")).startswith(mark)


def _cut(body: str) -> str:
    """As many lines as GitHub takes, and no half of one: an escape cut in two would be markup."""
    if len(body) <= _MOST:
        return body
    whole, _, _ = body[:_MOST].rpartition("\n")
    return f"{whole}\n\n..."


def _issues() -> str:
    """The address of the issues of the repository, which pull requests are too."""
    repository = os.environ.get("GITHUB_REPOSITORY")
    if not repository:
        raise ConfigError("A comment needs GITHUB_REPOSITORY, such as owner/name; a step has it.")
    api = os.environ.get("GITHUB_API_URL", "https://api.github.com")
    return checked_address(f"{api}/repos/{repository}/issues")


def _headers() -> dict[str, str]:
    token = os.environ.get("GITHUB_TOKEN")
    if not token:
        raise ConfigError(
            "A comment needs GITHUB_TOKEN: give the step `env: {GITHUB_TOKEN: ${{ github.token }}}`."
        )
    return {"Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json"}
