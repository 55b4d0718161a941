# SPDX-License-Identifier: Apache-2.0
"""Declares the TFX component: its inputs, outputs and parameters."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from benison.config import EvalConfig
from benison.errors import ConfigError, MissingExtraError
from benison.evaluation.resolve import Request, resolve
from benison.evaluation.spec import secrets_in
from benison.evaluator.fairness import as_asked, checked
from benison.evaluator.tfx_v1 import stand_in_for_gone_modules

try:
    stand_in_for_gone_modules()
    from tfx import types
    from tfx.dsl.components.base import base_beam_component, executor_spec
    from tfx.orchestration import data_types
    from tfx.types import component_spec, standard_artifacts, system_executions

    from benison.evaluator.driver import Driver
except ImportError as error:
    raise MissingExtraError("TFX", "tfx") from error

_NO_FEATURE_SLICING = (
    "feature_slicing_spec describes estimators' EvalSavedModels, which no TensorFlow loads any more. "
    "Say eval_config, with slicing_specs."
)
_SECRET = (
    "holds a password or a key, which the description of the pipeline would show. Leave it to the "
    "environment of the workers, or say environment_variable(NAME) of tfx.dsl.placeholder.placeholder."
)
_NO_CONFIG = (
    "The Evaluator needs eval_config: a tfma.EvalConfig, a mapping, or the path of a file, with model_specs "
    "(label_key), slicing_specs and metrics_specs."
)


class EvaluatorSpec(component_spec.ComponentSpec):  # type: ignore[misc]
    """The keys and types of TFX's own EvaluatorSpec; the config travels as JSON."""

    PARAMETERS = {
        "eval_config": component_spec.ExecutionParameter(type=str),
        "fairness_indicator_thresholds": component_spec.ExecutionParameter(type=str, optional=True),
        "example_splits": component_spec.ExecutionParameter(type=str, optional=True),
        "module_file": component_spec.ExecutionParameter(type=str, optional=True),
        "module_path": component_spec.ExecutionParameter(type=str, optional=True),
    }
    INPUTS = {
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "model": component_spec.ChannelParameter(type=standard_artifacts.Model, optional=True),
        "baseline_model": component_spec.ChannelParameter(
            type=standard_artifacts.Model, optional=True
        ),
        "schema": component_spec.ChannelParameter(type=standard_artifacts.Schema, optional=True),
    }
    OUTPUTS = {
        "evaluation": component_spec.ChannelParameter(type=standard_artifacts.ModelEvaluation),
        "blessing": component_spec.ChannelParameter(type=standard_artifacts.ModelBlessing),
    }
    TYPE_ANNOTATION = system_executions.Evaluate


class _ExecutorSpec(executor_spec.BeamExecutorSpec):  # type: ignore[misc]
    """Names the executor by its path, so that it is imported only where it runs."""

    def __init__(self) -> None:
        executor_spec.ExecutorSpec.__init__(self)
        self._class_path = "benison.evaluator.executor.Executor"
        self.extra_flags: list[str] = []
        self.beam_pipeline_args: list[Any] = []

    def encode(self, component_spec: Any = None) -> Any:
        """As TFX, for a description of a pipeline, which everybody may read.

        Raises:
            ConfigError: An argument of Beam's holds a password or a key.
        """
        literal = [each for each in self.beam_pipeline_args if isinstance(each, str)]
        if secrets_in({"engine_options": literal}):
            raise ConfigError([("beam_pipeline_args", _SECRET)])
        return super().encode(component_spec=component_spec)

    @property
    def executor_class(self) -> Any:
        from benison.evaluator.executor import Executor

        return Executor


