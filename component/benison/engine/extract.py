# SPDX-License-Identifier: Apache-2.0
"""The extractors, which add labels, predictions, weights and slices to a batch.

An extractor is a small object with a `stage_name` and `extract(extracts) -> extracts`; one that must
load something first has `setup()`, which runs once per process. Extractors keep nothing between
batches.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import pyarrow as pa

from benison import models
from benison.config import EvalConfig, ModelSpec, SlicingSpec
from benison.data.batch import Extracts, Parts, Target
from benison.engine.class_numbers import ClassNumbers
from benison.engine.column_extractors import (
    ColumnExtractor,
    GivenPredictionsExtractor,
    WeightsExtractor,
)
from benison.engine.named_columns import prediction_columns
from benison.engine.plan import Plan
from benison.engine.prediction_outputs import (
    AskedOutputs,
    in_class_order,
    named_classes,
    parts_of,
    prediction_outputs,
    scores_of,
)
from benison.engine.read_columns import as_column
from benison.engine.stages import Extractor, FeatureConsumer
from benison.engine.variants import Variant
from benison.errors import ModelError
from benison.paths import whole
from benison.slicing.encode import ColumnCodes, SpecCodes
from benison.slicing.spec_columns import columns_of

if TYPE_CHECKING:
    from benison.models.preprocessing import Function
    from benison.models.text_functions import ColumnFunction


class PredictionsExtractor:
    """Calls each model once per batch; the models are loaded once per process."""

    stage_name = "ExtractPredictions"

    def __init__(
        self,
        specs: Sequence[ModelSpec],
        paths: Mapping[str, str],
        trust_pickle: bool,
        variants: Sequence[Variant] = (),
        trust_ops: bool = False,
        asked: Mapping[str, AskedOutputs] = MappingProxyType({}),
    ) -> None:
        self.specs = tuple(specs)
        self.asked = dict(asked)
        self.paths = dict(paths)
        self.trust_pickle = trust_pickle
        self.variants = tuple(variants)
        self.trust_ops = trust_ops
        self.expected: dict[str, Mapping[str, str]] = {}
        """The digests of files by model or path of a graph; what has others is not loaded."""
        self._predictors: dict[str, models.Predictor] = {}
        self.numbers = ClassNumbers()

    def __reduce__(self) -> tuple[Any, ...]:
        # A loaded model does not travel; another process, in another folder, loads it again.
        more = (self.trust_pickle, self.variants, self.trust_ops, self.asked)
        return type(self), (self.specs, whole(self.paths), *more), {"expected": self.expected}

    def setup(self) -> None:
        """Load the models; raises ModelError for one that cannot be loaded."""
        for spec in self.specs:
            if spec.name not in self._predictors:
                self._predictors[spec.name] = models.load(
                    self.paths[spec.name],
                    signature_name=spec.signature_name,
                    trust_pickle=self.trust_pickle,
                    model_type=spec.model_type,
                    rows=spec.inference_batch_size,
                    trust_ops=self.trust_ops,
                    names=spec.feature_keys,
                    expected=self.expected.get(spec.name),
                )

    @property
    def predictors(self) -> dict[str, models.Predictor]:
        """The loaded models by name."""
        self.setup()
        return self._predictors

    @property
    def called(self) -> list[FeatureConsumer]:
        """What reads columns of the data: the models."""
        return list(self.predictors.values())

    def extract(self, extracts: Extracts) -> Extracts:
        features = extracts["features"]
        parts = dict(extracts.get("parts", {}))
        predictions = self._predictions(features, extracts.get("input"), "", parts)
        extracted: Extracts = {
            **extracts,
            "predictions": extracts.get("predictions", {}) | predictions,
        }
        extracted = self.numbers.numbered(extracted)
        if self.variants:
            # Serialized examples hold the features as they were: changed ones are encoded again.
            changed = {
                v.name: self._predictions(v.change(features), None, v.name, parts)
                for v in self.variants
            }
            extracted["variants"] = extracts.get("variants", {}) | changed
        return {**extracted, "parts": parts} if parts else extracted

    def _predictions(
        self, features: pa.RecordBatch, examples: pa.Array | None, variant: str, parts: Parts
    ) -> dict[Target, Any]:
        """The predictions of all models; outputs that are asked for by name go to `parts`."""
        predictions: dict[Target, Any] = {}
        for spec in self.specs:
            outputs = self.predictors[spec.name].predict(features, examples)
            if (asked := self._asked(spec)).names:
                parts["outputs", spec.name, "", variant] = parts_of(spec, outputs, asked)
            predictions |= self._of_outputs(spec, outputs, features.num_rows)
        return predictions

    def _asked(self, spec: ModelSpec) -> AskedOutputs:
        return self.asked.get(spec.name, AskedOutputs())

    def predict(
        self, model: str, features: pa.RecordBatch, examples: pa.Array | None
    ) -> dict[Target, Any]:
        """The predictions of one model; raises ModelError or DataError where it cannot be called."""
        (spec,) = (spec for spec in self.specs if spec.name == model)
        outputs = self.predictors[model].predict(features, examples)
        if predictions := self._of_outputs(spec, outputs, features.num_rows):
            return predictions
        raise ModelError(
            f"The outputs {', '.join(sorted(outputs))} are asked for by name, and none is the prediction, "
            "which probes look at. Say which one is, with prediction_key in model_specs."
        )

    def _of_outputs(
        self, spec: ModelSpec, outputs: Mapping[str, Any], rows: int
    ) -> dict[Target, Any]:
        predictions: dict[Target, Any] = {}
        known = getattr(self.predictors[spec.name], "classes", {})
        asked, named = self._asked(spec), named_classes(outputs)
        for target, name in prediction_outputs(spec, outputs, asked):
            scores, numbers = (
                in_class_order(outputs, name) if asked.is_scored else (outputs[name], ())
            )
            predictions[target] = scores_of(scores, name, rows)
            own = known.get(name)
            self.numbers.learn(target, own or (named if numbers == () else numbers))
        return predictions


class TransformedFeaturesExtractor:
    """Calls the preprocessing functions of each model; labels, weights and slices read what they make."""

    stage_name = "ExtractTransformedFeatures"

    def __init__(self, specs: Sequence[ModelSpec], predictions: PredictionsExtractor) -> None:
        self.specs = tuple(specs)
        self.predictions = predictions
        self._functions: dict[str, list[Function | ColumnFunction]] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return TransformedFeaturesExtractor, (self.specs, self.predictions)

    def setup(self) -> None:
        """Find the functions; raises ModelError for one that is not there."""
        if self._functions is None:
            loaded = self.predictions.predictors
            self._functions = {
                spec.name: models.functions_of(
                    loaded.get(spec.name),
                    spec.preprocessing_function_names,
                    self.predictions.trust_ops,
                    expected=self.predictions.expected,
                )
                for spec in self.specs
            }

    @property
    def functions(self) -> dict[str, list[Function | ColumnFunction]]:
        """The functions by model."""
        self.setup()
        return self._functions or {}

    @property
    def called(self) -> list[FeatureConsumer]:
        """What reads columns of the data: the functions."""
        return [function for functions in self.functions.values() for function in functions]

    def extract(self, extracts: Extracts) -> Extracts:
        transformed = dict(extracts.get("transformed_features", {}))
        for model, functions in self.functions.items():
            columns: dict[str, pa.Array] = {}
            for function in functions:
                columns |= function.transform(extracts["features"], extracts.get("input"))
            if columns:
                transformed[model] = pa.RecordBatch.from_pydict(columns)
        return {**extracts, "transformed_features": transformed} if transformed else extracts


@dataclasses.dataclass(frozen=True)
class SliceKeyExtractor:
    """Gives each row its code in each slicing spec."""

    concurrent: ClassVar[bool] = True
    specs: tuple[SlicingSpec, ...]
    stage_name: str = "ExtractSliceKeys"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it reads."""
        return tuple(sorted(columns_of(self.specs)))

    def extract(self, extracts: Extracts) -> Extracts:
        columns = ColumnCodes(self._columns(extracts), self._texts(extracts))
        codes = tuple(SpecCodes.of(spec, columns) for spec in self.specs)
        return {**extracts, "slice_codes": codes}

    def _texts(self, extracts: Extracts) -> dict[str, pa.Array]:
        """Columns as they are written; not those of which a function made another."""
        made = extracts.get("transformed_features", {}).values()
        replaced = {name for batch in made for name in batch.schema.names}
        texts = extracts.get("slice_texts", {})
        return {name: text for name, text in texts.items() if name not in replaced}

    def _columns(self, extracts: Extracts) -> pa.RecordBatch:
        """The data, under the transformed features of the first model that has some of a name.

        A row is in the same slices for every model, or they could not be compared.
        """
        made = extracts.get("transformed_features")
        batch = extracts["features"]
        if not made:
            return batch
        columns = dict(zip(batch.schema.names, batch.columns, strict=True))
        for transformed in reversed(made.values()):
            columns |= zip(transformed.schema.names, transformed.columns, strict=True)
        return pa.RecordBatch.from_pydict(columns)


