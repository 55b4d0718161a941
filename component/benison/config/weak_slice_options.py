# SPDX-License-Identifier: Apache-2.0
"""How slices are looked for in which the model is weak, or in which it became worse."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from benison.config.faults import ConfigPart, Fault, described
from benison.config.fields import Finite, Positive
from benison.config.slicing_specs import BinsOfFeatures
from benison.errors import suggestion

ERROR, CHANGE = "error", "change"
WARN, FAIL, OFF = "warn", "fail", "off"
AUTO, DECISION, SQUARED_ERROR, LOG_LOSS = "auto", "decision", "squared_error", "log_loss"
_ALL = "all"
_MOST_FEATURES = 3


def _features(value: Any) -> Any:
    """The word `all` is no list."""
    if isinstance(value, str) and value != _ALL:
        raise ValueError(f"expected all, or a list of columns, got {described(value)}.")
    return () if value == _ALL else value


def _word_of(*words: str) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        word = OFF if value is False and OFF in words else value  # YAML 1.1 reads off as false
        if word not in words:
            hint = suggestion(value if isinstance(value, str) else "", words)
            raise ValueError(f"expected one of {', '.join(words)}, got {described(value)}. {hint}")
        return word

    return check


Features: TypeAlias = Annotated[
    tuple[str, ...],
    BeforeValidator(_features),
    AfterValidator(lambda names: tuple(sorted(set(names)))),
    WithJsonSchema({"anyOf": [{"const": _ALL}, {"type": "array", "items": {"type": "string"}}]}),
]
Loss: TypeAlias = Annotated[
    str,
    BeforeValidator(_word_of(ERROR, CHANGE)),
    WithJsonSchema({"type": "string", "enum": [ERROR, CHANGE]}),
]
Gate: TypeAlias = Annotated[
    str,
    BeforeValidator(_word_of(WARN, FAIL, OFF)),
    WithJsonSchema({"type": "string", "enum": [WARN, FAIL, OFF]}),
]
Measure: TypeAlias = Annotated[
    str,
    BeforeValidator(_word_of(AUTO, DECISION, SQUARED_ERROR, LOG_LOSS)),
    WithJsonSchema({"type": "string", "enum": [AUTO, DECISION, SQUARED_ERROR, LOG_LOSS]}),
]


class WeakSliceOptions(ConfigPart):
    """The search for slices whose examples have larger losses than others, by what the examples are."""

    features: Features = ()
    """The columns that slices are made of: a list, or all, which are those that are no label, prediction,
    weight or key."""
    bins: BinsOfFeatures = Field(default_factory=dict)
    """The bins of numbers among them; others with many values get ten quantiles, whose edges the config of a
    result has here."""
    depth: Positive = _MOST_FEATURES
    """The most features that a slice has, up to 3."""
    loss: Loss = ERROR
    """What slices are looked for by: error finds where the candidate is weak, change where it is worse than
    the baseline."""
    measure: Measure = AUTO
    """What an error is: decision counts wrong ones, squared_error, or log_loss; auto takes decisions where
    labels are classes, and squared errors where they are other numbers."""
    top: Positive = 15
    """The most slices that are reported."""
    min_examples: Positive = 50
    """Slices of fewer examples are not looked at."""
    min_effect: Annotated[Finite, Field(ge=0)] = 0.01
    """The least effect that is reported: of decisions as a share of the examples, of other losses as a share
    of the mean loss of all examples."""
    gate: Gate = WARN
    """What comes of a slice that became worse: warn says it, fail does not bless the model, off lists it."""

    def _faults(self) -> Iterable[Fault]:
        for name in sorted(self.bins.keys() - {*self.features}) if self.features else ():
            yield Fault(("bins", name), "is none of the features; name it there, or leave it out.")
        for name, bins in self.bins.items():
            if bins.every is not None:
                yield Fault(("bins", name, "every"), "periods are not searched; leave it out.")
        if self.depth > _MOST_FEATURES:
            yield Fault(("depth",), f"expected a number from 1 to 3, got {self.depth}.")
        if self.gate == FAIL and self.loss == ERROR:
            yield Fault(
                ("gate",),
                "every model has slices in which it is weaker than in others; fail needs loss: change, which "
                "looks for those that became worse.",
            )
