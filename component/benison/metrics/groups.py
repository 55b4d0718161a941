# SPDX-License-Identifier: Apache-2.0
"""Class names that stand for several metrics, as in TFMA: each is a list of metrics with parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from benison.errors import ConfigError
from benison.metrics import parameters
from benison.metrics.base import Metric
from benison.metrics.confusion import as_thresholds
from benison.metrics.registry import factory_of, from_config

Members: TypeAlias = "Iterator[tuple[str, dict[str, Any]]]"

RATES = {
    "positive_rate": "PredictedPositiveRate",
    "true_positive_rate": "TPR",
    "false_positive_rate": "FPR",
    "true_negative_rate": "TNR",
    "false_negative_rate": "FNR",
    "false_discovery_rate": "FalseDiscoveryRate",
    "false_omission_rate": "FalseOmissionRate",
}
"""The rates of Fairness Indicators by their names there."""

_TENTHS = tuple(i / 10 for i in range(1, 10))


def fairness_indicators(
    thresholds: Sequence[float] = _TENTHS, name: str = "fairness_indicators_metrics"
) -> Members:
    """Positive, true and false positive and negative rates, false discovery and omission rate.

    Each at each threshold, by default at 0.1 to 0.9, called such as
    `fairness_indicators_metrics/false_positive_rate@0.5`.
    """
    for threshold in dict.fromkeys(as_thresholds(thresholds)):
        for rate, class_name in RATES.items():
            yield class_name, {"thresholds": threshold, "name": f"{name}/{rate}@{threshold:.15g}"}


def boolean_flip_rates(
    threshold: float = 0.5,
    flip_rate_name: str = "flip_rate",
    neg_to_neg_flip_rate_name: str = "neg_to_neg_flip_rate",
    neg_to_pos_flip_rate_name: str = "neg_to_pos_flip_rate",
    pos_to_neg_flip_rate_name: str = "pos_to_neg_flip_rate",
    pos_to_pos_flip_rate_name: str = "pos_to_pos_flip_rate",
) -> Members:
    """The share of rows on which candidate and baseline differ, and that of each pair of decisions."""
    for class_name, name in (
        ("SymmetricFlipRate", flip_rate_name),
        ("NegToNegFlipRate", neg_to_neg_flip_rate_name),
        ("NegToPosFlipRate", neg_to_pos_flip_rate_name),
        ("PosToNegFlipRate", pos_to_neg_flip_rate_name),
        ("PosToPosFlipRate", pos_to_pos_flip_rate_name),
    ):
        yield class_name, {"threshold": threshold, "name": name}


def query_statistics(
    total_queries_name: str = "total_queries",
    total_documents_name: str = "total_documents",
    min_documents_name: str = "min_documents",
    max_documents_name: str = "max_documents",
) -> Members:
    """The number of queries, and of their rows in all, at least and at most."""
    yield "TotalQueries", {"name": total_queries_name}
    yield "TotalDocuments", {"name": total_documents_name}
    yield "MinDocuments", {"name": min_documents_name}
    yield "MaxDocuments", {"name": max_documents_name}


def brier_decomposition(num_buckets: int = 10, name: str = "brier") -> Members:
    """The Brier score and its terms: reliability, less resolution, uncertainty, and what is within buckets.

    Called such as `brier/reliability`; the score is the sum of the terms, resolution taken off.
    """
    yield "BrierScore", {"name": f"{name}/score"}
    yield "BrierUncertainty", {"name": f"{name}/uncertainty"}
    for class_name, term in (
        ("BrierReliability", "reliability"),
        ("BrierResolution", "resolution"),
        ("BrierWithinBuckets", "within_buckets"),
    ):
        yield class_name, {"name": f"{name}/{term}", "num_buckets": num_buckets}


def rouge(
    rouge_type: str,
    name: str | None = None,
    use_stemmer: bool = False,
    split_summaries: bool = False,
) -> Members:
    """ROUGE precision, recall and F-measure of generated texts, called such as rouge1/fmeasure."""
    options = {"use_stemmer": use_stemmer, "split_summaries": split_summaries}
    for class_name, measure in (
        ("RougePrecision", "precision"),
        ("RougeRecall", "recall"),
        ("RougeFMeasure", "fmeasure"),
    ):
        own = {"rouge_type": rouge_type, "name": f"{name or rouge_type}/{measure}"}
        yield class_name, own | options


Columns: TypeAlias = "Mapping[str, str] | Sequence[str]"


def _attributions(class_name: str, prefix: str, sentence: str) -> Callable[..., Members]:
    """One of TFMA's metrics of attributions, as a mean or a sum of ours for each feature.

    Args:
        class_name: "Mean" or "Sum".
        prefix: The name in the results, by default; one with "absolute" is without signs.
        sentence: What it is.
    """

    def metrics(
        columns: Columns,
        name: str = prefix,
        class_id: int | None = None,
        k: int | None = None,
        top_k: int | None = None,
    ) -> Members:
        parameters.check_single({"class_id": class_id, "k": k, "top_k": top_k})
        parameters.check_count("class_id", class_id, parameters.MOST, least=0)
        named = columns if isinstance(columns, Mapping) else {column: column for column in columns}
        own = {"absolute": "absolute" in prefix, "element": class_id, "k": k, "highest": top_k}
        for feature, column in named.items():
            yield class_name, {"feature_key_path": [column], "name": f"{name}/{feature}", **own}

    metrics.__doc__ = f"""{sentence}

    Each is called such as {prefix}/age. `columns` says in which column the attributions of each feature
    are, {{age: shap_age}}, or names columns. Of columns that hold a list, a value for each class,
    `class_id` is the one that is meant, or `k` the k-th highest value of a row; `top_k` gives a list, a
    value for each of the k highest.
    """
    return metrics


_OF_FEATURES = {
    "MeanAbsoluteAttributions": _attributions(
        "Mean",
        "mean_absolute_attributions",
        "Weighted mean of the attributions of each feature without their signs.",
    ),
    "MeanAttributions": _attributions(
        "Mean", "mean_attributions", "Weighted mean of the attributions of each feature."
    ),
    "TotalAbsoluteAttributions": _attributions(
        "Sum",
        "total_absolute_attributions",
        "Sum of the attributions of each feature without their signs.",
    ),
    "TotalAttributions": _attributions(
        "Sum", "total_attributions", "Sum of the attributions of each feature."
    ),
}
ATTRIBUTIONS = frozenset(_OF_FEATURES)
"""Metrics that take classes by a parameter of their own, since they look at neither labels nor scores."""


def _segmentation(class_name: str, sentence: str) -> Callable[..., Members]:
    """One of TFMA's metrics of pixels, as one of ours for each class; they have its parameters."""

    def metrics(  # noqa: PLR0913, PLR0917 - they are TFMA's
        class_ids: Sequence[int],
        ground_truth_key: str,
        prediction_key: str,
        decode_ground_truth: bool = True,
        decode_prediction: bool = False,
        ignore_ground_truth_id: int | None = None,
        name: str | None = None,
    ) -> Members:
        own = {
            "class_ids": class_ids,
            "ground_truth_key": ground_truth_key,
            "prediction_key": prediction_key,
            "decode_ground_truth": decode_ground_truth,
            "decode_prediction": decode_prediction,
            "ignore_ground_truth_id": ignore_ground_truth_id,
            **({} if name is None else {"name": name}),
        }
        for class_id in dict.fromkeys(class_ids):
            yield class_name, {**own, "class_id": class_id}

    metrics.__doc__ = sentence
    return metrics


