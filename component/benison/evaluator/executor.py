# SPDX-License-Identifier: Apache-2.0
"""Runs an evaluation on TFX's artifacts, and writes what TFX's Pusher and resolvers read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, TypeAlias

import benison
from benison.config import EvalConfig, yaml_text
from benison.errors import ConfigError, DataError, MissingExtraError, ModelError
from benison.evaluation.written_runs import contents_judged
from benison.evaluator import udf
from benison.evaluator.fairness import as_asked
from benison.evaluator.label_ends import with_label_ends
from benison.evaluator.tfx_v1 import stand_in_for_gone_modules
from benison.lineage import Revocation
from benison.output.directory import MARKERS
from benison.paths import Location, locate, write
from benison.results.result import EvalResult
from benison.validation.terms import UNDECIDED

try:
    stand_in_for_gone_modules()
    from tfx.components.util import examples_utils
    from tfx.dsl.components.base import base_beam_executor
    from tfx.proto import example_gen_pb2
    from tfx.types import artifact_utils
    from tfx.utils import io_utils, path_utils

    from benison.evaluator.driver import REVOCATIONS
except ImportError as error:
    raise MissingExtraError("TFX", "tfx") from error

Artifacts: TypeAlias = dict[str, list[Any]]

_FORMATS = {
    example_gen_pb2.FORMAT_TF_EXAMPLE: "tfrecord",
    example_gen_pb2.FORMAT_PARQUET: "parquet",
}
_BASELINE_ALONE = (
    "There is a baseline_model and no model, so that the predictions are in the examples, and the baseline's "
    "would be those of the candidate. Give the model; or name the baseline's column in a model_spec with "
    "is_baseline."
)


class Executor(base_beam_executor.BaseBeamExecutor):  # type: ignore[misc]
    """Runs `benison.evaluate` on artifacts, in process or on the Beam runner of the pipeline."""

    def Do(  # noqa: N802 - TFX's name
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        """Evaluate, and set on the outputs what TFX's Pusher and resolvers read.

        Raises:
            BenisonError: The evaluation cannot be made; TFX then fails the execution, and nothing is
                blessed.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        config = _config(input_dict, exec_properties)
        paths = _model_paths(config, input_dict)
        examples, format_ = _examples(input_dict["examples"], _splits(exec_properties))
        evaluation = artifact_utils.get_single_instance(output_dict["evaluation"])
        with udf.modules(exec_properties) as packages:
            options = [*self._beam_pipeline_args, *packages]
            result = benison.evaluate(
                examples,
                config,
                model=paths or None,
                output=evaluation.uri,
                format=format_,
                engine="beam" if self._beam_pipeline_args else "local",
                engine_options=options,
                extractors=udf.extractors(exec_properties, config, paths),
                module_path=udf.folder(exec_properties),
                tfma=True,
                revocations=_revocations(exec_properties),
            )
        blessing = artifact_utils.get_single_instance(output_dict["blessing"])
        _bless(blessing, result, input_dict)
        for output in (evaluation, blessing):
            _say(output, result)


def _revocations(properties: dict[str, Any]) -> list[Revocation]:
    """What the driver has found in the pipeline's store."""
    return [Revocation(**each) for each in json.loads(properties.get(REVOCATIONS) or "[]")]


def _config(inputs: Artifacts, properties: dict[str, Any]) -> EvalConfig:
    """The config for the models that are there; a baseline that no resolver has found yet is left out.

    Raises:
        ConfigError: The config is wrong, or the models are too many or a baseline alone.
    """
    given = EvalConfig.load(_parsed(properties["eval_config"]))
    thresholds = json.loads(properties.get("fairness_indicator_thresholds") or "null")
    for key in ("model", "baseline_model"):
        if len(inputs.get(key) or ()) > 1:
            raise ConfigError(f"There can be one artifact in {key}; there are {len(inputs[key])}.")
    has_baseline = bool(inputs.get("baseline_model"))
    if not inputs.get("model"):
        # The predictions are in the data, those of a baseline too; there only a spec of its own says which.
        if has_baseline and given.baseline_spec is None:
            raise ConfigError(_BASELINE_ALONE)
        has_baseline = given.baseline_spec is not None
    config = as_asked(given, thresholds).with_defaults(has_baseline)
    for schema in inputs.get("schema") or ():
        file = io_utils.get_only_uri_in_dir(schema.uri)
        config = with_label_ends(config, io_utils.SchemaReader().read(file))
    return config


