# SPDX-License-Identifier: Apache-2.0
"""The models, metrics and options of a config, as TFMA names them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from benison.config.confidence import OFF, ConfidenceOptions, OrOff
from benison.config.debugging_options import DebuggingOptions
from benison.config.faults import ConfigPart, Fault
from benison.config.fields import (
    POINT,
    WORSE,
    ColumnType,
    ConfidenceIntervalMethod,
    Delimiter,
    Finite,
    Flag,
    Keys,
    Method,
    Natural,
    Naturals,
    Number,
    Parameters,
    Positives,
    Texts,
    Value,
    Whole,
    exclusive,
    or_text,
)
from benison.config.plain import Loc
from benison.config.slicing_specs import CrossSlicingSpec, SlicingSpec
from benison.config.thresholds import (
    CrossSliceMetricThreshold,
    CrossSliceMetricThresholds,
    MetricThreshold,
    PerSliceMetricThreshold,
    PerSliceMetricThresholds,
)
from benison.config.weak_slice_options import FAIL, WeakSliceOptions

_LEVEL_OF_TFMA = 0.95


class PaddingOptions(ConfigPart):
    """Padding of labels and predictions to the same length."""

    label_int_padding: Whole | None = None
    """What pads labels that are whole numbers."""
    label_float_padding: Number | None = None
    """What pads labels that are fractions."""
    prediction_int_padding: Whole | None = None
    """What pads predictions that are whole numbers."""
    prediction_float_padding: Number | None = None
    """What pads predictions that are fractions."""

    def _faults(self) -> Iterable[Fault]:
        yield from exclusive(self, "label_int_padding", "label_float_padding")
        yield from exclusive(self, "prediction_int_padding", "prediction_float_padding")


class ModelSpec(ConfigPart):
    """A model: its name, how it is called, and where its labels, predictions and weights are."""

    name: str = ""
    """The name of the model in this config; needed when there are several."""
    model_type: str = ""
    """What kind of model it is, such as tf_keras, tf_generic or onnx; found out when not given."""
    signature_name: str = ""
    """The signature to call."""
    preprocessing_function_names: tuple[str, ...] = ()
    """Signatures that are called before the model, in order; they make transformed features."""
    label_key: str = ""
    """The column of the labels."""
    label_keys: Keys = Field(default_factory=dict)
    """The column of the labels of each output."""
    prediction_key: str = ""
    """The key in the model's output, or without a model the column of the predictions."""
    prediction_keys: Keys = Field(default_factory=dict)
    """The same for each output."""
    example_weight_key: str = ""
    """The column of the example weights: one a row, or one for each class of a row."""
    example_weight_keys: Keys = Field(default_factory=dict)
    """The column of the example weights of each output."""
    is_baseline: Flag = False
    """Whether this is the model to compare with; at most one is."""
    padding_options: PaddingOptions | None = None
    """Padding of labels and predictions to the same length."""
    feature_keys: Texts = ()
    """The features in the order in which the model takes them, where it takes them side by side and the model
    does not say which they are."""
    inference_batch_size: Natural = 0
    """Rows in a call of the model; 0 leaves the choice to Benison."""

    def _faults(self) -> Iterable[Fault]:
        for role in ("label", "prediction", "example_weight"):
            yield from exclusive(self, f"{role}_key", f"{role}_keys")

    @property
    def outputs(self) -> tuple[str, ...]:
        """The outputs that the config names, sorted; none when it names no output."""
        return tuple(sorted({*self.label_keys, *self.prediction_keys, *self.example_weight_keys}))

    def columns_of(self, role: str) -> dict[str, str]:
        """Columns by output: `<role>_keys`, or `<role>_key` as that of the output ""."""
        column: str = getattr(self, f"{role}_key")
        return dict(getattr(self, f"{role}_keys")) or ({"": column} if column else {})

    def columns(self, with_predictions: bool) -> set[str]:
        """The columns of the data that hold labels, weights and, where asked, predictions."""
        roles = ["label", "example_weight", *(["prediction"] if with_predictions else [])]
        return {column for role in roles for column in self.columns_of(role).values()}

    def label_key_for(self, output: str) -> str | None:
        """The label column of an output, None when the config names none.

        >>> ModelSpec(label_keys={"ctr": "clicked"}).label_key_for("ctr")
        'clicked'
        """
        return self.label_keys.get(output, self.label_key) or None

    def prediction_key_for(self, output: str) -> str | None:
        """The prediction key of an output, None when the config names none."""
        return self.prediction_keys.get(output, self.prediction_key) or None

    def example_weight_key_for(self, output: str) -> str | None:
        """The weight column of an output, None when the config names none."""
        return self.example_weight_keys.get(output, self.example_weight_key) or None


