# SPDX-License-Identifier: Apache-2.0
"""Files that Inspect, promptfoo and lm-evaluation-harness have written: their scores, in every slice.

The files in tests/data/scores are of the tools themselves: Inspect 0.3.285, promptfoo 0.121.20 and
lm-evaluation-harness 0.4.13; the values expected are those that the tools print.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

import benison
from benison.data.dataset import Dataset
from tests.conftest import config

FOLDER = Path(__file__).parent / "data" / "scores"
SAMPLES = "samples_{}_2026-11-26T16-31-02.937273.jsonl"


def mean(column: str) -> dict[str, Any]:
    return {"class_name": "Mean", "config": {"name": column, "feature_key_path": [column]}}


def values(name: str, columns: tuple[str, ...], by: str) -> dict[tuple[str, str], float]:
    made = {
        "model_specs": [{}],
        "slicing_specs": [{}, {"feature_keys": [by]}],
        "metrics_specs": [{"metrics": [*map(mean, columns)]}],
    }
    result = benison.evaluate(FOLDER / name, made)
    return {(row["slice"], row["metric"]): row["value"] for row in result.metrics.to_pylist()}


@pytest.mark.parametrize("name", ["sums.eval", "sums.json"])
def test_a_log_of_inspect(name: str) -> None:
    scored = values(name, ("score_match", "score_brevity", "score_judge_polite"), "epoch")
    assert scored["epoch=1", "score_match"] == 0.5
    assert scored["epoch=2", "score_match"] == 0.5
    assert (scored["Overall", "score_brevity"], scored["Overall", "score_judge_polite"]) == (0.5, 1)
    data = Dataset.open(FOLDER / name)
    rows = next(iter(data.batches())).to_pylist()
    row = next(row for row in rows if (row["id"], row["epoch"]) == ("word", 1))
    assert row["input"].startswith("system: Be short.\n\nuser: a? really")
    assert (row["target"], row["output"], row["task"]) == (["yes", "y"], "7", "sums")
    assert (row["metadata_kind"], rows[0]["metadata_nested_x"]) == (None, 0)
    failed = next(row for row in rows if row["error"])
    assert (failed["id"], failed["score_brevity"]) == ("1", None)  # where the judge failed


def test_both_forms_of_a_log_are_the_same_rows() -> None:
    compact, plain = (
        next(iter(Dataset.open(FOLDER / name).batches())) for name in ("sums.eval", "sums.json")
    )
    key = [("epoch", "ascending"), ("id", "ascending")]
    assert compact.schema == plain.schema
    assert compact.sort_by(key).to_pylist() == plain.sort_by(key).to_pylist()


def test_results_of_promptfoo(tmp_path: Path) -> None:
    scored = values("promptfoo.json", ("success", "score", "score_exact"), "provider")
    assert scored["provider=parrot", "success"] == 0.25
    assert scored["provider=parrot", "score"] == (1 + 3 * 0.75) / 4
    assert (
        scored["Overall", "score_exact"] == 0.25
    )  # where the provider failed, nothing was asserted
    assert scored["provider=broken", "success"] == 0
    results = json.loads((FOLDER / "promptfoo.json").read_text())["results"]["results"]
    lines = tmp_path / "promptfoo.jsonl"  # which `promptfoo eval -o` writes as well
    lines.write_text("\n".join(map(json.dumps, results)))
    opened = [Dataset.open(FOLDER / "promptfoo.json"), Dataset.open(lines, "scores")]
    plain, by_line = (next(iter(data.batches())).to_pylist() for data in opened)
    assert plain == by_line
    assert {row["vars_kind"] for row in plain} == {"sum", "word"}


def test_samples_of_lm_evaluation_harness() -> None:
    scored = values(SAMPLES.format("sums"), ("exact_match",), "filter")
    assert scored["filter=strict", "exact_match"] == pytest.approx(1 / 3)
    assert scored["filter=first-letter", "exact_match"] == pytest.approx(1 / 3)
    scored = values(SAMPLES.format("choice"), ("acc", "acc_norm"), "doc_level")
    assert scored["Overall", "acc"] == pytest.approx(1 / 3)
    assert scored["doc_level=easy", "acc"] == 1
    made = config("ExactMatch", model={"label_key": "target", "prediction_key": "output"})
    both = [FOLDER / SAMPLES.format(task) for task in ("sums", "choice")]
    made["slicing_specs"] = [{"feature_values": {"task": "sums", "filter": "strict"}}]
    assert benison.evaluate(both, made).rows("exact_match")["value"].to_pylist() == [
        pytest.approx(1 / 3)
    ]


def unfinished(folder: Path, name: str) -> Path:
    """A log that an evaluation left which was ended."""
    if name.endswith("json"):
        log = json.loads((FOLDER / name).read_text())
        (folder / name).write_text(json.dumps({**log, "status": "cancelled"}))
    else:
        with zipfile.ZipFile(folder / name, "w") as archive:
            archive.writestr("samples/0_epoch_1.json", "{}")
    return folder / name


@pytest.mark.parametrize("nested", [b"[" * 100_000, b'{"a":' * 980 + b"1" + b"}" * 980])
def test_what_is_nested_too_deep_is_said_to_be(nested: bytes, tmp_path: Path) -> None:
    sample = b'{"doc": ' + nested + b', "filtered_resps": [], "target": ""}'
    (tmp_path / "a.json").write_bytes(sample)
    with pytest.raises(benison.DataError, match="nested too deep. .* say --format jsonl") as error:
        Dataset.open(tmp_path / "a.json", "scores")
    assert error.value.__cause__ is None


@pytest.mark.parametrize("name", ["sums.eval", "sums.json"])
def test_a_log_that_is_not_finished_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(benison.DataError, match="Inspect has not finished this log"):
        Dataset.open(unfinished(tmp_path, name))


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'{"results": {}}', b'{"eval": {}, "status": "success", "samples": [{}]}',
     b"[" * 100_000, b"PK\x03\x04", b"\xff", b'{"doc": 1, "filtered_resps": null}'],
)  # fmt: skip
def test_what_is_no_score_file_says_what_is_one(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(benison.DataError, match="say --format jsonl|is empty|is a list|no field"):
        Dataset.open(tmp_path / "a.json")


def test_a_log_with_other_bytes_is_called_damaged(tmp_path: Path) -> None:
    path = Path(shutil.copy(FOLDER / "sums.eval", tmp_path))
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        content[archive.infolist()[1].header_offset + 100] ^= 255
    path.write_bytes(content)
    with pytest.raises(benison.DataError, match="cannot be read"):
        Dataset.open(path)
    directory = content.index(b"PK\x01\x02")
    content[directory + 10] = 97  # a compression that nobody knows
    path.write_bytes(content)
    with pytest.raises(benison.DataError, match="cannot be read"):
        Dataset.open(path)


@pytest.mark.parametrize(
    "compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_a_log_of_any_compression_with_other_bytes_is_called_damaged(
    compression: int, tmp_path: Path
) -> None:
    """Wherever the bytes of a member were changed."""
    path = tmp_path / "log.eval"
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("header.json", json.dumps({"status": "success", "eval": {}}))
    whole, start = path.read_bytes(), 30 + len("header.json")
    for at in range(start, whole.index(b"PK\x01\x02")):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :])
        with pytest.raises(benison.DataError, match=r"log\.eval cannot be read as scores"):
            Dataset.open(path)


def log_with(folder: Path, *values_: Any) -> Path:
    """A log of Inspect whose samples have these scores, in the order of their ids."""
    samples = [
        {"id": i, "epoch": 1, "input": "", "target": "", "scores": {"m": {"value": value}}}
        for i, value in enumerate(values_)
    ]
    log = {"status": "success", "eval": {"task": "t", "model": "m"}, "samples": samples}
    (folder / "log.json").write_text(json.dumps(log))
    return folder / "log.json"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (("C", "P", "I", "N"), [1, 0.5, 0, 0]),
        (("Yes", "true", "NO", "false", True, 0.25), [1, 1, 0, 0, 1, 0.25]),
        (("0.5", "1e-1", 2, None), [0.5, 0.1, 2, None]),
        (("A", "B", "C", None), ["A", "B", "C", None]),
        (([1, 2], [3, 4]), [[1, 2], [3, 4]]),
        (("1e400", "C"), ["1e400", "C"]),
    ],
)
def test_scores_are_numbers_as_inspect_sees_them(
    given: tuple[Any, ...], expected: list[Any], tmp_path: Path
) -> None:
    (batch,) = Dataset.open(log_with(tmp_path, *given)).batches()
    assert batch.column("score_m").to_pylist() == expected


def test_a_log_that_lacks_samples_is_refused(tmp_path: Path) -> None:
    """Those that it lacks could be the worst."""
    log = json.loads((FOLDER / "sums.json").read_text())
    total = log["results"]["total_samples"]
    assert total == len(log["samples"])
    (tmp_path / "sums.json").write_text(json.dumps({**log, "samples": log["samples"][:1]}))
    with pytest.raises(benison.DataError, match=f"It has 1 of the {total} samples that it counts"):
        Dataset.open(tmp_path / "sums.json")


def test_the_task_is_named_by_the_file_and_not_by_its_folder(tmp_path: Path) -> None:
    (tmp_path / "samples_run").mkdir()
    shutil.copy(FOLDER / SAMPLES.format("sums"), tmp_path / "samples_run")
    (batch, *_) = Dataset.open(tmp_path / "samples_run" / SAMPLES.format("sums")).batches()
    assert set(batch.column("task").to_pylist()) == {"sums"}


def test_a_score_that_is_no_number_beside_numbers_is_named(tmp_path: Path) -> None:
    with pytest.raises(benison.DataError, match="score_m of the sample 1 is 'maybe', which is no"):
        Dataset.open(log_with(tmp_path, 1, "maybe"))


@pytest.mark.parametrize(
    ("documents", "sentence"),
    [
        ([[{"a": 1}]], r"it is a list, .*jq -c"),
        ([{"a": 1, "b": 2}], "its fields are a, b. .*say --format jsonl"),
        ([{"eval": {}, "status": "success"}], "It has no samples. Let Inspect keep them"),
        ([{"doc": {}, "filtered_resps": []}], "Its sample 1 has no field 'target'"),
        ([{"testCase": {}, "success": 1, "provider": "echo", "prompt": "p"}, {}],
         "Its sample 2 has no field 'provider'"),
        ([{"doc": {}}, '{"a"'], "line 2: Expecting"),
        (['{"eval": 1, "eval": 2}'], "has the field 'eval' twice"),
    ],
)  # fmt: skip
def test_what_a_file_lacks_is_said_once(
    documents: list[Any], sentence: str, tmp_path: Path
) -> None:
    lines = [each if isinstance(each, str) else json.dumps(each) for each in documents]
    (tmp_path / "a.json").write_text("\n".join(lines))
    with pytest.raises(benison.DataError, match=f"(?i){sentence}") as refused:
        Dataset.open(tmp_path / "a.json")
    assert str(refused.value).count("cannot be read as scores") == 1
    assert ("--format" in sentence) or ("no finished log" in str(refused.value)) == (
        "line" in sentence or "twice" in sentence
    )


def test_a_provider_may_be_its_name_alone(tmp_path: Path) -> None:
    result = {"testCase": {}, "success": True, "score": 1, "provider": "echo", "prompt": "p"}
    (tmp_path / "a.json").write_text(json.dumps({"results": {"results": [result]}}))
    (batch,) = Dataset.open(tmp_path / "a.json").batches()
    assert batch.to_pylist()[0]["provider"] == "echo"
