# SPDX-License-Identifier: Apache-2.0
"""Metrics of generated texts: translations, summaries and answers beside one or several references.

The prediction is a text, the label one or a list of them. Rows without a reference are in no value; a missing
prediction is no empty text, and makes the values of its slices NaN. The extra `text` brings the libraries
that count n-grams; what they count adds up, so texts are never kept.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benison.data.batch import Array, Index, Inputs
from benison.errors import ConfigError
from benison.metrics.base import Metric, Statistic, ratio
from benison.metrics.parameters import check_choice, check_count
from benison.metrics.references import compared, hypotheses, references, require
from benison.metrics.registry import HIGHER, About, register
from benison.metrics.statistics.sums import Arrays, Totals

TOKENIZERS = ("13a", "char", "intl", "none", "zh")
"""Those of sacrebleu that need nothing from the network."""
SMOOTHING = {"none": 0.0, "floor": 0.1, "add-k": 1.0, "exp": 0.0}
"""The ways to smooth, with the usual amounts."""


def _filled(inputs: Inputs, width: int) -> Array:
    """Rows of 0, which is what one without a reference adds; NaN where the prediction is missing."""
    rows = np.zeros((len(inputs), width))
    rows[pc.is_null(hypotheses(inputs)).to_numpy(zero_copy_only=False)] = np.nan
    rows[references(inputs).lengths == 0] = 0
    return rows


@dataclasses.dataclass(frozen=True)
class NgramCounts:
    """1, lengths of prediction and nearest reference, n-grams in both, and n-grams: float64[N, 3 + 2 n].

    Attributes:
        lowercase: Whether case does not count.
        tokenize: One of `TOKENIZERS`.
        order: The longest n-grams, n.
    """

    lowercase: bool
    tokenize: str
    order: int

    def __call__(self, inputs: Inputs) -> Array:
        count = _sacrebleu(self.lowercase, self.tokenize, self.order)
        rows = _filled(inputs, 3 + 2 * self.order)
        for i, texts, text in compared(inputs):  # the library takes one at a time
            score = count.corpus_score([text], [[reference] for reference in texts])
            rows[i] = 1, score.sys_len, score.ref_len, *score.counts, *score.totals
        return rows


@functools.cache
def _sacrebleu(lowercase: bool, tokenize: str, order: int) -> Any:
    from sacrebleu import BLEU

    return BLEU(lowercase, tokenize=tokenize, smooth_method="none", max_ngram_order=order)


@dataclasses.dataclass(frozen=True)
class Bleu(Metric):
    """Corpus BLEU of generated texts, from 0 to 100; higher is better.

        exp(min(0, 1 - r / h)) (p_1 p_2 p_3 p_4)^(1/4)

    where h and r are the lengths of predictions and nearest references in words, and p_n the percentage of
    the n-grams of predictions that are in a reference, summed up over the rows of a slice. Weighted, a row
    counts as often as it weighs. NaN for a slice without rows, or with a row without a prediction.

    The values are those of sacrebleu, whose tokenizers count the words (`pip install 'benison[text]'`).

    Source: Papineni et al., "BLEU: a method for automatic evaluation of machine translation", ACL 2002.

    Attributes:
        lowercase: Whether case does not count.
        force: Changes nothing; it silences sacrebleu's warning that texts look tokenized.
        tokenize: What words are: 13a (of mteval), char, intl, none (spaces separate) or zh.
        smooth_method: What is taken for a p_n of 0: exp, floor, add-k or none.
        smooth_value: How much, for floor (0.1 by default) and add-k (1).
        use_effective_order: Leave out n-grams that are longer than any prediction.
        max_ngram_order: The longest n-grams.
        name: The metric's name in the results.

    >>> rows = Inputs.of(["the cat sat on the mat"], ["the cat sat on a mat"])
    >>> round(Bleu().of(rows), 4)
    53.7285
    """

    lowercase: bool = False
    force: bool = False
    tokenize: str = "13a"
    smooth_method: str = "exp"
    smooth_value: float | None = None
    use_effective_order: bool = False
    max_ngram_order: int = 4
    name: str = "BLEU"
    accepts = frozenset({"text", "ragged"})

    def __post_init__(self) -> None:
        check_choice("tokenize", self.tokenize, TOKENIZERS)
        check_choice("smooth_method", self.smooth_method, SMOOTHING)
        check_count("max_ngram_order", self.max_ngram_order, 9, 1)

    def statistics(self) -> tuple[Statistic[Arrays], ...]:
        require("sacrebleu", "sacrebleu")
        counts = NgramCounts(self.lowercase, self.tokenize, self.max_ngram_order)
        return (Totals(counts, 3 + 2 * self.max_ngram_order),)

    def result(self, totals: Arrays) -> Array:
        rows, predicted, referred, *counts = totals
        shape = (len(predicted), 2, self.max_ngram_order)
        correct, total = np.stack(counts, axis=1).reshape(shape).swapaxes(0, 1)
        amount = self.smooth_value
        amount = SMOOTHING[self.smooth_method] if amount is None else amount
        precisions, longest = _precisions(correct, total, self.smooth_method, amount)
        short = np.where(predicted < referred, np.exp(1 - referred / predicted), 1.0)
        score = (
            100
            * short
            * _geometric_mean(precisions, longest if self.use_effective_order else shape[2])
        )
        score = np.where((correct == 0).all(axis=1), 0.0, score)
        return np.where(rows == 0, np.nan, score)


def _precisions(correct: Array, total: Array, method: str, amount: float) -> tuple[Array, Index]:
    """The share of n-grams that are right, smoothed, and the longest that there are, int64[S].

    Shares are float64[S, n], and 0 from where there are no n-grams.

    Args:
        correct: How many are right: float64[S, n].
        total: How many there are: float64[S, n].
        method: How a share of 0 is smoothed, a key of `SMOOTHING`; add-k adds to all n-grams but words.
        amount: What floor takes for no right one, and what add-k adds.
    """
    if method == "add-k":
        added = amount * (np.arange(correct.shape[1]) > 0)
        correct, total = correct + added, total + added
    none = (correct == 0) & _leading(total > 0)
    if method == "exp":
        correct = np.where(none, 0.5 ** np.cumsum(none, axis=1), correct)
    elif method == "floor":
        correct = np.where(none, amount, correct)
    shares = np.where(_leading(total != 0), correct / total, 0.0)
    return shares, _leading(total > 0).sum(axis=1)


def _geometric_mean(shares: Array, length: Index | int) -> Array:
    """The mean of the first shares in each row, as many as `length`, at least of one: float64[S]."""
    used = np.maximum(length, 1)
    first = np.where(np.arange(shares.shape[1]) < np.reshape(used, (-1, 1)), shares, 1.0)
    return np.asarray(np.exp(np.log(first).sum(axis=1) / used))


def _leading(conditions: Any) -> Any:
    """Where a condition is true and all before it in the row are: bool[S, n]."""
    return np.logical_and.accumulate(conditions, axis=1)


@dataclasses.dataclass(frozen=True)
class RougeScores:
    """Precision, recall and F-measure of each row with its best reference, and 1: float64[N, 4].

    Attributes:
        rouge_type: rouge1 to rouge9, rougeL or rougeLsum.
        use_stemmer: Whether words count as their stems.
        split_summaries: Whether rougeLsum finds the sentences itself, which are lines otherwise.
    """

    rouge_type: str
    use_stemmer: bool
    split_summaries: bool

    def __call__(self, inputs: Inputs) -> Array:
        """Score the rows of a batch; raises ConfigError if nltk's data are not there."""
        scorer = _rouge_scorer(self.rouge_type, self.use_stemmer, self.split_summaries)
        rows = _filled(inputs, 4)
        try:
            for i, texts, text in compared(inputs):  # the library takes one at a time
                rows[i] = *scorer.score_multi(texts, text)[self.rouge_type], 1
        except LookupError as error:
            raise ConfigError(
                "split_summaries needs the sentence tokenizer of nltk, which is not there. Run: "
                "python -m nltk.downloader punkt_tab"
            ) from error
        return rows