class MetricConfig(ConfigPart):
    """A metric: its class, its parameters and its thresholds."""

    class_name: Annotated[str, Field(min_length=1)]
    """The name of the metric's class, such as AUC."""
    module: str = ""
    """The Python module of a class that is not one of Benison's."""
    config: Parameters = Field(default_factory=dict)
    """The parameters; JSON text, with or without the outer braces, is read as a mapping."""
    threshold: MetricThreshold | None = None
    """What must hold in every slice."""
    per_slice_thresholds: tuple[PerSliceMetricThreshold, ...] = ()
    """What must hold in some slices."""
    cross_slice_thresholds: tuple[CrossSliceMetricThreshold, ...] = ()
    """What must hold between slices."""


def _as_metric(value: Any) -> Any:
    return {"class_name": value} if isinstance(value, str) else value


class AggregationOptions(ConfigPart):
    """Aggregation over classes; exactly one of the three averages."""

    micro_average: Flag = False
    """Every pair of class and row counts as a row."""
    macro_average: Flag = False
    """The mean over the classes."""
    weighted_macro_average: Flag = False
    """The mean over the classes, weighted by their share of positive labels."""
    class_weights: Mapping[Whole, Finite] = Field(default_factory=dict)
    """The weight of each class; a class that is not there weighs 0."""
    top_k_list: Positives = ()
    """Only the k classes with the highest predictions take part."""

    def _faults(self) -> Iterable[Fault]:
        averages = ("micro_average", "macro_average", "weighted_macro_average")
        yield from exclusive(self, *averages)
        if not any(getattr(self, field) for field in averages):
            yield Fault((), f"names no average; set one of {', '.join(averages)}.")
        yield from exclusive(self, "class_weights", "top_k_list")
        for class_id, weight in self.class_weights.items():
            if weight < 0:
                text = f"is {weight:g}, and a mean with weights below 0 is in no range; give 0 or more."
                yield Fault(("class_weights", class_id), text)
        if self.class_weights and not any(self.class_weights.values()):
            yield Fault(("class_weights",), "are all 0, so that there is nothing to average over.")


class BinarizationOptions(ConfigPart):
    """One class against the rest: by its number, by its rank, or the first k together."""

    class_ids: Naturals = ()
    """Classes, counted from 0, each against the rest."""
    k_list: Positives = ()
    """The prediction with the k-th highest score, counted from 1, against its label."""
    top_k_list: Positives = ()
    """The k highest predictions count, the others are taken for negative."""


class ExampleWeightOptions(ConfigPart):
    """Whether metrics are computed with the example weights, without them, or both ways."""

    weighted: Flag = False
    """Compute them with the weights."""
    unweighted: Flag = False
    """Compute them without the weights."""

    def _faults(self) -> Iterable[Fault]:
        if not (self.weighted or self.unweighted):
            yield Fault((), "sets neither weighted nor unweighted, so nothing would be computed.")


