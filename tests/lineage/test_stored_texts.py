# SPDX-License-Identifier: Apache-2.0
"""Texts and addresses that come back from a store as they were."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from benison import MetadataError, lineage
from benison.lineage import ModelFiles, RunKey
from tests.lineage.stores import BLESSED, NOT_BLESSED, make_run


def test_what_is_not_utf_8_is_refused(url: str, tmp_path: Path) -> None:
    recorder = lineage.connect(url)
    run = make_run(tmp_path)
    for change in ({"output": "/o\udcff"}, {"key": RunKey("p\udcff", "r1")}):
        with pytest.raises(MetadataError, match=r"holds UTF-8, which '.*udcff.*' is not"):
            recorder.begin(dataclasses.replace(run, **change))  # type: ignore[arg-type]


def test_hostile_text_comes_back_as_it_was(url: str, tmp_path: Path) -> None:
    text = "back\\slash 'quote' \"double\" % ? ; -- </script> é 名 \U0001f600 \n line"
    recorder = lineage.connect(url)
    run = dataclasses.replace(make_run(tmp_path / text.strip()), config=text)
    recorder.begin(run).complete(dataclasses.replace(NOT_BLESSED, reasons=(text, "\0")))
    (blessing,) = recorder.blessings("taxi")
    assert "\n".join(blessing.reasons) == text
    assert blessing.uri == run.output
    assert recorder.begin(run).ids["key"] == "taxi/r1/Evaluator"


def test_long_texts_are_kept_whole(url: str, tmp_path: Path) -> None:
    config = "x" * 300_000
    run = dataclasses.replace(make_run(tmp_path), config=config)
    recorder = lineage.connect(url)
    recorder.begin(run).complete(BLESSED)
    (source,) = recorder.trace(run.output).sources
    assert source.properties["eval_config"] == config


def test_addresses_are_recorded_and_found_as_they_are(url: str, tmp_path: Path) -> None:
    """So that another machine, which has nothing at the path of a mount, finds the model."""
    recorder = lineage.connect(url)
    model = ModelFiles("file:///models/taxi/7/Format-Serving", "d1")
    run = dataclasses.replace(
        make_run(tmp_path),
        examples=("file:///data/a.parquet", "file:///data/b.parquet"),
        model=model,
        output="s3://bucket/out/",
    )
    recorder.begin(run).complete(BLESSED)
    latest = recorder.latest_blessed("taxi")
    assert latest is not None
    assert latest.path in (model.path, "file:///models/taxi/7")
    for target in (model.path, run.output):
        assert recorder.trace(target).kind in ("Model", "ModelBlessing")
    recorder.revoke("taxi", "s3://bucket/out/", by="ada", reason="r")
    assert recorder.latest_blessed("taxi") is None