@functools.cache
def _rouge_scorer(rouge_type: str, use_stemmer: bool, split_summaries: bool) -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer([rouge_type], use_stemmer, split_summaries)


ROUGE_TYPES = (*(f"rouge{n}" for n in range(1, 10)), "rougeL", "rougeLsum")


@dataclasses.dataclass(frozen=True)
class RougePrecision(Metric):
    """ROUGE precision: the share of the prediction's n-grams that a reference has, the mean over rows.

    From 0 to 1, higher is better. Of several references that of the best F-measure counts. rougeL counts the
    longest common subsequence instead, rougeLsum that of each pair of lines. NaN for a slice without rows, or
    with a row without a prediction.

    The values are those of rouge-score (`pip install 'benison[text]'`); Rouge is all three of them.

    Source: Lin, "ROUGE: a package for automatic evaluation of summaries", ACL 2004.

    Attributes:
        rouge_type: rouge1 to rouge9, rougeL or rougeLsum.
        use_stemmer: Whether words count as their stems.
        split_summaries: Whether rougeLsum finds the sentences itself, with nltk.
        name: The metric's name in the results; such as rouge1/precision by default.

    >>> rows = Inputs.of(["the cat sat on the mat"], ["the cat slept"])
    >>> round(RougePrecision().of(rows), 4), round(RougeRecall().of(rows), 4)
    (0.6667, 0.3333)
    """

    rouge_type: str = "rouge1"
    use_stemmer: bool = False
    split_summaries: bool = False
    name: str = ""
    accepts = frozenset({"text", "ragged"})
    measure = "precision"

    def __post_init__(self) -> None:
        check_choice("rouge_type", self.rouge_type, ROUGE_TYPES)
        object.__setattr__(self, "name", self.name or f"{self.rouge_type}/{self.measure}")

    def statistics(self) -> tuple[Statistic[Arrays], ...]:
        require("rouge_score", "rouge-score")
        return (Totals(RougeScores(self.rouge_type, self.use_stemmer, self.split_summaries), 4),)

    def result(self, totals: Arrays) -> Array:
        return ratio(totals[("precision", "recall", "fmeasure").index(self.measure)], totals[3])


