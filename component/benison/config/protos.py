# SPDX-License-Identifier: Apache-2.0
"""Defines messages of protobuf by tables, and so TFMA's EvalConfig without TFMA, whose import takes seconds.

The messages live in pools of their own, so that TFMA's generated modules can be imported beside them.
"""

from __future__ import annotations

import functools
from types import SimpleNamespace
from typing import Any

from benison.errors import MissingExtraError

# Message: number name type [oneof], ...; * is repeated. `enum` lists its members from 0 up.
_EVAL_CONFIG = """
ModelSpec: 2 name string, 12 model_type string, 3 signature_name string, \
    13 preprocessing_function_names string*, 5 label_key string, 6 label_keys map:string:string, \
    7 prediction_key string, 8 prediction_keys map:string:string, 9 example_weight_key string, \
    10 example_weight_keys map:string:string, 11 is_baseline bool, 14 padding_options PaddingOptions, \
    15 inference_batch_size int32
SlicingSpec: 1 feature_keys string*, 2 feature_values map:string:string, 3 slice_keys_sql string
CrossSlicingSpec: 1 baseline_spec SlicingSpec, 2 slicing_specs SlicingSpec*
AggregationOptions: 1 micro_average bool type, 2 macro_average bool type, \
    3 weighted_macro_average bool type, 4 class_weights map:int32:float, 5 top_k_list RepeatedInt32Value
BinarizationOptions: 4 class_ids RepeatedInt32Value, 5 k_list RepeatedInt32Value, \
    6 top_k_list RepeatedInt32Value
ExampleWeightOptions: 1 weighted bool, 2 unweighted bool
PaddingOptions: 1 label_int_padding int64 label_padding, 2 label_float_padding float label_padding, \
    3 prediction_int_padding int64 prediction_padding, 4 prediction_float_padding float prediction_padding
enum MetricDirection: UNKNOWN LOWER_IS_BETTER HIGHER_IS_BETTER
GenericChangeThreshold: 1 absolute .DoubleValue, 2 relative .DoubleValue, 3 direction MetricDirection
GenericValueThreshold: 1 lower_bound .DoubleValue, 2 upper_bound .DoubleValue
MetricThreshold: 1 value_threshold GenericValueThreshold validate_absolute, \
    2 change_threshold GenericChangeThreshold validate_relative
PerSliceMetricThreshold: 1 slicing_specs SlicingSpec*, 2 threshold MetricThreshold
PerSliceMetricThresholds: 1 thresholds PerSliceMetricThreshold*
CrossSliceMetricThreshold: 1 cross_slicing_specs CrossSlicingSpec*, 2 threshold MetricThreshold
CrossSliceMetricThresholds: 1 thresholds CrossSliceMetricThreshold*
MetricConfig: 1 class_name string, 2 module string, 3 config string, 4 threshold MetricThreshold, \
    5 per_slice_thresholds PerSliceMetricThreshold*, 6 cross_slice_thresholds CrossSliceMetricThreshold*
MetricsSpec: 1 metrics MetricConfig*, 2 model_names string*, 3 output_names string*, \
    10 output_weights map:string:float, 4 binarize BinarizationOptions, 6 aggregate AggregationOptions, \
    11 example_weights ExampleWeightOptions, 5 query_key string, 7 thresholds map:string:MetricThreshold, \
    8 per_slice_thresholds map:string:PerSliceMetricThresholds, \
    9 cross_slice_thresholds map:string:CrossSliceMetricThresholds
enum ConfidenceIntervalMethod: UNKNOWN_CONFIDENCE_INTERVAL_METHOD POISSON_BOOTSTRAP JACKKNIFE
ConfidenceIntervalOptions: 1 method ConfidenceIntervalMethod
Options: 1 include_default_metrics .BoolValue, 2 compute_confidence_intervals .BoolValue, \
    9 confidence_intervals ConfidenceIntervalOptions, 3 min_slice_size .Int32Value, \
    7 disabled_outputs RepeatedStringValue
EvalConfig: 2 model_specs ModelSpec*, 4 slicing_specs SlicingSpec*, \
    8 cross_slicing_specs CrossSlicingSpec*, 5 metrics_specs MetricsSpec*, 6 options Options
RepeatedStringValue: 1 values string*
RepeatedInt32Value: 1 values int32*
EvalConfigAndVersion: 1 eval_config EvalConfig, 2 version string
EvalRun: 1 eval_config EvalConfig, 2 version string, 3 data_location string, 4 file_format string, \
    5 model_locations map:string:string
"""

