# SPDX-License-Identifier: Apache-2.0
"""Guesses of data what is predicted in them, and by which columns, each guess with its reason."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping

from benison.errors import ConfigError, DataError, suggestion, visible
from benison.evaluation.column_facts import LIST, NUMBER, OTHER, TEXT, TEXT_LIST, ColumnFacts

BINARY, SCORES, CLASSES, CLASS_NUMBERS, CLASS_TEXTS, LABEL_SETS, REGRESSION, RANKING, TEXTS, REFERENCES = (
    "binary", "scores", "classes", "class numbers", "class texts", "label sets", "regression", "ranking",
    "texts", "references",
)  # fmt: skip

TASKS = {
    BINARY: "binary classification",
    SCORES: "binary classification by scores that are no probabilities",
    CLASSES: "classification into several classes",
    CLASS_NUMBERS: "classification, by the numbers of the classes",
    CLASS_TEXTS: "classification, by the names of the classes",
    LABEL_SETS: "classification with several labels in a row",
    REGRESSION: "regression",
    RANKING: "ranking",
    TEXTS: "generated texts",
    REFERENCES: "generated texts with several references",
}
"""What each task is called."""

MOST_CLASSES = 20  # whole numbers with more values than this are amounts

# The usual names, the surest first.
_LABELS = (
    "label", "labels", "target", "targets", "y", "y_true", "ytrue", "class", "ground_truth", "truth", "gold",
    "outcome", "actual", "relevance", "reference", "references", "expected", "expected_output", "answer",
    "rating",
)  # fmt: skip
_PREDICTIONS = (
    "prediction", "predictions", "pred", "preds", "y_pred", "y_hat", "yhat", "score", "scores", "y_score",
    "prob", "proba", "probability", "probabilities", "y_prob", "logit", "logits", "output", "response",
    "generated", "generated_text", "completion", "model_output", "p",
)  # fmt: skip
_LIKE_LABEL = re.compile(r"(^|_)(label|target)($|_)")
_LIKE_PREDICTION = re.compile(r"(^|_)(pred|prediction|predictions|score|scores|prob|proba)($|_)")
_LIKE_BASELINE = re.compile(r"(^|_)(baseline|old|previous|prev|champion|production|control)($|_)")
_QUERY = re.compile(r"(q|query|search|session|impression|list)(_?(id|key|group))?$")
_WEIGHT = re.compile(r"(sample_|example_|row_)?weights?$")

Columns = Mapping[str, ColumnFacts]


@dataclasses.dataclass(frozen=True)
class Guess:
    """What is predicted in the data, and the columns that say it; "" for a column that there is not."""

    task: str
    label: str
    prediction: str
    baseline: str
    weight: str
    query: str
    reasons: Mapping[str, str]
    """Why each of these fields is what it is."""

    @property
    def used(self) -> set[str]:
        """The columns that are no features."""
        names = (self.label, self.prediction, self.baseline, self.weight, self.query)
        return {name for name in names if name}


def guess(columns: Columns, label: str = "", prediction: str = "", baseline: str = "") -> Guess:
    """What the data are about, by the names of their columns and by the first rows.

    Args:
        columns: The facts of each column.
        label: The column of the labels, where it is known.
        prediction: That of the predictions, where it is known.
        baseline: That of the baseline's predictions, where it is known.

    Raises:
        ConfigError: Nothing tells which column the label is, or label and prediction do not go together.
        DataError: A column that was named is not there.
    """
    for name in filter(None, (label, prediction, baseline)):
        if name not in columns:
            raise DataError.from_missing_column(name, columns, "The data")
    _check_apart(_named(label, prediction, baseline))
    reasons = {key: "as you said" for key, name in _named(label, prediction, baseline) if name}
    taken = {label, prediction, baseline}
    others = {name: of for name, of in columns.items() if name not in taken}
    weight = _weight(others, reasons)
    others.pop(weight, None)
    baseline = baseline or _baseline(others, reasons)
    others.pop(baseline, None)
    prediction = prediction or _prediction(others, reasons, label)
    others.pop(prediction, None)
    query = _query(others, reasons)
    others.pop(query, None)
    label = label or _label(others, columns.get(prediction), reasons)
    made = Guess("", label, prediction, baseline, weight, query, reasons)
    task, why = _task(columns, made)
    query = query if task == RANKING else ""
    return dataclasses.replace(made, task=task, query=query, reasons={**reasons, "task": why})


def _check_apart(named: Iterable[tuple[str, str]]) -> None:
    roles: dict[str, str] = {}
    for role, name in named:
        if name and name in roles:
            raise ConfigError(
                f"{name!r} is given as the {roles[name]} and as the {role}, which would always agree. Name "
                "another column, or leave one of the two out."
            )
        roles[name] = role


def _named(label: str, prediction: str, baseline: str) -> Iterable[tuple[str, str]]:
    return (("label", label), ("prediction", prediction), ("baseline", baseline))


def _first_named(names: Iterable[str], columns: Columns) -> str:
    """The column with the first of these names, however it is written."""
    lower = {name.lower(): name for name in columns}
    return next((lower[name] for name in names if name in lower), "")


def _only(columns: Columns, fits: Callable[[ColumnFacts], bool]) -> str:
    """The only column that fits, "" if none or several do."""
    fitting = [name for name, of in columns.items() if fits(of)]
    return fitting[0] if len(fitting) == 1 else ""


def _weight(columns: Columns, reasons: dict[str, str]) -> str:
    def fits(of: ColumnFacts) -> bool:
        positive = of.kind == NUMBER and of.low is not None and of.low >= 0
        return positive and bool(_WEIGHT.fullmatch(of.name.lower()))

    name = _only(columns, fits)
    if name:
        reasons["weight"] = "its name says so, and no number is negative"
    return name


def _is_prediction(of: ColumnFacts) -> bool:
    return of.kind in (NUMBER, LIST, TEXT) and not of.is_time


def _baseline(columns: Columns, reasons: dict[str, str]) -> str:
    def fits(of: ColumnFacts) -> bool:
        name = of.name.lower()
        is_plain = name in ("baseline", "champion")
        both = _LIKE_BASELINE.search(name) and _LIKE_PREDICTION.search(name)
        return _is_prediction(of) and (is_plain or bool(both))

    name = _only(columns, fits)
    if name:
        reasons["baseline"] = "its name says so"
    return name


def _prediction(columns: Columns, reasons: dict[str, str], label: str) -> str:
    usable = {name: of for name, of in columns.items() if _is_prediction(of) and name != label}
    name, reasons["prediction"] = _by_name(usable, _PREDICTIONS, _LIKE_PREDICTION)
    if not name:
        reasons["prediction"] = "no column has a usual name, so a model is to be called"
    return name


def _by_name(columns: Columns, usual: tuple[str, ...], like: re.Pattern[str]) -> tuple[str, str]:
    """The column with a usual name, or the only one with a name like that, and why; "" for none."""
    if name := _first_named(usual, columns):
        return name, "its name is a usual one"
    name = _only(columns, lambda of: bool(like.search(of.name.lower())))
    return name, "the only column with such a name"


def _query(columns: Columns, reasons: dict[str, str]) -> str:
    def fits(of: ColumnFacts) -> bool:
        return bool(_QUERY.fullmatch(of.name.lower())) and 1 < of.distinct <= of.rows / 2

    name = _only(columns, fits)
    if name:
        reasons["query"] = "its name says so, and each value has several rows"
    return name


def _label(columns: Columns, prediction: ColumnFacts | None, reasons: dict[str, str]) -> str:
    usable = {name: of for name, of in columns.items() if _can_be_label(of, prediction)}
    name, reasons["label"] = _by_name(usable, _LABELS, _LIKE_LABEL)
    if name:
        return name
    name = _only(columns, lambda of: of.is_yes_or_no)
    if name:
        reasons["label"] = "the only column whose values are 0 and 1"
        return name
    shown = suggestion("", map(visible, columns))
    raise ConfigError(
        f"Nothing tells which column holds the labels. Say it: --label COLUMN. {shown}"
    )


def _can_be_label(of: ColumnFacts, prediction: ColumnFacts | None) -> bool:
    """Not a time; nor many texts, unless texts are predicted."""
    is_scored = prediction is not None and prediction.kind != TEXT
    return not of.is_time and not (is_scored and of.kind == TEXT and of.distinct > MOST_CLASSES)


def _task(columns: Columns, made: Guess) -> tuple[str, str]:
    """The task, and why it is that."""
    label = columns[made.label]
    for name in filter(None, (made.label, made.prediction, made.baseline)):
        _check_known(columns[name])
    if not made.prediction:
        return _task_of_label(label)
    prediction = columns[made.prediction]
    if LIST in (prediction.kind, label.kind):
        return _task_of_lists(label, prediction)
    if (label.kind, prediction.kind) == (TEXT_LIST, TEXT):
        return REFERENCES, "the prediction is text, and the label is texts"
    if label.kind != prediction.kind:
        raise ConfigError(_not_together(label, prediction))
    if label.kind == TEXT:
        return _task_of_texts(label)
    return _task_of_numbers(label, prediction, made.query)


def _check_known(of: ColumnFacts) -> None:
    if of.kind == NUMBER and of.low is None or of.kind == OTHER and not of.rows:
        raise ConfigError(
            f"Column {visible(of.name)} holds no value in the first {of.read:,} rows, so it tells nothing. "
            "Name another one with --label or --prediction, or fill it."
        )
    if of.is_time:
        raise ConfigError(
            f"Column {visible(of.name)} holds times, which no metric compares. Name another one with --label "
            "or --prediction."
        )


def _task_of_texts(label: ColumnFacts) -> tuple[str, str]:
    few = label.distinct <= MOST_CLASSES and label.distinct < label.rows / 2
    what = f"both are text, and {visible(label.name)} has {label.distinct:,} values"
    return (CLASS_TEXTS if few else TEXTS), what


def _task_of_numbers(label: ColumnFacts, prediction: ColumnFacts, query: str) -> tuple[str, str]:
    if query:
        return RANKING, f"{visible(query)} groups the rows, and there is one score in each"
    if label.is_yes_or_no and prediction.is_probability:
        return BINARY, "the label is 0 or 1, and the prediction is between 0 and 1"
    if label.is_yes_or_no:
        ends = f"{prediction.low:g} to {prediction.high:g}"
        return SCORES, f"the label is 0 or 1, and the prediction is from {ends}"
    if _are_classes(label) and _are_classes(prediction):
        return CLASS_NUMBERS, f"both are whole numbers, and the label has {label.distinct} values"
    return REGRESSION, "label and prediction are numbers"


def _are_classes(of: ColumnFacts) -> bool:
    return of.whole and of.distinct <= MOST_CLASSES and (of.low or 0) >= 0


def _task_of_label(label: ColumnFacts) -> tuple[str, str]:
    if label.is_yes_or_no:
        return BINARY, "the label is 0 or 1"
    if label.kind == TEXT and label.distinct > MOST_CLASSES:
        return TEXTS, f"the label is text of {label.distinct:,} values"
    if label.kind == TEXT or (label.kind == NUMBER and _are_classes(label) and label.distinct > 1):
        return CLASSES, f"the label has {label.distinct:,} values"
    if label.kind == LIST:
        return LABEL_SETS, "the label has several numbers in a row"
    if label.kind == TEXT_LIST:
        return REFERENCES, "the label is texts"
    if label.kind == OTHER:
        raise ConfigError(
            f"The label {visible(label.name)} is {_kind(label)}. Name another one with --label, or write the "
            "config by hand: docs/data.md says which metrics take such labels."
        )
    return REGRESSION, "the label is a number"


def _task_of_lists(label: ColumnFacts, prediction: ColumnFacts) -> tuple[str, str]:
    if prediction.kind != LIST or label.kind not in (LIST, NUMBER):
        raise ConfigError(_not_together(label, prediction))
    several = f"the prediction has {prediction.distinct:,} numbers in a row"
    if label.kind == NUMBER:
        return CLASSES, f"{several}, and the label is the number of one"
    if label.whole and label.total == 1:
        return CLASSES, f"{several}, and the label is 1 for one of them"
    return LABEL_SETS, f"{several}, and so has the label"


def _not_together(label: ColumnFacts, prediction: ColumnFacts) -> str:
    name, other = visible(label.name), visible(prediction.name)
    return (
        f"The label {name} is {_kind(label)}, and the prediction {other} is {_kind(prediction)}. "
        "Metrics compare numbers with numbers, texts with texts, and lists of scores with the number of a "
        "class, from 0. Say which columns are meant with --label and --prediction, or add one to the data."
    )


def _kind(of: ColumnFacts) -> str:
    kinds = {
        NUMBER: "a number",
        TEXT: "text",
        LIST: "a list of numbers",
        TEXT_LIST: "a list of texts",
    }
    return kinds.get(of.kind, "no number, no text and no list of these")
