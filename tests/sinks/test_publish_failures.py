# SPDX-License-Identifier: Apache-2.0
"""What keeps a result from a target: it is said, shows no secret, loses no file, and stops no other target."""

from __future__ import annotations

import json
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

import benison
from benison.cli.publish import publish_after
from benison.errors import ConfigError, MissingExtraError, PublishError
from benison.report.ci import summary_page
from benison.sinks import pull_request
from benison.sinks.message import document, slack_message
from benison.sinks.publishing import publish, publisher_of
from benison.sinks.web import checked_address
from tests.conftest import config, taxi_like
from tests.sinks.test_publishing import Server, server

__all__ = ["server"]
MODELS = [
    {"name": name, "label_key": "label", "prediction_key": key, "is_baseline": name == "old"}
    for name, key in (("one", "prediction"), ("two", "prediction"), ("old", "old_prediction"))
]


@pytest.fixture(scope="module")
def result() -> benison.EvalResult:
    """Of two candidates and a baseline, in memory."""
    return benison.evaluate(taxi_like(100), {**config("BinaryAccuracy"), "model_specs": MODELS})


@pytest.mark.parametrize(
    ("name", "before"),
    [
        ("README.md", b"# Mine\n"),
        ("card.html", b"<h1>Mine</h1>"),
        ("latin.md", "# \xe9".encode("latin-1")),
    ],
)
def test_a_file_that_is_no_card_is_kept(
    result: benison.EvalResult, tmp_path: Path, name: str, before: bytes
) -> None:
    file = tmp_path / name
    file.write_bytes(before)
    with pytest.raises(PublishError, match=r"no model card.*ame another file"):
        publish(result, [f"model-card={file}"])
    assert file.read_bytes() == before
    file.unlink()
    publish(result, [f"model-card={file}"])
    publish(result, [f"model-card={file}"])  # which is one now


def test_a_target_that_fails_in_any_way_stops_no_other(
    result: benison.EvalResult, tmp_path: Path
) -> None:
    def fail(_: benison.EvalResult) -> None:
        raise KeyError("https://host/secret")

    sinks = [SimpleNamespace(publish=fail), publisher_of(f"dvc={tmp_path / 'metrics.json'}")]
    after = publish_after(result, sinks)
    assert "SimpleNamespace: KeyError: 'https://host'" in after.unannounced
    assert "NaN" not in (tmp_path / "metrics.json").read_text()


class LostRegistry:
    """Has every model, and forgets what a program of it needs."""

    def fetching(self) -> AbstractContextManager[None]:
        return nullcontext()

    def name_of(self, model: str) -> str:
        return model

    def follow(self, name: str, blessed: str | None) -> None:
        raise KeyError(name, blessed)

    def withdraw(self, model: str) -> None:
        raise KeyError(model)

    def log(self, result: benison.EvalResult) -> None:
        """Keep nothing."""


def test_a_registry_that_fails_in_any_way_changes_no_verdict() -> None:
    after = benison.evaluate(taxi_like(100), config("BinaryAccuracy"), registry=LostRegistry())
    assert after.verdict.status == "not_evaluated"
    assert after.unannounced.endswith("the verdict stands: KeyError: ''.")


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("http://host/gehe/ü", "characters that an address cannot have"),
        ("http://host/se cret", "characters that an address cannot have"),
        ("http://host/secret\n", "characters that an address cannot have"),
        ("http://host:99999/secret", "not an address of the web"),
        ("http://host:secret/", "not an address of the web"),
        ("http://secret..host/", "not an address of the web"),
        ("https://me:secret@hooks.x/", "holds a login"),
    ],
)
def test_addresses_that_no_request_can_be_sent_to(address: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as raised:
        checked_address(address)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("status", [301, 302, 303, 307])
@pytest.mark.parametrize("kind", ["webhook", "openlineage", "opentelemetry"])
def test_a_redirect_is_no_success(
    result: benison.EvalResult, server: Server, kind: str, status: int
) -> None:
    pytest.importorskip("openlineage.client")
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    for path in ("/secret", "/api/v1/lineage"):
        server.answers["POST", path] = (status, {})
    server.location = f"{server.address}/elsewhere"
    with pytest.raises(PublishError, match=r"answers with a redirect|did not|refuses") as raised:
        publish(result, [f"{kind}={server.address}/secret"])
    assert "secret" not in str(raised.value)
    assert "/elsewhere" not in [path for _, path, _, _ in server.received]


def test_an_answer_that_repeats_the_address_is_shown_without(
    result: benison.EvalResult, server: Server
) -> None:
    token = "T0123456789abcdef"
    body = f"{'x' * 280} no hook at /services/{token}?k=v, {token}".encode()
    server.answers["POST", f"/services/{token}"] = (404, body)
    with pytest.raises(PublishError, match="no hook at") as raised:
        publish(result, [f"webhook={server.address}/services/{token}?k=v"])
    assert token[:4] not in str(raised.value)


def test_several_candidates_and_no_output(result: benison.EvalResult) -> None:
    assert document(result)["output"] == ""
    assert "None" not in json.dumps(slack_message(result))
    assert "None" not in summary_page(result)
    openlineage = pytest.importorskip("benison.sinks.openlineage")
    other = benison.evaluate(taxi_like(101), result.config)  # of one second, perhaps
    events = [openlineage.event_of(each) for each in (result, result, other)]
    assert events[0].run.runId == events[1].run.runId != events[2].run.runId
    assert events[0].outputs == []


def test_what_a_target_needs_is_looked_for_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(MissingExtraError, match="prometheus"):
        publisher_of("prometheus=benison.prom")
    monkeypatch.setenv("GITHUB_EVENT_PATH", "nowhere.json")
    with pytest.raises(ConfigError, match=r"GITHUB_EVENT_PATH names nowhere.json"):
        publisher_of("github-comment")
    with pytest.raises(ConfigError, match="cannot have the name"):
        publisher_of("github-comment=a -->")


def test_a_long_comment_ends_with_a_line(
    result: benison.EvalResult, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "event.json").write_text(json.dumps({"pull_request": {"number": 7}}))
    monkeypatch.setenv("GITHUB_EVENT_PATH", str(tmp_path / "event.json"))
    monkeypatch.setenv("GITHUB_API_URL", server.address)
    monkeypatch.setenv("GITHUB_REPOSITORY", "me/taxi")
    monkeypatch.setenv("GITHUB_TOKEN", "t")
    monkeypatch.setattr(pull_request, "summary_page", lambda _: "| a\\|b |\n" * 10_000)
    server.answers["GET", "/repos/me/taxi/issues/7/comments"] = (200, [])
    publish(result, ["github-comment=taxi"])
    body = server.documents()[-1]["body"]
    assert body.startswith("<!-- benison taxi -->\n| a")
    assert body.endswith("\n| a\\|b |\n\n...")
    assert 64_900 < len(body) < 65_536
