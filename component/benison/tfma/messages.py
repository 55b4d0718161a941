# SPDX-License-Identifier: Apache-2.0
"""Defines TFMA's protobuf messages, of which its result files are made, without TFMA.

The messages live in a pool of their own, so that TFMA's generated modules can be imported beside them.
They have TFMA's names and field numbers, in proto2's syntax, which knows whether a field was set; the
bytes are the same. The fields from 15000 up are ours: they hold what TFMA's files have no place for, and
TFMA passes over them.
"""

from __future__ import annotations

import functools
from typing import Any

from benison.config.protos import define

# Message: number name type, ...; * is repeated. A map is a repeated entry of key and value.
_MESSAGES = """
BoolValue: 1 value bool
Int32Value: 1 value int32
Int64Value: 1 value int64
DoubleValue: 1 value double
SubKey: 1 class_id Int32Value, 2 k Int32Value, 3 top_k Int32Value
AggregationType: 1 micro_average bool, 2 macro_average bool, 3 weighted_macro_average bool
MetricKey: 1 name string, 4 model_name string, 2 output_name string, 3 sub_key SubKey, \
    6 aggregation_type AggregationType, 7 example_weighted BoolValue, 5 is_diff bool
PlotKey: 6 name string, 4 model_name string, 2 output_name string, 3 sub_key SubKey, \
    5 example_weighted BoolValue
UnknownType: 1 error string, 2 value bytes
BoundedValue: 1 lower_bound DoubleValue, 2 upper_bound DoubleValue, 3 value DoubleValue
Matrix: 1 threshold double, 2 false_negatives double, 3 true_negatives double, \
    4 false_positives double, 5 true_positives double, 6 precision double, 7 recall double, \
    12 bounded_precision BoundedValue, 13 bounded_recall BoundedValue, \
    20 false_positive_rate double, 21 f1 double, 22 accuracy double, 23 false_omission_rate double
Matrices: 1 matrices Matrix*
MultiClassEntry: 1 actual_class_id int32, 2 predicted_class_id int32, 3 num_weighted_examples double
MultiClassMatrix: 1 threshold double, 2 entries MultiClassEntry*
MultiClassMatrices: 1 matrices MultiClassMatrix*
MultiLabelEntry: 1 actual_class_id int32, 2 predicted_class_id int32, 3 false_negatives double, \
    4 true_negatives double, 5 false_positives double, 6 true_positives double
MultiLabelMatrix: 1 threshold double, 2 entries MultiLabelEntry*
MultiLabelMatrices: 1 matrices MultiLabelMatrix*
ArrayValue: 1 data_type int32, 2 shape int32*, 3 bytes_values bytes*, 4 int32_values int32*, \
    5 int64_values int64*, 6 float32_values float*, 7 float64_values double*
MetricValue: 1 double_value DoubleValue, 2 bounded_value BoundedValue, 3 unknown_type UnknownType, \
    5 confusion_matrix_at_thresholds Matrices, 6 bytes_value bytes, 7 array_value ArrayValue, \
    10 debug_message string, 11 multi_class_confusion_matrix_at_thresholds MultiClassMatrices
ConfidenceInterval: 1 upper_bound MetricValue, 2 lower_bound MetricValue, \
    3 standard_error MetricValue, 4 degrees_of_freedom Int64Value
SingleSliceKey: 1 column string, 2 bytes_value bytes, 3 float_value float, 4 int64_value int64
SliceKey: 1 single_slice_keys SingleSliceKey*
CrossSliceKey: 1 baseline_slice_key SliceKey, 2 comparison_slice_key SliceKey
MetricKeyAndValue: 1 key MetricKey, 2 value MetricValue, 3 confidence_interval ConfidenceInterval
MetricsForSlice: 1 slice_key SliceKey, 3 cross_slice_key CrossSliceKey, \
    51 metric_keys_and_values MetricKeyAndValue*, 15000 examples int64
Bucket: 1 lower_threshold_inclusive double, 2 upper_threshold_exclusive double, \
    3 num_weighted_examples DoubleValue, 4 total_weighted_label DoubleValue, \
    5 total_weighted_refined_prediction DoubleValue
Buckets: 1 buckets Bucket*
PlotData: 1 calibration_histogram_buckets Buckets, 2 confusion_matrix_at_thresholds Matrices, \
    3 debug_message string, 4 multi_class_confusion_matrix_at_thresholds MultiClassMatrices, \
    5 multi_label_confusion_matrix_at_thresholds MultiLabelMatrices
PlotKeyAndValue: 1 key PlotKey, 2 value PlotData
PlotsForSlice: 1 slice_key SliceKey, 4 cross_slice_key CrossSliceKey, \
    8 plot_keys_and_values PlotKeyAndValue*, 15000 examples int64
AttributionsForSlice: 1 slice_key SliceKey, 3 cross_slice_key CrossSliceKey
FeatureValue: 1 key string, 2 value string
SlicingSpec: 1 feature_keys string*, 2 feature_values FeatureValue*, 3 slice_keys_sql string
CrossSlicingSpec: 1 baseline_spec SlicingSpec, 2 slicing_specs SlicingSpec*
GenericValueThreshold: 1 lower_bound DoubleValue, 2 upper_bound DoubleValue
GenericChangeThreshold: 1 absolute DoubleValue, 2 relative DoubleValue, 3 direction int32
MetricThreshold: 1 value_threshold GenericValueThreshold, 2 change_threshold GenericChangeThreshold
ValidationFailure: 1 metric_key MetricKey, 2 metric_threshold MetricThreshold, \
    3 metric_value MetricValue, 4 message string
MetricsValidationForSlice: 2 slice_key SliceKey, 4 cross_slice_key CrossSliceKey, \
    3 failures ValidationFailure*
SlicingDetails: 1 slicing_spec SlicingSpec, 3 cross_slicing_spec CrossSlicingSpec, \
    2 num_matching_slices int32
ValidationDetails: 1 slicing_details SlicingDetails*
ValidationResult: 1 validation_ok bool, 2 metric_validations_per_slice MetricsValidationForSlice*, \
    3 missing_slices SlicingSpec*, 4 validation_details ValidationDetails, \
    5 missing_cross_slices CrossSlicingSpec*, 6 missing_thresholds bool, 7 rubber_stamp bool, \
    15000 verdict string
"""


@functools.cache
def messages() -> Any:
    """The classes of the messages by their names.

    Raises:
        MissingExtraError: protobuf is not installed.
    """
    return define(_MESSAGES, "benison.tfma", "proto2")