@dataclasses.dataclass(frozen=True)
class RougeRecall(RougePrecision):
    """ROUGE recall: the share of the reference's n-grams that the prediction has, the mean over rows.

    As RougePrecision.
    """

    measure = "recall"


@dataclasses.dataclass(frozen=True)
class RougeFMeasure(RougePrecision):
    """ROUGE F-measure: the harmonic mean of precision and recall, the mean over rows.

    As RougePrecision.
    """

    measure = "fmeasure"


def token_f1(inputs: Inputs) -> Array:
    """The F1 of the words of each row and its best reference, and 1: float64[N, 2]."""
    among = references(inputs)
    rows = np.repeat(np.arange(len(among)), among.lengths)
    shares = _overlap(_words(among.values), _words(hypotheses(inputs).take(pa.array(rows))))
    scores = _filled(inputs, 2)
    known = np.unique(rows)
    np.maximum.at(scores[:, 0], rows, shares)  # which leaves NaN where there is no prediction
    scores[known, 1] = np.where(np.isnan(scores[known, 0]), np.nan, 1.0)
    return scores


def _words(texts: pa.Array) -> pa.ListArray:
    """The words of texts without case, ASCII punctuation and English articles, as SQuAD's script has them."""
    plain = pc.replace_substring_regex(pc.utf8_lower(texts), "[[:punct:]]", "")
    if pc.all(pc.string_is_ascii(plain)).as_py():  # classes of Unicode take milliseconds to compile
        return pc.utf8_split_whitespace(
            pc.utf8_trim_whitespace(pc.replace_substring_regex(plain, r"\b(?:a|an|the)\b", " "))
        )
    for _ in range(2):  # a match takes the space after it, which the next word needs before it
        plain = pc.replace_substring_regex(plain, _ARTICLE, r"\1 \2")
    return pc.utf8_split_whitespace(pc.utf8_trim_whitespace(plain))


_ARTICLE = r"(^|[^\p{L}\p{N}_])(?:a|an|the)([^\p{L}\p{N}_]|$)"


def _overlap(a: pa.ListArray, b: pa.ListArray) -> Array:
    """Twice the words that both have over the words of both, 1 where neither has one: float64[M]."""
    sides = [_counted(words) for words in (a, b)]
    words = pa.concat_arrays([texts for _, texts in sides]).dictionary_encode()
    codes = words.indices.to_numpy().astype(np.int64)
    width, split = max(len(words.dictionary), 1), len(sides[0][0])
    keys = (sides[0][0] * width + codes[:split], sides[1][0] * width + codes[split:])
    (left, n), (right, m) = (np.unique(of, return_counts=True) for of in keys)
    both, i, j = np.intersect1d(left, right, assume_unique=True, return_indices=True)
    common = np.bincount(both // width, np.minimum(n[i], m[j]), minlength=len(a))
    total = sum(np.bincount(rows, minlength=len(a)) for rows, _ in sides)
    return np.where(total == 0, 1.0, ratio(2 * common, total))


def _counted(words: pa.ListArray) -> tuple[Index, pa.Array]:
    """The row of each word, and the words; the empty one that an empty text has is left out."""
    texts, rows = words.flatten(), pc.list_parent_indices(words).to_numpy()
    kept = pc.not_equal(texts, "").to_numpy(zero_copy_only=False)
    return rows[kept].astype(np.int64), texts.filter(pa.array(kept))


@dataclasses.dataclass(frozen=True)
class TokenF1(Metric):
    """Mean F1 of the words of an answer and its best reference, as SQuAD's; from 0 to 1, higher is better.

    Words are without case, ASCII punctuation and English articles; an empty answer is right where the
    reference is empty too. NaN for a slice without rows, or with a row without a prediction.

    Source: Rajpurkar et al., "SQuAD: 100,000+ questions for machine comprehension of text", EMNLP 2016, and
    the evaluation script of version 2.

    >>> TokenF1().of(Inputs.of(["The cat sat."], ["a cat slept"]))
    0.5
    """

    name: str = "token_f1"
    accepts = frozenset({"text", "ragged"})

    def statistics(self) -> tuple[Statistic[Arrays], ...]:
        return (Totals(token_f1, 2),)

    def result(self, totals: Arrays) -> Array:
        return ratio(*totals)


def _register_all() -> None:
    register("Bleu", Bleu, About.of(Bleu, HIGHER, 0, 100))
    for metric in (RougePrecision, RougeRecall, RougeFMeasure, TokenF1):
        register(metric.__name__, metric, About.of(metric, HIGHER, 0, 1))


_register_all()
