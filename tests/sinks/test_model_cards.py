# SPDX-License-Identifier: Apache-2.0
"""Model cards: what people wrote in them stays, and names are on one line."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest
from markdown_it import MarkdownIt
from ruamel.yaml import YAML

import benison
from benison.report import github
from benison.report.ci import summary_page
from benison.results.overall import headline
from benison.sinks import mlflow_run
from benison.sinks.message import document, slack_message
from benison.sinks.model_card import ModelCard
from benison.sinks.publishing import publish
from tests.conftest import taxi_like
from tests.sinks.conftest import MODELS


def test_a_model_card_keeps_what_people_wrote(result: benison.EvalResult, tmp_path: Path) -> None:
    card = tmp_path / "README.md"
    publish(result, [f"model-card={card}"])
    text = card.read_text()
    _, matter, body = text.split("---\n", 2)
    read = YAML(typ="safe").load(matter)
    (listed,) = read["model-index"][0]["results"]
    assert {each["name"]: each["value"] for each in listed["metrics"]} == headline(result)
    assert "| Metric | Value | Interval | Change from the baseline |" in body
    assert "| auc | at least 0.9 | 5 | 0 | 5 | 0 |" in body
    card.write_text(text.replace("whom its mistakes may harm", "it was trained on trips of 2013"))
    publish(result, [f"model-card={card}"])
    assert "it was trained on trips of 2013" in card.read_text()


def test_a_model_card_tells_a_change_from_a_value(tmp_path: Path) -> None:
    change = {"change_threshold": {"absolute": -0.5, "direction": "HIGHER_IS_BETTER"}}
    metric = {"class_name": "AUC", "threshold": {**change, "evidence": "worse"}}
    made = {"model_specs": MODELS, "metrics_specs": [{"metrics": [metric]}]}
    publish(benison.evaluate(taxi_like(300), made), [f"model-card={tmp_path / 'card.md'}"])
    rule = "| auc | change from the baseline at least -0.5 | 1 | 1 | 0 | 0 |"
    assert rule in (tmp_path / "card.md").read_text()


def test_a_model_card_leads_to_the_lineage(result: benison.EvalResult) -> None:
    ids = {"execution": 6, "examples": 1, "model": 6, "baseline_model": 3, "map_index": None}
    named = {
        "store": "sqlite:////home/me/meta.db",
        "pipeline": "taxi",
        "run": "7",
        "task": "Evaluator",
    }
    manifest = {**result.manifest, "lineage": {**named, **ids}}
    card = ModelCard("card.md").text(dataclasses.replace(result, manifest=manifest))
    assert "| Recorded as | pipeline taxi, run 7, task Evaluator |" in card
    assert "(sqlite) | execution 6, examples 1, model 6, baseline model 3 |" in card.replace(
        "\\", ""
    )
    assert f"| Digest of the data | {result.manifest['data']['digest']} |" in card
    assert "/home/me" not in card


def test_a_model_card_as_a_page(result: benison.EvalResult, tmp_path: Path) -> None:
    publish(result, [f"model-card={tmp_path / 'card.html'}"])
    page = (tmp_path / "card.html").read_text()
    assert page.count("<table>") == 4
    assert "<h1>new</h1>" in page
    assert "<script" not in MarkdownIt().render(page)


def test_a_card_shows_nobody_where_the_files_are(
    result: benison.EvalResult, tmp_path: Path
) -> None:
    publish(result, f"model-card={tmp_path / 'card.md'}")
    text = (tmp_path / "card.md").read_text()
    assert str(result.path.parent) not in text
    assert "| Results | out |" in text


def test_names_are_on_one_line_wherever_people_read_them(monkeypatch: pytest.MonkeyPatch) -> None:
    hostile = "a\n::stop-commands::x\x1b[31m"
    columns = {"label": [1.0, 0.0], "prediction": [0.9, 0.8], hostile: ["v\n• forged"] * 2}
    least = {"value_threshold": {"lower_bound": 0.9}}
    metric = {"class_name": "BinaryAccuracy", "threshold": least}
    specs = [{**MODELS[0], "name": name} for name in (hostile, "two")]
    made = {
        "model_specs": specs,
        "slicing_specs": [{"feature_keys": [hostile]}],
        "metrics_specs": [{"metrics": [metric]}],
    }
    judged = benison.evaluate(pa.table(columns), made)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    log = io.StringIO()
    with contextlib.redirect_stderr(log):
        github.show(judged, gate=True)
    slack = slack_message(judged)
    plain = document(judged)
    texts = {
        "slack": [slack["text"], *slack["blocks"][1]["text"]["text"].splitlines()],
        "webhook": [plain["model"], plain["summary"], *plain["reasons"]],
        "mlflow": [*_tags(judged).values()],
        "openlineage": [*_names_of_tests(judged)],
        "log": log.getvalue().splitlines(),
        "card": ModelCard("card.md").text(judged).splitlines(),
        "comment": summary_page(judged).splitlines(),
    }
    for sink, lines in texts.items():
        assert any("stop-commands" in line for line in lines), sink
        for line in lines:
            assert not re.match("::stop|. forged", line), sink
            assert line.isprintable(), sink
    assert "%0A" not in log.getvalue()
    assert len(texts["slack"]) == 1 + len(judged.verdict.failures)


def _tags(result: benison.EvalResult) -> dict[str, str]:
    """The tags and the name of a new run of MLflow."""
    known: dict[str, str] = {}
    run = SimpleNamespace(info=SimpleNamespace(run_id="1"))
    client = SimpleNamespace(
        search_runs=lambda *_: [],
        create_run=lambda _, tags, run_name: known.update(tags, name=run_name) or run,
    )
    mlflow_run._run_of(client, "0", result)
    return known


def _names_of_tests(result: benison.EvalResult) -> Iterator[str]:
    openlineage = pytest.importorskip("benison.sinks.openlineage")
    for test in openlineage.event_of(result).run.facets["test"].tests:
        yield from (test.name, test.description)