class MetricsSpec(ConfigPart):
    """Metrics that share models, outputs, binarization, aggregation and weighting."""

    metrics: tuple[Annotated[MetricConfig, BeforeValidator(_as_metric), or_text], ...] = ()
    """The metrics; a text stands for the part with this class_name."""
    model_names: tuple[str, ...] = ()
    """The models; none means all."""
    output_names: tuple[str, ...] = ()
    """The outputs; none means all."""
    output_weights: Mapping[str, Finite] = Field(default_factory=dict)
    """The weight of each output in the mean over the outputs."""
    binarize: BinarizationOptions | None = None
    """Compute the metrics of single classes."""
    aggregate: AggregationOptions | None = None
    """Compute the metrics over all classes."""
    example_weights: ExampleWeightOptions | None = None
    """With or without weights; not given means with weights where there are some."""
    query_key: str = ""
    """The feature whose values group the rows into queries."""
    thresholds: Mapping[str, MetricThreshold] = Field(default_factory=dict)
    """What must hold in every slice, by the name of the metric."""
    per_slice_thresholds: Mapping[str, PerSliceMetricThresholds] = Field(default_factory=dict)
    """What must hold in some slices, by the name of the metric."""
    cross_slice_thresholds: Mapping[str, CrossSliceMetricThresholds] = Field(default_factory=dict)
    """What must hold between slices, by the name of the metric."""

    def located_thresholds(
        self, metrics: Iterable[int] | None = None
    ) -> Iterator[tuple[Loc, MetricThreshold]]:
        """Every threshold on every metric, in every kind of slice, and where each stands.

        Args:
            metrics: The places of the metrics whose own thresholds are wanted; all if not given.
        """
        for name, threshold in self.thresholds.items():
            yield ("thresholds", name), threshold
        for i in range(len(self.metrics)) if metrics is None else metrics:
            loc: Loc = ("metrics", i)
            metric = self.metrics[i]
            if metric.threshold:
                yield (*loc, "threshold"), metric.threshold
            yield from _narrow((*loc, "per_slice_thresholds"), metric.per_slice_thresholds)
            yield from _narrow((*loc, "cross_slice_thresholds"), metric.cross_slice_thresholds)
        for name, per_slice in self.per_slice_thresholds.items():
            yield from _narrow(("per_slice_thresholds", name, "thresholds"), per_slice.thresholds)
        for name, crossed in self.cross_slice_thresholds.items():
            yield from _narrow(("cross_slice_thresholds", name, "thresholds"), crossed.thresholds)

    def all_thresholds(self) -> Iterator[MetricThreshold]:
        """Every threshold on every metric, in every kind of slice."""
        return (threshold for _, threshold in self.located_thresholds())

    @property
    def needs_evidence(self) -> bool:
        """Whether any threshold asks for evidence."""
        return any(threshold.evidence != POINT for threshold in self.all_thresholds())

    @property
    def has_change_threshold(self) -> bool:
        """Whether any threshold compares with the baseline."""
        return any(threshold.change_threshold for threshold in self.all_thresholds())


def _narrow(
    loc: Loc, thresholds: Sequence[PerSliceMetricThreshold | CrossSliceMetricThreshold]
) -> Iterator[tuple[Loc, MetricThreshold]]:
    """The thresholds on some slices, and where each stands."""
    for i, narrow in enumerate(thresholds):
        yield (*loc, i, "threshold"), narrow.threshold


class VariantSpec(ConfigPart):
    """Other examples on which every model is called too: the data with some features changed.

    What is measured on them has its name in the column `variant` of the results. Metrics that compare with a
    baseline, such as flip rates, compare what a model says of them with what it says of the examples.
    """

    name: Annotated[str, Field(min_length=1)]
    """The name of the variant in results."""
    copy_from: Mapping[str, str] = Field(default_factory=dict)
    """Features, each with the column whose values it takes."""
    set_to: Mapping[str, Value] = Field(default_factory=dict)
    """Features, each with the value that it has in every row."""

    def _faults(self) -> Iterable[Fault]:
        if not (self.copy_from or self.set_to):
            yield Fault((), "changes no feature; name some in copy_from or set_to.")
        for feature in self.copy_from.keys() & self.set_to.keys():
            yield Fault(("set_to", feature), "is also in copy_from; leave it in one of the two.")


class ConfidenceIntervalOptions(ConfigPart):
    """How confidence intervals are computed."""

    method: Method = ConfidenceIntervalMethod.UNKNOWN_CONFIDENCE_INTERVAL_METHOD
    """JACKKNIFE, which is also what is taken when it is not given, or POISSON_BOOTSTRAP."""