def default_extractors(
    config: EvalConfig,
    models_by_name: Mapping[str, str] | None = None,
    trust_pickle: bool = False,
    trust_ops: bool = False,
) -> list[Extractor]:
    """Transformed features, labels, example weights, predictions and slice codes, in that order.

    Args:
        config: With its defaults filled in.
        models_by_name: The path of each model to call; a model spec without one takes its
            predictions from the data, from the column that its prediction_key names.
        trust_pickle: Allow models that are pickles, whose loading runs code.
        trust_ops: Allow graphs of TensorFlow that read or write files, or run Python.
    """
    # What is wrong with metrics is said by `evaluate`, which may have imported some of them by then.
    plan, _ = Plan.resolved(config)
    return extractors_of(plan, models_by_name or {}, trust_pickle, trust_ops)


def extractors_of(
    plan: Plan, models_by_name: Mapping[str, str], trust_pickle: bool, trust_ops: bool
) -> list[Extractor]:
    """As `default_extractors`, of a plan that was made already."""
    paths = dict(models_by_name)
    specs = [_by_output(spec, plan.outputs[spec.name]) for spec in plan.config.model_specs]
    called = [spec for spec in specs if spec.name in paths]
    given = [spec for spec in specs if spec.name not in paths]
    variants = [Variant.of(spec) for spec in plan.config.variants]
    asked = {spec.name: _asked_of(plan, spec.name) for spec in called}
    predictions = PredictionsExtractor(called, paths, trust_pickle, variants, trust_ops, asked)
    stages: list[Extractor] = []
    if called or any(spec.preprocessing_function_names for spec in specs):
        stages.append(TransformedFeaturesExtractor(specs, predictions))
    stages.append(ColumnExtractor("ExtractLabels", "labels", _columns(specs, "label"), as_column))
    if weights := _columns(specs, "example_weight"):
        stages.append(WeightsExtractor(weights))
    if called:
        stages.append(predictions)
    if given:
        scored = frozenset(spec.name for spec in given if _asked_of(plan, spec.name).is_scored)
        stages.append(GivenPredictionsExtractor(_columns(given, "prediction"), scored))
    return [*stages, SliceKeyExtractor(plan.slicing_specs)]


