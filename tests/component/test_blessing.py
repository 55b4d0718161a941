# SPDX-License-Identifier: Apache-2.0
"""The tests of the blessing: every changed, added or missing byte is found and named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benison.errors import ModelError, OutputError
from benison.models.digest import digest_model, digest_of
from benison.output import blessing


def model_record(path: Path, name: str = "", is_baseline: bool = False) -> dict[str, Any]:
    files = digest_model(path)
    digest = digest_of(files)
    return {
        "name": name,
        "is_baseline": is_baseline,
        "path": str(path),
        "digest": digest,
        "files": files,
    }


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "model" / "variables").mkdir(parents=True)
    (tmp_path / "model" / "saved_model.pb").write_bytes(b"graph")
    (tmp_path / "model" / "variables" / "data").write_bytes(b"weights")
    return tmp_path / "model"


@pytest.fixture
def seal(tmp_path: Path, model: Path) -> Callable[..., Path]:
    """An output of two files, sealed with a verdict."""

    def sealed(verdict: str = "blessed", models: Any = None) -> Path:
        directory = tmp_path / f"out-{verdict}"
        (directory / "analysis").mkdir(parents=True)
        (directory / "metrics.parquet").write_bytes(b"numbers")
        (directory / "analysis" / "rows.parquet").write_bytes(b"rows")
        records = [model_record(model)] if models is None else models
        data = {"format": "memory", "rows": 9, "files": [], "digest": "beef"}
        judged = {"created": "2026-11-21T00:00:00+00:00", "config": "c0ffee", "data": data}
        blessing.seal(directory, {"verdict": verdict, "rows": 9, "models": records, **judged})
        return directory

    return sealed


@pytest.mark.parametrize(
    "change",
    [
        {"files": {"metrics.parquet": 3}},
        {"files": []},
        {"files": {"metrics.parquet": {"bytes": "7", "sha256": "beef"}}},
        {"models": [3]},
        {"models": {}},
        {"verdict": "good"},
        {"verdict": ["blessed"]},
        {"rows": "many"},
        {"rows": None},
        {"created": 5},
        {"advice": 5},
        {"seconds": {"load": "long"}},
        {"examples": [None]},
        {"data": []},
        {"data": {"format": "memory", "files": None, "digest": None}},
        {"missing": [1]},
        {"lineage": "run"},
    ],
)
def test_a_manifest_of_another_shape_is_none(seal: Callable[..., Path], change: Any) -> None:
    directory = seal()
    manifest = json.loads((directory / "manifest.json").read_text())
    (directory / "manifest.json").write_text(json.dumps(manifest | change))
    refused(directory, "is not a manifest of Benison: ")


def test_what_may_not_be_read_is_said(
    seal: Callable[..., Path], model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = seal()
    opened = Path.open

    def denied(path: Path, *args: Any, **kwargs: Any) -> Any:
        if path.name == "metrics.parquet":
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *args, **kwargs)

    monkeypatch.setattr(Path, "open", denied)
    refused(directory, "metrics.parquet'")
    with pytest.raises(OutputError, match="cannot be read: .*Permission denied"):
        blessing.check_whole(directory, "metrics.parquet")


def refused(directory: Path, *sentences: str, model: Path | None = None) -> None:
    with pytest.raises(OutputError) as error:
        blessing.verify(directory, model)
    lines = str(error.value).splitlines()
    assert len(lines) == len(sentences), lines
    for line, sentence in zip(lines, sentences, strict=True):
        assert sentence in line
        assert line.endswith(".")


def test_a_model_is_its_files_and_their_names(model: Path) -> None:
    digests = digest_model(model)
    assert list(digests) == ["saved_model.pb", "variables/data"]
    whole = digest_of(digests)
    (model / "saved_model.pb").rename(model / "renamed.pb")
    assert digest_of(digest_model(model)) != whole
    assert list(digest_model(model / "renamed.pb")) == [""]
    with pytest.raises(ModelError, match="There is no model at .*nowhere"):
        digest_model(model / "nowhere")


def test_what_is_behind_a_link_is_part_of_the_model(model: Path, tmp_path: Path) -> None:
    before = digest_model(model)
    (model / "variables").rename(tmp_path / "store")
    (model / "variables").symlink_to(tmp_path / "store")
    assert digest_model(model) == before
    (tmp_path / "store" / "back").symlink_to(model)
    (tmp_path / "store" / "nowhere").symlink_to(tmp_path / "gone")
    assert digest_model(model) == before
    (tmp_path / "store" / "data").write_bytes(b"other weights")
    assert digest_model(model) != before


@pytest.mark.parametrize(
    ("verdict", "marker"),
    [("blessed", ["BLESSED"]), ("not_blessed", ["NOT_BLESSED"]), ("not_evaluated", [])],
)
def test_the_marker_says_what_was_judged(
    seal: Callable[..., Path], verdict: str, marker: list[str]
) -> None:
    directory = seal(verdict)
    assert [path.name for path in directory.glob("*BLESSED")] == marker
    manifest = blessing.verify(directory)
    assert manifest["verdict"] == verdict
    assert set(manifest["files"]) == {"metrics.parquet", "analysis/rows.parquet"}
    for name in marker:
        record = json.loads((directory / name).read_text())
        assert record["models"] == manifest["models"]
        assert (record["config"], record["data"]) == ("c0ffee", manifest["data"])


def test_each_changed_file_of_an_output_is_named(seal: Callable[..., Path]) -> None:
    directory = seal()
    (directory / "metrics.parquet").write_bytes(b"NUMBERS")
    (directory / "analysis" / "rows.parquet").unlink()
    (directory / "analysis" / "more.parquet").touch()
    refused(
        directory,
        "analysis/rows.parquet is missing.",
        "metrics.parquet was changed after it was written.",
        "analysis/more.parquet was added after the model was judged.",
    )


def test_each_changed_file_of_a_model_is_named(seal: Callable[..., Path], model: Path) -> None:
    directory = seal()
    (model / "saved_model.pb").write_bytes(b"Graph")
    (model / "variables" / "data").rename(model / "variables" / "other")
    sentences = (
        "saved_model.pb was changed since the model was judged.",
        "variables/data is missing since the model was judged.",
        "variables/other was added since the model was judged.",
    )
    refused(directory, *sentences)
    refused(directory, *sentences, model=model)


def test_a_copy_of_the_model_will_do(seal: Callable[..., Path], model: Path) -> None:
    directory = seal()
    served = model.with_name("served")
    model.rename(served)
    assert blessing.verify(directory, served)["verdict"] == "blessed"
    refused(directory, "There is no model at")


def test_another_model_is_named_as_another(
    seal: Callable[..., Path], model: Path, tmp_path: Path
) -> None:
    judged, other = tmp_path / "this.joblib", tmp_path / "other.joblib"
    judged.write_bytes(b"this")
    other.write_bytes(b"other")
    directory = seal(models=[model_record(judged)])
    refused(directory, f"{other} is not the model that was judged ({judged}).", model=other)
    judged.write_bytes(b"changed")
    refused(directory, f"{judged} was changed since the model was judged.", model=judged)


def test_one_of_several_candidates(seal: Callable[..., Path], model: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.onnx"
    other.write_bytes(b"onnx")
    records = [model_record(model, "a"), model_record(other, "b")]
    directory = seal(models=[*records, {**records[1], "name": "old", "is_baseline": True}])
    for path in (None, model, other):
        blessing.verify(directory, path)
    other.write_bytes(b"ONNX")
    refused(directory, "other.onnx was changed since", model=other)


def test_predictions_in_the_data_bless_no_model(seal: Callable[..., Path], model: Path) -> None:
    nothing = {"name": "", "is_baseline": False, "path": None, "digest": None, "files": {}}
    directory = seal(models=[nothing])
    blessing.verify(directory)
    refused(
        directory, "No model was evaluated here: the predictions were in the data.", model=model
    )


def test_a_forged_blessing(seal: Callable[..., Path]) -> None:
    forged = seal("not_blessed")
    (forged / "NOT_BLESSED").rename(forged / "BLESSED")
    refused(forged, "has the markers ['BLESSED'], but its verdict is not_blessed.")
    with pytest.raises(OutputError, match="has the markers"):
        blessing.check_whole(forged)
    unjudged = seal("not_evaluated")
    (unjudged / "BLESSED").write_text("{}")
    refused(unjudged, "has the markers ['BLESSED'], but its verdict is not_evaluated.")


@pytest.mark.parametrize("name", ["manifest.json", "BLESSED"])
def test_manifest_and_marker_hold_each_other(seal: Callable[..., Path], name: str) -> None:
    directory = seal()
    text = (directory / name).read_text()
    (directory / name).write_text(text.replace("c0ffee", "decaf"))
    refused(directory, "BLESSED do not say the same; one of them was changed after")


def test_a_marker_that_is_cut(seal: Callable[..., Path]) -> None:
    directory = seal()
    (directory / "BLESSED").write_text('{"verd')
    refused(directory, "BLESSED cannot be read:")


def test_a_marker_that_is_missing(seal: Callable[..., Path]) -> None:
    directory = seal()
    (directory / "BLESSED").unlink()
    refused(directory, "has the markers [], but its verdict is blessed.")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "is not an output of Benison: it has no manifest.json."),
        ("", "cannot be read: Expecting value"),
        ("[]", "is not a manifest of Benison."),
        ('{"schema_version": "1"}', "is not a manifest of Benison."),
        ('{"schema_version": 1}', "lacks files, created, verdict, models, config, data; evaluate"),
        (
            '{"schema_version": 99}',
            "by a newer Benison (schema 99; this one reads up to 2). Upgrade Benison.",
        ),
    ],
)
def test_manifests_that_are_refused(tmp_path: Path, text: str | None, sentence: str) -> None:
    if text is not None:
        (tmp_path / "manifest.json").write_text(text)
    for reader in (blessing.verify, blessing.check_whole, blessing.read_manifest):
        with pytest.raises(OutputError) as error:
            reader(tmp_path)
        assert sentence in str(error.value)


def test_whole_is_of_the_right_sizes_and_of_the_digests_that_are_read(
    seal: Callable[..., Path],
) -> None:
    directory = seal()
    (directory / "metrics.parquet").write_bytes(b"NUMBERS")
    blessing.check_whole(directory, "analysis/rows.parquet")
    with pytest.raises(OutputError, match=r"metrics.parquet is missing or not as it was written"):
        blessing.check_whole(directory, "metrics.parquet")
    (directory / "metrics.parquet").write_bytes(b"number")
    with pytest.raises(OutputError, match=r"metrics.parquet is missing or not as it was written"):
        blessing.check_whole(directory)
