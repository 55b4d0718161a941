# SPDX-License-Identifier: Apache-2.0
"""Plots, whose points are TFMA's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import benison
from tests.parity.test_tfma import binary_frame, metric

pytestmark = [
    pytest.mark.parity,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def plots(frame: pd.DataFrame) -> tuple[dict[str, Any], pd.DataFrame]:
    tfma = pytest.importorskip("tensorflow_model_analysis")
    from google.protobuf import json_format
    from tensorflow_model_analysis.proto import config_pb2

    spec = {"label_key": "label", "prediction_key": "prediction"}
    names = ("CalibrationPlot", "ConfusionMatrixPlot", "ExampleCount")
    made = {"model_specs": [spec], "metrics_specs": [{"metrics": [metric(name) for name in names]}]}
    theirs = tfma.analyze_raw_data(frame, json_format.ParseDict(made, config_pb2.EvalConfig()))
    ours = benison.evaluate(frame, made).plots.to_pandas()
    return dict(theirs.plots)[()][""][""], ours.set_index("plot")["columns"].map(dict)


def test_plots() -> None:
    frame = binary_frame()
    theirs, ours = plots(frame)
    matrices = theirs["confusionMatrixAtThresholds"]["matrices"]
    for column, field in (
        ("threshold", "threshold"),
        ("true_positives", "truePositives"),
        ("false_positives", "falsePositives"),
        ("true_negatives", "trueNegatives"),
        ("false_negatives", "falseNegatives"),
    ):
        expected = [matrix.get(field, 0.0) for matrix in matrices]
        np.testing.assert_allclose(ours["confusion_matrix_plot"][column], expected, atol=1e-6)
    buckets = theirs["calibrationHistogramBuckets"]["buckets"]
    for column, field in (
        ("label", "totalWeightedLabel"),
        ("prediction", "totalWeightedRefinedPrediction"),
        ("weight", "numWeightedExamples"),
    ):
        expected = [float(bucket.get(field, 0.0)) for bucket in buckets]
        np.testing.assert_allclose(ours["calibration_plot"][column], expected, rtol=1e-6, atol=1e-9)