GROUPS: dict[str, Callable[..., Members]] = {
    "BooleanFlipRates": boolean_flip_rates,
    "BrierDecomposition": brier_decomposition,
    "FairnessIndicators": fairness_indicators,
    "QueryStatistics": query_statistics,
    "Rouge": rouge,
    "SemanticSegmentationConfusionMatrix": _segmentation(
        "PixelConfusionMatrix",
        "The confusion matrix of the pixels of a class in images that are cut into classes, for each of some "
        "classes.",
    ),
    "SemanticSegmentationFalsePositive": _segmentation(
        "PixelFalsePositives",
        "Pixels of other classes that are predicted as a class, in images cut into classes; from 0 up, for "
        "each of some classes.",
    ),
    "SemanticSegmentationTruePositive": _segmentation(
        "PixelTruePositives",
        "Pixels of a class that are predicted as it, in images that are cut into classes; from 0 up, for "
        "each of some classes.",
    ),
    **_OF_FEATURES,
}


def _ndcg_of_ranks(
    top_k_list: Sequence[int], name: str = "ndcg", **config: Any
) -> Iterator[dict[str, Any]]:
    """TFMA's NDCG names several last ranks; each is a metric here, called such as `ndcg@5`."""
    ranks = top_k_list if isinstance(top_k_list, list) else [top_k_list]
    if not ranks or "top_k" in config:
        raise ConfigError('NDCG: top_k_list is a list of ranks such as [1, 5], without "top_k".')
    for rank in ranks:
        yield {**config, "top_k": rank, "name": name if len(ranks) == 1 else f"{name}@{rank}"}


def takes(class_name: str, parameter: str) -> bool:
    """Whether the metrics of a class name have a parameter, or nobody knows the name.

    >>> takes("Recall", "top_k"), takes("MeanLabel", "top_k")
    (True, False)
    """
    factory = GROUPS.get(class_name) or factory_of(class_name)
    known = {} if factory is None else inspect.signature(factory).parameters
    free = any(each.kind is each.VAR_KEYWORD for each in known.values())
    return factory is None or free or parameter in known


def members(class_name: str, config: dict[str, Any]) -> tuple[tuple[str, Metric], ...]:
    """The metrics that a class name and its parameters stand for, each with its own class name.

    Raises:
        ConfigError: There is no such metric, or a parameter is unknown, missing or of the wrong type.

    >>> [metric.name for _, metric in members("BooleanFlipRates", {})][:2]
    ['flip_rate', 'neg_to_neg_flip_rate']
    >>> [metric.name for _, metric in members("Recall", {})]
    ['recall']
    """
    if class_name == "NDCG" and "top_k_list" in config:
        return tuple((class_name, from_config(class_name, own)) for own in _ndcg_of_ranks(**config))
    made_by = factory_of(
        class_name
    )  # one of Keras whose result is a dict is a function with its parts
    parts = None if isinstance(made_by, type) else getattr(made_by, "parts", None)
    if parts is not None and [*parts(config)] != [""]:
        each = ({**config, "part": part} for part in parts(config))
        return tuple((class_name, from_config(class_name, own)) for own in each)
    if class_name not in GROUPS:
        return ((class_name, from_config(class_name, config)),)
    factory, meant = GROUPS[class_name], parameters.meant(config)
    parameters.check(class_name, factory, meant)
    parameters.check_types(class_name, factory, meant)
    try:
        made = tuple(factory(**meant))
    except ValueError as error:
        raise ConfigError(f"{class_name}: {error}") from error
    return tuple((name, from_config(name, own)) for name, own in made)
