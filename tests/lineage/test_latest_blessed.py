# SPDX-License-Identifier: Apache-2.0
"""Which model a store names as the latest that is blessed."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from benison import lineage
from benison.lineage import ModelFiles, RunKey
from tests.lineage.stores import BLESSED, NOT_BLESSED, make_run


def test_a_model_that_was_replaced_in_place_is_not_found_by_its_old_blessing(
    url: str, tmp_path: Path
) -> None:
    recorder = lineage.connect(url)
    recorder.begin(make_run(tmp_path, "r1", digest="first bytes")).complete(BLESSED)
    assert recorder.latest_blessed("taxi") == ModelFiles(str(tmp_path / "model"), "first bytes")
    recorder.begin(make_run(tmp_path, "r2", digest="second bytes")).complete(NOT_BLESSED)
    assert recorder.latest_blessed("taxi") is None
    recorder.begin(make_run(tmp_path, "r3", digest="first bytes"))  # which are back
    assert recorder.latest_blessed("taxi") == ModelFiles(str(tmp_path / "model"), "first bytes")


def test_a_model_that_is_replaced_while_it_is_judged_is_not_blessed_for_the_new_bytes(
    url: str, tmp_path: Path
) -> None:
    recorder = lineage.connect(url)
    first = recorder.begin(make_run(tmp_path, "r1", digest="first bytes"))
    recorder.begin(make_run(tmp_path, "r2", digest="second bytes"))
    first.complete(BLESSED)
    (blessing,) = recorder.blessings("taxi")
    assert blessing.model == str(tmp_path / "model")
    assert recorder.latest_blessed("taxi") is None


def test_a_model_of_another_pipeline_is_found_in_this_one(url: str, tmp_path: Path) -> None:
    recorder = lineage.connect(url)
    for pipeline in ("one", "two"):
        recorder.begin(make_run(tmp_path, pipeline, pipeline)).complete(BLESSED)
    ids = {recorder.blessings(pipeline)[0].model_id for pipeline in ("one", "two")}
    assert len(ids) == 1
    for pipeline in ("one", "two"):
        assert recorder.latest_blessed(pipeline) == ModelFiles(str(tmp_path / "model"), "d1")
    assert recorder.latest_blessed("three") is None


def test_the_newest_model_is_found_and_not_the_newest_blessing(url: str, tmp_path: Path) -> None:
    recorder = lineage.connect(url)
    older = recorder.begin(make_run(tmp_path / "old", "r1", digest="old"))
    recorder.begin(make_run(tmp_path / "new", "r2", digest="new")).complete(BLESSED)
    older.complete(BLESSED)
    assert recorder.latest_blessed("taxi") == ModelFiles(str(tmp_path / "new" / "model"), "new")


def test_a_run_that_was_begun_keeps_its_baseline(url: str, tmp_path: Path) -> None:
    recorder = lineage.connect(url)
    recorder.begin(make_run(tmp_path / "old", "r1", digest="old")).complete(BLESSED)
    base = recorder.latest_blessed("taxi")
    key = RunKey("taxi", "r2")
    run = dataclasses.replace(make_run(tmp_path / "new", "r2", digest="new"), baseline=base)
    recorder.begin(run).complete(BLESSED)
    assert recorder.latest_blessed("taxi", key) == ModelFiles(str(tmp_path / "old/model"), "")
    failing = dataclasses.replace(run, key=RunKey("taxi", "r3"))
    recorder.begin(failing).fail("the disk is full")
    newest = ModelFiles(str(tmp_path / "new/model"), "new")
    assert recorder.latest_blessed("taxi", failing.key) == newest