CONFIG_MESSAGES = frozenset(
    line.partition(":")[0]
    for line in _EVAL_CONFIG.split("\n")
    if line and not line.startswith("enum ")
) - {"EvalConfigAndVersion", "EvalRun"}
"""The names of an EvalConfig's messages, without those of what TFMA writes around it."""


@functools.cache
def eval_config_messages(maps: bool = True) -> Any:
    """The classes of TFMA's config messages by their names.

    Args:
        maps: As for `define`.

    Raises:
        MissingExtraError: protobuf is not installed.
    """
    return define(_EVAL_CONFIG, "tensorflow_model_analysis", "proto3", maps)


def define(table: str, package: str, syntax: str, maps: bool = True) -> Any:
    """The classes of the messages of a table, by their names.

    Args:
        table: A line for each message or enum, as above; `.Name` is a wrapper type of protobuf.
        package: The package of the messages.
        syntax: "proto2", which knows of each field whether it was set, or "proto3".
        maps: Whether maps are maps, in which the last entry of a key wins, or lists of all entries.

    Raises:
        MissingExtraError: protobuf is not installed.
    """
    try:
        from google.protobuf import (
            descriptor_pb2,
            descriptor_pool,
            message_factory,
            wrappers_pb2,
        )
    except ImportError as error:
        raise MissingExtraError("What reads and writes TFMA's protos", "tfma") from error
    wrappers = descriptor_pb2.FileDescriptorProto.FromString(wrappers_pb2.DESCRIPTOR.serialized_pb)
    name = f"benison/{package}.proto"
    file = descriptor_pb2.FileDescriptorProto(name=name, package=package, syntax=syntax)
    file.dependency.append(wrappers.name)
    for line in filter(None, table.split("\n")):
        _add(file, *line.split(": ", 1))
    for message in file.message_type if not maps else ():
        for entry in message.nested_type:
            entry.options.ClearField("map_entry")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(wrappers)
    pool.Add(file)
    classes = message_factory.GetMessageClassesForFiles([name], pool)
    return SimpleNamespace(
        **{name.removeprefix(f"{package}."): message for name, message in classes.items()}
    )


def _add(file: Any, name: str, members: str) -> None:
    if name.startswith("enum "):
        enum = file.enum_type.add(name=name.removeprefix("enum "))
        for number, member in enumerate(members.split()):
            enum.value.add(name=member, number=number)
        return
    message = file.message_type.add(name=name)
    for field in members.split(","):
        _add_field(message, file.package, *field.split())


def _add_field(
    message: Any, package: str, number: str, name: str, kind: str, oneof: str = ""
) -> None:
    field = message.field.add(name=name, number=int(number))
    field.label = field.LABEL_OPTIONAL
    if kind.endswith("*") or kind.startswith("map:"):
        field.label = field.LABEL_REPEATED
    if kind.startswith("map:"):
        kind = _map_entry(message, package, name, *kind.split(":")[1:])
    _set_type(field, package, kind.removesuffix("*"))
    if oneof:
        names = [each.name for each in message.oneof_decl]
        if oneof not in names:
            message.oneof_decl.add(name=oneof)
            names.append(oneof)
        field.oneof_index = names.index(oneof)


def _map_entry(message: Any, package: str, name: str, key: str, value: str) -> str:
    """Add the message of which a map is made, and return its name."""
    entry = message.nested_type.add(name=f"{name.title().replace('_', '')}Entry")
    entry.options.map_entry = True
    _add_field(entry, package, "1", "key", key)
    _add_field(entry, package, "2", "value", value)
    return f"{message.name}.{entry.name}"


def _set_type(field: Any, package: str, kind: str) -> None:
    if kind.startswith("."):
        field.type, field.type_name = field.TYPE_MESSAGE, f".google.protobuf{kind}"
    elif kind[0].isupper():  # a message or an enum, which the pool finds out
        field.type_name = f".{package}.{kind}"
    else:
        field.type = getattr(field, f"TYPE_{kind.upper()}")
