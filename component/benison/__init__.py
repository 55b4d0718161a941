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
from typing import TYPE_CHECKING, Any

from benison.late_imports import imported
from benison.results import viewing
from benison.version import VERSION

if TYPE_CHECKING:
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
        RunnerError,
    )
    from benison.evaluation.api import evaluate
    from benison.evaluation.defaults import default_evaluators, default_writers
    from benison.metrics import Metric, Statistic, register, registered
    from benison.metrics.custom import from_function
    from benison.results.result import EvalResult, load_result
    from benison.slicing.codes import SliceCodes
    from benison.tfma import TfmaWriter
    from benison.validation.checks import Check
    from benison.validation.verdict import Verdict

__version__ = VERSION

_OWNERS = {
    "AnalysisEvaluator": "benison.engine.analysis",
    "BenisonError": "benison.errors",
    "Check": "benison.validation.checks",
    "ConfigError": "benison.errors",
    "DataError": "benison.errors",
    "EvalConfig": "benison.config",
    "EvalResult": "benison.results.result",
    "Extracts": "benison.data.batch",
    "Inputs": "benison.data.batch",
    "MetadataError": "benison.errors",
    "Metric": "benison.metrics",
    "MissingExtraError": "benison.errors",
    "ModelError": "benison.errors",
    "OutputError": "benison.errors",
    "RegistryError": "benison.errors",
    "RunnerError": "benison.errors",
    "SliceCodes": "benison.slicing.codes",
    "Statistic": "benison.metrics",
    "TfmaWriter": "benison.tfma",
    "Verdict": "benison.validation.verdict",
    "default_evaluators": "benison.evaluation.defaults",
    "default_extractors": "benison.engine.extract",
    "default_writers": "benison.evaluation.defaults",
    "evaluate": "benison.evaluation.api",
    "from_function": "benison.metrics.custom",
    "load_result": "benison.results.result",
    "register": "benison.metrics",
    "registered": "benison.metrics",
}
"""Where each public name is: what a program does not ask for is not imported (PEP 562)."""

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
    "RunnerError",
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


def __getattr__(name: str) -> Any:
    if name not in _OWNERS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value = getattr(imported(_OWNERS[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _view(result: EvalResult) -> viewing.Viewer:
    from benison.report.notebook.view import ResultView

    return ResultView(result)


viewing.view_of = _view
