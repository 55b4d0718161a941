# SPDX-License-Identifier: Apache-2.0
"""The tests of metrics of generated texts: several references, parameters, and what is no text."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import benison
from benison.data.batch import Inputs, Ragged
from benison.errors import DataError, MissingExtraError
from benison.metrics import Metric, from_config, generation
from tests.conftest import config
from tests.text_oracles import SENTENCES, bleu, rouge, token_f1

PREDICTIONS = ["a quick fox", "the cat sat on the mat", "the dog did not sit.", "a"]
REFERENCES = [SENTENCES[0:2], SENTENCES[2:4], SENTENCES[3:5], SENTENCES[4:6]]
WEIGHTS = np.array([1.0, 0.5, 2.0, 1.5])
SMOOTHING: list[dict[str, Any]] = [
    {},
    {"smooth_method": "none"},
    {"smooth_method": "floor", "smooth_value": 0.3},
    {"smooth_method": "add-k"},
    {"lowercase": True, "tokenize": "char"},
    {"effective_order": True},
    {"effective_order": True, "smooth_method": "add-k"},
    {"max_ngram_order": 2},
]


def several() -> Inputs:
    """Two references in each row."""
    return rows(REFERENCES, PREDICTIONS, WEIGHTS)


def rows(labels: list[list[str]], predictions: list[str | None], weights: Any = None) -> Inputs:
    values = pa.array([text for some in labels for text in some], pa.string())
    offsets = np.concatenate([[0], np.cumsum([len(some) for some in labels])])
    return Inputs(Ragged(values, offsets), pa.array(predictions, pa.string()), weights)


@pytest.mark.parametrize("more", SMOOTHING, ids=str)
@pytest.mark.parametrize("chosen", [[0, 1, 2, 3], [0], [3]], ids=str)
def test_bleu_of_several_references(more: dict[str, Any], chosen: list[int]) -> None:
    named = {{"effective_order": "use_effective_order"}.get(k, k): v for k, v in more.items()}
    # As many rows as the oracle has: what smoothing adds does not grow with them.
    often = dataclasses.replace(several(), weights=2 * WEIGHTS)
    ours = from_config("Bleu", named).of(often.take(np.array(chosen)))
    picked = ([REFERENCES[i] for i in chosen], [PREDICTIONS[i] for i in chosen], WEIGHTS[chosen])
    assert ours == pytest.approx(bleu(*picked, **more), rel=1e-12)


@pytest.mark.parametrize("kind", ["rouge2", "rougeL", "rougeLsum"])
def test_rouge_of_several_references(kind: str) -> None:
    for name, measure in (("RougeRecall", "recall"), ("RougeFMeasure", "fmeasure")):
        expected = rouge(measure, kind)(REFERENCES, PREDICTIONS, WEIGHTS)
        assert from_config(name, {"rouge_type": kind}).of(several()) == pytest.approx(expected)


def test_token_f1_of_several_references() -> None:
    expected = token_f1(REFERENCES, PREDICTIONS, WEIGHTS)
    assert generation.TokenF1().of(several()) == pytest.approx(expected, rel=1e-12)


METRICS = (generation.Bleu(), generation.RougeRecall(), generation.TokenF1())
every_metric = pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)


@every_metric
def test_a_row_without_a_reference_is_in_no_value(metric: Metric) -> None:
    with_one = rows([*REFERENCES[:2], []], [*PREDICTIONS[:2], "whatever"])
    assert metric.of(with_one) == metric.of(rows(REFERENCES[:2], [*PREDICTIONS[:2]]))
    assert math.isnan(metric.of(rows([[]], ["whatever"])))


@every_metric
def test_a_missing_prediction_makes_the_value_undefined(metric: Metric) -> None:
    assert math.isnan(metric.of(rows(REFERENCES[:2], [PREDICTIONS[0], None])))


@every_metric
def test_numbers_are_no_texts(metric: Metric) -> None:
    with pytest.raises(DataError, match="Name columns of text"):
        metric.of(Inputs.of([1, 0], [0.5, 0.2]))


def test_without_the_library_the_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'benison\[text\]'"):
        generation.Bleu().statistics()


def test_texts_with_lists_of_references_from_a_file(tmp_path: Path) -> None:
    data = tmp_path / "answers.jsonl"
    lines = zip(REFERENCES, PREDICTIONS, strict=True)
    data.write_text("\n".join(json.dumps({"label": a, "prediction": b}) for a, b in lines))
    rouge_1 = {"class_name": "Rouge", "config": {"rouge_type": "rouge1"}}
    result = benison.evaluate(data, config("Bleu", rouge_1, "TokenF1"))
    assert result.value("BLEU") == pytest.approx(bleu(REFERENCES, PREDICTIONS, np.ones(4)))
    expected = rouge("fmeasure")(REFERENCES, PREDICTIONS, np.ones(4))
    assert result.value("rouge1/fmeasure") == pytest.approx(expected)
