# SPDX-License-Identifier: Apache-2.0
"""The oracles of metrics of generated texts: the libraries themselves, and SQuAD's script in a few lines."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu import BLEU

from benison.data.batch import Inputs

SENTENCES = [
    "The quick brown fox jumps over the lazy dog.",
    "A quick brown fox jumped over a lazy dog!",
    "The cat sat on the mat, and the dog did not.",
    "On the mat sat the cat; the dog did not sit.",
    "",
    "It's the “the” of a theatre",
]


def lists(column: Any) -> list[list[str]]:
    """The references of each row."""
    rows = column.to_pylist()
    return [row if isinstance(row, list) else [row] for row in rows]


def bleu(y: Sequence[list[str]], p: list[str], w: np.ndarray, **more: Any) -> float:
    """Of rows that stand there twice as often as they weigh; rows may have several references."""
    often = np.round(w * 2).astype(int)
    rows = [(a, b) for a, b, n in zip(y, p, often, strict=True) for _ in range(n)]
    streams = zip(*(references for references, _ in rows), strict=True)
    return BLEU(**more).corpus_score([text for _, text in rows], [*map(list, streams)]).score


def rouge(measure: str, kind: str = "rouge1") -> Callable[..., float]:
    def mean(y: Sequence[list[str]], p: list[str], w: np.ndarray) -> float:
        scorer = RougeScorer([kind])
        scores = [scorer.score_multi(a, b)[kind] for a, b in zip(y, p, strict=True)]
        return float(np.average([getattr(score, measure) for score in scores], weights=w))

    return mean


def squad_words(text: str) -> list[str]:
    """As normalize_answer and get_tokens of SQuAD's evaluate-v2.0.py."""
    plain = "".join(c for c in text.lower() if c not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", plain).split()


def squad_f1(reference: str, text: str) -> float:
    a, b = squad_words(reference), squad_words(text)
    common = sum((Counter(a) & Counter(b)).values())
    return float(a == b) if not a or not b else 2 * common / (len(a) + len(b))


def token_f1(y: Sequence[list[str]], p: list[str], w: np.ndarray) -> float:
    best = [max(squad_f1(a, b) for a in some) for some, b in zip(y, p, strict=True)]
    return float(np.average(best, weights=w))


def of_texts(oracle: Callable[..., float]) -> Callable[..., float]:
    """Of columns as metrics see them."""
    return lambda y, p, w: oracle(lists(y), p.to_pylist(), w)


TEXTS: dict[str, Callable[..., float]] = {
    "Bleu": of_texts(bleu),
    "RougePrecision": of_texts(rouge("precision")),
    "RougeRecall": of_texts(rouge("recall")),
    "RougeFMeasure": of_texts(rouge("fmeasure")),
    "TokenF1": of_texts(token_f1),
}


def texts(rng: np.random.Generator, rows: int, weights: np.ndarray | None) -> Inputs:
    """Sentences and others as predictions of them."""
    labels, predictions = ([SENTENCES[i] for i in rng.integers(0, 6, rows)] for _ in range(2))
    return Inputs.of(labels, predictions, weights)