class Options(ConfigPart):
    """What concerns the whole evaluation."""

    include_default_metrics: Flag = False
    """Whether the metrics and the loss that a Keras model was compiled with are computed too."""
    compute_confidence_intervals: Flag = False
    """Whether every metric gets a 95 % confidence interval."""
    confidence_intervals: ConfidenceIntervalOptions = ConfidenceIntervalOptions.model_construct()
    """How."""
    confidence: OrOff = None
    """How sure verdicts must be, and which intervals are there: level, correction, ...; off computes none."""
    min_slice_size: Natural = 1
    """Slices with fewer rows are left out of every output."""
    disabled_outputs: Texts = ()
    """Outputs of which nothing is written: metrics, plots, analysis, or TFMA's eval_config.json. Verdict and
    checks always are."""
    memory_limit: Natural = 0
    """The bytes that what metrics add up may take on a machine; 0 is 80 % of its memory. Where it needs more
    the evaluation ends with an error, and never with other numbers."""
    column_types: Mapping[str, ColumnType] = Field(default_factory=dict)
    """The types of columns, which are not inferred then: bool, int64, float64 or string."""
    row_key: Texts = ()
    """The columns that tell rows apart. Blocks, halves and samples of rows then depend on these alone, and
    not on files and on the order of rows in them."""
    null_values: Texts = ()
    """Words that are missing values in every column of a CSV file, as NA is in those of numbers."""
    delimiter: Delimiter = ""
    """The sign between the cells of a CSV file; without it a tab in .tsv, else a comma."""
    analysis_columns: Texts = ()
    """Columns of the data in analysis/*.parquet, with label, prediction and slices; without any, no rows."""
    profile_columns: Texts = ()
    """Columns of which profile.parquet has how often each value is there, as of labels and predictions: what
    `benison drift` takes in place of the data."""
    examples_per_slice: Annotated[Natural, Field(le=1_000)] = 0
    """How many rows of each slice that failed are kept in analysis/ and shown in the report, those with the
    largest error, or where a change from the baseline failed those whose error grew most, with all columns of
    the data. They are read in a second pass; 0 keeps none."""

    @property
    def certainty(self) -> ConfidenceOptions:
        """The options of `confidence`, by default where it gives none."""
        given = self.confidence
        return given if isinstance(given, ConfidenceOptions) else ConfidenceOptions()

    @property
    def interval_level(self) -> float:
        """The confidence of the intervals of values; those by TFMA's methods have TFMA's, 95 %."""
        return _LEVEL_OF_TFMA if self.compute_confidence_intervals else self.certainty.level


def _given(value: Any) -> Any:
    """A key with nothing behind it, in YAML, asks for the defaults and would give none."""
    if value is None:
        raise ValueError("has nothing behind it; write {} for the defaults, or leave it out.")
    return value


class EvalSpecs(ConfigPart):
    """The parts of a whole config."""

    model_specs: tuple[ModelSpec, ...] = ()
    """The models; none means one without a name."""
    slicing_specs: tuple[SlicingSpec, ...] = ()
    """The slices; none means Overall, which otherwise must be listed, as {}."""
    cross_slicing_specs: tuple[CrossSlicingSpec, ...] = ()
    """Comparisons of slices with slices; the slices are computed whether listed above or not."""
    metrics_specs: tuple[MetricsSpec, ...] = ()
    """The metrics and their thresholds."""
    options: Options = Options.model_construct()
    """What concerns the whole evaluation."""
    variants: tuple[VariantSpec, ...] = ()
    """Changed examples on which the models are called too."""
    weak_slices: Annotated[WeakSliceOptions | None, BeforeValidator(_given)] = None
    """How slices are looked for that nobody named; without it none are."""
    debugging: Annotated[DebuggingOptions | None, BeforeValidator(_given)] = None
    """The probes that the models are put to; without it none."""

    @property
    def alpha(self) -> float:
        """The share of false alarms of all checks of metrics.

        A gate on weak slices has as much, and so have bounds of probes with `evidence: worse`.
        """
        gates = 1 + (self.weak_slices is not None and self.weak_slices.gate == FAIL)
        probes = () if self.debugging is None else self.debugging.probes
        gates += any(probe.evidence == WORSE for probe in probes)
        return self.options.certainty.alpha / gates

    @property
    def needs_evidence(self) -> bool:
        """Whether values must come with how far the true ones may be from them."""
        given = self.options.confidence
        asked = any(spec.needs_evidence for spec in self.metrics_specs)
        return given != OFF and (given is not None or asked)
