# SPDX-License-Identifier: Apache-2.0
"""Where results go on to, each read back by what reads it: Prometheus' parser, OTLP's messages, a server."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import benison
from benison.cli import app
from benison.errors import ConfigError, PublishError
from benison.results.overall import headline
from benison.sinks import publishing
from benison.sinks.publishing import publish, publisher_of
from tests.conftest import config, taxi_like


class Server(ThreadingHTTPServer):
    """Keeps what it is sent, and answers by `answers`, or with an empty document."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received: list[tuple[str, str, bytes, dict[str, str]]] = []
        self.answers: dict[tuple[str, str], tuple[int, Any]] = {}
        self.location = ""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def documents(self) -> list[Any]:
        return [json.loads(body) for _, _, body, _ in self.received if body]


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = self.path.partition("?")[0]
        self.server.received.append((self.command, self.path, body, dict(self.headers)))
        status, document = self.server.answers.get((self.command, path), (200, {}))
        content = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = _answer  # noqa: N815 - the names of the base class

    def log_message(self, *_: Any) -> None:
        """Keep the log of the tests free of requests."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def test_prometheus_reads_its_file(result: benison.EvalResult, tmp_path: Path) -> None:
    parser = pytest.importorskip("prometheus_client.parser")
    publish(result, [f"prometheus={tmp_path / 'benison.prom'}"])
    text = (tmp_path / "benison.prom").read_text()
    samples = [s for family in parser.text_string_to_metric_families(text) for s in family.samples]
    values = {s.labels["metric"]: s.value for s in samples if s.name == "benison_metric"}
    assert values == pytest.approx(headline(result))
    verdict = {s.labels["status"]: s.value for s in samples if s.name == "benison_verdict"}
    assert verdict == {"blessed": 0, "not_blessed": 1, "not_evaluated": 0}
    checks = {s.labels["outcome"]: s.value for s in samples if s.name == "benison_checks"}
    assert checks == result.verdict.counts
    names = {sample.name for sample in samples}
    assert {"benison_metric_lower", "benison_metric_change_upper", "benison_examples"} <= names


def test_a_collector_gets_the_same_numbers(result: benison.EvalResult, server: Server) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as service

    publish(result, [f"opentelemetry={server.address}/v1/metrics"])
    ((_, path, body, _),) = server.received
    assert path == "/v1/metrics"
    sent = service.ExportMetricsServiceRequest.FromString(body)
    metrics = {m.name: m for m in sent.resource_metrics[0].scope_metrics[0].metrics}
    points = metrics["benison.metric"].gauge.data_points
    values = {_attributes(point)["metric"]: point.as_double for point in points}
    assert values == pytest.approx(headline(result))
    server.answers["POST", "/v1/metrics"] = (400, b"")
    with pytest.raises(PublishError, match="refuses the metrics"):
        publish(result, [f"opentelemetry={server.address}/v1/metrics"])


def _attributes(point: Any) -> dict[str, str]:
    return {each.key: each.value.string_value for each in point.attributes}


def test_openlineage_gets_an_event_of_one_run(result: benison.EvalResult, server: Server) -> None:
    pytest.importorskip("openlineage.client")
    publish(result, [f"openlineage={server.address}", f"openlineage={server.address}"])
    first, second = server.documents()
    assert first["run"]["runId"] == second["run"]["runId"]
    assert (first["eventType"], first["job"]["name"]) == ("COMPLETE", "new.evaluate")
    facets = first["run"]["facets"]
    assert facets["benison"]["status"] == "not_blessed"
    assert facets["benison"]["metrics"] == headline(result)
    blessing, *checks = facets["test"]["tests"]
    assert blessing["status"] == "fail"
    assert [each["actual"] for each in checks] == [str(c.value) for c in result.verdict.failures]
    (data,) = first["inputs"]
    assert data["name"].endswith("/eval.parquet")
    assert data["inputFacets"]["dataQualityMetrics"]["rowCount"] == 500


def test_dvc_gets_numbers_below_names(result: benison.EvalResult, tmp_path: Path) -> None:
    publish(result, [f"dvc={tmp_path / 'metrics.json'}"])
    read = json.loads((tmp_path / "metrics.json").read_text())
    assert read["overall"] == headline(result)
    assert (read["verdict"]["blessed"], read["checks"]["fail"]) == (0, 5)


def test_dvc_compares_the_metrics_of_two_commits(
    result: benison.EvalResult, hosts: Path, tmp_path: Path
) -> None:
    (tmp_path / ".dvc").mkdir()  # which `dvc init` makes
    (tmp_path / ".dvc/config").touch()
    (tmp_path / "dvc.yaml").write_text("metrics: [metrics.json]\n")
    before = benison.evaluate(taxi_like(50), config("AUC", "ExampleCount"))
    publish(before, f"dvc={tmp_path / 'metrics.json'}")
    git = ("git", "-c", "user.name=ada", "-c", "user.email=ada@example.org", "-C", tmp_path)
    for words in (("init", "-q"), ("add", "."), ("commit", "-qm", "before")):
        subprocess.run([*git, *words], check=True)
    publish(result, f"dvc={tmp_path / 'metrics.json'}")
    environment = {**os.environ, "DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(tmp_path)}
    words = [hosts, "-m", "dvc", "metrics", "diff", "--json"]
    done = subprocess.run(
        words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    if "No module named dvc" in done.stderr and "CI" not in os.environ:
        pytest.skip("DVC is not in .venv-hosts; run: make hosts-env")
    assert done.returncode == 0, done.stderr
    diff = json.loads(done.stdout)["metrics.json"]["overall.auc"]
    assert (diff["old"], diff["new"]) == (before.value("auc"), headline(result)["auc"])


def test_messages(
    result: benison.EvalResult, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK", f"{server.address}/secret")
    publish(result, ["webhook=env:HOOK", "slack=env:HOOK"])
    plain, slack = server.documents()
    assert (plain["verdict"], plain["blessed"], plain["model"]) == ("not_blessed", False, "new")
    assert plain["reasons"] == list(result.verdict.reasons)
    assert "<" not in slack["text"]
    assert slack["blocks"][0]["text"]["text"].startswith(":x: *new* NOT BLESSED: ")
    assert "0.9" in slack["blocks"][1]["text"]["text"]


def test_what_fails_is_all_said_and_no_secret_with_it(
    result: benison.EvalResult, server: Server, tmp_path: Path
) -> None:
    server.answers["POST", "/secret"] = (500, b"no such channel")
    targets = [f"webhook={server.address}/secret", "webhook=http://127.0.0.1:1/secret"]
    with pytest.raises(PublishError) as raised:
        publish(result, [*targets, f"dvc={tmp_path / 'metrics.json'}"])
    refused, unreached = str(raised.value).splitlines()
    assert "refuses it with status 500: no such channel" in refused
    assert "http://127.0.0.1:1 cannot be reached" in unreached
    assert "secret" not in str(raised.value)
    assert (tmp_path / "metrics.json").exists()


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("promethius=x", "Did you mean 'prometheus'?"),
        ("slack=env:NO_SUCH_VARIABLE", "NO_SUCH_VARIABLE is not set"),
        ("webhook=ftp://host/path", "not an address of the web"),
        ("model-card=card.pdf", "a .md or a .html file"),
        ("dvc", "dvc=metrics.json"),
    ],
)
def test_targets_that_are_none(result: benison.EvalResult, target: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says.replace("?", r"\?")):
        publish(result, [target])


def test_a_pull_request_has_one_comment(
    result: benison.EvalResult, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "event.json").write_text(json.dumps({"pull_request": {"number": 7}}))
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    monkeypatch.setenv("GITHUB_EVENT_PATH", str(tmp_path / "event.json"))
    with pytest.raises(ConfigError, match="GITHUB_REPOSITORY"):
        publisher_of("github-comment")
    for name, value in {
        "GITHUB_API_URL": server.address,
        "GITHUB_REPOSITORY": "me/taxi",
        "GITHUB_TOKEN": "t",
    }.items():
        monkeypatch.setenv(name, value)
    comments = "/repos/me/taxi/issues/7/comments"
    server.answers["GET", comments] = (200, [{"id": 1, "body": "LGTM"}])
    publish(result, ["github-comment"])
    written = json.loads(server.received[-1][2])["body"]
    assert server.received[-1][:2] == ("POST", comments)
    assert "Benison: not blessed" in written
    assert server.received[-1][3]["Authorization"] == "Bearer t"
    kinds = {1: "User", 2: "Bot"}  # of whom the first could change what the comment says
    listed = [{"id": n, "body": written, "user": {"type": kind}} for n, kind in kinds.items()]
    server.answers["GET", comments] = (200, listed)
    publish(result, ["github-comment"])
    assert server.received[-1][:2] == ("PATCH", "/repos/me/taxi/issues/comments/2")
    server.answers["GET", comments] = (200, {"message": "hello"})
    with pytest.raises(PublishError, match="answers with no list of comments"):
        publish(result, ["github-comment"])
    (tmp_path / "event.json").write_text(json.dumps({"ref": "refs/heads/main"}))
    count = len(server.received)
    publish(result, ["github-comment"])
    assert len(server.received) == count


def test_the_command(result: benison.EvalResult, tmp_path: Path) -> None:
    target = f"dvc={tmp_path / 'metrics.json'}"
    done = CliRunner().invoke(app, ["publish", str(result.path), "--to", target])
    assert (done.exit_code, done.stdout.strip()) == (0, "Published: dvc")
    assert CliRunner().invoke(app, ["publish", str(result.path), "--to", "x"]).exit_code == 2


def test_evaluate_publishes_and_a_failure_changes_no_verdict(
    result: benison.EvalResult, tmp_path: Path
) -> None:
    made = tmp_path / "eval.json"
    made.write_text(json.dumps(config("AUC")))
    words = ["evaluate", "-e", f"{result.path}/../eval.parquet", "-c", str(made)]
    targets = [f"--publish=dvc={tmp_path / 'metrics.json'}", "--publish=webhook=http://127.0.0.1:1"]
    done = CliRunner().invoke(app, [*words, "-o", str(tmp_path / "out"), *targets])
    assert done.exit_code == 0
    assert "not all was published" in done.stderr
    assert (tmp_path / "metrics.json").exists()


@pytest.mark.parametrize("kind", ["prometheus", "dvc", "model-card"])
def test_a_target_on_another_file_system(
    result: benison.EvalResult, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = pytest.importorskip("fsspec").filesystem("memory")
    monkeypatch.setattr(memory, "store", {})
    monkeypatch.setattr(memory, "pseudo_dirs", [""])
    (sink,) = publishing.checked([f"{kind}=memory://q/card.md?x=1"])
    assert not memory.store
    publish(result, sink)
    publish(result, sink)
    assert memory.cat("/q/card.md?x=1")


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("dvc=nosuch://b/m.json", "nothing here opens nosuch"),
        ("model-card=nosuch://b/card.md", "nothing here opens nosuch"),
        ("prometheus=none/benison.prom", "none/benison.prom cannot be written: No such file"),
        ("dvc=.", "cannot be written: It is a directory"),
        ("dvc=notes.md/m.json", "cannot be written: Not a directory"),
        ("model-card=notes.md", "is no model card"),
    ],
)
def test_a_target_that_cannot_be_written_is_refused_before_the_work(
    target: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("prometheus_client")
    monkeypatch.chdir(tmp_path)
    Path("notes.md").write_text("# Mine\n")
    words = [
        "evaluate",
        "-e",
        "nothing.csv",
        "-c",
        "nothing.yaml",
        "-o",
        "out",
        "--json",
        "--publish",
    ]
    done = CliRunner().invoke(app, [*words, target])
    assert (done.exit_code, [path.name for path in tmp_path.iterdir()]) == (2, ["notes.md"])
    assert says in json.loads(done.stdout)["error"]


def test_one_target_may_stand_alone(result: benison.EvalResult, tmp_path: Path) -> None:
    publish(result, f"dvc={tmp_path / 'metrics.json'}")
    assert (tmp_path / "metrics.json").exists()
    for targets, says in ((None, r"nothing \(null\)"), ([5], "the number 5")):
        with pytest.raises(ConfigError, match=f"cannot be published to {says}: expected a line"):
            publish(result, targets)  # type: ignore[arg-type]


def test_two_evaluations_have_no_series_in_common(
    result: benison.EvalResult, tmp_path: Path
) -> None:
    client = pytest.importorskip("prometheus_client.parser")
    other = benison.evaluate(taxi_like(50), config("AUC"), output=tmp_path / "churn")
    series = []
    for each in (result, other):
        publish(each, f"prometheus={tmp_path / 'benison.prom'}")
        families = client.text_string_to_metric_families((tmp_path / "benison.prom").read_text())
        series.append([sample for family in families for sample in family.samples])
    assert {s.labels["evaluation"] for s in series[0]} == {"out"}
    assert {s.labels["evaluation"] for s in series[1]} == {"churn"}
    models = [{s.labels.get("model", "new") for s in samples} for samples in series]
    assert models == [{"new"}, {"new", "model"}]
