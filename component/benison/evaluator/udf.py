# SPDX-License-Identifier: Apache-2.0
"""Loads the user's module of an Evaluator, which may define extractors and a model loader."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benison.config import EvalConfig
from benison.engine.extract import (
    PredictionsExtractor,
    TransformedFeaturesExtractor,
    default_extractors,
)
from benison.engine.stages import Extractor
from benison.errors import ConfigError, ModelError

# TFMA's default stages, which Benison's own replace.
_TFMA_STAGES = {
    "ExtractBatchedInputs",
    "ExtractFeatures",
    "ExtractTransformedFeatures",
    "ExtractLabels",
    "ExtractExampleWeights",
    "ExtractPredictions",
    "ExtractMaterializedPredictions",
    "ExtractUnbatchedInputs",
    "ExtractSliceKeys",
}

_PREDICTOR = ("columns", "takes_examples", "predict")


@contextmanager
def modules(properties: dict[str, Any]) -> Iterator[list[str]]:
    """Make a module that TFX has packaged importable; yields the options by which Beam's workers get it."""
    if not properties.get("module_path"):
        yield []
        return
    from tfx.components.util import udf_utils
    from tfx.utils import io_utils

    path, packages = udf_utils.decode_user_module_key(properties["module_path"])
    local = [io_utils.ensure_local(package) for package in packages]
    properties["module_path"] = path
    with udf_utils.TempPipInstallContext(local):
        yield [f"--extra_package={package}" for package in local]


def folder(properties: dict[str, Any]) -> str | None:
    """Where the modules of metrics lie that a config names: beside the user's own module."""
    beside = os.path.dirname(str(properties.get("module_file") or ""))
    return beside if os.path.isdir(beside) else None


def extractors(
    properties: dict[str, Any], config: EvalConfig, paths: dict[str, str]
) -> list[Extractor] | None:
    """The extractors of the user's module, or None without a module.

    Raises:
        ConfigError: Its `custom_extractors` returns something other than Benison's extractors.
        ModelError: Its `custom_eval_shared_model` returns something other than a predictor.
    """
    if not properties.get("module_path") and not properties.get("module_file"):
        return None
    from tfx.components.util import udf_utils

    load = udf_utils.try_get_fn(properties, "custom_eval_shared_model")
    predictors = (
        {name: _predictor(load, name, path, config) for name, path in paths.items()} if load else {}
    )
    custom = udf_utils.try_get_fn(properties, "custom_extractors")
    returned: Any = None
    if custom is not None:
        loaded: Any = list(predictors.values())
        returned = custom(
            eval_shared_model=loaded[0] if len(loaded) == 1 else loaded or None,
            eval_config=_as_tfma(config),
            tensor_adapter_config=None,
        )
    stages = default_extractors(config, paths) if _are_of_tfma(returned) else returned
    return [_with_predictors(stage, predictors) for stage in stages]


def _as_tfma(config: EvalConfig) -> Any:
    """The config as TFX passes it to these functions; TFMA is installed with TFX."""
    from google.protobuf import json_format
    from tensorflow_model_analysis.proto import config_pb2

    fields = config.to_dict()
    for spec in fields.get("metrics_specs", ()):
        for metric in spec.get("metrics", ()):
            metric["config"] = json.dumps(metric.get("config", {}))
    return json_format.ParseDict(fields, config_pb2.EvalConfig(), ignore_unknown_fields=True)


def _predictor(load: Any, name: str, path: str, config: EvalConfig) -> Any:
    """What the user's loader returns for a model: a predictor, or TFMA's EvalSharedModel with its path."""
    returned = load(
        eval_saved_model_path=path,
        model_name=name,
        eval_config=_as_tfma(config),
        add_metrics_callbacks=None,
    )
    location = getattr(returned, "model_path", path)
    if location != path:
        raise ModelError(
            f"custom_eval_shared_model returned a description of {location}; the model to be blessed is "
            f"{path}. Return a predictor to load it in another way."
        )
    if hasattr(returned, "model_path") or all(hasattr(returned, name) for name in _PREDICTOR):
        return returned
    raise ModelError(
        f"custom_eval_shared_model returned a {type(returned).__name__}; a predictor has `columns`, "
        "`takes_examples` and `predict(features, serialized)`."
    )


def _are_of_tfma(returned: Any) -> bool:
    """Whether Benison's defaults apply: the function returned nothing, or TFMA's default extractors.

    Raises:
        ConfigError: It returned no list, or a list with a stage that is neither TFMA's default nor Benison's.
    """
    if not returned:
        return True
    if not isinstance(returned, list | tuple):
        raise ConfigError(
            f"custom_extractors returned {returned!r}; expected a list of extractors, such as "
            "benison.default_extractors(...) with your own among them."
        )
    foreign = [stage for stage in returned if not hasattr(stage, "extract")]
    for stage in foreign:
        name = getattr(stage, "stage_name", type(stage).__name__)
        if name not in _TFMA_STAGES:
            raise ConfigError(
                f"custom_extractors returned {name!r}, a Beam transform of TFMA's. Write it as an object "
                "with `stage_name` and `extract(extracts)`, which takes a batch of columns."
            )
    return bool(foreign)


def _with_predictors(stage: Extractor, predictors: dict[str, Any]) -> Extractor:
    """The stage, with the predictors that the user's loader returned."""
    loaded = {
        name: predictor for name, predictor in predictors.items() if hasattr(predictor, "predict")
    }
    if loaded and type(stage) is TransformedFeaturesExtractor:
        return TransformedFeaturesExtractor(stage.specs, _Loaded(stage.predictions, loaded))
    if loaded and type(stage) is PredictionsExtractor:  # not a subclass of the user's
        return _Loaded(stage, loaded)
    return stage


class _Loaded(PredictionsExtractor):
    """Calls predictors that the user's loader returned."""

    def __init__(self, stage: PredictionsExtractor, loaded: dict[str, Any]) -> None:
        super().__init__(
            stage.specs, stage.paths, stage.trust_pickle, stage.variants, stage.trust_ops
        )
        self._predictors.update(loaded)

    def __reduce__(self) -> tuple[Any, ...]:
        given = (self.specs, self.paths, self.trust_pickle, self.variants, self.trust_ops)
        return _Loaded, (PredictionsExtractor(*given), self._predictors)
