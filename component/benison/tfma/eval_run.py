# SPDX-License-Identifier: Apache-2.0
"""Reads and writes eval_config.json, TFMA's record of a run: the config, and where data and models were."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benison.config import EvalConfig, SlicingSpec
from benison.config.slicing_specs import map_specs

EVAL_CONFIG = "eval_config.json"
# The version of TFMA whose files these are.
TFMA_VERSION = "0.52.0"

UNKNOWN = "<unknown>"
_MAPS = (
    "feature_values",
    "label_keys",
    "prediction_keys",
    "example_weight_keys",
    "output_weights",
    "class_weights",
    "thresholds",
    "per_slice_thresholds",
    "cross_slice_thresholds",
)
# The options and the fields of thresholds that TFMA does not have.
_OURS = (
    "column_types", "null_values", "analysis_columns", "profile_columns", "confidence", "memory_limit",
    "row_key", "examples_per_slice", "delimiter",
)  # fmt: skip
_OF_THRESHOLDS = ("evidence", "weight")
# What TFMA wraps in a message, because a bare list cannot be unset.
_WRAPPED = ("class_ids", "k_list", "top_k_list", "disabled_outputs")


def write_eval_run(path: Path, config: EvalConfig, manifest: dict[str, Any]) -> None:
    """Write a config and, from the manifest, the places of data and models."""
    data = manifest["data"]
    names = ", ".join(file["name"] for file in data["files"])
    models = manifest["models"] or [{"name": "", "path": None}]
    known = map_specs(config, SlicingSpec.in_fields_of_tfma).to_dict()
    fields = {key: value for key, value in known.items() if key not in ("version", "variants")}
    if options := fields.get("options"):
        fields["options"] = {name: value for name, value in options.items() if name not in _OURS}
    run = {
        "evalConfig": _camel_case(fields),
        "version": TFMA_VERSION,
        "dataLocation": names or "<a table in memory>",
        "fileFormat": data["format"] or UNKNOWN,
        "modelLocations": {model["name"]: model["path"] or UNKNOWN for model in models},
    }
    path.write_text(json.dumps(run, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _camel_case(value: Any) -> Any:
    """The JSON by which protobuf writes a config: the names of fields change, those in maps stay."""
    if isinstance(value, list):
        return [_camel_case(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {_camel(k): _field(k, item) for k, item in value.items() if k not in _OF_THRESHOLDS}


def _field(name: str, value: Any) -> Any:
    if name == "config":
        return json.dumps(value)
    if name in _WRAPPED:
        return {"values": value}
    if name in _MAPS and isinstance(value, dict):
        return {key: _camel_case(item) for key, item in value.items()}
    return _camel_case(value)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
