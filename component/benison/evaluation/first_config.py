# SPDX-License-Identifier: Apache-2.0
"""Writes the first config for some data, in YAML with remarks, from what they seem to be about."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from benison.errors import DataError, visible
from benison.evaluation.column_facts import FIRST_ROWS, NUMBER, TEXT, ColumnFacts
from benison.evaluation.first_guess import (
    BINARY,
    CLASS_NUMBERS,
    CLASS_TEXTS,
    CLASSES,
    LABEL_SETS,
    RANKING,
    REFERENCES,
    REGRESSION,
    SCORES,
    TASKS,
    TEXTS,
    Guess,
)
from benison.evaluation.repeated_units import repeated_unit
from benison.metrics import describe, from_config
from benison.results.result import EvalResult

_MOST_VALUES = 25  # of a feature whose every value is a slice, as the hours of a day
_LEAST_ROWS = 10  # of a slice, on average
_MOST_SLICED, _MOST_BINNED, _MOST_REMARKS = 8, 3, 10
_MOST_CLASSES = 100  # that are averaged over
_FALL = 0.01  # what a change against a baseline in the data may cost
_SHARE = 0.05  # how much worse than an earlier result, where that has no interval
_INTERVAL_ROWS = 1_000_000
_PLAIN = re.compile(r"[A-Za-z_][\w-]*")
_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}


@dataclasses.dataclass(frozen=True)
class Suggested:
    """A metric to ask for.

    Attributes:
        class_name: Its name.
        config: Its parameters.
        judged: Whether it is what the task is about, so that thresholds look at it.
        floor: The value that it should not be worse than in any case; None where there is none.
        why: What the floor is.
    """

    class_name: str
    config: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    judged: bool = False
    floor: float | None = None
    why: str = ""


_CHANCE = Suggested("AUC", judged=True, floor=0.5, why="better than chance")
_MEAN = Suggested("R2Score", judged=True, floor=0.0, why="better than the mean of the labels")
_METRICS: dict[str, tuple[Suggested, ...]] = {
    BINARY: (
        _CHANCE,
        *map(Suggested, ("AUCPrecisionRecall", "BinaryAccuracy", "Precision", "Recall", "F1Score")),
        Suggested("BrierScore", judged=True),
        *map(Suggested, ("MeanLabel", "MeanPrediction", "CalibrationPlot", "ConfusionMatrixPlot")),
    ),
    SCORES: (_CHANCE, Suggested("AUCPrecisionRecall"), Suggested("ConfusionMatrixPlot")),
    CLASSES: (
        Suggested("CategoricalAccuracy", judged=True),
        Suggested("CategoricalCrossEntropy"),
        Suggested("MultiClassConfusionMatrixPlot"),
    ),
    CLASS_NUMBERS: (Suggested("ExactMatch", judged=True),),
    CLASS_TEXTS: (Suggested("ExactMatch", judged=True),),
    LABEL_SETS: (Suggested("MultiLabelConfusionMatrixPlot"),),
    REGRESSION: (
        _MEAN,
        Suggested("RootMeanSquaredError", judged=True),
        *map(Suggested, ("MeanAbsoluteError", "MeanLabel", "MeanPrediction")),
    ),
    RANKING: (
        Suggested("NDCG", judged=True),
        *map(Suggested, ("MeanReciprocalRank", "MeanAveragePrecision", "TotalQueries")),
    ),
    TEXTS: (Suggested("ExactMatch"), Suggested("TokenF1", judged=True)),
    REFERENCES: (Suggested("TokenF1", judged=True),),
}
_ACCURACIES = ("CategoricalAccuracy", "ExactMatch")


def first_config(
    columns: Mapping[str, ColumnFacts],
    made: Guess,
    command: str,
    result: EvalResult | None = None,
    rows: int | None = None,
    old_model: str = "",
) -> str:
    """A config as YAML, whose remarks say where it comes from and what else there is.

    Args:
        columns: The facts of each column.
        made: What the data are about.
        command: How the config was asked for.
        result: An earlier result, which thresholds are taken from.
        rows: The rows in all, where they are known.
        old_model: Where the model lies that is to be compared with, if one is to be called.
    """
    rows = _all_read(columns) if rows is None else rows
    lines = [
        f"# {TASKS[made.task].capitalize()}: {made.reasons['task']}.",
        f"# Written by: {visible(command)}. Everything may be changed; benison check-config finds faults.",
        "model_specs:",
        *_models(made),
        "",
        "# The slices: {} is Overall. Also: crosses, single values, conditions (docs/slices.md).",
        "slicing_specs:",
        "  - {}",
        *_slices(columns, made),
        "",
        "# benison metrics lists all metrics, and benison metrics AUC says all about one.",
        "metrics_specs:",
        *_specs(columns, made, result, old_model, _has_intervals(rows)),
        "",
        *_options(rows, repeated_unit(columns.values(), made.used)),
    ]
    return "\n".join(lines) + "\n"


def judged_in(made: Guess, result: EvalResult) -> list[str]:
    """The metrics that the task is judged by of which an earlier result has a value."""
    judged = [metric for metric in _METRICS[made.task] if metric.judged]
    return [each.class_name for each in judged if _worst_of(each, result)[0] is not None]


def _all_read(columns: Mapping[str, ColumnFacts]) -> int | None:
    """How many rows there are, if all of them were looked at."""
    read = max((of.read for of in columns.values()), default=0)
    return read if read < FIRST_ROWS else None


def _models(made: Guess) -> Iterator[str]:
    common = [f"label_key: {scalar(made.label)}"]
    common += [f"example_weight_key: {scalar(made.weight)}"] if made.weight else []
    if not made.prediction:
        yield "  # No prediction_key, because a model is called: benison evaluate --model PATH"
    names = [("candidate", made.prediction, ""), ("baseline", made.baseline, "is_baseline: true")]
    for name, column, more in names if made.baseline else names[:1]:
        fields = [f"name: {name}"] if made.baseline else []
        fields += [*common, *([f"prediction_key: {scalar(column)}"] if column else [])]
        yield f"  - {{{', '.join([*fields, *([more] if more else [])])}}}"


def _slices(columns: Mapping[str, ColumnFacts], made: Guess) -> Iterator[str]:
    """A line for each feature that makes good slices, and a remark for each of the others."""
    left: list[str] = []
    sliced = binned = 0
    for name, of in columns.items():
        if name in made.used:
            continue
        spec = f"feature_keys: [{scalar(name)}]"
        if sliced < _MOST_SLICED and _has_few_values(of):
            sliced += 1
            yield f"  - {{{spec}}}  # {of.distinct:,} values"
        elif binned < _MOST_BINNED and _has_amounts(of):
            binned += 1
            edges = ", ".join(f"{edge:g}" for edge in of.quartiles)
            bins = f"bins: {{{scalar(name)}: [{edges}]}}"
            yield f"  - {{{bins}}}  # quartiles of {of.low:g} to {of.high:g}"
        elif of.is_time:
            bins = f"bins: {{{scalar(name)}: {{every: month}}}}"
            yield f"  # - {{{bins}}}  # a time: benison monitor watches the periods of a result"
        elif of.kind in (NUMBER, TEXT) and of.distinct > 1:
            left.append(f"  # - {{{spec}}}  # {of.distinct:,} values")
    yield from left[:_MOST_REMARKS]
    if len(left) > _MOST_REMARKS:
        yield f"  # ... and {len(left) - _MOST_REMARKS:,} more columns."


def _has_few_values(of: ColumnFacts) -> bool:
    is_discrete = of.kind == TEXT or (of.kind == NUMBER and of.whole)
    few = 1 < of.distinct <= _MOST_VALUES
    return is_discrete and few and of.rows >= _LEAST_ROWS * of.distinct


def _has_amounts(of: ColumnFacts) -> bool:
    """Whether it is a number to be cut into bins, and not an id."""
    is_id = of.whole and (of.distinct == of.rows or of.name.lower().endswith("id"))
    many = of.distinct > _MOST_VALUES and of.rows >= _LEAST_ROWS * (len(of.quartiles) + 1)
    return bool(of.quartiles) and of.kind == NUMBER and many and not is_id


def _specs(
    columns: Mapping[str, ColumnFacts],
    made: Guess,
    result: EvalResult | None,
    old_model: str,
    has_intervals: bool,
) -> Iterator[str]:
    """The metrics, with thresholds."""
    if made.query:
        yield f"  - query_key: {scalar(made.query)}"
        yield "    metrics:"
    else:
        yield "  - metrics:"
    yield "      - ExampleCount"
    bounds = 0
    for metric in _METRICS[made.task]:
        floored = _floored(metric, columns[made.label], made)
        threshold = _threshold(floored, made, result, old_model)
        if not has_intervals:
            threshold = [f"# {x}" if x.startswith("evidence:") else x for x in threshold]
        bounds += any(_is_live(line) for line in threshold)
        yield from _metric(floored, threshold)
    if not bounds:
        yield "        # No threshold, so the verdict is `not evaluated`. Give a metric what it must reach:"
        yield "        #   threshold: {value_threshold: {lower_bound: 0.5}}"
    if made.task in (TEXTS, REFERENCES):
        yield from _scores(columns)
    yield from _averages(columns, made)


def _scores(columns: Mapping[str, ColumnFacts]) -> Iterator[str]:
    """The averages of what a judge has scored."""
    for name, of in columns.items():
        if of.kind == NUMBER and of.low is not None and name.split("_")[0] == "score":
            key = scalar(name)
            yield f"      - {{class_name: Mean, config: {{feature_key_path: [{key}]}}}}"


def _floored(metric: Suggested, label: ColumnFacts, made: Guess) -> Suggested:
    """The metric with the share of the most frequent class as its floor, if it is the accuracy."""
    if metric.class_name not in _ACCURACIES or made.task == TEXTS or not label.share:
        return metric
    why = "the share of the most frequent label"
    return dataclasses.replace(metric, floor=math.floor(label.share * 1000) / 1000, why=why)


def _metric(metric: Suggested, threshold: Sequence[str]) -> Iterator[str]:
    if not threshold and not metric.config:
        yield f"      - {metric.class_name}"
        return
    yield f"      - class_name: {metric.class_name}"
    if metric.config:
        yield f"        config: {json.dumps(metric.config)}"
    if any(map(_is_live, threshold)):
        yield "        per_slice_thresholds:"
        yield "          - slicing_specs: [{}]  # Overall; add {feature_keys: [...]} for every value of one"
        yield "            threshold:"
        yield from (f"              {line}" for line in threshold)
    else:
        yield from (f"        # {line.removeprefix('# ')}" for line in threshold)


def _is_live(line: str) -> bool:
    """Whether a line of YAML is more than a remark."""
    return not line.startswith("#")


def _threshold(
    metric: Suggested, made: Guess, result: EvalResult | None, old_model: str
) -> list[str]:
    """The fields of a threshold of the metric, each with a remark."""
    lines = []
    worst, why = _worst_of(metric, result) if metric.judged else (None, "")
    bound, because = (metric.floor, metric.why) if worst is None else (worst, why)
    better = describe(metric.class_name).higher_is_better
    if bound is not None:
        side = "lower_bound" if better else "upper_bound"
        lines.append(f"value_threshold: {{{side}: {bound:.4g}}}  # {because}")
    against = made.baseline or old_model
    if metric.judged and against:
        lines.append(f"{_change(better)}  # against {visible(against)}")
        lines.append(
            "evidence: worse  # refuses only where chance does not explain the fall (docs/verdict.md)"
        )
    elif metric.judged and not made.prediction and result is None:
        change = _change(better)
        change = change if lines else f"threshold: {{{change}}}"
        lines.append(f"# {change}  # with --baseline OLD_MODEL")
    return lines


def _change(better: bool | None) -> str:
    """How much worse than the baseline a model may be."""
    direction, change = ("HIGHER", -_FALL) if better else ("LOWER", _FALL)
    kind = "absolute" if better else "relative"
    return f"change_threshold: {{direction: {direction}_IS_BETTER, {kind}: {change:g}}}"


def _worst_of(metric: Suggested, result: EvalResult | None) -> tuple[float | None, str]:
    """What an earlier result allows: the worse end of its interval, or else a little less than its value."""
    if result is None:
        return None, ""
    name = from_config(metric.class_name, dict(metric.config)).name
    try:
        rows = result.rows(name).to_pylist()
    except DataError:
        return None, ""
    overall = [row for row in rows if row["slice"] == "Overall" and math.isfinite(row["value"])]
    if not overall:
        return None, ""
    value, better = overall[0]["value"], bool(describe(metric.class_name).higher_is_better)
    end = overall[0]["lower" if better else "upper"]
    was = f"it was {value:.4g} in {visible(str(result.path))}"
    if end is not None and math.isfinite(end):
        return end, f"{was}, with this end of its interval"
    return value + (-abs(value) if better else abs(value)) * _SHARE, f"{was}; 5 % are allowed"


def _averages(columns: Mapping[str, ColumnFacts], made: Guess) -> Iterator[str]:
    """Metrics of single classes, averaged over the classes."""
    count = _classes(columns, made)
    if made.task not in (CLASSES, LABEL_SETS) or not 1 < count <= _MOST_CLASSES:
        return
    weights = ", ".join(f"{number}: 1" for number in range(count))
    yield "  # Each class against the rest, averaged over the classes."
    yield f"  - aggregate: {{macro_average: true, class_weights: {{{weights}}}}}"
    yield "    metrics: [AUC, Precision, Recall, F1Score]"


def _classes(columns: Mapping[str, ColumnFacts], made: Guess) -> int:
    """How many classes there are."""
    if made.prediction:
        return columns[made.prediction].distinct
    label = columns[made.label]
    return label.distinct if label.kind != NUMBER else int((label.high or 0) + 1)


def _has_intervals(rows: int | None) -> bool:
    """Whether there are so few rows that intervals, and evidence with them, cost nothing that is felt."""
    return rows is not None and rows <= _INTERVAL_ROWS


def _options(rows: int | None, unit: ColumnFacts | None) -> Iterator[str]:
    small = _has_intervals(rows)
    yield "options:"
    yield (
        "  confidence: {level: 0.95}" if small else "  confidence: off  # intervals: {level: 0.95}"
    )
    if small and unit is not None:
        key = f"confidence: {{level: 0.95, cluster_key: {scalar(unit.name)}}}"
        yield f"  # {key}  # if rows of one are alike: {unit.distinct:,} values in {unit.rows:,} rows"
    yield "  # min_slice_size: 30  # hides slices of fewer rows"


def scalar(text: str) -> str:
    """A text as YAML has it in a list, quoted where it must be.

    >>> scalar("fare"), scalar("Total, net"), scalar("no")
    ('fare', '"Total, net"', '"no"')
    """
    is_plain = _PLAIN.fullmatch(text) and text.isascii() and text.lower() not in _WORDS
    return text if is_plain else json.dumps(text, ensure_ascii=False)


def words(made: Guess, columns: Mapping[str, ColumnFacts]) -> Iterable[tuple[str, str]]:
    """What was guessed, each with its reason, as (name, sentence)."""
    yield "task", f"{TASKS[made.task]}: {made.reasons['task']}"
    for role in ("label", "prediction", "baseline", "weight", "query"):
        column = getattr(made, role)
        if column or role == "prediction":
            yield role, f"{visible(column) or 'none'}: {made.reasons[role]}"
    times = [visible(name) for name, of in columns.items() if of.is_time and name not in made.used]
    if times:
        yield (
            "time",
            f"{', '.join(times)}: not sliced; the config has months as a remark, for benison monitor",
        )