class Evaluator(base_beam_component.BaseBeamComponent):  # type: ignore[misc]
    """Evaluates a model on every slice, and blesses it or says why not; a drop-in for TFX's Evaluator.

    Outputs:
        evaluation: A ModelEvaluation with metrics.parquet, report.html, verdict.json and TFMA's files.
        blessing: A ModelBlessing whose custom property `blessed` (1 or 0) is what TFX's Pusher and
            resolvers read; without thresholds it has none, and the model counts as not blessed.

    It runs in process; with beam_pipeline_args it runs on that Beam runner.
    """

    SPEC_CLASS = EvaluatorSpec
    EXECUTOR_SPEC = _ExecutorSpec()
    DRIVER_CLASS = Driver

    def __init__(  # noqa: PLR0913, PLR0917 - TFX's parameters, in TFX's order
        self,
        examples: types.BaseChannel,
        model: types.BaseChannel | None = None,
        baseline_model: types.BaseChannel | None = None,
        feature_slicing_spec: Any = None,
        fairness_indicator_thresholds: list[float] | data_types.RuntimeParameter | None = None,
        example_splits: list[str] | None = None,
        eval_config: Any = None,
        schema: types.BaseChannel | None = None,
        module_file: str | None = None,
        module_path: str | None = None,
    ) -> None:
        """Declare an Evaluator with the parameters of TFX's own.

        Args:
            examples: Examples, usually of an ExampleGen or Transform; several artifacts are joined.
            model: The candidate; without it the predictions are in the examples.
            baseline_model: The model to compare with. While a resolver finds none, thresholds on
                changes are not evaluated, and the verdict says so.
            feature_slicing_spec: Refused: it described models that no longer load.
            fairness_indicator_thresholds: Decision thresholds from 0 to 1, at each of which the rates of
                Fairness Indicators are computed on every slice.
            example_splits: The splits to evaluate; None or empty is `eval`.
            eval_config: A tfma.EvalConfig, a benison.EvalConfig, a mapping, or the path of a file.
            schema: Its domain of the label gives the ends of a calibration plot; types are read from the
                examples.
            module_file: A Python file that may define `custom_extractors(eval_shared_model, eval_config,
                tensor_adapter_config)`, which returns Benison's extractors, and
                `custom_eval_shared_model(eval_saved_model_path, model_name, eval_config, **kwargs)`,
                which returns a predictor. Modules of metrics that the config names, and those that
                pickled models import, may lie beside it.
            module_path: The same as the name of an importable module.

        Raises:
            ConfigError: The config or another parameter is wrong, or both module_file and module_path are
                given.
        """
        if module_file and module_path:
            raise ConfigError("Say module_file or module_path, not both.")
        if feature_slicing_spec is not None:
            raise ConfigError(_NO_FEATURE_SLICING)
        if eval_config is None:
            raise ConfigError(_NO_CONFIG)
        if isinstance(example_splits, str):
            raise ConfigError(f"example_splits is a list of names, not {example_splits!r}.")
        _check(eval_config, fairness_indicator_thresholds, model, baseline_model)
        spec = EvaluatorSpec(
            examples=examples,
            model=model,
            baseline_model=baseline_model,
            schema=schema,
            eval_config=_as_text(eval_config),
            fairness_indicator_thresholds=_as_parameter(fairness_indicator_thresholds),
            example_splits=json.dumps(example_splits),
            module_file=module_file,
            module_path=module_path,
            evaluation=types.Channel(type=standard_artifacts.ModelEvaluation),
            blessing=types.Channel(type=standard_artifacts.ModelBlessing),
        )
        super().__init__(spec=spec)
        if module_file:
            self._ship(module_file)

    def _ship(self, module_file: str) -> None:
        """Let TFX pack the module for workers elsewhere, where the runner asks for that."""
        from tfx.components.util import udf_utils

        if udf_utils.should_package_user_modules():
            udf_utils.add_user_module_dependency(self, "module_file", "module_path")


def _check(config: Any, thresholds: Any, model: Any, baseline: Any) -> None:
    """Find what is wrong with a config while the pipeline is written, and not after the training.

    Modules of metrics are imported where the pipeline runs, and not where it is written.
    """
    if isinstance(config, data_types.RuntimeParameter):
        return
    indicators = None if isinstance(thresholds, data_types.RuntimeParameter) else thresholds
    with suppress(ConfigError):  # which finds what is there to be found besides
        config = as_asked(EvalConfig.load(config), checked(indicators))
    has_baseline = None if model is None else baseline is not None
    resolve(Request(config, has_baseline, called=model is not None, imports=False))


def _as_text(config: Any) -> str | data_types.RuntimeParameter:
    """The config as JSON that TFMA reads too."""
    if isinstance(config, data_types.RuntimeParameter):
        return config
    fields = EvalConfig.load(config).to_dict()
    return json.dumps({name: value for name, value in fields.items() if name != "version"})


def _as_parameter(thresholds: Any) -> str | data_types.RuntimeParameter:
    if isinstance(thresholds, data_types.RuntimeParameter):
        return thresholds
    return json.dumps(checked(thresholds) or None)