def _asked_of(plan: Plan, model: str) -> AskedOutputs:
    names = frozenset(prediction_columns(plan, model))
    is_scored = any(v.scored and model in (v.model, v.baseline) for v in plan.views())
    is_scored |= plan.config.weak_slices is not None  # whose losses are of predictions
    return AskedOutputs(names, is_scored, names & plan.optional_columns)


def _by_output(spec: ModelSpec, outputs: tuple[str, ...]) -> ModelSpec:
    """The spec with its keys by output, if it has outputs; one key that is for all is for each."""
    if outputs == ("",):
        return spec
    keys: dict[str, dict[str, str | None]] = {
        "label": {output: spec.label_key_for(output) for output in outputs},
        "prediction": {output: spec.prediction_key_for(output) or output for output in outputs},
        "example_weight": {output: spec.example_weight_key_for(output) for output in outputs},
    }
    update: dict[str, Any] = {f"{role}_key": "" for role in keys}
    for role, by_output in keys.items():
        update[f"{role}_keys"] = {output: key for output, key in by_output.items() if key}
    return spec.model_copy(update=update)


def _columns(specs: Iterable[ModelSpec], role: str) -> tuple[tuple[Target, str], ...]:
    keys = ((spec.name, spec.columns_of(role)) for spec in specs)
    return tuple(
        ((name, output), key) for name, by_output in keys for output, key in by_output.items()
    )
