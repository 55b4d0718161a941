# SPDX-License-Identifier: Apache-2.0
"""CSV files as other programs save them: other signs between cells, other encodings, NA and truth values."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import benison
from tests.conftest import config

FRAME = pd.DataFrame(
    {
        "label": [1, 0, 1, 0],
        "prediction": [0.9, 0.2, 0.4, 0.1],
        "company": ["Müller", "a", "b, or c", "b"],
    }
)
BY_COMPANY = ({}, {"feature_keys": ["company"]})


def evaluated(path: Path, slices: Any = BY_COMPANY, **options: Any) -> benison.EvalResult:
    return benison.evaluate(path, config("BinaryAccuracy", slices=slices, options=options))


@pytest.mark.parametrize(
    ("name", "sign", "options"),
    [
        ("a.csv", ";", {"delimiter": ";"}),
        ("a.csv", "\t", {"delimiter": "\t"}),
        ("a.csv", "|", {"delimiter": "|"}),
        ("a.tsv", "\t", {}),
        ("a.tsv.gz", "\t", {}),
        ("a.tsv", ";", {"delimiter": ";"}),
        ("a.csv", ",", {"delimiter": ","}),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_cells_are_separated_by_the_sign_that_is_said(
    name: str, sign: str, options: dict[str, Any], encoding: str, tmp_path: Path
) -> None:
    content = FRAME.to_csv(sep=sign, index=False).encode(encoding)
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    result = evaluated(path, **options)
    assert result.value("binary_accuracy") == 0.75
    for company in FRAME["company"]:
        assert result.value("binary_accuracy", {"company": company}) == float(company != "b, or c")


@pytest.mark.parametrize(("sign", "written"), [(";", '";"'), ("\t", r'"\\t"'), ("|", '"|"')])
def test_one_column_that_looks_like_several_is_refused_with_the_cure(
    sign: str, written: str, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text(FRAME.head(2).to_csv(sep=sign, index=False), "utf-8-sig")
    cure = rf"separator looks like .*'label.*options: \{{delimiter: {written.replace('|', '.')}\}}"
    with pytest.raises(benison.DataError, match=cure):
        evaluated(tmp_path / "a.csv")


def test_commas_in_a_file_of_tabs_are_seen_too(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text(FRAME.to_csv(index=False))
    with pytest.raises(benison.DataError, match=r"separated by '\\t', and here .* looks like ','"):
        evaluated(tmp_path / "a.tsv")


@pytest.mark.parametrize("sign", [";;", '"', "\n", 3])
def test_what_can_separate_no_cells_is_refused(sign: Any) -> None:
    with pytest.raises(benison.ConfigError, match="expected one sign, such as ; or a tab"):
        benison.EvalConfig.load(config("BinaryAccuracy", options={"delimiter": sign}))


@pytest.mark.parametrize(
    ("encoding", "sentence"),
    [
        ("utf-16", "seems to be UTF-16.*Save it as UTF-8"),
        ("utf-16-le", "seems to be UTF-16.*Save it as UTF-8"),
        ("latin-1", "column 'company' is not UTF-8 text. Save the file as UTF-8"),
    ],
)
def test_another_encoding_is_refused_with_the_cure(
    encoding: str, sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_bytes(FRAME.to_csv(index=False).encode(encoding))
    with pytest.raises(benison.DataError, match=sentence):
        evaluated(tmp_path / "a.csv")
    renamed = FRAME.rename(columns={"company": "größe"})
    (tmp_path / "a.csv").write_bytes(renamed.to_csv(index=False).encode("latin-1"))
    with pytest.raises(
        benison.DataError, match="a name that is not UTF-8 text. Save the file as UTF-8"
    ):
        evaluated(tmp_path / "a.csv", slices=({},))


@pytest.mark.parametrize("later", ["0.5", "0"])
def test_truth_values_beside_fractions_are_numbers_wherever_they_stand(
    later: str, tmp_path: Path
) -> None:
    cells = ["True", "0.25", "FALSE", "1", "", later]
    rows = "".join(f"{cell},0.5\n" for cell in cells)
    asked = config("MeanLabel", "LabelCount")
    (tmp_path / "a.csv").write_text(f"label,prediction\n{rows}")
    result = benison.evaluate(tmp_path / "a.csv", asked)
    assert result.value("mean_label") == pytest.approx((1 + 0.25 + 0 + 1 + float(later)) / 5)
    sliced = benison.evaluate(
        tmp_path / "a.csv", config("ExampleCount", slices=({"feature_keys": ["label"]},))
    )
    assert {cell: sliced.value("example_count", {"label": cell}) for cell in cells if cell} == {
        cell: 1 for cell in cells if cell
    }


def test_truth_values_beside_words_stay_text(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("label,prediction,x\n1,0.5,true\n0,0.5,maybe\n")
    result = benison.evaluate(
        tmp_path / "a.csv", config("ExampleCount", slices=({"feature_keys": ["x"]},))
    )
    assert result.value("example_count", {"x": "true"}) == 1


def test_a_column_of_nothing_but_na_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("label,prediction,x\n1,0.5,NA\n0,0.5,\n")
    asked = {"slices": ({}, {"feature_keys": ["x"]})}
    (sentence,) = benison.evaluate(tmp_path / "a.csv", config("ExampleCount", **asked)).manifest[
        "advice"
    ]
    assert "Every cell of 'x' is empty, or a word such as NA" in sentence
    assert "options: {column_types: {x: string}}" in sentence
    as_text = config("ExampleCount", **asked, options={"column_types": {"x": "string"}})
    result = benison.evaluate(tmp_path / "a.csv", as_text)
    assert result.value("example_count", {"x": "NA"}) == 1
    assert result.manifest["advice"] == []
    (tmp_path / "a.csv").write_text("label,prediction\nNA,0.5\nNA,0.5\n")
    with pytest.raises(benison.DataError, match="In CSV files words such as NA are missing too"):
        benison.evaluate(tmp_path / "a.csv", config("ExampleCount", "BinaryAccuracy"))