def _parsed(text: str) -> Any:
    """The config, which a parameter that is only known at run time may have in any form."""
    try:
        return yaml_text.parse(text)
    except ConfigError as error:
        raise ConfigError(f"The parameter eval_config is neither JSON nor YAML: {error}") from error


def _model_paths(config: EvalConfig, inputs: Artifacts) -> dict[str, str]:
    """Where each model's files are, by the name of its spec; none when the predictions are in the data."""
    if not inputs.get("model"):
        return {}
    if len(config.candidate_specs) > 1:
        names = ", ".join(spec.name for spec in config.candidate_specs)
        raise ConfigError(f"The pipeline has one model, and the config has the candidates {names}.")
    keys = {True: "baseline_model", False: "model"}
    return {
        spec.name: _model_path(inputs[keys[spec.is_baseline]][0]) for spec in config.model_specs
    }


def _model_path(artifact: Any) -> str:
    """The serving model of an artifact, as TFX finds it, also where TensorFlow opens no such address.

    Raises:
        ModelError: An estimator has left something other than a model below its `export`.
    """
    is_old = path_utils.is_old_model_artifact(artifact)
    folder = path_utils.serving_model_dir(artifact.uri, is_old)
    exported = locate(folder, ModelError) / "export"  # by an estimator: export/NAME/VERSION
    return str(_only(_only(exported))) if exported.exists() else str(folder)


def _only(folder: Location) -> Location:
    children: list[Location] = [*folder.iterdir()]
    if len(children) != 1:
        raise ModelError(f"{folder} holds {len(children)} names; there should be a model alone.")
    return children[0]


def _splits(properties: dict[str, Any]) -> list[str]:
    return json.loads(properties.get("example_splits") or "null") or ["eval"]


def _examples(artifacts: Sequence[Any], splits: Sequence[str]) -> tuple[list[str], str]:
    """The folders of the splits, and the format of what is in them.

    Raises:
        DataError: There is no artifact, or one lacks a split, or holds what is not tf.Examples or Parquet.
    """
    if not artifacts:
        raise DataError("There is no Examples artifact. Check what the input examples comes from.")
    payloads = {examples_utils.get_payload_format(artifact) for artifact in artifacts}
    (payload, *others) = payloads
    if others or payload not in _FORMATS:
        names = ", ".join(
            sorted(example_gen_pb2.PayloadFormat.Name(format_) for format_ in payloads)
        )
        raise DataError(
            f"The Evaluator reads examples in FORMAT_TF_EXAMPLE or FORMAT_PARQUET, not {names}."
        )
    try:
        uris = [uri for split in splits for uri in artifact_utils.get_split_uris(artifacts, split)]
    except ValueError as error:
        known = sorted(
            {name for a in artifacts for name in artifact_utils.decode_split_names(a.split_names)}
        )
        raise DataError(
            f"Not every Examples artifact has the splits {', '.join(splits)}; there are {', '.join(known)}. "
            "Say example_splits."
        ) from error
    return uris, _FORMATS[payload]


def _bless(blessing: Any, result: EvalResult, inputs: Artifacts) -> None:
    """Write the marker and the properties, but for a verdict of *not evaluated*, as TFX does."""
    marker = MARKERS.get(result.verdict.status)
    if marker is None or result.path is None:
        return
    for key, name in (("model", "current_model"), ("baseline_model", "baseline_model")):
        for model in inputs.get(key) or ():
            blessing.set_string_custom_property(name, model.uri)
            blessing.set_int_custom_property(f"{name}_id", model.id)
    blessing.set_string_custom_property("benison_contents", contents_judged(result))
    write(locate(blessing.uri) / marker, (result.path / marker).read_bytes())
    blessing.set_int_custom_property("blessed", int(result.verdict.blessed))


def _say(output: Any, result: EvalResult) -> None:
    """Our verdict, beside what TFX reads."""
    verdict = result.verdict
    output.set_string_custom_property("benison_status", verdict.status)
    output.set_string_custom_property("benison_summary", verdict.summary())
    output.set_string_custom_property(
        "benison_reasons", "\n".join(verdict.first_reasons())[:20_000]
    )
    output.set_int_custom_property("benison_rubber_stamped", int(verdict.rubber_stamped))
    output.set_int_custom_property("benison_undecided", verdict.counts[UNDECIDED])
