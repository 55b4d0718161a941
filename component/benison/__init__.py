# SPDX-License-Identifier: Apache-2.0
"""The public names of Benison, which a program may rely on.

import benison

result = benison.evaluate("eval.parquet", config="eval.yaml", output="evaluation")
result.verdict.status            # "blessed", "not_blessed" or "not_evaluated"
result.value("auc", slice={"company": "Flash Cab"})
"""

from __future__ import annotations

from benison import signals  # noqa: F401 - listens before what takes time is imported

# isort: split
from benison.data import lazy_pandas  # noqa: F401 - before Arrow converts anything

# isort: split
from benison.config import EvalConfig
from benison.data.batch import Extracts, Inputs
from benison.engine.analysis import AnalysisEvaluator
from benison.engine.extract import default_extractors
from benison.errors import (
    BenisonError,
    ConfigError,
    DataError,
    MetadataError,
    MissingExtraError,
    ModelError,
    OutputError,
    RegistryError,
)
from benison.evaluation.api import evaluate
from benison.evaluation.defaults import default_evaluators, default_writers
from benison.metrics import Metric, Statistic, register, registered
from benison.metrics.custom import from_function
from benison.report.notebook.view import ResultView
from benison.results.result import EvalResult, load_result
from benison.slicing.codes import SliceCodes
from benison.tfma import TfmaWriter
from benison.validation.checks import Check
from benison.validation.verdict import Verdict
from benison.version import VERSION

__version__ = VERSION
EvalResult.view_class = ResultView

__all__ = [
    "AnalysisEvaluator",
    "BenisonError",
    "Check",
    "ConfigError",
    "DataError",
    "EvalConfig",
    "EvalResult",
    "Extracts",
    "Inputs",
    "MetadataError",
    "Metric",
    "MissingExtraError",
    "ModelError",
    "OutputError",
    "RegistryError",
    "SliceCodes",
    "Statistic",
    "TfmaWriter",
    "Verdict",
    "default_evaluators",
    "default_extractors",
    "default_writers",
    "evaluate",
    "from_function",
    "load_result",
    "register",
    "registered",
]
